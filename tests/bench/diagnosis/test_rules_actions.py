"""What the rules on words and deeds, on the end and on checks take for a failure, and what not."""

import msgspec
import pytest

from collegium.bench.diagnosis import candidates, diagnose
from collegium.kernel import Kernel, Reply, UseTool, Worked
from collegium.systems.self_consistency import self_consistency
from collegium.systems.self_refine import self_refine
from collegium.tasks.task import Task
from collegium.worlds import drivers
from collegium.worlds.text import text_world
from collegium.worlds.world import Restore, Snapshot
from tests.bench.diagnosis.scripted import (
    LONG,
    SUM,
    Results,
    edit,
    kernel,
    right,
    rules,
    search,
    uses,
    wants,
    wrong,
)
from tests.kernel.support import Scripted, inorder, worked

# -- 2.6 -------------------------------------------------------------------------------------

FENCED = "Let me compute it.\n```python\nprint(9 * 12)\n```\n```output\n72\n```\nAnswer: 72"


@pytest.mark.parametrize(
    "claim",
    [
        FENCED,
        "I ran the code and it printed 72.",
        "I have searched the web for trains, and found none.",
        "I saved the table to results.csv.",
        "We have executed the unit tests.",
        "I used a calculator to be sure.",
    ],
)
async def test_ghost_actions(claim):
    k = kernel(claim)
    await k.agent("a").ask("Do it.")
    assert rules(k.trace.events) == [("2.6", "ghost action", (0,))]


@pytest.mark.parametrize(
    "claim",
    [
        "I ran five miles and then I wrote the equation.",
        "I called the variable x and stored the value in it.",
        "If I ran the code, it would print 72.",
        "I have not run the code.",
        "```python\nprint(72)\n```\nThis prints 72.",
        "I searched for two numbers with that sum.",
        "I will run the tests next.",
        "We checked the calculation.",
    ],
)
async def test_no_ghost_actions(claim):
    k = kernel(f"{claim} Answer: 72")
    await k.agent("a").ask("Do it.")
    assert rules(k.trace.events) == []


async def test_claims_are_made_good_by_calls():
    def run_python(code: str) -> str:
        """Run."""
        return "72"

    k = kernel("I ran the code and it printed 72.", FENCED, tools=[run_python])
    a = k.agent("a", tools=["run_python"])
    await a.use("run_python", code="print(72)")
    await a.ask("Well?")
    await a.ask("And?")
    assert rules(k.trace.events) == []
    k = kernel("I ran the code and it printed 72.", tools=[search])
    a = k.agent("a", tools=["search"])
    await a.use("search", query="72")
    await a.ask("Well?")
    assert rules(k.trace.events) == [("2.6", "ghost action", (1,))]


@pytest.mark.parametrize(
    "thought",
    ["I will use search.", "I will not use edit.", "Let me see.", "Use search, then use edit."],
)
async def test_thought_and_call_agree(thought):
    k = kernel(wants("search", thought, query="x"), "Answer: 1", tools=[search, edit])
    a = k.agent("a", tools=["search", "edit"])
    await a.ask("Go.", tools=True, keep=True)
    await a.use("search", query="x")
    await a.ask("Well?", keep=True)
    assert rules(k.trace.events) == []


# -- 3.1, 3.2, 3.3 ---------------------------------------------------------------------------


async def test_a_call_that_is_never_made():
    k = kernel(wants("search", query="x"), tools=[search])
    await k.agent("a", tools=["search"]).ask("Go.", tools=True)
    assert rules(k.trace.events) == [("3.1", "call not made", (0,))]
    k = kernel(wants("finish", answer="x"))
    await k.agent("a").ask("Go.", tools=True)
    assert rules(k.trace.events) == []


async def test_cut_off_before_an_answer():
    cut = Reply("First I multiply nine by", finish="length")
    k = kernel(cut, '{"answer": 9}')
    await k.agent("a").ask("?", output=Worked[float])
    assert rules(k.trace.events) == [("3.1", "cut off", (0, 1))]
    k = kernel(Reply("Answer: 9\nLet me add that", finish="length"))
    await k.agent("a").ask("?", output=Worked[float])
    assert rules(k.trace.events) == []
    k = Kernel(Scripted(lambda r, i: cut if i else worked(9)), seed=1)
    await self_consistency(SUM, k, samples=2)
    assert ("3.1", "cut off", (0,)) not in rules(k.trace.events)


