"""What came of a comparison: systems, pairs, failures, and the questions one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from nicegui import ui

from collegium.bench.diagnosis import MODES
from collegium.bench.html import as_mark, ordered
from collegium.bench.records import Outcome, Report
from collegium.bench.share import facts as facts_of
from collegium.bench.statistics import holm
from collegium.bench.words import p_value, percent, points, short_names
from collegium.kernel.store import RunRow
from collegium.studio.charts import accuracy_chart, cost_chart, dot
from collegium.studio.comparing import Comparisons
from collegium.studio.frame import tell
from collegium.studio.layout import address, facts, money, pager, table
from collegium.studio.safe import said, shown, tag

QUESTIONS = 25
"""Questions on one page."""

SHOWN = {
    "": "all",
    "disagreement": "where they disagree",
    "all-wrong": "all wrong",
    "unparsed": "no readable answer",
    "limited": "ended by a limit",
}


class Result:
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
