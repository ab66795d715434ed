"""Grammars in llama.cpp's GBNF notation, read and followed character by character.

The embedded engine follows a grammar itself. This is for everything around it: models made of
Python obey a grammar with it, texts are checked against one, and a text that was cut off is
brought to its shortest end.

What is read: rules ``name ::= ...`` with literals, character classes, ``.``, groups, alternatives
and the repetitions ``* + ? {m} {m,} {m,n}``. Rules must not be left-recursive.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from functools import cached_property, lru_cache
from typing import Any

import msgspec

from collegium.errors import BadInput

_ENDLESS = 1 << 30
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_WORD = re.compile(r"[A-Za-z][\w-]*")
_COUNT = re.compile(r"\{\s*(\d+)\s*(?:(,)\s*(\d*))?\s*\}")
_LIKELY = 'x0 a1A"{}[]:,.-_/\n'


class Characters(msgspec.Struct, frozen=True, eq=False):
    """One character of a class: of these ranges, or of none of them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def takes(self, character: str) -> bool:
        """Whether a character is of the class."""
        return any(a <= character <= b for a, b in self.ranges) != self.negated

    def example(self) -> str:
        """Some character of the class."""
        if not self.negated:
            return self.ranges[0][0]
        ordinary = (*_LIKELY, *map(chr, range(0x21, 0x2000)))
        return next(c for c in ordinary if self.takes(c))


class Reference(msgspec.Struct, frozen=True, eq=False):
    """What a rule stands for."""

    rule: str


class Many(msgspec.Struct, frozen=True, eq=False):
    """A node, from ``least`` to ``most`` times."""

    node: Node
    least: int
    most: int


class Alternatives(msgspec.Struct, frozen=True, eq=False):
    """One of several sequences of nodes."""

    options: tuple[tuple[Node, ...], ...]


Node = Characters | Reference | Many | Alternatives
Stack = tuple[Node, Any] | None
"""What is still to be matched: a node, and the stack below it."""


