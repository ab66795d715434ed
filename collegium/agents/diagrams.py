"""Reads the two mermaid diagrams that design documents hold: class and sequence diagrams.

Only what a design needs is read: classes with their members, relations, participants, messages.
A line of another kind is kept under ``unread`` and does no harm, for models write many dialects.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable, Sequence

import msgspec

from collegium.errors import BadInput


class ClassBox(msgspec.Struct, frozen=True):
    """A class of a diagram: its name, and its members as written (visibility sign included)."""

    name: str
    attributes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


class Edge(msgspec.Struct, frozen=True):
    """A relation: ``source`` needs ``target``.

    Attributes:
        source: The class that needs the other.
        target: The class that is needed.
        kind: "inherits", "has" (composition, aggregation), "uses", or "linked" where neither end
            has an arrow: such a link says nothing about order.
        label: What is written after the colon.
    """

    source: str
    target: str
    kind: str = "uses"
    label: str = ""


class ClassDiagram(msgspec.Struct, frozen=True):
    """Classes in the order of their first mention, relations, and lines not understood."""

    classes: tuple[ClassBox, ...]
    edges: tuple[Edge, ...]
    unread: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(box.name for box in self.classes)


class Turn(msgspec.Struct, frozen=True):
    """A message of a sequence diagram, by the names of its participants."""

    source: str
    target: str
    text: str = ""
    answer: bool = False


class SequenceDiagram(msgspec.Struct, frozen=True):
    """Participants in order of their first mention, messages, and lines not understood."""

    participants: tuple[str, ...]
    turns: tuple[Turn, ...]
    unread: tuple[str, ...] = ()


_NAME = r"[^\W\d]\w*"
_GENERIC = r"(?:~[^~]*~)?"
_CLASS = re.compile(
    rf"class\s+(?P<name>{_NAME}){_GENERIC}\s*(?:\[[^\]]*\])?\s*(?::::?\s*\w+)?\s*(?P<open>\{{)?(?P<rest>.*)$"
)
_RELATION = re.compile(
    rf"(?P<left>{_NAME}){_GENERIC}\s*(?:\"[^\"]*\")?\s*"
    r"(?P<head><\||<|\*|o(?=[-.]))?(?P<line>--|\.\.)(?P<tail>\|>|>|\*|o(?=[\s\"]))?"
    rf"\s*(?:\"[^\"]*\")?\s*(?P<right>{_NAME}){_GENERIC}\s*(?::\s*(?P<label>.*))?$"
)
_MEMBER = re.compile(rf"(?P<name>{_NAME}){_GENERIC}\s*:\s*(?P<member>\S.*)$")
_PARTICIPANT = re.compile(
    r"(?:create\s+)?(?:participant|actor)\s+(?P<alias>\w+)(?:\s+as\s+(?P<name>.+))?$"
)
_TURN = re.compile(
    r"(?P<left>\w+)\s*(?P<arrow><?<?--?(?:>>|>|x|\)))\s*[+-]?\s*(?P<right>\w+)\s*(?::\s*(?P<text>.*))?$"
)
_BESIDE = (
    "direction",
    "note ",
    "style ",
    "classDef ",
    "cssClass ",
    "link ",
    "click ",
    "namespace ",
)
_BLOCKS = (
    "alt", "else", "opt", "loop", "end", "par", "and", "critical", "break", "rect", "note", "title",
    "activate", "deactivate", "autonumber", "box", "option", "destroy",
)  # fmt: skip
_KINDS = {"<|": "inherits", "|>": "inherits", "*": "has", "o": "has", "<": "uses", ">": "uses"}


def _lines(text: str, header: str) -> list[str]:
    """The lines of a diagram below its header, without comments, fences and blanks.

    Raises:
        BadInput: The header is missing.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    lines = [n for n in lines if n and not n.startswith(("%%", "```", "~~~"))]
    if not lines or not lines[0].startswith(header):
        raise BadInput(f"this is no mermaid {header}: its first line must be {header!r}.")
    return lines[1:]


