"""The engine: a model is a list of small functions; a society is a model with a state in time."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from collegium.errors import BadInput, unknown_name
from collegium.kernel.agent import Agent
from collegium.society.chance import key_of, uniforms
from collegium.society.network import index_type
from collegium.society.state import Array, State, Table

if TYPE_CHECKING:
    from collegium.kernel import Kernel
    from collegium.society.operations import Operation, Undo
    from collegium.society.shards import Shards

StepFunction = Callable[["Society"], "Awaitable[None] | None"]
"""One part of a step: reads and changes the state; a coroutine where it asks a language model."""

Measure = Callable[["Society"], Mapping[str, float]]
"""What is written down after every step: the points of the curves."""

Happening = Callable[..., None]
"""What an injected event does: called as ``happening(society, **arguments)``."""

EVENT_COLUMNS = {
    "step": np.int32,
    "kind": np.int16,
    "agent": np.int32,
    "other": np.int32,
    "value": np.float32,
}


class Parameter(msgspec.Struct, frozen=True):
    """A number that steers a model and may be changed while it runs.

    Attributes:
        value: What it is unless told otherwise; a list holds one number per week.
        low: The least it may be.
        high: The most.
        meaning: One line.
    """

    value: float | tuple[float, ...]
    low: float
    high: float
    meaning: str = ""

    def check(self, name: str, value: Any) -> float | tuple[float, ...]:
        """The value, if it may be set.

        Raises:
            BadInput: It is no number, or out of range.
        """
        several = isinstance(value, list | tuple)
        numbers = value if several else [value]
        for number in numbers:
            fits = isinstance(number, int | float) and not isinstance(number, bool)
            if not fits or not self.low <= number <= self.high:
                raise BadInput(
                    f"parameter {name!r} must be a number from {self.low:g} to {self.high:g}, "
                    f"not {number!r}."
                )
        if several and not numbers:
            raise BadInput(f"parameter {name!r} needs at least one number.")
        return tuple(map(float, numbers)) if several else float(value)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A simulator.

    Attributes:
        name: Short name.
        steps: What one step does, in order.
        measure: The points of its curves.
        parameters: What may be steered.
        columns: Columns that the table of agents must have.
        actions: Columns that hold what agents do: a person who takes over an agent sets these.
        happenings: Events that may be injected, by name.
        newcomers: Gives agents that join during a run the columns they lack; None: nobody joins.
        leave: Takes an agent out of the society; None: nobody leaves.
        describe: Who an agent is, in words, for interviews.
        over: Whether a run has come to its end by itself; None: it never does.
        told: What happened in the step just taken, line by line, for those who watch.
        seat: Makes ready for a person to answer in the place of an agent that thinks (or, with
            False, for the model to do so again), and names the agent of the kernel whose calls the
            person answers; None: people set the columns of ``actions``.
        news: What an agent knows of the society now, in words, for a scene that it plays in.
        voice: Says something in public in an agent's name; None: there is no public.
        questions: By column of actions a question to be answered yes or no that decides it, with
            {name} for the agent.
        shards: How a step is shared by several processes; None: it is not.
    """

    name: str
    steps: tuple[StepFunction, ...]
    measure: Measure
    parameters: Mapping[str, Parameter] = {}
    columns: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    happenings: Mapping[str, Happening] = {}
    newcomers: Callable[[Society, slice], None] | None = None
    leave: Callable[[Society, int], None] | None = None
    describe: Callable[[Society, int], str] | None = None
    over: Callable[[Society], bool] | None = None
    told: Callable[[Society], Sequence[str]] | None = None
    seat: Callable[[Society, int, bool], str] | None = None
    news: Callable[[Society, int], str] | None = None
    voice: Callable[[Society, int, str], None] | None = None
    questions: Mapping[str, str] = {}
    shards: Shards | None = None


