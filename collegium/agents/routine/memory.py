"""The procedure memory: the Routine for a query, found by meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from collegium.agents.routine.structs import Routine
from collegium.agents.routine.validate import problems
from collegium.kernel.calls import ToolSpec
from collegium.models.embeddings import Embedder

FLOOR = 0.35
"""Similarity below which no Routine is taken."""


class Match(msgspec.Struct, frozen=True):
    """A Routine and how like the query its name and description are (cosine)."""

    routine: Routine
    similarity: float


async def matches(query: str, routines: Sequence[Routine], embedder: Embedder) -> tuple[Match, ...]:
    """All Routines, the most similar first; equal ones in the order given.

    Args:
        query: The request.
        routines: What there is.
        embedder: Makes the vectors.
    """
    if not routines:
        return ()
    vectors = await embedder.embed([query, *(f"{r.name}. {r.description}" for r in routines)])
    similar = vectors[1:] @ vectors[0]
    found = [Match(r, float(s)) for r, s in zip(routines, similar, strict=True)]
    return tuple(sorted(found, key=lambda m: -m.similarity))


def usable(
    routines: Sequence[Routine], tools: Mapping[str, ToolSpec]
) -> tuple[tuple[Routine, ...], dict[str, str]]:
    """The Routines that fit the tools there are, and for each other one the first fault."""
    faults = {r.id: found[0] for r in routines if (found := problems(r, tools))}
    return tuple(r for r in routines if r.id not in faults), faults
