"""Two systems on one question of a comparison, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from collegium.bench.html import as_mark, ordered
from collegium.bench.records import Outcome, Report
from collegium.kernel.history import places
from collegium.kernel.store import RunRow
from collegium.studio.frame import frame
from collegium.studio.layout import address, seconds, text_block
from collegium.studio.reel import Reel
from collegium.studio.safe import said, shown, tag
from collegium.studio.state import Studio
from collegium.studio.traces import StoredTrace, opened


async def show_question(
    studio: Studio,
    row: RunRow,
    report: Report,
    found: dict[str, Outcome],
    task: str,
    wanted: tuple[str, str],
) -> None:
    """Make the page.

    Args:
        studio: What the pages share.
        row: The comparison.
        report: What came of it.
        found: Outcomes of the question by system.
        task: Its id.
        wanted: The two systems to be shown; others take the place of those that are unknown.
    """
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
