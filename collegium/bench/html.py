"""The report as one HTML file that needs nothing else, and as snippets for notebooks.

Everything a model wrote is hostile text: templates escape it all, and the page's content security
policy allows no script but the page's own and no request to anywhere. Without scripting the page
still shows everything; the script only filters questions and opens the one in the address.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from collegium.bench.debate import describe
from collegium.bench.diagnosis import MODES
from collegium.bench.diagnosis.words import SCOPE
from collegium.bench.plots import COLOURS, accuracy_plot, cost_plot, strata_plot
from collegium.bench.records import Outcome, Report, SystemRow
from collegium.bench.statistics import holm
from collegium.bench.summary import (
    blocked_calls,
    decided_by_own_tests,
    facts_told,
    pareto,
    score,
    unequal_generations,
)
from collegium.bench.words import p_value, percent, points, short_names
from collegium.errors import MissingExtra
from collegium.kernel.trace import Event

TRANSCRIPT_BYTES = 15_000_000
"""How much of a report may be transcripts, in bytes."""

Traces = Mapping[tuple[str, str], Sequence[Event]]
"""The events of every run by (system as named in the report, task id), in the order recorded."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How one system did on one question, as the page shows it.

    Attributes:
        system: Name of the system.
        state: "right", "wrong", "partial", "unparsed", "failed" or "absent".
        sign: The state as one character, so that colour is never the only cue.
        words: The state in words, limits included.
        outcome: What happened; None when the question was not run.
        transcript: The rendered run, "" when there is none or it was left out.
        left_out: There is a run, but the file would have grown too large.
        events: How many events the run has.
    """

    system: str
    state: str
    sign: str
    words: str
    outcome: Outcome | None
    transcript: str = ""
    left_out: bool = False
    events: int = 0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the per-question table; ``tags`` are the filters it answers to."""

    number: int
    task: str
    stratum: str
    prompt: str
    reference: str
    marks: tuple[Mark, ...]
    tags: tuple[str, ...]


