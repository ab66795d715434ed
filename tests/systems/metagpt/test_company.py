"""Company mode: subscriptions, what travels, and what a budget leaves."""

import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from collegium.errors import BudgetTooSmall
from collegium.kernel import Call, Kernel, Limits, Send
from collegium.systems import get_system
from collegium.systems.solve import solve
from tests.kernel.support import Scripted
from tests.systems.metagpt.script import (
    ALL_GOOD,
    BUILT,
    CODE_FREE,
    TASK,
    Office,
    build,
    commands_of,
    runs_of,
)


async def test_a_run_in_which_all_goes_well() -> None:
    office = Office(ALL_GOOD)
    solved, kernel = await build(office)
    assert office.steps == [
        "prd",
        "design",
        "tasks",
        "code machine.py",
        "review machine.py",
        "code main.py",
        "review main.py",
        "test machine.py",
    ]
    result = solved.result
    assert result.answer == (
        "adding_machine: adding_machine/machine.py, adding_machine/main.py (11 lines). "
        "1 of 1 of its own tests pass."
    )
    assert sorted(result.files) == [
        "adding_machine/machine.py",
        "adding_machine/main.py",
        "dependencies.json",
        "docs/prd.json",
        "docs/system_design.json",
        "docs/task.json",
        "requirements.txt",
        "test_outputs/test_machine.json",
        "tests/test_machine.py",
    ]
    assert result.files["requirements.txt"] == "requests==2.0\n"  # json comes with Python
    outcome = json.loads(result.files["test_outputs/test_machine.json"])
    assert (outcome["status"], outcome["ran"], outcome["failed"]) == ("ok", 1, 0)
    assert result.notes["self_tests"] == {"passed": 1, "total": 1}
    assert result.notes["retries"] == 0
    (ran,) = runs_of(kernel)
    assert "Ran 1 test" in ran["errors"]
    # Nothing but the tests was started: nothing was installed.
    assert commands_of(kernel) == [["python", "run_tests.py", "test_machine.py"]]


@pytest.mark.must_show("metagpt", 3)
async def test_who_hears_what_in_a_whole_run() -> None:
    solved, kernel = await build(Office(ALL_GOOD))
    heard = [
        (json.loads(e.call.text)["cause_by"], e.call.agent, e.call.to)
        for e in kernel.trace.events
        if isinstance(e.call, Send)
    ]
    assert heard == [
        ("UserRequirement", "human", "product-manager"),
        ("WritePRD", "product-manager", "architect"),
        ("WriteDesign", "architect", "project-manager"),
        ("WriteTasks", "project-manager", "engineer"),
        ("WriteCodeReview", "engineer", "engineer"),
        ("SummarizeCode", "engineer", "qa-engineer"),
        ("WriteTest", "qa-engineer", "qa-engineer"),
    ]
    # The last message, "all tests pass", is for nobody: it is logged, all are idle, the run ends.
    notes = solved.result.notes
    last = notes["messages"][-1]
    assert (last["cause_by"], last["send_to"], last["id"]) == ("RunCode", ["NoOne"], "m8")
    assert notes["unheard"] == ["m8"]
    assert notes["rounds"] == 7
    assert "stopped" not in notes


