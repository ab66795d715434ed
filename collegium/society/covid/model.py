"""AgentTorch's epidemic as a model of the engine: isolate, fall ill, infect, and maybe work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from collegium.errors import BadInput
from collegium.society.chance import uniforms
from collegium.society.covid.behaviour import Isolation, situation
from collegium.society.covid.disease import A_STAGE, ABSENT, I_MEAN, S_AGE, STAGES, E, R, S
from collegium.society.covid.processor import Processor, Threads
from collegium.society.engine import Model, Parameter, Society, StepFunction
from collegium.society.labour import PARAMETERS as LABOUR_PARAMETERS
from collegium.society.labour import QUESTIONS as LABOUR_QUESTIONS
from collegium.society.labour import Labour, add_columns
from collegium.society.labour import measure as measure_labour
from collegium.society.network import Layer, extended
from collegium.society.shards import Shards
from collegium.society.state import Array, State, Table

PAPER = "agenttorch"

PARAMETERS = {
    "R": Parameter(4.75, 0, 20, "reproduction number; a list holds one per week"),
    "M": Parameter(0.12, 0, 1, "share of those leaving stage I who die"),
    "exposed days": Parameter(5, 1, 60, "days in stage E"),
    "infected days": Parameter(5, 1, 60, "days in stage I"),
    "isolation": Parameter(0.5, 0, 1, "probability of isolating, for constant behaviour"),
    "caution": Parameter(50, 0, 1e6, "isolation per weekly case and person, for the heuristic"),
    "effect": Parameter(1.0, 0, 1, "share of infections that isolating prevents"),
    "scale": Parameter(0.3, 0, 5, "alignment of archetypes: factor; a list holds one per age"),
    "shift": Parameter(0.3, -1, 1, "alignment of archetypes: summand; a list holds one per age"),
    "imported": Parameter(0.0, 0, 1, "probability per day of catching the disease from outside"),
}

RECORDED = 1_000_000
"""Populations up to this size have every infection written into the log."""

MONTH = 28


class Epidemic:
    """The step that lets the disease take its course for a day.

    Args:
        record: Whether every infection goes into the log; None: in populations that are not huge.
        processor: Computes; None: compiled loops on all threads.
    """

    def __init__(self, record: bool | None = None, processor: Processor | None = None) -> None:
        self.record = record
        self.processor = processor or Threads()

    def __call__(self, society: Society) -> None:
        """Advance illnesses, add up the pressure of contacts, draw infections."""
        today = self.advance(society, 0)
        today |= self.spread(society)
        society.state.values.setdefault("today", {}).update(today)
        if self.recorded(len(society.agents)):
            society.note("infected", newly_infected(society))

    def advance(self, society: Society, ghosts: int) -> dict[str, int]:
        """The first half of a day: illnesses take their course.

        Args:
            society: The society, or a shard of it.
            ghosts: Agents of other shards who are in contact with these.
        """
        days = society.parameter("exposed days"), society.parameter("infected days")
        became, left, died = self.processor.advance(
            society.agents, society.ids, days, society.parameter("M"), society.key("die"),
            society.t, ghosts,
        )  # fmt: skip
        return {"infectious": became, "left": left, "deaths": died}

    def spread(self, society: Society) -> dict[str, int]:
        """The second half: contacts press, and some catch the disease."""
        for layer in society.state.layers.values():
            if layer.factor and layer.edges:
                self.processor.gather(society.agents, layer)
        caught = self.processor.infect(
            society.agents, society.ids, susceptibility(society), society.parameter("effect"),
            society.parameter("imported"), society.key("infect"), society.t,
        )  # fmt: skip
        return {"cases": caught}

    def recorded(self, people: int) -> bool:
        """Whether infections of a population of this size are written down."""
        return people <= RECORDED if self.record is None else self.record


def newly_infected(society: Society) -> Array:
    """Who caught the disease in this step."""
    return np.flatnonzero((society.agents["stage"] == E) & (society.agents["day"] == 0))


def susceptibility(society: Society) -> Any:
    """R * S_age / I_mean for every age group."""
    found = np.ones(256)
    found[: len(S_AGE)] = np.array(S_AGE) / np.array(I_MEAN)
    return society.parameter("R") * found


def stage_counts(society: Society) -> Any:
    """How many agents are in each stage."""
    stage = society.agents["stage"]
    return np.bincount(stage, minlength=len(A_STAGE)) if len(stage) else np.zeros(6, int)


def measure(society: Society) -> dict[str, float]:
    """Numbers in each stage, today's new cases and deaths, the share that isolates."""
    isolating = float(society.agents["isolates"].mean(dtype=np.float64))
    return points_of(stage_counts(society), society.state.values["today"], isolating)


