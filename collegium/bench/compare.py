"""Compare systems: same model, same questions, same seed, same budget; resumable at any point."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from time import perf_counter
from typing import Any

import msgspec

from collegium import __version__
from collegium.bench.debate import report_debates
from collegium.bench.jobs import Entry, run_job
from collegium.bench.machine import machine
from collegium.bench.records import Outcome, Report
from collegium.bench.summary import pair, rank, system_row
from collegium.errors import BadInput, CollegiumError
from collegium.guard import Compiled, Guarding, Policy, run_limits
from collegium.kernel import Event, Limits, RunStore, Scheduler, Tool
from collegium.kernel.history import counted
from collegium.kernel.scheduler import parse_scheduler
from collegium.models import open_model
from collegium.models.model import Model
from collegium.systems import parse_system
from collegium.tasks import load
from collegium.tasks.task import Benchmark, Item
from collegium.tools.servers import server_of, tools_of

OnOutcome = Callable[[Outcome, bool], None]
"""Called with every outcome as it is there; the flag says that it came from the store."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare, checked; two plans with the same :attr:`key` are the same comparison.

    Attributes:
        entries: The systems with their parameters.
        benchmark: The questions.
        model: Name of the default model.
        roles: Names of the models of particular roles.
        seed: Seed of everything random.
        limit: How many questions were asked for, None for all.
        budget: Tokens per question and system, None for no limit.
        exact: Whether the embedded engine works on one request at a time, so that a rerun is
            bit-identical; otherwise requests share it and prefixes are reused.
        scheduler: Who decides whose model call comes next, as users write it; None: nobody.
        policy: What the agents of every system may do; None: everything.
        servers: Servers whose tools every system is given.
    """

    entries: tuple[Entry, ...]
    benchmark: Benchmark
    model: str
    roles: dict[str, str]
    seed: int
    limit: int | None
    budget: int | None
    exact: bool
    scheduler: str | None = None
    policy: Policy | None = None
    servers: tuple[str, ...] = ()

    @property
    def spec(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "systems": [
                [e.label, e.system.name, msgspec.to_builtins(e.parameters)] for e in self.entries
            ],
            "benchmark": self.benchmark.name,
            "split": self.benchmark.split,
            "fingerprint": self.benchmark.fingerprint,
            "model": self.model,
            "roles": self.roles,
            "seed": self.seed,
            "limit": self.limit,
            "budget": self.budget,
            "exact": self.exact,
            **({"scheduler": self.scheduler} if self.scheduler else {}),
            **({"policy": msgspec.to_builtins(self.policy)} if self.policy is not None else {}),
            **({"servers": self.servers} if self.servers else {}),
        }

    @property
    def key(self) -> str:
        """Digest of the plan."""
        encoded = msgspec.json.encode(self.spec, order="sorted")
        return blake2b(encoded, digest_size=16).hexdigest()


def plan(
    systems: Sequence[str],
    *,
    on: str,
    model: str = "local",
    roles: Mapping[str, str] | None = None,
    limit: int | None = None,
    split: str = "test",
    seed: int = 0,
    budget: int | None = None,
    exact: bool = True,
    equal_generations: bool = False,
    scheduler: str | None = None,
    policy: Policy | None = None,
    servers: Sequence[str] = (),
) -> Plan:
    """Check what is to be compared, before anything is paid for.

    With ``equal_generations`` a comparison of unlike numbers of generations is refused. The tools
    of ``servers`` (``mcp:COMMAND``, ``mcp:http://...``) are given to every system.

    Raises:
        BadInput: A system, parameter, benchmark, file or number is wrong.
    """
    if not systems:
        raise BadInput("name at least one system to compare.")
    labels = [s.strip() for s in systems]
    twice = {s for s in labels if labels.count(s) > 1}
    if twice:
        raise BadInput(f"{sorted(twice)[0]!r} is named twice; give the second other parameters.")
    if limit is not None and limit < 1:
        raise BadInput(f"the number of questions must be at least 1, not {limit}.")
    limits = Limits(tokens=budget)
    if policy is not None:
        run_limits(policy, limits)
        Guarding(policy)
    if scheduler is not None:
        parse_scheduler(scheduler)
        if exact:
            raise BadInput(
                "a scheduler shares the engine between calls, which is not bit-identical; "
                "ask for it with --fast (exact=False)."
            )
    for server in servers:
        server_of(server)
    entries = tuple(Entry(label, *parse_system(label)) for label in labels)
    if equal_generations:
        require_equal_generations(entries)
    benchmark = load(on, split=split, limit=limit, seed=seed)
    for entry in entries if not servers else ():  # what servers bring is known once they run
        for item in benchmark.items:
            entry.system.require(item.task)
    return Plan(
        entries=entries,
        benchmark=benchmark,
        model=model,
        roles=dict(roles or {}),
        seed=seed,
        limit=limit,
        budget=budget,
        exact=exact,
        scheduler=scheduler,
        policy=policy,
        servers=tuple(servers),
    )


def require_equal_generations(entries: Sequence[Entry]) -> int:
    """The number of generations that all entries make per question.

    Raises:
        BadInput: They differ, or one of them has no fixed number.
    """
    costs = {e.label: e.system.cost and e.system.cost(e.parameters) for e in entries}
    if None in costs.values() or len(set(costs.values())) != 1:
        listed = ", ".join(f"{name}: {cost or 'not fixed'}" for name, cost in costs.items())
        raise BadInput(f"the budgets differ, so the comparison is refused ({listed} generations).")
    return next(c for c in costs.values() if c is not None)


async def compare(
    planned: Plan,
    store: RunStore,
    *,
    curve: bool = False,
    workers: int = 1,
    resume: bool = False,
    cache: bool = False,
    ray: str | None = None,
    command: str = "",
    on_start: Callable[[str], None] | None = None,
    on_outcome: OnOutcome | None = None,
) -> Report:
    """Run every system on every question and report.

    Finished results and every paid reply are kept as they come, so that a run killed at any point
    can be resumed without paying again.

    Args:
        planned: What to compare (see :func:`plan`).
        store: Where the run is kept.
        curve: Allow a ranking although spends differ, for a cost-accuracy curve.
        workers: Questions worked on at the same time.
        resume: Go on with the newest run of the same plan, if there is one.
        cache: Answer repeated requests from the response cache.
        ray: Address of a Ray cluster, or "auto"; None: this machine.
        command: The command line, for the report.
        on_start: Called with the run's id.
        on_outcome: Called with every outcome.

    Raises:
        BadInput: The models cannot be opened, or the budget is too small for a single call.
        Unreachable: The model's server is gone; what was finished is kept.
    """
    if workers < 1:
        raise BadInput(f"the number of workers must be at least 1, not {workers}.")
    began = perf_counter()
    earlier = store.latest(planned.key) if resume else None
    run = earlier.id if earlier else store.begin("compare", planned.key, planned.spec)
    if on_start:
        on_start(run)
    stored = store.results(run)
    done: dict[tuple[str, str], Outcome] = {}
    for entry in planned.entries:
        for item in planned.benchmark.items:
            data = stored.get((entry.label, item.task.id))
            if data is not None:
                outcome = msgspec.json.decode(data, type=Outcome)
                done[entry.label, item.task.id] = outcome
                if on_outcome:
                    on_outcome(outcome, True)
    # Question by question, all systems: an interrupted run is a smaller fair comparison.
    jobs = [
        (entry, item)
        for item in planned.benchmark.items
        for entry in planned.entries
        if (entry.label, item.task.id) not in done
    ]

    def finished(outcome: Outcome) -> None:
        done[outcome.system, outcome.task] = outcome
        if not outcome.error:  # a failed question is tried again on resume
            data = msgspec.json.encode(outcome)
            store.put_result(run, outcome.system, outcome.task, data)
        if on_outcome:
            on_outcome(outcome, False)

    scheduler = parse_scheduler(planned.scheduler) if planned.scheduler else None
    if scheduler is not None and ray is not None:
        raise BadInput("a scheduler works within one process, so it cannot go with a Ray cluster.")
    if planned.servers and ray is not None:
        raise BadInput("servers of tools are connected to from one process; leave out --ray.")
    status = "interrupted"
    try:
        if jobs and ray is not None:
            from collegium.bench.cluster import run_on_cluster

            await run_on_cluster(planned, jobs, run, store, finished, address=ray, workers=workers)
        elif jobs:
            models = await open_models(planned)
            async with tools_of(planned.servers) as tools:
                work = local_worker(planned, models, run, store, cache, scheduler, tools)
                await run_all(jobs, work, finished, workers)
        status = "done"
    except CollegiumError:
        status = "interrupted" if done else "failed"
        raise
    finally:
        store.finish(run, status, counted(store, run, "compare"))
    report = summarise(
        planned, run, store.run(run).created, done, curve, command, perf_counter() - began
    )
    if scheduler is not None and scheduler.finished:
        return msgspec.structs.replace(report, schedule=scheduler.report())
    return report


async def open_models(planned: Plan) -> dict[str, Model]:
    """The models of a plan by role; "" is the default."""
    names = {"": planned.model, **planned.roles}
    return {role: open_model(name, exact=planned.exact) for role, name in names.items()}


Work = Callable[[Entry, Item], Awaitable[Outcome]]


def local_worker(
    planned: Plan,
    models: Mapping[str, Model],
    run: str,
    store: RunStore,
    cache: bool,
    scheduler: Scheduler | None = None,
    tools: Sequence[Tool] = (),
) -> Work:
    """How one job is done on this machine."""
    policy = Compiled(planned.policy) if planned.policy is not None else None

    async def work(entry: Entry, item: Item) -> Outcome:
        task = item.task.id
        journal = store.attempts(run, entry.label, task)
        return await run_job(
            entry,
            item,
            models,
            seed=planned.seed,
            budget=planned.budget,
            sinks=[store.sink(run, entry.label, task)],
            journal=journal,
            cache=store if cache else None,
            scheduler=scheduler,
            policy=policy,
            tools=tools,
        )

    return work


async def run_all(
    jobs: Sequence[tuple[Entry, Item]],
    work: Work,
    finished: Callable[[Outcome], None],
    workers: int,
) -> None:
    """Do all jobs, at most ``workers`` at a time, in order of their start."""
    waiting = iter(jobs)

    async def worker() -> None:
        for entry, item in waiting:
            finished(await work(entry, item))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(workers, len(jobs))):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def summarise(
    planned: Plan,
    run: str,
    created: str,
    done: Mapping[tuple[str, str], Outcome],
    curve: bool,
    command: str,
    seconds: float,
) -> Report:
    """Make the report of the outcomes there are."""
    by_system = {
        e.label: [
            done[e.label, i.task.id]
            for i in planned.benchmark.items
            if (e.label, i.task.id) in done
        ]
        for e in planned.entries
    }
    rows = tuple(
        system_row(e.label, e.system.paper, e.parameters, by_system[e.label])
        for e in planned.entries
    )
    labels = [e.label for e in planned.entries]
    pairs = tuple(
        pair(a, b, by_system[a], by_system[b], planned.seed)
        for i, a in enumerate(labels)
        for b in labels[i + 1 :]
    )
    ranking, verdict, factor = rank(rows, pairs, curve=curve, controls=planned.benchmark.controls)
    return Report(
        run=run,
        created=created,
        command=command,
        benchmark=planned.benchmark.name,
        split=planned.benchmark.split,
        source=planned.benchmark.source,
        fingerprint=planned.benchmark.fingerprint,
        model=planned.model,
        roles=planned.roles,
        seed=planned.seed,
        limit=planned.limit,
        budget=planned.budget,
        exact=planned.exact,
        systems=rows,
        pairs=pairs,
        controls=planned.benchmark.controls,
        ranking=ranking,
        verdict=verdict,
        spend_factor=factor,
        curve=curve,
        policy=planned.policy,
        machine=machine(),
        version=__version__,
        seconds=seconds,
        debates={
            label: debates
            for label in labels
            if (debates := report_debates(planned.benchmark, by_system[label])) is not None
        },
        outcomes=tuple(o for label in labels for o in by_system[label]),
    )


def traces_of(store: RunStore, run: str) -> dict[tuple[str, str], list[Event]]:
    """All events of a run, grouped by system and task."""
    grouped: dict[tuple[str, str], list[Event]] = {}
    for system, task, event in store.events(run):
        grouped.setdefault((system, task), []).append(event)
    return grouped
