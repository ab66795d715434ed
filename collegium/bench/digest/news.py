"""Finding what is new in the run store and among the measured results.

All text in a digest is clean when it leaves this module: one line, without control characters and
without anything that XML cannot hold. It is still hostile: whoever shows it has to escape it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from collegium.bench.digest.mark import Mark
from collegium.errors import BadInput, UnknownName
from collegium.kernel.history import totals
from collegium.kernel.store import RunRow, RunStore

OVERLAP = timedelta(hours=1)
"""How far a digest looks back behind the last one for runs that appeared late in the store."""

MAX_BYTES = 64_000_000
"""Largest results file that is read."""

LONGEST = 300
"""Most characters of a piece of text."""

# Control characters, what turns the direction of text, halves of pairs, and what is no character.
_UNSHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef"
    "\ufeff\ufff0-\uffff]"
)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How one system did.

    Attributes:
        system: Its name.
        n: Questions.
        correct: How many of them it got right; None where only the share is known.
        accuracy: The share.
        low: Lower end of the 95% interval; None where none was computed.
        high: Upper end.
        tokens_per_task: Tokens it spent on a question; None where that is not known.
    """

    system: str
    n: int
    correct: int | None
    accuracy: float
    low: float | None = None
    high: float | None = None
    tokens_per_task: float | None = None


class RunNews(msgspec.Struct, frozen=True, kw_only=True):
    """A run that ended.

    Attributes:
        status: "done", "interrupted" or "failed".
        title: What was run on what.
        answer: What it answered; "" for none, and for a comparison.
        limited: What limit or guard ended it, "" when none did.
        tokens: What it spent; None where that was not counted.
        rows: How the systems of a comparison did, as far as it came.
    """

    id: str
    created: str
    kind: str
    status: str
    title: str
    model: str
    answer: str = ""
    limited: str = ""
    tokens: int | None = None
    rows: tuple[Tally, ...] = ()


