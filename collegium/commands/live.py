"""The table that shows a comparison while it runs, and the one that closes it."""

from __future__ import annotations

from time import perf_counter

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from collegium.bench.compare import Plan
from collegium.bench.debate import describe
from collegium.bench.diagnosis.words import counted
from collegium.bench.records import Outcome, Report, SystemRow
from collegium.bench.statistics import wilson
from collegium.bench.summary import blocked_calls, decided_by_own_tests, facts_told, percent
from collegium.commands.show import clean, clock, dollars, label, print_table, table

WIDTHS = (7, 16, 9, 5, 7)
"""Least widths of the live table's numbers: it must not jump about as they grow."""

STEPS = 10
"""How many lines of progress are printed where no terminal shows the table."""


class Progress:
    """How far one system has come.

    Attributes:
        done: Questions finished, those of an interrupted run included.
        seconds: Time its runs took.
        written: Tokens written.
        tokens: Tokens read and written.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = self.correct = self.tokens = self.written = self.troubled = 0
        self.seconds = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.done += 1
        self.correct += outcome.correct
        self.troubled += bool(outcome.error)
        self.tokens += outcome.tokens
        self.written += outcome.tokens_completion
        self.seconds += outcome.seconds

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take one after the other; None before the first is there."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None


class Board:
    """The live table; also prints plain lines of progress where there is no terminal.

    Args:
        plan: What is compared.
        workers: Questions worked on at the same time.
        out: Where it is shown.
    """

    def __init__(self, plan: Plan, workers: int, out: Console) -> None:
        total = len(plan.benchmark.items)
        self._progress = {e.label: Progress(total) for e in plan.entries}
        self._model, self._workers, self._out = plan.model, max(1, min(workers, total)), out
        self._began = perf_counter()
        self._spinner = Spinner("dots")
        self._said = 0
        self.kept = self.fresh = 0

    def add(self, outcome: Outcome, kept: bool) -> None:
        """Count an outcome; ``kept`` says that it comes from an interrupted run."""
        self._progress[outcome.system].add(outcome)
        self.kept += kept
        self.fresh += not kept
        if not kept and not self._out.is_terminal:
            self._say()

    @property
    def troubled(self) -> int:
        """Runs that failed."""
        return sum(p.troubled for p in self._progress.values())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Group(self._table(), self._footer())

    def _table(self) -> Table:
        numbers = ("done", "accuracy (95%)", "tokens", "tok/s", "left")
        made = table("system", *numbers, right=numbers)
        made.columns[0].no_wrap, made.columns[0].overflow = True, "ellipsis"
        room = max(20, self._out.width - sum(WIDTHS) - 2 * len(WIDTHS))
        for column, width in zip(made.columns[1:], WIDTHS, strict=True):
            column.min_width = width
        for name, p in self._progress.items():
            low, high = wilson(p.correct, p.done)
            accuracy = f"{percent(p.correct / max(1, p.done))} [{100 * low:.0f}, {100 * high:.0f}]"
            rate = f"{p.written / p.seconds:,.0f}" if p.seconds else ""
            left = "" if p.left is None else clock(p.left / self._workers)
            full = p.done == p.total
            made.add_row(
                label(name, room),
                Text(f"{p.done}/{p.total}", style="green" if full else ""),
                accuracy if p.done else "",
                f"{p.tokens:,}",
                rate,
                "done" if full else left,
            )
        return made

    def _footer(self) -> RenderableType:
        gone = perf_counter() - self._began
        lefts = [p.left for p in self._progress.values()]
        left = [x for x in lefts if x is not None]
        about = (
            f", about {clock(sum(left) / self._workers)} left" if len(left) == len(lefts) else ""
        )
        kept = f" · {self.kept} kept from before" if self.kept else ""
        failed = f" · {self.troubled} failed" if self.troubled else ""
        self._spinner.update(
            text=Text(f"{self._model} · {clock(gone)} gone{about}{kept}{failed}", style="dim")
        )
        return self._spinner

    def _say(self) -> None:
        done = sum(p.done for p in self._progress.values())
        total = sum(p.total for p in self._progress.values())
        step = done * STEPS // total
        if step > self._said:
            self._said = step
            right = ", ".join(f"{n} {p.correct}/{p.done}" for n, p in self._progress.items())
            gone = clock(perf_counter() - self._began)
            self._out.print(f"{done}/{total} done after {gone}; right: {right}", soft_wrap=True)


def print_report(report: Report, out: Console) -> None:
    """The closing table and the verdict."""
    what = f"{report.benchmark} ({report.split}), {report.model}, seed {report.seed}"
    budget = f", {report.budget:,} tokens per question" if report.budget else ""
    out.print(Text(f"{what}{budget}", style="bold"))
    out.print()
    print_table(closing_table(report, out.width), out)
    for row in report.systems:
        if said := troubles(row):
            out.print(Text(f"{row.name}: {said}", style="yellow"))
        if stopped := blocked_calls(row.blocked):
            out.print(Text(clean(f"{row.name}: {stopped}"), style="yellow"))
        if tested := decided_by_own_tests(row):
            out.print(Text(f"{row.name}: {tested}"))
        if told := facts_told(row):
            out.print(Text(f"{row.name}: {told}."))
    for name, debates in report.debates.items():
        out.print(Text(describe(name, debates)))
    for row in report.systems:
        if row.diagnosed:
            said = f"Failure modes of {row.name}: {counted(row.modes, row.diagnosed)}"
            out.print(Text(said, style="" if row.modes else "dim"))
    out.print()
    out.print(Text(report.verdict))
    out.print()


def closing_table(report: Report, width: int) -> Table:
    """What a comparison found, best system first; columns that would be empty are left out."""
    numbers = ["right", "accuracy", "95% interval", "tokens/task", "calls", "time"]
    money = ["money"] if any(r.money for r in report.systems) else []
    columns = [*numbers, *money]
    made = table("system", *columns, right=tuple(columns))
    made.columns[0].overflow = "fold"
    room = max(16, width - 58 - 10 * len(money))
    place = {name: i for i, name in enumerate(report.ranking or ())}
    for r in sorted(report.systems, key=lambda r: place.get(r.name, 0)):
        made.add_row(
            Text(label(r.name, room), style="bold" if place.get(r.name) == 0 else ""),
            f"{r.correct}/{r.n}",
            percent(r.accuracy),
            f"{100 * r.ci_low:.1f} to {100 * r.ci_high:.1f}",
            f"{r.tokens_per_task:,.0f}",
            f"{r.calls:,}",
            clock(r.seconds),
            *([dollars(r.money)] if money else []),
        )
    for name, floor in report.controls.items():
        made.add_row(Text(f"({name})", style="dim"), "", Text(percent(floor), style="dim"))
    return made


def troubles(row: SystemRow) -> str:
    """What went wrong in some of a system's runs; "" when nothing did."""
    kinds = (
        ("failed", row.errors),
        ("without a readable answer", row.unparsed),
        ("ended by a limit", row.limited),
    )
    return ", ".join(f"{number:,} {kind}" for kind, number in kinds if number > 0)
