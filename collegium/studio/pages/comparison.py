"""One comparison: its pages, and how far it is while it goes on."""

from __future__ import annotations

import asyncio

from nicegui import ui

from collegium.bench.share import facts as facts_of
from collegium.bench.share import title
from collegium.bench.statistics import wilson
from collegium.bench.words import percent, short_names
from collegium.errors import CollegiumError, UnknownName
from collegium.kernel.history import totals
from collegium.kernel.store import RunRow
from collegium.studio.charts import dot
from collegium.studio.comparing import Comparison, Comparisons
from collegium.studio.frame import frame, tell
from collegium.studio.layout import (
    facts,
    page_number,
    seconds,
    status_chip,
    when,
    with_style,
)
from collegium.studio.pages.comparison_question import show_question
from collegium.studio.pages.comparison_result import SHOWN, Result
from collegium.studio.safe import Tag, said, shown, tag
from collegium.studio.state import Studio
from collegium.studio.traces import opened

REFRESH_SECONDS = 0.5


def register(studio: Studio, made: Comparisons) -> None:
    """Declare the pages."""

    def read(name: str) -> RunRow:
        with opened(studio.store_path) as store:
            row = store.run(name)
        if row.kind != "compare":
            raise UnknownName(f"run {row.id} is no comparison.")
        return row

    @ui.page("/compare/{name}")
    async def one(name: str, show: str = "", page: str = "") -> None:
        with_style()
        try:
            row = await asyncio.to_thread(read, name)
            going = made.get(row.id)
            report = await asyncio.to_thread(made.report, row.id)
        except CollegiumError as error:
            _missing(error)
            return
        with frame(title(row), active="compare"):
            _head(row, going)
            if going is not None and going.going:
                _Live(made, going).show()
                return
            if report is None:
                _cut_off(studio, made, row, going)
                return
            Result(made, row, report).show(show if show in SHOWN else "", page_number(page))

    @ui.page("/compare/{name}/question")
    async def question(name: str, task: str = "", a: str = "", b: str = "") -> None:
        with_style()
        try:
            row = await asyncio.to_thread(read, name)
            report = await asyncio.to_thread(made.report, row.id)
        except CollegiumError as error:
            _missing(error)
            return
        found = {o.system: o for o in report.outcomes if o.task == task} if report else {}
        if not found or report is None:
            _missing(UnknownName("there is no such question in this comparison."))
            return
        await show_question(studio, row, report, found, task, (a, b))


def _missing(error: CollegiumError) -> None:
    ui.status_code(404 if isinstance(error, UnknownName) else 400)
    with frame("No such comparison", active="compare"):
        tag("h1", "No such comparison")
        tag("p", error, cls="lead")
        tag("a", "Compare", href="/compare", cls="button")


def _head(row: RunRow, going: Comparison | None) -> None:
    spec = row.spec
    names = short_names([str(named[0]) for named in spec["systems"]])
    tag("h1", shown(f"{', '.join(names.values())} on {spec.get('benchmark', '')}", 240))
    with tag("div", cls="row-of under"):
        status = "running" if going is not None and going.going else row.status
        status_chip(status)
        chips = (
            spec.get("model"),
            f"{spec.get('split')} split",
            f"seed {spec.get('seed')}",
            f"{spec['budget']:,} tokens a question" if spec.get("budget") else "",
            f"{when(row.created)} UTC",
        )
        for chip in filter(None, chips):
            tag("span", shown(chip, 60), cls="chip")
        tag("a", "All transcripts", href=f"/runs/{row.id}", cls="chip")


# -- while it goes on ---------------------------------------------------------------------------


