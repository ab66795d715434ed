"""A running society in the hands of people: every operation checked, logged, and taken back.

An observer's operations change nothing: an interview asks through an agent of its own, under a name
of its own, so that neither the state nor any later random number depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.kernel import Agent
from collegium.society.engine import Society
from collegium.society.interaction.seats import Seats
from collegium.society.operations import (
    HandBack,
    Operation,
    Remember,
    TakeOver,
    Undo,
    carry_out,
    schedule,
    unschedule,
)
from collegium.society.output import write_parquet

REMEMBERED = 25
"""How many of an agent's latest memories an interview puts before it."""


class Act(msgspec.Struct, frozen=True):
    """One line of the log: who did what, when and by which means.

    Attributes:
        t: The step that came next.
        who: Role.
        how: Means.
        what: The operation, as data.
    """

    t: int
    who: str
    how: str
    what: dict[str, Any]


class Live:
    """Holds a society and what was done to it.

    Args:
        society: The society.
        seats: Where people sit who answer in the place of agents; None: nobody can.
    """

    def __init__(self, society: Society, seats: Seats | None = None) -> None:
        self.society, self.seats = society, seats
        self.log: list[Act] = []
        self.paused = False
        self._snapshots: dict[str, Society] = {}
        # of a planned operation it is not known yet how to take it back: None
        self._undo: list[tuple[Operation, Undo | None, Society | None]] = []

    # -- the director -----------------------------------------------------------------------

    async def advance(self, steps: int = 1) -> dict[str, list[float]]:
        """Take steps, unless the run is paused.

        Returns:
            The curves.

        Raises:
            BadInput: The run is paused, or the number of steps is below 1.
        """
        if self.paused:
            raise BadInput("the run is paused; resume it first.")
        if steps < 1:
            raise BadInput(f"a run goes on by at least one step, not {steps}.")
        await self.society.run(steps)
        return self.society.curves

    def pause(self) -> None:
        """Let nobody take a step."""
        self.paused = True

    def resume(self) -> None:
        """Let steps be taken again."""
        self.paused = False

    def do(self, operation: Operation, *, who: str = "director", how: str = "code") -> None:
        """Carry out an operation now.

        Raises:
            BadInput: It cannot be carried out.
            UnknownName: A name in it does not exist.
        """
        if isinstance(operation, TakeOver | HandBack) and self._by_seat(operation):
            self._seat(operation)
            undo: Undo = Undo()
            before = None
        else:
            before = self.society.branch() if _whole(operation) else None
            undo = carry_out(self.society, operation)
        self._undo.append((operation, undo, before))
        self._write(who, how, msgspec.to_builtins(operation))

    def plan(
        self, at: int, operation: Operation, *, who: str = "director", how: str = "code"
    ) -> None:
        """Have an operation carried out just before a step.

        Raises:
            BadInput: The step is over, or the operation is impossible.
        """
        schedule(self.society, at, operation)
        self._undo.append((operation, None, None))
        self._write(who, how, {"at": at, **msgspec.to_builtins(operation)})

    def undo(self) -> bool:
        """Take back the last operation that was not taken back yet.

        One that is still waiting is taken off the schedule. What the model did since stays.

        Returns:
            Whether there was one.

        Raises:
            BadInput: It can only be taken back by going back, and steps were taken since.
        """
        if not self._undo:
            return False
        operation, undo, before = self._undo[-1]
        if undo is None and unschedule(self.society, operation):
            pass
        elif before is not None:
            if before.t != self.society.t:
                raise BadInput(
                    "this can only be taken back by going back, and steps were taken since; "
                    "restore a snapshot."
                )
            self._become(before)
        elif isinstance(operation, TakeOver) and self._by_seat(operation):
            self._seat(HandBack(operation.agent))
        else:
            undo = self._carried(operation) if undo is None else undo
            if undo.whole:
                raise BadInput(
                    "this was planned and is done; it can only be taken back by going back: "
                    "restore a snapshot."
                )
            for inverse in undo.operations:
                carry_out(self.society, inverse)
        self._undo.pop()
        self._write("director", "code", {"do": "undo", "what": msgspec.to_builtins(operation)})
        return True

    def snapshot(self, name: str) -> None:
        """Keep the society as it stands, under a name."""
        self._snapshots[name] = self.society.branch()

    def restore(self, name: str) -> None:
        """Go back to what was kept.

        Raises:
            UnknownName: Nothing was kept under this name.
        """
        if name not in self._snapshots:
            raise unknown_name("snapshot", name, self._snapshots)
        self._become(self._snapshots[name].branch())
        self._undo.clear()

    def branch(self) -> Live:
        """The same run once more, to go another way with the same random numbers."""
        return Live(self.society.branch(), self.seats)

    # -- the observer -----------------------------------------------------------------------

    def query(self, curve: str) -> list[float]:
        """A curve until now.

        Raises:
            UnknownName: There is no such curve.
        """
        if curve not in self.society.curves:
            raise unknown_name("curve", curve, self.society.curves)
        return list(self.society.curves[curve])

    def inspect(self, agent: int) -> dict[str, Any]:
        """All columns of one agent.

        Raises:
            BadInput: There is no such agent.
        """
        self._there(agent)
        agents = self.society.agents
        return {column: agents[column][agent].tolist() for column in agents}

    async def interview(self, agent: int, question: str, *, write: bool = False) -> str:
        """Ask an agent something.

        Args:
            agent: Whom.
            question: What.
            write: Whether it will remember the interview; then it is no observer's operation.

        Raises:
            BadInput: There is no such agent, no language model, or agents cannot be spoken to.
        """
        self._there(agent)
        society = self.society
        if society.kernel is None or society.model.describe is None:
            raise BadInput("an interview needs a language model and agents that can be described.")
        memory = society.state.values.get("memory", {}).get(str(agent), [])
        profile = " ".join([society.model.describe(society, agent), *memory[-REMEMBERED:]])
        asked = Agent(
            society.kernel, f"interview-{agent}@{society.t}", role="interview", profile=profile
        )
        reply = await asked.ask(question, max_tokens=120)
        if write:
            said = f"You were asked: {question} You said: {reply.text}"
            self.do(Remember(agent, said), who="actor", how="dialogue")
        return reply.text

    def export(self, folder: Path) -> tuple[Path, ...]:
        """Write everything to Parquet files.

        Raises:
            BadInput: They cannot be written.
        """
        return write_parquet(self.society, folder)

    # -- how ----------------------------------------------------------------------------------

    def _carried(self, operation: Operation) -> Undo:
        """How to take back a planned operation that was carried out since."""
        done = self.society.carried
        return next((undo for what, undo in reversed(done) if what == operation), Undo(whole=True))

    def _by_seat(self, operation: TakeOver | HandBack) -> bool:
        """Whether a person answers calls, rather than setting columns of actions."""
        if self.society.model.seat is None:
            return False
        if isinstance(operation, TakeOver):
            return not operation.actions
        return str(operation.agent) not in self.society.state.values.get("held", {})

    def _seat(self, operation: TakeOver | HandBack) -> None:
        """Let a person answer in the place of an agent, or no longer."""
        self._there(operation.agent)
        sit = self.society.model.seat
        if self.seats is None or sit is None:
            raise BadInput("nobody sits here who could answer for an agent.")
        taken = isinstance(operation, TakeOver)
        name = sit(self.society, operation.agent, taken)
        if taken:
            self.seats.take(name)
        else:
            self.seats.leave(name)

    def _become(self, other: Society) -> None:
        society = self.society
        society.state, society.t = other.state, other.t
        society.parameters, society.curves = other.parameters, other.curves
        society.carried = list(other.carried)

    def _there(self, agent: int) -> None:
        if not 0 <= agent < len(self.society.agents):
            last = len(self.society.agents) - 1
            raise BadInput(f"there is no agent {agent}: they are numbered 0 to {last}.")

    def _write(self, who: str, how: str, what: Mapping[str, Any]) -> None:
        self.log.append(Act(self.society.t, who, how, dict(what)))


def _whole(operation: Operation) -> bool:
    """Whether an operation can only be taken back by going back."""
    return operation.__struct_config__.tag in ("remember", "add", "remove", "inject")
