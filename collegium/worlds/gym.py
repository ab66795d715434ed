"""Gymnasium environments as worlds, and worlds as Gymnasium environments.

In: :class:`GymWorld` has one tool, ``step``, whose action is that of the environment: a number for
a discrete space, a list for a box, a text. Out: :func:`world_env` makes a :class:`gymnasium.Env`
whose actions and observations are texts. Needs the extra ``worlds``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from collegium.errors import BadInput, missing_extra
from collegium.kernel.tool import Tool, tool
from collegium.tasks.task import Score
from collegium.worlds.play import Playable, Turn, playable, require_going
from collegium.worlds.world import OVER, World

if TYPE_CHECKING:
    import gymnasium

T = TypeVar("T")

LONGEST = 4_000
"""Characters of an observation that a text space holds; the rest is cut off."""
LONGEST_ACTION = 400
CHARACTERS = "".join(map(chr, range(32, 127))) + "\n"
"""What a text space is made of; anything else in an observation appears as ``?``."""

Judge = Callable[[float, bool], Score]
"""A score by the rewards added up, and whether the environment ended by itself."""


def ended_well(total: float, terminated: bool) -> Score:
    """Right when the environment ended by itself with more reward than none."""
    right = terminated and total > 0
    return Score(float(right), right, facts={"return": total})


class GymWorld:
    """A Gymnasium environment as a :class:`~collegium.worlds.world.World`; it is playable, too.

    The environment must do the same again after the same seed and actions, which is what
    Gymnasium's own checker asks of it: a snapshot is the seed and the actions.

    Args:
        make: Makes the environment, such as ``partial(gymnasium.make, "FrozenLake-v1")``.
        judge: Scores the end.

    Raises:
        MissingExtra: Gymnasium is not installed.
    """

    snapshots: Literal["replay"] = "replay"

    def __init__(self, make: Callable[[], Any], judge: Judge = ended_well) -> None:
        require_gymnasium()
        self.env, self._judge = make(), judge
        self.last = Turn("")
        self._seed: int | None = None
        self._moves: list[Any] = []
        self._total, self._terminated = 0.0, False

        async def step(action: Any) -> str:
            """Do one action in the environment; gives what is observed, the reward, the end."""
            turn = self._step(action)
            over = f"\n{OVER}" if turn.done else ""
            return f"{turn.observation}\nReward: {turn.reward:g}{over}"

        made = tool(step)
        told = f"{made.spec.description} Action: {described(self.env.action_space)}."
        spec = msgspec.structs.replace(made.spec, description=told)
        self._tools = (msgspec.structs.replace(made, spec=spec),)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The one tool."""
        return self._tools

    async def reset(self, seed: int | None = None) -> str:
        """Begin anew."""
        self._seed, self._moves = seed, []
        self._total, self._terminated = 0.0, False
        observation, _ = self.env.reset(seed=seed)
        self.last = Turn(self._seen(observation))
        return self.last.observation

    def actions(self) -> tuple[str, ...]:
        """Every action of a discrete space; of others a few that were drawn."""
        space = self.env.action_space
        if type(space).__name__ == "Discrete":
            return tuple(str(space.start + i) for i in range(space.n))
        return tuple(written(space.sample()) for _ in range(8))

    async def step(self, action: str) -> Turn:
        """Do an action that is written as JSON, or as it stands for a space of texts.

        Raises:
            BadInput: It is over, or the action is none of the environment's.
        """
        if type(self.env.action_space).__name__ == "Text":
            return self._step(action)
        try:
            return self._step(msgspec.json.decode(action))
        except msgspec.DecodeError as error:
            raise BadInput(f"the action {action!r} is not JSON ({error}).") from None

    async def snapshot(self) -> bytes:
        """The seed and the actions."""
        return msgspec.json.encode((self._seed, self._moves))

    async def restore(self, snapshot: bytes) -> None:
        """Begin anew and do the actions again."""
        seed, moves = msgspec.json.decode(snapshot, type=tuple[int | None, list[Any]])
        await self.reset(seed)
        for move in moves:
            self._step(move)

    async def judge(self, answer: Any) -> Score:
        """What the rewards so far are worth."""
        return self._judge(self._total, self._terminated)

    async def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _step(self, action: Any) -> Turn:
        require_going(self.last)
        taken = read_action(self.env.action_space, action)
        observation, reward, terminated, truncated, _ = self.env.step(taken)
        self._moves.append(action)
        self._total += float(reward)
        self._terminated = bool(terminated)
        self.last = Turn(self._seen(observation), float(reward), bool(terminated or truncated))
        return self.last

    def _seen(self, observation: Any) -> str:
        """The environment as it draws itself in characters, else the observation."""
        drawn = self.env.render() if self.env.render_mode == "ansi" else None
        return drawn if isinstance(drawn, str) else written(observation)


