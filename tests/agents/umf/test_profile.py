"""Profiles from traces: against the key, with evidence for every value, and nothing guessed."""

import inspect
from typing import Any

import pytest
from msgspec.structs import replace

from collegium.agents.umf import LINES, agreement, guards, profile
from collegium.errors import BadInput, Denied
from collegium.kernel import Access, Event, Kernel, Recall
from collegium.kernel.memory import Memory
from collegium.kernel.trace import decode_event, encode_event
from collegium.systems import mad
from tests.agents.umf import little
from tests.agents.umf.key import KEY
from tests.kernel.support import Scripted, inorder


async def test_profiles_of_ten_systems_match_the_key() -> None:
    assert len(KEY) == 10
    equal = total = 0
    different: list[str] = []
    for name, key in KEY.items():
        found = profile(*await little.traces(name))
        same, lines = agreement(found, key)
        equal, total = equal + same, total + lines
        different += [
            f"{name}: {line} is {cell}, key says {sorted(key.get(line, ())) or 'absent'}"
            for line, cell in found.cells.items()
            if set(cell.values) != key.get(line, set())
        ]
    assert total == 10 * sum(map(len, LINES.values())) == 170
    assert equal / total >= 0.9, "\n".join(different)


@pytest.mark.parametrize("name", KEY)
async def test_the_profile_of_each_system_is_its_key(name: str) -> None:
    found = profile(*await little.traces(name))
    shown = {line: set(cell.values) for line, cell in found.cells.items() if cell.values}
    assert shown == KEY[name]


@pytest.mark.parametrize("name", KEY)
async def test_every_value_cites_calls_that_are_there(name: str) -> None:
    traces = await little.traces(name)
    ids = [{event.id for event in trace} for trace in traces]
    for cell in profile(*traces).cells.values():
        for value, citations in cell.values.items():
            assert citations, value
            assert all(c.call in ids[c.trace] for c in citations), value


def test_the_key_uses_the_vocabulary() -> None:
    for key in KEY.values():
        for line, values in key.items():
            module, _, name = line.partition(".")
            assert values <= set(LINES[module][name])


async def test_what_a_value_cites_is_what_shows_it() -> None:
    (trace,) = await little.traces("planner")
    by_id = {event.id: event for event in trace}
    found = profile(trace)
    (plan,) = found.cells["planning.process"].values["task decomposition"]
    assert by_id[plan.call].call.agent == "lead"
    followers = found.cells["action.production"].values["plan following"]
    assert {by_id[c.call].call.agent for c in followers} == {"worker-1", "worker-2"}
    tools = found.cells["action.space"].values["tools"]
    assert [by_id[c.call].kind for c in tools] == ["use-tool", "use-tool"]


async def test_long_term_memory_shows_only_across_tasks() -> None:
    first, second = await little.traces("notes")
    assert profile(first, second).cells["memory.scope"].values.keys() == {"long-term"}
    assert str(profile(second).cells["memory.scope"]) == "absent"
    (cited,) = profile(first, second).cells["memory.scope"].values["long-term"]
    assert (cited.trace, second[cited.call].kind) == (1, "recall")
    # The same note read by an agent with another bank is not carried over.
    bank = Memory(None)
    one, other = little.kernel(drivers=bank.drivers), little.kernel(drivers=bank.drivers)
    await one.agent("a").remember("The blue crate holds 17 bolts.")
    await other.agent("b").recall("crate", method="text", bank="b")
    assert str(profile(one.trace.events, other.trace.events).cells["memory.scope"]) == "absent"


async def test_memory_within_a_task_and_reflection() -> None:
    bank = Memory(None)
    kernel = Kernel(Scripted("Crates hold bolts, seventeen as a rule."), drivers=bank.drivers)
    agent = kernel.agent("a")
    await agent.remember("The blue crate holds 17 bolts.")
    (note,) = await agent.recall("crate")
    thought = await agent.ask(f"What do you make of this? {note.text}")
    await agent.remember(thought.text, sources=[thought.call])
    found = profile(kernel.trace.events)
    assert str(found.cells["memory.scope"]) == "short-term"
    assert str(found.cells["memory.operations"]) == "read, write, reflect"
    assert str(found.cells["memory.format"]) == "natural language"
    assert [c.call for c in found.cells["memory.operations"].values["reflect"]] == [3]
    # By meaning and words, as it may be, is no proof of vectors; by meaning alone is.
    by_meaning = [_by(e, "vector") for e in kernel.trace.events]
    assert str(profile(by_meaning).cells["memory.format"]) == "natural language, embeddings"


