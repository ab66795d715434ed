"""A run of the gateway: the work is done elsewhere, the record is kept here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from collegium.api import Run
from collegium.errors import BadInput, CollegiumError
from collegium.guard import Guarding, Policy, run_limits
from collegium.kernel import Event, Kernel, Limits, RunStore
from collegium.kernel.kernel import OnText
from collegium.kernel.limits import Meter
from collegium.kernel.trace import current_run
from collegium.protocols.caller import Caller
from collegium.protocols.messages import Message
from collegium.protocols.relay import NoModel, Relay, Relayed, driver, relayed, spent
from collegium.systems import Result


async def _nobody(question: str) -> str:
    raise BadInput(f"the agent asked something back, which nobody can answer here: {question}")


async def pass_on(
    messages: Sequence[Message],
    caller: Caller,
    to: str,
    *,
    source: str,
    store: RunStore,
    policy: Policy | None,
    limits: Limits,
    meter: Meter,
    on_text: OnText,
    on_event: Callable[[Event], None],
    on_begin: Callable[[str, Kernel], None],
    origin: Mapping[str, Any],
    human: Callable[[str], Awaitable[str]] | None,
) -> tuple[Run, Relayed]:
    """Have an agent elsewhere answer, as a run of ours.

    Args:
        messages: What is said.
        caller: The agent.
        to: Its name.
        source: The protocol that the messages came in by.
        store: Where the run is kept.
        policy: What may be passed on (calls named ``@relay``).
        limits: What the run may take.
        meter: Of the client: what the agent says it has spent counts there.
        on_text: Called with what the agent says on the way.
        on_event: Called with every call that ended.
        on_begin: Called with the run's id and its kernel.
        origin: On whose behalf it runs.
        human: Answers the agent's questions; None: nobody does.

    Raises:
        ModelError: The agent failed, or cannot be reached.
    """
    guarding = None
    if policy is not None:
        guarding = Guarding(policy, human=human)
        limits = run_limits(policy, limits)
    task = "\n\n".join(m.text for m in messages)
    told = {key: value for key, value in origin.items() if value}
    spec = {"system": to, "task": task, "model": to, "roles": {}, "origin": told}
    run = store.begin("relay", "", spec)
    kernel = Kernel(
        NoModel(),
        limits=limits,
        interceptors=guarding.interceptors if guarding else (),
        drivers={Relay: driver(caller, lambda text: on_text("remote", 0, text))},
        sinks=[store.sink(run, to, "task"), on_event],
        human=human,
    )
    if guarding is not None:
        guarding.bind(kernel, task)
    on_begin(run, kernel)
    status = "interrupted"
    outside = current_run.set(run)
    try:
        done = await relayed(kernel, caller, to, messages, source=source, ask=human or _nobody)
        status = "done"
    except CollegiumError:
        status = "failed"
        raise
    finally:
        current_run.reset(outside)
        await kernel.aclose()
        store.finish(run, status)
    usage = spent(done.answer)
    meter.usage = meter.usage + usage
    notes = {"lost": list(done.lost), "there": done.answer.run}
    return (
        Run(
            id=run,
            system=to,
            model=to,
            result=Result(done.answer.text, notes=msgspec.to_builtins(notes)),
            limited="",
            calls=0,
            usage=usage,
            seconds=kernel.meter.seconds,
            events=tuple(kernel.trace.events),
            blocked=guarding.refusals if guarding else (),
        ),
        done,
    )
