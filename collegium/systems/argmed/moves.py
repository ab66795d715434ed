"""The moves of a dialogue: what the Generator states, and how the Verifier judges it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec

from collegium.errors import LimitReached, ModelError
from collegium.kernel import Agent, Mail, Reply, Unparsed
from collegium.systems.argmed.schemes import (
    BELIEF_QUESTIONS,
    DECISION_QUESTIONS,
    FORMS,
    Dialogue,
    Form,
    Move,
    Premise,
    Question,
    Rejection,
    Stated,
    Verdict,
)
from collegium.tasks.answers import folded
from collegium.tasks.task import Task

NONE = "none"


class BadMove(ModelError):
    """A move of the dialogue that cannot be read, or that names an option that is not there.

    Attributes:
        role: Whose move: "generator", "verifier" or "decider".
        move: Which one.
    """

    def __init__(self, role: str, move: str, reason: str) -> None:
        super().__init__(
            f"the {role}'s move ({move}) could not be used: {reason}. "
            "Try another model or a higher max_tokens."
        )
        self.role, self.move = role, move


def options_of(task: Task) -> tuple[str, ...]:
    """The letters that may be decided for; empty: any text."""
    return task.letters if task.answer == "choice" else ()


def named(task: Task, option: str) -> str:
    """An option as texts name it: its letter and wording."""
    if task.answer != "choice":
        return option
    return f"{option} ({task.choices[task.letters.index(option)]})"


@lru_cache(maxsize=64)
def argument_type(
    premises: tuple[str, ...], options: tuple[str, ...] | None, option_first: bool
) -> Any:
    """The typed output of a Generator's move.

    Args:
        premises: Names of the fields.
        options: What may be decided for: a list, () for any text, None for a belief.
        option_first: Whether the decision comes before its premises. The opening reasons first; a
            rival is named first, or small models repeat the reasons for the option they leave.
    """
    fields: list[Any] = [(name, Premise) for name in premises]
    if options is not None:
        option = ("option", Literal[options] if options else Premise)
        fields.insert(0 if option_first else len(fields), option)
    return msgspec.defstruct("Argument", fields)


@lru_cache(maxsize=64)
def verdicts_type(questions: tuple[str, ...]) -> Any:
    """The typed output of the Verifier: a verdict on each critical question, in order."""
    return msgspec.defstruct("Verdicts", [(name, Verdict) for name in questions])


async def propose(
    generator: Agent,
    task: Task,
    dialogue: Dialogue,
    rejection: Rejection | None,
    settings: dict[str, Any],
) -> tuple[Reply[Any], Stated | None]:
    """The Generator's move: the opening, or the answer to a rejection, which attacks.

    Returns:
        Its reply and the new argument; None when it supports an option that is there already.

    Raises:
        BadMove: It cannot be read, or names an option that is not there.
    """
    target = rejection.argument if rejection else None
    name = rejection.question.opens if rejection else "decision"
    form = FORMS[name]
    allowed = allowed_options(task, name, target)
    heard = await generator.receive()
    reply = await generator.ask(
        generator_prompt(task, rejection, form, allowed, heard),
        output=argument_type(tuple(form.premises), allowed, name == "decision" and bool(target)),
        sources=[m.call for m in heard],
        **settings,
    )
    move = f"answer to {target.id} {rejection.question.id}" if target and rejection else "opening"
    premises = msgspec.to_builtins(read(reply, generator, move))
    option = premises.pop("option", "").strip()
    if allowed is not None and not option:
        raise BadMove(generator.name, move, "it decides for nothing")
    if name == "rebuttal" and target:
        option = "" if option.casefold() == NONE else option
        form = FORMS["counter"] if option else msgspec.structs.replace(form, scheme=target.scheme)
    # A free decision is the same whatever its case and spacing.
    option = next((o for o in dialogue.options if folded(o) == folded(option)), option)
    about = option or (target.about if target else "")
    stated = Stated(
        id=f"a{len(dialogue.arguments) + len(dialogue.supports) + 1}",
        kind=form.kind,
        scheme=form.scheme,
        premises=premises,
        text=form.says.format(
            **{k: v.strip().rstrip(".") for k, v in premises.items()},
            option=named(task, about),
            target=target.id if target else "",
        ),
        option=option,
        about=about,
        responds_to=target.id if target else "",
        via_cq=rejection.question.id if rejection else "",
    )
    dialogue.moves.append(Move("generator", stated.id))
    merged = next((a.id for a in dialogue.arguments if option and a.option == option), "")
    if target:
        dialogue.attacks.append((merged or stated.id, target.id))  # Definition 1
    if merged:
        dialogue.supports.append((merged, stated))
        return reply, None
    dialogue.arguments.append(stated)
    return reply, stated


def allowed_options(task: Task, form: str, target: Stated | None) -> tuple[str, ...] | None:
    """What the Generator may decide for: () is any text, None is no decision at all."""
    options = options_of(task)
    if form == "rebuttal":
        return (NONE, *options) if options else ()
    if FORMS[form].kind == "belief":
        return None
    return tuple(o for o in options if target is None or o != target.option)


def generator_prompt(
    task: Task,
    rejection: Rejection | None,
    form: Form,
    allowed: tuple[str, ...] | None,
    heard: Sequence[Mail],
) -> str:
    """The Generator's prompt: the case, what was rejected, and the form of its answer."""
    fields = [f"{name} ({what})" for name, what in form.premises.items()]
    target = rejection.argument if rejection else None
    parts = [task.text]
    if target is None or rejection is None:
        ask = "Argue for the best option."
    else:
        fault = f"{rejection.question.topic.replace('_', ' ')}: {' '.join(m.text for m in heard)}"
        said, ask = target.text, f"Put this fault as an argument against {target.id}."
        if form is FORMS["decision"]:  # the reasons for the old option would only be repeated
            said = f"{named(task, target.option)} is best."
            ask = f"Argue for a better option than {target.option}."
        parts.append(f"{target.id}: {said}\nFault of {target.id} ({fault})")
    if form is FORMS["rebuttal"]:
        fields.append(f"option (only if you argue for an option, else {NONE!r})")
    elif allowed is not None:
        letter = "option (its letter)" if allowed else "option (the decision, a few words)"
        fields.insert(len(fields) if target is None else 0, letter)
    parts.append(
        f"You are the Generator. {ask} Give, in at most ten words each: {'; '.join(fields)}."
    )
    return "\n\n".join(parts)