def _by(event: Event, method: Any) -> Event:
    if not isinstance(event.call, Recall):
        return event
    return replace(event, call=replace(event.call, method=method))


async def test_sql_memory_and_a_changed_environment() -> None:
    kernel = little.kernel()
    agent = kernel.agent("db", tools=["change", "query"])
    await agent.use("change", sql="INSERT INTO stock VALUES ('plums', 34)")
    await agent.use("query", sql="SELECT amount FROM stock")
    found = profile(kernel.trace.events, writes=["change"])
    assert str(found.cells["memory.format"]) == "SQL database"
    assert str(found.cells["memory.scope"]) == "short-term"
    assert str(found.cells["action.impact"]) == "environment change"
    assert str(profile(kernel.trace.events).cells["action.impact"]) == "absent"


async def test_human_feedback_and_adapters() -> None:
    async def person(question: str) -> str:
        return "Use the long crate."

    worked = "Look at the crates.\nAnswer: 12"
    kernel = Kernel(Scripted(worked), human=person)
    agent = kernel.agent("a")
    await agent.ask("Which crate?", adapters=[("packer", 1.0)])
    said = await agent.ask_human("Which one?")
    await agent.ask(f"The user says: {said} Think again.")
    found = profile(kernel.trace.events)
    assert str(found.cells["planning.feedback"]) == "human"
    assert str(found.cells["profile.method"]) == "fine-tuned pluggable"
    assert str(found.cells["action.goal"]) == "task completion, communication"


async def test_a_repair_is_no_memory_and_no_plan() -> None:
    kernel = Kernel(Scripted(inorder("nonsense", '{"answer": 3}')))
    await kernel.agent("a").ask("?", output=int)
    cells = profile(kernel.trace.events).cells
    assert {line for line, cell in cells.items() if cell.values} == {
        "action.goal",
        "action.space",
    }


async def test_a_refusal_by_a_rule_and_by_the_access_of_the_kernel() -> None:
    kernel = little.kernel(drivers=guards(little.GUARDS))
    with pytest.raises(Denied, match="no codes"):
        await little.guarded(kernel, "What is the door code?")
    found = profile(kernel.trace.events)
    assert str(found.cells["security.safeguards"]) == "prompt"
    assert str(found.cells["security.goals"]) == "confidentiality"
    assert kernel.meter.calls == 0
    other = little.kernel(drivers=Memory(None, access=Access()).drivers)
    with pytest.raises(Denied):
        await other.agent("a").recall("?", bank="b")
    found = profile(other.trace.events)
    assert str(found.cells["security.safeguards"]) == "data privacy"


async def test_a_profile_survives_being_written_and_read() -> None:
    traces = await little.traces("guarded")
    again = [[decode_event(encode_event(e)) for e in trace] for trace in traces]
    assert profile(*again) == profile(*traces)


async def test_the_static_part_says_what_no_trace_shows() -> None:
    (trace,) = await little.traces("mad")
    found = profile(trace, source=mad)
    assert found.manifest is not None
    assert set(found.manifest.issues) == {"generate", "receive", "send"}
    line = found.manifest.issues["receive"][0]
    assert ".receive()" in inspect.getsource(mad).splitlines()[line - 1]
    assert found.manifest.unseen == ()
    started = [e for e in trace if e.kind == "generate"][:3]
    assert profile(started, source=mad).manifest.unseen == ("receive", "send")  # pyright: ignore
    # What the code could do fills no cell.
    assert str(profile(started, source=mad).cells["memory.scope"]) == "absent"
    with pytest.raises(BadInput, match="not Python"):
        profile(trace, source="def (")
    with pytest.raises(BadInput, match="none with a call"):
        profile([])


async def test_modules_that_show() -> None:
    (trace,) = await little.traces("react")
    assert profile(trace).modules == ("planning", "memory", "profile", "action")
