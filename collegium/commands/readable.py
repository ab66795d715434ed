"""Text from models as people read it: typed replies without their JSON, words never broken."""

from __future__ import annotations

import json
from typing import IO

from rich.cells import cell_len
from rich.console import Console

from collegium.commands.show import UNBROKEN, clean


class Readable:
    """Turns a reply that may be a JSON object into text, piece by piece as it is written.

    Every field of the object becomes ``name: value`` on a line of its own; nested values stay
    JSON. Whatever is no such object is passed on as it is.
    """

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""
        self._half = ""
        self._fields = 0
        self._depth = 0

    def feed(self, piece: str) -> str:
        """The text that a further piece of the reply adds."""
        return "".join(map(self._step, piece))

    def _step(self, c: str) -> str:
        if self._state == "plain":
            return c
        if self._state not in ("text", "name", "escape", "nested", "nested text") and c.isspace():
            return ""
        return getattr(self, f"_{self._state.replace(' ', '_')}")(c)

    def _start(self, c: str) -> str:
        self._state = "key" if c == "{" else "plain"
        return "" if c == "{" else c

    def _key(self, c: str) -> str:
        if c == '"':
            self._state, self._held = "name", ""
            return ""
        self._state = "end" if c == "}" else "plain"
        return "" if c == "}" else f"{{{c}" if not self._fields else c

    def _name(self, c: str) -> str:
        if c != '"':
            self._held += c
            return ""
        self._state = "colon"
        return ""

    def _colon(self, c: str) -> str:
        if c != ":":
            self._state = "plain"
            return f'{{"{self._held}"{c}'
        self._state = "value"
        self._fields += 1
        label = f"{self._held}: "
        return label if self._fields == 1 else f"\n{label}"

    def _value(self, c: str) -> str:
        if c in "{[":
            self._state, self._depth = "nested", 1
            return c
        self._state = "text" if c == '"' else "atom"
        return "" if c == '"' else c

    def _text(self, c: str) -> str:
        if c == "\\":
            self._state, self._held = "escape", "\\"
            return ""
        if c == '"':
            self._state = "after"
            return ""
        return c

    def _escape(self, c: str) -> str:
        self._held += c
        if self._held[1] == "u" and len(self._held) < 6:
            return ""
        self._state = "text"
        try:
            text = json.loads(f'"{self._half}{self._held}"')
        except ValueError:
            text = self._held
        if len(text) == 1 and 0xD800 <= ord(text) < 0xDC00:  # the first half of a pair
            self._half = self._held
            return ""
        self._half = ""
        return text

    def _atom(self, c: str) -> str:
        if c in ",}":
            return self._after(c)
        return c

    def _nested(self, c: str) -> str:
        if c == '"':
            self._state = "nested text"
        self._depth += (c in "{[") - (c in "}]")
        if self._depth == 0:
            self._state = "after"
        return c

    def _nested_text(self, c: str) -> str:
        if c == '"' and self._held != "\\":
            self._state = "nested"
        self._held = "" if self._held == "\\" else c
        return c

    def _after(self, c: str) -> str:
        self._state = {",": "key", "}": "end"}.get(c, "plain")
        return "" if c in ",}" else c

    def _end(self, c: str) -> str:
        self._state = "plain"
        return f"\n{c}"


def readable(text: str) -> str:
    """A whole reply as people read it."""
    return clean(Readable().feed(text)).strip()


class Lines:
    """Writes text as it comes, indented, broken between words where a terminal's line ends.

    Args:
        out: Where to write.
        indent: Blanks before every line.
    """

    def __init__(self, out: Console, indent: int = 2) -> None:
        self._file: IO[str] = out.file
        self._width = out.width if out.width < UNBROKEN else 0
        self._indent = " " * indent
        self._column = 0
        self._gap = self._word = ""

    def write(self, text: str) -> None:
        """Write a piece; its last word waits until it is known to be complete."""
        for c in clean(text):
            if c.isspace():
                self._place()
                if c == "\n":
                    self._break()
                elif self._column:
                    self._gap += " "
            else:
                self._word += c
        self._file.flush()

    def close(self) -> None:
        """Write what waits and end the line."""
        self._place()
        if self._column:
            self._break()
        self._file.flush()

    def _place(self) -> None:
        """Write the word in hand with the gap before it, on the next line if it does not fit."""
        word, self._word = self._word, ""
        if self._column and self._width:
            needed = self._column + len(self._gap) + cell_len(word)
            if word and needed > self._width:
                self._break()
        while word:
            if not self._column:
                self._gap = self._indent
            room = self._width - self._column - len(self._gap) if self._width else len(word)
            self._put(f"{self._gap}{word[:room]}")
            word, self._gap = word[room:], ""
            if word:
                self._break()

    def _put(self, text: str) -> None:
        self._file.write(text)
        self._column += cell_len(text)

    def _break(self) -> None:
        self._file.write("\n")
        self._column, self._gap = 0, ""