async def verify(
    verifier: Agent, task: Task, dialogue: Dialogue, stated: Stated, settings: dict[str, Any]
) -> list[Rejection]:
    """The Verifier's moves: every critical question of the argument's scheme, asked and answered.

    Returns:
        The rejections, in the order of the questions.

    Raises:
        BadMove: The verdicts cannot be read.
    """
    questions = questions_for(task, stated)
    heard = await verifier.receive()
    attacked = next((a for a in dialogue.arguments if a.id == stated.responds_to), None)
    about = named(task, stated.about)
    parts = [task.text]
    if attacked:
        parts.append(f"{attacked.id}: {attacked.text}")
    against = f" (against {attacked.id})" if attacked else ""
    parts.append(f"{stated.id}{against}: " + " ".join(m.text for m in heard))
    parts.append(
        f"You are the Verifier and doubt {stated.id}. Answer each question:\n"
        + "\n".join(f"{q.field}: {q.text.format(id=stated.id, option=about)}" for q in questions)
        + "\nFor each give the verdict (accept for yes, reject for no) and a reason of its own in "
        "at most eight words."
    )
    reply = await verifier.ask(
        "\n\n".join(parts),
        output=verdicts_type(tuple(q.field for q in questions)),
        sources=[m.call for m in heard],
        **settings,
    )
    verdicts = read(reply, verifier, f"verdicts on {stated.id}")
    rejected: list[Rejection] = []
    for q in questions:
        v: Verdict = getattr(verdicts, q.field)
        dialogue.moves.append(Move("verifier", stated.id, q.id, v.verdict, v.reason))
        if v.verdict == "reject":
            rejected.append(Rejection(stated, q, v.reason, (reply.call,)))
    return rejected


def questions_for(task: Task, stated: Stated) -> tuple[Question, ...]:
    """The critical questions of an argument; the last needs another option to be asked."""
    if stated.kind == "belief":
        return BELIEF_QUESTIONS
    return DECISION_QUESTIONS[:-1] if len(options_of(task)) == 1 else DECISION_QUESTIONS


def read(reply: Reply[Any], agent: Agent, move: str) -> Any:
    """What a reply says.

    Raises:
        BadMove: It could not be read, nor could its repair.
        LimitReached: It could not be read, and a limit left no room for a repair.
    """
    if not isinstance(reply.data, Unparsed):
        return reply.data
    for event in reversed(agent.kernel.trace.events):
        if event.id == reply.call and event.call.outcome != "fix":  # pyright: ignore
            raise LimitReached(f"a limit left no room to ask the {agent.name} again ({move}).")
    raise BadMove(agent.name, move, reply.data.reason)
