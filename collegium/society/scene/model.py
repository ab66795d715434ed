"""A scene as a simulator of its own: one agent per player, one step per turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collegium.errors import BadInput, unknown_name
from collegium.models import open_embedder
from collegium.society.engine import Model, Society
from collegium.society.network import Layer
from collegium.society.scene.script import Script
from collegium.society.scene.stage import (
    PLAYER_COLUMNS,
    Stage,
    cast,
    measure,
    player_columns,
    set_up,
    told,
)
from collegium.society.state import State, Table

if TYPE_CHECKING:
    from collegium.models import Embedder


def scene_state(script: Script) -> State:
    """A scene before its first turn.

    Args:
        script: The scene.
    """
    rows = np.arange(len(script.player), dtype=np.int32)
    state = State({"agent": Table(player_columns(script, rows))}, place_layers(script, len(rows)))
    set_up(state, script, rows)
    return state


def place_layers(script: Script, agents: int) -> dict[str, Layer]:
    """The places of a scene as layers without contacts: they open and close as layers do."""
    if len(script.stages) < 2:
        return {}
    return {place: empty_layer(agents) for place in script.stages}


def empty_layer(agents: int) -> Layer:
    """A layer in which nobody is in contact."""
    return Layer(np.zeros(agents + 1, np.int32), np.zeros(0, np.int32))


def scene_model(embedder: Embedder | None = None) -> Model:
    """The simulator ``scene``.

    Args:
        embedder: Turns memories into vectors; None: MiniLM.
    """
    return Model(
        name="scene",
        steps=(Stage(embedder or open_embedder("minilm")),),
        measure=measure,
        columns=tuple(PLAYER_COLUMNS),
        happenings=HAPPENINGS,
        newcomers=newcomers,
        leave=leave,
        describe=describe,
        over=over,
        told=told,
        seat=seat,
    )


def over(society: Society) -> bool:
    """Whether the Game Master ended the scene."""
    return society.state.values["scene"]["over"]


def announce(society: Society, text: str, place: str = "", to: str = "") -> None:
    """Something that players notice: all of them, those in a place, or one alone (a secret)."""
    state = society.state
    names, stages = state.texts["name"], state.texts["stage"]
    if not text.strip():
        raise BadInput("an announcement needs a text.")
    if to and to not in names:
        raise unknown_name("player", to, names)
    if place and place not in stages:
        raise unknown_name("place of the scene", place, stages)
    table = cast(state)
    queue = state.values["scene"]["queue"]
    for row, name in enumerate(names):
        there = not place or stages[table["place"][row]] == place
        if table["present"][row] and there and (not to or name == to):
            queue.setdefault(name, []).append(text)


def new_goal(society: Society, player: str, goal: str) -> None:
    """A player wants something else from now on."""
    names = society.state.texts["name"]
    if player not in names:
        raise unknown_name("player", player, names)
    society.state.texts["goal"][names.index(player)] = goal


HAPPENINGS = {"announce": announce, "goal": new_goal}


def newcomers(society: Society, rows: slice) -> None:
    """Players who join; they know nothing and are numbered."""
    state = society.state
    names = state.texts["name"]
    for row in range(rows.start, rows.stop):
        number = row + 1
        while f"Newcomer {number}" in names:
            number += 1
        names.append(f"Newcomer {number}")
        state.texts["goal"].append("")
        table = state.agents
        table["agent"][row], table["turns"][row], table["seated"][row] = row, 0, 0
        table["present"][row] = 1


def leave(society: Society, agent: int) -> None:
    """A player who leaves is asked nothing and notices nothing."""
    society.agents["present"][agent] = 0


def describe(society: Society, agent: int) -> str:
    """Who a player is, in words, for an interview."""
    texts = society.state.texts
    place = texts["stage"][society.agents["place"][agent]]
    goal = texts["goal"][agent]
    return (
        f"You are {texts['name'][agent]}. "
        + (f"You want this: {goal}. " if goal else "")
        + (f"You are in this place: {place}." if len(texts["stage"]) > 1 else "")
    )


def seat(society: Society, agent: int, taken: bool) -> str:
    """Let a person play a player, or no longer: the name of the call that the person answers."""
    society.agents["seated"][agent] = taken
    return f"{society.state.texts['name'][agent]}.act"
