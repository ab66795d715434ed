"""A digest as plain text and as one HTML page that needs nothing else."""

from __future__ import annotations

from datetime import datetime

from collegium.bench.digest.news import Digest, ResultNews, RunNews, Tally, clean
from collegium.bench.words import percent

MOST_LINES = 60
"""Runs that the text lists; the page lists them all."""


def text(digest: Digest) -> str:
    """The digest as plain text, for terminals and mail."""
    lines = [headline(digest), ""]
    if digest.results:
        lines += ["RESULTS", ""]
        for result in digest.results:
            lines += [*_result_lines(result), ""]
    if digest.runs:
        lines += ["RUNS", ""]
        for run in digest.runs[:MOST_LINES]:
            lines += _run_lines(run)
        if more := len(digest.runs) - MOST_LINES:
            lines += [f"  and {more} more."] if more > 0 else []
        lines.append("")
    if digest.running:
        lines.append(still_running(digest))
    return "\n".join(lines).rstrip() + "\n"


def page(digest: Digest) -> str:
    """The digest as one HTML file without script; all that came from elsewhere is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("collegium.bench"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("digest.html.j2").render(
        digest=digest,
        headline=headline(digest),
        still=still_running(digest) if digest.running else "",
        when=when,
        share=share,
        spent=spent,
        name=clean,
        known=known,
        came_to=came_to,
    )


def headline(digest: Digest) -> str:
    """What there is and since when, as a sentence."""
    said = digest.heading[0].upper() + digest.heading[1:]
    return f"{said} since {when(digest.since)}." if digest.since else f"{said}."


def still_running(digest: Digest) -> str:
    """How many runs have not ended, as a sentence."""
    one = digest.running == 1
    return f"{digest.running} run{'s' * (not one)} {'has' if one else 'have'} not ended."


def when(moment: str) -> str:
    """A time as people read it: "2026-03-04 10:15 UTC"."""
    try:
        return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return clean(moment)


def share(row: Tally) -> str:
    """How a system did: "7 of 30, 23.3% (11.8% to 40.9%)"."""
    counted = f"{row.correct} of {row.n}, " if row.correct is not None else ""
    between = ""
    if row.low is not None and row.high is not None:
        between = f" ({percent(row.low)} to {percent(row.high)})"
    return f"{counted}{percent(row.accuracy)}{between}"


def spent(row: Tally) -> str:
    """What a question cost it; "" where that is not known."""
    return "" if row.tokens_per_task is None else f"{row.tokens_per_task:,.0f} tokens a question"


def known(run: RunNews) -> list[str]:
    """What a run ran on, and what it spent."""
    spent = f"{run.tokens:,} tokens" if run.tokens else ""
    return [part for part in (run.model, spent) if part]


def came_to(run: RunNews) -> list[str]:
    """What a run answered, and what ended it, in lines."""
    return [line for line in (f"Answer: {run.answer}" * bool(run.answer), run.limited) if line]


def _result_lines(result: ResultNews) -> list[str]:
    lines = [result.title, f"  {when(result.created)} · {clean(result.file)}"]
    lines += [f"  {said}" for said in (result.problem, result.verdict) if said]
    return [
        *lines,
        *_row_lines(result.rows, "  "),
        *([f"  {result.command}"] * bool(result.command)),
    ]


def _run_lines(run: RunNews) -> list[str]:
    about = " · ".join(filter(None, (when(run.created), run.kind, run.status, *known(run), run.id)))
    said = [f"  {line}" for line in came_to(run)]
    return [run.title, f"  {about}", *said, *_row_lines(run.rows, "  "), ""]


def _row_lines(rows: tuple[Tally, ...], indent: str) -> list[str]:
    width = min(44, max((len(row.system) for row in rows), default=0))
    return [
        f"{indent}{row.system:{width}}  {' · '.join(filter(None, (share(row), spent(row))))}"
        for row in rows
    ]
