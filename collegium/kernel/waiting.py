"""What scheduling did to the jobs: waiting, turnaround, fairness, throughput."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from collegium.kernel.job import Job, Slice


class Finished(msgspec.Struct, frozen=True):
    """A job that has ended. Times are on the scheduler's clock.

    Attributes:
        pid: Its number.
        run: The run it belonged to.
        agent: Who called.
        status: "done" or "error".
        created: When it arrived.
        ended: When it ended.
        slices: The work done on it.
    """

    pid: int
    run: str
    agent: str
    status: str
    created: float
    ended: float
    slices: tuple[Slice, ...]

    @classmethod
    def of(cls, job: Job, now: float) -> Finished:
        """The record of a job that ends now."""
        ended = job.slices[-1].end if job.slices and job.status == "done" else now
        return cls(job.pid, job.run, job.agent, job.status, job.created, ended, tuple(job.slices))

    @property
    def service(self) -> float:
        """Time it was worked on."""
        return sum(s.end - s.start for s in self.slices)

    @property
    def turnaround(self) -> float:
        """Time from arrival to end."""
        return self.ended - self.created

    @property
    def waiting(self) -> float:
        """Time it was there without being worked on."""
        return self.turnaround - self.service

    @property
    def response(self) -> float:
        """Time until work on it began."""
        return self.slices[0].start - self.created if self.slices else self.turnaround

    @property
    def tokens(self) -> int:
        """Tokens written for it."""
        return sum(s.tokens for s in self.slices)


class ScheduleReport(msgspec.Struct, frozen=True):
    """All jobs together. Times in seconds (of the scheduler's clock).

    Attributes:
        policy: The policy.
        quantum: Tokens per slice; None: jobs ran to their end.
        jobs: How many ended.
        errors: How many of them failed.
        makespan: From the first arrival to the last end.
        waiting_mean: Mean waiting time.
        waiting_p50: Its median.
        waiting_p90: Its 90th percentile (the smallest value that 90 % do not exceed).
        turnaround_mean: Mean turnaround time.
        turnaround_p50: Its median.
        turnaround_p90: Its 90th percentile.
        response_mean: Mean time until work began.
        jain: Jain's fairness index over agents, of tokens per second of turnaround: 1 when all
            were served at the same rate, 1/n when one had everything.
        calls_per_second: Throughput in jobs.
        tokens_per_second: Throughput in tokens written.
        snapshots: Engine states kept.
        restores: Engine states put back.
    """

    policy: str
    quantum: int | None
    jobs: int
    errors: int
    makespan: float
    waiting_mean: float
    waiting_p50: float
    waiting_p90: float
    turnaround_mean: float
    turnaround_p50: float
    turnaround_p90: float
    response_mean: float
    jain: float
    calls_per_second: float
    tokens_per_second: float
    snapshots: int
    restores: int


def report_of(
    jobs: Sequence[Finished], policy: str, quantum: int | None, snapshots: int, restores: int
) -> ScheduleReport:
    """Sum up the jobs that have ended."""
    waiting = sorted(j.waiting for j in jobs)
    turnaround = sorted(j.turnaround for j in jobs)
    makespan = max((j.ended for j in jobs), default=0.0) - min((j.created for j in jobs), default=0)
    served: defaultdict[str, float] = defaultdict(float)
    present: defaultdict[str, float] = defaultdict(float)
    for job in jobs:
        served[f"{job.run}/{job.agent}"] += job.tokens
        present[f"{job.run}/{job.agent}"] += job.turnaround
    rates = [served[who] / present[who] for who in served if present[who] > 0]
    return ScheduleReport(
        policy=policy,
        quantum=quantum,
        jobs=len(jobs),
        errors=sum(j.status == "error" for j in jobs),
        makespan=makespan,
        waiting_mean=_mean(waiting),
        waiting_p50=percentile(waiting, 50),
        waiting_p90=percentile(waiting, 90),
        turnaround_mean=_mean(turnaround),
        turnaround_p50=percentile(turnaround, 50),
        turnaround_p90=percentile(turnaround, 90),
        response_mean=_mean([j.response for j in jobs]),
        jain=jain(rates),
        calls_per_second=len(jobs) / makespan if makespan else 0.0,
        tokens_per_second=sum(j.tokens for j in jobs) / makespan if makespan else 0.0,
        snapshots=snapshots,
        restores=restores,
    )


def jain(rates: Sequence[float]) -> float:
    """Jain's fairness index (sum x)^2 / (n sum x^2) (Jain, Chiu and Hawe, 1984).

    Returns:
        Between 1/n and 1; 1 when there is nobody or nothing was served.
    """
    squares = sum(rate * rate for rate in rates)
    return sum(rates) ** 2 / (len(rates) * squares) if squares else 1.0


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest of the ordered values that at least so many percent do not exceed."""
    if not ordered:
        return 0.0
    place = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(0, int(place) - 1)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
