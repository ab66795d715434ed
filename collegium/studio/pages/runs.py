"""The history: runs of the store, newest first, filtered and page by page."""

from __future__ import annotations

import asyncio
from typing import Annotated, cast
from urllib.parse import quote

from fastapi import Query, Response
from fastapi.responses import RedirectResponse
from nicegui import ui

from collegium.bench.share import title
from collegium.bench.words import listed
from collegium.errors import BadInput, CollegiumError
from collegium.kernel.history import Ending, Filters, Listed, Page, count_up, find
from collegium.studio.frame import frame, tell
from collegium.studio.layout import (
    page_number,
    pager,
    status_chip,
    when,
    with_style,
)
from collegium.studio.safe import shown, tag
from collegium.studio.state import Studio
from collegium.studio.traces import opened
from collegium.systems import systems

COUNT = 50

ENDINGS = {
    "": "any way",
    "done": "done",
    "limit": "ended by a limit",
    "failed": "failed",
    "interrupted": "interrupted",
    "running": "running",
}

KINDS = {"": "all", "run": "single runs", "compare": "comparisons"}


def register(studio: Studio) -> None:
    """Declare the pages."""

    async def count_all() -> None:
        """Count what older runs came to, a few at a time, so that filters find them."""
        counted = 1
        while counted:
            counted = await asyncio.to_thread(_count, studio)

    @ui.page("/runs")
    async def runs(
        kind: str = "",
        system: str = "",
        model: str = "",
        text: str = "",
        since: str = "",
        until: str = "",
        ended: str = "",
        tokens: str = "",
        page: str = "",
    ) -> None:
        with_style()
        if studio.jobs.get("count runs") is None:
            studio.jobs.start("count runs", count_all())
        query = {
            "kind": kind, "system": system, "model": model, "text": text, "since": since,
            "until": until, "ended": ended, "tokens": tokens,
        }  # fmt: skip
        with frame("Runs", active="runs"):
            tag("h1", "Runs")
            tag(
                "p", "Every run there was: what it did, call by call, and what it cost.", cls="lead"
            )
            _filters(query)
            try:
                filters = Filters(
                    kind=kind, system=system.strip(), model=model.strip(), text=text.strip(),
                    since=since, until=until, ended=cast(Ending, ended), tokens=_tokens(tokens),
                )  # fmt: skip
                first = (page_number(page) - 1) * COUNT
                found = await asyncio.to_thread(_find, studio, filters, first)
            except CollegiumError as error:
                ui.timer(0, lambda said=error: tell(said), once=True)
                return
            _list(found, query)

    @ui.page("/runs/diff")
    def two(run: Annotated[list[str] | None, Query()] = None) -> Response | None:
        if run is not None and len(run) == 2:
            a, b = (quote(one, safe="") for one in run)
            return RedirectResponse(f"/runs/{a}/diff/{b}")
        with frame("Two runs", active="runs"):
            tag("h1", "Two runs are needed")
            tag("p", "Mark two runs in the list to see what they did differently.", cls="lead")
            tag("a", "Back to the runs", href="/runs", cls="button")
        return None


def _count(studio: Studio) -> int:
    with opened(studio.store_path) as store:
        return count_up(store)


def _find(studio: Studio, filters: Filters, first: int) -> Page:
    with opened(studio.store_path) as store:
        return find(store, filters, first=first, count=COUNT)


def _tokens(text: str) -> int:
    plain = text.strip().replace(",", "").replace("_", "")
    if plain and not (plain.isascii() and plain.isdecimal() and len(plain) < 16):
        raise BadInput(f"the number of tokens must be a whole number, not {text[:40]!r}.")
    return int(plain or 0)


