"""AgentTorch's epidemic as a model of the engine: isolate, fall ill, infect, and maybe work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from collegium.errors import BadInput
from collegium.society.chance import uniforms
from collegium.society.compiled import spread
from collegium.society.covid import disease
from collegium.society.covid.behaviour import Isolation
from collegium.society.covid.disease import A_STAGE, ABSENT, I_MEAN, S_AGE, STAGES, E, R, S
from collegium.society.engine import Model, Parameter, Society
from collegium.society.labour import PARAMETERS as LABOUR_PARAMETERS
from collegium.society.labour import Labour, add_columns
from collegium.society.labour import measure as measure_labour
from collegium.society.network import Layer, extended
from collegium.society.state import State, Table

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
    """

    def __init__(self, record: bool | None = None) -> None:
        self.record = record
        self._by_code = disease.infectivity_by_code(disease.infectivity_by_day())
        self._code = self._pressure = np.zeros(0)

    def __call__(self, society: Society) -> None:
        """Advance illnesses, add up the pressure of contacts, draw infections."""
        agents, t = society.agents, society.t
        n = len(agents)
        stage, day = agents["stage"], agents["day"]
        if len(self._code) != n:
            self._code, self._pressure = np.zeros(n, np.uint8), np.zeros(n, np.float32)
        today = society.state.values.setdefault("today", {})
        outcomes = spread(
            disease.advance,
            n,
            stage, day, self._code,
            society.parameter("exposed days"), society.parameter("infected days"),
            society.parameter("M"), society.key("die"), t,
        )  # fmt: skip
        became, left, died = (int(sum(o[k] for o in outcomes)) for k in range(3))
        for layer in society.state.layers.values():
            if layer.factor:
                spread(
                    disease.gather,
                    n,
                    layer.starts, layer.others, layer.factor,
                    self._code, self._by_code, stage, self._pressure,
                )  # fmt: skip
        caught = spread(
            disease.infect,
            n,
            stage, day, self._pressure, agents["age"], susceptibility(society),
            agents["isolates"], society.parameter("effect"), society.parameter("imported"),
            society.key("infect"), t,
        )  # fmt: skip
        today.update(cases=int(sum(caught)), infectious=became, left=left, deaths=died)
        if n <= RECORDED if self.record is None else self.record:
            new = np.flatnonzero((stage == E) & (day == 0))
            society.note("infected", new)


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
    counts = stage_counts(society)
    today = society.state.values["today"]
    points = {name: float(counts[i]) for i, name in enumerate(STAGES)}
    points |= {"cases": float(today["cases"]), "deaths": float(today["deaths"])}
    points["isolating"] = float(society.agents["isolates"].mean(dtype=np.float64))
    return points


def covid_model(
    isolation: Isolation | None = None,
    *,
    labour: Labour | None = None,
    record: bool | None = None,
) -> Model:
    """The epidemic model.

    Args:
        isolation: Who isolates; None: everybody with the constant probability ``isolation``.
        labour: The labour market beside it; None: none.
        record: Whether every infection goes into the log; None: in populations up to a million.
    """
    steps = [isolation or Isolation("constant"), Epidemic(record)]
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