def read_action(space: Any, action: Any) -> Any:
    """An action of plain data as a space has it.

    Raises:
        BadInput: The space has no such action.
    """
    import numpy

    kind = type(space).__name__
    try:
        if kind == "Discrete":
            taken: Any = numpy.int64(action)
        elif kind in ("Box", "MultiDiscrete", "MultiBinary"):
            taken = numpy.asarray(action, dtype=space.dtype).reshape(space.shape)
        else:
            taken = action
        fits = taken in space
    except (TypeError, ValueError, OverflowError):
        fits, taken = False, None
    if not fits:
        raise BadInput(f"{action!r} is no action here; one is {described(space)}.")
    return taken


def described(space: Any) -> str:
    """What an action of a space looks like, in words."""
    match type(space).__name__:
        case "Discrete":
            return f"a whole number from {space.start} to {space.start + space.n - 1}"
        case "Box":
            return f"a list of numbers of shape {list(space.shape)}"
        case "Text":
            return "a text"
    return str(space)


def written(value: Any) -> str:
    """An observation or an action as JSON."""
    return msgspec.json.encode(value, enc_hook=_builtin).decode()


def _builtin(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def require_gymnasium() -> None:
    """Refuse to go on without Gymnasium.

    Raises:
        MissingExtra: It is not installed.
    """
    from importlib.util import find_spec

    if find_spec("gymnasium") is None:
        raise missing_extra("worlds", "a Gymnasium environment")


def world_env(
    make: Callable[[], World], *, rounds: int | None = None, seed: int | None = None
) -> gymnasium.Env[str, str]:
    """A world as a Gymnasium environment of texts.

    The reward of a step is that of the turn; ``info["actions"]`` lists moves that can be made. A
    play that the world ends is terminated; one that used up ``rounds`` is truncated.

    Args:
        make: Makes the world.
        rounds: Steps after which it is truncated.
        seed: Of the beginning, where ``reset`` gets none.

    Raises:
        MissingExtra: Gymnasium is not installed.
    """
    require_gymnasium()
    import gymnasium

    class WorldEnv(gymnasium.Env[str, str]):
        metadata = {"render_modes": ["ansi"]}  # noqa: RUF012 - as the base class has it

        def __init__(self, render_mode: str | None = None) -> None:
            self.render_mode = render_mode
            self.observation_space = text_space(LONGEST)
            self.action_space = text_space(LONGEST_ACTION)
            self._loop = Background()
            self.world: Playable = playable(make())
            self._steps = 0

        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[str, dict[str, Any]]:
            super().reset(seed=seed)
            self._steps = 0
            started = seed if seed is not None else world_seed
            return shown(self._loop.run(self.world.reset(started))), self._info()

        def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
            turn = self._loop.run(self.world.step(action))
            self._steps += 1
            truncated = not turn.done and rounds is not None and self._steps >= rounds
            return shown(turn.observation), turn.reward, turn.done, truncated, self._info()

        def render(self) -> Any:
            return shown(self.world.last.observation) if self.render_mode == "ansi" else None

        def close(self) -> None:
            self._loop.run(self.world.close())
            self._loop.close()

        def _info(self) -> dict[str, Any]:
            return {"actions": list(self.world.actions())}

    world_seed = seed
    return WorldEnv(render_mode="ansi")


def text_space(longest: int) -> Any:
    """The space of texts up to a length."""
    import gymnasium

    return gymnasium.spaces.Text(max_length=longest, min_length=0, charset=CHARACTERS)


def shown(observation: str) -> str:
    """An observation as the space of texts takes it."""
    known = frozenset(CHARACTERS)
    return "".join(c if c in known else "?" for c in observation[:LONGEST])


class Background:
    """An event loop in a thread of its own, for plain code that waits for a world's coroutines."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """End the loop and its thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