def points_of(counts: Any, today: Mapping[str, int], isolating: float) -> dict[str, float]:
    """The points of the curves."""
    points = {name: float(counts[i]) for i, name in enumerate(STAGES)}
    points |= {"cases": float(today["cases"]), "deaths": float(today["deaths"])}
    points["isolating"] = isolating
    return points


def covid_model(
    isolation: Isolation | None = None,
    *,
    labour: Labour | None = None,
    record: bool | None = None,
    processor: Processor | None = None,
) -> Model:
    """The epidemic model.

    Args:
        isolation: Who isolates; None: everybody with the constant probability ``isolation``.
        labour: The labour market beside it; None: none.
        record: Whether every infection goes into the log; None: in populations up to a million.
        processor: Computes the disease; None: compiled loops on all threads.
    """
    isolation = isolation or Isolation("constant", processor=processor)
    epidemic = Epidemic(record, processor)
    steps: list[StepFunction] = [isolation, epidemic]
    if labour is not None:
        steps.append(labour)

    def measured(society: Society) -> Mapping[str, float]:
        return measure(society) | (measure_labour(society) if labour is not None else {})

    return Model(
        name="covid",
        steps=tuple(steps),
        measure=measured,
        parameters=PARAMETERS | (LABOUR_PARAMETERS if labour is not None else {}),
        columns=("age", "stage", "day", "isolates"),
        actions=("isolates", "works") if labour is not None else ("isolates",),
        happenings={"outbreak": outbreak, "vaccinate": vaccinate},
        newcomers=newcomers,
        leave=leave,
        describe=describe,
        news=news,
        questions=QUESTIONS if labour is None else QUESTIONS | LABOUR_QUESTIONS,
        shards=None if labour is not None else epidemic_shards(isolation, epidemic),
    )


