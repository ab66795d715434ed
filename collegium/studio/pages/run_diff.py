"""Two runs side by side: what was asked for differently, and where they part."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

import msgspec
from nicegui import ui

from collegium.bench.run_diff import Change, RunDiff, Side, Step, diff, words_changed
from collegium.bench.said import Part, Said, said
from collegium.bench.share import title
from collegium.commands.readable import readable
from collegium.errors import CollegiumError
from collegium.kernel import Usage
from collegium.kernel.history import Place
from collegium.kernel.store import Totals
from collegium.kernel.trace import generations
from collegium.studio.frame import frame
from collegium.studio.layout import address, page_number, pager, table, with_style
from collegium.studio.pages.one_run import Known, missing, read
from collegium.studio.safe import shown, tag
from collegium.studio.state import Studio
from collegium.studio.traces import StoredTrace, hue

COUNT = 40
"""Calls on one page."""

MOST_PLACES = 400
"""Traces of a comparison that can be chosen from."""

MOST_TEXT = 4_000
"""Characters of one text that are shown."""


class Chosen(msgspec.Struct, frozen=True):
    """One of the two: what is known of its run, and which of its traces is meant."""

    known: Known
    at: int
    side: Side

    @property
    def place(self) -> Place | None:
        """Where the trace is."""
        return self.known.places[self.at] if self.known.places else None


def register(studio: Studio) -> None:
    """Declare the pages."""

    @ui.page("/runs/{a}/diff/{b}")
    async def two(
        a: str, b: str, at: str = "", to: str = "", every: str = "", page: str = ""
    ) -> None:
        with_style()
        try:
            left = await asyncio.to_thread(_choose, studio, a, _index(at))
            right = await asyncio.to_thread(_choose, studio, b, _index(to))
        except CollegiumError as error:
            missing(error)
            return
        found = await asyncio.to_thread(diff, left.side, right.side)
        query = {"at": at, "to": to, "every": every}
        with frame("Two runs", active="runs"):
            tag("h1", "What two runs did differently")
            _heads(left, right, query)
            _facts(found)
            _calls(found, left, right, query, page_number(page))


def _index(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def _choose(studio: Studio, name: str, at: int) -> Chosen:
    """A run, and one of its traces with all its events."""
    known = read(studio, name)
    at = at if at < len(known.places) else 0
    row = known.row
    if not known.places:
        return Chosen(known, 0, Side(run=row.id, spec=row.spec, status=row.status))
    place = known.places[at]
    events = StoredTrace(studio.store_path, row.id, place.system, place.task).events()
    came_to = known.totals
    if row.kind == "compare":  # the bill of the one trace, not of the whole comparison
        outcome = known.outcomes.get((place.system, place.task))
        came_to = Totals(
            answer=outcome.answer if outcome else "",
            limited=outcome.ended if outcome else "",
            calls=generations(events),
            usage=sum((e.usage for e in events), Usage()),
            seconds=max((e.started + e.seconds for e in events), default=0.0),
        )
    spec = {**row.spec, **({"system": place.system} if row.kind == "compare" else {})}
    spec.pop("systems", None)
    side = Side(run=row.id, spec=spec, status=row.status, totals=came_to, events=events)
    return Chosen(known, at, side)


def _heads(left: Chosen, right: Chosen, query: dict[str, str]) -> None:
    a, b = (quote(one.known.row.id, safe="") for one in (left, right))
    with tag("form", cls="sides section", method="get", action=f"/runs/{a}/diff/{b}"):
        for one, name, label in ((left, "at", "First run"), (right, "to", "Second run")):
            row = one.known.row
            with tag("div", cls="card stack"):
                tag("div", label, cls="dim small")
                tag("a", shown(title(row), 120), href=f"/runs/{row.id}")
                tag("div", shown(row.id, 60), cls="mono small")
                if len(one.known.places) > 1:
                    _places(one, name)
        if query["every"]:
            tag("input", type="hidden", name="every", value="1")
        if max(len(left.known.places), len(right.known.places)) > 1:
            tag("button", "Show these traces", type="submit", cls="quiet")


def _places(one: Chosen, name: str) -> None:
    with tag("label", "Trace", cls="field"), tag("select", name=name, cls="text"):
        for i, place in enumerate(one.known.places[:MOST_PLACES]):
            words = shown(f"{place.system} on {place.task}", 100)
            tag("option", words, value=str(i), selected=True if i == one.at else None)


def _facts(found: RunDiff) -> None:
    with tag("section", cls="sides section"):
        with tag("div", cls="card stack"):
            tag("h2", "Asked for differently")
            _changes(found.asked, "Nothing: both were asked for the same.")
            if found.result:
                tag("h2", "Came out differently")
                _changes(found.result, "")
        with tag("div", cls="card stack"):
            tag("h2", "Bill")
            table(
                ("", ("first", "num"), ("second", "num")),
                [(c.name, c.a, c.b) for c in found.bill],
            )


def _changes(changes: Sequence[Change], none: str) -> None:
    if not changes:
        tag("p", none, cls="dim")
        return
    table(
        ("", "first", "second"),
        [(c.name, shown(c.a or "–", 300), shown(c.b or "–", 300)) for c in changes],
    )


def _calls(found: RunDiff, left: Chosen, right: Chosen, query: dict[str, str], page: int) -> None:
    counts = Counter(step.state for step in found.steps)
    numbered = list(enumerate(found.steps))
    if not query["every"]:
        numbered = [(i, step) for i, step in numbered if step.state != "same"]
    path = f"/runs/{left.known.row.id}/diff/{right.known.row.id}"
    with tag("section", cls="section"):
        tag("h2", "Calls")
        tag("p", found.verdict, cls="verdict")
        words = {"same": "the same", "changed": "changed", "only-a": "of the first run alone"}
        words["only-b"] = "of the second run alone"
        told = ", ".join(f"{counts[s]:,} {w}" for s, w in words.items() if counts[s])
        with tag("div", cls="spread section"):
            tag("p", told, cls="dim nums")
            other = "Only what differs" if query["every"] else "All calls"
            changed = {**query, "every": "" if query["every"] else "1"}
            tag("a", other, href=address(path, **changed), cls="button")
        first = min((page - 1) * COUNT, max(0, (len(numbered) - 1) // COUNT * COUNT))
        if numbered:
            with tag("div", cls="card diff"):
                for number, step in numbered[first : first + COUNT]:
                    _step(number, step, left.side, right.side)
        pager(path, query, first, COUNT, len(numbered))


def _step(number: int, step: Step, a: Side, b: Side) -> None:
    left = None if step.a is None else said(a.events[step.a], tidy=readable)
    right = None if step.b is None else said(b.events[step.b], tidy=readable)
    with tag("article", cls=f"diff-row {step.state}", data_row=""):
        for words, other, cls in ((left, right, "a"), (right, left, "b")):
            with tag("div", cls=cls):
                if words is not None:
                    _said(number, words, other if step.state == "changed" else None, step, cls)


def _said(number: int, words: Said, other: Said | None, step: Step, side: str) -> None:
    with tag("div", cls="row-of"):
        tag("span", f"{number + 1:,}", cls="dim small nums")
        agent = tag("b", shown(words.agent, 60))
        agent.style(f"color: var(--agent-{hue(words.agent)})")
        tag("span", shown(words.act, 100), cls="dim small")
        for what in step.what if side == "a" else ():
            tag("span", f"{what} differently", cls="chip warn")
    shown_parts = [("answered", words.answered)]
    if "asked" in step.what or words.kind == "use-tool":
        shown_parts.insert(0, ("asked", words.asked))
    for name, parts in shown_parts:
        theirs = getattr(other, name) if other is not None else ()
        _parts(parts, theirs if other is not None else None, side, len(shown_parts) > 1)
    if words.error:
        tag("div", shown(words.error, 600), cls="said bad")


def _parts(parts: Sequence[Part], theirs: Sequence[Part] | None, side: str, labelled: bool) -> None:
    for i, part in enumerate(parts):
        counterpart = theirs[i].text if theirs is not None and i < len(theirs) else None
        if theirs is not None and counterpart == part.text and len(parts) > 1:
            continue  # of a long prompt, only what changed
        if labelled or len(parts) > 1:
            tag("div", shown(part.label, 60), cls="dim small")
        with tag("div", cls="said"):
            _words(part.text[:MOST_TEXT], counterpart, side)
            if len(part.text) > MOST_TEXT:
                tag("span", f"… {len(part.text) - MOST_TEXT:,} more characters", cls="dim")


def _words(text: str, other: str | None, side: str) -> None:
    """A text; what of it the other one has not is marked."""
    if other is None or other == text:
        tag("span", text)
        return
    a, b = (text, other[:MOST_TEXT]) if side == "a" else (other[:MOST_TEXT], text)
    own = "del" if side == "a" else "ins"
    for kind, piece in words_changed(a, b):
        if kind == "same":
            tag("span", piece)
        elif kind == own:
            tag(own, piece)
