"""One run: its answer, its bill, what went wrong, and its transcript; and a page of it to share."""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec
from nicegui import ui

from collegium.bench.diagnosis import Finding, diagnose
from collegium.bench.html import as_mark
from collegium.bench.records import Outcome
from collegium.bench.share import facts as facts_of
from collegium.bench.share import share, title
from collegium.errors import CollegiumError, UnknownName
from collegium.kernel import Usage
from collegium.kernel.history import Place, places, totals
from collegium.kernel.store import RunRow, Totals
from collegium.studio.frame import frame, tell
from collegium.studio.layout import (
    address,
    bill,
    facts,
    page_number,
    pager,
    status_chip,
    text_block,
    when,
    with_style,
)
from collegium.studio.reel import Reel
from collegium.studio.safe import said, shown, tag
from collegium.studio.state import Studio
from collegium.studio.traces import StoredTrace, opened

LISTED = 50
"""Traces of a comparison on one page."""

DIAGNOSED = 3_000
"""Events up to which a trace is diagnosed without being asked."""

FOLLOW_SECONDS = 1.5


class Known(msgspec.Struct, frozen=True):
    """What the store knows of a run."""

    row: RunRow
    totals: Totals | None
    places: list[Place]
    outcomes: dict[tuple[str, str], Outcome]


def register(studio: Studio) -> None:
    """Declare the pages."""

    @ui.page("/runs/{name}")
    async def one(name: str, system: str = "", task: str = "", page: str = "") -> None:
        with_style()
        try:
            known = await asyncio.to_thread(read, studio, name)
        except CollegiumError as error:
            missing(error)
            return
        with frame(title(known.row), active="runs"):
            _head(studio, known)
            chosen = [p for p in known.places if (p.system, p.task) == (system, task)]
            if known.row.kind == "compare" and not chosen:
                _whole(known, page_number(page))
                return
            place = chosen[0] if chosen else (known.places[0] if known.places else None)
            await _single(studio, known, place)


def read(studio: Studio, name: str) -> Known:
    """What the store knows of a run.

    Raises:
        UnknownName: There is no such run.
    """
    with opened(studio.store_path) as store:
        row = store.run(name)
        outcomes = {
            place: msgspec.json.decode(data, type=Outcome)
            for place, data in store.results(row.id).items()
        }
        return Known(row, totals(store, row), places(store, row.id), outcomes)


def missing(error: CollegiumError) -> None:
    """The page of a run that is not there."""
    ui.status_code(404 if isinstance(error, UnknownName) else 400)
    with frame("No such run", active="runs"):
        tag("h1", "No such run")
        tag("p", error, cls="lead")
        tag("a", "All runs", href="/runs", cls="button")


def _head(studio: Studio, known: Known) -> None:
    row = known.row
    tag("h1", shown(title(row), 200))
    with tag("div", cls="row-of under"):
        status_chip(row.status)
        for chip in (row.spec.get("model"), f"{when(row.created)} UTC", row.id):
            if chip:
                tag("span", shown(chip, 60), cls="chip")

    async def save() -> None:
        try:
            made = await asyncio.to_thread(_page, studio, row.id)
        except Exception as error:
            tell(error)
            return
        ui.download.content(made, f"run-{row.id}.html", "text/html")

    with tag("div", cls="row-of under"):
        tag("button", "Share as one HTML file", type="button", cls="quiet").on("click", save)
        if row.kind == "compare":
            tag("a", "The comparison", href=f"/compare/{row.id}", cls="button")
        with tag("form", method="get", action="/runs/diff", cls="row-of"):
            tag("input", type="hidden", name="run", value=row.id)
            tag(
                "input", name="run", cls="text other", placeholder="id of another run",
                aria_label="Id of another run", required=True, maxlength=64,
            )  # fmt: skip
            tag("button", "Differences", type="submit", cls="quiet")


def _page(studio: Studio, run_id: str) -> bytes:
    with opened(studio.store_path) as store:
        return share(store, run_id).encode("utf-8", "replace")


async def _single(studio: Studio, known: Known, place: Place | None) -> None:
    """A single run, or one system on one task of a comparison."""
    row = known.row
    outcome = known.outcomes.get((place.system, place.task)) if place else None
    asked = outcome.prompt if outcome else str(row.spec.get("task", ""))
    if asked:
        with tag("section", cls="section"):
            tag("h2", "Asked")
            text_block(asked)
    with tag("section", cls="sides section"):
        with tag("div", cls="card stack"):
            tag("h2", "Answer")
            _answer(known.totals, outcome, row)
        with tag("div", cls="card stack"):
            tag("h2", "Bill")
            bill(_cost(outcome) if outcome else known.totals)
    with tag("details", cls="section"):
        tag("summary", "What was asked for")
        facts([*facts_of(row.spec), ("Run", row.id)])
    trace = await asyncio.to_thread(
        StoredTrace, studio.store_path, row.id,
        place.system if place else None, place.task if place else None,
    )  # fmt: skip
    with tag("section", cls="section"):
        tag("h2", "Diagnosis")
        found = outcome.findings if outcome else None
        shown_in = tag("div")
    with tag("section", cls="section"):
        tag("h2", "Transcript")
        transcript = Reel(trace, label=f"Transcript of {shown(row.id, 60)}")
    with shown_in:
        if found is not None:
            _findings(found, transcript, trace)
        elif len(trace) <= DIAGNOSED:
            _findings(await asyncio.to_thread(_diagnosed, trace), transcript, trace)
        else:
            _ask_to_diagnose(shown_in, transcript, trace)
    if row.status == "running":
        ui.timer(FOLLOW_SECONDS, transcript.follow)


