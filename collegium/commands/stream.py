"""What the agents of a run say, while they say it."""

from __future__ import annotations

from itertools import cycle

import msgspec
from rich.console import Console
from rich.text import Text

from collegium.commands.readable import Lines, Readable, readable
from collegium.commands.show import clean, excerpt
from collegium.kernel import Event, Generate, UseTool

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red")

Speaker = tuple[str, int]
"""An agent and the number of its sample."""


class Palette:
    """One colour for each agent, in the order in which they appear."""

    def __init__(self) -> None:
        self._next = cycle(COLOURS)
        self._of: dict[str, str] = {}

    def __getitem__(self, agent: str) -> str:
        if agent not in self._of:
            self._of[agent] = next(self._next)
        return self._of[agent]


class Floor:
    """Prints what agents say in parallel as one block after the other.

    One of them has the floor, and is printed as it writes. The others wait: whoever finishes
    meanwhile is printed whole when the floor is free, and then the next one still writing has it.

    Args:
        out: Where to print.
    """

    def __init__(self, out: Console) -> None:
        self._out = out
        self._colour = Palette()
        self._holder: Speaker | None = None
        self._lines = Lines(out)
        self._readable = Readable()
        self._writing: dict[Speaker, str] = {}
        self._finished: list[Event] = []
        self._said = False
        self._failures: list[Text] = []

    def on_text(self, agent: str, sample: int, piece: str) -> None:
        """Take a piece of a reply that is being written."""
        speaker = (agent, sample)
        if self._holder is None:
            self._give(speaker)
        if speaker == self._holder:
            self._lines.write(self._readable.feed(piece))
        else:
            self._writing[speaker] = self._writing.get(speaker, "") + piece

    def on_event(self, event: Event) -> None:
        """Take a finished call."""
        if self._holder is not None and event.call.agent != self._holder[0]:
            self._finished.append(event)
            for sample in range(getattr(event.call, "n", 0)):
                self._writing.pop((event.call.agent, sample), None)
            return
        self._print(event)
        while self._finished:
            self._print(self._finished.pop(0))
        if self._writing and self._holder is None:
            speaker = next(iter(self._writing))
            self._give(speaker)
            self._lines.write(self._readable.feed(self._writing.pop(speaker)))

    def close(self) -> None:
        """End the line that an interrupted speaker was writing."""
        self._lines.close()

    def _give(self, speaker: Speaker) -> None:
        self._head(*speaker)
        self._holder, self._readable = speaker, Readable()
        self._lines = Lines(self._out)

    def _head(self, agent: str, sample: int) -> None:
        self._tell_failures()
        if self._said:
            self._out.print()
        self._said = True
        number = f" (sample {sample + 1})" if sample else ""
        self._out.print(Text(f"{clean(agent)}{number}", style=f"bold {self._colour[agent]}"))

    def _tell_failures(self) -> None:
        """Tell what failed once the run goes on after it; what ends a run is told at its end."""
        for failure in self._failures:
            self._out.print(failure)
        self._failures.clear()

    def _print(self, event: Event) -> None:
        call = event.call
        if isinstance(call, Generate):
            for sample in range(call.n):
                self._writing.pop((call.agent, sample), None)
                if (call.agent, sample) == self._holder:
                    self._lines.close()
                    self._holder = None
                elif sample < len(event.replies):
                    self._head(call.agent, sample)
                    lines = Lines(self._out)
                    lines.write(readable(event.replies[sample].text) or "(nothing)")
                    lines.close()
        elif isinstance(call, UseTool):
            given = excerpt(msgspec.json.encode(call.arguments, enc_hook=repr).decode())
            gave = excerpt(str(event.value)) if not event.error else "failed"
            self._tell_failures()
            text = f"{clean(call.agent)} uses {clean(call.tool)}({given}): {gave}"
            self._out.print(Text(text, style=self._colour[call.agent]))
        if event.error and event.error != "CancelledError":
            self._failures.append(Text(f"{clean(call.agent)}: {clean(event.error)}", style="red"))
