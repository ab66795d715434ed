"""Further doors of the command ``trace``: the difference of two runs, and a run as a page."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from collegium.bench.run_diff import Change, RunDiff, Side, Step, diff
from collegium.bench.said import Part, said
from collegium.commands.readable import readable
from collegium.commands.show import (
    clean,
    console,
    excerpt,
    heading,
    print_json,
    print_table,
    table,
    writable_file,
)
from collegium.commands.trace import Filters, from_file, from_store, is_file, select
from collegium.errors import BadInput
from collegium.kernel import Event, RunStore, Usage, atomic
from collegium.kernel.history import totals
from collegium.kernel.store import Totals, default_path
from collegium.kernel.trace import generations


def print_diff(a: str | None, b: str, filters: Filters, as_json: bool) -> None:
    """Print what two runs, or trace files, did differently.

    Of comparisons, choose one system and one question.

    Raises:
        UnknownName: There is no such run, or nothing of a name that is filtered by.
        BadInput: No first run is named, a file is no trace, or a run has several traces.
    """
    if a is None:
        raise BadInput("name the two runs: collegium trace RUN --diff RUN.")
    left, right = side(a, filters), side(b, filters)
    found = diff(left, right)
    if as_json:
        print_json({**msgspec.to_builtins(found), "verdict": found.verdict})
    else:
        _print(found, left, right, console())


def side(run: str, filters: Filters) -> Side:
    """A run of the store or a trace file as one side of a difference.

    Raises:
        UnknownName: There is no such run, or nothing of a name that is filtered by.
        BadInput: A file is no trace, or several traces are left.
    """
    placed, _, row = from_file(Path(run)) if is_file(run) else from_store(run)
    kept = select(placed, filters)
    places = dict.fromkeys((system, task) for system, task, _ in kept)
    if len(places) > 1:
        raise BadInput(
            f"{run} holds {len(places):,} traces; choose one with --system and --task, "
            "as collegium trace lists them."
        )
    events = [event for _, _, event in kept]
    if row is None:
        return Side(run=run, spec={}, totals=_added(events), events=events)
    store = RunStore(default_path())
    try:
        known = totals(store, row)
    finally:
        store.close()
    if row.kind == "compare":  # the whole comparison's bill is not that of the one trace
        known = _added(events)
    return Side(run=row.id, spec=row.spec, status=row.status, totals=known, events=events)


def _added(events: list[Event]) -> Totals:
    """What a trace says of its cost."""
    usage = sum((e.usage for e in events), Usage())
    seconds = max((e.started + e.seconds for e in events), default=0.0)
    return Totals(calls=generations(events), usage=usage, seconds=seconds)


def save_page(run: str | None, file: Path) -> None:
    """Write a run of the store as one self-contained page.

    Raises:
        UnknownName: There is no such run.
        BadInput: No run is named, it is a file, or the page cannot be written.
    """
    from collegium.bench.share import share  # takes a while to import

    if run is None or is_file(run):
        raise BadInput("a page is made of a run of the store: collegium trace RUN --html FILE.")
    writable_file(file)
    store = RunStore(default_path())
    try:
        page = share(store, run)
    finally:
        store.close()
    try:
        # Half a surrogate pair in a model's reply must not cost the page.
        atomic.replace(file, page.encode("utf-8", "replace"))
    except OSError as error:
        raise BadInput(f"cannot write {file}: {error.strerror or error}.") from None
    console().print(Text(f"page   {file}"), soft_wrap=True)


def _print(found: RunDiff, a: Side, b: Side, out: Console) -> None:
    out.print(Text(clean(f"{found.a}  →  {found.b}"), style="dim"))
    out.print()
    for name, changes in (("Asked for", found.asked), ("What came of it", found.result)):
        if changes:
            out.print(heading(name))
            _changes(changes, out)
    out.print(heading("Bill"))
    _changes(found.bill, out)
    out.print(heading("Calls"))
    out.print(Text(found.verdict))
    counts = Counter(step.state for step in found.steps)
    states = ("same", "changed", "only-a", "only-b")
    out.print(Text(", ".join(f"{counts[s]:,} {s}" for s in states if counts[s]), style="dim"))
    for number, step in enumerate(found.steps):
        if step.state != "same":
            _step(number, step, a, b, out)


def _changes(changes: tuple[Change, ...], out: Console) -> None:
    made = table("", "first", "second")
    for change in changes:
        made.add_row(change.name, excerpt(change.a), excerpt(change.b))
    print_table(made, out)
    out.print()


def _step(number: int, step: Step, a: Side, b: Side, out: Console) -> None:
    """One call that differs: its head, and both answers where these are what differs."""
    left = None if step.a is None else said(a.events[step.a], tidy=readable)
    right = None if step.b is None else said(b.events[step.b], tidy=readable)
    known = left or right
    assert known is not None  # a step has one of the two
    sign = {"changed": "~", "only-a": "-", "only-b": "+"}[step.state]
    what = f"  {', '.join(step.what)}" if step.what else ""
    line = Text(f"{sign} {number + 1}  {clean(known.agent)} {clean(known.act)}{what}")
    line.stylize({"~": "yellow", "-": "red", "+": "green"}[sign])
    out.print(line, soft_wrap=True)
    for mark, one in (("-", left), ("+", right)):
        if one is not None and (step.state != "changed" or "answered" in step.what):
            out.print(Text(f"    {mark} {_brief(one.answered)}", style="dim"), soft_wrap=True)


def _brief(parts: tuple[Part, ...]) -> str:
    return excerpt(" / ".join(part.text for part in parts), 160) or "(nothing)"