async def test_ending_on_a_failed_check():
    events = await uses(("run_tests", {}), tools=[Results({"passed": False}).run_tests])
    assert rules(events) == [("3.1", "ended on a failed check", (0,))]
    assert (
        rules(await uses(("run_tests", {}), tools=[Results("0 failed, 3 passed").run_tests])) == []
    )


async def test_unfinished_by_its_own_words():
    k = kernel("I listed the towns. Next, I will count them.")
    await k.agent("a").ask("Count the towns.")
    assert rules(k.trace.events) == [("3.1", "unfinished by its own words", (0,))]
    k = kernel("Next, I will count them: two. Answer: 2")
    await k.agent("a").ask("Count the towns.")
    assert rules(k.trace.events) == []


async def test_a_check_that_was_offered_and_never_used():
    k = kernel("def total(): return 96", tools=[Results().run_tests])
    await k.agent("a", tools=["run_tests"]).ask("Write it.", tools=True)
    assert rules(k.trace.events) == [("3.2", "check never used", (0,))]


async def test_saving_what_was_checked_is_no_change():
    def save_report(text: str) -> str:
        """Save."""
        return "saved"

    events = await uses(
        ("edit", {"path": "a", "text": "b"}),
        ("run_tests", {}),
        ("save_report", {"text": "b"}),
        tools=[edit, save_report, Results("passed").run_tests],
    )
    assert rules(events) == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("The answer is correct.", [("3.3", "verdict passed", (1,))]),
        ("I see no mistakes.", [("3.3", "verdict passed", (1,))]),
        ("The first step is wrong, the answer is correct.", []),
        ("Let us verify that the answer is correct.", []),
        ("Twelve by nine.", []),
    ],
)
async def test_a_verdict_that_passes_what_is_wrong(said, found):
    k = kernel("It is 96.", said)
    solver, verifier = k.agent("solver"), k.agent("verifier")
    first = await solver.ask("How many?")
    await verifier.ask("Is 96 right?", sources=[first.call])
    assert rules(k.trace.events, outcome=wrong("96", "108")) == found
    assert rules(k.trace.events, outcome=right("96")) == []
    assert rules(k.trace.events) == []


# -- candidates, whole runs ------------------------------------------------------------------


async def test_asking_someone_is_no_candidate():
    async def person(question: str) -> str:
        return "tomorrow"

    k = kernel("The day is not specified, so I assume it is tomorrow.", human=person)
    a = k.agent("a")
    await a.ask_human("Which day?")
    await a.ask("Book it.")
    assert candidates(k.trace.events) == ()


async def test_constraints_of_the_task_make_a_candidate():
    strict = Task(id="t", prompt="Name exactly three rivers.")
    k = kernel("The Danube and the Mur.")
    await k.agent("a").ask("Name exactly three rivers.")
    (picked,) = candidates(k.trace.events, task=strict)
    assert (picked.code, picked.calls) == ("1.1", (0,))
    assert candidates(k.trace.events) == ()


async def test_of_a_resumed_run_the_last_attempt_counts():
    k = Kernel(Scripted(inorder(worked(108, LONG), worked(96, "Eight by twelve."))), seed=1)
    await self_refine(SUM, k, turns=2)
    events = list(k.trace.events)
    earlier = [msgspec.structs.replace(e, outcome="error", replies=(), error="x") for e in events]
    assert diagnose([*earlier, *events]) == diagnose(events)
    assert diagnose([]) == ()


async def test_a_search_that_goes_back_repeats_nothing():
    world = text_world("maze")
    await world.reset(0)
    k = Kernel(Scripted("x"), tools=world.tools, drivers=drivers(world))
    actor = k.agent("actor", tools=("act",))
    start = await k.call(Snapshot(agent=actor.name))
    for _ in range(4):
        await k.call(Restore(agent=actor.name, snapshot=start))
        move = UseTool(agent="actor", tool="act", arguments={"action": "fly"}, tentative=True)
        await k.call(move)
    assert rules(k.trace.events) == []
