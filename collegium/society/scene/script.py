"""Scenes in files: who plays, where, what they know, and what a step of it asks.

```toml
title = "The last loaf"
premise = "It is closing time at the bakery, and one loaf is left."
places = ["shop", "street"]
chain = ["success", "effect", "transfer", "movement"]

[[player]]
name = "Ann"
goal = "to take the loaf home"
place = "shop"
memories = ["Ann has three children."]
holds = { coin = 5 }
```
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.society.scene.master import RULES

HERE = "here"
"""Where everybody is in a scene that names no places."""


class PlayerPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A player as a file describes it.

    Attributes:
        name: Its name.
        goal: What it wants.
        traits: What kind of person it is; goes into formative memories.
        place: Where it is at first; "" is the first place.
        memories: What it alone remembers at first.
        holds: How many of what it has.
        agent: In a society: the agent that plays it; -1 draws one by lot.
    """

    name: str
    goal: str = ""
    traits: str = ""
    place: str = ""
    memories: tuple[str, ...] = ()
    holds: dict[str, int] = {}
    agent: int = -1


class Inside(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a scene goes on inside a society.

    Attributes:
        start: Step of the society before which nothing happens in the scene.
        every: Steps of the society from one meeting to the next.
        turns: Turns of the scene in a meeting.
        news: Whether players learn at a meeting how things stand in the society.
        voice: Whether what happens is told in public by the agent who did it, where a society has
            a public (a post on a platform).
        decide: Whether players are asked after a meeting what they will do in the society until
            the next (stay at home, go to work).
    """

    start: int = 0
    every: int = 1
    turns: int = 1
    news: bool = True
    voice: bool = True
    decide: bool = True


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scene as a file describes it.

    Attributes:
        player: Those who play.
        title: One line.
        premise: What everybody knows at first.
        places: Where players can be; none: all are in one place.
        shared: Memories that all players have.
        formative: Episodes of each player's past that are invented before the scene begins.
        chain: The questions that resolve an attempt, by name and in order.
        batched: Whether players with the same news are told in one call.
        together: Whether everybody acts in every turn, not knowing what the others do.
        inside: How it goes on inside a society.
    """

    player: tuple[PlayerPart, ...]
    title: str = ""
    premise: str = ""
    places: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    formative: int = 0
    chain: tuple[str, ...] = ("success", "effect")
    batched: bool = True
    together: bool = False
    inside: Inside = Inside()

    @property
    def names(self) -> list[str]:
        """The names of the players."""
        return [p.name for p in self.player]

    @property
    def stages(self) -> tuple[str, ...]:
        """The places there are."""
        return self.places or (HERE,)


def read_script(file: Path) -> Script:
    """Read a scene from a TOML or JSON file.

    Raises:
        BadInput: The file cannot be read, or is not what it must be.
        UnknownName: A question of the chain, or the place of a player, does not exist.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read the scene {file}: {error.strerror}.") from None
    decode = msgspec.json.decode if file.suffix == ".json" else msgspec.toml.decode
    try:
        script = decode(data, type=Script)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{file} is not a scene: {error}.") from None
    check_script(script, str(file))
    return script


def check_script(script: Script, where: str) -> None:
    """Make sure that a scene can be played.

    Args:
        script: The scene.
        where: What to call it in errors.

    Raises:
        BadInput: It has no players, two of one name, or a number is out of range.
        UnknownName: A question of the chain, or the place of a player, does not exist.
    """
    if not script.player:
        raise BadInput(f"{where} has no players; write [[player]] with a name.")
    _distinct(script.names, "player", where)
    _distinct(script.stages, "place", where)
    for part in script.player:
        if not part.name.strip() or "@" in part.name or "." in part.name:
            raise BadInput(f"{where}: a player's name is a text without . or @, not {part.name!r}.")
        if part.place and part.place not in script.stages:
            raise unknown_name(f"place of {part.name} in {where}", part.place, script.stages)
        if any(count < 0 for count in part.holds.values()):
            raise BadInput(f"{where}: {part.name} cannot have fewer than none of a thing.")
    for rule in script.chain:
        if rule not in RULES:
            raise unknown_name(f"question of the chain in {where}", rule, RULES)
    inside = script.inside
    if not 0 <= script.formative <= 20:
        raise BadInput(f"{where}: 0 to 20 formative episodes a player, not {script.formative}.")
    if inside.every < 1 or inside.turns < 1 or inside.start < 0:
        raise BadInput(f"{where}: [inside] needs start 0 or more, every and turns 1 or more.")


def _distinct(names: Sequence[str], what: str, where: str) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise BadInput(f"{where} has two {what}s called {name!r}; give each a name of its own.")
