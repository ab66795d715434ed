"""The form of a system, made from what it declares: parameters, types, choices, defaults, help."""

from __future__ import annotations

import inspect
import re
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from collegium.commands.show import pairs
from collegium.errors import BadInput
from collegium.guard import Policy
from collegium.guard.reading import parse_policy
from collegium.kernel import Limits
from collegium.models.weights import EMBEDDED
from collegium.studio.safe import Tag, area, tag
from collegium.studio.sessions import Asked
from collegium.studio.state import Studio
from collegium.systems.system import System
from collegium.tasks.task import AnswerKind, Item, Task

VALUE = "(event) => emit(event.target.value)"
CHECKED = "(event) => emit(event.target.checked)"

MOST_TASK = 200_000
"""Characters of a task."""

_ARGUMENT = re.compile(r"^    (\w+): (.*)$")


def help_of(system: System) -> dict[str, str]:
    """What a system's docstring says of each of its parameters."""
    text = inspect.getdoc(system.solve) or ""
    _, _, rest = text.partition("Args:\n")
    found: dict[str, str] = {}
    name = ""
    for line in rest.splitlines():
        if line and not line.startswith("    "):
            break
        if match := _ARGUMENT.match(line):
            name = match[1]
            found[name] = match[2]
        elif name:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return {k: v for k, v in found.items() if k in system.parameters}