class ResultNews(msgspec.Struct, frozen=True, kw_only=True):
    """A results file that is new, or has a new content.

    Attributes:
        file: Its name within the results folder.
        content: Digest of its content.
        created: When it was measured, or else when the file was written.
        title: What it measures.
        verdict: What it says, in a sentence; "" where it says none.
        command: What made it; "" where it does not say so.
        rows: How systems did, where it is a comparison.
        problem: Why it cannot be read; "" when it can.
    """

    file: str
    content: str
    created: str
    title: str
    verdict: str = ""
    command: str = ""
    rows: tuple[Tally, ...] = ()
    problem: str = ""


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What is new.

    Attributes:
        since: From when on; "" where it is everything there is.
        made: When this was looked for.
        runs: Runs that ended, newest first.
        results: Results, newest first.
        running: How many runs have not ended yet; they will be told of when they have.
    """

    since: str
    made: str
    runs: tuple[RunNews, ...] = ()
    results: tuple[ResultNews, ...] = ()
    running: int = 0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not self.runs and not self.results

    @property
    def key(self) -> str:
        """The same for the same news, whenever they are told."""
        told = [*(f"{r.id} {r.status}" for r in self.runs),
                *(f"{r.file} {r.content}" for r in self.results)]  # fmt: skip
        return sha256("\n".join(sorted(told)).encode()).hexdigest()[:32]

    @property
    def heading(self) -> str:
        """How much there is: "2 new runs, 1 new result"."""
        if self.empty:
            return "nothing new"
        counts = ((len(self.runs), "run"), (len(self.results), "result"))
        return ", ".join(f"{n} new {what}{'s' * (n != 1)}" for n, what in counts if n)


class _Row(msgspec.Struct):
    name: str
    n: int
    accuracy: float
    correct: int | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    tokens_per_task: float | None = None


class _Report(msgspec.Struct):
    benchmark: str
    model: str
    systems: list[_Row]
    created: str = ""
    verdict: str = ""
    command: str = ""


class _Scored(msgspec.Struct):
    correct: bool = False
    tokens_prompt: int = 0
    tokens_completion: int = 0


def collect(
    store: Path,
    results: Path | None,
    mark: Mark = Mark(),
    *,
    since: datetime | None = None,
    now: datetime | None = None,
) -> tuple[Digest, Mark]:
    """Find what is new.

    Args:
        store: The run store; there may be none yet.
        results: The folder of results; None: there is none.
        mark: What was told already. Ignored with ``since``.
        since: Look back to this moment instead, whatever was told.
        now: The time; None: the clock's.

    Returns:
        The digest, and the mark to remember once it is delivered.

    Raises:
        BadInput: The run store cannot be read.
    """
    now = now or datetime.now(UTC)
    made = now.isoformat(timespec="seconds")
    known = mark if since is None else Mark()
    rows, after = _rows(store, known, since, now)
    news = _described(store, sorted(rows, key=lambda row: (row.created, row.id), reverse=True))
    found = list(_changed(results, known.results if since is None else {}))
    told = {**known.results, **{one.file: one.content for one in found}}
    if since is not None:
        found = [one for one in found if _moment(one.created) >= since]
    digest = Digest(
        since=since.isoformat(timespec="seconds") if since is not None else mark.told,
        made=made,
        runs=tuple(news),
        results=tuple(sorted(found, key=lambda one: (one.created, one.file), reverse=True)),
        running=sum(status == "running" for status in after.open.values()),
    )
    return digest, msgspec.structs.replace(after, told=made, results=told)


def latest(store: Path, results: Path | None, most: int, *, now: datetime | None = None) -> Digest:
    """The newest runs and results, whatever was told: what a feed shows, whose readers remember.

    Args:
        store: The run store.
        results: The folder of results.
        most: How many runs and results together at most.
        now: The time.
    """
    now = now or datetime.now(UTC)
    rows = _opened(store, lambda opened: opened.runs(2 * most)) or []
    dated: list[tuple[datetime, str, RunRow | ResultNews]] = [
        *((_moment(r.created), r.id, r) for r in rows if r.status != "running"),
        *((_moment(r.created), r.file, r) for r in _changed(results, {})),
    ]
    newest = sorted(dated, key=lambda one: one[:2], reverse=True)[:most]
    return Digest(
        since="",
        made=now.isoformat(timespec="seconds"),
        runs=tuple(_described(store, [r for *_, r in newest if isinstance(r, RunRow)])),
        results=tuple(r for *_, r in newest if isinstance(r, ResultNews)),
        running=sum(row.status == "running" for row in rows),
    )


def clean(text: object, longest: int = LONGEST) -> str:
    """A text as one line that any page, feed and mail can hold."""
    line = " ".join(_UNSHOWN.sub(" ", str(text)).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _rows(
    store: Path, mark: Mark, since: datetime | None, now: datetime
) -> tuple[list[RunRow], Mark]:
    """The runs to tell of, and how far that comes."""
    floor = since.isoformat() if since is not None else _before(mark.until)

    def read(opened: RunStore) -> tuple[list[RunRow], list[RunRow]]:
        old = []
        for run in mark.open:
            try:
                old.append(opened.run(run))
            except UnknownName:  # the store is another one now
                continue
        return opened.runs_since(floor), old

    fresh, old = _opened(store, read) or ([], [])
    looked = set(mark.recent) | set(mark.open)
    rows = [*old, *(row for row in fresh if row.id not in looked)]
    # A comparison that was broken off may be taken up again under the same id.
    still = {
        r.id: r.status
        for r in rows
        if r.status == "running" or (r.kind == "compare" and r.status != "done")
    }
    # A run of a clock that was ahead must not hide those that come after it.
    until = max([mark.until, *(min(r.created, now.isoformat()) for r in fresh)])
    recent = tuple(sorted(r.id for r in fresh if r.created >= _before(until)))
    ended = [r for r in rows if r.status not in ("running", mark.open.get(r.id))]
    return ended, Mark(until=until, recent=recent, open=still)


def _before(until: str) -> str:
    """The moment from which on runs are looked at again; "" for all."""
    return (datetime.fromisoformat(until) - OVERLAP).isoformat() if until else ""


def _opened(store: Path, read: Any) -> Any:
    """What a function reads from the run store; None where there is none yet."""
    if not store.exists():
        return None
    opened = RunStore(store)
    try:
        return read(opened)
    finally:
        opened.close()


def _described(store: Path, rows: Iterable[RunRow]) -> list[RunNews]:
    """Runs as they are told."""
    rows = list(rows)
    if not rows:
        return []
    return _opened(store, lambda opened: [_run_news(opened, row) for row in rows])


def _run_news(opened: RunStore, row: RunRow) -> RunNews:
    spec = row.spec
    if row.kind == "compare":
        names = ", ".join(str(s[0]) for s in spec.get("systems", ()) if s)
        title = f"{names} on {spec.get('benchmark', '')}"
    else:
        title = f"{spec.get('system', '')}: {clean(spec.get('task', ''), 120)}"
    came_to = totals(opened, row)
    return RunNews(
        id=clean(row.id),
        created=row.created,
        kind=clean(row.kind, 40),
        status=clean(row.status, 40),
        title=clean(title),
        model=clean(spec.get("model", ""), 80),
        answer=clean(came_to.answer, 160) if came_to else "",
        limited=clean(came_to.limited) if came_to else "",
        tokens=came_to.usage.tokens if came_to else None,
        rows=_tallies(opened.results(row.id)) if row.kind == "compare" else (),
    )


def _tallies(results: Mapping[tuple[str, str], bytes]) -> tuple[Tally, ...]:
    by_system: dict[str, list[_Scored]] = {}
    for (system, _), data in results.items():
        by_system.setdefault(system, []).append(msgspec.json.decode(data, type=_Scored))
    return tuple(
        Tally(
            system=clean(system, 120),
            n=len(scored),
            correct=sum(one.correct for one in scored),
            accuracy=sum(one.correct for one in scored) / len(scored),
            tokens_per_task=sum(one.tokens_prompt + one.tokens_completion for one in scored)
            / len(scored),
        )
        for system, scored in sorted(by_system.items())
    )


def _changed(folder: Path | None, told: Mapping[str, str]) -> Iterable[ResultNews]:
    """The results files whose content was not told."""
    for file in sorted(folder.rglob("*.json")) if folder is not None else ():
        name = os.fsencode(file.relative_to(folder or file)).decode("utf-8", "backslashreplace")
        try:
            if not file.is_file():
                continue
            size, written = file.stat().st_size, file.stat().st_mtime
            if size > MAX_BYTES:
                raise BadInput(f"it has {size:,} bytes; at most {MAX_BYTES:,} are read")
            raw = file.read_bytes()
            content = sha256(raw).hexdigest()
            if told.get(name) == content:
                continue
            yield _result_news(name, content, raw, written)
        except (OSError, BadInput) as error:
            reason = getattr(error, "strerror", None) or str(error)
            content = f"unread: {reason}"
            if told.get(name) != content:
                yield ResultNews(
                    file=name, content=content, created=_stamp(0.0), title=clean(name),
                    problem=f"It cannot be read: {clean(reason)}.",
                )  # fmt: skip


def _result_news(name: str, content: str, raw: bytes, written: float) -> ResultNews:
    shown, created = clean(name), _stamp(written)
    try:
        data = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        problem = f"It is not JSON: {clean(error)}."
        return ResultNews(file=name, content=content, created=created, title=shown, problem=problem)
    try:
        report = msgspec.convert(data, _Report)
    except msgspec.ValidationError:
        return ResultNews(
            file=name,
            content=content,
            created=created,
            title=shown,
            verdict=_said(data),
            command=clean(data.get("command", "")) if isinstance(data, dict) else "",
        )
    most = max((row.n for row in report.systems), default=0)
    return ResultNews(
        file=name,
        content=content,
        created=_moment(report.created, written).isoformat(timespec="seconds"),
        title=clean(f"{report.benchmark}, {report.model}, n = {most}"),
        verdict=clean(report.verdict, 600),
        command=clean(report.command),
        rows=tuple(
            Tally(
                system=clean(row.name, 120),
                n=row.n,
                correct=row.correct,
                accuracy=row.accuracy,
                low=row.ci_low,
                high=row.ci_high,
                tokens_per_task=row.tokens_per_task,
            )
            for row in report.systems
        ),
    )


def _said(data: Any) -> str:
    """What a results file that is no comparison holds, in a sentence."""
    if not isinstance(data, dict):
        return ""
    checks = [
        c for c in data.values()
        if isinstance(c, dict) and c and all(v in _CHECKED for v in c.values())
    ]  # fmt: skip
    if checks and len(checks) == len(data):
        passed = sum(state == "passed" for c in checks for state in c.values())
        every = sum(map(len, checks))
        return f"{passed} of {every} recorded checks of {len(checks)} papers passed."
    rows = data.get("rows")
    return f"{len(rows)} rows." if isinstance(rows, list) else ""


_CHECKED = ("passed", "failed")


def _moment(text: str, otherwise: float = 0.0) -> datetime:
    """A time as it is written in runs and results; what is no time is another one."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(otherwise, UTC)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
