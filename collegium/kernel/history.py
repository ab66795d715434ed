"""The history of the run store, page by page: no view of it ever reads the whole store.

What a run came to is written when it ends. Runs of a store that was made before that was so, and
runs whose process was killed, are counted from their events and results, some at a time
(:func:`count_up`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal, get_args

import msgspec

from collegium.errors import BadInput
from collegium.kernel.calls import Usage
from collegium.kernel.store import RunRow, RunStore, Totals
from collegium.kernel.trace import Event, decode_event, generations

Ending = Literal["", "done", "running", "interrupted", "failed", "limit"]
"""How a run ended; "" stands for any way, "limit" for a limit or guard that ended it."""

LIMIT_FAILURES = ("LimitReached", "BudgetTooSmall", "Stopped")
"""The kinds of errors by which a trace shows that a limit or a guard stood against a call."""


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list; everything that is left empty lets all pass.

    Attributes:
        kind: "run" for single ones, "compare" for comparisons.
        system: Name of a system, parameters left out.
        model: Name of a model, of all agents or of one role.
        text: What the task, the benchmark, the answer or the id holds.
        since: First day ("2026-03-31", UTC).
        until: Last day.
        ended: How it ended.
        tokens: Tokens it spent at least.
    """

    kind: str = ""
    system: str = ""
    model: str = ""
    text: str = ""
    since: str = ""
    until: str = ""
    ended: Ending = ""
    tokens: int = 0


class Listed(msgspec.Struct, frozen=True):
    """A run of the list; ``totals`` is None until it has ended and been counted."""

    run: RunRow
    totals: Totals | None


class Page(msgspec.Struct, frozen=True):
    """Some runs of the list.

    Attributes:
        runs: They, newest first.
        first: How many newer ones stand before them.
        total: How many pass the filters.
    """

    runs: tuple[Listed, ...]
    first: int
    total: int


class Place(msgspec.Struct, frozen=True):
    """One system on one task within a run: its last attempt and how many events that has."""

    system: str
    task: str
    attempt: int
    events: int


_FROM = "FROM runs AS r LEFT JOIN totals AS t ON t.run = r.id"

_SYSTEM = (
    "(json_extract(r.spec, '$.system') = ?1 OR substr(json_extract(r.spec, '$.system'), 1, "
    "length(?1) + 1) = ?1 || ':' OR EXISTS (SELECT 1 FROM json_each(r.spec, '$.systems') AS s "
    "WHERE json_extract(s.value, '$[1]') = ?1 OR json_extract(s.value, '$[0]') = ?1))"
)
_MODEL = (
    "(json_extract(r.spec, '$.model') = ?1 OR EXISTS (SELECT 1 FROM "
    "json_each(r.spec, '$.roles') AS m WHERE m.value = ?1))"
)
_TEXT = (
    "(json_extract(r.spec, '$.task') LIKE ?1 ESCAPE '\\' OR json_extract(r.spec, '$.benchmark') "
    "LIKE ?1 ESCAPE '\\' OR json_extract(CAST(t.data AS TEXT), '$.answer') LIKE ?1 ESCAPE '\\' "
    "OR r.id LIKE ?1 ESCAPE '\\')"
)