def parse_class_diagram(text: str) -> ClassDiagram:
    """Read a mermaid ``classDiagram``.

    Args:
        text: The diagram, with or without a code fence.

    Raises:
        BadInput: It does not begin with ``classDiagram``.
    """
    members: dict[str, tuple[list[str], list[str]]] = {}
    edges: list[Edge] = []
    unread: list[str] = []

    def box(name: str) -> tuple[list[str], list[str]]:
        return members.setdefault(name, ([], []))

    def add(name: str, member: str) -> None:
        member = member.strip().rstrip(";")
        if member and not member.startswith("<<"):
            attributes, methods = box(name)
            (methods if "(" in member else attributes).append(member)

    inside = ""
    for line in _lines(text, "classDiagram"):
        if inside:
            before, closed, _ = line.partition("}")
            add(inside, before)
            inside = "" if closed else inside
        elif found := _CLASS.match(line):
            name, rest = found["name"], found["rest"]
            box(name)
            if found["open"]:
                body, closed, _ = rest.partition("}")
                for member in body.split(";"):
                    add(name, member)
                inside = "" if closed else name
        elif found := _RELATION.match(line):
            box(found["left"])
            box(found["right"])
            edges.append(_edge(found))
        elif found := _MEMBER.match(line):
            add(found["name"], found["member"])
        elif not line.startswith((*_BESIDE, "<<", "}")):
            unread.append(line)
    boxes = tuple(ClassBox(name, tuple(a), tuple(m)) for name, (a, m) in members.items())
    return ClassDiagram(boxes, tuple(edges), tuple(unread))


def _edge(found: re.Match[str]) -> Edge:
    """Which class needs which: an arrow points at what is needed, a diamond at the whole."""
    left, right = found["left"], found["right"]
    head, tail = found["head"] or "", found["tail"] or ""
    label = (found["label"] or "").strip()
    if head in ("*", "o"):  # whole *-- part
        return Edge(left, right, "has", label)
    if tail in ("*", "o"):
        return Edge(right, left, "has", label)
    if tail:
        return Edge(left, right, _KINDS[tail], label)
    if head:
        return Edge(right, left, _KINDS[head], label)
    return Edge(left, right, "linked", label)


def topological_order(diagram: ClassDiagram) -> tuple[str, ...]:
    """The classes, each after all that it needs; a class that needs itself is no cycle.

    Raises:
        BadInput: Classes need each other in a circle, which is named.
    """
    needed: dict[str, list[str]] = {name: [] for name in diagram.names}
    for edge in diagram.edges:
        if edge.kind != "linked" and edge.source != edge.target:
            needed[edge.source].append(edge.target)
    try:
        return tuple(graphlib.TopologicalSorter(needed).static_order())
    except graphlib.CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise BadInput(f"the classes need each other in a circle: {circle}.") from None


def class_diagram(boxes: Iterable[ClassBox], edges: Sequence[Edge] = ()) -> str:
    """Write a mermaid ``classDiagram``; reading it gives the same classes and relations."""
    arrows = {"inherits": "--|>", "has": "*--", "uses": "-->", "linked": "--"}
    lines = ["classDiagram"]
    for box in boxes:
        lines.append(f"    class {box.name} {{")
        lines += [f"        {member}" for member in (*box.attributes, *box.methods)]
        lines.append("    }")
    for edge in edges:
        label = f" : {edge.label}" if edge.label else ""
        lines.append(f"    {edge.source} {arrows[edge.kind]} {edge.target}{label}")
    return "\n".join(lines)


def parse_sequence_diagram(text: str) -> SequenceDiagram:
    """Read a mermaid ``sequenceDiagram``.

    Args:
        text: The diagram, with or without a code fence.

    Raises:
        BadInput: It does not begin with ``sequenceDiagram``.
    """
    names: dict[str, str] = {}
    turns: list[Turn] = []
    unread: list[str] = []
    for line in _lines(text, "sequenceDiagram"):
        if found := _PARTICIPANT.match(line):
            names[found["alias"]] = (found["name"] or found["alias"]).strip()
        elif found := _TURN.match(line):
            source = names.setdefault(found["left"], found["left"])
            target = names.setdefault(found["right"], found["right"])
            answer = found["arrow"].startswith("--")
            turns.append(Turn(source, target, (found["text"] or "").strip(), answer))
        elif line.split(maxsplit=1)[0].rstrip(":").lower() not in _BLOCKS:
            unread.append(line)
    return SequenceDiagram(tuple(names.values()), tuple(turns), tuple(unread))


__all__ = [
    "ClassBox",
    "ClassDiagram",
    "Edge",
    "SequenceDiagram",
    "Turn",
    "class_diagram",
    "parse_class_diagram",
    "parse_sequence_diagram",
    "topological_order",
]
