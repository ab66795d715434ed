"""The public functions: run one system on one task, compare several on many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from collegium.errors import BadInput, CollegiumError
from collegium.kernel import Call, Event, Kernel, Limits, RunStore, Tool, Unparsed, Usage
from collegium.kernel.kernel import Driver, Interceptor, OnText
from collegium.kernel.store import Totals, default_path
from collegium.kernel.toolbox import Toolbox
from collegium.kernel.trace import current_run
from collegium.models import open_model
from collegium.systems import Result, parse_system
from collegium.systems.solve import solve
from collegium.tasks.task import AnswerKind, Item, Score, Task

if TYPE_CHECKING:
    from collegium.bench.compare import OnOutcome
    from collegium.bench.records import Report
    from collegium.guard import Change, Policy, Refusal
    from collegium.guard.update import Written
    from collegium.models.model import Model
    from collegium.worlds import World

T = TypeVar("T")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One system's run on one task.

    Attributes:
        id: Its id in the run store.
        system: Name of the system.
        model: Name of the default model.
        result: What the system returned; its ``answer`` is the answer.
        limited: The sentence of the limit or guard that ended it, "" when none did.
        calls: Generations.
        usage: Tokens and money.
        seconds: Wall-clock time.
        events: The trace.
        blocked: The calls that its policy did not let through.
        policy_changes: How its policy changed while it ran.
        policy_written: What a model wrote into its policy; None where none was to write.
        score: What the answer, or the world that was acted in, is worth; None for a bare task.
    """

    id: str
    system: str
    model: str
    result: Result
    limited: str
    calls: int
    usage: Usage
    seconds: float
    events: tuple[Event, ...]
    blocked: tuple[Refusal, ...] = ()
    policy_changes: tuple[Change, ...] = ()
    policy_written: Written | None = None
    score: Score | None = None

    @property
    def answer(self) -> Any:
        """The system's answer; None when it has none (abstained, or ended by a limit)."""
        answer = self.result.answer
        return None if isinstance(answer, Unparsed) else answer

    def _repr_html_(self) -> str:
        from collegium.bench.html import run_snippet
        from collegium.bench.jobs import answer_text

        bill = {
            "system": self.system,
            "model": self.model,
            "calls": self.calls,
            "tokens": f"{self.usage.tokens:,}",
            "seconds": f"{self.seconds:.1f}",
            "money": f"${self.usage.money:.2g}",
            "limit": self.limited or "none reached",
            **({"blocked": f"{len(self.blocked)} calls"} if self.blocked else {}),
            "run": self.id,
        }
        return run_snippet(answer_text(self.result.answer) or "no answer", bill)


