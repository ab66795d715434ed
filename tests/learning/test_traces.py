"""From traces to training records: which runs are kept, what is learnt of them, and the file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.bench.records import Outcome
from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel, RunStore
from collegium.learning import Labelled, Record, collect, runs_of, write_records
from collegium.systems.mas_tts import mas_tts
from collegium.systems.solve import solve
from collegium.systems.system import get_system
from collegium.tasks.task import Task
from tests.kernel.support import Scripted, worked

TASK = Task(id="t", prompt="What is 5 + 7?", rules="Count in tens.", answer="number")

AGREE = worked("Agree", "I get the same.")
OBJECT = worked("Disagree", "The last step is off.")


def order(experts: int = 2) -> str:
    fields = {"decision": "Continue", "recruit_number": experts}
    return json.dumps(fields | {"direction": "Add with care.", "maximum_tokens": 256})


def experts(k: int = 2) -> str:
    return json.dumps({"answer": [f"a scholar of field {i + 1}" for i in range(k)]})


def judged(correctness: int) -> str:
    fields = {"correctness": correctness, "advice": "Carry.", "recruiting_suggestion": "A tutor."}
    return json.dumps(fields)


def unadvised(correctness: int) -> str:
    """An evaluation whose advice is missing."""
    return json.dumps({"correctness": correctness, "recruiting_suggestion": "A tutor."})


async def ran(
    name: str, task: Task = TASK, *, answer: float = 12, turns: int = 1, **said: Sequence[str]
) -> Labelled:
    """A real run of the system on what its agents are made to say, judged by its answer."""
    left = {agent.replace("_", "-"): iter(replies) for agent, replies in said.items()}
    kernel = Kernel(Scripted(lambda request, i: next(left[request.agent])))
    result = await mas_tts(task, kernel, max_turn=turns)
    return Labelled(name, tuple(kernel.trace.events), result.answer == answer)


def good(**more: Any) -> dict[str, Any]:
    """A round that keeps all three rules: one of two critics objects once."""
    return {
        "ceo": [order(3)],
        "recruiter": [experts(3)],
        "solver": [worked(11), worked(12)],
        "critic_1": [AGREE, AGREE],
        "critic_2": [OBJECT, AGREE],
        "evaluator": [judged(1)],
    } | more


def spoken(record: Record) -> list[tuple[str, str]]:
    """(agent, text) of what is learnt."""
    pairs = zip(record.messages, record.loss, strict=True)
    return [(m.agent, m.content) for m, learnt in pairs if learnt]


@pytest.mark.must_show("mas-tts", 4)
async def test_of_four_traces_the_good_one_is_kept() -> None:
    two: dict[str, Any] = {"ceo": [order()], "recruiter": [experts()], "evaluator": [judged(1)]}
    runs = [
        await ran("wrong", **good(solver=[worked(11), worked(13)])),
        await ran(
            "no consensus", **two, solver=[worked(n) for n in (9, 10, 11, 12)],
            critic_1=[OBJECT, OBJECT, OBJECT],
        ),
        await ran("no advice", **good(evaluator=[unadvised(1), judged(1)])),
        await ran("good", **good()),
    ]  # fmt: skip
    assert [r.correct for r in runs] == [False, True, True, True]
    found = collect(runs)
    assert [r.name for r in found.records] == ["good"]
    assert found.dropped == {
        "wrong": ("the answer is wrong",),
        "no consensus": ("no consensus",),
        "no advice": ("a role's format was not kept",),
    }
    assert found.counts == {
        "no consensus": 1,
        "a role's format was not kept": 1,
        "the answer is wrong": 1,
    }
    # Its turns stand in speaking order.
    assert spoken(found.records[0]) == [
        ("ceo", order(3)),
        ("recruiter", experts(3)),
        ("solver", worked(11)),
        ("critic-1", AGREE),
        ("critic-2", OBJECT),
        ("solver", worked(12)),
        ("critic-1", AGREE),
        ("critic-2", AGREE),
        ("evaluator", judged(1)),
    ]


@pytest.mark.must_show("mas-tts", 4)
async def test_only_replies_of_the_team_are_learnt_each_after_its_own_context() -> None:
    run = await ran("good", **good())
    (record,) = collect([run]).records
    assert [m.role for m in record.messages] == ["system", "user", "assistant"] * 9
    assert list(record.loss) == [False, False, True] * 9
    assert [m.turn for m in record.messages] == [n for n in range(9) for _ in range(3)]
    asked = [e.call for e in sorted(run.events, key=lambda e: e.id)]
    prompts = [c.messages[-1].text for c in asked if isinstance(c, Generate)]
    assert [m.content for m in record.messages if m.role == "user"] == prompts
    assert "Count in tens." in record.messages[0].content


@pytest.mark.must_show("mas-tts", 4)
async def test_a_repaired_or_repeated_turn_has_not_kept_its_form() -> None:
    twins = json.dumps({"answer": ["a baker", "A baker"]})
    runs = [
        await ran("critic", **good(critic_2=["Hm, no.", '{"answer": "Disagree"}', AGREE])),
        await ran("solver", **good(solver=[worked(11), "Twelve.", '{"answer": 12}'])),
        await ran("ceo", **good(ceo=["Three experts!", order(3)])),
        await ran(
            "recruiter", **good(ceo=[order()], recruiter=[twins, experts()], solver=[worked(12)])
        ),
    ]
    found = collect(runs)
    assert found.dropped == {r.name: ("a role's format was not kept",) for r in runs}


async def test_a_run_may_break_several_rules() -> None:
    run = await ran(
        "bad", **good(solver=[worked(11)], critic_1=["?", "?"], critic_2=["?", "?"])
    )  # fmt: skip
    found = collect([run])
    assert found.records == ()
    assert found.dropped["bad"] == (
        "no consensus",
        "a role's format was not kept",
        "the answer is wrong",
    )


async def test_consensus_is_that_of_the_last_round() -> None:
    two: dict[str, Any] = {"ceo": [order(), order()], "recruiter": [experts(), experts()]}
    twice = await ran(
        "twice", turns=2, **two, solver=[worked(9), worked(10), worked(10), worked(10), worked(12)],
        critic_1=[OBJECT, OBJECT, OBJECT, AGREE], evaluator=[judged(0), judged(1)],
    )  # fmt: skip
    assert [r.name for r in collect([twice]).records] == ["twice"]


async def test_the_allowed_critic_rounds_can_be_narrowed() -> None:
    run = await ran("good", **good())
    assert collect([run], critic_rounds=2).dropped == {}
    assert collect([run], critic_rounds=1).dropped == {"good": ("no consensus",)}
    with pytest.raises(BadInput, match="at least one critic round, not 0"):
        collect([run], critic_rounds=0)


async def test_an_executor_that_tests_nothing_has_not_kept_its_form() -> None:
    task = Task(id="c", prompt="Write add(a, b).", answer="code", entry_point="add")
    program = "```python\ndef add(a, b):\n    return a + b\n```"
    said = good(ceo=[order()], recruiter=[experts()], solver=[program], critic_1=[AGREE])
    left = {a.replace("_", "-"): iter(r) for a, r in (said | {"executor": ["Fine."]}).items()}
    system = get_system("mas-tts")
    kernel = Kernel(Scripted(lambda request, i: next(left[request.agent])))
    await solve(system, task, kernel, system.bind({}))
    found = collect([Labelled("code", tuple(kernel.trace.events), True)])
    assert found.dropped == {"code": ("a role's format was not kept",)}


def test_another_trace_is_refused() -> None:
    with pytest.raises(BadInput, match="'other' is no trace of mas-tts"):
        collect([Labelled("other", (), True)])


async def test_records_are_written_whole_and_read_back(tmp_path: Path) -> None:
    records = collect([await ran("good", **good())]).records
    path = tmp_path / "traces.jsonl"
    write_records([*records, *records], path)
    lines = path.read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=Record) for line in lines] == [*records, *records]
    first = json.loads(lines[0])["messages"][0]
    assert sorted(first) == ["agent", "content", "role", "turn"]
    assert [p.name for p in tmp_path.iterdir()] == ["traces.jsonl"]
    with pytest.raises(BadInput, match="cannot write"):
        write_records(records, tmp_path / "absent" / "traces.jsonl")


async def test_runs_come_from_a_stored_comparison(tmp_path: Path) -> None:
    run = await ran("good", **good())
    store = RunStore(tmp_path / "runs.sqlite")
    number = store.begin("compare", "key", {})
    for system, correct in (("mas-tts:scale=8", True), ("direct", True), ("mas-tts", False)):
        keep = store.sink(number, system, "t")
        for event in run.events:
            keep(event)
        outcome = Outcome(system=system, task="t", correct=correct)
        store.put_result(number, system, "t", msgspec.json.encode(outcome))
    found = collect(runs_of(store, number))
    store.close()
    assert [r.name for r in found.records] == ["mas-tts:scale=8/t"]
    assert found.dropped == {"mas-tts/t": ("the answer is wrong",)}
