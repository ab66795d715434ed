"""PettingZoo environments as worlds, and worlds as PettingZoo environments.

In: :class:`ZooWorld` plays an environment of several agents; its one tool, ``act``, says for whom.
Out: :func:`world_aec` lets several agents take turns in one world and share its rewards. Needs the
extra ``worlds``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput, missing_extra
from collegium.kernel.tool import Tool, tool
from collegium.tasks.task import Score
from collegium.worlds.gym import (
    LONGEST,
    LONGEST_ACTION,
    Background,
    described,
    read_action,
    shown,
    text_space,
    written,
)
from collegium.worlds.play import playable
from collegium.worlds.world import World

Judge = Callable[[dict[str, float]], Score]
"""A score by the rewards of each agent, added up."""


def shared_gain(totals: dict[str, float]) -> Score:
    """Right when the agents together got more reward than none."""
    total = sum(totals.values())
    facts: dict[str, bool | float] = {f"return of {a}": v for a, v in sorted(totals.items())}
    return Score(float(total > 0), total > 0, facts=facts)


class ZooWorld:
    """A PettingZoo environment as a :class:`~collegium.worlds.world.World`.

    Agents take their turns in the order of the environment, which is one of AEC (a parallel one is
    made into that by PettingZoo). Whoever acts out of turn is told whose turn it is. An agent that
    is out is passed over, as PettingZoo wants it.

    Args:
        make: Makes the environment.
        judge: Scores the end.

    Raises:
        MissingExtra: PettingZoo is not installed.
    """

    snapshots: Literal["replay"] = "replay"

    def __init__(self, make: Callable[[], Any], judge: Judge = shared_gain) -> None:
        require_pettingzoo()
        env = make()
        if not hasattr(env, "agent_iter"):
            from pettingzoo.utils.conversions import parallel_to_aec

            env = parallel_to_aec(env)
        self.env, self._judge = env, judge
        self._seed: int | None = None
        self._moves: list[tuple[str, Any]] = []
        self._totals: dict[str, float] = {}

        async def act(agent: str, action: Any) -> str:
            """Act for an agent whose turn it is; gives what the next one observes."""
            self._act(agent, action)
            return self._seen()

        made = tool(act)
        spaces = {described(self.env.action_space(a)) for a in self.env.possible_agents}
        agents = ", ".join(self.env.possible_agents)
        told = f"{made.spec.description} Agents: {agents}. Action: {'; '.join(sorted(spaces))}."
        spec = msgspec.structs.replace(made.spec, description=told)
        self._tools = (msgspec.structs.replace(made, spec=spec),)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The one tool."""
        return self._tools

    @property
    def turn(self) -> str:
        """Whose turn it is; "" when it is over."""
        return str(self.env.agent_selection) if self.env.agents else ""

    async def reset(self, seed: int | None = None) -> str:
        """Begin anew."""
        self._seed, self._moves = seed, []
        self._totals = dict.fromkeys(self.env.possible_agents, 0.0)
        self.env.reset(seed=seed)
        return self._seen()

    async def snapshot(self) -> bytes:
        """The seed and the actions."""
        return msgspec.json.encode((self._seed, self._moves))

    async def restore(self, snapshot: bytes) -> None:
        """Begin anew and do the actions again."""
        seed, moves = msgspec.json.decode(snapshot, type=tuple[int | None, list[tuple[str, Any]]])
        await self.reset(seed)
        for agent, action in moves:
            self._act(agent, action)

    async def judge(self, answer: Any) -> Score:
        """What the rewards are worth that the agents got until their last turns."""
        return self._judge(dict(self._totals))

    async def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _act(self, agent: str, action: Any) -> None:
        if not self.turn:
            raise BadInput("the play is over; reset it to play again.")
        if agent != self.turn:
            raise BadInput(f"it is the turn of {self.turn!r}, not of {agent!r}.")
        observation, reward, *_ = self.env.last()
        taken = read_action(self.env.action_space(agent), action)
        mask = observation.get("action_mask") if isinstance(observation, dict) else None
        if mask is not None and not mask[int(taken)]:
            raise BadInput(f"the action {action!r} is not possible now.")
        self.env.step(taken)
        self._moves.append((agent, action))
        self._totals[agent] += float(reward)
        while self.env.agents:
            _, reward, terminated, truncated, _ = self.env.last()
            if not (terminated or truncated):
                break
            self._totals[self.turn] += float(reward)
            self.env.step(None)

    def _seen(self) -> str:
        if not self.turn:
            totals = ", ".join(f"{a} {t:g}" for a, t in sorted(self._totals.items()))
            return f"It is over. Rewards: {totals}."
        observation = self.env.last()[0]
        return f"Turn of {self.turn}. It observes: {written(observation)}"