async def arun(
    system: str,
    task: str | Task | Item,
    *,
    model: str | Model = "local",
    roles: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    answer: AnswerKind = "text",
    limits: Limits = Limits(),
    seed: int | None = None,
    exact: bool | None = None,
    policy: Policy | Path | str | None = None,
    tools: Iterable[Tool] | Toolbox = (),
    interceptors: Sequence[Interceptor] = (),
    drivers: Mapping[type[Call], Driver] | None = None,
    cache: bool = False,
    store: RunStore | Path | None = None,
    on_text: OnText | None = None,
    on_event: Callable[[Event], None] | None = None,
    on_begin: Callable[[str, Kernel], None] | None = None,
    origin: Mapping[str, Any] | None = None,
    human: Callable[[str], Awaitable[str]] | None = None,
    resume: str = "",
    screens: bool = False,
) -> Run:
    """Run a system on a task.

    Args:
        system: Name, with parameters if wished: "mad" or "mad:agents=4,rounds=2".
        task: The question, a whole :class:`Task`, or an item of a benchmark: then what comes of it
            is judged, and a world it has is opened and acted in.
        model: The default model ("local", "local-small", "openai:...", "script:..."), or a model
            that somebody made.
        roles: Models of particular agents or roles, by name.
        params: Hyper-parameters, in addition to those in ``system``.
        answer: Kind of answer wanted when ``task`` is a string.
        limits: What the run may spend.
        seed: Fix it to make the run repeatable.
        exact: One request at a time on the embedded engine, bit-identical when repeated; by
            default whenever a seed is fixed.
        policy: What the agents may do, or a policy file; None: everything.
        tools: Tools that the system may give its agents.
        interceptors: Extra interceptors around every call.
        drivers: Drivers of further kinds of calls, such as a memory and files that stay:
            ``collegium.kernel.lasting.resources(folder)``.
        cache: Answer repeated requests from the response cache.
        store: The run store or its path; None: the user's own.
        on_text: Called with pieces of text as they are written.
        on_event: Called with every finished call.
        on_begin: Called with the run's id and its kernel before the first call.
        origin: On whose behalf it runs, kept with the run; ``parent`` is the id of the run that
            asked for this one, by default the one it is started from.
        human: Answers questions to the user.
        resume: The id of a run that was interrupted: it is gone on with, and what its trace holds
            is neither asked nor paid for again. Everything else must be as it was.
        screens: Keep in the trace what a world that can be seen shows, after every move.

    Raises:
        BadInput: A name, parameter or limit is wrong, or the run to go on with is another one.
        ModelError: The model could not answer.
    """
    if isinstance(task, Item):
        if resume:
            raise BadInput("a run in a world cannot be gone on with: its world is gone.")
        options = {
            "model": model,
            "roles": roles,
            "params": params,
            "limits": limits,
            "seed": seed,
            "exact": exact,
            "policy": policy,
            "interceptors": interceptors,
            "cache": cache,
            "store": store,
            "on_text": on_text,
            "on_event": on_event,
            "human": human,
            "on_begin": on_begin,
            "origin": origin,
        }
        return await _placed_run(system, task, tools, dict(drivers or {}), options, screens)
    chosen, parameters = parse_system(system)
    parameters |= {k: v for k, v in chosen.bind(params or {}).items() if k in (params or {})}
    if isinstance(task, str):
        task = Task(id="task", prompt=task, answer=answer)
    chosen.require(task)
    exact = seed is not None if exact is None else exact
    policy = read_policy(policy)
    tools = tools if isinstance(tools, Toolbox) else Toolbox(tools)
    guarding = None
    if policy is not None:
        from collegium.guard import Guarding, run_limits

        guarding = Guarding(policy, tools=tools, human=human)
        limits = run_limits(policy, limits)
        interceptors = [*guarding.interceptors, *interceptors]
    named = model if isinstance(model, str) else model.name
    models = {role: open_model(name, exact=exact) for role, name in (roles or {}).items()}
    models[""] = open_model(model, exact=exact) if isinstance(model, str) else model
    opened = store if isinstance(store, RunStore) else RunStore(store or default_path())
    spec = {
        "system": system,
        "parameters": msgspec.to_builtins(parameters),
        "task": task.text,
        "model": named,
        "roles": dict(roles or {}),
        "seed": seed,
        **({"policy": msgspec.to_builtins(policy)} if policy is not None else {}),
    }
    origin = {"parent": current_run.get(), **(origin or {})}
    if any(origin.values()):
        spec["origin"] = {key: value for key, value in origin.items() if value}
    run = _again(opened, resume, spec) if resume else opened.begin("run", "", spec)
    journal = opened.attempts(run, system, task.id) if resume else ()
    sinks = [opened.sink(run, system, task.id)]
    if on_event:
        sinks.append(on_event)
    kernel = Kernel(
        models,
        tools=tools,
        limits=limits,
        seed=seed,
        interceptors=interceptors,
        drivers=drivers,
        sinks=sinks,
        cache=opened if cache else None,
        journal=journal,
        on_text=on_text,
        human=human,
    )
    if guarding is not None:
        guarding.bind(kernel, task.text)
    if on_begin is not None:
        on_begin(run, kernel)
    status, answered, limited = "interrupted", "", ""
    outside = current_run.set(run)
    try:
        solved = await solve(chosen, task, kernel, parameters)
        from collegium.bench.jobs import answer_text

        status, limited = "done", solved.limited
        answered = answer_text(solved.result.answer)
    except CollegiumError:
        status = "failed"
        raise
    finally:
        current_run.reset(outside)
        spent = kernel.meter
        opened.finish(
            run, status, Totals(answered, limited, spent.calls, spent.usage, spent.seconds)
        )
        if opened is not store:
            opened.close()
    return Run(
        id=run,
        system=system,
        model=named,
        result=solved.result,
        limited=solved.limited,
        calls=kernel.meter.calls,
        usage=kernel.meter.usage,
        seconds=kernel.meter.seconds,
        events=tuple(kernel.trace.events),
        blocked=guarding.refusals if guarding else (),
        policy_changes=guarding.changes if guarding else (),
        policy_written=guarding.writing if guarding else None,
    )


def _again(store: RunStore, run: str, spec: Mapping[str, Any]) -> str:
    """Take up an interrupted run; gives its id.

    Raises:
        UnknownName: There is no such run.
        BadInput: It is done, or was of another system, task, model, seed or policy.
    """
    row = store.run(run)
    if row.kind != "run" or row.status not in ("interrupted", "failed"):
        raise BadInput(f"run {row.id} is {row.status}: only an interrupted run is gone on with.")
    asked = msgspec.json.decode(msgspec.json.encode(spec))
    for name in dict.fromkeys([*asked, *row.spec]):
        if name != "origin" and asked.get(name) != row.spec.get(name):
            raise BadInput(f"run {row.id} was of another {name}; to go on, ask for the same.")
    store.finish(row.id, "running")
    return row.id


