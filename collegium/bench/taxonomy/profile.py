"""Profiles: what the catalog declares of a system, what a run shows of it, and where they differ.

A declared value comes with where it was read; an observed one with the events that show it. They
are read from different things and only then compared. A difference is a result, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from collegium.bench.taxonomy.messages import UNDETERMINED, messages_of
from collegium.bench.taxonomy.paradigm import paradigm_of
from collegium.bench.taxonomy.structure import (
    Seen,
    Structure,
    coordination_of,
    shape_of,
    stage_of,
    strategy_of,
    structure_of,
    unseen,
)
from collegium.catalog import CatalogDamaged, Paper, facets, paper, papers
from collegium.catalog.surveys import collaboration_survey
from collegium.errors import BadInput, unknown_name
from collegium.kernel import Event

APPLICATION = "application"
OUTSIDE = "outside the survey's three"
"""The application of a system whose domain is in none of them."""


class Claim(msgspec.Struct, frozen=True, omit_defaults=True):
    """A declared value, where it was read, and what speaks against it."""

    value: str
    source: str
    doubt: str = ""


class Profile(msgspec.Struct, frozen=True):
    """What is declared of a system.

    Attributes:
        name: The system.
        paper: Its slug in the catalog; "" for one that only the survey names.
        claims: By dimension; empty where the survey does not apply.
        apart: Why it does not apply ("" when it does).
    """

    name: str
    paper: str
    claims: dict[str, tuple[Claim, ...]]
    apart: str = ""

    def values(self, dimension: str) -> tuple[str, ...]:
        """The values on a dimension."""
        return tuple(c.value for c in self.claims.get(dimension, ()))


class Channel(msgspec.Struct, frozen=True):
    """Who is joined, in what relation, over what shape, by what strategy, in what form."""

    actors: tuple[str, ...]
    type: str
    structure: str
    strategy: str
    form: str = ""


class Compared(msgspec.Struct, frozen=True):
    """One dimension of a check.

    Attributes:
        dimension: Its name.
        declared: What is declared.
        observed: What the run shows.
        verdict: "agrees", "differs", "not declared" or "not observed".
        only_declared: Declared values that the run does not show.
        only_observed: Values that the run shows and nobody declared.
    """

    dimension: str
    declared: tuple[Claim, ...]
    observed: Seen
    verdict: str
    only_declared: tuple[str, ...] = ()
    only_observed: tuple[str, ...] = ()


def channel(
    actors: Sequence[str], type: str, structure: str, strategy: str, form: str = ""
) -> Channel:
    """Make a channel.

    Args:
        actors: At least two agents.
        type: How their aims relate.
        structure: The shape over which they talk.
        strategy: What decides how they behave.
        form: Of their messages.

    Raises:
        BadInput: There is one actor, or none, or one is named twice.
        UnknownName: A value is not on its closed list; the message holds the list.
    """
    if len(set(actors)) != len(actors) or len(actors) < 2:
        named = ", ".join(actors) or "nobody"
        raise BadInput(f"a channel joins at least two different actors, not {named}.")
    check_value("type", type)
    check_value("structure", structure)
    check_value("strategy", strategy)
    forms = [f.name for f in collaboration_survey().forms]
    if form and form not in forms:
        raise BadInput(f"{form!r} is no form; allowed: {', '.join(forms)}.")
    return Channel(tuple(actors), type, structure, strategy, form)


def check_value(dimension: str, value: str) -> str:
    """Return a value as the survey writes it.

    Raises:
        UnknownName: There is no such dimension.
        BadInput: The value is not on its closed list; the message holds the list.
    """
    allowed = collaboration_survey().allowed()
    if dimension not in allowed:
        raise unknown_name("dimension", dimension, allowed)
    plain = value.strip().lower().replace("_", "-").replace(" ", "-")
    if plain not in allowed[dimension]:
        plain = plain.replace("iz", "is")
    if plain not in allowed[dimension]:
        listed = ", ".join(allowed[dimension])
        raise BadInput(f"{value!r} is no value of {dimension}; allowed: {listed}.")
    return plain


def declared(slug: str) -> Profile:
    """What the catalog declares of a paper.

    Raises:
        UnknownName: There is no such paper.
        CatalogDamaged: A value has no source.
    """
    return _declared(paper(slug))


def _declared(entry: Paper) -> Profile:
    survey = collaboration_survey()
    with_facet = [d for d in survey.dimensions if d.facet]
    if not any(d.facet in entry.facets for d in with_facet):
        note = entry.facet_notes.get("population", "")
        return Profile(entry.name, entry.slug, {}, apart=note or "It describes no team.")
    claims: dict[str, tuple[Claim, ...]] = {}
    for d in with_facet:
        values = entry.facets.get(d.facet, ())
        if not values:
            raise CatalogDamaged(f"The catalog entry {entry.slug}.toml lacks facet {d.facet!r}.")
        claims[d.name] = tuple(
            Claim(v, _source(entry, d.facet, v), _doubt(entry.slug, d.name, v)) for v in values
        )
    # A domain in no application of the survey is listed as such, and not forced into one.
    fields = {survey.application_of(d): d for d in entry.facets["domain"]}
    claims[APPLICATION] = tuple(
        Claim(name or OUTSIDE, f"{_source(entry, 'domain', domain)}; domain {domain}")
        for name, domain in fields.items()
        if name or len(fields) == 1
    )
    return Profile(entry.name, entry.slug, claims)


def _source(entry: Paper, facet: str, value: str) -> str:
    source = entry.source_of(facet, value)
    if not source:
        raise CatalogDamaged(
            f"The catalog entry {entry.slug}.toml does not say where {facet} {value!r} was read."
        )
    return source


def _doubt(slug: str, dimension: str, value: str) -> str:
    """What the survey's own file says against a placement."""
    found = (
        p.doubt
        for p in collaboration_survey().placements
        if (p.paper, p.dimension, p.value) == (slug, dimension, value)
    )
    return next(found, "")


