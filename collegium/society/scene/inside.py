"""Scenes inside a society: some of its agents meet, and what comes of it acts on all others.

A meeting takes turns of a Concordia scene within a step of the society. Before it, the agents who
play learn how things stand (the week's cases, the posts of those they follow). After it, what they
remember of the scene stays with them; what happened is told in public where there is a public, as
a post that the platform shows to others; and each is asked what it will do until the next meeting,
which then holds for its column of actions. Agents outside the scene go on by archetypes or rules,
so a handful of people talk in words inside a society of a million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from collegium.errors import BadInput
from collegium.kernel import gather
from collegium.models import open_embedder
from collegium.society.chance import uniforms
from collegium.society.engine import Model, Society
from collegium.society.scene import model as alone
from collegium.society.scene.document import Document
from collegium.society.scene.player import RECENT
from collegium.society.scene.script import Script
from collegium.society.scene.stage import (
    Stage,
    cast,
    kernel_of,
    log_of,
    measure,
    player_columns,
    script_of,
    set_up,
    told,
)
from collegium.society.state import Array, State, Table

if TYPE_CHECKING:
    from collegium.models import Embedder


def put_inside(state: State, script: Script, *, seed: int) -> None:
    """Put a scene into the state of a society, before its first step.

    Args:
        state: The society's.
        script: The scene; players without an agent get one by lot.
        seed: Draws them.

    Raises:
        BadInput: A player's agent is not there or plays twice, there are fewer agents than
            players, or a place has the name of a layer.
    """
    agents = players_of(state, script, seed)
    places = alone.place_layers(script, len(state.agents))
    for place in places:
        if place in state.layers:
            raise BadInput(f"the society has a layer called {place!r}; call the place otherwise.")
    state.tables["player"] = Table(player_columns(script, agents))
    state.layers.update(places)
    set_up(state, script, agents)


def players_of(state: State, script: Script, seed: int) -> Array:
    """The agent of each player; those who were not named are drawn by lot."""
    count = len(state.agents)
    named = [p.agent for p in script.player if p.agent >= 0]
    for agent in named:
        if agent >= count:
            raise BadInput(f"no agent {agent} can play: they are numbered 0 to {count - 1}.")
    if len(set(named)) < len(named):
        raise BadInput("an agent can play one player alone.")
    wanted = len(script.player)
    if wanted > count:
        raise BadInput(f"{wanted} players need as many agents; there are {count}.")
    lot = uniforms(seed, "players", 0, count)
    lot[named] = np.inf
    missing = wanted - len(named)
    drawn = np.argpartition(lot, missing - 1)[:missing] if missing else np.zeros(0, np.int64)
    free = iter(drawn[np.argsort(lot[drawn], kind="stable")].tolist())
    return np.array([p.agent if p.agent >= 0 else next(free) for p in script.player], np.int32)


def with_scene(model: Model, state: State, embedder: Embedder | None = None) -> Model:
    """A model in which a scene goes on beside everything else.

    Args:
        model: Of the society.
        state: Its state, with a scene put inside.
        embedder: Turns memories into vectors; None: MiniLM.

    Raises:
        BadInput: A curve or an event of the scene has the name of one of the society.
    """
    script = script_of(state)
    meeting = Meeting(Stage(embedder or open_embedder("minilm"), script.inside.turns))
    happenings = {f"scene-{name}": made for name, made in alone.HAPPENINGS.items()}

    def measured(society: Society) -> dict[str, float]:
        own = {f"scene: {name}": value for name, value in measure(society).items()}
        return {**model.measure(society), **own}

    def described(society: Society, agent: int) -> str:
        rows = np.flatnonzero(cast(society.state)["agent"] == agent)
        who = model.describe(society, agent) if model.describe is not None else ""
        return f"{who} {player_words(society, int(rows[0]))}".strip() if len(rows) else who

    def seated(society: Society, agent: int, taken: bool) -> str:
        rows = np.flatnonzero(cast(society.state)["agent"] == agent)
        if len(rows):
            cast(society.state)["seated"][rows[0]] = taken
            return f"{society.state.texts['name'][int(rows[0])]}.act"
        if model.seat is None:
            raise BadInput(f"agent {agent} does not play in the scene; nobody can sit in for it.")
        return model.seat(society, agent, taken)

    return msgspec.structs.replace(
        model,
        steps=(*model.steps, meeting),
        measure=measured,
        happenings={**model.happenings, **happenings},
        describe=described,
        seat=seated,
        told=told,
        shards=None,
    )


def player_words(society: Society, row: int) -> str:
    """What a player is in the scene, in words."""
    texts = society.state.texts
    goal = texts["goal"][row]
    wants = f" You want this: {goal}" if goal else ""
    return f"In the scene you are {texts['name'][row]}.{wants}"


class Meeting:
    """The step of a society in which its scene goes on.

    Args:
        stage: Takes the turns.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def __call__(self, society: Society) -> None:
        """Meet, if it is time: learn how things stand, take turns, speak in public, decide."""
        state = society.state
        inside = script_of(state).inside
        since = society.t - inside.start
        if since < 0 or since % inside.every or state.values["scene"]["over"]:
            return
        if inside.news:
            tell_news(society)
        before = len(state.tables["happened"])
        await self.stage(society)
        if inside.voice:
            speak(society, before)
        if inside.decide and society.model.questions:
            await decide(society)


def tell_news(society: Society) -> None:
    """Let every player notice what its agent knows of the society now."""
    news = society.model.news
    if news is None:
        return
    state = society.state
    table, queue = cast(state), state.values["scene"]["queue"]
    for row, name in enumerate(state.texts["name"]):
        if table["present"][row]:
            text = news(society, int(table["agent"][row]))
            if text:
                queue.setdefault(name, []).append(text)


def speak(society: Society, since: int) -> None:
    """Tell in public what happened in the scene, each by the agent who did it."""
    voice = society.model.voice
    if voice is None:
        return
    names, table = society.state.texts["name"], cast(society.state)
    for line in log_of(society.state, since):
        voice(society, int(table["agent"][names.index(line["actor"])]), line["event"])


async def decide(society: Society) -> None:
    """Ask every player what its agent will do; the answer holds until it is asked again.

    An answer that cannot be read leaves the decision to the society's model, as for all others.
    """
    state = society.state
    table, names = cast(state), state.texts["name"]
    rows = [row for row in range(len(names)) if table["present"][row]]
    found = await gather(*(_ask(society, row) for row in rows))
    decided = state.values.setdefault("decided", {})
    for row, actions in zip(rows, found, strict=True):
        if actions:
            decided[str(int(table["agent"][row]))] = actions


async def _ask(society: Society, row: int) -> dict[str, int]:
    """One player's decisions by column of actions."""
    state, name = society.state, society.state.texts["name"][row]
    memory = state.values["memory"].get(str(int(cast(state)["agent"][row])), [])
    page = Document(kernel_of(society), name, society.t, "player")
    page.statement(f"{name} remembers:\n" + "\n".join(memory[-RECENT:]))
    actions = {}
    for column, question in society.model.questions.items():
        answer = await page.yes_no(f"decide-{column}", question.replace("{name}", name))
        if answer is not None:
            actions[column] = int(answer)
    return actions
