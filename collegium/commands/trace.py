"""The command ``trace``: the transcript of a run in the store or of a trace file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.text import Text

from collegium.bench.records import Outcome
from collegium.commands.show import clean, console, excerpt, print_json, print_table, table
from collegium.commands.transcript import Transcript
from collegium.errors import BadInput, unknown_name
from collegium.kernel import Event, RunStore, read_trace
from collegium.kernel.calls import call_types
from collegium.kernel.store import RunRow, default_path
from collegium.kernel.trace import encode_event

Placed = tuple[str, str, Event]
"""A system, a task, and one of the events of the one at the other."""


class Filters(msgspec.Struct, frozen=True):
    """Which events to show; None shows all."""

    agent: str | None = None
    kind: str | None = None
    system: str | None = None
    task: str | None = None


class _Place(msgspec.Struct):
    system: str = ""
    task: str = ""


def list_runs(as_json: bool) -> None:
    """Print the newest runs of the store."""
    runs = _store_rows()
    if as_json:
        print_json(runs)
        return
    out = console()
    if not runs:
        out.print("No runs yet.")
        return
    made = table("run", "status", "kind", "model", "what")
    for column in made.columns:
        column.no_wrap = True
    made.columns[4].overflow = "ellipsis"
    colours = {"done": "green", "failed": "red"}
    for run in runs:
        status = Text(run.status, style=colours.get(run.status, "yellow"))
        made.add_row(run.id, status, run.kind, excerpt(str(run.spec.get("model")), 20), what(run))
    print_table(made, out)


def trace(run: str, filters: Filters, as_json: bool) -> None:
    """Print the transcript of a run (its id, the beginning of it, ``last``) or of a trace file.

    Raises:
        UnknownName: There is no such run, or nothing of a name that is filtered by.
        BadInput: The file is no trace.
    """
    if filters.kind is not None and filters.kind not in (kinds := call_types()):
        raise unknown_name("kind of call", filters.kind, kinds)
    events, outcomes, row = from_file(Path(run)) if is_file(run) else from_store(run)
    kept = select(events, filters)
    if as_json:
        print_json([_data(*placed) for placed in kept])
        return
    out = console()
    if row is not None:
        said = f"run {row.id} · {row.kind} · {what(row)} · {row.spec.get('model')} · {row.status}"
        out.print(Text(said, style="dim"))
        out.print()
    transcript = Transcript(out)
    grouped: dict[tuple[str, str], list[Event]] = {}
    for system, task, event in kept:
        grouped.setdefault((system, task), []).append(event)
    for (system, task), found in grouped.items():
        if system or task:
            transcript.begin(system, task, outcomes.get((system, task)))
        transcript.print(found)


def write_inspect(run: str, filters: Filters, out: Path, as_json: bool) -> None:
    """Write a run of the store, or a trace file, as logs that ``inspect view`` opens.

    Raises:
        MissingExtra: Inspect AI is not installed.
        UnknownName: There is no such run, or nothing of a name that is filtered by.
        BadInput: The file is no trace, or the log cannot be written.
    """
    from collegium.bench.inspect_bridge.logs import Source, source_of_run, write_logs

    events, outcomes, row = from_file(Path(run)) if is_file(run) else from_store(run)
    kept = select(events, filters)
    if row is not None:
        source = source_of_run(row, kept, outcomes)
    else:
        source = Source(
            run=Path(run).stem, created=None, spec={}, done=True, events=kept, outcomes=outcomes
        )
    files = [str(file) for file in write_logs(source, out)]
    if as_json:
        print_json(files)
        return
    for file in files:
        console().print(f"wrote {clean(file)}", markup=False, highlight=False, soft_wrap=True)


def select(events: Sequence[Placed], filters: Filters) -> list[Placed]:
    """The events that pass the filters.

    Raises:
        UnknownName: An agent, system or task is named that the trace does not have.
    """
    _check("agent", filters.agent, {e.call.agent for _, _, e in events})
    _check("system", filters.system, {s for s, _, _ in events} | _bare(s for s, _, _ in events))
    _check("task", filters.task, {t for _, t, _ in events})
    return [
        (s, t, e)
        for s, t, e in events
        if filters.agent in (None, e.call.agent)
        and filters.kind in (None, e.kind)
        and filters.system in (None, s, s.partition(":")[0])
        and filters.task in (None, t)
    ]


def encode_placed(system: str, task: str, event: Event) -> bytes:
    """An event as a line of JSON that says where it belongs; :func:`read_trace` reads it too."""
    place = msgspec.json.encode(_Place(system, task))
    return place[:-1] + b"," + encode_event(event)[1:] + b"\n"


def what(run: RunRow) -> str:
    """What a run was about, in a few words."""
    spec = run.spec
    if run.kind == "compare":
        named = ", ".join(str(s[0]) for s in spec.get("systems", ()))
        return f"{named} on {spec.get('benchmark', '')}"
    return f"{spec.get('system', '')}: {excerpt(str(spec.get('task', '')))}"


def is_file(run: str) -> bool:
    """Whether what the user named is a trace file rather than a run of the store."""
    return run.endswith(".jsonl") or os.sep in run or Path(run).is_file()


def from_file(file: Path) -> tuple[list[Placed], dict[tuple[str, str], Outcome], None]:
    """The events of a trace file by system and task; a file holds no outcomes.

    Raises:
        BadInput: It cannot be read.
    """
    events = read_trace(file)
    try:
        places = [msgspec.json.decode(line, type=_Place) for line in file.read_bytes().splitlines()]
    except msgspec.MsgspecError as error:
        raise BadInput(f"cannot read the trace {file}: {error}.") from None
    placed = [(p.system, p.task, e) for p, e in zip(places, events, strict=True)]
    return placed, {}, None


def from_store(run: str) -> tuple[list[Placed], dict[tuple[str, str], Outcome], RunRow]:
    """Events, outcomes and row of a run of the store.

    Raises:
        UnknownName: There is no such run.
    """
    if not default_path().exists():
        raise unknown_name("run", run, [])
    store = RunStore(default_path())
    try:
        row = store.run(run)
        outcomes = {
            place: msgspec.json.decode(found, type=Outcome)
            for place, found in store.results(row.id).items()
        }
        return store.events(row.id), outcomes, row
    finally:
        store.close()


def _store_rows() -> list[RunRow]:
    if not default_path().exists():
        return []
    store = RunStore(default_path())
    try:
        return store.runs(20)
    finally:
        store.close()


def _data(system: str, task: str, event: Event) -> dict[str, Any]:
    return msgspec.json.decode(encode_placed(system, task, event))


def _bare(names: Iterable[str]) -> set[str]:
    return {name.partition(":")[0] for name in names}


def _check(kind: str, name: str | None, known: set[str]) -> None:
    if name is not None and name not in known:
        raise unknown_name(kind, name, map(clean, known))
