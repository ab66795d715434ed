"""Which whole strings a pattern is found in: the language of a search, without its anchors.

A pattern ``p`` is searched for, so the strings are ``Σ* p Σ*``, less what ``^`` and ``$`` pin. The
anchors may stand anywhere (``(^|,)a(,|$)``, ``(^a)*``), so a tree is turned into at most four
anchor-free languages, by what they ask of the place where they match: (nothing before it?, nothing
after it?). In a sequence AB, a B that asks for nothing before it leaves A the empty string alone,
and asks on behalf of AB; and the other way round for an A that asks for nothing after it.
"""

from __future__ import annotations

from collections.abc import Iterable

from collegium.guard.analysis.regex import (
    ANY,
    EMPTY,
    Alt,
    Anchor,
    Chars,
    Node,
    Repeat,
    Seq,
    Unsupported,
    parse,
)

MOST_COPIES = 8
"""How often a group with an anchor in it may be repeated by a count."""

Pins = tuple[bool, bool]
Pinned = dict[Pins, Node]
"""Anchor-free trees by what they ask for: nothing before them, nothing after them."""

_ALL = Repeat(ANY, 0, None)


def searched(pattern: str) -> Node:
    """The anchor-free tree of all strings that a pattern is found in.

    Args:
        pattern: Of the policy language.

    Raises:
        Unsupported: It has something that the analysis cannot express.
    """
    return _union(
        Seq((*(() if before else (_ALL,)), node, *(() if after else (_ALL,))))
        for (before, after), node in pinned(parse(pattern)).items()
    )


def pinned(node: Node) -> Pinned:
    """A tree without anchors, by what it asks of its place.

    Raises:
        Unsupported: A group with an anchor is repeated too often.
    """
    match node:
        case Chars():
            return {(False, False): node}
        case Anchor(where="start"):
            return {(True, False): EMPTY}
        case Anchor():
            return {(False, True): EMPTY}
        case Alt(options):
            return _merge(pair for option in options for pair in pinned(option).items())
        case Seq(parts):
            whole: Pinned = {(False, False): EMPTY}
            for part in parts:
                whole = _sequence(whole, pinned(part))
            return whole
        case Repeat(part, least, most):
            return _repeated(pinned(part), least, most)


def nullable(node: Node) -> bool:
    """Whether an anchor-free tree matches the empty string."""
    match node:
        case Chars() | Anchor():
            return False
        case Alt(options):
            return any(nullable(o) for o in options)
        case Seq(parts):
            return all(nullable(p) for p in parts)
        case Repeat(part, least):
            return least == 0 or nullable(part)


def _sequence(first: Pinned, second: Pinned) -> Pinned:
    found: list[tuple[Pins, Node]] = []
    for (before_a, after_a), a in first.items():
        for (before_b, after_b), b in second.items():
            if (before_b and not nullable(a)) or (after_a and not nullable(b)):
                continue
            left = EMPTY if before_b else a
            right = EMPTY if after_a else b
            both = _flat(left, right)
            found.append(((before_a or before_b, after_a or after_b), both))
    return _merge(found)


def _repeated(part: Pinned, least: int, most: int | None) -> Pinned:
    plain = part.get((False, False))
    anchored = {pins: node for pins, node in part.items() if pins != (False, False)}
    if not anchored:
        return {} if plain is None and least else {(False, False): _times(plain, least, most)}
    if least > MOST_COPIES or (most or 0) > MOST_COPIES:
        raise Unsupported("the analysis cannot express so many repetitions of an anchor")
    optional = _merge([*part.items(), ((False, False), EMPTY)])
    whole: Pinned = {(False, False): EMPTY}
    for _ in range(least):
        whole = _sequence(whole, part)
    if most is not None:
        for _ in range(most - least):
            whole = _sequence(whole, optional)
        return whole
    # Of the anchored turns of a loop, the last that asks for nothing before it and the first that
    # asks for nothing after it suffice: every other one has to be empty, and asks for no more.
    free: Pinned = {(False, False): _times(plain, 0, None)}
    once = _merge([*anchored.items(), ((False, False), EMPTY)])
    for step in (free, once, free, once, free):
        whole = _sequence(whole, step)
    return whole


def _times(node: Node | None, least: int, most: int | None) -> Node:
    return EMPTY if node is None else Repeat(node, least, most)


def _flat(left: Node, right: Node) -> Node:
    parts = [p for n in (left, right) for p in (n.parts if isinstance(n, Seq) else (n,))]
    return parts[0] if len(parts) == 1 else Seq(tuple(parts))


def _merge(pairs: Iterable[tuple[Pins, Node]]) -> Pinned:
    found: dict[Pins, list[Node]] = {}
    for pins, node in pairs:
        found.setdefault(pins, []).append(node)
    return {pins: _union(nodes) for pins, nodes in found.items()}


def _union(nodes: Iterable[Node]) -> Node:
    distinct = tuple(dict.fromkeys(nodes))
    return distinct[0] if len(distinct) == 1 else Alt(distinct)
