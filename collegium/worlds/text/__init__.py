"""Text worlds: games in words behind one interface, each with splits, floors and a judge.

A world is one file here. It names its kinds in ``KINDS`` (:class:`Kind`): how many tasks each split
has and how the game of a task is made. A :class:`Game` says what is to be seen at first, makes
moves and judges its own state; a whole :class:`~collegium.worlds.world.World` of typed tools will
do as well. Benchmarks, ``run --world``, the HTTP server and the adapters follow from that.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from collegium.errors import unknown_name
from collegium.worlds.play import Playable
from collegium.worlds.text.kind import Game, Kind, Saved, Split, Stateful, TextWorld, mixed, part

_SHARED = {"kind"}


@cache
def kinds() -> dict[str, Kind]:
    """All kinds of text worlds by name; what a kind needs to be played is not looked for."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _SHARED:
            made = importlib.import_module(f"{__name__}.{module.name}")
            found |= {kind.name: kind for kind in made.KINDS}
    return dict(sorted(found.items()))


def kind(name: str) -> Kind:
    """A kind by name.

    Raises:
        UnknownName: There is no such kind.
    """
    known = kinds()
    if name not in known:
        raise unknown_name("text world", name, known)
    return known[name]


def text_world(name: str, split: str = "test", number: int = 0) -> Playable:
    """The world of a task.

    Args:
        name: Of its kind.
        split: "train", "validation" or "test".
        number: The task, from 0.

    Raises:
        BadInput: There is no such kind or task, or something it needs is missing.
    """
    return kind(name).world(split, number)


__all__ = [
    "Game",
    "Kind",
    "Saved",
    "Split",
    "Stateful",
    "TextWorld",
    "kind",
    "kinds",
    "mixed",
    "part",
    "text_world",
]
