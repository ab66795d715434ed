"""When an agent counts as going in circles."""

from typing import Any

import pytest

from collegium.errors import Stopped
from collegium.guard import Guarding, LoopGuard, Loops, Policy, Rule
from collegium.guard.loops import Trip, Walk, canonical, digest
from collegium.kernel import Kernel, UseTool, tool
from collegium.models import ScriptedModel


def walk(calls: str, observations: list[Any] | None = None, loops: Loops = Loops()) -> Trip | None:
    """The first trip on a trace of calls; observations all differ if not given."""
    steps = Walk(loops)
    for n, call in enumerate(calls):
        observed = observations[n] if observations is not None else n
        steps.begin(call)
        if trip := steps.end(call, digest(observed)):
            return trip
    return None


def tripped(trip: Trip | None) -> tuple[int, int]:
    assert trip is not None
    return trip.rule, trip.step


@pytest.mark.must_show("breaking-agents", 1)
def test_the_same_call_with_the_same_result_three_times() -> None:
    assert tripped(walk("AAA", ["x", "x", "x"])) == (1, 3)
    assert tripped(walk("ABACA", ["x", "p", "x", "q", "x"])) == (1, 5)


@pytest.mark.must_show("breaking-agents", 1)
def test_a_cycle_whatever_is_observed() -> None:
    assert tripped(walk("ABABAB")) == (2, 6)
    assert tripped(walk("ZABCABCABC")) == (2, 10)
    assert tripped(walk("ABCDABCDABCD")) == (2, 12)
    assert walk("ABCDEABCDEABCDE") is None
    assert tripped(walk("AABAABAAB")) == (2, 9)


@pytest.mark.must_show("breaking-agents", 1)
def test_polling_is_no_loop() -> None:
    assert walk("AAAAAA") is None


@pytest.mark.must_show("breaking-agents", 1)
def test_the_order_of_arguments_and_white_space_do_not_matter() -> None:
    def call(**arguments: Any) -> str:
        return canonical(UseTool(agent="a", tool="t", arguments=arguments))

    assert call(a=1, b=2) == call(b=2, a=1)
    assert call(q={"x": 1, "y": [" a  b"]}) == call(q={"y": ["a b"], "x": 1})
    assert call(a=1) != call(a=2)
    assert call(a=1) != call(a="1")


def test_nothing_new_for_five_steps() -> None:
    assert tripped(walk("ABCDEF", ["x"] * 6)) == (3, 6)
    assert walk("ABCDEFGHI", ["x", "x", "x", "x", "x", "y", "x", "x", "x"]) is None


def test_rules_can_be_turned_off_and_set() -> None:
    off = Loops(repeats=0, cycles=0, stale=0)
    assert walk("AAAAAAAAAAAA", ["x"] * 12, off) is None
    assert tripped(walk("AA", ["x", "x"], Loops(repeats=2))) == (1, 2)


async def test_the_run_ends_and_refusals_count_as_steps() -> None:
    @tool
    def look(at: str) -> str:
        """Look."""
        return "nothing"

    policy = Policy(tools={"look": (Rule(effect="forbid"),)}, loops=Loops())
    guarding = Guarding(policy)
    kernel = Kernel(ScriptedModel(lambda r: "x"), tools=[look], interceptors=guarding.interceptors)
    ann, bob = (kernel.agent(n, tools=("look",)) for n in ("ann", "bob"))
    for agent in (ann, ann, bob, bob):
        with pytest.raises(Exception, match="blocked look"):
            await agent.use("look", at="door")
    with pytest.raises(Stopped, match=r"agent 'ann' goes in circles .rule 1: look gave the same"):
        await ann.use("look", at="door")
    with pytest.raises(Stopped):
        await bob.ask("go on")
    assert [r.ended for r in guarding.refusals] == [False] * 4 + [True]


async def test_asking_models_and_sending_mail_are_no_steps() -> None:
    guard = LoopGuard()
    kernel = Kernel(ScriptedModel(lambda r: "same"), interceptors=[guard])
    ann, bob = kernel.agent("ann"), kernel.agent("bob")
    for _ in range(8):
        await ann.ask("again", temperature=0.0)
        await ann.send(bob, "again")
        await bob.receive()
    assert guard.trips == {}
