"""One unit of a comparison: one system on one question."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from collegium.bench.diagnosis import diagnose
from collegium.bench.records import Outcome
from collegium.errors import BadInput, ModelError, Unreachable
from collegium.guard import Compiled, Guarding, Policy, counted, run_limits
from collegium.kernel import Event, Kernel, Limits, Scheduler, Unparsed
from collegium.kernel.kernel import OnText
from collegium.kernel.memo import ReplyStore
from collegium.kernel.toolbox import Toolbox
from collegium.models.model import Model
from collegium.systems.solve import solve
from collegium.systems.system import System
from collegium.tasks.task import Item


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
) -> Outcome:
    """Run one system on one question and judge its answer.

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

    Returns:
        The outcome. A model failure on this question is an outcome with ``error``.

    Raises:
        BadInput: Something is wrong that would fail every question (parameters, keys, weights).
        Unreachable: The model's server is gone.
    """
    limits, tools = Limits(tokens=budget), Toolbox()
    guarding = None
    if policy is not None:
        guarding = Guarding(policy, tools=tools)
        limits = run_limits(guarding.guard.policy, limits)
    kernel = Kernel(
        models,
        tools=tools,
        limits=limits,
        interceptors=guarding.interceptors if guarding else (),
        seed=task_seed(seed, item.task.id),
        sinks=sinks,
        journal=journal,
        cache=cache,
        on_text=on_text,
        scheduler=scheduler,
        name=f"{entry.label}/{item.task.id}",
    )
    if guarding is not None:
        guarding.bind(kernel, item.task.text)
    answer: Any = None
    notes: dict[str, Any] = {}
    limited = error = ""
    try:
        solved = await solve(entry.system, item.task, kernel, entry.parameters)
        answer, notes, limited = solved.result.answer, solved.result.notes, solved.limited
    except (BadInput, Unreachable):
        raise
    except ModelError as failure:
        error = str(failure)
    score = await item.score(answer)
    events = kernel.trace.events
    # A resumed run's clock starts anew; the time the interrupted attempts paid is in the events.
    replayed = [e for e in events if any(r.origin == "journal" for r in e.replies)]
    earlier = sum(e.seconds for attempt in journal for e in attempt) if replayed else 0.0
    usage = kernel.meter.usage
    outcome = Outcome(
        system=entry.label,
        task=item.task.id,
        stratum=item.task.stratum,
        prompt=item.task.text,
        reference=item.reference,
        answer=answer_text(answer),
        correct=score.correct and not error,
        value=0.0 if error else score.value,
        reason=score.reason,
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
    findings = diagnose(events, task=item.task, outcome=outcome)
    return msgspec.structs.replace(outcome, findings=findings)


def answer_text(answer: object) -> str:
    """An answer as reports show it."""
    if answer is None or isinstance(answer, Unparsed):
        return ""
    if isinstance(answer, float) and math.isfinite(answer) and answer == int(answer):
        return str(int(answer))
    return str(answer)
