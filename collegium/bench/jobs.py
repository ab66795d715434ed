"""One unit of a comparison: one system on one question."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec

from collegium.bench.diagnosis import diagnose
from collegium.bench.records import Outcome
from collegium.errors import BadInput, ModelError, Unreachable
from collegium.guard import Compiled, Guarding, Policy, counted, run_limits
from collegium.kernel import Event, Generate, Kernel, Limits, Message, Scheduler, Tool, Unparsed
from collegium.kernel.kernel import OnText
from collegium.kernel.memo import ReplyStore
from collegium.kernel.toolbox import Toolbox
from collegium.models.model import Model
from collegium.systems.solve import solve
from collegium.systems.system import System
from collegium.tasks.task import Item, Score, Task
from collegium.worlds import World, anew, drivers, opened

EVALUATOR = "evaluator"
"""The role of a model that judges, where a world needs one: ``--role evaluator=MODEL``."""


class Entry(msgspec.Struct, frozen=True):
    """A system in a comparison: its label as the user wrote it, and its bound parameters."""

    label: str
    system: System
    parameters: dict[str, Any]


def task_seed(seed: int, task: str) -> int:
    """Seed of every system's run on a task: the same for all, so that comparisons are paired."""
    digest = blake2b(f"{seed}/{task}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")


async def run_job(
    entry: Entry,
    item: Item,
    models: Mapping[str, Model],
    *,
    seed: int,
    budget: int | None,
    sinks: Sequence[Callable[[Event], None]] = (),
    journal: Sequence[Sequence[Event]] = (),
    cache: ReplyStore | None = None,
    on_text: OnText | None = None,
    scheduler: Scheduler | None = None,
    policy: Policy | Compiled | None = None,
    tools: Sequence[Tool] = (),
) -> Outcome:
    """Run one system on one question and judge its answer, or the world it leaves behind.

    A question with a world gets a new one, whose tools the kernel is given. So does a run that goes
    on from a journal: its moves are made again in the new world, while replies of the model are
    taken from the journal. Where the world answers as before, nothing is paid for again; where it
    does not, the run goes on live from there.

    Args:
        entry: The system with its parameters.
        item: The question with its scorer.
        models: Model by role ("" is the default).
        seed: Seed of the comparison.
        budget: Tokens the run may spend, None for no limit.
        sinks: Where trace events go.
        journal: Events of interrupted attempts, to go on from.
        cache: Where replies are kept for reuse, None for no cache.
        on_text: Called with pieces of text as they are written.
        scheduler: Decides whose model call comes next; shared by all jobs.
        policy: What the agents may do; None: everything.
        tools: Tools for the agents besides those of the question's world.

    Returns:
        The outcome. A model failure on this question is an outcome with ``error``.

    Raises:
        BadInput: Something is wrong that would fail every question (parameters, keys, weights).
        Unreachable: The model's server is gone.
    """
    run_seed = task_seed(seed, item.task.id)
    limits, guarding = Limits(tokens=budget), None
    answer: Any = None
    notes: dict[str, Any] = {}
    limited = error = ""
    async with placed(item, run_seed) as (task, world):
        if tools:
            names = (*task.tools, *(t.spec.name for t in tools))
            task = msgspec.structs.replace(task, tools=names)
        toolbox = Toolbox((*(world.tools if world else ()), *tools))
        if policy is not None:
            guarding = Guarding(policy, tools=toolbox)
            limits = run_limits(guarding.guard.policy, limits)
        kernel = Kernel(
            models,
            tools=toolbox,
            drivers=drivers(world) if world else None,
            limits=limits,
            interceptors=guarding.interceptors if guarding else (),
            seed=run_seed,
            sinks=sinks,
            journal=journal,
            anew=anew(world) if world else (),
            cache=cache,
            on_text=on_text,
            scheduler=scheduler,
            name=f"{entry.label}/{item.task.id}",
        )
        if guarding is not None:
            guarding.bind(kernel, task.text)
        try:
            solved = await solve(entry.system, task, kernel, entry.parameters)
            answer, notes, limited = solved.result.answer, solved.result.notes, solved.limited
        except (BadInput, Unreachable):
            raise
        except ModelError as failure:
            error = str(failure)
        score = await judged(item, world, answer, models.get(EVALUATOR))
    events = kernel.trace.events
    # A resumed run's clock starts anew; the time the interrupted attempts paid is in the events.
    replayed = [e for e in events if any(r.origin == "journal" for r in e.replies)]
    earlier = sum(e.seconds for attempt in journal for e in attempt) if replayed else 0.0
    usage = kernel.meter.usage
    outcome = Outcome(
        system=entry.label,
        task=item.task.id,
        stratum=item.task.stratum,
        prompt=task.text,
        reference=item.reference,
        answer=answer_text(answer),
        correct=score.correct and not error,
        value=0.0 if error else score.value,
        reason=score.reason,
        facts=score.facts,
        unparsed=not error and (answer is None or isinstance(answer, Unparsed)),
        limited=bool(limited),
        ended=limited,
        blocked=counted(guarding.refusals) if guarding else {},
        error=error,
        calls=kernel.meter.calls,
        tokens_prompt=usage.prompt,
        tokens_cached=usage.cached,
        tokens_completion=usage.completion,
        money=usage.money,
        seconds=kernel.meter.seconds + earlier,
        notes=msgspec.to_builtins(notes, enc_hook=repr),
    )
    findings = diagnose(events, task=task, outcome=outcome)
    return msgspec.structs.replace(outcome, findings=findings)


@asynccontextmanager
async def placed(item: Item, seed: int | None) -> AsyncIterator[tuple[Task, World | None]]:
    """The task of an item, and its world, open: what the world shows at first joins the prompt."""
    if item.world is None:
        yield item.task, None
        return
    async with opened(item.world, seed) as (world, seen):
        prompt = "\n\n".join(filter(None, (item.task.prompt, seen)))
        yield msgspec.structs.replace(item.task, prompt=prompt), world


async def ask(evaluator: Model, question: str) -> str:
    """Ask a model that judges; it is no part of what is judged, nor of its cost."""
    request = Generate(
        agent=EVALUATOR,
        role=EVALUATOR,
        messages=(Message("user", question),),
        temperature=0.0,
        max_tokens=64,
        seed=0,
    )
    return (await evaluator.generate(request))[0].text


async def judged(
    item: Item, world: World | None, answer: Any, evaluator: Model | None = None
) -> Score:
    """What an answer, or the world it was given in, is worth.

    Args:
        item: The task.
        world: Where it was acted in.
        answer: What was answered.
        evaluator: A model for worlds that need one to judge (they have an attribute ``ask``).
    """
    if world is not None:
        if evaluator is not None and hasattr(world, "ask"):
            world.ask = partial(ask, evaluator)  # type: ignore[attr-defined]
        return await world.judge(answer)
    assert item.score is not None  # an item has one of the two
    return await item.score(answer)


def answer_text(answer: object) -> str:
    """An answer as reports show it."""
    if answer is None or isinstance(answer, Unparsed):
        return ""
    if isinstance(answer, float) and math.isfinite(answer) and answer == int(answer):
        return str(int(answer))
    return str(answer)
