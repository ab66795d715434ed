"""Scheduling policies: whose model call comes next.

A policy holds the jobs that are ready and hands out the next one for a lane of the engine. It does
no waiting and no work itself, so a test can drive it with a clock of its own.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from collegium.errors import BadInput, unknown_name
from collegium.kernel.job import Job

_LOOK = 16
"""How many jobs of a level are looked at for a shared prefix; bounds the cost of a decision."""


class Policy(Protocol):
    """Chooses among ready jobs."""

    def add(self, job: Job, now: float) -> None:
        """A job is ready: new, or cut at the end of its quantum."""
        ...

    def pop(self, now: float, last: Job | None) -> Job | None:
        """The job that goes next on a lane; ``last`` is the one it worked on before."""
        ...

    def served(self, job: Job, tokens: int) -> None:
        """A slice of a job ended; called before the job is added again."""
        ...


class Fifo:
    """First in, first out, each to its end (AIOS, section 3.3)."""

    def __init__(self) -> None:
        self._ready: deque[Job] = deque()

    def add(self, job: Job, now: float) -> None:
        """Put a new job last; one that was cut for its model's sake goes on first."""
        if job.slices:
            self._ready.appendleft(job)
        else:
            self._ready.append(job)

    def pop(self, now: float, last: Job | None) -> Job | None:
        """The job that came first."""
        return _first(self._ready)

    def served(self, job: Job, tokens: int) -> None:
        """Nothing to note."""


class RoundRobin(Fifo):
    """A quantum each, then to the end of the line (AIOS, section 3.3)."""

    def add(self, job: Job, now: float) -> None:
        """Put a job last."""
        self._ready.append(job)


class Priority:
    """The highest priority first; waiting raises it, so that nobody starves.

    Args:
        ageing: Seconds of waiting that weigh as much as one step of priority.
    """

    def __init__(self, ageing: float = 10.0) -> None:
        if ageing <= 0:
            raise BadInput(f"ageing is a number of seconds above 0, not {ageing}.")
        self._ageing = ageing
        self._ready: list[tuple[float, int, Job]] = []

    def add(self, job: Job, now: float) -> None:
        """File a job under a key that does not change while it waits.

        All jobs age alike, so priority + (now - since) / ageing orders as priority - since/ageing.
        """
        heapq.heappush(self._ready, (now / self._ageing - job.priority, job.pid, job))

    def pop(self, now: float, last: Job | None) -> Job | None:
        """The job with the highest priority, ageing included."""
        while self._ready:
            job = heapq.heappop(self._ready)[2]
            if not job.gone:
                return job
        return None

    def served(self, job: Job, tokens: int) -> None:
        """Nothing to note."""


class _Shares:
    """Ready jobs by owner; the owner that has been served least goes first."""

    def __init__(self) -> None:
        self._owed: defaultdict[str, float] = defaultdict(float)
        self._queues: dict[str, deque[Job]] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._number = itertools.count().__next__
        self._time = 0.0

    def put(self, owner: str, job: Job) -> None:
        queue = self._queues.setdefault(owner, deque())
        if not queue:
            # who was away does not come back with a claim on all that others were served meanwhile
            self._owed[owner] = max(self._owed[owner], self._time)
            heapq.heappush(self._heap, (self._owed[owner], self._number(), owner))
        queue.append(job)

    def take(self) -> Job | None:
        while self._heap:
            owed, _, owner = self._heap[0]
            queue = self._queues[owner]
            while queue and queue[0].gone:
                queue.popleft()
            if not queue:
                heapq.heappop(self._heap)
            elif owed < self._owed[owner]:  # served since it was filed
                heapq.heapreplace(self._heap, (self._owed[owner], self._number(), owner))
            else:
                job = queue.popleft()
                self._time = owed
                heapq.heappop(self._heap)
                if queue:
                    heapq.heappush(self._heap, (owed, self._number(), owner))
                return job
        return None

    def serve(self, owner: str, amount: float) -> None:
        self._owed[owner] += amount


