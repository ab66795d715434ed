"""Recruitment of a panel, and who directs whom on it: step 2 of the system "mdagents" for an MDT.

The recruiter answers in typed form. What a model writes that keeps to no form is still read when
it has the paper's lines, "k. Role - expertise - Hierarchy: ...".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec

from collegium.kernel import Unparsed
from collegium.systems.mdagents.case import Case, listing
from collegium.tasks.answers import folded

SUBSTITUTE = "General practitioner"
"""Who sits on a panel when no expert could be read."""

_LINE = re.compile(
    r"^\s*(?P<number>\d+)\.\s+(?P<role>.+?)\s+-\s+(?P<expertise>.+?)"
    r"(?:\s+-\s+Hierarchy:\s*(?P<hierarchy>.*?))?\s*$"
)


class Member(msgspec.Struct, frozen=True):
    """An expert as the recruiter names it; ``hierarchy`` is as yet a text."""

    role: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 40})]
    expertise: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 80})]
    hierarchy: str = ""


class Place(msgspec.Struct, frozen=True):
    """Where an expert stands: on its own, or under, over or beside expert number ``other``."""

    kind: Literal["independent", "under", "over", "beside"] = "independent"
    other: int = 0


class Expert(msgspec.Struct, frozen=True):
    """An expert with its place."""

    role: str
    expertise: str
    place: Place = Place()


class Panel(msgspec.Struct, frozen=True):
    """Experts 1 to N, and what was wrong with how they were named."""

    experts: tuple[Expert, ...]
    warnings: tuple[str, ...] = ()

    @property
    def roster(self) -> str:
        """The panel as its members and the decision maker read it."""
        lines = [
            f"{k}. {e.role} ({e.expertise}{place_in_words(e.place, ', ')})"
            for k, e in enumerate(self.experts, 1)
        ]
        return "The panel:\n" + "\n".join(lines)


@lru_cache(maxsize=32)
def recruits_type(experts: int) -> Any:
    """So many members; models that a grammar binds name their colleagues by number."""
    numbers = range(1, experts + 1)
    signs = [f"{a} > {b}" for a in numbers for b in numbers if a != b]
    signs += [f"{a} == {b}" for a in numbers for b in numbers if a < b]
    forms = msgspec.Meta(extra_json_schema={"enum": ["Independent", *signs]})
    member = msgspec.defstruct(
        "Member", [("hierarchy", Annotated[str, forms], "")], bases=(Member,), frozen=True
    )
    return listing(member, experts, least=experts)


async def recruit(case: Case, experts: int) -> Panel:
    """Name the experts of a multidisciplinary team, one call.

    Args:
        case: The case.
        experts: N, how many are wanted.
    """
    reply = await case.staff("recruiter").ask(
        f"{case.task.text}\n\n"
        f"You recruit {experts} medical experts, each of another specialty, to discuss this "
        "question; do not answer it. Name for each\n"
        "role: which kind of doctor\n"
        "expertise: what this expert knows about the question, in at most 8 words\n"
        "hierarchy: 'Independent' in most cases; 'a > b' if expert number a of your list directs "
        "expert number b, 'a == b' if they are equals.",
        output=recruits_type(experts),
        temperature=0.0,
        max_tokens=64 + 64 * experts,
        images=case.images,
    )
    if isinstance(reply.data, Unparsed):
        members, warnings = parse_experts(reply.text, experts)
        if not members:
            warnings = [*warnings, "the recruiter's reply could not be read: general practitioners"]
            members = [Member(SUBSTITUTE, "all of medicine")] * experts
    else:
        members, warnings = reply.data, []
    panel = seat(members or [], experts)
    return Panel(panel.experts, (*warnings, *panel.warnings))


def parse_experts(text: str, experts: int) -> tuple[list[Member], list[str]]:
    """Read the paper's lines "k. Role - expertise - Hierarchy: ...".

    Args:
        text: What the recruiter wrote; lines of another form are passed over.
        experts: N; a number outside 1..N is ignored, and so is one that came before.

    Returns:
        The members in the order of their numbers, and what was ignored.
    """
    found: dict[int, Member] = {}
    warnings = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        number = int(match["number"])
        if number in found or not 1 <= number <= experts:
            warnings.append(f"expert number {number} ignored: outside 1..{experts} or named twice")
            continue
        found[number] = Member(match["role"], match["expertise"], match["hierarchy"] or "")
    return [found[k] for k in sorted(found)], warnings


def seat(members: Sequence[Member], experts: int) -> Panel:
    """Give the named experts their numbers and places; fewer than asked for will do.

    Args:
        members: As named; any beyond the N-th are left out.
        experts: N.
    """
    seated = [m for m in members if m.role.strip()][:experts]
    roles = [m.role for m in seated]
    placed, warnings = [], []
    for k, member in enumerate(seated, 1):
        place, warning = parse_hierarchy(member.hierarchy, k, roles)
        placed.append(Expert(member.role.strip(), member.expertise.strip(), place))
        if warning:
            warnings.append(warning)
    if len(seated) < experts:
        warnings.append(f"{experts} experts were asked for, {len(seated)} were named")
    return Panel(tuple(placed), tuple(warnings))


def parse_hierarchy(text: str, number: int, roles: Sequence[str]) -> tuple[Place, str]:
    """Read an expert's hierarchy: "Independent", "A > B" (A directs B) or "A == B".

    One side must be the expert itself and the other one a colleague, each by role or number.

    Args:
        text: The field; empty means independent.
        number: Whose it is, from 1.
        roles: The roles of the panel, in order.

    Returns:
        The place, and a warning ("" for none); what cannot be read is independent with a warning.
    """
    stated = folded(text)
    if stated in ("", "independent", "none"):
        return Place(), ""
    own = f"{number}. {roles[number - 1]}"
    for sign in ("==", ">"):
        left, found, right = (part.strip() for part in stated.partition(sign))
        if not found:
            continue
        for mine, theirs, kind in ((right, left, "under"), (left, right, "over")):
            if mine not in (str(number), folded(roles[number - 1])):
                continue
            other = _number_of(theirs, number, roles)
            if other is None:
                continue
            return Place("beside" if sign == "==" else kind, other), ""  # type: ignore[arg-type]
        return Place(), f"hierarchy {text!r} of {own} names no colleague: independent"
    return Place(), f"hierarchy {text!r} of {own} cannot be read: independent"


def _number_of(name: str, own: int, roles: Sequence[str]) -> int | None:
    """The number of a colleague named by number or role; None when there is none."""
    numbers = range(1, len(roles) + 1)
    return next((k for k in numbers if k != own and name in (str(k), folded(roles[k - 1]))), None)


def place_in_words(place: Place, before: str = "") -> str:
    """A place for a reader: "directed by 2"; nothing for an independent expert."""
    words = {"under": "directed by", "over": "directs", "beside": "equal to"}
    return f"{before}{words[place.kind]} {place.other}" if place.kind in words else ""


def experts_as_data(panel: Panel) -> list[dict[str, str]]:
    """The experts for the notes of a result."""
    return [
        {
            "role": e.role,
            "expertise": e.expertise,
            "hierarchy": place_in_words(e.place) or "independent",
        }
        for e in panel.experts
    ]