def profiles(wanted: Mapping[str, str] = {}) -> list[Profile]:
    """Every team of the catalog, and the systems that the survey places and the catalog lacks.

    Args:
        wanted: Keep only those with this value on each named dimension.

    Raises:
        UnknownName: There is no such dimension.
        BadInput: A dimension has no such value.
    """
    checked = {d: check_value(d, v) for d, v in wanted.items()}
    found = [p for p in map(_declared, papers()) if p.claims]
    others: dict[str, dict[str, tuple[Claim, ...]]] = {}
    for p in collaboration_survey().placements:
        if not p.paper:
            held = others.setdefault(p.system, {})
            claim = Claim(p.value, p.source, p.doubt)
            held[p.dimension] = (*held.get(p.dimension, ()), claim)
    found += [Profile(name, "", claims) for name, claims in others.items()]
    return [p for p in found if all(v in p.values(d) for d, v in checked.items())]


def find_profile(name: str) -> Profile:
    """A profile by slug or name.

    Raises:
        UnknownName: There is none.
    """
    known = {p.slug: p for p in papers()}
    if name in known:
        return _declared(known[name])
    by_name = {p.name.lower(): p for p in profiles()}
    if name.lower() not in by_name:
        raise unknown_name("system", name, {*known, *(p.name for p in profiles())})
    return by_name[name.lower()]


def nearest(name: str, most: int = 5) -> list[tuple[float, Profile]]:
    """The profiles that share most with one: shared values over all values of both.

    Raises:
        UnknownName: There is no such profile.
    """
    own = _pairs(find_profile(name))
    scored = []
    for other in profiles():
        theirs = _pairs(other)
        if other.name != find_profile(name).name and own & theirs:
            scored.append((len(own & theirs) / len(own | theirs), other))
    return sorted(scored, key=lambda pair: (-pair[0], pair[1].name))[:most]


def _pairs(profile: Profile) -> set[tuple[str, str]]:
    return {(d, c.value) for d, claims in profile.claims.items() for c in claims}


def observed(events: Iterable[Event], *others: Iterable[Event]) -> dict[str, Seen]:
    """What a run shows, by dimension.

    Args:
        events: The run.
        others: Further runs of the same system with the same settings.
    """
    ordered = list(events)
    label = paradigm_of(ordered)
    shown = tuple(sorted({i for m in label.marks for i in m.evidence} | {*label.acts}))
    return {
        "type": unseen("Calls show who talks, not what anybody aims at.", "aims"),
        "strategy": strategy_of(ordered),
        "structure": structure_of(ordered),
        "coordination": coordination_of(ordered, *others),
        "stage": stage_of(ordered),
        "paradigm": Seen(
            values=(label.label,), evidence=shown, why=label.why, missing=label.missing
        ),
    }


def check(slug: str, events: Iterable[Event], *others: Iterable[Event]) -> list[Compared]:
    """Hold what is declared of a paper against a run of its system.

    Args:
        slug: The paper.
        events: The run.
        others: Further runs of the same system with the same settings.

    Raises:
        UnknownName: There is no such paper.
    """
    entry = paper(slug)
    claims = dict(_declared(entry).claims)
    claims["paradigm"] = tuple(
        Claim(v, entry.source_of("paradigm", v) or "the catalog's reading")
        for v in entry.facets.get("paradigm", ())
    )
    return [_compared(d, claims.get(d, ()), seen) for d, seen in observed(events, *others).items()]


def _compared(dimension: str, claims: tuple[Claim, ...], seen: Seen) -> Compared:
    values = tuple(c.value for c in claims)
    if UNDETERMINED in seen.values:
        return Compared(dimension, claims, seen, "not observed")
    if not values:
        return Compared(dimension, claims, seen, "not declared", (), seen.values)
    lost = tuple(v for v in values if v not in seen.values)
    new = tuple(v for v in seen.values if v not in values)
    return Compared(dimension, claims, seen, "differs" if lost or new else "agrees", lost, new)


def channels_of(events: Iterable[Event]) -> tuple[Channel, ...]:
    """The channels of a run, one for each way in which texts travelled.

    Their type stays undetermined: aims cannot be seen.
    """
    ordered = list(events)
    messages = messages_of(ordered)
    strategy = strategy_of(ordered).values[0]
    found = []
    for way in dict.fromkeys(m.way for m in messages):
        part = [m for m in messages if m.way == way]
        shape: Structure = shape_of(part, part[0].sender)
        actors = tuple(dict.fromkeys(a for m in part for a in (m.sender, m.receiver)))
        found.append(Channel(actors, UNDETERMINED, shape.values[0], strategy, shape.form))
    return tuple(found)


def counts(rows: str, columns: str) -> dict[str, dict[str, int]]:
    """How many teams of the catalog have each pair of values; a zero is a gap.

    Raises:
        UnknownName: There is no such dimension.
    """
    allowed = collaboration_survey().allowed()
    for name in (rows, columns):
        if name not in allowed:
            raise unknown_name("dimension", name, allowed)
    teams = [p for p in profiles() if p.paper]
    return {
        r: {
            c: sum(r in p.values(rows) and c in p.values(columns) for p in teams)
            for c in allowed[columns]
        }
        for r in allowed[rows]
    }


def definition(dimension: str, value: str) -> str:
    """What a value means; "" for one that has no facet."""
    facet = collaboration_survey().dimension(dimension).facet
    return facets()[facet].values.get(value, "") if facet else ""