def _filters(query: dict[str, str]) -> None:
    """A form that is an address: each list of runs can be linked to."""
    with tag("form", cls="filters card section", method="get", action="/runs", role="search"):
        with tag("label", "Text", cls="field span"):
            tag(
                "input", type="search", name="text", value=query["text"], cls="text",
                placeholder="task, answer, benchmark or id", data_search="", maxlength=200,
            )  # fmt: skip
        _choice(
            "System", "system", query["system"], {"": "any", **{s: s for s in sorted(systems())}}
        )
        with tag("label", "Model", cls="field"):
            tag("input", name="model", value=query["model"], cls="text", placeholder="any")
        _choice("Kind", "kind", query["kind"], KINDS)
        _choice("Ended", "ended", query["ended"], ENDINGS)
        for label, name in (("From", "since"), ("To", "until")):
            with tag("label", label, cls="field"):
                tag("input", type="date", name=name, value=query[name], cls="text")
        with tag("label", "Tokens, at least", cls="field"):
            tag(
                "input",
                name="tokens",
                value=query["tokens"],
                cls="text",
                inputmode="numeric",
            )
        with tag("div", cls="row-of"):
            tag("button", "Filter", type="submit", cls="primary")
            if any(query.values()):
                tag("a", "Clear", href="/runs", cls="button")


def _choice(label: str, name: str, chosen: str, options: dict[str, str]) -> None:
    if chosen not in options:
        options = {**options, chosen: shown(chosen, 40)}
    with tag("label", label, cls="field"), tag("select", name=name, cls="text"):
        for value, words in options.items():
            tag("option", words, value=value, selected=True if value == chosen else None)


def _list(found: Page, query: dict[str, str]) -> None:
    if not found.runs:
        filtered = any(query.values())
        tag("p", "No run passes these filters." if filtered else "No runs yet.", cls="empty")
        return
    with tag("form", method="get", action="/runs/diff", cls="section"):
        with tag("div", cls="spread"):
            tag("p", f"{found.total:,} run{'s' * (found.total != 1)}", cls="dim nums")
            tag("button", "Compare the two marked", type="submit", cls="quiet")
        with tag("div", cls="wide", tabindex="0"), tag("table", cls="plain runs"):
            with tag("thead"), tag("tr"):
                for name, cls in (
                    ("", ""), ("Run", "what"), ("Model", "less"), ("Ended", ""),
                    ("Tokens", "num"), ("Calls", "num less"), ("Began (UTC)", "less when"),
                ):  # fmt: skip
                    if name:
                        tag("th", name, cls=cls, scope="col")
                    else:
                        tag("td")
            with tag("tbody"):
                for one in found.runs:
                    _row(one)
        pager("/runs", query, found.first, COUNT, found.total)


def _row(one: Listed) -> None:
    row, totals = one.run, one.totals
    name = title(row)
    with tag("tr", data_row=""):
        with tag("td"):
            tag("input", type="checkbox", name="run", value=row.id, aria_label=f"Mark run {row.id}")
        with tag("td", cls="what"):
            tag("a", shown(name, 120), href=f"/runs/{row.id}")
            task = str(row.spec.get("task", ""))
            if task:
                tag("div", _brief(task), cls="dim small")
            if totals is not None and totals.answer:
                tag("div", f"→ {_brief(totals.answer)}", cls="small")
        models = [str(row.spec.get("model", "")), *map(str, (row.spec.get("roles") or {}).values())]
        tag("td", listed([shown(m, 40) for m in dict.fromkeys(models) if m]), cls="less")
        with tag("td"):
            status_chip(row.status)
            if totals is not None and totals.limited:
                tag(
                    "div",
                    "by a limit" if row.kind != "compare" else "some by a limit",
                    cls="small warn",
                )
        tag("td", f"{totals.usage.tokens:,}" if totals else "", cls="num")
        tag("td", f"{totals.calls:,}" if totals else "", cls="num less")
        tag("td", when(row.created), cls="less when dim")


def _brief(text: str) -> str:
    line = " ".join(text[:400].split())
    return shown(line if len(line) <= 140 else f"{line[:139]}…", 200)
