"""A comparison spread over a Ray cluster: one task per system and question, the same results.

A worker process keeps the models it has opened, so an embedded engine starts once per worker.
Every node needs this version of the package, and what the models need: weights, keys, and files
under the same path.

The events of a question come back when it ends, fails or is stopped. A worker process that is
killed takes those of its question with it: the question is given to another worker, once, and its
calls are paid for again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec

from collegium import __version__
from collegium.bench.compare import Plan, run_all
from collegium.bench.jobs import Entry, run_job
from collegium.bench.records import Outcome
from collegium.errors import BadInput, CollegiumError, Unreachable, missing_extra
from collegium.guard import Policy
from collegium.kernel import Event, RunStore
from collegium.kernel.trace import decode_event, encode_event
from collegium.models import open_model
from collegium.tasks.task import Item

PROBE_SECONDS = 5.0
"""How long an address may take to accept a connection."""

CONNECT_SECONDS = 60.0
"""How long a cluster may take to answer."""

START_SECONDS = 120.0
"""How long a cluster started here may take; Ray itself waits for ever when a part of it dies."""

LEAVE_SECONDS = 30.0
"""How long leaving or stopping a cluster may take."""

STOP_SECONDS = 5.0
"""How long a cancelled question may take to hand over what it has paid for."""

OBJECT_STORE = 100_000_000
"""Bytes of shared memory of a cluster started here; jobs and answers are small."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to know to run one system on one question.

    Attributes:
        entry: The system with its parameters.
        item: The question with its scorer.
        models: Name of the model by role ("" is the default).
        exact: Whether embedded engines must be reproducible.
        seed: Seed of the comparison.
        budget: Tokens the run may spend, None for no limit.
        policy: What the agents may do, None for everything.
        journal: Encoded events of interrupted attempts.
        folder: Where relative paths begin.
        version: The version of this package that asks.
    """

    entry: Entry
    item: Item
    models: dict[str, str]
    exact: bool
    seed: int
    budget: int | None
    journal: list[list[bytes]]
    folder: str
    policy: Policy | None = None
    version: str = __version__


class Answer(msgspec.Struct, frozen=True):
    """What comes back: encoded events, and the outcome, the error, or None if it was stopped."""

    result: Outcome | CollegiumError | None
    events: list[bytes]


async def run_on_cluster(
    planned: Plan,
    jobs: Sequence[tuple[Entry, Item]],
    run: str,
    store: RunStore,
    finished: Callable[[Outcome], None],
    *,
    address: str,
    workers: int,
) -> None:
    """Do all jobs on a Ray cluster.

    Args:
        planned: The comparison they belong to.
        jobs: What is to be done.
        run: Id of the run in the store.
        store: Where events are kept.
        finished: Called with every outcome as it comes.
        address: ``HOST:PORT`` or ``ray://HOST:PORT``; "auto": a running cluster, or one started
            here and stopped at the end. A connection that the program has already is used as it
            is and left open.
        workers: Questions worked on at the same time; 1: as many as the cluster has processors.

    Raises:
        MissingExtra: Ray is not installed.
        BadInput: The cluster cannot be reached, or something is wrong that fails every question.
        Unreachable: A model's server is gone, or workers keep dying.
    """
    # Read by Ray when it is imported: what it has to say of dead workers it prints to standard
    # output, among our results; what matters of it comes back as an error.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        import ray
        from ray.exceptions import RayError, RayTaskError
    except ImportError:
        raise missing_extra("cluster", "a comparison on a Ray cluster") from None

    async with connection(ray, address, workers):
        submit = ray.remote(max_retries=1, scheduling_strategy="SPREAD")(do_job).remote

        async def work(entry: Entry, item: Item) -> Outcome:
            task = item.task.id
            what = f"{entry.label} on question {task}"
            job = Job(
                entry=entry,
                item=item,
                models={"": planned.model, **planned.roles},
                exact=planned.exact,
                seed=planned.seed,
                budget=planned.budget,
                policy=planned.policy,
                journal=[
                    [encode_event(event) for event in attempt]
                    for attempt in store.attempts(run, entry.label, task)
                ],
                folder=os.getcwd(),
            )
            keep = store.sink(run, entry.label, task)
            ref = submit(job)
            reply = asyncio.ensure_future(ref)
            try:
                answer = await asyncio.shield(reply)
            except asyncio.CancelledError:
                ray.cancel(ref)
                await asyncio.wait({reply}, timeout=STOP_SECONDS)
                if reply.done() and not reply.exception():
                    record(reply.result(), keep)
                raise
            except RayTaskError:  # a bug: it keeps its traceback
                raise
            except RayError as error:
                raise Unreachable(f"the cluster lost {what}: {_reason(error)}.") from None
            record(answer, keep)
            if isinstance(answer.result, Outcome):
                return answer.result
            raise answer.result or Unreachable(f"the cluster stopped {what}.")

        if workers == 1:
            resources = await asyncio.to_thread(ray.cluster_resources)
            workers = max(1, int(resources.get("CPU", 1)))
        await run_all(jobs, work, finished, workers)


def record(answer: Answer, keep: Callable[[Event], None]) -> None:
    """Hand the events of an answer to a sink of the store."""
    for event in answer.events:
        keep(decode_event(event))


def do_job(job: Job) -> Answer:
    """Run one job in this process; what the user can act on is returned, not raised."""
    events: list[bytes] = []

    def keep(event: Event) -> None:
        events.append(encode_event(event))

    async def work() -> Outcome:
        return await run_job(
            job.entry,
            job.item,
            {role: open_model(name, exact=job.exact) for role, name in job.models.items()},
            seed=job.seed,
            budget=job.budget,
            policy=job.policy,
            sinks=[keep],
            journal=[[decode_event(event) for event in attempt] for attempt in job.journal],
        )

    if job.version != __version__:
        return Answer(
            BadInput(f"the cluster has collegium {__version__}, but {job.version} is needed."), []
        )
    with contextlib.suppress(OSError):  # another machine may not have it, and need not
        os.chdir(job.folder)
    try:
        return Answer(asyncio.run(work()), events)
    except CollegiumError as error:
        return Answer(error, events)
    except KeyboardInterrupt:  # so a task learns that it is cancelled
        return Answer(None, events)


@contextlib.asynccontextmanager
async def connection(ray: Any, address: str, workers: int) -> AsyncIterator[None]:
    """Be connected to a cluster; a connection that was there before stays.

    Args:
        ray: The library.
        address: As :func:`run_on_cluster` takes it.
        workers: Processors of a cluster that is started here; 1: as many as there are.

    Raises:
        BadInput: There is no cluster at the address, or none can be started here.
    """
    if ray.is_initialized():
        yield
        return
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or "auto"
    here = address in ("auto", "local")
    if not here:
        await _probe(address)
    # One thread holds the connection from beginning to end: the processes of a cluster started
    # here die with the thread that started them, and nobody need wait for a thread that hangs.
    ready: Future[None] = Future()
    leave = threading.Event()

    def hold() -> None:
        try:
            _connect(ray, address, workers)
        except BaseException as error:
            ready.set_exception(error)
            return
        ready.set_result(None)
        leave.wait()
        ray.shutdown()

    thread = threading.Thread(target=hold, name="ray", daemon=True)
    thread.start()
    try:
        connected = asyncio.shield(asyncio.wrap_future(ready))
        try:
            await asyncio.wait_for(connected, START_SECONDS if here else CONNECT_SECONDS)
        except Exception as error:
            raise BadInput(f"cannot use the Ray cluster {address!r}: {_reason(error)}.") from None
        yield
    finally:
        leave.set()
        if ready.done():
            await asyncio.to_thread(thread.join, LEAVE_SECONDS)


def _connect(ray: Any, address: str, workers: int) -> None:
    """Connect to a cluster, or start one where "auto" finds none; quiet and blocking."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address != "local":
        try:
            ray.init(address=address, **quiet)
            return
        except ConnectionError:
            if address != "auto":
                raise
    ray.init(
        address="local",
        num_cpus=workers if workers > 1 else None,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE,
        **quiet,
    )


async def _probe(address: str) -> None:
    """See whether anything listens at an address; Ray itself would try for minutes.

    Raises:
        BadInput: It is not an address, or nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise BadInput(
            f"a Ray cluster is named HOST:PORT, ray://HOST:PORT or auto, not {address!r}."
        )
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, OverflowError, ValueError):
        raise BadInput(f"there is no Ray cluster at {address}: nothing answers.") from None
    writer.close()


def _reason(error: BaseException) -> str:
    """The first line of what an error says, without its last mark."""
    lines = str(error).strip().splitlines() or ["no answer"]
    return lines[0].rstrip(".:")
