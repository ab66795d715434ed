"""Runs of ours as logs of Inspect, written by its own functions: ``inspect view`` opens them.

A log of Inspect is one solver on one task. So a run gives one log, and a comparison one for each of
its systems. Model calls become model events with their usage, calls of tools become tool events,
all within spans that bear the names of the agents; every other call is told as a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from collegium import __version__
from collegium.bench.inspect_bridge.model import PREFIX
from collegium.bench.inspect_bridge.wire import (
    plain_text,
    their_config,
    their_messages,
    their_output,
    their_tools,
    their_usage,
)
from collegium.bench.records import Outcome
from collegium.errors import BadInput, missing_extra
from collegium.kernel import Event, Generate, Usage
from collegium.kernel.calls import UseTool
from collegium.kernel.store import RunRow
from collegium.kernel.trace import plain

try:
    import inspect_ai
    from inspect_ai.dataset import Sample
    from inspect_ai.event import (
        ErrorEvent,
        InfoEvent,
        ModelEvent,
        SampleInitEvent,
        ScoreEvent,
        SpanBeginEvent,
        SpanEndEvent,
        ToolEvent,
    )
    from inspect_ai.event import Event as TheirEvent
    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalError,
        EvalLog,
        EvalMetric,
        EvalPlan,
        EvalPlanStep,
        EvalResults,
        EvalSample,
        EvalScore,
        EvalSpec,
        EvalStats,
        write_eval_log,
    )
    from inspect_ai.model import ModelOutput, ModelUsage
    from inspect_ai.scorer import Score
    from inspect_ai.tool import ToolCallError
except ImportError:
    raise missing_extra("inspect", "the bridge to Inspect AI") from None

SCORER = "collegium"
"""What the judgement is called in a log."""

Placed = tuple[str, str, Event]
"""A system, a task, and one of the events of the one at the other."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a log is made from.

    Attributes:
        run: Its id, or the name of the trace file.
        created: When it began; None: not known, as of a trace file.
        spec: What was run, as the run store keeps it.
        done: Whether it came to its end.
        events: What happened.
        outcomes: The judgements there are, by system and task.
    """

    run: str
    created: datetime | None
    spec: Mapping[str, Any]
    done: bool
    events: Sequence[Placed]
    outcomes: Mapping[tuple[str, str], Outcome]


def source_of_run(
    row: RunRow, events: Sequence[Placed], outcomes: Mapping[tuple[str, str], Outcome]
) -> Source:
    """A run of the run store as a source."""
    created = datetime.fromisoformat(row.created)
    return Source(
        run=row.id,
        created=created if created.tzinfo else created.astimezone(),
        spec=row.spec,
        done=row.status == "done",
        events=events,
        outcomes=outcomes,
    )


def write_logs(source: Source, out: Path) -> list[Path]:
    """Write a run as Inspect's logs.

    Args:
        source: The run.
        out: The file, ending in ``.eval`` or ``.json``. Of several systems each has a file of its
            own, with the system's name before the ending.

    Returns:
        The files.

    Raises:
        BadInput: There are no events, or the file cannot be written.
    """
    if out.suffix not in (".eval", ".json"):
        raise BadInput(f"Inspect's logs end in .eval or .json, not as {out.name} does.")
    systems = list(dict.fromkeys(system for system, _, _ in source.events))
    if not systems:
        raise BadInput(f"the run {source.run} has no events to write.")
    written: list[Path] = []
    for system in systems:
        file = out
        if len(systems) > 1:
            plain_name = "".join(c if c.isalnum() or c in "-_=" else "-" for c in system)
            file = out.with_name(f"{out.stem}.{plain_name}{out.suffix}")
        try:
            write_eval_log(log_of(source, system), str(file.absolute()))
        except OSError as error:
            raise BadInput(f"cannot write {file}: {error.strerror or error}.") from None
        written.append(file)
    return written


def log_of(source: Source, system: str) -> EvalLog:
    """What one system did in a run, as a log.

    Args:
        source: The run.
        system: The system, as the run labels it.
    """
    tasks: dict[str, list[Event]] = {}
    for label, task, event in source.events:
        if label == system:
            tasks.setdefault(task, []).append(event)
    began = source.created or datetime.now().astimezone()
    samples = [_sample(source, system, task, events, began) for task, events in tasks.items()]
    name, parameters = _solver(source, system)
    every = [e for events in tasks.values() for e in events]
    took = max((e.started + e.seconds for e in every), default=0.0)
    return EvalLog(
        status="success" if source.done else "cancelled",
        eval=EvalSpec(
            eval_id=f"{source.run}-{system}",
            run_id=source.run,
            created=began.isoformat(),
            task=str(source.spec.get("benchmark") or "run"),
            task_id=source.run,
            solver=f"{PREFIX}{name}",
            solver_args=parameters,
            dataset=EvalDataset(
                name=source.spec.get("benchmark"),
                samples=len(samples),
                sample_ids=[s.id for s in samples],  # pyright: ignore[reportArgumentType]
            ),
            model=_model_of(source, every),
            config=EvalConfig(epochs=1),
            packages={"collegium": __version__, "inspect_ai": inspect_ai.__version__},
            metadata={"collegium": plain(dict(source.spec))},
        ),
        plan=EvalPlan(steps=[EvalPlanStep(solver=f"{PREFIX}{name}", params=parameters)]),
        results=_results(samples),
        stats=EvalStats(
            started_at=began.isoformat(),
            completed_at=(began + timedelta(seconds=took)).isoformat(),
            model_usage=_usage(every),
        ),
        samples=samples,
    )


def _solver(source: Source, system: str) -> tuple[str, dict[str, Any]]:
    """The bare name of a system, and its parameters."""
    for entry in source.spec.get("systems", ()):  # a comparison
        if entry[0] == system:
            return str(entry[1]), dict(entry[2])
    name = (system or str(source.spec.get("system", "run"))).partition(":")[0]
    return name, dict(source.spec.get("parameters") or {})


def _model_of(source: Source, events: Sequence[Event]) -> str:
    named = source.spec.get("model") or next((e.model for e in events if e.model), "none")
    return f"{PREFIX}{named}"


def _usage(events: Iterable[Event]) -> dict[str, ModelUsage]:
    spent: dict[str, Usage] = {}
    for event in events:
        if isinstance(event.call, Generate) and event.replies:
            spent[event.model] = spent.get(event.model, Usage()) + event.usage
    return {f"{PREFIX}{model}": their_usage(usage) for model, usage in spent.items()}


def _results(samples: Sequence[EvalSample]) -> EvalResults:
    values = [s.scores[SCORER].as_float() for s in samples if s.scores]
    scores: list[EvalScore] = []
    if values:
        accuracy = EvalMetric(name="accuracy", value=sum(values) / len(values))
        scores = [EvalScore(name=SCORER, scorer=SCORER, metrics={"accuracy": accuracy})]
    ended = sum(s.error is None for s in samples)
    return EvalResults(total_samples=len(samples), completed_samples=ended, scores=scores)


def _sample(
    source: Source, system: str, task: str, events: Sequence[Event], began: datetime
) -> EvalSample:
    outcome = source.outcomes.get((system, task))
    prompt = outcome.prompt if outcome else str(source.spec.get("task") or _first_prompt(events))
    target = outcome.reference if outcome else ""
    last = max(events, key=lambda e: e.started + e.seconds)
    models = [e for e in events if isinstance(e.call, Generate) and e.replies]
    output = ModelOutput.from_content(_model_of(source, models), outcome.answer if outcome else "")
    if outcome is None and models:
        output = their_output(models[-1].model, models[-1].replies[:1], models[-1].seconds)
    judged = None
    if outcome is not None:
        judged = Score(value=outcome.value, answer=outcome.answer, explanation=outcome.reason)
    failed = outcome.error if outcome else (last.error if last.kind == "stop" else "")
    told = [SampleInitEvent(sample=Sample(input=prompt, target=target, id=task), state={})]
    log: list[TheirEvent] = [_at(told[0], began, 0.0), *_events(events, began)]
    if judged is not None:
        log.append(_at(ScoreEvent(score=judged, target=target), began, last.started + last.seconds))
    ended = began + timedelta(seconds=last.started + last.seconds)
    return EvalSample(
        id=task,
        epoch=1,
        input=prompt,
        target=target,
        messages=[*their_messages(_conversation(models)), *([output.message] if models else [])],
        output=output,
        scores={SCORER: judged} if judged else None,
        metadata={"limited": outcome.ended} if outcome and outcome.ended else {},
        events=log,
        model_usage=_usage(events),
        started_at=began.isoformat(),
        completed_at=ended.isoformat(),
        total_time=(ended - began).total_seconds(),
        error=EvalError(message=failed, traceback="", traceback_ansi="") if failed else None,
    )


def _first_prompt(events: Sequence[Event]) -> str:
    return next((e.call.messages[-1].text for e in events if isinstance(e.call, Generate)), "")


def _conversation(models: Sequence[Event]) -> Sequence[Any]:
    call = models[-1].call if models else None
    return call.messages if isinstance(call, Generate) else ()


# -- events -----------------------------------------------------------------------------


def _at(event: Any, began: datetime, seconds: float, span: str = "") -> Any:
    """An event at its time, in its span."""
    event.timestamp = began + timedelta(seconds=seconds)
    event.working_start = seconds
    event.span_id = span or None
    return event


def _events(events: Sequence[Event], began: datetime) -> list[TheirEvent]:
    """All calls in the order of their beginning; a span lasts while one agent acts."""
    told: list[TheirEvent] = []
    ordered = sorted(events, key=lambda e: (e.started, e.id))
    agent, span, number, time = "", "", 0, 0.0
    for event in ordered:
        if event.call.agent != agent:
            if span:
                told.append(_at(SpanEndEvent(id=span), began, time, span))
            agent, number = event.call.agent, number + 1
            span = f"{number}-{agent}"
            begin = SpanBeginEvent(id=span, name=agent, type="agent")
            told.append(_at(begin, began, event.started, span))
        time = event.started + event.seconds
        told += [_at(e, began, event.started, span) for e in told_of(event, began)]
    if span:
        told.append(_at(SpanEndEvent(id=span), began, time, span))
    return told


def told_of(event: Event, began: datetime) -> list[Any]:
    """What Inspect is told of a call.

    Args:
        event: The call and how it ended.
        began: When the run did.
    """
    ended = began + timedelta(seconds=event.started + event.seconds)
    call = event.call
    if isinstance(call, Generate):
        return [_model_event(event, call, ended)]
    if isinstance(call, UseTool):
        error = ToolCallError(type="unknown", message=event.error) if event.error else None
        return [
            ToolEvent(
                id=f"call-{event.id}",
                function=call.tool,
                arguments=msgspec.to_builtins(call.arguments, enc_hook=repr),
                result="" if error else plain_text(event.value),
                error=error,
                failed=True if error else None,
                completed=ended,
                agent=None,
                metadata={"call": event.id},
            )
        ]
    if event.kind == "stop":
        failure = EvalError(message=event.error, traceback="", traceback_ansi="")
        return [ErrorEvent(error=failure)]
    said: Any = msgspec.to_builtins(call, enc_hook=repr)
    said = {"kind": event.kind, **{k: v for k, v in said.items() if k != "type"}}
    said |= {"error": event.error} if event.error else {"value": plain(event.value)}
    data: Any = plain(said)
    return [InfoEvent(source=call.agent, data=data)]


def _model_event(event: Event, call: Generate, ended: datetime) -> ModelEvent:
    output = their_output(event.model, event.replies, event.seconds)
    output.usage = their_usage(event.usage)
    if event.error:
        output.error = event.error
    origins = {r.origin for r in event.replies}
    return ModelEvent(
        model=f"{PREFIX}{event.model}",
        role=call.role or None,
        input=their_messages(call.messages),
        tools=their_tools(call.tools),
        tool_choice="auto",
        config=their_config(call),
        output=output,
        error=event.error or None,
        cache="read" if origins & {"cache", "journal"} else None,
        completed=ended,
        working_time=event.seconds,
        metadata={"call": event.id, "outcome": event.outcome, "sources": list(call.sources)},
    )