class Fair:
    """Tokens served per agent in proportion to weights (start-time fair queueing).

    Args:
        weights: Weight of each agent; 1 unless stated.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})
        if any(weight <= 0 for weight in self._weights.values()):
            raise BadInput("weights are above 0.")
        self._shares = _Shares()

    def add(self, job: Job, now: float) -> None:
        """File a job under its agent."""
        self._shares.put(job.owner, job)

    def pop(self, now: float, last: Job | None) -> Job | None:
        """A job of the agent that was served least for its weight."""
        return self._shares.take()

    def served(self, job: Job, tokens: int) -> None:
        """Count what an agent got."""
        self._shares.serve(job.owner, tokens / self._weights.get(job.agent, 1.0))


class LeastAttained:
    """Least attained service over whole runs, with a liking for shared prefixes.

    An agent program is a chain of calls: what its user waits for is the last of them. So all calls
    of a run count together, and the run that had least goes first: short ones are soon through,
    and no call need say beforehand how long it will be. Runs whose service differs by less than a
    doubling count as equal; among equals the job that shares the longest beginning with what lies
    in the lane goes first, since the engine has read that already.

    Args:
        quantum: Tokens of service that make the first level; each further level is twice as wide.
    """

    def __init__(self, quantum: int) -> None:
        self._quantum = quantum
        self._attained: defaultdict[str, int] = defaultdict(int)
        self._levels: defaultdict[int, deque[Job]] = defaultdict(deque)

    def _level(self, job: Job) -> int:
        return (self._attained[job.run] // self._quantum).bit_length()

    def add(self, job: Job, now: float) -> None:
        """File a job under its run's level."""
        self._levels[self._level(job)].append(job)

    def pop(self, now: float, last: Job | None) -> Job | None:
        """A job of the lowest level, the one with the longest shared beginning."""
        while self._levels:
            level = min(self._levels)
            jobs = self._levels[level]
            for _ in range(len(jobs)):  # a run may have been served since its job was filed
                if jobs[0].gone:
                    jobs.popleft()
                elif (now_at := self._level(jobs[0])) > level:
                    self._levels[now_at].append(jobs.popleft())
                else:
                    break
            if not jobs:
                del self._levels[level]
                continue
            place = self._nearest(jobs, last)
            job = jobs[place]
            del jobs[place]
            return job
        return None

    def _nearest(self, jobs: deque[Job], last: Job | None) -> int:
        if last is None:
            return 0
        near = [p for p in range(min(_LOOK, len(jobs))) if p == 0 or not jobs[p].gone]
        return max(near, key=lambda p: (shared(jobs[p], last), -p))

    def served(self, job: Job, tokens: int) -> None:
        """Count what a run got."""
        self._attained[job.run] += tokens


def shared(job: Job, other: Job) -> int:
    """Characters of the prompt of one job that begin the prompt of the other too."""
    count = 0
    for mine, theirs in zip(job.call.messages, other.call.messages, strict=False):
        if mine is not theirs and mine != theirs:
            break
        count += len(mine.text) + 1
    return count


def _first(ready: deque[Job]) -> Job | None:
    while ready:
        job = ready.popleft()
        if not job.gone:
            return job
    return None


POLICIES: Mapping[str, Callable[..., Policy]] = {
    "fifo": lambda quantum, **_: Fifo(),
    "rr": lambda quantum, **_: RoundRobin(),
    "priority": lambda quantum, ageing=10.0, **_: Priority(ageing),
    "fair": lambda quantum, weights=None, **_: Fair(weights),
    "las": lambda quantum, **_: LeastAttained(quantum),
}


def make_policy(name: str, quantum: int, **options: Any) -> Policy:
    """The policy of a name.

    Raises:
        UnknownName: There is none.
    """
    if name not in POLICIES:
        raise unknown_name("scheduling policy", name, POLICIES)
    return POLICIES[name](quantum, **options)
