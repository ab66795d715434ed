"""A running society at a prompt: step, look, ask, play, steer, branch, and take back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from rich.console import Console

from collegium.commands.keyboard import Keyboard
from collegium.commands.show import clean
from collegium.errors import BadInput, CollegiumError, unknown_name
from collegium.society.engine import Society
from collegium.society.interaction import Live, Understood, understand
from collegium.society.interaction.compare import first_difference
from collegium.society.operations import HandBack, Operation, Scheduled, TakeOver
from collegium.society.report import figure

HELP = """\
step [N]                  take N steps (one, if none is said); an empty line takes one
run                       go on to the last step
look                      what the curves say now
inspect AGENT             all columns of an agent
interview AGENT QUESTION  ask an agent; it changes nothing
say SENTENCE              steer in your own words; shown and confirmed before it is done
do JSON                   carry out an operation: {"do": "set", "parameter": "R", "value": 2}
at STEP JSON              the same, just before that step
take AGENT [COLUMN=VALUE] act for an agent: answer in its place, or fix what it does
back AGENT                let the model act for it again
undo                      take back the last operation
snapshot NAME             keep this moment
restore NAME              go back to it
branch NAME               fork here: a second run with the same random numbers
switch NAME               go on with another branch; the first is called main
compare NAME              how the curves differ from another branch, and since when
quit                      end here and write the report"""


class Desk:
    """What stands behind the prompt.

    Args:
        live: The run in its first branch.
        steps: Where a run ends.
        keyboard: What is typed.
        out: Where answers are printed.
        stepped: Called after every step.
    """

    def __init__(
        self,
        live: Live,
        steps: int,
        keyboard: Keyboard,
        out: Console,
        stepped: Callable[[Society], None],
    ) -> None:
        self.branches = {"main": live}
        self.here = "main"
        self._steps, self._keyboard, self._out, self._stepped = steps, keyboard, out, stepped
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            name: getattr(self, name)
            for name in (
                "step", "run", "look", "inspect", "interview", "say", "do", "at", "take", "back",
                "undo", "snapshot", "restore", "branch", "switch", "compare", "help",
            )
        }  # fmt: skip

    @property
    def live(self) -> Live:
        """The branch that commands act on."""
        return self.branches[self.here]

    @property
    def over(self) -> bool:
        """Whether this branch has come to its end."""
        society = self.live.society
        ended = society.model.over
        return society.t >= self._steps or (ended is not None and ended(society))

    async def serve(self) -> None:
        """Read and carry out commands until the run ends or somebody leaves."""
        self._print(f"{self.live.society.model.name}: type help for what can be done here.")
        while True:
            self._out.print(f"{self.here} step {self.live.society.t}> ", end="", soft_wrap=True)
            line = await self._keyboard.line()
            if line is None or line.strip() in ("quit", "exit"):
                return
            try:
                await self.obey(line)
            except CollegiumError as error:
                self._print(f"error: {error}")

    async def obey(self, line: str) -> None:
        """Carry out one command.

        Raises:
            CollegiumError: It is not known, or cannot be carried out.
        """
        word, _, rest = line.strip().partition(" ")
        name = word or "step"
        if name not in self._commands:
            raise unknown_name("command", name, [*self._commands, "quit"])
        await self._commands[name](rest.strip())

    async def help(self, rest: str) -> None:
        """What can be done."""
        self._print(HELP)

    async def step(self, rest: str) -> None:
        """Take some steps."""
        await self._advance(_whole(rest or "1", "steps"))

    async def run(self, rest: str) -> None:
        """Go on to the end."""
        await self._advance(self._steps)

    async def look(self, rest: str) -> None:
        """The curves as they stand."""
        curves = self.live.society.curves
        self._print("\n".join(f"{k}: {figure(v[-1])}" for k, v in curves.items()) or "no step yet")

    async def inspect(self, rest: str) -> None:
        """Columns of an agent."""
        found = self.live.inspect(_whole(rest, "an agent"))
        described = self.live.society.model.describe
        if described is not None:
            self._print(described(self.live.society, int(rest)))
        self._print(", ".join(f"{k} {v}" for k, v in found.items()))

    async def interview(self, rest: str) -> None:
        """Ask an agent."""
        agent, _, question = rest.partition(" ")
        if not question.strip():
            raise BadInput("an interview is written: interview AGENT QUESTION.")
        self._print(await self.live.interview(_whole(agent, "an agent"), question.strip()))

    async def say(self, rest: str) -> None:
        """Understand a sentence, show it, and do it when it is confirmed."""
        found = await understand(self.live.society, rest)
        if not isinstance(found, Understood):
            self._print(found.question)
            return
        self._out.print(f"Understood: {clean(found.preview)}\nDo it? [y/N] ", end="")
        if (await self._keyboard.line() or "").strip().casefold() not in ("y", "yes"):
            self._print("Left out.")
            return
        self._plan(found.at, found.operation, "command")

    async def do(self, rest: str) -> None:
        """Carry out an operation."""
        self.live.do(_operation(rest), how="form")

    async def at(self, rest: str) -> None:
        """Plan an operation."""
        step, _, operation = rest.partition(" ")
        self._plan(_whole(step, "a step"), _operation(operation), "form")

    async def take(self, rest: str) -> None:
        """Act for an agent."""
        agent, *given = rest.split()
        actions = {}
        for word in given:
            column, equals, value = word.partition("=")
            if not equals:
                raise BadInput(f"what an agent does is written COLUMN=VALUE, not {word!r}.")
            actions[column] = float(_whole(value, f"column {column!r}"))
        society, who = self.live.society, _whole(agent, "an agent")
        if not actions and society.model.seat is None:
            known = ", ".join(society.model.actions) or "none"
            raise BadInput(
                f"say what the agent does, as COLUMN=VALUE; columns of actions: {known}."
            )
        self.live.do(TakeOver(who, actions), who="actor", how="first-person")

    async def back(self, rest: str) -> None:
        """Hand an agent back."""
        self.live.do(HandBack(_whole(rest, "an agent")), who="actor", how="first-person")

    async def undo(self, rest: str) -> None:
        """Take back."""
        self._print("Taken back." if self.live.undo() else "There is nothing to take back.")

    async def snapshot(self, rest: str) -> None:
        """Keep this moment."""
        self.live.snapshot(_named(rest))

    async def restore(self, rest: str) -> None:
        """Go back."""
        self.live.restore(_named(rest))

    async def branch(self, rest: str) -> None:
        """Fork; go on where one was, the fork waits under its name."""
        name = _named(rest)
        if name in self.branches:
            raise BadInput(f"there is a branch {name!r} already.")
        self.branches[name] = self.live.branch()
        self._print(f"Forked at step {self.live.society.t}; go there with: switch {name}")

    async def switch(self, rest: str) -> None:
        """Go on with another branch."""
        if rest not in self.branches:
            raise unknown_name("branch", rest, self.branches)
        self.here = rest

    async def compare(self, rest: str) -> None:
        """How two branches differ."""
        if rest not in self.branches:
            raise unknown_name("branch", rest, self.branches)
        ours, other = self.live.society, self.branches[rest].society
        steps = min(ours.t, other.t)
        first = first_difference(ours, other)
        if first < 0:
            self._print(f"No difference in the first {steps} steps.")
            return
        lines = [f"They differ from step {first} on. After step {steps}:"]
        lines += [
            f"{name}: {figure(ours.curves[name][steps - 1])} here, "
            f"{figure(other.curves[name][steps - 1])} in {rest}"
            for name in ours.curves
        ]
        self._print("\n".join(lines))

    def interventions(self) -> list[Scheduled]:
        """What was done in this branch, for the report."""
        found: list[Scheduled] = []
        for act in self.live.log:
            what = dict(act.what)
            if what["do"] == "undo":
                undone = msgspec.convert(what["what"], Operation)
                last = max(i for i, entry in enumerate(found) if entry.operation == undone)
                del found[last]
            else:
                at = what.pop("at", act.t)
                found.append(Scheduled(at, msgspec.convert(what, Operation)))
        return found

    async def _advance(self, steps: int) -> None:
        if steps < 1:
            raise BadInput(f"a run goes on by at least one step, not {steps}.")
        for _ in range(steps):
            if self.over:
                self._print("The run is over; quit writes the report.")
                return
            await self.live.advance()
            self._stepped(self.live.society)

    def _plan(self, at: int, operation: Operation, how: str) -> None:
        if at <= self.live.society.t:
            self.live.do(operation, how=how)
        else:
            self.live.plan(at, operation, how=how)

    def _print(self, text: str) -> None:
        self._out.print(clean(text), soft_wrap=True)


def _whole(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"{what} must be a whole number, not {text!r}.") from None


def _named(text: str) -> str:
    if not text:
        raise BadInput("give it a name.")
    return text


def _operation(text: str) -> Operation:
    try:
        made: Any = msgspec.json.decode(text, type=Operation)
    except msgspec.DecodeError as error:
        example = '{"do": "close", "place": "school"}'
        raise BadInput(f"an operation is written as JSON, such as {example}: {error}.") from None
    return made