def require_pettingzoo() -> None:
    """Refuse to go on without PettingZoo.

    Raises:
        MissingExtra: It is not installed.
    """
    from importlib.util import find_spec

    if find_spec("pettingzoo") is None:
        raise missing_extra("worlds", "a PettingZoo environment")


def world_aec(make: Callable[[], World], agents: Sequence[str], *, rounds: int = 100) -> Any:
    """A world as a PettingZoo environment (AEC) in which agents take turns.

    All see the same, and every reward goes to all of them. PettingZoo wants arrays: an observation
    holds the characters of the text, zeros after its end (:func:`text_of` reads it), and
    ``infos[agent]["text"]`` is the text itself.

    Args:
        make: Makes the world.
        agents: Their names, in the order of their turns.
        rounds: Steps after which it is truncated.

    Raises:
        BadInput: There are no agents, or two have one name.
        MissingExtra: PettingZoo is not installed.
    """
    require_pettingzoo()
    if not agents or len(set(agents)) != len(agents):
        raise BadInput("give the agents, at least one, each a name of its own.")
    import gymnasium
    import numpy
    from pettingzoo import AECEnv

    class WorldAec(AECEnv):
        metadata = {"name": "collegium_world", "render_modes": ["ansi"], "is_parallelizable": False}  # noqa: RUF012

        def __init__(self) -> None:
            super().__init__()
            self.render_mode = "ansi"
            self.possible_agents = list(agents)
            self._loop = Background()
            self.world = playable(make())
            codes = gymnasium.spaces.Box(0, 127, (LONGEST,), numpy.uint8)
            self.observation_spaces = dict.fromkeys(self.possible_agents, codes)
            self.action_spaces = {a: text_space(LONGEST_ACTION) for a in self.possible_agents}

        def observation_space(self, agent: str) -> Any:
            return self.observation_spaces[agent]

        def action_space(self, agent: str) -> Any:
            return self.action_spaces[agent]

        def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
            self._loop.run(self.world.reset(seed))
            self._steps = 0
            self.agents = list(self.possible_agents)
            self.agent_selection = self.agents[0]
            self.rewards = dict.fromkeys(self.agents, 0.0)
            self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
            self.terminations = dict.fromkeys(self.agents, False)
            self.truncations = dict.fromkeys(self.agents, False)
            self.infos = {agent: self._info() for agent in self.agents}

        def observe(self, agent: str) -> Any:
            return array_of(shown(self.world.last.observation))

        def step(self, action: Any) -> None:
            agent = self.agent_selection
            if self.terminations[agent] or self.truncations[agent]:
                self._was_dead_step(action)
                return
            turn = self._loop.run(self.world.step(action))
            self._steps += 1
            over = not turn.done and self._steps >= rounds
            self._cumulative_rewards[agent] = 0.0
            self.rewards = dict.fromkeys(self.agents, turn.reward)
            self.terminations = dict.fromkeys(self.agents, turn.done)
            self.truncations = dict.fromkeys(self.agents, over)
            self.infos = {agent: self._info() for agent in self.agents}
            following = self.agents.index(agent) + 1
            self.agent_selection = self.agents[following % len(self.agents)]
            self._accumulate_rewards()

        def _info(self) -> dict[str, Any]:
            return {"text": self.world.last.observation, "actions": list(self.world.actions())}

        def render(self) -> str:
            return shown(self.world.last.observation)

        def close(self) -> None:
            self._loop.run(self.world.close())
            self._loop.close()

    return WorldAec()


def array_of(text: str) -> Any:
    """A text as an array of its characters, zeros after its end."""
    import numpy

    held = numpy.zeros(LONGEST, dtype=numpy.uint8)
    codes = text.encode("ascii", "replace")[:LONGEST]
    held[: len(codes)] = numpy.frombuffer(codes, dtype=numpy.uint8)
    return held


def text_of(observation: Any) -> str:
    """The text that an observation of :func:`world_aec` holds."""
    return bytes(observation).rstrip(b"\0").decode("ascii")


__all__ = ["ZooWorld", "require_pettingzoo", "shared_gain", "text_of", "world_aec"]
