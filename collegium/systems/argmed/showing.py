"""The Reasoner and what it shows: from a dialogue to decisions, labels, graph and record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec

from collegium.agents.argumentation import (
    Argument,
    Attack,
    Framework,
    Label,
    Reasoning,
    build_framework,
    draw_text,
    resolve,
)
from collegium.agents.argumentation_svg import draw_svg
from collegium.kernel import Kernel, Reply
from collegium.systems.argmed.schemes import Dialogue, Move, Stated
from collegium.systems.system import Result
from collegium.tasks.task import Task


class ArgumentGraph(msgspec.Struct, frozen=True):
    """The file ``argument-graph.json``: enough to change the framework and resolve it again."""

    framework: Framework
    labels: dict[str, Label]
    answer: str
    arguments: tuple[Stated, ...] = ()
    supports: tuple[tuple[str, Stated], ...] = ()
    dropped: tuple[Attack, ...] = ()
    dialogue: tuple[Move, ...] = ()


def conclude(
    task: Task,
    dialogue: Dialogue,
    replies: Sequence[Reply[Any]],
    chosen: tuple[Reply[Any], str] | None = None,
) -> Result:
    """The Reasoner: from the dialogue to decisions, sets, labels and the graph. No model call.

    Args:
        task: The question.
        dialogue: D, as far as it went.
        replies: The Generator's.
        chosen: What was chosen among several optional decisions; None takes the earliest.
    """
    framework, dropped = build_framework(
        (Argument(a.id, a.text, a.option) for a in dialogue.arguments), dialogue.attacks
    )
    found = resolve(framework)
    answer = chosen[1] if chosen else next(iter(found.optional), None)
    graph = ArgumentGraph(
        framework=framework,
        labels=found.labels,
        answer=answer or "",
        arguments=tuple(dialogue.arguments),
        supports=tuple(dialogue.supports),
        dropped=dropped,
        dialogue=tuple(dialogue.moves),
    )
    notes = {
        **_plain(found),
        "tie": "" if len(found.optional) < 2 else "model" if chosen else "earliest",
        "bound": dialogue.bound,
        "exchanges": dialogue.exchanges,
        "left": dialogue.left,
        "attacks": [list(pair) for pair in framework.attacks],
        "dropped": [list(pair) for pair in dropped],
        "arguments": _plain(dialogue.arguments),
        "supports": _plain(dialogue.supports),
        "dialogue": _plain(dialogue.moves),
        "record": record(dialogue),
    }
    picture = draw_svg(framework, found.labels)
    data = msgspec.json.format(msgspec.json.encode(graph)).decode()
    return Result(
        answer,
        (*replies, chosen[0]) if chosen else tuple(replies),
        notes,
        account(framework, found, dialogue, notes),
        {"argument-graph.svg": picture, "argument-graph.json": data},
    )


def _plain(value: Any) -> Any:
    """A value as JSON would give it back."""
    return msgspec.json.decode(msgspec.json.encode(value))


def record(dialogue: Dialogue) -> str:
    """The reasoning alone, without labels and answer: for somebody to foretell the decision."""
    lines = []
    merged = {s.id: f" (supports {a})" for a, s in dialogue.supports}
    stated = {a.id: a for a in [*dialogue.arguments, *(s for _, s in dialogue.supports)]}
    for move in dialogue.moves:
        if move.role == "generator":
            a = stated[move.argument]
            against = f" against {a.responds_to}" if a.responds_to else ""
            lines.append(f"{a.id} {a.scheme}{against}{merged.get(a.id, '')}: {a.text}")
        else:
            lines.append(f"  {move.argument} {move.cq} {move.verdict}: {move.reason}")
    return "\n".join(lines)


async def foretell(task: Task, kernel: Kernel, record: str) -> Any:
    """Decision predictability: what a reader takes the decision to be that sees only the record.

    Args:
        task: Gives the options; the question itself is not shown.
        kernel: Runs the call.
        record: Of a run, as its notes hold it.

    Returns:
        The option; :class:`Unparsed` when the reader names none.
    """
    options = [f"{k}. {v}" for k, v in zip(task.letters, task.choices, strict=True)]
    reply = await kernel.agent("reader").ask(
        f"This is the record of a clinical discussion.\n\n{record}\n\n"
        + ("\n".join(["Options:", *options, ""]) if options else "")
        + "Which decision did it come to?",
        output=cast(Any, Literal[task.letters] if options else str),
        temperature=0.0,
        max_tokens=48,
    )
    return reply.data


def account(
    framework: Framework, found: Reasoning, dialogue: Dialogue, notes: dict[str, Any]
) -> str:
    """The argument graph for a reader."""

    def sets(all_sets: Sequence[Sequence[str]]) -> str:
        return ", ".join("{" + ", ".join(s) + "}" for s in all_sets) or "none"

    ended = f"it ended with: {dialogue.bound}" if dialogue.bound else "it was cut short"
    lines = [
        f"Dialogue: {dialogue.exchanges} exchanges; {ended}.",
        "Argument graph (<- is attacked by):",
        draw_text(framework, found.labels),
        f"Attacks: {', '.join(f'{a} -> {b}' for a, b in framework.attacks) or 'none'}",
    ]
    if notes["dropped"]:
        gone = ", ".join(f"{a} -> {b}" for a, b in notes["dropped"])
        lines.append(f"Deleted attacks by decisions: {gone}")
    if found.abstained:
        lines.append("Optional decisions: none. No decision survives, so there is no answer.")
    else:
        lines.append(f"Optional decisions: {', '.join(found.optional)}")
    lines.append(f"Explanation sets: {sets(found.explanation_sets)}")
    for option, chain in found.why_not.items():
        lines.append(f"Why not {option}: {', '.join(chain) or 'it defeats itself'}")
    if notes["tie"] == "model":
        lines.append("Several decisions stand; the model chose among them.")
    elif notes["tie"]:
        lines.append("Several decisions stand; the answer is the one proposed first.")
    return "\n".join(lines)