class Grammar:
    """A grammar, with ``root`` as its first rule.

    Args:
        text: The grammar.

    Raises:
        BadInput: It is not in the notation, or a rule is missing.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.rules = _parsed(text)
        self._rests: dict[tuple[Node, int, int], Many] = {}
        for name, rule in self.rules.items():
            for used in _references(rule):
                if used not in self.rules:
                    raise BadInput(f"the grammar's rule {name!r} uses {used!r}, which is missing.")
        if "root" not in self.rules:
            raise BadInput("a grammar needs a rule named root.")

    @property
    def start(self) -> tuple[Stack, ...]:
        """What may be matched before the first character."""
        return self._expanded(((Reference("root"), None),))

    def advance(self, stacks: tuple[Stack, ...], character: str) -> tuple[Stack, ...]:
        """What may be matched after one more character; empty when it is not allowed."""
        below: dict[Stack, None] = {}
        for stack in stacks:
            if stack and isinstance(stack[0], Characters) and stack[0].takes(character):
                below[stack[1]] = None
        return self._expanded(tuple(below))

    def after(self, text: str) -> tuple[Stack, ...]:
        """What may be matched after a text; empty when it is no beginning of an allowed one."""
        stacks = self.start
        for character in text:
            stacks = self.advance(stacks, character)
        return stacks

    def accepts(self, text: str) -> bool:
        """Whether a whole text is allowed."""
        return None in self.after(text)

    def prefix(self, text: str) -> str:
        """The longest beginning of a text that an allowed one may have."""
        stacks = self.start
        for place, character in enumerate(text):
            stacks = self.advance(stacks, character)
            if not stacks:
                return text[:place]
        return text

    def completion(self, text: str) -> str:
        """The shortest text that ends an allowed one; of several, the first in the grammar's order.

        Args:
            text: How it begins.

        Raises:
            BadInput: No allowed text begins so.
        """
        stacks = self.after(text)
        if not stacks:
            raise BadInput(f"no text that the grammar allows begins with {text!r}.")
        return min((self._shortest_end(s) for s in stacks), key=len)

    def next_character(self, text: str) -> str:
        """The next character, where the grammar leaves no choice; else ""."""
        stacks = self.after(text)
        single = {_only(s[0]) if s else "" for s in stacks}
        return single.pop() if len(single) == 1 else ""

    # -- matching -------------------------------------------------------------------------

    def _expanded(self, stacks: tuple[Stack, ...]) -> tuple[Stack, ...]:
        """Stacks that each begin with a character class or are at the end, in order."""
        done: dict[Stack, None] = {}
        seen: set[Stack] = set()

        def expand(stack: Stack) -> None:
            if stack in seen:
                return
            seen.add(stack)
            if stack is None:
                done[None] = None
                return
            node, below = stack
            match node:
                case Characters():
                    done[stack] = None
                case Reference(rule):
                    expand((self.rules[rule], below))
                case Alternatives(options):
                    for option in options:
                        expand(_pushed(option, below))
                case Many(inner, least, most):
                    if most:
                        rest = self._rest(inner, max(least - 1, 0), most - (most < _ENDLESS))
                        expand((inner, (rest, below) if rest.most else below))
                    if not least:
                        expand(below)

        for stack in stacks:
            expand(stack)
        return tuple(done)

    def _rest(self, inner: Node, least: int, most: int) -> Many:
        """A repetition; always the same object, so that equal stacks are found equal."""
        key = inner, least, most
        if key not in self._rests:
            self._rests[key] = Many(inner, least, most)
        return self._rests[key]

    # -- shortest texts -------------------------------------------------------------------

    @cached_property
    def _shortest(self) -> dict[str, str]:
        """By rule, the shortest text it allows (a fixed point from below)."""
        known: dict[str, str] = {}
        changed = True
        while changed:
            changed = False
            for name, rule in self.rules.items():
                text = _shortest(rule, known.get)
                if text is not None and (name not in known or len(text) < len(known[name])):
                    known[name] = text
                    changed = True
        return known

    def _shortest_end(self, stack: Stack) -> str:
        text = ""
        while stack is not None:
            text += _shortest(stack[0], self._shortest.get) or ""
            stack = stack[1]
        return text


@lru_cache(maxsize=64)
def grammar(text: str) -> Grammar:
    """A grammar, read once."""
    return Grammar(text)


async def obeyed(rules: Grammar, said: Callable[[str], Awaitable[str]], most: int = 20_000) -> str:
    """Follow a grammar as constrained decoding does, with a speaker in place of a model.

    Where the speaker would go on with what is not allowed, the text ends if it may; else it gets
    the next character of the shortest allowed end, and the speaker goes on from there.

    Args:
        rules: The grammar.
        said: From what was written so far to what the speaker would write next.
        most: Characters to write at most; then the shortest end follows.
    """
    text = ""
    while len(text) < most:
        before = len(text)
        text = rules.prefix(text + await said(text))
        if rules.accepts(text):
            return text
        while character := rules.next_character(text):
            text += character
        if rules.accepts(text):
            return text
        if len(text) == before:
            text += rules.completion(text)[0]
    return text + rules.completion(text)


def literal(text: str) -> str:
    """A text as the notation writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def _pushed(option: tuple[Node, ...], below: Stack) -> Stack:
    for node in reversed(option):
        below = (node, below)
    return below


def _only(node: Node) -> str:
    """The one character of a class; "" when it has several."""
    if isinstance(node, Characters) and not node.negated and len(node.ranges) == 1:
        first, last = node.ranges[0]
        return first if first == last else ""
    return ""


def _references(node: Node) -> Iterator[str]:
    match node:
        case Reference(rule):
            yield rule
        case Many(inner, _, _):
            yield from _references(inner)
        case Alternatives(options):
            for option in options:
                for part in option:
                    yield from _references(part)


def _shortest(node: Node, known: Callable[[str], str | None]) -> str | None:
    """The shortest text of a node; None while it is not known."""
    match node:
        case Characters():
            return node.example()
        case Reference(rule):
            return known(rule)
        case Many(inner, least, _):
            text = _shortest(inner, known) if least else ""
            return None if text is None else text * least
        case Alternatives(options):
            texts = []
            for option in options:
                parts = [_shortest(part, known) for part in option]
                if None not in parts:
                    texts.append("".join(p for p in parts if p))
            return min(texts, key=len, default=None)


