"""How a specification and a transcript are put to a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from collegium.errors import BadInput
from collegium.guard.ltl.content import ToolInput, described
from collegium.guard.ltl.reading import Segment, judge, split
from collegium.guard.ltl.spec import Spec, State
from collegium.kernel import Message, ToolSpec


def instructions(spec: Spec, tools: Mapping[str, ToolSpec]) -> str:
    """What a model is told of a specification: marks, order, tools. It follows from the data.

    Args:
        spec: The specification.
        tools: Those that its states name.
    """
    lines = ["Work step by step. Each step is one line that begins with its mark:"]
    for state in spec.states:
        if state.source == "llm":
            wants = described(state.content)
            lines.append(f"{state.cue} {state.says}{': ' if state.says else ''}{wants}")
    for state in spec.states:
        if state.source == "env" and state.binding is not None:
            said = state.says or "the result of the tool"
            lines.append(f"{state.cue} {said}. You are given it; never write it yourself.")
    order = _order(spec)
    if order:
        lines.append("What follows what: " + "; ".join(order) + ".")
    used = [t for s in spec.states if isinstance(s.content, ToolInput) for t in s.content.schemas]
    if used:
        lines.append("Tools:")
        lines += [_tool(tools[name]) for name in dict.fromkeys(used) if name in tools]
    return "\n".join(lines)


def _order(spec: Spec) -> list[str]:
    """For each state after which the model goes on, what may come next."""
    automaton = spec.automaton
    follow: dict[str, dict[str, None]] = {}
    for q, row in enumerate(automaton.table):
        for letter, goal in zip(automaton.letters, row, strict=True):
            if letter in automaton.allowed(q):
                nexts = automaton.allowed(goal)
                follow.setdefault(letter, {}).update(dict.fromkeys(nexts))
                if automaton.accepting[goal]:
                    follow[letter]["the end"] = None
    cues = {s.name: s.cue for s in spec.states}
    return [
        f"after {cues[name]}: {' or '.join(cues.get(n, n) for n in nexts)}"
        for name, nexts in follow.items()
    ]


def _tool(tool: ToolSpec) -> str:
    properties = tool.parameters.get("properties", {})
    shown = {name: of.get("type", of.get("enum", "any")) for name, of in properties.items()}
    first = tool.description.partition("\n")[0]
    return f"- {tool.name} {json.dumps(shown, ensure_ascii=False)}: {first}"


def conversation(spec: Spec, segments: Sequence[Segment]) -> list[Message]:
    """A transcript as turns: the environment's segments are the user's, the model's its own.

    A segment that a later one replaces is left out.
    """
    gone: set[int] = set()
    for place, segment in enumerate(segments):
        other = spec.state(segment.state).replaces
        earlier = [i for i in range(place) if segments[i].state == other]
        gone.update(earlier[-1:])
    turns: list[Message] = []
    for place, segment in enumerate(segments):
        if place in gone:
            continue
        state = spec.state(segment.state)
        role = "user" if state.source == "env" else "assistant"
        text = f"{state.cue} {segment.text}".rstrip()
        if turns and turns[-1].role == role:
            turns[-1] = Message(role, f"{turns[-1].text}\n{text}")
        else:
            turns.append(Message(role, text))
    return turns


def example_turns(spec: Spec, examples: Sequence[str]) -> list[Message]:
    """Example transcripts as turns to put before a conversation.

    Raises:
        BadInput: One of them does not satisfy the specification; the message says where.
    """
    turns: list[Message] = []
    for number, example in enumerate(examples, 1):
        segments = split(spec, example)
        verdict = judge(spec, segments)
        if not verdict.ok:
            raise BadInput(f"example {number} does not satisfy {spec.name!r}: {verdict.problem}.")
        turns += conversation(spec, segments)
    return turns


def opened(turns: Sequence[Message], state: State | None) -> tuple[tuple[Message, ...], bool]:
    """Turns for a model that goes on with its own unfinished one: whether there is one is told.

    Args:
        turns: The conversation.
        state: The state whose cue is to stand already, if any.
    """
    *before, last = turns
    if last.role != "assistant":
        return (*turns, *([Message("assistant", state.cue)] if state else [])), state is not None
    text = f"{last.text}\n{state.cue if state else ''}"
    return (*before, Message("assistant", text)), True


def told(turns: Sequence[Message], request: str) -> tuple[Message, ...]:
    """Turns for a model that cannot go on with its own turn: the user says what comes next."""
    *before, last = turns
    if last.role == "user":
        return (*before, Message("user", f"{last.text}\n\n{request}"))
    return (*turns, Message("user", request))
