"""One comparison: how far it is, what came of it, and two systems on one question side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

from nicegui import ui

from collegium.bench.diagnosis import MODES
from collegium.bench.html import as_mark, ordered
from collegium.bench.records import Outcome, Report
from collegium.bench.share import facts as facts_of
from collegium.bench.share import title
from collegium.bench.statistics import holm, wilson
from collegium.bench.words import p_value, percent, points, short_names
from collegium.errors import CollegiumError, UnknownName
from collegium.kernel.history import places, totals
from collegium.kernel.store import RunRow
from collegium.studio.charts import accuracy_chart, cost_chart, dot
from collegium.studio.comparing import Comparison, Comparisons
from collegium.studio.frame import frame, tell
from collegium.studio.layout import (
    address,
    facts,
    money,
    page_number,
    pager,
    seconds,
    status_chip,
    table,
    text_block,
    when,
    with_style,
)
from collegium.studio.reel import Reel
from collegium.studio.safe import Tag, said, shown, tag
from collegium.studio.state import Studio
from collegium.studio.traces import StoredTrace, opened

REFRESH_SECONDS = 0.5

QUESTIONS = 25
"""Questions on one page."""

SHOWN = {
    "": "all",
    "disagreement": "where they disagree",
    "all-wrong": "all wrong",
    "unparsed": "no readable answer",
    "limited": "ended by a limit",
}


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
            _Result(made, row, report).show(show if show in SHOWN else "", page_number(page))

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
        await _question(studio, row, report, found, task, (a, b))


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


# -- what came of it ----------------------------------------------------------------------------


class _Result:
    """The report of a comparison."""

    def __init__(self, made: Comparisons, row: RunRow, report: Report) -> None:
        self._made, self._row, self._report = made, row, report
        self._rows = ordered(report)
        self._short = short_names([r.name for r in self._rows])

    def show(self, show: str, page: int) -> None:
        """Make the page."""
        report = self._report
        with tag("section", cls="section stack"):
            said(report.verdict, cls="verdict", most=3_000)
            with tag("div", cls="row-of"):
                for label, name in (("HTML report", "report.html"), ("JSON", "report.json")):
                    button = tag("button", f"Download the {label}", type="button", cls="quiet")
                    button.on("click", partial(self._download, name))
                if report.ranking is None and len(self._rows) > 1:
                    self._button = tag("button", "Rank all the same", type="button", cls="quiet")
                    self._button.on("click", self._rank)
        with tag("section", cls="section"):
            tag("h2", "Systems")
            self._systems()
        if any(r.n for r in self._rows):
            with tag("section", cls="section charts", aria_label="Charts"):
                accuracy_chart(self._rows, report.controls)
                cost_chart(self._rows)
        if report.pairs:
            with tag("section", cls="section"):
                tag("h2", "Same questions, two systems")
                self._pairs()
        if any(r.modes for r in self._rows):
            with tag("section", cls="section"):
                tag("h2", "Failure modes")
                self._modes()
        with tag("section", cls="section", id="questions"):
            tag("h2", "Questions")
            self._questions(show, page)
        with tag("details", cls="section"):
            tag("summary", "What was run")
            more = (("Command", report.command), ("Machine", report.machine), ("Run", report.run))
            facts([*facts_of(self._row.spec), *more])

    async def _rank(self) -> None:
        """Report anew, with a ranking although spends differ; nothing is run again."""
        self._button.props["disabled"] = True
        try:
            planned = await asyncio.to_thread(self._made.plan_again, self._row)
            await self._made.start(planned, curve=True, resume=True)
        except Exception as error:
            self._button.props.pop("disabled", None)
            self._button.update()
            tell(error)
            return
        ui.navigate.reload()

    def _download(self, name: str) -> None:
        file = self._made.folder(self._row.id) / name
        if not file.is_file():
            tell(f"the file {name} of this comparison is gone.")
            return
        suffix = file.suffix
        ui.download.content(
            file.read_bytes(),
            f"compare-{self._row.id}{suffix}",
            "text/html" if suffix == ".html" else "application/json",
        )

    def _systems(self) -> None:
        columns = (
            ("System", "what"), ("Accuracy", "num"), ("95% interval", "num"), ("Right", "num"),
            ("Tokens per question", "num"), ("Calls", "num"), ("Seconds", "num"),
            ("Money", "num"),
        )  # fmt: skip
        troubled = any(r.errors or r.unparsed or r.limited for r in self._rows)
        if troubled:
            columns = (*columns, ("Trouble", ""))
        with tag("div", cls="wide", tabindex="0"), tag("table", cls="plain"):
            with tag("thead"), tag("tr"):
                for name, cls in columns:
                    tag("th", name, cls=cls, scope="col")
            with tag("tbody"):
                for i, r in enumerate(self._rows):
                    kinds = (("failed", r.errors), ("unparsed", r.unparsed), ("limited", r.limited))
                    troubles = ", ".join(f"{n:,} {kind}" for kind, n in kinds if n)
                    each = max(1, r.n)
                    with tag("tr"):
                        with tag("td", cls="what"):
                            dot(i)
                            tag("span", shown(r.name, 120))
                        cells = (
                            percent(r.accuracy), f"{100 * r.ci_low:.1f} to {100 * r.ci_high:.1f}",
                            f"{r.correct:,}/{r.n:,}", f"{r.tokens_per_task:,.0f}",
                            f"{r.calls / each:,.1f}", f"{r.seconds / each:,.1f}",
                            money(r.money / each),
                        )  # fmt: skip
                        for cell in cells:
                            tag("td", cell, cls="num")
                        if troubled:
                            tag("td", troubles, cls="warn small")
        report = self._report
        if len(self._rows) > 1:
            tag(
                "p",
                f"Largest spend over smallest: {report.spend_factor:.2f} times.",
                cls="dim small",
            )
        for name, share in report.controls.items():
            tag("p", f"No method at all ({name}) would score {percent(share)}.", cls="dim small")

    def _pairs(self) -> None:
        report = self._report
        corrected = holm([p.p for p in report.pairs])
        rows = [
            (
                f"{self._short[p.a]} against {self._short[p.b]}",
                points(p.difference),
                f"{points(p.ci_low, unit=False)} to {points(p.ci_high, unit=False)}",
                f"{p.only_a}",
                f"{p.only_b}",
                p.test,
                p_value(p.p, ""),
                p_value(adjusted, ""),
            )
            for p, adjusted in zip(report.pairs, corrected, strict=True)
        ]
        columns = (
            ("Pair", "what"), ("Difference", "num"), ("95% interval", "num"),
            ("Only first right", "num"), ("Only second right", "num"), ("Test", ""), ("p", "num"),
            ("p, Holm", "num"),
        )  # fmt: skip
        table(columns, rows)

    def _modes(self) -> None:
        found = [m for m in MODES if any(m.code in r.modes for r in self._rows)]
        rows = [
            (f"{m.code} {m.name}", *(f"{r.modes.get(m.code, 0):,}" for r in self._rows))
            for m in found
        ]
        names = [(shown(self._short[r.name], 40), "num") for r in self._rows]
        table((("Runs in which it was found", "what"), *names), rows)

    def _questions(self, show: str, page: int) -> None:
        by_task: dict[str, dict[str, Outcome]] = {}
        for o in self._report.outcomes:
            by_task.setdefault(o.task, {})[o.system] = o
        numbered = list(enumerate(by_task.items(), 1))
        kept = [(i, task, found) for i, (task, found) in numbered if passes(show, found.values())]
        where = f"/compare/{self._row.id}"
        with tag("nav", cls="row-of", aria_label="Which questions"):
            for name, label in SHOWN.items():
                count = sum(passes(name, found.values()) for _, (_, found) in numbered)
                here = "true" if name == show else None
                link = f"{address(where, show=name)}#questions"
                tag("a", f"{label} {count:,}", href=link, cls="chip", aria_current=here)
        first = min((page - 1) * QUESTIONS, max(0, (len(kept) - 1) // QUESTIONS * QUESTIONS))
        with tag("div", cls="wide section", tabindex="0"), tag("table", cls="plain questions"):
            with tag("thead"), tag("tr"):
                tag("th", "Question", scope="col")
                for i, r in enumerate(self._rows):
                    with tag("th", scope="col"):
                        dot(i)
                        tag("span", shown(self._short[r.name], 30))
            with tag("tbody"):
                for i, task, found in kept[first : first + QUESTIONS]:
                    self._row_of(i, task, found)
        if not kept:
            tag("p", "There are none.", cls="empty")
        pager(where, {"show": show}, first, QUESTIONS, len(kept))

    def _row_of(self, number: int, task: str, found: dict[str, Outcome]) -> None:
        prompt = next(iter(found.values())).prompt
        words = " ".join(prompt[:400].split())
        link = address(f"/compare/{self._row.id}/question", task=task)
        with tag("tr", data_row=""):
            with tag("td", cls="ask"):
                tag("a", f"{number}. {shown(words, 110).splitlines()[0] or task}", href=link)
            for r in self._rows:
                mark = as_mark(found.get(r.name))
                with tag("td"):
                    sign(mark)
                    outcome = found.get(r.name)
                    if outcome is not None and outcome.answer:
                        brief = shown(" ".join(outcome.answer[:80].split()), 24)
                        tag("span", brief.splitlines()[0] if brief else "", cls="dim small less")


def sign(mark: dict[str, str]) -> None:
    """How an answer was judged, as a sign that says so in words too."""
    made = tag("span", mark["sign"], cls=f"mark {mark['state']}", title=mark["words"], role="img")
    made.props["aria-label"] = mark["words"]


def passes(show: str, outcomes: Iterable[Outcome]) -> bool:
    """Whether a question is among those to be shown."""
    found = list(outcomes)
    if show == "disagreement":
        return len({o.correct for o in found}) > 1
    if show == "all-wrong":
        return not any(o.correct for o in found)
    if show == "unparsed":
        return any(o.unparsed for o in found)
    return any(o.limited for o in found) if show == "limited" else True


# -- one question ---------------------------------------------------------------------------------


async def _question(
    studio: Studio,
    row: RunRow,
    report: Report,
    found: dict[str, Outcome],
    task: str,
    wanted: tuple[str, str],
) -> None:
    """Two systems on one question, side by side."""
    names = [r.name for r in ordered(report) if r.name in found]
    first = wanted[0] if wanted[0] in found else names[0]
    others = [name for name in names if name != first]
    second = wanted[1] if wanted[1] in found else (others[0] if others else first)
    tasks = list(dict.fromkeys(o.task for o in report.outcomes))
    at = tasks.index(task)
    one = found[first]
    where = f"/compare/{row.id}/question"
    with frame(f"Question {at + 1}", active="compare"):
        with tag("div", cls="spread"):
            tag("h1", f"Question {at + 1} of {len(tasks):,}")
            with tag("nav", cls="row-of", aria_label="Questions"):
                tag("a", "All of them", href=f"/compare/{row.id}#questions", cls="button")
                for label, to in (("←", at - 1), ("→", at + 1)):
                    if 0 <= to < len(tasks):
                        link = address(where, task=tasks[to], a=first, b=second)
                        words = "Question before" if to < at else "Next question"
                        tag("a", label, href=link, cls="button", aria_label=words)
        with tag("section", cls="section stack"):
            text_block(one.prompt)
            if one.reference:
                said(f"The reference is: {one.reference}", cls="dim", most=2_000)
        with tag("form", cls="row-of low section", method="get", action=where):
            tag("input", type="hidden", name="task", value=task)
            _choose("a", "Left", first, names)
            _choose("b", "Right", second, names)
            tag("button", "Show", type="submit", cls="quiet")
            link = address(
                f"/runs/{row.id}/diff/{row.id}",
                at=await asyncio.to_thread(_place, studio, row, first, task),
                to=await asyncio.to_thread(_place, studio, row, second, task),
            )
            if first != second:
                tag("a", "Call by call", href=link, cls="button")
        with tag("section", cls="sides section"):
            for name in (first, second) if second != first else (first,):
                await _side(studio, row, name, found[name])


def _place(studio: Studio, row: RunRow, system: str, task: str) -> int:
    with opened(studio.store_path) as store:
        found = [(p.system, p.task) for p in places(store, row.id)]
    return found.index((system, task)) if (system, task) in found else 0


def _choose(name: str, label: str, chosen: str, names: Sequence[str]) -> None:
    with tag("label", label, cls="field"), tag("select", name=name, cls="text"):
        for one in names:
            tag("option", shown(one, 80), value=one, selected=True if one == chosen else None)


async def _side(studio: Studio, row: RunRow, system: str, outcome: Outcome) -> None:
    mark = as_mark(outcome)
    with tag("div", cls="stack"):
        tag("h2", shown(system, 120))
        with tag("div", cls="card stack"):
            text_block(outcome.answer or "No answer.")
            tag("p", f"{mark['sign']} {mark['words']}", cls=f"mark {mark['state']}")
            reason = outcome.reason if outcome.reason != mark["words"] else ""
            for trouble in filter(None, (reason, outcome.ended, outcome.error)):
                said(trouble, cls="warn small", most=1_000)
            calls = f"{outcome.calls:,} call{'s' * (outcome.calls != 1)}"
            cost = f"{calls}, {outcome.tokens:,} tokens, {seconds(outcome.seconds)}"
            tag("p", cost, cls="dim small nums")
            for finding in outcome.findings or ():
                said(f"{finding.code} {finding.name}: {finding.says}", cls="small", most=600)
        trace = await asyncio.to_thread(
            StoredTrace, studio.store_path, row.id, system, outcome.task
        )
        Reel(trace, label=f"Transcript of {shown(system, 80)}")
