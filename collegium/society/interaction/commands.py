"""Directing in plain language: a sentence becomes one operation, or a question back.

The model fills in a form whose fields offer only what there is: the parameters, places, columns and
events of this very society. There is no field for code or for anything else. What comes out is
checked like any operation, held against what was said (:mod:`.grounding`), shown as a preview, and
carried out by whoever asked for it to be confirmed: nothing here ever changes a society.
"""

from __future__ import annotations

import inspect
import re
from functools import reduce
from operator import or_
from typing import Any, Literal, get_type_hints

import msgspec

from collegium.errors import BadInput
from collegium.kernel import Unparsed
from collegium.society.engine import Happening, Society
from collegium.society.interaction.grounding import first_line, unsaid
from collegium.society.operations import Operation, Remove, check

PROFILE = (
    "You translate one instruction about a running simulation into one form. "
    "Use the form 'unclear' for anything that the other forms do not cover exactly, for anything "
    "about files, programs or the computer, and for anything that is to be hidden."
)

FORMS = {
    "set": "a parameter of the whole simulation gets a value",
    "close": "a place is closed",
    "open": "a place is open, its contacts counting by a factor",
    "edit": "one agent, told by its number, gets a value in a column",
    "add": "so many new agents come",
    "remove": "one agent, told by its number, leaves",
    "unclear": "anything else",
}
"""What each form is for."""

INJECT = "inject "
"""Forms of events are called so, and then as the event is."""

UNCLEAR = "unclear"
"""The form for everything else."""

ATTEMPTS = 2
"""How often a sentence is read: a second time, when what was understood cannot be meant."""

SENSIBLE = 1000
"""Steps ahead of which nothing is planned."""


class Understood(msgspec.Struct, frozen=True):
    """A sentence that was understood.

    Attributes:
        at: The step before which it is to happen; that which comes next if none was said.
        operation: What.
        preview: What would change, in words.
    """

    at: int
    operation: Operation
    preview: str


class AskBack(msgspec.Struct, frozen=True):
    """A sentence that was not understood, or that asks for what cannot be done."""

    question: str


def form(society: Society) -> Any:
    """The type that a sentence is read as: one struct per operation, with the names there are."""
    model, state = society.model, society.state

    def struct(tag: str, *fields: tuple[str, Any] | tuple[str, Any, Any]) -> Any:
        when = ("at", int, -1)
        name = re.sub(r"\W", "_", f"Form_{tag}")
        return msgspec.defstruct(name, [*fields, when], tag_field="do", tag=tag, kw_only=True)

    def one_of(names: Any) -> Any:
        return Literal[tuple(sorted(names))]

    kinds: list[Any] = [struct(UNCLEAR, ("question", str))]
    if model.parameters:
        kinds.append(struct("set", ("parameter", one_of(model.parameters)), ("value", float)))
    if state.layers:
        kinds.append(struct("close", ("place", one_of(state.layers))))
        kinds.append(struct("open", ("place", one_of(state.layers)), ("factor", float, 1.0)))
    columns = one_of(state.agents)
    kinds.append(struct("edit", ("agent", int), ("column", columns), ("value", float)))
    if model.newcomers is not None:
        kinds.append(struct("add", ("count", int)))
    if model.leave is not None:
        kinds.append(struct("remove", ("agent", int)))
    for event, happening in model.happenings.items():
        kinds.append(struct(f"{INJECT}{event}", *arguments_of(happening)))
    return msgspec.defstruct("Command", [("form", reduce(or_, kinds))])


def arguments_of(happening: Happening) -> list[tuple[str, Any] | tuple[str, Any, Any]]:
    """What an event wants to know: name, type and, where it has one, default of each argument."""
    try:
        hints = get_type_hints(happening)
    except NameError:  # a type that is imported for type checkers alone
        hints = {}
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, one in list(inspect.signature(happening).parameters.items())[1:]:
        kind = hints.get(name, str)
        plain = one.default is inspect.Parameter.empty
        fields.append((name, kind) if plain else (name, kind, one.default))
    return fields


def forms_of(society: Society) -> dict[str, str]:
    """The forms there are for a society, and what each is for."""
    there = {
        "set": bool(society.model.parameters),
        "close": bool(society.state.layers),
        "open": bool(society.state.layers),
        "add": society.model.newcomers is not None,
        "remove": society.model.leave is not None,
    }
    events = {INJECT + name: first_line(h) for name, h in society.model.happenings.items()}
    return {name: what for name, what in FORMS.items() if there.get(name, True)} | events


