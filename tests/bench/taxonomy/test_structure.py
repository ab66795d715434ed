"""The rules over messages: shapes of made-up graphs, ways in which texts travel, hub removal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.bench.taxonomy import (
    Message,
    channel,
    coordination_of,
    messages_of,
    removals,
    stage_of,
    strategy_of,
    structure_of,
)
from collegium.bench.taxonomy.messages import UNDETERMINED, self_addressed
from collegium.bench.taxonomy.profile import check_value
from collegium.bench.taxonomy.structure import EDGE_SHARE, HUB_SHARE, shape_of
from collegium.catalog.surveys import collaboration_survey
from collegium.errors import BadInput
from collegium.kernel import Access, Event, Generate, Kernel, Reply, Send
from collegium.kernel import Message as Turn
from collegium.kernel.memory import Memory
from collegium.kernel.storage import Storage
from collegium.models.scripted import ScriptedModel
from collegium.systems.system import Result, System, get_system
from collegium.tasks.task import Task
from tests.bench.taxonomy.runs import NUMBER, form_filler

Edge = tuple[str, str]


def trace(*edges: Edge, root: str = "") -> list[Event]:
    """One model call of the root, then a sent message per edge."""
    first = root or edges[0][0]
    turn = Generate(agent=first, role=first, messages=(Turn("user", "the task"),))
    events = [Event(id=0, call=turn, replies=(Reply("said"),))]
    return events + [
        Event(id=i, call=Send(agent=a, to=b, text=f"text {i}")) for i, (a, b) in enumerate(edges, 1)
    ]


HUB = [
    edge
    for w in ("w1", "w2", "w3", "w4")
    for edge in (("hub", w), (w, "hub")) * 2 + ((("hub", w)),)
]
LEAVES = {"b": ("d", "e"), "c": ("f", "g")}
TREE = [
    edge
    for a, b in [("a", "b"), ("a", "c"), *((m, x) for m, xs in LEAVES.items() for x in xs)]
    for edge in ((a, b), (b, a))
]


@pytest.mark.must_show("collaboration-survey", 3)
def test_a_hub_with_four_workers_is_centralised() -> None:
    assert len(HUB) == 20
    seen = structure_of(trace(*HUB))
    assert (seen.values, seen.form, seen.hub, seen.share) == (("centralised",), "report", "hub", 1)
    assert seen.evidence == tuple(range(1, 21))


@pytest.mark.must_show("collaboration-survey", 3)
def test_ten_messages_between_the_workers_make_it_decentralised() -> None:
    more = [("w1", "w2"), ("w2", "w3"), ("w3", "w4"), ("w4", "w1"), ("w1", "w3")] * 2
    seen = structure_of(trace(*HUB, *more))
    assert seen.values == ("decentralised",)
    assert seen.share == pytest.approx(20 / 30)


@pytest.mark.must_show("collaboration-survey", 3)
def test_a_tree_is_hierarchical_until_its_leaves_talk_to_the_root() -> None:
    assert len(TREE) == 12
    seen = structure_of(trace(*TREE))
    assert seen.values == ("hierarchical",)
    assert seen.levels == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 2, "f": 2, "g": 2}
    past = [("a", x) for xs in LEAVES.values() for x in xs] * 3
    assert len(past) == 12
    assert structure_of(trace(*TREE, *past)).values == ("decentralised",)


@pytest.mark.must_show("collaboration-survey", 3)
def test_a_chain_of_five_is_a_decentralised_relay_whoever_begins() -> None:
    chain = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]
    for root in "abcde":
        seen = structure_of(trace(*chain, root=root))
        assert (seen.values, seen.form) == (("decentralised",), "relay")
    assert "chain: a - b - c - d - e" in structure_of(trace(*chain)).why
    ring = structure_of(trace(*chain, ("e", "a")))
    assert (ring.values, ring.form) == (("decentralised",), "relay")


def test_three_in_a_row_are_a_chain_or_a_hub_with_two_workers() -> None:
    assert structure_of(trace(("a", "b"), ("b", "c"))).form == "relay"
    both = structure_of(trace(("b", "a"), ("a", "b"), ("b", "c"), ("c", "b")))
    assert (both.values, both.hub) == (("centralised",), "b")
    everybody = structure_of(trace(*((a, b) for a in "abc" for b in "abc" if a != b)))
    assert (everybody.values, everybody.form) == (("decentralised",), "debate")


def test_an_edge_below_three_percent_does_not_count() -> None:
    many = HUB * 5
    few = [("w1", "w2")] * 3
    assert EDGE_SHARE > 3 / 103
    assert structure_of(trace(*many, *few)).share == 1.0
    enough = [("w1", "w2")] * 4
    assert HUB_SHARE < structure_of(trace(*many, *enough)).share < 1.0


@settings(deadline=None)
@given(st.lists(st.sampled_from([a + b for a in "abcd" for b in "abcd" if a != b]), min_size=1))
def test_names_and_order_of_messages_do_not_matter(pairs: list[str]) -> None:
    def shape(renamed: dict[str, str], order: int) -> tuple[tuple[str, ...], float]:
        made = [
            Message(renamed[p[0]], renamed[p[1]], "sent", (i,))
            for i, p in enumerate(pairs[::order])
        ]
        seen = shape_of(made, renamed[pairs[0][0]])
        return seen.values, seen.share

    same = {x: x for x in "abcd"}
    other = dict(zip("abcd", "zyxw", strict=True))
    assert shape(same, 1) == shape(other, -1)


def test_the_name_of_the_system_is_not_read() -> None:
    """The same messages under other names have the same structure."""
    named = [(f"ceo-{a}", f"ceo-{b}") for a, b in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]]
    assert structure_of(trace(*named)).form == "relay"


def test_what_a_trace_lacks_is_named() -> None:
    empty = structure_of([])
    assert (empty.values, empty.missing) == ((UNDETERMINED,), ("events",))
    nameless = trace(("a", "b"))
    nameless[1] = Event(id=1, call=Send(agent="", to="b", text="t"))
    for rule in (structure_of, coordination_of, strategy_of, stage_of):
        assert rule([]).values == (UNDETERMINED,)
        assert rule(nameless).missing == ("call.agent",)
    alone = trace(("a", "b"))[:1]
    assert structure_of(alone).missing == ("messages between agents",)


async def test_texts_travel_by_mail_by_prompt_and_by_memory() -> None:
    access = Access({"one": ["team"], "two": ["team"]})
    access.share("one", "team")
    notes, files = Memory(None, access=access), Storage(None, access=access)
    drivers = {**notes.drivers, **files.drivers, **access.drivers}
    kernel = Kernel(ScriptedModel([("", "said")]), seed=1, drivers=drivers)
    one, two = kernel.agent("one"), kernel.agent("two")
    first = await one.ask("begin")
    await one.send(two, first.text, sources=[first.call])
    (mail,) = await two.receive()
    second = await two.ask(mail.text, sources=[mail.call])
    again = await two.ask(mail.text, sources=[mail.call, first.call])  # the same text once more
    await one.ask(second.text, sources=[second.call, again.call])
    note = await one.remember("the code is 4711")
    await one.store("plan.txt", "first this, then that")
    assert note
    assert (await two.recall("code", bank="one"))[0].text == "the code is 4711"
    assert await two.load("plan.txt", owner="one")
    await one.load("plan.txt")
    found = [(m.sender, m.receiver, m.way) for m in messages_of(kernel.trace.events)]
    assert found == [
        ("one", "two", "sent"),
        ("two", "one", "passed"),
        ("two", "one", "passed"),
        ("one", "two", "memory"),
        ("one", "two", "memory"),
    ]
    assert self_addressed(kernel.trace.events) == ()
    await one.send("one", "note to myself")
    assert len(self_addressed(kernel.trace.events)) == 1
    assert len(messages_of(kernel.trace.events)) == 5
    notes.close()
    files.close()


def test_a_second_run_with_other_agents_shows_that_they_depend_on_the_run() -> None:
    small, large = trace(("a", "b"), ("b", "a")), trace(("a", "b"), ("b", "a"), ("a", "c"))
    assert coordination_of(large).values == ("static",)
    assert coordination_of(large, large).values == ("static",)
    seen = coordination_of(large, small)
    assert (seen.values, seen.evidence) == (("dynamic",), (3,))


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.must_show("collaboration-survey", 7)
@pytest.mark.parametrize(("dimension", "allowed"), collaboration_survey().allowed().items())
def test_an_unknown_value_is_refused_with_the_allowed_list(
    dimension: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput) as refused:
        check_value(dimension, "quantum")
    assert all(value in str(refused.value) for value in allowed)
    assert [check_value(dimension, v.upper().replace("-", " ")) for v in allowed] == [*allowed]


@pytest.mark.must_show("collaboration-survey", 7)
def test_a_channel_needs_two_actors_and_known_values() -> None:
    good = channel(["a", "b"], "cooperation", "Decentralized", "rule-based", "debate")
    assert good.actors == ("a", "b")
    for actors in ([], ["a"], ["a", "a"]):
        with pytest.raises(BadInput, match="at least two different actors"):
            channel(actors, "cooperation", "decentralised", "rule-based")
    with pytest.raises(BadInput, match="allowed: cooperation, competition, coopetition"):
        channel(["a", "b"], "friendship", "decentralised", "rule-based")
    with pytest.raises(BadInput, match="allowed: memory, report, relay, debate"):
        channel(["a", "b"], "cooperation", "decentralised", "rule-based", "song")


# -- removal --------------------------------------------------------------------------------------


async def office(task: Task, kernel: Kernel) -> Result:
    """A hub hands the question to three workers, reads what they send back, and answers."""
    hub = kernel.agent("hub")
    workers = [kernel.agent(f"worker-{i}") for i in (1, 2, 3)]
    order = await hub.ask(f"Say who does what: {task.text}")
    for worker in workers:
        await hub.send(worker, order.text, sources=[order.call])
    for worker in workers:
        for mail in await worker.receive():
            done = await worker.ask(mail.text, sources=[mail.call])
            await worker.send(hub, done.text, sources=[done.call])
    mails = await hub.receive()
    said = "\n".join(m.text for m in mails)
    last = await hub.ask(f"{said}\nNow answer.", output=int, sources=[m.call for m in mails])
    return Result(last.data)


OFFICE = System("office", None, office, {})


@pytest.mark.must_show("collaboration-survey", 6)
async def test_without_its_hub_a_centralised_system_fails_by_name() -> None:
    kernel = Kernel(form_filler(answer=12))
    await office(NUMBER, kernel)
    assert structure_of(kernel.trace.events).values == ("centralised",)
    whole, hub, *workers = await removals(OFFICE, NUMBER, form_filler(answer=12), {})
    assert (whole.answer, whole.failure) == (12, "")
    assert (hub.agent, hub.answer, hub.failure, hub.share) == ("hub", None, "hub failure", 1.0)
    assert [w.agent for w in workers] == ["worker-1", "worker-2", "worker-3"]
    assert all(w.answer == 12 and not w.failure for w in workers)


@pytest.mark.must_show("collaboration-survey", 6)
async def test_without_one_peer_a_debate_goes_on() -> None:
    mad = get_system("mad")
    whole, *rest = await removals(mad, NUMBER, form_filler(), mad.bind({}))
    assert whole.answer == 12
    assert [r.agent for r in rest] == ["debater-1", "debater-2", "debater-3"]
    assert all(r.answer == 12 and not r.failure for r in rest)


async def test_another_failure_keeps_its_own_name() -> None:
    mad = get_system("mad")
    whole, alone = await removals(mad, NUMBER, form_filler(), mad.bind({"agents": 1, "rounds": 1}))
    assert whole.answer == 12
    assert alone.failure == "no answer"