class _Live:
    """The table of a comparison that goes on; its cells are renewed in place."""

    def __init__(self, made: Comparisons, going: Comparison) -> None:
        self._made, self._going = made, going
        self._cells: dict[str, dict[str, Tag]] = {}

    def show(self) -> None:
        """Make the table, and look again every half second."""
        with tag("section", cls="card section stack"):
            with tag("div", cls="wide", tabindex="0"), tag("table", cls="plain"):
                with tag("thead"), tag("tr"):
                    for name, cls in (
                        ("System", ""), ("Progress", ""), ("Done", "num"),
                        ("Accuracy (95%)", "num"), ("Tokens", "num"), ("Left", "num"),
                    ):  # fmt: skip
                        tag("th", name, cls=cls, scope="col")
                with tag("tbody"):
                    for i, (name, progress) in enumerate(self._going.progress.items()):
                        with tag("tr"):
                            with tag("td"):
                                dot(i)
                                tag("span", shown(name, 100))
                            with tag("td"):
                                bar = tag(
                                    "progress", max=progress.total, value=0,
                                    aria_label=f"Progress of {shown(name, 60)}",
                                )  # fmt: skip
                            cells = {
                                c: tag("td", cls="num") for c in ("done", "right", "tokens", "left")
                            }
                            self._cells[name] = {**cells, "bar": bar}
            with tag("div", cls="spread"):
                self._line = tag("p", cls="dim nums", role="status")
                tag("button", "Stop", type="button", cls="quiet").on("click", self._stop)
        tag(
            "p",
            "It goes on when this page is closed. What is finished is kept.",
            cls="dim small section",
        )
        self._timer = ui.timer(REFRESH_SECONDS, self._renew)

    def _stop(self) -> None:
        self._line.text = "stopping …"
        self._made.stop(self._going)

    def _renew(self) -> None:
        going = self._going
        for name, p in going.progress.items():
            cells = self._cells[name]
            low, high = wilson(p.correct, p.done)
            share = percent(p.correct / max(1, p.done))
            left = "" if p.left is None else seconds(p.left / going.workers)
            cells["bar"].props["value"] = p.done
            cells["done"].text = f"{p.done:,}/{p.total:,}"
            cells["right"].text = f"{share} [{100 * low:.0f}, {100 * high:.0f}]" if p.done else ""
            cells["tokens"].text = f"{p.tokens:,}"
            cells["left"].text = "done" if p.done == p.total else left
        if not going.going:
            self._timer.deactivate()
            ui.navigate.reload()
            return
        if not going.stopped:
            left = "" if going.left is None else f", about {seconds(going.left)} left"
            kept = f"; {going.kept:,} kept from before" if going.kept else ""
            self._line.text = f"{seconds(going.seconds)} gone{left}{kept}"


def _cut_off(studio: Studio, made: Comparisons, row: RunRow, going: Comparison | None) -> None:
    """A comparison that did not come to its end."""
    with opened(studio.store_path) as store:
        done, spent = len(store.results(row.id)), totals(store, row)

    async def resume() -> None:
        button.props["disabled"] = True
        try:
            planned = await asyncio.to_thread(made.plan_again, row)
            workers = going.workers if going is not None else 1
            curve = going.curve if going is not None else False
            await made.start(planned, workers=workers, curve=curve, resume=True)
        except Exception as error:
            button.props.pop("disabled", None)
            button.update()
            tell(error)
            return
        ui.navigate.reload()

    with tag("section", cls="card section stack"):
        if going is not None and going.error:
            said(going.error, cls="bad", most=1_000)
        elif row.status == "running":
            tag("p", "It runs in another program, or its program was killed.")
        else:
            tag("p", "It was stopped before it was done.")
        tokens = f", {spent.usage.tokens:,} tokens spent" if spent else ""
        tag("p", f"{done:,} runs are finished and kept{tokens}.", cls="dim nums")
        with tag("div", cls="row-of"):
            button = tag("button", "Go on where it stopped", type="button", cls="primary")
            button.on("click", resume)
    with tag("section", cls="section"):
        tag("h2", "Asked for")
        facts(facts_of(row.spec))
