"""A trace as a page reads it: some events at a time, and searched where it lies.

No page ever holds a whole trace, so one of a hundred thousand events opens as fast as one of ten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

from collegium.bench.said import Part, Said, said
from collegium.commands.readable import readable
from collegium.kernel import Event, RunStore
from collegium.kernel.history import Place, events_at, places, positions
from collegium.studio.safe import shown

BLOCK = 20
"""Events that are fetched and laid out together."""

ANSWER_CHARACTERS = 1_500
"""Of an answer, what is shown before somebody asks for all of it."""

WHOLE_CHARACTERS = 200_000
"""Of one text, what is shown at most."""

MOST_HITS = 2_000
"""Places that a search finds at most."""

SCANNED = 400
"""Events that a search reads at a time."""

FIRST = 100
"""Events whose agents get their colours in order; those who come later, by their names."""

COLOURS = 6


@contextmanager
def opened(path: Path) -> Iterator[RunStore]:
    """The run store, for one thing; each thread and each page has a connection of its own."""
    store = RunStore(path)
    try:
        yield store
    finally:
        store.close()


class StoredTrace:
    """The events of one system on one task of a run in the store.

    Args:
        path: The run store.
        run: Id of the run.
        system: The system as the store names it; None: the only one, or the first.
        task: The task.

    Attributes:
        place: Where the events are; None for a run that has made no calls yet.
    """

    def __init__(
        self, path: Path, run: str, system: str | None = None, task: str | None = None
    ) -> None:
        self._path, self._run = path, run
        self._wanted = (system, task)
        self.place: Place | None = None
        self._rows: list[int] = []
        self._colours: dict[str, int] = {}
        self.refresh()

    def refresh(self) -> int:
        """Look for events that have come since; returns how many there are."""
        with opened(self._path) as store:
            found = [
                place
                for place in places(store, self._run)
                if self._wanted[0] in (None, place.system) and self._wanted[1] in (None, place.task)
            ]
            self.place = found[0] if found else None
            self._rows = positions(store, self._run, found[0]) if found else []
        return len(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def events(self, first: int = 0, count: int | None = None) -> list[Event]:
        """Some events, all by default, in the order recorded."""
        stop = len(self._rows) if count is None else first + count
        with opened(self._path) as store:
            return events_at(store, self._rows[first:stop])

    def place_of(self, call: int) -> int:
        """The place of the event with this number; 0 when there is none."""
        for first in range(0, len(self._rows), SCANNED):
            for i, event in enumerate(self.events(first, SCANNED)):
                if event.id == call:
                    return first + i
        return 0

    def block(self, number: int) -> list[dict[str, Any]]:
        """The rows of a block, as the page's component takes them."""
        first = number * BLOCK
        return [self._row(first + i, e) for i, e in enumerate(self._some(first))]

    def whole(self, place: int) -> dict[str, Any] | None:
        """An event with all it says, prompt included; None when there is none at this place."""
        found = self.events(place, 1) if 0 <= place < len(self._rows) else []
        return self._row(place, found[0], whole=True) if found else None

    def _row(self, place: int, event: Event, *, whole: bool = False) -> dict[str, Any]:
        words = said(event, tidy=readable)
        if not self._colours:  # in the order of who speaks first, so that a team's are told apart
            agents = dict.fromkeys(e.call.agent for e in self.events(0, FIRST))
            self._colours = {name: i % COLOURS + 1 for i, name in enumerate(agents)}
        return row(place, words, whole=whole, colour=self._colours.get(words.agent, 0))

    def search(self, text: str) -> list[int]:
        """The places of the events that hold a text, upper and lower case being the same."""
        sought = text.casefold().strip()
        hits: list[int] = []
        for first in range(0, len(self._rows) if sought else 0, SCANNED):
            for i, event in enumerate(self.events(first, SCANNED)):
                if sought in said(event, tidy=readable).text.casefold():
                    hits.append(first + i)
                    if len(hits) == MOST_HITS:
                        return hits
        return hits

    def _some(self, first: int) -> list[Event]:
        return self.events(first, BLOCK) if 0 <= first < len(self._rows) else []


def row(place: int, words: Said, *, whole: bool = False, colour: int = 0) -> dict[str, Any]:
    """An event as the page's component takes it: texts alone, made fit to be seen.

    Args:
        place: Its place in the trace.
        words: What it says.
        whole: With the prompt and without cuts.
        colour: Number of the agent's colour; 0: one by its name.
    """
    most = WHOLE_CHARACTERS if whole else ANSWER_CHARACTERS
    # A prompt repeats what was said before, so it waits until it is asked for; a tool's arguments
    # are what the call is about.
    prompted = words.kind == "generate"
    return {
        "i": place,
        "id": words.id,
        "agent": shown(words.agent or "·", 60),
        "act": shown(words.act, 120),
        "hue": colour or hue(words.agent),
        "kind": words.kind,
        "notes": [shown(note, 60) for note in words.notes],
        "bill": words.bill,
        "error": shown(words.error, 1_000),
        "questions": len(words.asked) if prompted else 0,
        "asked": _parts(words.asked, most) if whole or not prompted else [],
        "answered": _parts(words.answered, most),
        "cut": not whole
        and any(len(p.text) > most for p in (*words.answered, *(() if prompted else words.asked))),
        "whole": whole,
    }


def _parts(parts: Sequence[Part], most: int) -> list[list[str]]:
    """Parts as the page takes them; all together hold no more than a page can bear."""
    left, made = WHOLE_CHARACTERS, []
    for part in parts:
        room = min(most, left)
        made.append([shown(part.label, 60), shown(part.text[:room], room)])
        if len(part.text) > room and room < most:
            made[-1][1] += "\n… and more, which this page has no room for"
            break
        left -= min(len(part.text), room)
    return made


def hue(agent: str) -> int:
    """The number of an agent's colour, by its name alone: the same in both of two runs."""
    return crc32(agent.encode("utf-8", "replace")) % COLOURS + 1
