"""The environment's side of a transcript: tool calls behind env states."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from collegium.guard.ltl.reading import Segment
from collegium.guard.ltl.spec import Spec, State
from collegium.kernel import Agent, ToolCall, answer_calls

MOST_OBSERVED = 2000
"""Characters of an observation that are kept."""

_EVIDENCE = re.compile(r"#E(\d+)")


class Work(msgspec.Struct, frozen=True):
    """A tool call to be made: the tool's name, and its input as it was written."""

    tool: str
    text: str


def pairs(spec: Spec, state: State, segments: Sequence[Segment]) -> tuple[Work, ...]:
    """The tool calls that an env state is to make now.

    Args:
        spec: The specification.
        state: An env state with a binding.
        segments: The transcript so far.
    """
    binding = state.binding
    if binding is None:
        return ()
    name, since, visits = binding.tool, 0, 0
    works: list[Work] = []
    for segment in segments:
        if segment.state == binding.action:
            name = segment.text
        elif segment.state == binding.input:
            works.append(Work(name, segment.text))
        elif segment.state == state.name:
            since = len(works)
            visits += 1
    match binding.works:
        case "last":
            return tuple(works[-1:])
        case "every":
            return tuple(works[since:])
        case "each":
            return tuple(works[visits : visits + 1])


async def observed(spec: Spec, state: State, segments: Sequence[Segment], agent: Agent) -> str:
    """Make the tool calls of an env state, side by side, and tell what came of them.

    A call that fails is told as an error, so that the agent can do better.

    Raises:
        LimitReached: A limit of the run is used up.
    """
    earlier = [s.text for s in segments if s.state == state.name]
    works = pairs(spec, state, segments)
    asked: list[tuple[int, ToolCall]] = []
    results = ["" for _ in works]
    for place, work in enumerate(works):
        arguments = _arguments(work, agent, earlier)
        if isinstance(arguments, str):
            results[place] = arguments
        else:
            asked.append((place, ToolCall(str(place), work.tool, arguments)))
    answers = await answer_calls(agent, [call for _, call in asked])
    for (place, _), answer in zip(asked, answers, strict=True):
        results[place] = answer.text
    if state.binding is None or state.binding.works != "every":
        return results[0] if results else "There was nothing to do."
    if not results:
        return "There was nothing to do."
    return "\n".join(
        f"{i}. {work.tool} {work.text}: {result}"
        for i, (work, result) in enumerate(zip(works, results, strict=True), 1)
    )


def _arguments(work: Work, agent: Agent, earlier: Sequence[str]) -> dict[str, Any] | str:
    """The arguments that an input stands for, or what is wrong with it.

    ``#E2`` inside a text stands for the second observation, for plans that are made before any.
    """
    try:
        value = json.loads(work.text)
    except ValueError:
        value = work.text
    if isinstance(value, dict):
        return {k: _filled(v, earlier) for k, v in value.items()}
    tool = agent.kernel.tools.get(work.tool)
    names = list(tool.spec.parameters.get("properties", {})) if tool is not None else []
    if tool is not None and len(names) != 1:
        return f"Error: the arguments of {work.tool} must be a JSON object."
    return {names[0] if names else "input": _filled(work.text, earlier)}


def _filled(value: Any, earlier: Sequence[str]) -> Any:
    if not isinstance(value, str):
        return value

    def evidence(found: re.Match[str]) -> str:
        place = int(found[1]) - 1
        return earlier[place] if 0 <= place < len(earlier) else found[0]

    return _EVIDENCE.sub(evidence, value)


def clipped(text: str) -> str:
    """An observation, cut when it is very long."""
    if len(text) <= MOST_OBSERVED:
        return text
    return f"{text[:MOST_OBSERVED]} ... ({len(text) - MOST_OBSERVED} more characters)"