# -- reading -------------------------------------------------------------------------------


def _parsed(text: str) -> dict[str, Node]:
    rules: dict[str, Node] = {}
    reader = _Reader(text)
    reader.blank(lines=True)
    while reader.at < len(text):
        name = reader.word()
        reader.blank()
        if not text.startswith("::=", reader.at):
            raise reader.wrong("expected ::=")
        reader.at += 3
        reader.blank(lines=True)
        rules[name] = reader.alternatives(lines=False)
        reader.blank(lines=True)
    return rules


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def wrong(self, what: str) -> BadInput:
        line = self.text.count("\n", 0, self.at) + 1
        return BadInput(f"line {line} of the grammar: {what}, not {self.text[self.at :][:12]!r}.")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def blank(self, *, lines: bool = False) -> None:
        """Skip white space and comments, within the line or beyond."""
        while (c := self.peek()) and (c in " \t" or c == "#" or (lines and c in "\r\n")):
            if c == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                self.at += 1

    def word(self) -> str:
        found = _WORD.match(self.text, self.at)
        if found is None:
            raise self.wrong("expected the name of a rule")
        self.at = found.end()
        return found[0]

    def alternatives(self, *, lines: bool) -> Alternatives:
        options = [self.option(lines=lines)]
        while self.peek() == "|":
            self.at += 1
            self.blank(lines=True)
            options.append(self.option(lines=lines))
        return Alternatives(tuple(options))

    def option(self, *, lines: bool) -> tuple[Node, ...]:
        nodes: list[Node] = []
        while (c := self.peek()) and c not in "|)\r\n":
            made = self.item(c)
            times = self.times()
            if times is None:
                nodes += made
            else:
                whole = made[0] if len(made) == 1 else Alternatives((tuple(made),))
                nodes.append(Many(whole, *times))
            self.blank(lines=lines)
        return tuple(nodes)

    def item(self, c: str) -> list[Node]:
        if c == '"':
            return self.quoted()
        self.at += 1
        if c == "[":
            return [self.characters()]
        if c == ".":
            return [Characters((), negated=True)]
        if c == "(":
            self.blank(lines=True)
            inner = self.alternatives(lines=True)
            if self.peek() != ")":
                raise self.wrong("expected )")
            self.at += 1
            return [inner]
        self.at -= 1
        return [Reference(self.word())]

    def quoted(self) -> list[Node]:
        self.at += 1
        made: list[Node] = []
        while self.peek() != '"':
            character = self.character()
            made.append(Characters(((character, character),)))
        self.at += 1
        return made or [Alternatives(((),))]

    def characters(self) -> Characters:
        negated = self.peek() == "^"
        self.at += negated
        ranges: list[tuple[str, str]] = []
        while self.peek() != "]":
            first = last = self.character()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] != "]":
                self.at += 1
                last = self.character()
            ranges.append((first, last))
        self.at += 1
        return Characters(tuple(ranges), negated)

    def character(self) -> str:
        c = self.peek()
        if not c:
            raise self.wrong("expected more")
        self.at += 1
        if c != "\\":
            return c
        c = self.peek()
        self.at += 1
        digits = {"x": 2, "u": 4, "U": 8}.get(c)
        if digits:
            code = self.text[self.at : self.at + digits]
            self.at += digits
            return chr(int(code, 16))
        return _ESCAPES.get(c, c)

    def times(self) -> tuple[int, int] | None:
        """How often the item before may come; None: once."""
        signs = {"*": (0, _ENDLESS), "+": (1, _ENDLESS), "?": (0, 1)}
        if self.peek() in signs and self.peek():
            self.at += 1
            return signs[self.text[self.at - 1]]
        if found := _COUNT.match(self.text, self.at):
            self.at = found.end()
            least = int(found[1])
            if not found[2]:
                return least, least
            return least, int(found[3]) if found[3] else _ENDLESS
        return None
