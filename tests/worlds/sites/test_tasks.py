"""Every task on our sites: its solution solves it; a wrong answer or doing nothing does not."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from collegium.errors import BadInput
from collegium.tasks.sites import CROSS, group, unachievable
from collegium.worlds.sites import SITES
from collegium.worlds.sites.world import SPLITS, SiteWorld, accounts_of, site_tasks
from collegium.worlds.web import WebTask

HERE = Path(__file__).parent
TASKS = [(split, task) for split in SPLITS for task in site_tasks(split).tasks]


def beside(name: str):
    """A module of this folder, which is no package."""
    full = f"collegium_tests_sites_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


SOLUTIONS = beside("solutions").SOLUTIONS
play = beside("acting").play


@pytest.mark.parametrize("split", SPLITS)
def test_every_record_can_be_read(split: str) -> None:
    loaded = site_tasks(split)
    assert loaded.problems == {}
    for task in loaded.tasks:
        assert set(accounts_of(task)) == set(task.sites) <= set(SITES)
        made = task.intent_template
        for name, value in task.instantiation_dict.items():
            made = made.replace("{{" + name + "}}", str(value))
        assert made == task.intent


def test_there_are_tasks_of_every_kind() -> None:
    tasks = [task for _, task in TASKS]
    assert len(tasks) >= 60
    groups = Counter(map(group, tasks))
    assert set(groups) == {*SITES, CROSS}
    assert min(groups.values()) >= 10
    kinds = Counter(kind for task in tasks for kind in task.eval.eval_types)
    assert set(kinds) == {"string_match", "url_match", "program_html"}
    assert min(kinds.values()) >= 5
    for split in SPLITS:
        assert {group(t) for s, t in TASKS if s == split} == {*SITES, CROSS}
        assert sum(unachievable(t) for s, t in TASKS if s == split) >= 4


def test_ids_are_unique_and_no_template_is_in_both_splits() -> None:
    ids = [str(task.task_id) for _, task in TASKS]
    assert len(set(ids)) == len(ids)
    templates = {s: {t.intent_template_id for of, t in TASKS if of == s} for s in SPLITS}
    assert templates["test"] & templates["train"] == set()


def test_every_task_has_a_solution_and_every_solution_a_task() -> None:
    assert set(SOLUTIONS) == {task.intent for _, task in TASKS}


def test_who_acts_is_named_by_site_and_account() -> None:
    task = TASKS[0][1]
    wrong = msgspec.structs.replace(task, storage_state="shop")
    with pytest.raises(BadInput, match="SITE=ACCOUNT"):
        accounts_of(wrong)


@pytest.mark.parametrize(
    ("split", "task"), [pytest.param(s, t, id=str(t.task_id)) for s, t in TASKS]
)
async def test_the_solution_solves_it_and_nothing_else_does(
    split: str, task: WebTask, need
) -> None:
    pytest.importorskip("playwright")
    for name in task.sites:
        need(name)
    wrong, steps = SOLUTIONS[task.intent]
    world = SiteWorld(task, whole=True, limit=None, stops=False, rounds=60)
    try:
        await world.reset(0)
        assert world.problem == ""
        before = await world.judge(wrong)
        assert (before.value, before.facts.get("unjudged")) == (0.0, None), before
        turn = await play(world, steps)
        after = await world.judge(None)
        assert (turn.done, after.value) == (True, 1.0), f"{after}\n{turn.observation[:4000]}"
    finally:
        await world.close()