class Form:
    """The fields of a run, and what stands in them.

    Args:
        studio: Gives the model, policy and limits that the form begins with.
        system: The system to be run.
        task: What the task field begins with.
    """

    def __init__(self, studio: Studio, system: System, task: str = "") -> None:
        self._studio, self.system = studio, system
        self._params: dict[str, Any] = {}
        self._held: dict[str, str] = {"task": task[:MOST_TASK], "model": studio.model}
        if studio.roles:
            self._held["roles"] = "\n".join(f"{r}={m}" for r, m in studio.roles.items())
        for name, value in (("tokens", studio.limits.tokens), ("seconds", studio.limits.seconds)):
            if value is not None:
                self._held[name] = f"{value:g}"

    # -- showing --------------------------------------------------------------------------

    def show(self) -> None:
        """Make the fields."""
        self._text("task", "Task", lines=4, placeholder="What is to be solved?", data_search="")
        with tag("div", cls="grid"):
            self._choice("answer", "Answer", list(get_args(AnswerKind)), "text")
            self._text("model", "Model", list_="models")
            with tag("datalist", id="models"):
                for name in EMBEDDED:
                    tag("option", value=name)
        self._text(
            "choices", "Choices", lines=2, hint="One a line, for a question with choices: A, B, …"
        )
        if self.system.parameters:
            helped = help_of(self.system)
            with tag("details", cls="filters", open=True):
                tag("summary", "Parameters")
                with tag("div", cls="grid"):
                    for name, (kind, default) in self.system.parameters.items():
                        self._parameter(name, kind, default, helped.get(name, ""))
        with tag("details", cls="filters"):
            tag("summary", "Budget, seed, policy, models of roles")
            with tag("div", cls="grid"):
                self._number("tokens", "Most tokens")
                self._number("calls", "Most calls")
                self._number("seconds", "Most seconds")
                self._number("money", "Most dollars")
                self._number("seed", "Seed", hint="Makes the run repeatable.")
                self._text("world", "World", hint="Act in a world instead, such as maze:3.")
            self._text("roles", "Models of roles", lines=2, hint="A line ROLE=MODEL for each.")
            standing = "The studio's own policy holds. " if self._studio.policy else ""
            self._text(
                "policy",
                "Policy",
                lines=3,
                hint=f"{standing}YAML, as the Guard page checks it; empty: nothing more.",
            )

    def _text(
        self, name: str, label: str, *, lines: int = 1, hint: str = "", **attributes: Any
    ) -> Tag:
        value = self._held.get(name, "")
        with tag("label", cls="field"):
            tag("span", label)
            if lines > 1:
                field = area(value, rows=lines, aria_label=label, **attributes)
            else:
                field = tag(
                    "input", cls="text", type="text", value=value, aria_label=label, **attributes
                )
            if hint:
                tag("span", hint, cls="hint")
        return self._heard(field, name)

    def _number(self, name: str, label: str, *, hint: str = "") -> None:
        with tag("label", cls="field"):
            tag("span", label)
            value = self._held.get(name, "")
            field = tag(
                "input",
                cls="text",
                inputmode="decimal",
                value=value,
                placeholder="any",
                aria_label=label,
            )
            if hint:
                tag("span", hint, cls="hint")
        self._heard(field, name)

    def _choice(self, name: str, label: str, values: list[str], first: str) -> None:
        with tag("label", cls="field"):
            tag("span", label)
            with tag("select", cls="text", aria_label=label) as field:
                for value in values:
                    tag("option", value, value=value, selected=(value == first) or None)
        self._heard(field, name)

    def _heard(self, field: Tag, name: str) -> Tag:
        def put(event: Any) -> None:
            self._held[name] = str(event.args)[:MOST_TASK]

        field.on("input", put, js_handler=VALUE)
        return field

    def _parameter(self, name: str, kind: Any, default: Any, said: str) -> None:
        if kind is bool:
            with tag("label", cls="field check"):
                with tag("span", cls="row-of"):
                    field = tag("input", type="checkbox", checked=bool(default) or None)
                    tag("span", name.replace("_", " "))
                if said:
                    tag("span", said, cls="hint")
            field.on("change", lambda e: self._set(name, bool(e.args)), js_handler=CHECKED)
            return
        label = name.replace("_", " ")
        with tag("label", cls="field"):
            tag("span", label)
            if get_origin(kind) is Literal:
                with tag("select", cls="text", aria_label=label) as field:
                    for value in get_args(kind):
                        chosen = (value == default) or None
                        tag("option", value, value=str(value), selected=chosen)
            elif _is_list(kind):
                field = area(_listed(default), rows=2, placeholder="one a line", aria_label=label)
            else:
                mode = "decimal" if _is_number(kind) else None
                field = tag(
                    "input",
                    cls="text",
                    inputmode=mode,
                    value="" if default is None else str(default),
                    placeholder="as the paper says" if default is None else None,
                    aria_label=label,
                )
            if said:
                tag("span", said, cls="hint")
        field.on("input", lambda e: self._set(name, str(e.args)), js_handler=VALUE)

    def _set(self, name: str, value: str | bool) -> None:
        self._params[name] = value

    # -- reading --------------------------------------------------------------------------

    def asked(self) -> Asked:
        """What the fields ask for.

        Raises:
            BadInput: A field is not what it must be; the sentence names it.
        """
        return Asked(
            system=self.system,
            params=self._parameters(),
            task=self._task(),
            model=self._one("model") or self._studio.model,
            roles=pairs(self._lines("roles"), "a role's model", "ROLE=MODEL"),
            limits=self._limits(),
            seed=self._whole("seed"),
            policy=self._policy(),
        )

    def _one(self, name: str) -> str:
        return self._held.get(name, "").strip()

    def _lines(self, name: str) -> list[str]:
        return [line.strip() for line in self._held.get(name, "").splitlines() if line.strip()]

    def _parameters(self) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for name, value in self._params.items():
            kind, default = self.system.parameters[name]
            if isinstance(value, str) and _is_list(kind):
                read[name] = _read_list(name, value)
            elif isinstance(value, str) and not value.strip():
                read[name] = "" if kind is str else default
            else:
                read[name] = value
        self.system.bind(read)
        return read

    def _task(self) -> Task | Item:
        text, world = self._one("task"), self._one("world")
        if world:
            from collegium.tasks.text_worlds import world_item

            if text:
                raise BadInput("a world has its own task; leave the task or the world empty.")
            return world_item(world)
        if not text:
            raise BadInput("the task is empty; write what is to be solved.")
        answer, choices = self._one("answer") or "text", self._lines("choices")
        if answer == "choice" and not choices:
            raise BadInput("an answer by choice needs the choices, one a line.")
        if len(choices) == 1 or len(choices) > 26:
            raise BadInput(f"a task needs 2 to 26 choices, not {len(choices)}.")
        kind: AnswerKind = "choice" if choices else msgspec.convert(answer, AnswerKind)
        return Task(id="task", prompt=text, answer=kind, choices=tuple(choices))

    def _limits(self) -> Limits:
        own = self._studio.limits
        asked = Limits(
            self._whole("tokens"),
            self._whole("calls"),
            self._real("seconds"),
            self._real("money"),
        )
        held = [getattr(asked, n) for n in Limits.__struct_fields__]
        most = [getattr(own, n) for n in Limits.__struct_fields__]
        least = [
            min((x for x in pair if x is not None), default=None)
            for pair in zip(held, most, strict=True)
        ]
        return Limits(*least)

    def _whole(self, name: str) -> int | None:
        return self._as(name, int, "a whole number")

    def _real(self, name: str) -> float | None:
        return self._as(name, float, "a number")

    def _as(self, name: str, kind: Any, what: str) -> Any:
        text = self._one(name).replace(",", "").replace("_", "")
        try:
            return msgspec.convert(text, kind, strict=False) if text else None
        except msgspec.ValidationError:
            raise BadInput(f"{name} must be {what}, not {text[:40]!r}.") from None

    def _policy(self) -> Policy | None:
        """The policy typed, or the studio's own; one cannot take the other's place."""
        text = self._held.get("policy", "")
        if not text.strip():
            return self._studio.policy
        if self._studio.policy is not None:
            raise BadInput(
                "the studio was started with a policy, which holds for all its runs; "
                "leave this one empty."
            )
        return parse_policy(text, "the policy")


def _is_number(kind: Any) -> bool:
    if get_origin(kind) in (Union, UnionType):
        return any(map(_is_number, get_args(kind)))
    return kind in (int, float)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (tuple, list)


def _listed(default: Any) -> str:
    items = [d if isinstance(d, str | int | float) else msgspec.to_builtins(d) for d in default]
    return "\n".join(
        str(i) if isinstance(i, str | int | float) else msgspec.json.encode(i).decode()
        for i in items
    )


def _read_list(name: str, text: str) -> list[Any]:
    """The lines of a field; a line in braces is JSON."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        return [msgspec.json.decode(s) if s.startswith("{") else s for s in lines]
    except msgspec.DecodeError as error:
        raise BadInput(f"parameter {name!r}: a line is not JSON: {error}.") from None
