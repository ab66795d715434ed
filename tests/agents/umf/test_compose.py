"""Composed agents: they run, they keep to their blueprint, and only a leader changes anything."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.agents.umf import (
    check,
    check_trace,
    compose,
    conflicts,
    coordination,
    guards,
    profile,
)
from collegium.agents.umf.parts import CALCULATOR, DATABASE, RULES, Stock, calculation, stock_tools
from collegium.bench import umf_compose
from collegium.bench.umf_compose import ARMS, Question, questions
from collegium.errors import BadInput, LimitReached, ModelError
from collegium.kernel import Call, Generate, Kernel, Limits, UseTool
from collegium.models import ScriptedModel
from tests.agents.umf.clock import VirtualClock
from tests.agents.umf.oracle import knows

PARTS = [CALCULATOR, DATABASE]
(QUESTION,) = questions(1, 3)


def kernel_for(stock: Stock, script: Any, **options: Any) -> Kernel:
    return Kernel(
        ScriptedModel(script),
        tools=[*stock_tools(stock), *coordination(stock.ledger)],
        drivers=guards(RULES),
        seed=1,
        **options,
    )


async def run(architecture: Any, *, elect: bool = True, **options: Any):
    """The question with a model that makes no mistake; returns all there is to see."""
    stock, clock = Stock(QUESTION.before), VirtualClock()
    kernel = kernel_for(stock, knows(QUESTION), **options)
    hybrid = compose(PARTS, architecture, elect=elect, clock=clock, sleep=clock.sleep)
    solution = await clock.drive(hybrid.run(QUESTION.text, kernel, float))
    return hybrid, kernel, stock, solution


@pytest.mark.parametrize(("name", "architecture", "elect"), ARMS, ids=[a[0] for a in ARMS])
async def test_every_architecture_runs_and_keeps_to_its_blueprint(
    name: str, architecture: Any, elect: bool
) -> None:
    hybrid, kernel, stock, solution = await run(architecture, elect=elect)
    assert hybrid.architecture == architecture
    assert [v.rule for v in check(hybrid.blueprint)] == ([] if elect else ["no-synchronisation"])
    assert check_trace(hybrid.blueprint, kernel.trace.events) == ()
    assert solution.answer is not None
    if elect:
        assert solution.answer == QUESTION.answer
        assert stock.amounts() == QUESTION.after
        assert len(stock.ledger.effects()) == 1
        assert conflicts(stock.ledger.effects()) == 0
    else:  # both put the delivery into the table
        assert len(stock.ledger.effects()) == 2
        assert conflicts(stock.ledger.effects()) == 1
        assert stock.amounts()[QUESTION.item] == QUESTION.after[QUESTION.item] + QUESTION.arrived


async def test_conflicts_come_in_the_expected_order_over_twenty_questions() -> None:
    asked = questions(20, 7)
    assert len({q.text for q in asked}) == 20

    def script(request: Generate) -> str:
        said = request.messages[-1].text + "".join(m.text for m in request.messages)
        (question,) = [q for q in asked if any(k in said for k in keys[q.text])]
        return knows(question)(request)

    # Orders of a passive core-agent do not quote the question, but their wording is its own.
    keys: dict[str, tuple[str, ...]] = {
        q.text: (
            q.text,
            f"Order: Add {q.arrived} to the amount of {q.item}.",
            f"Add {q.arrived} to the amount of {q.item}. ->",
        )
        for q in asked
    }
    assert len({k for v in keys.values() for k in v}) == 60
    clock = VirtualClock()
    study = umf_compose.study(
        ScriptedModel(script), n=20, seed=7, tokens=20_000, clock=clock, sleep=clock.sleep
    )
    found = await clock.drive(study)
    rows = {r.name: r for r in found["rows"]}
    passive, one, elected, free = (rows[name] for name, _, _ in ARMS)
    assert free.conflicts == 20 > elected.conflicts == one.conflicts == passive.conflicts == 0
    assert [r.effects for r in (passive, one, elected, free)] == [20, 20, 20, 40]
    assert [r.solved for r in (passive, one, elected, free)] == [20, 20, 20, 0]
    assert elected.llm_calls > one.llm_calls
    assert elected.coordination > 0 == one.coordination == free.coordination
    assert len(found["pairs"]) == 6


async def test_a_report_holds_what_it_was_made_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "model.py"
    script.write_text("def answer(request):\n    return '{}'\n")
    out = tmp_path / "umf" / "compose.json"
    model = f"script:{script}:answer"
    arguments = ["--model", model, "--n", "2", "--tokens", "9000", "--out", str(out)]
    await asyncio.to_thread(umf_compose.main, arguments)  # it starts a loop of its own
    report = json.loads(out.read_text())
    assert {"command", "machine", "model", "seed", "n", "tokens", "rows", "pairs"} <= set(report)
    assert (report["n"], report["seed"], len(report["rows"])) == (2, 7, 4)
    for row in report["rows"]:  # a model that never says anything readable solves nothing
        assert (row["solved"], row["n"]) == (0, 2)
        assert row["ci_low"] == 0.0 < row["ci_high"] < 1.0
    assert [p.name for p in out.parent.iterdir()] == ["compose.json"]
    assert "0/2" in capsys.readouterr().out


async def test_passive_core_agents_have_no_mind_and_active_ones_do() -> None:
    _, kernel, _, _ = await run("one-active-many-passive")
    for name in ("calculator", "database"):
        mine = [e for e in kernel.trace.events if e.call.agent == name]
        found = profile(mine)
        assert {"action", "security"} <= set(found.modules)
        assert not {"planning", "profile"} & set(found.modules)
        # The table is a memory outside the core-agent; within it there is none.
        assert "embedded" not in found.cells["memory.location"].values
        asked = [e.call for e in mine if isinstance(e.call, Generate)]
        assert asked and all(m.role == "user" for call in asked for m in call.messages)
    whole = profile(kernel.trace.events, writes=["change"])
    assert set(whole.modules) == {"planning", "memory", "profile", "action", "security"}
    assert str(whole.cells["planning.process"]) == "task decomposition, plan generation"
    assert "environment change" in whole.cells["action.impact"].values


@pytest.mark.must_show("umf", 6)
async def test_the_leader_dies_after_its_change_and_nothing_is_done_twice() -> None:
    died: dict[str, Any] = {}
    clock = VirtualClock()

    async def kill(call: Call, proceed: Any) -> Any:
        if call.agent == died.get("who"):
            raise ModelError("it is dead")
        result = await proceed(call)
        if isinstance(call, UseTool) and call.tool == "change" and not died:
            # The hardest moment: the change is made, and its maker never hears of it.
            died.update(who=call.agent, at=clock(), term=call.arguments["term"])
            raise ModelError("it is dead")
        return result

    stock = Stock(QUESTION.before)
    kernel = kernel_for(stock, twice(QUESTION), interceptors=[kill])
    hybrid = compose(PARTS, "uniform multi-active", clock=clock, sleep=clock.sleep)
    solution = await clock.drive(hybrid.run(QUESTION.text, kernel, float))
    first, second = stock.ledger.effects()
    assert (first.member, first.term) == (died["who"], died["term"]) == ("database", 1)
    assert (first.id, second.id) == ("effect-1", "effect-2")
    assert second.member == "calculator"
    lease = stock.ledger.leases()[1]
    assert (lease.leader, lease.term) == ("calculator", 2)
    assert 0 < lease.begins - died["at"] <= 2 * 5.0
    # Both deliveries are in the table, each once.
    assert stock.amounts()[QUESTION.item] == QUESTION.before[QUESTION.item] + QUESTION.arrived + 1
    assert solution.lost == {"database": "it is dead"}
    assert set(solution.answers) == {"calculator"}
    assert conflicts(stock.ledger.effects()) == 0


@pytest.mark.must_show("umf", 6)
async def test_a_leader_that_dies_before_its_change_is_replaced() -> None:
    died: dict[str, Any] = {}
    clock = VirtualClock()

    async def kill(call: Call, proceed: Any) -> Any:
        if call.agent == died.get("who"):
            raise ModelError("it is dead")
        if isinstance(call, UseTool) and call.tool == "change" and not died:
            died.update(who=call.agent, at=clock())
            raise ModelError("it is dead")
        return await proceed(call)

    stock = Stock(QUESTION.before)
    kernel = kernel_for(stock, knows(QUESTION), interceptors=[kill])
    hybrid = compose(PARTS, "uniform multi-active", clock=clock, sleep=clock.sleep)
    solution = await clock.drive(hybrid.run(QUESTION.text, kernel, float))
    (effect,) = stock.ledger.effects()
    assert (died["who"], effect.member, effect.term) == ("database", "calculator", 2)
    assert stock.ledger.leases()[1].begins - died["at"] <= 2 * 5.0
    assert stock.amounts() == QUESTION.after
    assert solution.answer == QUESTION.answer


def twice(question: Question):
    """Like the model that makes no mistake, with a second delivery of one in the plan."""
    plain = knows(question)

    def script(request: Generate) -> str:
        said = request.messages[-1].text
        if "Split this into" in said:
            plan = json.loads(plain(request))
            more = {"to": "database", "order": f"Put one more {question.item} into stock."}
            plan["steps"].insert(1, more)
            return json.dumps(plan)
        if "Order: Put one more" in said:
            item = question.item
            sql = f"UPDATE stock SET amount = amount + 1 WHERE item = '{item}'"
            return json.dumps({"sql": sql})
        return plain(request)

    return script


async def test_a_leader_that_thinks_for_long_keeps_the_lead() -> None:
    clock = VirtualClock()
    knowing = twice(QUESTION)

    async def slow(request: Generate) -> str:
        await clock.sleep(12.0)  # more than two leases
        return knowing(request)

    stock = Stock(QUESTION.before)
    kernel = kernel_for(stock, slow)
    hybrid = compose(PARTS, "uniform multi-active", clock=clock, sleep=clock.sleep)
    await clock.drive(hybrid.run(QUESTION.text, kernel, float))
    assert [e.member for e in stock.ledger.effects()] == ["database", "database"]
    assert [lease.term for lease in stock.ledger.leases()] == [1]
    assert clock.now > 60


async def test_what_the_leader_leaves_out_nobody_adds() -> None:
    clock = VirtualClock()
    more, less = twice(QUESTION), knows(QUESTION)

    def script(request: Generate) -> str:
        return (more if request.agent == "calculator" else less)(request)

    stock = Stock(QUESTION.before)
    kernel = kernel_for(stock, script)
    hybrid = compose(PARTS, "uniform multi-active", clock=clock, sleep=clock.sleep)
    solution = await clock.drive(hybrid.run(QUESTION.text, kernel, float))
    assert [e.member for e in stock.ledger.effects()] == ["database"]
    assert stock.amounts() == QUESTION.after
    (told,) = [
        e.call.messages[-1].text
        for e in kernel.trace.events
        if isinstance(e.call, Generate)
        and e.call.agent == "calculator"
        and "final answer" in e.call.messages[-1].text
    ]
    assert "left out: the leader finished without it" in told
    assert set(solution.answers) == {"calculator", "database"}


async def test_when_all_are_lost_the_first_failure_is_raised() -> None:
    stock = Stock(QUESTION.before)
    kernel = kernel_for(stock, knows(QUESTION), limits=Limits(calls=3))
    with pytest.raises(LimitReached):
        await compose(PARTS, "uniform multi-active").run(QUESTION.text, kernel, float)
    kernel = kernel_for(stock, lambda request: ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        await compose(PARTS, "uniform multi-active").run(QUESTION.text, kernel, float)


async def test_a_refused_order_comes_back_as_refused() -> None:
    def reckless(request: Generate) -> str:
        if "Write one SQLite statement" in request.messages[-1].text:
            return json.dumps({"sql": "DELETE FROM stock"})
        if "Give the final answer" in request.messages[-1].text:
            assert "refused: agent 'database'" in request.messages[-1].text
            return json.dumps({"answer": 0})
        return knows(QUESTION)(request)

    stock = Stock(QUESTION.before)
    kernel = kernel_for(stock, reckless_orders(reckless))
    await compose(PARTS, "one-active-many-passive").run(QUESTION.text, kernel, float)
    assert stock.amounts() == QUESTION.before
    assert stock.ledger.effects() == ()


def reckless_orders(script: Any):
    """A plan of one order, which is the reckless one."""

    def answer(request: Generate) -> str:
        if "Split this into" in request.messages[-1].text:
            return json.dumps({"steps": [{"to": "database", "order": "Clear the table."}]})
        return script(request)

    return answer


async def test_a_model_reaches_the_table_and_nothing_else() -> None:
    stock = Stock({"plums": 3})
    kernel = kernel_for(stock, "")
    agent = kernel.agent("a", tools=["query", "change", "calculate"])
    assert await agent.use("query", sql="SELECT amount FROM stock") == [[3]]
    for sql in ("SELECT * FROM umf_effects", "PRAGMA user_version", "UPDATE stock SET amount = 0"):
        assert "error" in await agent.use("query", sql=sql), sql
    for sql in ("DELETE FROM umf_effects", "DROP TABLE stock", "ATTACH 'x' AS y", "nonsense"):
        assert "error" in await agent.use("change", sql=sql), sql
    assert stock.ledger.effects() == () and stock.amounts() == {"plums": 3}
    assert await agent.use("calculate", expression="(12 + 3) * -2 / 4") == -7.5
    assert "error" in await agent.use("calculate", expression="__import__('os')")


@pytest.mark.parametrize(
    "bad", ["1 / 0", "2 ** 9", "a + 1", "", "(1", "True + 1", "9" * 5000, "(" * 500 + "1"]
)
def test_a_calculation_is_arithmetic_alone(bad: str) -> None:
    with pytest.raises(BadInput):
        calculation(bad)


@pytest.mark.parametrize(
    ("parts", "architecture", "said"),
    [
        ([CALCULATOR], "uniform multi-passive", "at least two parts"),
        ([CALCULATOR, CALCULATOR], "uniform multi-passive", "different names"),
        (PARTS, "single-active", "is not composed"),
        (
            [msgspec.structs.replace(CALCULATOR, name="llm"), DATABASE],
            "uniform multi-passive",
            "none of them 'llm'",
        ),
        (
            [msgspec.structs.replace(CALCULATOR, rules=()), DATABASE],
            "uniform multi-passive",
            "unguarded path: calculator -> calculate",
        ),
    ],
)
def test_what_cannot_be_composed(parts: Any, architecture: Any, said: str) -> None:
    with pytest.raises(BadInput) as error:
        compose(parts, architecture)
    assert said in str(error.value)


async def test_a_kernel_without_the_rules_says_so() -> None:
    stock = Stock(QUESTION.before)
    kernel = Kernel(ScriptedModel(knows(QUESTION)), tools=stock_tools(stock))
    with pytest.raises(BadInput, match="no driver for Inspect calls"):
        await compose(PARTS, "one-active-many-passive").run(QUESTION.text, kernel, float)
