"""A scene whose state lies in a society: so it is saved, branched, directed and watched like one.

Players are rows of a table, their memories the society's, the log two tables and a list of texts.
A turn makes a :class:`Scene` from them, takes one step of it, and writes back what changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from collegium.errors import BadInput
from collegium.society.engine import Society
from collegium.society.scene.formative import form
from collegium.society.scene.ground import Inventory
from collegium.society.scene.master import RULES, Happened, Scene
from collegium.society.scene.memory import AssociativeMemory
from collegium.society.scene.player import player
from collegium.society.scene.script import Script
from collegium.society.state import Array, State, Table

if TYPE_CHECKING:
    from collegium.kernel import Kernel
    from collegium.models import Embedder

PLAYER_COLUMNS = {
    "agent": np.int32,
    "place": np.uint8,
    "turns": np.int32,
    "seated": np.uint8,
    "present": np.uint8,
}

HAPPENED_COLUMNS = {
    "turn": np.int32,
    "step": np.int32,
    "actor": np.int32,
    "place": np.uint8,
    "failed": np.uint8,
    "attempt": np.int32,
    "event": np.int32,
}

NOTICED_COLUMNS = {"line": np.int32, "player": np.int32}


def cast(state: State) -> Table:
    """The table of players: of its own inside a society, else the table of agents."""
    return state.tables.get("player", state.agents)


def script_of(state: State) -> Script:
    """The scene as its file described it."""
    return msgspec.convert(state.values["script"], Script)


def set_up(state: State, script: Script, agents: Array) -> None:
    """Put a scene's first state into a society's.

    Args:
        state: The society's; it has a table of players already.
        script: The scene.
        agents: The agent that plays each player.
    """
    texts, values = state.texts, state.values
    texts["name"], texts["stage"] = script.names, list(script.stages)
    texts["goal"], texts["said"] = [p.goal for p in script.player], []
    state.tables["happened"] = Table({k: np.zeros(0, v) for k, v in HAPPENED_COLUMNS.items()})
    state.tables["noticed"] = Table({k: np.zeros(0, v) for k, v in NOTICED_COLUMNS.items()})
    values["script"] = msgspec.to_builtins(script)
    memory = values.setdefault("memory", {})
    for part, agent in zip(script.player, agents.tolist(), strict=True):
        known = dict.fromkeys([*script.shared, *part.memories])
        memory.setdefault(str(agent), []).extend(known)
    held = {p.name: dict(p.holds) for p in script.player}
    values["scene"] = {
        "turn": 0,
        "queue": {n: [script.premise] if script.premise else [] for n in script.names},
        "own": [],
        "held": held if any(held.values()) else None,
        "repaired": 0,
        "over": False,
        "formed": script.formative == 0,
    }


def player_columns(script: Script, agents: Array) -> dict[str, Array]:
    """The rows of the players at first."""
    count = len(script.player)
    columns = {name: np.zeros(count, kind) for name, kind in PLAYER_COLUMNS.items()}
    columns["agent"][:] = agents
    columns["present"][:] = 1
    stages = script.stages
    columns["place"][:] = [stages.index(p.place) if p.place else 0 for p in script.player]
    return columns


def raised(society: Society, embedder: Embedder) -> Scene:
    """The scene as it stands.

    Args:
        society: Where its state lies; texts in its lists grow as the scene goes on.
        embedder: Turns memories into vectors.

    Raises:
        BadInput: The society has no language model.
    """
    kernel = kernel_of(society)
    state, kept = society.state, society.state.values["scene"]
    script, table, texts = script_of(state), cast(state), state.texts
    memory = state.values.setdefault("memory", {})
    players, places, absent = {}, {}, []
    for row, name in enumerate(texts["name"]):
        bank = memory.setdefault(str(int(table["agent"][row])), [])
        players[name] = player(
            name,
            kernel,
            AssociativeMemory(embedder, texts=bank),
            texts["goal"][row],
            seated=bool(table["seated"][row]),
        )
        places[name] = texts["stage"][table["place"][row]]
        kept["queue"].setdefault(name, [])
        if not table["present"][row]:
            absent.append(name)
    scene = Scene(
        kernel,
        players,
        AssociativeMemory(embedder, distinct=False, texts=kept["own"]),
        places=places,
        inventory=None if kept["held"] is None else Inventory(kept["held"]),
        chain=[RULES[name] for name in script.chain],
        batched=script.batched,
        together=script.together,
        closed=closed(state),
        absent=absent,
    )
    scene.known_places = tuple(texts["stage"])
    scene.queue, scene.step = kept["queue"], kept["turn"]
    scene.repaired, scene.over = kept["repaired"], kept["over"]
    return scene


def kernel_of(society: Society) -> Kernel:
    """What carries the questions of a scene.

    Raises:
        BadInput: There is none.
    """
    if society.kernel is None:
        raise BadInput("a scene is played by a language model, but none was given; name one.")
    return society.kernel


def closed(state: State) -> list[str]:
    """Places that are closed: a place is a layer without contacts, and closed as layers are."""
    return [p for p in state.texts["stage"] if p in state.layers and not state.layers[p].factor]


def written(society: Society, scene: Scene) -> None:
    """Write back what a turn changed."""
    state, kept = society.state, society.state.values["scene"]
    table, texts = cast(state), state.texts
    names, stages = texts["name"], texts["stage"]
    for row, name in enumerate(names):
        table["place"][row] = stages.index(scene.places[name])
    for happened in scene.log:
        _log(society, happened, stages.index(scene.places[happened.actor]))
    kept |= {"turn": scene.step, "queue": scene.queue, "own": scene.own.texts}
    kept |= {"repaired": scene.repaired, "over": scene.over}
    if scene.inventory is not None:
        kept["held"] = scene.inventory.held


def _log(society: Society, happened: Happened, place: int) -> None:
    state = society.state
    names, said = state.texts["name"], state.texts["said"]
    actor = names.index(happened.actor)
    state.tables["happened"].append(
        1, turn=happened.step, step=society.t, actor=actor, place=place,
        failed=happened.failed, attempt=len(said), event=len(said) + 1,
    )  # fmt: skip
    said += [happened.attempt, happened.event]
    rows = np.array([names.index(n) for n in happened.observers], np.int32)
    line = len(state.tables["happened"]) - 1
    state.tables["noticed"].append(len(rows), line=line, player=rows)
    cast(state)["turns"][actor] += 1


def log_of(state: State, since: int = 0) -> list[dict[str, Any]]:
    """What happened in a scene, line by line.

    Args:
        state: The society's.
        since: First line that is wanted.

    Returns:
        Of each line "turn", "step", "actor", "place", "failed", "attempt", "event", "observers".
    """
    if "happened" not in state.tables:
        return []
    table, noticed, texts = state.tables["happened"], state.tables["noticed"], state.texts
    lines = []
    for row in range(since, len(table)):
        line: dict[str, Any] = {name: table[name][row].item() for name in ("turn", "step")}
        who = noticed["player"][noticed["line"] == row]
        line |= {
            "actor": texts["name"][table["actor"][row]],
            "place": texts["stage"][table["place"][row]],
            "failed": bool(table["failed"][row]),
            "attempt": texts["said"][table["attempt"][row]],
            "event": texts["said"][table["event"][row]],
            "observers": [texts["name"][p] for p in who.tolist()],
        }
        lines.append(line)
    return lines


def told(society: Society) -> list[str]:
    """What happened in the step just taken, in words."""
    table = society.state.tables["happened"]
    rows = np.flatnonzero(table["step"] == society.t - 1)
    since = int(rows[0]) if len(rows) else len(table)
    many = len(society.state.texts["stage"]) > 1
    lines = []
    for line in log_of(society.state, since):
        where = f" [{line['place']}]" if many else ""
        lines.append(f"{line['turn'] + 1}.{where} {line['attempt']}")
        if line["event"] != line["attempt"]:
            lines.append(f"   {line['event']}")
    if society.state.values["scene"]["over"] and society.state.values["scene"].get("ended") == (
        society.t - 1
    ):
        lines.append("The scene is over.")
    return lines


class Stage:
    """The step of a society that takes turns of its scene.

    Args:
        embedder: Turns memories into vectors.
        turns: How many a step takes.
    """

    def __init__(self, embedder: Embedder, turns: int = 1) -> None:
        self.embedder, self.turns = embedder, turns

    async def __call__(self, society: Society) -> None:
        """Take turns until the step, or the scene, is over."""
        await form(society)
        for _ in range(self.turns):
            if society.state.values["scene"]["over"]:
                return
            empty_closed(society)
            scene = raised(society, self.embedder)
            await scene.advance()
            written(society, scene)
        if society.state.values["scene"]["over"]:
            society.state.values["scene"]["ended"] = society.t


def empty_closed(society: Society) -> None:
    """Send players out of places that were closed, and tell them.

    Raises:
        BadInput: Every place is closed.
    """
    state = society.state
    shut = closed(state)
    if not shut:
        return
    stages, table = state.texts["stage"], cast(state)
    left = [place for place in stages if place not in shut]
    if not left:
        raise BadInput("every place of the scene is closed; open one.")
    queue = state.values["scene"]["queue"]
    for row, name in enumerate(state.texts["name"]):
        place = stages[table["place"][row]]
        if place in shut:
            table["place"][row] = stages.index(left[0])
            queue.setdefault(name, []).append(f"The {place} is closed. {name} is now: {left[0]}.")


def measure(society: Society) -> dict[str, float]:
    """Turns taken, those that failed, how many noticed the latest, how many have acted."""
    state = society.state
    table, noticed = state.tables["happened"], state.tables["noticed"]
    last = len(table) - 1
    heard = int((noticed["line"] == last).sum()) if last >= 0 else 0
    queue = state.values["scene"]["queue"]
    return {
        "turns": float(state.values["scene"]["turn"]),
        "failed": float(table["failed"].sum(dtype=np.int64)),
        "noticed": float(heard),
        "players who acted": float((cast(state)["turns"] > 0).sum()),
        "news waiting": float(sum(map(len, queue.values()))),
        "repaired": float(state.values["scene"]["repaired"]),
    }
