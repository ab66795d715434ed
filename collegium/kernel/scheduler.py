"""The scheduler: whose model call runs next, for how long, and what switching costs.

It stands between the kernel and the models. Every call becomes a job; an engine has a number of
*lanes* on which jobs run; a policy chooses the next job for a free lane. With a quantum, a job is
cut after that many tokens and its lane goes to the next one: a context switch. The engine's state
can be kept and put back (*state* mode, nothing is read twice) or the job goes on from its prompt
and the tokens it has so far (*text* mode, the engine reads again what its prefix cache lost).

A job that fails ends with its error; it is never queued again. There is no thread and no task of
the scheduler's own: whoever calls works when its turn comes, so cancelling a call is just that.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.kernel.calls import Generate, Reply
from collegium.kernel.job import Generation, Job, Slice
from collegium.kernel.policies import make_policy
from collegium.kernel.waiting import Finished, ScheduleReport, report_of

if TYPE_CHECKING:
    from collegium.models.model import Model, OnText

PAPER = "aios"

Switch = Literal["state", "text"]


@runtime_checkable
class Sliceable(Protocol):
    """A model whose generations can be cut and continued."""

    def can_slice(self, request: Generate) -> bool:
        """Whether this very request can be cut (an answer under a grammar cannot)."""
        ...

    async def start(self, request: Generate, on_text: OnText | None = None) -> Generation:
        """Prepare a sample, without work on any lane yet."""
        ...


class _Lane:
    """A place of the engine: whether it is taken, whose state lies there, and what it read last.

    The state of a job that ended is nobody's, but what the engine read for it can still be shared.
    """

    __slots__ = ("busy", "holder", "last")

    def __init__(self) -> None:
        self.busy = False
        self.holder: Job | None = None
        self.last: Job | None = None


class Scheduler:
    """Shared by all kernels whose models share an engine. It belongs to one event loop.

    Args:
        policy: "fifo", "rr", "priority", "fair" or "las" (see :mod:`collegium.kernel.policies`).
        lanes: Calls that run at the same time.
        quantum: Tokens after which a job is cut; None: jobs run to their end ("rr" wants one).
        switch: How a context switch is done.
        clock: Says the time, in seconds; a test may count ticks instead.
        options: Passed on to the policy: ``ageing``, ``weights``.

    Raises:
        UnknownName: There is no such policy.
        BadInput: A number is impossible.
    """

    def __init__(
        self,
        policy: str = "fifo",
        *,
        lanes: int = 1,
        quantum: int | None = None,
        switch: Switch = "state",
        clock: Callable[[], float] = time.perf_counter,
        **options: Any,
    ) -> None:
        if lanes < 1 or (quantum is not None and quantum < 1):
            raise BadInput(
                f"a scheduler wants lanes >= 1 and quantum >= 1, not {lanes} and {quantum}."
            )
        if policy == "rr" and quantum is None:
            raise BadInput("round robin needs a quantum: the tokens each job gets in its turn.")
        self.name, self.quantum, self.switch = policy, quantum, switch
        self.snapshots = self.restores = 0
        self._policy = make_policy(policy, quantum or 64, **options)
        self._clock = clock
        self._lanes = [_Lane() for _ in range(lanes)]
        self._free = list(range(lanes))
        self._pid = itertools.count(1).__next__
        self._finished: list[Finished] = []

    async def generate(
        self, call: Generate, model: Model, *, run: str = "", on_text: OnText | None = None
    ) -> tuple[Reply[Any], ...]:
        """Run a model call when its turn comes.

        Args:
            call: The call.
            model: Who answers it.
            run: The run it belongs to.
            on_text: Called with pieces of text as they are written.

        Raises:
            ModelError: The model could not answer.
        """
        job = Job(self._pid(), run, call, self._clock())
        cut = self.quantum is not None and isinstance(model, Sliceable) and model.can_slice(call)
        try:
            if cut:
                assert isinstance(model, Sliceable)
                job.generation = await model.start(call, on_text)
                job.moving = asyncio.Lock()
                replies = await self._in_slices(job, job.generation)
            else:
                work = partial(model.generate, call, on_text)
                replies = await self._whole(job, work)
            job.status = "done"
            return replies
        except BaseException:
            job.status = "error"
            raise
        finally:
            await self._end(job)

    def report(self) -> ScheduleReport:
        """Waiting, turnaround, fairness and throughput of all jobs that have ended."""
        return report_of(self._finished, self.name, self.quantum, self.snapshots, self.restores)

    @property
    def finished(self) -> tuple[Finished, ...]:
        """Every job that has ended, in that order."""
        return tuple(self._finished)

    # -- the life of a job ---------------------------------------------------------------

    async def _whole(self, job: Job, work: Callable[[], Any]) -> tuple[Reply[Any], ...]:
        """Run a call that cannot be cut, in one slice."""
        lane = await self._turn(job)
        await self._clear(lane, job)
        start, tokens = self._clock(), 0
        try:
            replies = await work()
            tokens = sum(r.usage.completion for r in replies)
            return replies
        finally:
            self._leave(job, lane, start, tokens)

    async def _in_slices(self, job: Job, generation: Generation) -> tuple[Reply[Any], ...]:
        """Run a call a quantum at a time."""
        assert self.quantum is not None
        while True:
            lane = await self._turn(job)
            start, tokens = self._clock(), 0
            try:
                await self._move_in(job, lane)
                start = self._clock()
                tokens = await generation.advance(self.quantum, lane)
            finally:
                self._leave(job, lane, start, tokens)
            if generation.done:
                return (generation.reply(),)
            job.status = "suspending"

    async def _turn(self, job: Job) -> int:
        """Wait until the policy chooses the job; returns the lane it may use."""
        job.turn = asyncio.get_running_loop().create_future()
        self._policy.add(job, self._clock())
        self._dispatch()
        try:
            lane = await job.turn
        except asyncio.CancelledError:
            job.gone = True
            if job.turn.done() and not job.turn.cancelled():  # chosen and cancelled at once
                self._release(job.turn.result())
            raise
        job.status = "executing"
        return lane

    def _dispatch(self) -> None:
        """Give every free lane to the job that the policy chooses for it."""
        while self._free:
            # a lane that nobody's state lies in costs no switch; low ones keep the engine compact
            lane = min(self._free, key=lambda n: (self._lanes[n].holder is not None, n))
            job = self._policy.pop(self._clock(), self._lanes[lane].last)
            if job is None:
                return
            assert job.turn is not None
            if job.turn.cancelled():  # its caller does not know yet
                continue
            if job.lane is not None and not self._lanes[job.lane].busy:
                lane = job.lane  # its state lies there: nothing need be moved
            self._free.remove(lane)
            self._lanes[lane].busy = True
            job.turn.set_result(lane)

    def _leave(self, job: Job, lane: int, start: float, tokens: int) -> None:
        """End a slice."""
        job.slices.append(Slice(lane, start, self._clock(), tokens))
        self._policy.served(job, tokens)
        self._lanes[lane].last = job
        generation = job.generation
        if generation is not None and not generation.done:
            # ready again before the lane is given on, so that the policy sees it
            self._lanes[lane].holder, job.lane, job.saved = job, lane, False
        asyncio.get_running_loop().call_soon(self._release, lane)

    def _release(self, lane: int) -> None:
        self._lanes[lane].busy = False
        self._free.append(lane)
        self._dispatch()

    # -- context switches ----------------------------------------------------------------

    async def _clear(self, lane: int, job: Job) -> None:
        """Keep the state that another job left in a lane, before it is written over."""
        place = self._lanes[lane]
        holder = place.holder
        if holder is None or holder is job:
            return
        place.holder = None
        if holder.generation is None or holder.moving is None or holder.gone:
            return
        async with holder.moving:
            if holder.lane == lane and self.switch == "state":
                await holder.generation.save(lane)
                holder.saved = True
                self.snapshots += 1
            if holder.lane == lane:
                holder.lane = None

    async def _move_in(self, job: Job, lane: int) -> None:
        """Make a lane hold a job's state."""
        await self._clear(lane, job)
        assert job.moving is not None
        assert job.generation is not None
        async with job.moving:
            if job.lane is not None and job.lane != lane:  # it lies in a lane that is still whole
                old = self._lanes[job.lane]
                if self.switch == "state":
                    await job.generation.save(job.lane)
                    job.saved = True
                    self.snapshots += 1
                if old.holder is job:
                    old.holder = None
                job.lane = None
            if job.lane is None and job.saved:
                await job.generation.restore(lane)
                self.restores += 1
            job.lane = lane
        self._lanes[lane].holder = job

    async def _end(self, job: Job) -> None:
        """Note a job that has ended, and drop what was kept of it."""
        job.gone = True
        if job.lane is not None and self._lanes[job.lane].holder is job:
            self._lanes[job.lane].holder = None
        self._finished.append(Finished.of(job, self._clock()))
        if job.generation is not None:
            await job.generation.close()


def parse_scheduler(text: str) -> Scheduler:
    """Read a scheduler as users write it: ``fair``, or ``rr:quantum=32,lanes=8,switch=text``.

    Raises:
        UnknownName: There is no such policy or setting.
        BadInput: A setting has a wrong value.
    """
    policy, _, rest = text.partition(":")
    settings: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise BadInput(f"in {text!r}: expected name=value, not {part!r}.")
        if name not in _SETTINGS:
            raise unknown_name("setting of a scheduler", name, _SETTINGS)
        try:
            settings[name] = msgspec.convert(value, _SETTINGS[name], strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(f"in {text!r}: {name}: {error}.") from None
    return Scheduler(policy, **settings)


_SETTINGS: dict[str, Any] = {"lanes": int, "quantum": int, "switch": Switch, "ageing": float}
