"""Files of web tasks and MiniWoB++ as benchmarks, and systems that act in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.bench.jobs import Entry, run_job
from collegium.errors import BadInput
from collegium.kernel import Reply, ToolCall
from collegium.models import ScriptedModel
from collegium.systems import parse_system
from collegium.tasks import benchmarks, load
from collegium.tasks.sources import data_file
from collegium.tasks.text_worlds import world_item
from collegium.tasks.worlds import world_infos
from collegium.worlds.web.acting import TOOLS
from collegium.worlds.web.browser import executable
from tests.worlds.web.site import Notes, web_task


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("playwright")
    if executable() is None:
        pytest.skip("no Chromium on this machine")
    made = Notes()
    monkeypatch.setenv("COLLEGIUM_HOST_SHOP", made.address)
    monkeypatch.delenv("COLLEGIUM_HOST_FORUM", raising=False)
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three tasks: one that can be done, one whose site is not there, one that cannot be read."""
    good = msgspec.to_builtins(web_task(task_id=3))
    answered = {
        "eval_types": ["string_match"],
        "reference_answers": {"fuzzy_match": "N/A"},
        "string_note": "There are none.",
    }
    nowhere = msgspec.to_builtins(web_task(task_id=4, sites=["shop", "forum"], eval=answered))
    broken = dict(good, task_id=5, start_url="")
    made = tmp_path / "mine.json"
    made.write_text(json.dumps([good, nowhere, broken]))
    return made


def looks(request: Any) -> Reply[Any] | str:
    """Clicks on the link to the notes, and stops."""
    turn = sum(m.role == "tool" for m in request.messages)
    found = re.search(r"\[(\d+)\] link 'All notes'", request.messages[-1].text)
    if turn == 0 and found:
        call = ToolCall("1", "click", {"id": int(found[1])})
        return Reply("", tool_calls=(call,), finish="tool")
    return "Done."


async def outcome_of(item: Any, model: Any = looks) -> Any:
    entry = Entry("tool-calling", *parse_system("tool-calling"))
    return await run_job(entry, item, {"": ScriptedModel(model)}, seed=1, budget=None)


async def test_a_file_of_ones_own_is_acted_on(site: Notes, file: Path) -> None:
    loaded = load(f"webarena:{file}", seed=None)
    assert [item.task.id for item in loaded.items] == ["webarena/3", "webarena/4", "webarena/5"]
    assert [item.task.stratum for item in loaded.items] == ["shop", "unachievable", "unreadable"]
    assert "1 of 3 have no site here; 1 cannot be read" in loaded.description
    good, nowhere, broken = loaded.items
    assert good.task.tools == TOOLS["typed"]
    done = await outcome_of(good)
    assert done.correct and "Look at the notes." in done.prompt and "heading 'Notes'" in done.prompt
    for item, reason in ((nowhere, "no site for it here (forum)"), (broken, "start_url is empty")):
        done = await outcome_of(item)
        assert not done.correct and not done.error
        assert reason in done.reason and done.facts == {"not_run": True}


def test_one_task_by_its_id(file: Path) -> None:
    assert world_item(f"web:{file}@4").task.id == "webarena/4"
    assert world_item(f"webarena:{file}@3").task.id == "webarena/3"
    assert world_item(f"web:{file}").task.id == "webarena/3"
    with pytest.raises(BadInput, match="unknown web task '9'"):
        load(f"web:{file}@9")
    with pytest.raises(BadInput, match="no such file of web tasks"):
        load("web:/nowhere.json")
    with pytest.raises(BadInput, match="no split 'train'"):
        load(f"web:{file}", split="train")


def test_the_order_is_that_of_the_seed(file: Path) -> None:
    orders = {tuple(i.task.id for i in load(f"web:{file}", seed=s).items) for s in range(9)}
    assert len(orders) > 1
    whole, two = load(f"web:{file}", seed=4), load(f"web:{file}", seed=4, limit=2)
    assert [item.task for item in two.items] == [item.task for item in whole.items[:2]]
    fixed, compat = load(f"web:{file}"), load(f"web:compat:{file}")
    assert fixed.fingerprint != compat.fingerprint


@pytest.mark.must_show("webarena", 1)
def test_the_original_is_listed_and_loads(monkeypatch) -> None:
    if data_file("webarena/test.raw.json") is None:
        pytest.skip("webarena/test.raw.json is not in the folder of data")
    for site in ("SHOPPING", "SHOPPING_ADMIN", "GITLAB", "MAP", "REDDIT", "WIKIPEDIA"):
        monkeypatch.delenv(f"COLLEGIUM_HOST_{site}", raising=False)
    loaded = load("webarena")
    assert len(loaded.items) == 812 and "812 of 812 have no site here" in loaded.description
    strata = [item.task.stratum for item in loaded.items]
    assert strata.count("unachievable") == 36
    monkeypatch.setenv("COLLEGIUM_HOST_GITLAB", "http://127.0.0.1:8023")
    assert "632 of 812 have no site here" in load("webarena").description
    listed = {info.name: info for info in world_infos()}
    assert "632 have no site here" in listed["webarena"].note


def test_what_is_missing_is_said(monkeypatch) -> None:
    monkeypatch.delenv("COLLEGIUM_DATA", raising=False)
    with pytest.raises(BadInput, match="give a file of your own"):
        load("webarena")
    known = {b.name: b for b in benchmarks()}
    assert not known["webarena"].available and "webarena/test.raw.json" in known["webarena"].missing
    assert {"maze", "agentdojo", "miniwob", "webarena"} <= {i.name for i in world_infos()}


async def test_a_model_judges_where_code_cannot(site: Notes, tmp_path: Path) -> None:
    answered = {
        "eval_types": ["string_match"],
        "reference_answers": {"fuzzy_match": "N/A"},
        "string_note": "Nobody wrote one.",
    }
    file = tmp_path / "one.json"
    file.write_text(json.dumps([msgspec.to_builtins(web_task(task_id=6, eval=answered))]))
    (item,) = load(f"web:{file}").items
    entry = Entry("tool-calling", *parse_system("tool-calling"))
    asked: list[str] = []

    def evaluator(request: Any) -> str:
        asked.append(request.messages[-1].text)
        return "same"

    actor = ScriptedModel(lambda request: "There is no such note.")
    done = await run_job(entry, item, {"": actor}, seed=1, budget=None)
    assert not done.correct and done.facts["unjudged"] is True
    models = {"": actor, "evaluator": ScriptedModel(evaluator)}
    done = await run_job(entry, item, models, seed=1, budget=None)
    assert done.correct and "Nobody wrote one." in asked[0]
    assert done.calls == 1  # what judges is not paid for by what is judged
