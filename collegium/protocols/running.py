"""A run that was started for somebody: followed, asked about, told something, stopped."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from collegium.api import Run
from collegium.bench.jobs import answer_text
from collegium.errors import CollegiumError, LimitReached
from collegium.kernel import Kernel
from collegium.protocols.clients import Client
from collegium.protocols.messages import FINAL, Message, Part, RunEvent, State, StateChanged
from collegium.protocols.relay import Relayed

PATIENCE = 3600.0
"""Seconds that a run waits for the answer to a question."""


class Running:
    """A run that was started: it goes on by itself, whoever follows it.

    Attributes:
        id: Its id for clients, a UUID.
        run: Its id in the run store, under which its trace can be read; "" before it has begun.
        system: What runs, as the client named it.
        protocol: How it was asked for.
        client: Who asked.
        session: The session it belongs to, "" for none.
        state: Where it stands.
        question: What it waits to be told, in the state "awaiting".
        result: What came of it, once completed.
        relayed: The same in full, where an agent elsewhere did the work.
        error: Why it failed.
        events: All that has happened.
        sent: The conversation it was started with.
        created: When.
    """

    def __init__(
        self, system: str, *, protocol: str, client: Client, session: str, sent: Sequence[Message]
    ) -> None:
        self.id = str(uuid.uuid4())
        self.run = ""
        self.system, self.protocol, self.client, self.session = system, protocol, client, session
        self.state: State = "created"
        self.question = ""
        self.result: Run | None = None
        self.relayed: Relayed | None = None
        self.error: CollegiumError | None = None
        self.events: list[RunEvent] = []
        self.sent = tuple(sent)
        self.created = datetime.now(UTC)
        self.finished: datetime | None = None
        self.kernel: Kernel | None = None
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._told: asyncio.Future[str] | None = None

    @property
    def final(self) -> bool:
        """Whether it is over."""
        return self.state in FINAL

    @property
    def answer(self) -> str:
        """Its answer as text; "" when it abstained or has none yet."""
        return answer_text(self.result.answer) if self.result is not None else ""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What it gives back: the answer, then the files that the system made."""
        if self.result is None:
            return ()
        if self.relayed is not None:
            return self.relayed.answer.parts
        files = self.result.result.files
        return (
            Part(text=self.answer),
            *(Part(text=text, name=name) for name, text in files.items()),
        )

    @property
    def account(self) -> dict[str, Any]:
        """What a reply says of it besides: calls, tokens, what cut it short, what was lost."""
        done = self.result
        if done is None:
            return {}
        return {
            "calls": done.calls,
            "tokens": done.usage.tokens,
            **({"limited": done.limited} if done.limited else {}),
            **({"blocked": len(done.blocked)} if done.blocked else {}),
            **({"lost": list(self.relayed.lost)} if self.relayed and self.relayed.lost else {}),
        }

    async def follow(self, start: int = 0) -> AsyncIterator[RunEvent]:
        """Everything that has happened and will happen, until the run is over.

        Args:
            start: How many events to leave out.
        """
        while True:
            while start < len(self.events):
                yield self.events[start]
                start += 1
            if self.final:
                return
            await self._changed.wait()

    async def settled(self) -> Running:
        """Wait until the run is over or asks something."""
        while not self.final and self.state != "awaiting":
            await self._changed.wait()
        return self

    async def begun(self) -> Running:
        """Wait until the run is in the run store, or over."""
        while not self.run and not self.final:
            await self._changed.wait()
        return self

    def tell(self, text: str) -> bool:
        """Answer its question; False when it has none."""
        if self._told is None or self._told.done():
            return False
        self._told.set_result(text)
        self.enter("working")  # now, so that nobody sees the question twice
        return True

    async def stop(self, reason: str) -> None:
        """End it, and wait until it has ended; the reason stands in its trace."""
        if self.task is None or self.final:
            return
        if self.state != "cancelling":
            self.enter("cancelling", reason)
            self.task.cancel(reason)
        await asyncio.wait({self.task})

    # -- used by the hub ----------------------------------------------------------------

    def note(self, event: RunEvent) -> None:
        """Let everyone who follows it know."""
        self.events.append(event)
        self._changed.set()
        self._changed = asyncio.Event()

    def enter(self, state: State, detail: str = "") -> None:
        """Change its state."""
        self.state = state
        if state in FINAL:
            self.finished = datetime.now(UTC)
        self.note(StateChanged(state, detail))

    async def ask(self, question: str) -> str:
        """Put a question to the client, and wait for what it says."""
        self._told = asyncio.get_running_loop().create_future()
        self.question = question
        self.enter("awaiting", question)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._told
        except TimeoutError:
            raise LimitReached(f"nobody answered within {PATIENCE:g} seconds.") from None
        finally:
            self._told, self.question = None, ""