def find(store: RunStore, filters: Filters = Filters(), *, first: int = 0, count: int = 50) -> Page:
    """A page of the runs that pass the filters, newest first.

    Args:
        store: The run store.
        filters: Which runs.
        first: How many to leave out from the newest on.
        count: How many to list.

    Raises:
        BadInput: A day, a number or a way to end is none.
    """
    where, values = _where(filters)
    # Only a filter needs what runs came to for counting them.
    ((total,),) = store.read(f"SELECT count(*) {_FROM}{where}" if where else _ALL, values)
    first = max(0, min(first, (total - 1) // count * count if total else 0))
    rows = store.read(
        f"SELECT r.id, r.created, r.kind, r.key, r.spec, r.status, t.data {_FROM}{where} "
        f"ORDER BY r.created DESC, r.id DESC LIMIT {int(count)} OFFSET {int(first)}",
        values,
    )
    return Page(tuple(_listed(*row) for row in rows), first, total)


_ALL = "SELECT count(*) FROM runs"


def _where(filters: Filters) -> tuple[str, list[Any]]:
    """The condition that filters make, and its values; each value stands where it is named."""
    if filters.ended not in get_args(Ending):
        known = ", ".join(filter(None, get_args(Ending)))
        raise BadInput(f"a run does not end {filters.ended!r}; it can be: {known}.")
    if filters.tokens < 0:
        raise BadInput(f"the number of tokens must be at least 0, not {filters.tokens}.")
    parts: list[tuple[str, Any]] = []
    if filters.kind:
        parts.append(("r.kind = ?1", filters.kind))
    if filters.system:
        parts.append((_SYSTEM, filters.system))
    if filters.model:
        parts.append((_MODEL, filters.model))
    if filters.text:
        sought = filters.text
        for special in ("\\", "%", "_"):
            sought = sought.replace(special, f"\\{special}")
        parts.append((_TEXT, f"%{sought}%"))
    if filters.since:
        parts.append(("r.created >= ?1", _day(filters.since).isoformat()))
    if filters.until:
        parts.append(("r.created < ?1", (_day(filters.until) + timedelta(days=1)).isoformat()))
    if filters.tokens:
        parts.append(("t.tokens >= ?1", filters.tokens))
    if filters.ended == "limit":
        parts.append(("t.limited = ?1", 1))
    elif filters.ended:
        parts.append(("r.status = ?1", filters.ended))
    said = [part.replace("?1", f"?{i}") for i, (part, _) in enumerate(parts, 1)]
    return (f" WHERE {' AND '.join(said)}" if said else ""), [value for _, value in parts]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(f"{text!r} is no day; write it like 2026-03-31.") from None


def _listed(
    run: str, created: str, kind: str, key: str, spec: str, status: str, data: bytes | None
) -> Listed:
    row = RunRow(run, created, kind, key, msgspec.json.decode(spec), status)
    return Listed(row, msgspec.json.decode(data, type=Totals) if data is not None else None)


def totals(store: RunStore, run: RunRow) -> Totals | None:
    """What a run came to; None while it goes on."""
    found = store.read("SELECT data FROM totals WHERE run = ?", (run.id,))
    if found:
        return msgspec.json.decode(found[0][0], type=Totals)
    return None if run.status == "running" else counted(store, run.id, run.kind)


def count_up(store: RunStore, most: int = 200) -> int:
    """Note what ended runs came to of which that is not known yet, the newest first.

    Args:
        store: The run store.
        most: How many runs to count at most.

    Returns:
        How many were counted; fewer than ``most`` means that none is left.
    """
    missing = store.read(
        "SELECT r.id, r.kind FROM runs AS r WHERE r.status != 'running' AND NOT EXISTS "
        "(SELECT 1 FROM totals AS t WHERE t.run = r.id) ORDER BY r.created DESC LIMIT ?",
        (most,),
    )
    if missing:
        store.put_totals({run: counted(store, run, kind) for run, kind in missing})
    return len(missing)


class _Spent(msgspec.Struct):
    """Of an outcome, what it cost and whether a limit ended it."""

    limited: bool = False
    calls: int = 0
    tokens_prompt: int = 0
    tokens_cached: int = 0
    tokens_completion: int = 0
    money: float = 0.0
    seconds: float = 0.0


def counted(store: RunStore, run: str, kind: str) -> Totals:
    """What a run came to, from its results or else from its events.

    Args:
        store: The run store.
        run: Its id.
        kind: Its kind; a comparison's finished results say what it came to.
    """
    store.flush()
    spent = [msgspec.json.decode(data, type=_Spent) for data in store.results(run).values()]
    if kind == "compare" and spent:
        limited = sum(s.limited for s in spent)
        return Totals(
            limited=f"{limited:,} of {len(spent):,} runs were ended by a limit." if limited else "",
            calls=sum(s.calls for s in spent),
            usage=sum(
                (
                    Usage(s.tokens_prompt, s.tokens_cached, s.tokens_completion, s.money)
                    for s in spent
                ),
                Usage(),
            ),
            seconds=sum(s.seconds for s in spent),
        )
    events = [event for _, _, event in store.events(run)]
    stopped = next((e.error for e in events if e.failure in LIMIT_FAILURES), "")
    return Totals(
        limited=stopped,
        calls=generations(events),
        usage=sum((e.usage for e in events), Usage()),
        seconds=max((e.started + e.seconds for e in events), default=0.0),
    )


# -- the events of a run, some at a time ---------------------------------------------------


def places(store: RunStore, run: str) -> list[Place]:
    """The systems and tasks of a run, in the order in which they began."""
    rows = store.read(
        "SELECT system, task, attempt, count(*) FROM events WHERE run = ? "
        "GROUP BY system, task, attempt ORDER BY min(rowid)",
        (run,),
    )
    last: dict[tuple[str, str], Place] = {}
    for system, task, attempt, events in rows:
        known = last.get((system, task))
        if known is None or known.attempt < attempt:
            last[system, task] = Place(system, task, attempt, events)
    return list(last.values())


def positions(store: RunStore, run: str, place: Place) -> list[int]:
    """Where the events of a place stand in the store, in the order recorded."""
    rows = store.read(
        "SELECT rowid FROM events WHERE run = ? AND system = ? AND task = ? AND attempt = ? "
        "ORDER BY rowid",
        (run, place.system, place.task, place.attempt),
    )
    return [row for (row,) in rows]


def events_at(store: RunStore, rows: Sequence[int]) -> list[Event]:
    """The events at some positions, in that order."""
    found: dict[int, bytes] = {}
    for start in range(0, len(rows), 500):  # SQLite takes so many values in one query
        some = rows[start : start + 500]
        marks = ", ".join("?" * len(some))
        query = f"SELECT rowid, data FROM events WHERE rowid IN ({marks})"
        found.update(dict(store.read(query, some)))
    return [decode_event(found[row]) for row in rows if row in found]