async def _placed_run(
    system: str,
    item: Item,
    tools: Iterable[Tool] | Toolbox,
    known: dict[type[Call], Driver],
    options: Mapping[str, Any],
    screens: bool,
) -> Run:
    """Run a system on an item, in its world if it has one, and judge what comes of it."""
    from collegium.bench.jobs import EVALUATOR, judged, placed
    from collegium.worlds import Visible, drivers

    async with placed(item, options["seed"]) as (task, world):
        box = tools if isinstance(tools, Toolbox) else Toolbox(tools)
        for one in world.tools if world else ():
            box.add(one)
        if world:
            known |= drivers(world)
        if screens and world is not None and isinstance(world, Visible):
            options = _seen(world, options)
        done = await arun(system, task, tools=box, drivers=known, **options)
        name = (options["roles"] or {}).get(EVALUATOR)
        evaluator = open_model(name) if name else None
        score = await judged(item, world, done.result.answer, evaluator)
    return msgspec.structs.replace(done, score=score)


def _seen(world: World, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a run that looks at its world."""
    from collegium.worlds import Looking

    looking, begun = Looking(world), options["on_begin"]

    def begin(run: str, kernel: Kernel) -> None:
        looking.bind(kernel)
        if begun is not None:
            begun(run, kernel)

    # innermost: a move that a guard refuses shows nothing new
    interceptors = [*options["interceptors"], looking]
    return {**options, "interceptors": interceptors, "on_begin": begin}


def read_policy(policy: Policy | Path | str | None) -> Policy | None:
    """The policy meant: itself, or the file's.

    Raises:
        PolicyError: The file cannot be read or is not a policy.
    """
    if not isinstance(policy, str | Path):
        return policy
    from collegium.guard import load_policy

    return load_policy(policy)


def run(system: str, task: str | Task | Item, **options: Any) -> Run:
    """Run a system on a task and wait for it; the options are those of :func:`arun`.

    Works in scripts and inside a running event loop (notebooks).
    """
    return wait(arun(system, task, **options))


async def acompare(
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
    policy: Policy | Path | str | None = None,
    servers: Sequence[str] = (),
    curve: bool = False,
    workers: int = 1,
    resume: bool = False,
    cache: bool = False,
    ray: str | None = None,
    scheduler: str | None = None,
    store: RunStore | Path | None = None,
    on_outcome: OnOutcome | None = None,
) -> Report:
    """Compare systems on a benchmark or a file of questions.

    Args:
        systems: Names, with parameters if wished.
        on: A benchmark ("gsm-symbolic", "mmlu:anatomy") or a .jsonl or .csv file.
        model: The default model.
        roles: Models of particular agents or roles.
        limit: How many questions; None: all.
        split: "test", "validation" or "train".
        seed: Fixes questions, sampling and bootstrap.
        budget: Tokens per question and system.
        exact: Bit-identical reruns on the embedded engine; False is faster.
        policy: What the agents of all systems may do, or a policy file; None: everything.
        servers: Servers whose tools every system is given: ``mcp:COMMAND``, ``mcp:http://...``.
        curve: Rank even though spends differ, as points of a cost-accuracy curve.
        workers: Questions worked on at the same time.
        resume: Go on with the newest run of the same comparison.
        cache: Answer repeated requests from the response cache.
        ray: Address of a Ray cluster or "auto".
        scheduler: Whose model call comes next ("fair", "rr:quantum=32"), with ``exact=False``.
        store: The run store or its path; None: the user's own.
        on_outcome: Called with every outcome as it comes.

    Raises:
        BadInput: A name, file, number or parameter is wrong.
        Unreachable: The model's server is gone; what was finished is kept.
    """
    from collegium.bench.compare import compare as compare_
    from collegium.bench.compare import plan

    planned = plan(
        systems,
        on=on,
        model=model,
        roles=roles,
        limit=limit,
        split=split,
        seed=seed,
        budget=budget,
        exact=exact,
        scheduler=scheduler,
        policy=read_policy(policy),
        servers=servers,
    )
    opened = store if isinstance(store, RunStore) else RunStore(store or default_path())
    try:
        return await compare_(
            planned,
            opened,
            curve=curve,
            workers=workers,
            resume=resume,
            cache=cache,
            ray=ray,
            on_outcome=on_outcome,
        )
    finally:
        if opened is not store:
            opened.close()


def compare(systems: Sequence[str], **options: Any) -> Report:
    """Compare systems and wait for the report; the options are those of :func:`acompare`."""
    return wait(acompare(systems, **options))


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also from inside a running event loop (in a thread then)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: list[T] = []
    failure: list[BaseException] = []

    def in_thread() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