def _answer(known: Totals | None, outcome: Outcome | None, row: RunRow) -> None:
    if outcome is not None:
        text_block(outcome.answer or "No answer.")
        mark = as_mark(outcome)
        tag("p", f"{mark['sign']} {mark['words']}", cls=f"mark {mark['state']}")
        if outcome.reference and not outcome.correct:
            said(f"The reference is: {outcome.reference}", cls="dim", most=1_000)
        for trouble in filter(None, (outcome.ended, outcome.error, outcome.reason)):
            said(trouble, cls="warn", most=1_000)
        return
    if known is None:
        tag("p", "It is still running." if row.status == "running" else "Nothing is known.")
        return
    text_block(known.answer or "No answer was kept.")
    if known.limited:
        said(f"Ended early: {known.limited}", cls="warn", most=1_000)


def _cost(outcome: Outcome) -> Totals:
    usage = Usage(
        outcome.tokens_prompt, outcome.tokens_cached, outcome.tokens_completion, outcome.money
    )
    return Totals(outcome.answer, outcome.ended, outcome.calls, usage, outcome.seconds)


def _diagnosed(trace: StoredTrace) -> tuple[Finding, ...]:
    return diagnose(trace.events())


def _ask_to_diagnose(at: ui.element, transcript: Reel, trace: StoredTrace) -> None:
    async def look() -> None:
        button.props["disabled"] = True
        found = await asyncio.to_thread(_diagnosed, trace)
        at.clear()
        with at:
            _findings(found, transcript, trace)

    label = f"Look for failure modes in {len(trace):,} calls"
    button = tag("button", label, type="button", cls="quiet").on("click", look)


def _findings(found: tuple[Finding, ...], transcript: Reel, trace: StoredTrace) -> None:
    if not found:
        tag("p", "The rules found no failure mode.", cls="dim")
        return
    with tag("ul", cls="findings"):
        for finding in found:
            with tag("li"):
                with tag("div", cls="row-of"):
                    tag("b", f"{finding.code} {finding.name}")
                    for call in finding.calls[:8]:
                        button = tag("button", f"call {call}", type="button", cls="chip")
                        button.on("click", partial(_go_to, call, transcript, trace))
                said(finding.says, most=1_000)
                if finding.evidence:
                    tag("q", shown(finding.evidence, 400))


async def _go_to(call: int, transcript: Reel, trace: StoredTrace) -> None:
    transcript.show(await asyncio.to_thread(trace.place_of, call))


def _whole(known: Known, page: int) -> None:
    """A comparison: its traces, each with how it was judged."""
    row = known.row
    with tag("section", cls="sides section"):
        with tag("div", cls="card stack"):
            tag("h2", "Asked for")
            facts(facts_of(row.spec))
        with tag("div", cls="card stack"):
            tag("h2", "Bill")
            bill(known.totals)
    first = (page - 1) * LISTED
    if first >= len(known.places):
        first = 0
    with tag("section", cls="section"):
        tag("h2", "Transcripts")
        if not known.places:
            tag("p", "No calls yet.", cls="empty")
        with tag("div", cls="wide", tabindex="0"), tag("table", cls="plain runs"), tag("tbody"):
            for place in known.places[first : first + LISTED]:
                _place_row(row, place, known.outcomes.get((place.system, place.task)))
        pager(f"/runs/{row.id}", {}, first, LISTED, len(known.places))


def _place_row(row: RunRow, place: Place, outcome: Outcome | None) -> None:
    mark = as_mark(outcome)
    where = address(f"/runs/{row.id}", system=place.system, task=place.task)
    with tag("tr", data_row=""):
        with tag("td"):
            sign = tag("span", mark["sign"], cls=f"mark {mark['state']}", title=mark["words"])
            sign.props["aria-label"] = mark["words"]
            sign.props["role"] = "img"
        with tag("td", cls="what"):
            tag("a", shown(f"{place.system} on {place.task}", 160), href=where)
            if outcome is not None:
                tag("div", shown(" ".join(outcome.prompt[:300].split()), 160), cls="dim small")
        tag("td", shown(outcome.answer, 80) if outcome else "", cls="less")
        tag("td", f"{place.events:,} call{'s' * (place.events != 1)}", cls="num")
