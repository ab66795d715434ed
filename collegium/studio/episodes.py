"""Episodes: what an agent saw in a world, what it did, and what came of it, step by step."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.bench.records import Outcome
from collegium.errors import BadInput, UnknownName, unknown_name
from collegium.kernel import Event, Generate, RunStore, Unparsed, UseTool
from collegium.kernel.calls import Image
from collegium.kernel.history import places
from collegium.kernel.store import RunRow
from collegium.systems import System, systems
from collegium.tasks.task import Task
from collegium.worlds import Look, Restore

LOOKED_AT = 300
"""Runs in which episodes are looked for, the newest first."""

MOST_PLACES = 40
"""Episodes of one comparison that are listed."""

PICTURE_BYTES = 4 << 20
"""Largest picture that is shown."""

_SIGNS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
"""How pictures begin that a browser shows and that hold no script (SVG may)."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One move, or what was said without one.

    Attributes:
        event: Id of the trace event; -1 before the first.
        agent: Who moved.
        said: What the agent wrote before it moved.
        tool: The tool it used; "" for none.
        arguments: With what.
        seen: What came back, in words.
        error: Why the move failed, "" when it did not.
        tentative: Tried out and taken back.
        pictures: What the agent was shown before the move, or the tool gave back.
        seconds: How long the move took.
    """

    event: int
    agent: str = ""
    said: str = ""
    tool: str = ""
    arguments: dict[str, Any] = {}
    seen: str = ""
    error: str = ""
    tentative: bool = False
    pictures: tuple[Image, ...] = ()
    seconds: float = 0.0


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An episode of the run store, as lists show it; ``moves`` counts its events."""

    run: str
    created: str
    status: str
    kind: str
    system: str
    task: str
    model: str
    events: int
    outcome: Outcome | None


class WorldInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A world, or a benchmark whose tasks are acted on.

    Attributes:
        name: As the command line names it.
        sizes: How many tasks each split has.
        rounds: Moves after which an episode is over; 0: no fixed number.
        missing: What is needed and not here; "" when all is.
    """

    name: str
    description: str
    sizes: dict[str, int]
    rounds: int = 0
    missing: str = ""
    source: str = ""


def worlds() -> list[WorldInfo]:
    """The worlds there are: those in words, and the other benchmarks that are acted on."""
    from collegium.tasks.agentdojo import AGENTDOJO, agentdojo_ready
    from collegium.tasks.folders import FOLDERS
    from collegium.tasks.registry import MINIWOB, SITES, WEB, benchmarks
    from collegium.worlds.text import kinds

    found = []
    for kind in kinds().values():
        missing = kind.missing()
        sizes = {} if missing else {split: kind.size(split) for split in kind.splits}
        found.append(
            WorldInfo(
                name=kind.name,
                description=kind.description,
                sizes={split: size for split, size in sizes.items() if size},
                rounds=kind.rounds,
                missing=missing,
                source=kind.source,
            )
        )
    lacking = {AGENTDOJO: agentdojo_ready()}
    for info in benchmarks():
        if info.name in (AGENTDOJO, FOLDERS, MINIWOB, SITES, *WEB):
            size = info.size or 0
            missing = lacking.get(info.name, "") or info.missing
            found.append(
                WorldInfo(
                    name=info.name,
                    description=info.description,
                    sizes={"test": size} if size and not missing else {},
                    missing=missing,
                    source=info.licence,
                )
            )
    return found


def acting_systems() -> list[System]:
    """The systems that act in worlds: those that need tools, and no more than that."""
    bare = Task(id="bare", prompt="x")
    acting = Task(id="acting", prompt="x", tools=("act",))
    return [s for s in systems().values() if s.needs and s.needs(bare) and not s.needs(acting)]


def steps_of(events: Iterable[Event], opening: str = "") -> list[Step]:
    """The steps of an episode.

    Args:
        events: The trace of one system on one task.
        opening: What is to be seen at first; "": it is taken from the first request to a model.
    """
    ordered = sorted(events, key=lambda e: e.id)
    first = next((e.call for e in ordered if isinstance(e.call, Generate)), None)
    if not opening and first is not None:
        opening = next((m.text for m in reversed(first.messages) if m.role == "user"), "")
    steps = [Step(event=-1, seen=opening)]
    said: dict[str, list[str]] = {}
    shown: dict[str, tuple[Image, ...]] = {}
    for event in ordered:
        call = event.call
        if isinstance(call, Generate):
            said.setdefault(call.agent, []).extend(r.text for r in event.replies if r.text.strip())
            shown[call.agent] = tuple(i for m in call.messages for i in m.images)[-4:]
            if event.error:
                steps.append(Step(event=event.id, agent=call.agent, error=event.error))
        elif isinstance(call, UseTool):
            text, pictures = seen_in(event.value)
            steps.append(
                Step(
                    event=event.id,
                    agent=call.agent,
                    said="\n\n".join(said.pop(call.agent, ())),
                    tool=call.tool,
                    arguments=call.arguments,
                    seen=text,
                    error=event.error,
                    tentative=call.tentative,
                    pictures=pictures or shown.pop(call.agent, ()),
                    seconds=event.seconds,
                )
            )
        elif isinstance(call, Look):
            _, pictures = seen_in(event.value)
            steps[-1] = msgspec.structs.replace(steps[-1], pictures=pictures)
        elif isinstance(call, Restore):
            steps.append(
                Step(
                    event=event.id,
                    agent=call.agent,
                    tool="restore",
                    seen="The world was taken back.",
                )
            )
    steps += [
        Step(
            event=ordered[-1].id,
            agent=agent,
            said="\n\n".join(texts),
            pictures=shown.get(agent, ()),
        )
        for agent, texts in said.items()
    ]
    return steps


def seen_in(value: Any) -> tuple[str, tuple[Image, ...]]:
    """What a tool gave back, as words and pictures.

    A picture in a recorded value is what :class:`~collegium.kernel.calls.Image` becomes there: an
    object of its bytes in base 64 and their media type.
    """
    pictures: list[Image] = []

    def without(part: Any) -> Any:
        if isinstance(part, dict):
            if part.keys() == {"data", "media_type"} and (made := picture(part["data"])):
                pictures.append(made)
                return f"(a picture, {len(made.data):,} bytes)"
            return {key: without(inner) for key, inner in part.items()}
        return [without(inner) for inner in part] if isinstance(part, list) else part

    rest = without(value)
    if rest is None:
        return "", tuple(pictures)
    if isinstance(rest, str):
        return rest, tuple(pictures)
    return msgspec.json.format(msgspec.json.encode(rest, enc_hook=repr)).decode(), tuple(pictures)


def picture(data: Any) -> Image | None:
    """A picture from its bytes in base 64; None for what is none, or too large."""
    if not isinstance(data, str) or len(data) > 2 * PICTURE_BYTES:
        return None
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = media_type(raw)
    return Image(raw, kind) if kind else None


def media_type(raw: bytes) -> str:
    """What kind of picture bytes are, by what they begin with; "" for none that is shown."""
    if len(raw) > PICTURE_BYTES:
        return ""
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for sign, kind in _SIGNS.items() if raw.startswith(sign)), "")


def past(store: Path, names: Sequence[str], most: int = 100) -> list[Listed]:
    """The newest episodes of the run store.

    Args:
        store: The run store.
        names: Of the worlds: the tasks of others are not acted on.
        most: How many.
    """
    if not store.exists():
        return []
    from collegium.tasks.agentdojo import SUITES

    opened = RunStore(store)
    try:
        found: list[Listed] = []
        names = (*names, *SUITES)  # whose tasks bear the names of their suites
        for row in opened.runs(LOOKED_AT):
            if len(found) >= most:
                break
            found += _episodes(opened, row, names)
        return found[:most]
    finally:
        opened.close()


def _episodes(store: RunStore, row: RunRow, names: Sequence[str]) -> list[Listed]:
    benchmark = str(row.spec.get("benchmark", "")).partition(":")[0]
    if row.kind == "compare" and benchmark not in names:
        return []
    acted = [
        place
        for place in places(store, row.id)
        if benchmark in names or place.task.partition("/")[0] in names or row.kind == "play"
    ][:MOST_PLACES]
    results = store.results(row.id) if acted else {}
    return [
        Listed(
            run=row.id,
            created=row.created,
            status=row.status,
            kind=row.kind,
            system=place.system,
            task=place.task,
            model=str(row.spec.get("model", "")),
            events=place.events,
            outcome=_outcome(results.get((place.system, place.task))),
        )
        for place in acted
    ]


def episode(store: Path, run: str, system: str = "", task: str = "") -> tuple[Listed, list[Event]]:
    """One episode with its events.

    Args:
        store: The run store.
        run: Its id or the beginning of it.
        system: Of a comparison, which system; "": the first.
        task: Of a comparison, which task; "": the first.

    Raises:
        UnknownName: There is no such run, or it has no such system and task.
        BadInput: The store cannot be read.
    """
    if not store.exists():
        raise unknown_name("run", run, [])
    opened = RunStore(store)
    try:
        row = opened.run(run)
        held = places(opened, row.id)
        place = next((p for p in held if system in ("", p.system) and task in ("", p.task)), None)
        if place is None:
            raise UnknownName(f"run {row.id} holds nothing of {system or 'any system'} on "
                              f"{task or 'any task'}.")  # fmt: skip
        events = [e for _, _, e in opened.events(row.id, place.system, place.task)]
        result = opened.results(row.id).get((place.system, place.task))
        listed = Listed(
            run=row.id,
            created=row.created,
            status=row.status,
            kind=row.kind,
            system=place.system,
            task=place.task,
            model=str(row.spec.get("model", "")),
            events=place.events,
            outcome=_outcome(result),
        )
        return listed, events
    finally:
        opened.close()


def opening_of(store: Path, run: str) -> str:
    """What was to be seen at first in an episode that was played by hand."""
    opened = RunStore(store)
    try:
        row = opened.run(run)
        return str(row.spec.get("task", "")) if row.kind == "play" else ""
    finally:
        opened.close()


def keep_outcome(
    store: RunStore, run: str, system: str, task: Task, score: Any, answer: Any = None
) -> None:
    """Keep what an episode was worth, beside its events.

    Args:
        store: The run store.
        run: Its id.
        system: Who played.
        task: What was to be done.
        score: What the world judged (:class:`~collegium.tasks.task.Score`).
        answer: What was answered in the end.
    """
    outcome = Outcome(
        system=system,
        task=task.id,
        prompt=task.text,
        answer="" if answer is None or isinstance(answer, Unparsed) else str(answer),
        correct=score.correct,
        value=score.value,
        reason=score.reason,
        facts=score.facts,
    )
    store.put_result(run, system, task.id, msgspec.json.encode(outcome))


def _outcome(data: bytes | None) -> Outcome | None:
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=Outcome)
    except msgspec.MsgspecError:
        return None


def require_number(text: str, what: str, most: int = 10_000_000) -> int:
    """A number from 0 that somebody typed or that stands in an address.

    Raises:
        BadInput: It is none.
    """
    if not text.isascii() or not text.isdecimal() or int(text[:12]) > most:
        raise BadInput(f"{what} is a number from 0, not {text[:40]!r}.")
    return int(text)
