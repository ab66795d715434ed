"""The procedure memory: the Routine for a query, found by meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from collegium.agents.routine.structs import Routine
from collegium.agents.routine.validate import problems
from collegium.kernel.calls import ToolSpec
from collegium.models.embeddings import Embedder

FLOOR = 0.35
"""Similarity below which no Routine is taken."""


class Match(msgspec.Struct, frozen=True):
    """A Routine and how like the query it is (cosine)."""

    routine: Routine
    similarity: float


async def matches(
    queries: Sequence[str], routines: Sequence[Routine], embedder: Embedder
) -> list[tuple[Match, ...]]:
    """All Routines for each query, the most similar first; equal ones in the order given.

    A Routine is as similar as the nearest of its name and the sentences of its description: a
    description says what people may ask for, each sentence another way.

    Args:
        queries: The requests.
        routines: What there is.
        embedder: Makes the vectors.
    """
    if not routines:
        return [() for _ in queries]
    said = [(i, text) for i, r in enumerate(routines) for text in (r.name, *sentences(r))]
    vectors = await embedder.embed([*queries, *(text for _, text in said)])
    found: list[tuple[Match, ...]] = []
    for query in vectors[: len(queries)]:
        best = [-1.0] * len(routines)
        for (i, _), vector in zip(said, vectors[len(queries) :], strict=True):
            best[i] = max(best[i], float(vector @ query))
        similar = [Match(r, s) for r, s in zip(routines, best, strict=True)]
        found.append(tuple(sorted(similar, key=lambda m: -m.similarity)))
    return found


def sentences(routine: Routine) -> list[str]:
    """The sentences of a description."""
    return [s for s in re.split(r"(?<=[.?!])\s+", routine.description) if s]


def usable(
    routines: Sequence[Routine], tools: Mapping[str, ToolSpec]
) -> tuple[tuple[Routine, ...], dict[str, str]]:
    """The Routines that fit the tools there are, and for each other one the first fault."""
    faults = {r.id: found[0] for r in routines if (found := problems(r, tools))}
    return tuple(r for r in routines if r.id not in faults), faults
