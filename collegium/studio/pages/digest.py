"""The daily page: what is new, as a page and as an Atom feed. Looking moves no mark."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from nicegui import app, ui

from collegium.bench.digest import (
    Digest,
    ResultNews,
    RunNews,
    Tally,
    atom,
    collect,
    latest,
    mark_path,
    read_mark,
)
from collegium.bench.digest.write import (
    came_to,
    headline,
    known,
    share,
    spent,
    still_running,
    when,
)
from collegium.catalog import results_folder
from collegium.errors import CollegiumError
from collegium.studio.frame import frame, tell
from collegium.studio.safe import said, tag
from collegium.studio.sheets import load
from collegium.studio.state import Studio

SPANS = {
    "told": ("Since the last digest", None),
    "day": ("One day", timedelta(days=1)),
    "week": ("One week", timedelta(days=7)),
    "month": ("One month", timedelta(days=30)),
}
"""What the page can look back over."""

ENTRIES = 100
"""Entries of the feed."""

SHOWN = 200
"""Runs that the page lists."""


def register(studio: Studio) -> None:
    """Declare the page and the feed."""

    @ui.page("/digest", title="Daily", response_timeout=60)
    async def digest(back: str = "week") -> None:
        load("work.css")
        link = '<link rel="alternate" type="application/atom+xml" title="collegium" '
        ui.add_head_html(f'{link}href="/digest.atom">')
        back = back if back in SPANS else "week"
        with frame("Daily", active="digest"):
            tag("h1", "What is new")
            _spans(back)
            try:
                found = await asyncio.to_thread(_found, studio, back)
            except CollegiumError as error:
                tell(error)
                return
            _show(found)

    async def feed(request: Any) -> Any:
        from fastapi import Response

        try:
            found = await asyncio.to_thread(latest, studio.store_path, results_folder(), ENTRIES)
        except CollegiumError as error:
            return Response(f"{error}\n", 500, media_type="text/plain")
        base = f"{request.url.scheme}://{request.url.netloc}"
        made = atom(
            found,
            name=str(studio.store_path.absolute()),
            itself=f"{base}/digest.atom",
            link=lambda news: f"{base}{_address(news)}",
        )
        return Response(made, media_type="application/atom+xml")

    app.add_route("/digest.atom", feed, methods=["GET"])


def _found(studio: Studio, back: str) -> Digest:
    """What is to be shown; nothing is remembered, so the next mail tells it all the same."""
    span = SPANS[back][1]
    folder = results_folder()
    if span is None:
        return collect(studio.store_path, folder, read_mark(mark_path(studio.store_path)))[0]
    return collect(studio.store_path, folder, since=datetime.now(UTC) - span)[0]


def _spans(back: str) -> None:
    with tag("nav", cls="row-of digest-bar", aria_label="How far back"):
        for name, (label, _) in SPANS.items():
            here = "true" if name == back else None
            tag("a", label, href=f"/digest?back={name}", cls="chip", aria_current=here)
        tag("a", "Atom feed", href="/digest.atom", cls="chip")


def _show(found: Digest) -> None:
    tag("p", headline(found), cls="lead")
    if found.running:
        tag("p", still_running(found), cls="dim")
    if found.results:
        with tag("section", cls="section", aria_labelledby="results"):
            tag("h2", "Results", id="results")
            for result in found.results:
                _result(result)
    if found.runs:
        with tag("section", cls="section", aria_labelledby="runs"):
            tag("h2", "Runs", id="runs")
            for run in found.runs[:SHOWN]:
                _run(run)
            if len(found.runs) > SHOWN:
                with tag("p", cls="dim"):
                    tag("span", f"and {len(found.runs) - SHOWN:,} more; ")
                    tag("a", "all runs", href="/runs")


def _result(news: ResultNews) -> None:
    with tag("article", cls="news", data_row="", tabindex="-1"):
        tag("h3", news.title)
        with tag("p", cls="about"):
            tag("span", when(news.created))
            tag("span", news.file)
        if news.problem:
            tag("p", news.problem, cls="bad")
        if news.verdict:
            said(news.verdict)
        _rows(news.rows, news.title)
        if news.command:
            tag("code", news.command, cls="command")


def _run(news: RunNews) -> None:
    with tag("article", cls="news", data_row=""):
        with tag("h3"):
            tag("a", news.title or news.id, href=_address(news))
        with tag("p", cls="about"):
            tag("span", when(news.created))
            tag("span", news.kind)
            tag("span", news.status, cls={"done": "good", "failed": "bad"}.get(news.status, "warn"))
            for part in known(news):
                tag("span", part)
        for line in came_to(news):
            tag("p", line, cls="small")
        _rows(news.rows, news.title)


def _rows(rows: tuple[Tally, ...], label: str) -> None:
    if not rows:
        return
    with (
        tag("div", cls="wide", tabindex="0", role="region", aria_label=label),
        tag("table", cls="plain nums"),
    ):
        with tag("thead"), tag("tr"):
            for name in ("System", "Right", "Spent"):
                tag("th", name, scope="col")
        with tag("tbody"):
            for row in rows:
                with tag("tr"):
                    tag("td", row.system)
                    tag("td", share(row))
                    tag("td", spent(row))


def _address(news: RunNews | ResultNews) -> str:
    """The page of a run, or the part of the daily page that results stand in."""
    if isinstance(news, RunNews):
        return f"/runs/{quote(news.id, safe='')}"
    return "/digest?back=month#results"
