"""Worlds over HTTP, in the uniform format of AgentGym (arXiv 2406.04151).

``POST /create`` gives an id; ``POST /step``, ``POST /reset``, ``POST /close`` and ``GET
/observation``, ``GET /available_actions`` go on with it. Many worlds live at once, each with a lock
of its own. ``GET /`` tells what is served, ``GET /metrics`` what went on.

Paper vs code vs ours
---------------------
* The authors' servers never let an id go, and ask nobody who they are. Here ids are never used
  again, live ones are limited in number and idle time, and away from this machine a token is asked
  for.
* What is wrong with a request is answered with 4xx and a message. A world that fails by itself is
  500 for that request, and gone; the others go on.
* Every task of a split has a number (``data_idx``); the authors' worlds have one list each.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from typing import Any

import msgspec

from collegium.errors import BadInput, CollegiumError
from collegium.worlds.play import Playable, Turn, form, playable
from collegium.worlds.text import Kind

PAPER = "agentgym"


class Refused(CollegiumError):
    """A request that is answered with a status and a message.

    Args:
        status: Of HTTP.
        message: What was wrong, and what was expected.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ServeLimits(msgspec.Struct, frozen=True):
    """How much a server bears.

    Attributes:
        worlds: How many may live at once.
        idle: Seconds after which one that nobody asks for is closed.
    """

    worlds: int = 256
    idle: float = 1800.0


class Live(msgspec.Struct):
    """A world that lives on the server.

    Attributes:
        world: The world.
        lock: One request at a time acts on it.
        touched: When it was last asked for.
        failed: What it failed with; "" while it works.
    """

    world: Playable
    lock: asyncio.Lock
    touched: float
    failed: str = ""


class Metrics(msgspec.Struct):
    """What went on: worlds made and alive, steps, plays ended and their rewards, refusals."""

    created: int = 0
    live: int = 0
    steps: int = 0
    ended: int = 0
    rewards: float = 0.0
    refused: int = 0
    failed: int = 0
    expired: int = 0


class WorldServer:
    """The worlds of one kind, by id.

    Args:
        kind: What is served.
        split: Which tasks.
        limits: How much it bears.
        clock: Seconds that go on.
    """

    def __init__(
        self,
        kind: Kind,
        split: str = "test",
        limits: ServeLimits = ServeLimits(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        kind.require(split)
        self.kind, self.split, self.limits = kind, split, limits
        self.metrics = Metrics()
        self._live: dict[int, Live] = {}
        self._ids = itertools.count()
        self._clock = clock

    def about(self) -> dict[str, Any]:
        """What is served: name, number of tasks, rounds, rules."""
        first = self.kind.world(self.split, 0) if self.kind.tools != ("act",) else None
        moves = form(first) if first else ""
        return {
            "name": self.kind.name,
            "split": self.split,
            "size": self.kind.size(self.split),
            "rounds": self.kind.rounds,
            "rules": "\n\n".join(filter(None, (self.kind.rules, moves))),
            "letters": self.kind.letters,
        }

    async def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a world; its task is the first, or ``data_idx``."""
        await self.expire()
        if len(self._live) >= self.limits.worlds:
            raise Refused(
                429, f"{len(self._live)} worlds are open, and no more may be; close some first."
            )
        world = await self._begun(body.get("data_idx", 0), body.get("seed"))
        number = next(self._ids)
        self._live[number] = Live(world, asyncio.Lock(), self._clock())
        self.metrics.created += 1
        return {"id": number, **_turn(world.last)}

    async def step(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a move."""
        action = body.get("action")
        if not isinstance(action, str):
            raise Refused(422, "step needs the action, a text.")
        live = self._of(body)
        async with live.lock:
            self._of(body)  # it may have been closed while this waited
            if live.failed:
                raise Refused(409, f"this world failed: {live.failed}; close it or reset it.")
            if live.world.last.done:
                raise Refused(409, "the play is over; reset it to play again.")
            try:
                turn = await live.world.step(action)
            except BadInput as error:
                raise Refused(422, str(error)) from None
            except Exception as error:
                live.failed = f"{type(error).__name__}: {error}"
                self.metrics.failed += 1
                raise Refused(500, f"the world failed: {live.failed}") from error
        self.metrics.steps += 1
        if turn.done:
            self.metrics.ended += 1
            self.metrics.rewards += turn.reward
        return _turn(turn)

    async def reset(self, body: dict[str, Any]) -> dict[str, Any]:
        """Put a task into a world."""
        live = self._of(body)
        async with live.lock:
            self._of(body)
            world = await self._begun(body.get("data_idx", 0), body.get("seed"))
            with contextlib.suppress(Exception):
                await live.world.close()
            live.world, live.failed = world, ""
        return {"id": body["id"], **_turn(world.last)}

    async def close(self, body: dict[str, Any]) -> dict[str, Any]:
        """Let a world go."""
        live = self._of(body)
        del self._live[body["id"]]
        async with live.lock:
            with contextlib.suppress(Exception):
                await live.world.close()
        return {"closed": True}

    def observation(self, number: Any) -> str:
        """What was last to be seen in a world."""
        return self._of({"id": number}).world.last.observation

    def available_actions(self, number: Any) -> list[str]:
        """Moves that can be made in a world."""
        return list(self._of({"id": number}).world.actions())

    def counted(self) -> Metrics:
        """What went on so far."""
        return msgspec.structs.replace(self.metrics, live=len(self._live))

    async def shut(self) -> None:
        """Close all worlds."""
        for number in list(self._live):
            await self.close({"id": number})

    async def _begun(self, number: Any, seed: Any) -> Playable:
        if type(number) is not int:
            raise Refused(422, f"data_idx is a whole number, not {number!r}.")
        if seed is not None and type(seed) is not int:
            raise Refused(422, f"seed is a whole number, not {seed!r}.")
        size = self.kind.size(self.split)
        if not 0 <= number < size:
            raise Refused(404, f"data_idx is 0 to {size - 1}, not {number}.")
        world = playable(self.kind.world(self.split, number))
        await world.reset(0 if seed is None else seed)
        return world

    def _of(self, body: dict[str, Any]) -> Live:
        number = body.get("id")
        if type(number) is not int:
            raise Refused(422, f"id is the whole number that create gave, not {number!r}.")
        live = self._live.get(number)
        if live is None:
            raise Refused(404, f"there is no world with the id {number}; create gives one.")
        live.touched = self._clock()
        return live

    async def expire(self) -> None:
        """Close worlds that were idle for too long; one that is being stepped is not."""
        before = self._clock() - self.limits.idle
        for number, live in list(self._live.items()):
            if live.touched < before and not live.lock.locked():
                await self.close({"id": number})
                self.metrics.expired += 1


def _turn(turn: Turn) -> dict[str, Any]:
    return {"observation": turn.observation, "reward": turn.reward, "done": turn.done}
