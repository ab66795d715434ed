"""An active core-agent among equals: it stands for leader, and changes things only as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from collegium.agents.umf.core import CoreAgent, Done, Request, Step, decide, perform
from collegium.agents.umf.election import Lease, Outcome
from collegium.errors import Denied
from collegium.kernel import Unparsed

Sleep = Callable[[float], Awaitable[None]]


class Leading(msgspec.Struct, frozen=True):
    """How active core-agents of equal rights keep out of each other's way."""

    elect: bool
    clock: Callable[[], float]
    sleep: Sleep
    lease: float


class Office:
    """One active core-agent's part in the election.

    Attributes:
        name: Of the core-agent.
        term: The last term it led; 0: none.
    """

    def __init__(self, core: CoreAgent, lead: Leading) -> None:
        self.core, self.lead, self.name = core, lead, core.agent.name
        self.term = 0
        self._changes = 0
        self._beat: asyncio.Task[None] | None = None

    async def act(self, step: Step) -> Done:
        """Carry out a step; a side effect only as the leader, or take the leader's result."""
        wanted = await decide(self.core, step)
        if isinstance(wanted, Unparsed):
            return Done(f"not understood: {wanted.reason}")
        if not wanted.writes:
            return await perform(self.core, wanted)
        if not self.lead.elect:
            return await perform(self.core, wanted, member=self.name)
        return await self._change(wanted)

    async def _change(self, wanted: Request) -> Done:
        """Side effects are numbered within the task: the n-th is done once, whoever leads then."""
        action = f"effect-{self._changes + 1}"
        while True:
            seen = msgspec.convert(await self.core.agent.use("outcome", action=action), Outcome)
            if seen.done:
                self._changes += 1
                return Done(seen.result)
            if seen.closed:
                return Done("left out: the leader finished without it")
            lease = await self._stand()
            if lease is not None and lease.leader == self.name:
                self.term = lease.term
                self._beat = self._beat or asyncio.create_task(self._renew())
                now = self.lead.clock()
                try:
                    done = await perform(
                        self.core, wanted, action=action, member=self.name, term=self.term, now=now
                    )
                except Denied:
                    continue  # the lead was lost in between
                if not (isinstance(done.value, dict) and "error" in done.value):
                    self._changes += 1
                return done
            await self.lead.sleep(self.lead.lease / 10)

    async def _stand(self) -> Lease | None:
        now = self.lead.clock()
        given = await self.core.agent.use("stand", member=self.name, now=now)
        return msgspec.convert(given, Lease | None)

    async def _renew(self) -> None:
        while True:
            await self.lead.sleep(self.lead.lease / 3)
            await self._stand()

    async def close(self) -> None:
        """Say, as the leader, that nothing more is to be changed."""
        lease = await self._stand() if self.term else None
        if lease is not None and lease.leader == self.name:
            await self.core.agent.use("close", member=self.name, term=lease.term)

    async def leave(self) -> None:
        """Stop renewing: the lease lapses."""
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