def write_html(
    report: Report, path: Path, traces: Traces, *, transcript_bytes: int = TRANSCRIPT_BYTES
) -> None:
    """Write the report as one self-contained HTML file, whole or not at all.

    Args:
        report: The comparison.
        path: Where to write; missing folders are made.
        traces: Events of the runs by (system, task); runs without any show no transcript.
        transcript_bytes: Transcripts beyond this many bytes are left out, and the page says so.

    Raises:
        OSError: The file cannot be written.
    """
    text = render(report, traces, transcript_bytes=transcript_bytes)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # Half a surrogate pair in a model's reply must not cost the report.
        partial.write_bytes(text.encode("utf-8", "replace"))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def render(report: Report, traces: Traces, *, transcript_bytes: int = TRANSCRIPT_BYTES) -> str:
    """The page of :func:`write_html` as text."""
    rows = ordered(report)
    questions = _questions(report, rows, traces, transcript_bytes)
    marks = [m for q in questions for m in q.marks]
    plots, plots_missing = _plots(report, rows)
    script = source("script.html.j2")
    return template("report.html.j2").render(
        report=report,
        verdict=_headline(report.verdict),
        rows=rows,
        short=short_names([r.name for r in rows]),
        front=pareto(rows),
        pairs=list(zip(report.pairs, holm([p.p for p in report.pairs]), strict=True)),
        unequal=unequal_generations(rows),
        modes=[m for m in MODES if any(m.code in r.modes for r in rows)],
        diagnosed=sum(r.diagnosed for r in rows),
        scope=SCOPE,
        blocked=[f"{r.name}: {b}" for r in rows if (b := blocked_calls(r.blocked, 12))],
        own_tests=[f"{r.name}: {t}" for r in rows if (t := decided_by_own_tests(r))],
        facts=[f"{r.name}: {t}." for r in rows if (t := facts_told(r))],
        debates=[describe(name, found) for name, found in report.debates.items()],
        partial=_partial(report.outcomes),
        mean_scores=_mean_scores(report.outcomes),
        plots=plots,
        plots_missing=plots_missing,
        questions=questions,
        colours=COLOURS,
        left_out=sum(m.left_out for m in marks),
        transcripts=sum(m.left_out or bool(m.transcript) for m in marks),
        style=Markup(source("style.html.j2")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def report_snippet(report: Report) -> str:
    """The report as compact HTML without script, for ``_repr_html_`` in notebooks."""
    rows = [
        [
            r.name,
            f"{percent(r.accuracy)} ({percent(r.ci_low)} to {percent(r.ci_high)})",
            f"{r.correct:,}/{r.n:,}",
            f"{r.tokens_per_task:,.0f}",
            _decimal(r.calls / r.n if r.n else 0.0),
            _decimal(r.seconds / r.n if r.n else 0.0),
            _money(r.money),
        ]
        for r in ordered(report)
    ]
    return template("snippet.html.j2").render(
        title=f"{report.benchmark} ({report.split}), {report.model}, seed {report.seed}",
        text=report.verdict,
        head=["system", "accuracy (95%)", "right", "tokens/task", "calls/task", "s/task", "money"],
        rows=rows,
    )


def run_snippet(answer: str, bill: Mapping[str, object]) -> str:
    """One run as compact HTML without script, for ``_repr_html_`` in notebooks.

    Args:
        answer: What the system answered, as text.
        bill: What to list below it (system, model, tokens, seconds ...), in order.
    """
    rows = [[name, str(value)] for name, value in bill.items()]
    return template("snippet.html.j2").render(title="", text=answer, head=[], rows=rows)


def ordered(report: Report) -> list[SystemRow]:
    """The systems as a report lists them: by rank, or as given where nothing is ranked."""
    place = {name: i for i, name in enumerate(report.ranking or ())}
    return sorted(report.systems, key=lambda r: place.get(r.name, len(place)))


def _questions(
    report: Report, rows: Sequence[SystemRow], traces: Traces, room: int
) -> list[Question]:
    """One entry per question, in the order of outcomes, with transcripts while there is room."""
    by_task: dict[str, dict[str, Outcome]] = {}
    for o in report.outcomes:
        by_task.setdefault(o.task, {})[o.system] = o
    transcript = template("transcript.html.j2")
    questions: list[Question] = []
    for number, (task, found) in enumerate(by_task.items(), 1):
        marks: list[Mark] = []
        for row in rows:
            outcome = found.get(row.name)
            # A resumed run repeats the ids of the attempt it goes on from; the last one counts.
            latest = {e.id: e for e in traces.get((row.name, task), ())}
            events = [latest[i] for i in sorted(latest)]
            text = ""
            if events and outcome is not None and room > 0:
                place = f"q-{number}-{rows.index(row) + 1}"
                text = transcript.render(events=events, outcome=outcome, place=place)
                room -= len(text.encode("utf-8", "replace"))
                if room < 0:
                    text = ""  # and no later one either, even if it would fit: a plain rule
            marks.append(
                Mark(
                    system=row.name,
                    outcome=outcome,
                    transcript=Markup(text),
                    left_out=bool(events) and outcome is not None and not text,
                    events=len(events),
                    **as_mark(outcome),
                )
            )
        first = next(iter(found.values()))
        questions.append(
            Question(
                number=number,
                task=task,
                stratum=first.stratum,
                prompt=first.prompt,
                reference=first.reference,
                marks=tuple(marks),
                tags=_tags(list(found.values())),
            )
        )
    return questions


def as_mark(outcome: Outcome | None) -> dict[str, str]:
    """How an outcome is shown; the first that applies of what may have happened to it."""
    if outcome is None:
        return {"state": "absent", "sign": "·", "words": "not run"}
    if outcome.error:
        state, sign, words = "failed", "!", "failed"
    elif outcome.correct:
        state, sign, words = "right", "✓", "right"
    elif outcome.unparsed:
        state, sign, words = "unparsed", "?", "unparsed: no readable answer"
    elif score(outcome) > 0:
        state, sign, words = "partial", "◐", f"partly right, score {outcome.value:.2f}"
    else:
        state, sign, words = "wrong", "✗", "wrong"
    return {"state": state, "sign": sign, "words": words + ", limited" * outcome.limited}


def _tags(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """The filters under which a question is shown, besides "all"."""
    tags = {
        "disagreement": len({o.correct for o in outcomes}) > 1,
        "all-wrong": not any(o.correct for o in outcomes),
        "unparsed": any(o.unparsed for o in outcomes),
        "findings": any(o.findings for o in outcomes),
    }
    return tuple(tag for tag, applies in tags.items() if applies)


def _plots(report: Report, rows: Sequence[SystemRow]) -> tuple[list[tuple[str, Markup]], str]:
    """Captioned plots, or a sentence on what would draw them."""
    if not any(r.n for r in rows):
        return [], ""
    try:
        drawn = [
            ("Accuracy with 95% Wilson intervals", accuracy_plot(rows, report.controls)),
            (
                "Accuracy against cost; filled circles and the line are the cost-accuracy front",
                cost_plot(rows),
            ),
            ("Accuracy by stratum, right answers of questions", strata_plot(rows)),
        ]
    except MissingExtra as missing:
        return [], str(missing)
    return [(caption, Markup(svg)) for caption, svg in drawn if svg], ""


def _headline(verdict: str) -> tuple[str, str]:
    """The first sentence of a verdict, and the rest."""
    first, stop, rest = verdict.partition(". ")
    return (f"{first}.", rest) if stop else (verdict, "")


def _partial(outcomes: Sequence[Outcome]) -> bool:
    """Whether any answer was partly right."""
    return any(0 < score(o) < 1 for o in outcomes)


def _mean_scores(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Mean score by system."""
    values: dict[str, list[float]] = {}
    for o in outcomes:
        values.setdefault(o.system, []).append(score(o))
    return {name: sum(v) / len(v) for name, v in values.items()}


def _decimal(value: float) -> str:
    """A number with as many decimals as its size deserves."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _money(dollars: float) -> str:
    """US dollars; small amounts keep two significant digits."""
    return "$0" if dollars == 0 else f"${dollars:.2f}" if dollars >= 1 else f"${dollars:.2g}"


def _json(value: Any) -> str:
    """A value as readable JSON; whatever JSON cannot hold is shown as Python shows it."""
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except (TypeError, ValueError):
        return repr(value)


def _excerpt(text: str, length: int = 180) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _plain(value: Any) -> Any:
    """A call as plain data, for kinds of calls this page knows nothing about."""
    return msgspec.to_builtins(value)


@cache
def _environment() -> jinja2.Environment:
    """The templates, with escaping always on."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("collegium.bench"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        percent=percent,
        points=points,
        p_value=p_value,
        decimal=_decimal,
        money=_money,
        json=_json,
        excerpt=_excerpt,
        plain=_plain,
    )
    return environment


def template(name: str) -> jinja2.Template:
    """A compiled template."""
    return _environment().get_template(name)


def source(name: str) -> str:
    """A file of the templates folder as it stands."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