@pytest.mark.must_show("metagpt", 3)
async def test_a_requirement_that_nobody_hears_ends_the_run_idle() -> None:
    async def swallow(call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        return None if isinstance(call, Send) else await proceed(call)

    office = Office({})
    solved, _ = await build(office, interceptors=[swallow])
    assert office.steps == []
    assert not solved.result.answer
    assert solved.result.notes["rounds"] == 0


async def test_an_attack_on_a_message_changes_what_is_built() -> None:
    async def attack(call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        if isinstance(call, Send) and call.to == "architect":
            text = call.text.replace("I want to see the sum", "I want to be tracked")
            call = msgspec.structs.replace(call, text=text)
        return await proceed(call)

    office = Office(BUILT)
    await build(office, interceptors=[attack], **CODE_FREE)
    assert "I want to be tracked" in office.prompts[1]
    assert "I want to be tracked" in office.prompts[-1]


@pytest.mark.parametrize("path", ["../x.py", "/etc/x.py", "a//b.py"])
async def test_a_message_with_a_path_out_of_the_project_is_no_work(path: str) -> None:
    async def attack(call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        if isinstance(call, Send) and call.to == "qa-engineer":
            call = msgspec.structs.replace(
                call, text=call.text.replace('"machine.py":', f'"{path}":')
            )
        return await proceed(call)

    office = Office(ALL_GOOD)
    solved, kernel = await build(office, interceptors=[attack])
    assert runs_of(kernel) == []
    assert solved.result.notes["counts"]["unreadable_messages"] == 1
    assert path in solved.result.notes["unreadable"]


@pytest.mark.must_show("metagpt", 4)
async def test_a_design_that_costs_too_much_ends_the_run_before_the_next_role() -> None:
    office = Office(ALL_GOOD, money={"prd": 0.01, "design": 0.05})
    solved, _ = await build(office, limits=Limits(money=0.03))
    assert office.steps == ["prd", "design"]
    assert solved.limited == (
        "No money left for docs/task.json (Project Manager): 2 generations cost 30 tokens and "
        "$0.0600; the limit of $0.03 is used up. "
        "Made so far: docs/prd.json, docs/system_design.json."
    )
    assert sorted(solved.result.files) == [
        "dependencies.json",
        "docs/prd.json",
        "docs/system_design.json",
    ]
    assert solved.result.notes["stopped"] == solved.limited


@pytest.mark.must_show("metagpt", 4)
async def test_one_round_makes_the_prd_alone() -> None:
    office = Office(ALL_GOOD)
    solved, _ = await build(office, n_round=1)
    assert office.steps == ["prd"]
    assert sorted(solved.result.files) == ["dependencies.json", "docs/prd.json"]


@pytest.mark.must_show("metagpt", 4)
@pytest.mark.parametrize("calls", range(1, 8))
async def test_whatever_was_made_remains_wherever_the_limit_falls(calls: int) -> None:
    office = Office(ALL_GOOD)
    solved, _ = await build(office, limits=Limits(calls=calls))
    assert len(office.steps) == calls
    assert f"the limit of {calls} generations is used up" in solved.limited
    files = [
        "docs/prd.json",
        "docs/system_design.json",
        "docs/task.json",
        "adding_machine/machine.py",
        "adding_machine/machine.py",
        "adding_machine/main.py",
        "adding_machine/main.py",
    ]
    assert set(files[:calls]) <= set(solved.result.files)
    assert not (set(files[calls:]) - set(files[:calls])) & set(solved.result.files)


async def test_a_document_cut_by_the_budget_is_no_schema_error() -> None:
    # The limit leaves no room to ask again: it is the budget that ended the run.
    office = Office({**ALL_GOOD, "design": '{"Implementation approach": "cut'})
    solved, _ = await build(office, limits=Limits(calls=2))
    assert "No money left for docs/system_design.json (Architect)" in solved.limited
    assert sorted(solved.result.files) == ["dependencies.json", "docs/prd.json"]


async def test_a_budget_below_one_call_is_told_at_once() -> None:
    with pytest.raises(BudgetTooSmall):
        await build(Office({}), limits=Limits(tokens=20))


async def test_the_profile_is_one_for_all_and_prompts_share_their_beginning() -> None:
    # Engines that reuse prompt prefixes read each document once.
    office = Office(ALL_GOOD)
    model = Scripted(office)
    kernel = Kernel(model)
    system = get_system("metagpt")
    task = msgspec.structs.replace(TASK, rules="Be brief.")
    await solve(system, task, kernel, system.bind({}))
    calls = model.requests
    assert {r.messages[0].text for r in calls} == {
        "You work in a small software company. Be brief."
    }
    prompts = [r.messages[-1].text for r in calls]
    for earlier, later in itertools.pairwise(prompts[:4]):
        shared = earlier[: earlier.rindex("\n\nYou are the")]
        assert later.startswith(shared)
