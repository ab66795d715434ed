"""Worlds: what agents act on. Stateful, made anew for every run, judged by code at the end.

A :class:`World` is reached through its tools alone, which are ordinary kernel tools: guards, limits
and traces see every move, and a system that can use tools can act in every world.
"""

from collegium.worlds.looking import Looking
from collegium.worlds.world import (
    Look,
    Moves,
    Restore,
    Snapshot,
    Snapshots,
    Visible,
    World,
    anew,
    drivers,
    opened,
)

__all__ = [
    "Look",
    "Looking",
    "Moves",
    "Restore",
    "Snapshot",
    "Snapshots",
    "Visible",
    "World",
    "anew",
    "drivers",
    "opened",
]