def epidemic_shards(isolation: Isolation, epidemic: Epidemic) -> Shards:
    """How a day of the epidemic is shared: isolate and advance, exchange, infect."""

    async def plan(society: Society) -> dict[str, Any]:
        return {
            "p": await isolation.chances(society),
            "record": epidemic.recorded(len(society.agents)),
        }

    def send(part: Society, plan: Mapping[str, Any], ghosts: int) -> tuple[Array, dict[str, Any]]:
        isolation.draw(part, np.array(plan["p"]))
        today = epidemic.advance(part, ghosts)
        return epidemic.processor.codes()[: len(part.agents)], today

    def receive(
        part: Society, plan: Mapping[str, Any], ghosts: Array, today: dict[str, Any]
    ) -> dict[str, Any]:
        epidemic.processor.see(ghosts)
        found: dict[str, Any] = {**today, **epidemic.spread(part)}
        found["stages"] = stage_counts(part)
        found["isolating"] = int(part.agents["isolates"].sum(dtype=np.int64))
        found["new"] = part.ids[newly_infected(part)] if plan["record"] else None
        return found

    def merge(society: Society, found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        names = ("cases", "infectious", "left", "deaths")
        today = {name: sum(f[name] for f in found) for name in names}
        society.state.values.setdefault("today", {}).update(today)
        if found[0]["new"] is not None:
            society.note("infected", np.sort(np.concatenate([f["new"] for f in found])))
        isolating = sum(f["isolating"] for f in found) / len(society.agents)
        return points_of(sum(f["stages"] for f in found), today, isolating)

    return Shards(("stage", "day", "isolates"), plan, send, receive, merge)


QUESTIONS = {"isolates": "Does {name} stay at home and avoid other people for now?"}
"""What agents who meet in a scene are asked."""


def news(society: Society, agent: int) -> str:
    """How the epidemic goes, and how this person is."""
    facts = situation(society)
    own = describe(society, agent).rpartition("), ")[2]
    return (
        f"The epidemic began {facts['week']} weeks ago; there were {facts['cases']} new cases per "
        f"100,000 people last week. You are: {own}"
    )


def outbreak(society: Society, count: int = 10) -> None:
    """Some people catch the disease at once, drawn from all who can."""
    can = np.flatnonzero(society.agents["stage"] == S)
    if not 1 <= count <= len(can):
        raise BadInput(f"an outbreak of {count} needs that many who can catch it; {len(can)} can.")
    lot = society.uniforms("outbreak", can)
    who = can[np.argsort(lot, kind="stable")[:count]]
    society.agents["stage"][who] = E
    society.agents["day"][who] = 0


def vaccinate(society: Society, share: float = 0.5, age: int | None = None) -> None:
    """A share of those who can catch the disease, all or of one age group, becomes immune."""
    if not 0 <= share <= 1:
        raise BadInput(f"a share is a number from 0 to 1, not {share}.")
    stage = society.agents["stage"]
    chosen = (society.uniforms("vaccinate") < share) & (stage == S)
    if age is not None:
        chosen &= society.agents["age"] == age
    stage[chosen] = R


def leave(society: Society, agent: int) -> None:
    """Take someone out: they infect nobody and can be infected by nobody."""
    society.agents["stage"][agent] = ABSENT
    society.agents["isolates"][agent] = 0


def newcomers(society: Society, rows: slice) -> None:
    """People who join are healthy, and meet some who are there at random."""
    for column, value in {"stage": S, "day": 0, "isolates": 0, "household": -1}.items():
        if column in society.agents and (value >= 0 or society.agents[column].dtype.kind == "i"):
            society.agents[column][rows] = value
    n = len(society.agents)
    new = np.arange(rows.start, rows.stop)
    for name, layer in society.state.layers.items():
        degree = round(layer.edges / max(1, layer.agents)) if name == "random" else 0
        ends = [
            (uniforms(society.seed, "newcomer", society.t, new, k) * rows.start).astype(np.int64)
            for k in range(degree)
        ]
        others = np.concatenate(ends) if ends else np.zeros(0, np.int64)
        society.state.layers[name] = extended(layer, n, np.tile(new, degree), others)


def describe(society: Society, agent: int) -> str:
    """Who someone is and how they are, in words."""
    agents = society.agents
    words = {"S": "healthy", "E": "infected since a few days", "I": "ill", "R": "recovered"}
    stage = int(agents["stage"][agent])
    state = words.get(STAGES[stage], "dead") if stage < len(STAGES) else "gone"
    facts = [
        f"{c} {int(agents[c][agent])}" for c in ("age", "sex", "area", "household") if c in agents
    ]
    home = "stays at home" if agents["isolates"][agent] else "goes out"
    return f"Person {agent} ({', '.join(facts)}), {state}, {home}."


def covid_state(
    people: Table,
    layers: Mapping[str, Layer],
    *,
    seed: int = 0,
    infected: float = 0.001,
    labour: bool = False,
) -> State:
    """The first day of an epidemic.

    Args:
        people: The population, with column age.
        layers: Its contact networks.
        seed: Draws who is infected at first.
        infected: Share of people who are in stage E at first (at least one person).
        labour: Whether they take part in the labour market.

    Raises:
        BadInput: The share is not between 0 and 1.
    """
    if not 0 < infected <= 1:
        raise BadInput(f"the share of people infected at first must be in (0, 1], not {infected}.")
    n = len(people)
    lot = uniforms(seed, "first", 0, n)
    stage = (lot < infected).astype(np.uint8)
    if not stage.any():
        stage[int(np.argmin(lot))] = E
    people["stage"] = stage
    people["day"] = np.zeros(n, np.uint8)
    people["isolates"] = np.zeros(n, np.uint8)
    if labour:
        add_columns(people)
    return State({"agent": people}, layers, values={"today": {"cases": 0, "deaths": 0}})


__all__ = ["PARAMETERS", "Epidemic", "covid_model", "covid_state", "measure"]
