"""Playing a world by hand: every move goes through the kernel, so it is traced like an agent's.

A world is stateful, and some are slow; each one that is played lives in a thread of its own with an
event loop of its own, so that no page waits for another's move.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from collegium.bench.jobs import judged
from collegium.errors import BadInput, CollegiumError, ModelError
from collegium.guard import Guarding, Policy
from collegium.kernel import Kernel, RunStore, Tool, UseTool
from collegium.kernel.calls import Image
from collegium.kernel.toolbox import Toolbox
from collegium.models import ScriptedModel
from collegium.studio.episodes import keep_outcome, seen_in
from collegium.tasks.task import Item, Score
from collegium.worlds import Look, Visible, World, drivers
from collegium.worlds.play import Playable
from collegium.worlds.world import OVER

T = TypeVar("T")

MOST_TABLES = 12
"""Worlds that may be played at once."""

IDLE_SECONDS = 30 * 60.0
"""After which a world nobody moves in is closed."""

MOVE_SECONDS = 120.0
"""How long a move may take."""

PLAYER = "by hand"
"""The system that episodes are kept under which a person played."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a move came to.

    Attributes:
        text: What is to be seen.
        error: Why it was not made, "" when it was.
        reward: Of this move, where the world gives any.
        over: Whether no further move can be made.
        actions: Moves that can be made now, where they can be listed.
        picture: What the world shows, where it can be seen.
    """

    text: str
    error: str = ""
    reward: float | None = None
    over: bool = False
    actions: tuple[str, ...] = ()
    picture: Image | None = None


class Table:
    """One world that is being played.

    Args:
        item: The task and its world.
        store: Where the episode is kept.
        policy: What the player may do, as agents.
        seed: What the beginning depends on.
    """

    def __init__(self, item: Item, store: Path, policy: Policy | None, seed: int = 0) -> None:
        self.item, self.seed = item, seed
        self.run = ""
        self.moves = 0
        self.used = time.monotonic()
        self.score: Score | None = None
        self._path, self._policy = store, policy
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._world: World | None = None
        self._closed = False

    def _live(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The actions."""
        return self._world.tools if self._world is not None else ()

    async def open(self) -> Seen:
        """Make the world.

        Raises:
            CollegiumError: It cannot be made.
        """
        try:
            return await self._there(self._open())
        except BaseException:
            await self.close()
            raise

    async def _open(self) -> Seen:
        assert self.item.world is not None
        world = self._world = self.item.world()
        seen = await world.reset(self.seed)
        task = self.item.task
        text = "\n\n".join(filter(None, (task.rules, task.prompt, seen)))
        box = Toolbox(world.tools)
        guarding = Guarding(self._policy, tools=box) if self._policy is not None else None
        self._store = RunStore(self._path)
        spec = {"system": PLAYER, "task": text, "model": "", "roles": {}, "seed": self.seed}
        self.run = self._store.begin("play", "", spec)
        self._kernel = Kernel(
            ScriptedModel(lambda _: ModelError("nobody answers here but the player."), "none"),
            tools=box,
            drivers=drivers(world),
            interceptors=guarding.interceptors if guarding else (),
            seed=self.seed,
            sinks=[self._store.sink(self.run, PLAYER, task.id)],
        )
        if guarding is not None:
            guarding.bind(self._kernel, task.text)
        self._kernel.agent("player", tools=[t.spec.name for t in world.tools])
        return await self._now(text)

    async def _now(self, text: str, error: str = "") -> Seen:
        """What there is to see, and what can be done."""
        world = self._world
        over = text.rstrip().endswith(OVER)
        actions: tuple[str, ...] = ()
        reward = None
        if isinstance(world, Playable):
            over = over or world.last.done
            reward = world.last.reward if self.moves else None
            actions = () if over else tuple(world.actions())
        picture = None
        if isinstance(world, Visible):
            with contextlib.suppress(CollegiumError):  # the trace has the reason
                picture = await self._kernel.call(Look(agent="player"))
        return Seen(
            text=text, error=error, reward=reward, over=over, actions=actions, picture=picture
        )

    async def move(self, tool: str, arguments: dict[str, Any]) -> Seen:
        """Make a move; what a tool or the policy refuses is told, not raised."""
        self.used = time.monotonic()
        return await self._there(self._move(tool, arguments))

    async def _move(self, tool: str, arguments: dict[str, Any]) -> Seen:
        if self.score is not None or self._world is None:
            raise BadInput("this episode is over; begin another one.")
        call = UseTool(agent="player", tool=tool, arguments=arguments)
        try:
            value = await self._kernel.call(call)
        except CollegiumError as error:
            return await self._now("", str(error))
        except Exception as error:  # what a tool cannot do it says so
            return await self._now("", f"{type(error).__name__}: {error}")
        self.moves += 1
        text, _ = seen_in(msgspec.to_builtins(value, enc_hook=repr))
        return await self._now(text)

    async def finish(self, answer: str = "") -> Score:
        """End the episode and judge it; what it was worth is kept."""
        return await self._there(self._finish(answer))

    async def _finish(self, answer: str) -> Score:
        if self.score is None:
            self.score = await judged(self.item, self._world, answer or None)
            keep_outcome(self._store, self.run, PLAYER, self.item.task, self.score, answer or None)
            self._store.finish(self.run, "done")
        return self.score

    async def close(self) -> None:
        """Let the world go; an episode that was not ended is interrupted."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._there(self._close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)

    async def _close(self) -> None:
        world, self._world = self._world, None
        try:
            if self.run and self.score is None:
                self._store.finish(self.run, "interrupted")
            if self.run:
                await self._kernel.aclose()
                self._store.close()
        finally:
            if world is not None:
                await world.close()

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the world's own thread."""
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            async with asyncio.timeout(MOVE_SECONDS):
                return await asyncio.wrap_future(done)
        except TimeoutError:
            raise BadInput(f"the world took longer than {MOVE_SECONDS:g} seconds.") from None


class Tables:
    """The worlds that are being played."""

    def __init__(self) -> None:
        self._open: dict[int, Table] = {}

    async def begin(
        self, item: Item, store: Path, policy: Policy | None, seed: int
    ) -> tuple[Table, Seen]:
        """Begin an episode; worlds that nobody has moved in for long are closed first.

        Raises:
            BadInput: Too many are open.
            CollegiumError: The world cannot be made.
        """
        now = time.monotonic()
        for table in [t for t in self._open.values() if now - t.used > IDLE_SECONDS]:
            await self.leave(table)
        if len(self._open) >= MOST_TABLES:
            raise BadInput(f"{MOST_TABLES} worlds are being played; try again when one is done.")
        table = Table(item, store, policy, seed)
        self._open[id(table)] = table
        try:
            return table, await table.open()
        except BaseException:
            self._open.pop(id(table), None)
            raise

    async def leave(self, table: Table) -> None:
        """Close a world."""
        if self._open.pop(id(table), None) is not None:
            await table.close()

    async def aclose(self) -> None:
        """Close all of them."""
        for table in list(self._open.values()):
            await self.leave(table)

    def __len__(self) -> int:
        return len(self._open)