class Society:
    """A population of one model at one moment, and its past as curves.

    Args:
        model: What happens in a step.
        state: Where it begins.
        seed: Fixes every random choice.
        parameters: Values that differ from the model's own.
        kernel: Carries the calls to language models; None where no agent needs one.
        t: The step that comes next.
        curves: What earlier steps measured.

    Raises:
        BadInput: A column is missing, or a parameter is out of range.
        UnknownName: There is no such parameter.
    """

    def __init__(
        self,
        model: Model,
        state: State,
        *,
        seed: int = 0,
        parameters: Mapping[str, Any] | None = None,
        kernel: Kernel | None = None,
        t: int = 0,
        curves: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        missing = [c for c in model.columns if c not in state.agents]
        if missing:
            raise BadInput(
                f"the {model.name} model needs the agent columns {', '.join(model.columns)}; "
                f"missing: {', '.join(missing)}."
            )
        self.model, self.state, self.seed, self.kernel, self.t = model, state, seed, kernel, t
        self.parameters = {name: p.check(name, p.value) for name, p in model.parameters.items()}
        self._ids = np.zeros(0, np.int32)
        # what the schedule carried out, and how to take it back: for whoever directs the run
        self.carried: list[tuple[Operation, Undo]] = []
        self.curves: dict[str, list[float]] = {k: list(v) for k, v in (curves or {}).items()}
        for name, value in (parameters or {}).items():
            self.set(name, value)
        if "event" not in state.tables:
            state.tables["event"] = Table({k: np.zeros(0, v) for k, v in EVENT_COLUMNS.items()})
            state.texts["event"] = []

    # -- time -----------------------------------------------------------------------------

    async def step(self) -> dict[str, float]:
        """Take one step: what is scheduled for it first, then the model's functions in order.

        Returns:
            What it measured.
        """
        from collegium.society.operations import carry_out_due

        carry_out_due(self)
        for function in self.model.steps:
            waiting = function(self)
            if inspect.isawaitable(waiting):
                await waiting
        self.t += 1
        measured = dict(self.model.measure(self))
        for name, value in measured.items():
            self.curves.setdefault(name, []).append(float(value))
        return measured

    async def run(
        self, steps: int, on_step: Callable[[Society], Awaitable[None] | None] | None = None
    ) -> Society:
        """Take several steps.

        Args:
            steps: How many.
            on_step: Called after each.
        """
        for _ in range(steps):
            await self.step()
            if on_step is not None:
                waiting = on_step(self)
                if inspect.isawaitable(waiting):
                    await waiting
        return self

    def branch(self) -> Society:
        """The same society once more, to go another way from here with the same random numbers."""
        made = Society(
            self.model,
            self.state.copy(),
            seed=self.seed,
            parameters=self.parameters,
            kernel=self.kernel,
            t=self.t,
            curves=self.curves,
        )
        made.carried = list(self.carried)
        return made

    def digest(self) -> str:
        """A fingerprint of everything that decides how it goes on."""
        parts = [self.state.digest(), self.t, self.seed, self.parameters, self.curves]
        return msgspec.json.encode(parts, order="deterministic").hex()

    # -- what step functions use ------------------------------------------------------------

    @property
    def agents(self) -> Table:
        """The table of agents."""
        return self.state.agents

    def parameter(self, name: str, week: int | None = None) -> float:
        """A parameter's value; of one per week, that of the week (the last goes on for ever)."""
        value = self.parameters[name]
        if isinstance(value, tuple):
            week = self.t // 7 if week is None else week
            return value[min(week, len(value) - 1)]
        return value

    def set(self, name: str, value: Any) -> None:
        """Change a parameter.

        Raises:
            UnknownName: There is no such parameter.
            BadInput: The value is out of range.
        """
        if name not in self.model.parameters:
            raise unknown_name(f"parameter of {self.model.name}", name, self.model.parameters)
        self.parameters[name] = self.model.parameters[name].check(name, value)

    @property
    def ids(self) -> Array:
        """The number of each agent in the whole society, to which its random numbers belong."""
        if "id" in self.agents:  # a shard holds some of the agents
            return self.agents["id"]
        if len(self._ids) != len(self.agents):
            self._ids = np.arange(len(self.agents), dtype=index_type(len(self.agents)))
        return self._ids

    def key(self, purpose: str) -> Array:
        """The key with which kernels draw for a purpose (see :mod:`collegium.society.chance`)."""
        return key_of(self.seed, purpose)

    def uniforms(self, purpose: str, agents: int | Array | None = None, number: int = 0) -> Array:
        """Numbers in [0, 1) of this step, one per agent (all agents if not told which)."""
        if agents is not None:
            who = agents
        else:
            who = self.ids if "id" in self.agents else len(self.agents)
        return uniforms(self.seed, purpose, self.t, who, number)

    def overrule(self, column: str, values: Array) -> None:
        """Put what was decided for single agents in the place of what the model decided.

        First what agents decided in a scene, then what people decided who hold an agent.
        """
        ids = self.ids
        for source in ("decided", "held"):
            for agent, actions in self.state.values.get(source, {}).items():
                place = int(np.searchsorted(ids, int(agent)))
                if column in actions and place < len(ids) and ids[place] == int(agent):
                    values[place] = actions[column]

    def note(self, kind: str, agents: Array, other: Any = -1, value: Any = 0.0) -> None:
        """Write events of one kind into the log.

        Args:
            kind: What happened ("infected", "followed" ...).
            agents: To whom.
            other: Who else took part.
            value: A number that goes with it.
        """
        kinds = self.state.texts["event"]
        if kind not in kinds:
            kinds.append(kind)
        self.state.tables["event"].append(
            len(agents),
            step=self.t,
            kind=kinds.index(kind),
            agent=agents,
            other=other,
            value=value,
        )

    def thinker(self, name: str, *, role: str, profile: str = "") -> Agent:
        """An agent of the kernel that thinks for someone in this step.

        Its name holds the step, and so does its seed; a resumed run asks with the same seeds.

        Args:
            name: Who, such as "user-17".
            role: Chooses the model.
            profile: Its system prompt.

        Raises:
            BadInput: The society has no kernel.
        """
        if self.kernel is None:
            raise BadInput(
                f"the {self.model.name} model asks a language model, but none was given; "
                "name one with --model."
            )
        return Agent(self.kernel, f"{name}@{self.t}", role=role, profile=profile)
