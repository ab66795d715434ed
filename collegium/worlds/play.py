"""Worlds that are played move by move: an action in words, an observation, a reward, an end.

A :class:`Playable` is a :class:`~collegium.worlds.world.World` that takes its moves in words as
well. Servers, adapters and trivial players drive worlds of every kind through it. Worlds whose
actions are typed tools become playable with :func:`playable`: a move is then the name of a tool and
its arguments as JSON.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from collegium.errors import BadInput, CollegiumError, unknown_name
from collegium.kernel.tool import Tool
from collegium.tasks.task import Score
from collegium.worlds.world import Snapshots, World

FINISH = "finish"
"""The move that ends the play of a world of tools and states an answer."""


class Turn(msgspec.Struct, frozen=True):
    """What a move came to.

    Attributes:
        observation: What is to be seen after it.
        reward: Of this move. The reward of the last move is that of the whole play.
        done: Whether the play is over.
    """

    observation: str
    reward: float = 0.0
    done: bool = False


@runtime_checkable
class Playable(World, Protocol):
    """A world that takes moves in words."""

    @property
    def last(self) -> Turn:
        """The last turn; after a reset, what was to be seen at first."""
        ...

    def actions(self) -> tuple[str, ...]:
        """Moves that can be made now, where they can be listed; else some of them."""
        ...

    async def step(self, action: str) -> Turn:
        """Make a move.

        Raises:
            BadInput: The play is over.
        """
        ...


def playable(world: World, rounds: int | None = None) -> Playable:
    """Make any world playable; one that is already stays itself.

    Args:
        world: The world.
        rounds: Moves after which the play of a world of tools is over; None: no limit.
    """
    return world if isinstance(world, Playable) else ToolPlay(world, rounds)


class ToolPlay:
    """Plays a world of tools: a move is ``name {"argument": value}``.

    The reward is what the state is worth, as the world judges it when the play is over; before
    that it is 0. ``finish {"answer": ...}`` ends the play.

    Args:
        world: The world.
        rounds: Moves after which it is over; None: no limit.
    """

    def __init__(self, world: World, rounds: int | None = None) -> None:
        self.world, self.limit = world, rounds
        self.rounds, self.answer = 0, None
        self.last = Turn("")

    @property
    def snapshots(self) -> Snapshots:
        """What snapshots of the world hold."""
        return self.world.snapshots

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools of the world."""
        return self.world.tools

    async def reset(self, seed: int | None = None) -> str:
        """Begin anew."""
        self.rounds, self.answer = 0, None
        self.last = Turn(await self.world.reset(seed))
        return self.last.observation

    def actions(self) -> tuple[str, ...]:
        """Those that the world lists, if it does; else the tools that take no arguments."""
        listed = getattr(self.world, "actions", None)
        if listed is not None:
            return tuple(listed())
        return tuple(t.spec.name for t in self.tools if not t.spec.parameters.get("required"))

    async def step(self, action: str) -> Turn:
        """Use the tool that a move names.

        Raises:
            BadInput: The play is over.
        """
        require_going(self.last)
        self.rounds += 1
        name, arguments, problem = read_move(action)
        done = name == FINISH and not problem
        if done:
            self.answer, seen = arguments.get("answer"), "Finished."
        else:
            seen = f"Error: {problem}" if problem else await self._use(name, arguments)
        done = done or (self.limit is not None and self.rounds >= self.limit)
        reward = (await self.world.judge(self.answer)).value if done else 0.0
        self.last = Turn(seen, reward, done)
        return self.last

    async def _use(self, name: str, arguments: Mapping[str, Any]) -> str:
        known = {t.spec.name: t for t in self.tools}
        try:
            if name not in known:
                raise unknown_name("tool", name, [*known, FINISH])
            value = await known[name].run(arguments)
        except CollegiumError as error:
            return f"Error: {error}"
        except Exception as error:  # what a tool cannot do it says so
            return f"Error: {type(error).__name__}: {error}"
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    async def snapshot(self) -> bytes:
        """The snapshot of the world, and how far the play has come."""
        held = (self.rounds, self.answer, self.last, await self.world.snapshot())
        return msgspec.msgpack.encode(held)

    async def restore(self, snapshot: bytes) -> None:
        """Go back."""
        held = msgspec.msgpack.decode(snapshot, type=tuple[int, Any, Turn, bytes])
        self.rounds, self.answer, self.last, inner = held
        await self.world.restore(inner)

    async def judge(self, answer: Any) -> Score:
        """Judge the world, by the answer that the play ended with if it had one."""
        return await self.world.judge(self.answer if self.answer is not None else answer)

    async def close(self) -> None:
        """Close the world."""
        await self.world.close()


def form(world: Playable) -> str:
    """How moves are written, where they are typed tools; "" where the rules say it."""
    if not isinstance(world, ToolPlay):
        return ""
    lines = ["A move is the name of a tool and its arguments as JSON. Tools:"]
    for made in world.tools:
        names = ", ".join(made.spec.parameters.get("properties", {}))
        lines.append(f"{made.spec.name} {{{names}}} - {made.spec.description}")
    return "\n".join([*lines, f"{FINISH} {{answer}} - end, with the answer if one is asked for"])


def require_going(last: Turn) -> None:
    """Refuse a move after the end.

    Raises:
        BadInput: The play is over.
    """
    if last.done:
        raise BadInput("the play is over; reset it to play again.")


def read_move(action: str) -> tuple[str, dict[str, Any], str]:
    """The tool and the arguments of ``name {...}``, and what is wrong with it ("": nothing)."""
    name, brace, rest = action.strip().partition("{")
    name = name.strip()
    try:
        arguments = msgspec.json.decode(brace + rest, type=dict[str, Any]) if brace else {}
    except msgspec.DecodeError as error:
        return name, {}, f"the arguments of {name!r} are not a JSON object ({error})."
    return name, arguments, "" if name else "the move names no tool."


async def play_idle(world: Playable, seed: int) -> Score:
    """What doing nothing and saying nothing is worth.

    Args:
        world: What is played; it is reset.
        seed: Of its beginning.
    """
    await world.reset(seed)
    return await world.judge(None)


async def play_random(world: Playable, seed: int, rounds: int) -> Score:
    """What moves drawn evenly from those that can be made are worth.

    Args:
        world: What is played; it is reset.
        seed: Of its beginning and of the moves.
        rounds: Moves at most.
    """
    await world.reset(seed)
    draw = random.Random(seed)
    for _ in range(rounds):
        possible = world.actions()
        if world.last.done or not possible:
            break
        await world.step(draw.choice(possible))
    return await world.judge(None)
