"""A run as one HTML file that needs nothing else and no script, to be sent to somebody.

What models and tools wrote is hostile text: the templates escape it all, and the page's content
security policy allows no script and no request to anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from markupsafe import Markup

from collegium import __version__
from collegium.bench.diagnosis import Finding, diagnose
from collegium.bench.html import TRANSCRIPT_BYTES, as_mark, source, template
from collegium.bench.records import Outcome
from collegium.kernel import RunStore
from collegium.kernel.history import events_at, places, positions, totals
from collegium.kernel.store import RunRow
from collegium.kernel.trace import Event

SLICE = 500
"""Events read from the store at a time."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """One system on one task as the page shows it."""

    system: str
    task: str
    place: str
    outcome: Outcome | None
    words: str
    findings: tuple[Finding, ...]
    transcript: str


def share(store: RunStore, run: str, *, transcript_bytes: int = TRANSCRIPT_BYTES) -> str:
    """The page of a run.

    Args:
        store: The run store.
        run: Id of the run, the beginning of it, or "last".
        transcript_bytes: Calls beyond this many bytes of page are left out, and the page says so.

    Returns:
        The page; it is safe to open whatever the run's models and tools wrote.

    Raises:
        UnknownName: There is no such run.
    """
    row = store.run(run)
    found = places(store, row.id)
    outcomes = {
        place: msgspec.json.decode(data, type=Outcome)
        for place, data in store.results(row.id).items()
    }
    room, left_out = transcript_bytes, 0
    parts: list[_Part] = []
    for number, place in enumerate(found, 1):
        if room <= 0:
            left_out += place.events
            continue
        rows = positions(store, row.id, place)
        events = events_at(store, rows)
        outcome = outcomes.get((place.system, place.task))
        name = f"p-{number}"
        text, shown = _transcript(events, outcome, name, room)
        room -= len(text.encode("utf-8", "replace"))
        left_out += len(events) - shown
        parts.append(
            _Part(
                system=place.system,
                task=place.task,
                place=name,
                outcome=outcome,
                words=as_mark(outcome)["words"] if outcome else "",
                findings=diagnose(events, outcome=outcome),
                transcript=Markup(text),
            )
        )
    return template("run.html.j2").render(
        run=row,
        title=title(row),
        task=str(row.spec.get("task", "")),
        totals=totals(store, row),
        single=row.kind != "compare",
        facts=facts(row.spec),
        parts=parts,
        events=sum(place.events for place in found),
        left_out=left_out,
        version=__version__,
        style=Markup(source("style.html.j2")),
    )


def title(row: RunRow) -> str:
    """What a run is called: its system, or its systems and benchmark."""
    if "systems" in row.spec:
        names = ", ".join(str(named[0]) for named in row.spec["systems"])
        return f"{names} on {row.spec.get('benchmark', '')}"
    return str(row.spec.get("system") or row.kind)


def facts(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was asked for, one line each, as text."""
    lines: list[tuple[str, str]] = []
    for name, value in spec.items():
        if name in ("task", "systems") or value in (None, "", {}, []):
            continue
        if name in ("parameters", "roles", "origin") and isinstance(value, dict):
            text = ", ".join(f"{key}={_text(v)}" for key, v in value.items())
        else:
            text = _text(value)
        lines.append((name.capitalize(), text))
    return lines


def _transcript(
    events: Sequence[Event], outcome: Outcome | None, place: str, room: int
) -> tuple[str, int]:
    """As many events as there is room for, and how many these are."""
    made: list[str] = []
    page = template("transcript.html.j2")
    for start in range(0, len(events), SLICE):
        some = events[start : start + SLICE]
        last = start + SLICE >= len(events)
        kept = outcome if outcome and last else Outcome(system="", task="")
        text = page.render(events=some, outcome=kept, place=place)
        size = len(text.encode("utf-8", "replace"))
        if size > room:
            return "".join(made), start
        made.append(text)
        room -= size
    return "".join(made), len(events)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=repr).decode()
