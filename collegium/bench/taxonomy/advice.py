"""The smallest kind of system that is enough for a task, and the strategy it asks for.

Plain rules over words and features, each naming the row of the survey that decided. They read what
a task says, not what it means: a task that hides its needs gets the smaller answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from collegium.catalog.surveys import agentic_survey, collaboration_survey
from collegium.catalog.surveys.collaboration import Recommendation, Value
from collegium.errors import BadInput, unknown_name

LEAST_KINDS_OF_WORK = 3
"""So many kinds of work in one task are a goal of many sides."""

SCOPE = ("Scope", "scope")
"""The row that decides by the number of kinds of work, or when nothing asks for more."""


class Advice(msgspec.Struct, frozen=True):
    """Advice for a task.

    Attributes:
        paradigm: A value of the facet "paradigm".
        name: What the survey calls it.
        dimension: The row that decided.
        table: The table the row stands in.
        cell: What the row says of this paradigm.
        smaller: What it says of the next smaller one ("" for the smallest).
        because: What in the task decided.
        work: The kinds of work found, each with its word.
    """

    paradigm: str
    name: str
    dimension: str
    table: str
    cell: str
    smaller: str
    because: str
    work: dict[str, str]


class Recommended(msgspec.Struct, frozen=True):
    """What a feature asks for, and what the survey says for and against it."""

    feature: str
    value: str
    dimension: str
    choose: str
    trade_off: Value


def advise(task: str) -> Advice:
    """Advise on a task in words.

    Raises:
        BadInput: The task is empty.
    """
    text = f" {' '.join(task.lower().split())} "
    if not text.strip():
        raise BadInput("advice needs a task in words, such as 'prioritise my inbox'.")
    survey = agentic_survey()
    work = {w.name: word for w in survey.work if (word := _found(w.words, text))}
    for paradigm in ("agentic-ai", "ai-agent"):
        for sign in survey.signs:
            if sign.paradigm == paradigm and (word := _found(sign.words, text)):
                because = f"{sign.name} ({word!r})"
                return _advice(paradigm, sign.table, sign.dimension, because, work)
        if paradigm == "agentic-ai" and len(work) >= LEAST_KINDS_OF_WORK:
            because = f"{len(work)} kinds of work: {', '.join(work)}"
            return _advice(paradigm, *SCOPE, because, work)
    return _advice("generative-ai", *SCOPE, "nothing in the task asks for more", work)


def _advice(
    paradigm: str, table: str, dimension: str, because: str, work: dict[str, str]
) -> Advice:
    survey = agentic_survey()
    row, columns = survey.row(table, dimension), [c.id for c in survey.columns]
    column = survey.column(paradigm)
    place = columns.index(column)
    name = next(c.name for c in survey.columns if c.id == column)
    smaller = row.cell(columns[place - 1]) if place else ""
    return Advice(paradigm, name, dimension, table, row.cell(column), smaller, because, work)


def _found(words: tuple[str, ...], text: str) -> str:
    """The first word, as it stands in the text, that begins like one of these."""
    for word in words:
        if match := re.search(rf"\b{re.escape(word)}\w*", text):
            return match.group()
    return ""


def recommend(features: Mapping[str, str]) -> tuple[Recommended, ...]:
    """Recommend by features of a task.

    Args:
        features: Of "uncertainty", "procedure" and "roles", those that are known.

    Raises:
        BadInput: There are none.
        UnknownName: There is no such feature, or it has no such value.
    """
    survey = collaboration_survey()
    known = {r.feature: [] for r in survey.recommendations}
    for r in survey.recommendations:
        known[r.feature].append(r)
    if not features:
        listed = "; ".join(f"{f}: {', '.join(r.value for r in rs)}" for f, rs in known.items())
        raise BadInput(f"a recommendation needs at least one feature: {listed}.")
    found = []
    for feature, value in features.items():
        if feature not in known:
            raise unknown_name("feature", feature, known)
        chosen = {r.value: r for r in known[feature]}
        if value not in chosen:
            raise unknown_name(f"value of {feature}", value, chosen)
        found.append(_recommended(chosen[value]))
    return tuple(found)


def _recommended(rule: Recommendation) -> Recommended:
    said = collaboration_survey().dimension(rule.dimension).values[rule.choose]
    return Recommended(rule.feature, rule.value, rule.dimension, rule.choose, said)
