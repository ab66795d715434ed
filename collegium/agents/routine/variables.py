"""The variable memory: long results stay out of the prompt and travel by reference."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from collegium.errors import BadInput, unknown_name

LONG = 400
"""Characters above which a result is kept under a key."""

LINE = 120
"""Characters at most of the line that stands for it."""

REFERENCE = r"VAR_[A-Za-z0-9_]+_[0-9]+(\.[A-Za-z0-9_]+|\[[0-9]+\])*"
"""A key, perhaps with a path into the value: ``VAR_list_employees_1[0].id``."""

_PARTS = re.compile(r"\.([A-Za-z0-9_]+)|\[([0-9]+)\]")
_MEANT = re.compile(r"VAR_\S*")


class Variables:
    """Values of one run by key. A value is never altered and never passes through the model.

    Args:
        long: Characters above which a result is kept here.
    """

    def __init__(self, long: int = LONG) -> None:
        self._long = long
        self._values: dict[str, Any] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._values)

    def take(self, tool: str, value: Any) -> tuple[str, str]:
        """Take a result in.

        Args:
            tool: The tool that gave it.
            value: The result.

        Returns:
            What the model is shown, and the key when it is kept under one ("": it is shown whole).
        """
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if len(text) <= self._long:
            return text, ""
        name = re.sub(r"\W", "_", tool)
        self._counts[name] = self._counts.get(name, 0) + 1
        key = f"VAR_{name}_{self._counts[name]}"
        self._values[key] = value
        line = f"{key} = {shape(value)}"
        return line if len(line) <= LINE else f"{line[: LINE - 3]}...", key

    def put(self, arguments: Any) -> Any:
        """Arguments with every key, or key and path, replaced by its value.

        Raises:
            BadInput: There is no such key, or its value has no such part.
        """
        if isinstance(arguments, dict):
            return {name: self.put(value) for name, value in arguments.items()}
        if isinstance(arguments, list):
            return [self.put(value) for value in arguments]
        if isinstance(arguments, str) and _MEANT.fullmatch(arguments):
            return self._value(arguments)
        return arguments

    def _value(self, reference: str) -> Any:
        key = re.split(r"[.\[]", reference, maxsplit=1)[0]
        if key not in self._values:
            raise unknown_name("variable", key, self._values)
        if not re.fullmatch(REFERENCE, reference):
            raise BadInput(f"{reference!r} is no reference; one is like {key}[0].id.")
        value = self._values[key]
        for match in _PARTS.finditer(reference, len(key)):
            name, index = match.groups()
            try:
                value = value[name] if name is not None else value[int(index)]
            except (KeyError, IndexError, TypeError):
                raise BadInput(
                    f"{reference!r}: there is no {match.group()!r} in {shape(value)}."
                ) from None
        return value


def shape(value: Any) -> str:
    """What a value is like, in one line."""
    match value:
        case list():
            kinds = {type(v).__name__ for v in value}
            if kinds == {"dict"}:
                names = list(dict.fromkeys(name for row in value for name in row))
                return f"list of {len(value)} objects: {', '.join(names)}"
            what = {"str": "texts", "int": "numbers", "float": "numbers"}
            kind = what.get(kinds.pop(), "values") if len(kinds) == 1 else "values"
            return f"list of {len(value)} {kind}"
        case dict():
            return f"object: {', '.join(value)}"
        case str():
            return f"text of {len(value)} characters"
        case _:
            return type(value).__name__