async def understand(society: Society, sentence: str) -> Understood | AskBack:
    """Turn a sentence into an operation, without carrying it out.

    Args:
        society: What it is about.
        sentence: What a person said.

    Returns:
        What was understood, for a preview; or a question back.

    Raises:
        BadInput: The society has no language model.
    """
    agent = society.thinker("command", role="command", profile=PROFILE)
    facts = {
        "forms": forms_of(society),
        "parameters": {k: p.meaning for k, p in society.model.parameters.items()},
        "places": list(society.state.layers),
        "columns": list(society.agents),
        "agents": f"0 to {len(society.agents) - 1}",
        "next step": society.t,
    }
    question = (
        f"The simulation: {msgspec.json.encode(facts).decode()}\nThe instruction: {sentence}\n"
        "Fill in one form. 'at' is the step before which it is to happen, -1 for now."
    )
    found: Understood | AskBack = AskBack("I did not understand that; say it in other words.")
    for _ in range(ATTEMPTS):
        reply = await agent.ask(question, output=form(society), temperature=0.0, max_tokens=120)
        filled: Any = reply.data  # a type made for this society: unknown to a type checker
        if isinstance(filled, Unparsed):
            break
        found = read_form(society, filled.form, sentence)
        fields = msgspec.to_builtins(filled.form)
        if isinstance(found, Understood) or fields["do"] == UNCLEAR:
            break
        # what it holds cannot be done, or was not said: once more, knowing that
        question += f"\nNot {msgspec.json.encode(fields).decode()}: {found.question}"
    return found


def read_form(society: Society, filled: Any, sentence: str) -> Understood | AskBack:
    """What a filled-in form asks for, checked against the society and what was said."""
    fields = msgspec.to_builtins(filled)
    at = fields.pop("at", -1)
    if fields["do"] == UNCLEAR:
        return AskBack(fields["question"] or "What do you want to change?")
    if fields["do"].startswith(INJECT):
        event = fields.pop("do").removeprefix(INJECT)
        usual = {f[0]: f[2] for f in arguments_of(society.model.happenings[event]) if len(f) == 3}
        given = {k: v for k, v in fields.items() if k not in usual or v != usual[k]}
        fields = {"do": "inject", "event": event, "arguments": given}
    operation = msgspec.convert(fields, Operation)
    at = society.t if at < 0 else at
    if not society.t <= at <= society.t + SENSIBLE:
        return AskBack(f"Step {at} is out of reach; the next one is {society.t}. When?")
    try:
        check(society, operation)
    except BadInput as error:
        return AskBack(str(error))
    if question := unsaid(society, sentence, at, operation):
        return AskBack(question)
    return Understood(at, operation, preview(society, at, operation))


def preview(society: Society, at: int, operation: Operation) -> str:
    """What an operation would change, in words."""
    fields = msgspec.to_builtins(operation)
    now: Any = None
    if fields["do"] == "set":
        now = society.parameters[fields["parameter"]]
    elif fields["do"] in ("close", "open"):
        now = f"factor {society.state.layers[fields['place']].factor:g}"
    elif fields["do"] == "edit":
        now = society.agents[fields["column"]][fields["agent"]].tolist()
    elif isinstance(operation, Remove) and society.model.describe is not None:
        now = society.model.describe(society, operation.agent)
    what = ", ".join(f"{k} {v}" for k, v in fields.items() if k != "do")
    present = "" if now is None else f" (now: {now})"
    return f"before step {at}: {fields['do']} {what}{present}"


WORDS = {"close": ("close", "shut"), "open": ("open", "reopen"), "set": ("set", "change", "make")}


def keyword_match(society: Society, sentence: str) -> Operation | None:
    """The baseline that needs no model: a verb, a name, a number."""
    words = sentence.casefold().replace(",", " ").rstrip(".").split()
    numbers = [float(w) for w in words if w.replace(".", "", 1).isdigit()]
    layers = [name for name in society.state.layers if name in words]
    parameters = [p for p in society.model.parameters if p.casefold() in words]
    if layers and any(w in words for w in WORDS["close"]):
        return msgspec.convert({"do": "close", "place": layers[0]}, Operation)
    if layers and any(w in words for w in WORDS["open"]):
        return msgspec.convert({"do": "open", "place": layers[0]}, Operation)
    if parameters and numbers and any(w in words for w in WORDS["set"]):
        found = {"do": "set", "parameter": parameters[0], "value": numbers[0]}
        return msgspec.convert(found, Operation)
    return None
