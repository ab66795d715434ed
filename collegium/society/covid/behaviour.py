"""Who isolates: a constant share, in proportion to cases, or as archetypes say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from collegium.errors import BadInput
from collegium.society.archetypes import Archetypes
from collegium.society.covid.processor import Processor, Threads
from collegium.society.engine import Society
from collegium.society.population import Categories
from collegium.society.state import Array, Table

Behaviour = Literal["none", "constant", "heuristic", "archetypes"]
"""How people decide whether to isolate."""

WEEK = 7
MONTH_OF_WEEKS = 4

FACTS = "week", "cases", "change"
"""What a prompt about isolation may name besides attributes."""


def isolation_prompt(attributes: Sequence[str]) -> str:
    """The question put to each group: who they are, how long it has lasted, how it goes.

    Args:
        attributes: Columns whose values the prompt names.
    """
    who = ", ".join(f"{a} {{{a}}}" for a in attributes)
    return (
        f"You live in a city with an epidemic. About you: {who}.\n"
        "The epidemic began {week} weeks ago. This week there were {cases} new cases per 100,000 "
        "people, {change} compared with the average of the past month.\n"
        "Do you stay at home and avoid other people this week?"
    )


def weekly(cases: Sequence[float]) -> list[float]:
    """New cases by week of complete weeks."""
    whole = len(cases) // WEEK
    return [float(sum(cases[w * WEEK : (w + 1) * WEEK])) for w in range(whole)]


def situation(society: Society) -> dict[str, str]:
    """What the prompt says of this week, in round figures so that alike weeks are asked once."""
    weeks = weekly(society.curves.get("cases", []))
    people = len(society.agents)
    now = weeks[-1] / people * 100_000 if weeks else 0.0
    past = weeks[-1 - MONTH_OF_WEEKS : -1]
    mean = sum(past) / len(past) / people * 100_000 if past else now
    if mean == 0 or abs(now - mean) < 0.1 * mean:
        change = "about the same"
    else:
        percent = round(abs(now / mean - 1) * 10) * 10
        change = f"{percent}% {'more' if now > mean else 'fewer'}"
    digits = 0 if now < 10 else 1 - int(np.floor(np.log10(now)))
    return {
        "week": str(society.t // WEEK),
        "cases": f"{round(now, digits):.0f}",
        "change": change,
    }


class Isolation:
    """The step that decides who isolates today.

    Args:
        behaviour: How.
        archetypes: The groups, for behaviour "archetypes".
        processor: Draws; None: compiled loops on all threads.

    Raises:
        BadInput: Archetypes are missing where they are needed.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        archetypes: Archetypes | None = None,
        processor: Processor | None = None,
    ) -> None:
        if behaviour == "archetypes" and archetypes is None:
            raise BadInput("behaviour by archetypes needs the attributes that span the groups.")
        self.behaviour = behaviour
        self.archetypes = archetypes if behaviour == "archetypes" else None
        self.processor = processor or Threads()

    async def __call__(self, society: Society) -> None:
        """Draw today's isolation; on the first day of a week the groups are asked anew."""
        self.draw(society, await self.chances(society))

    def draw(self, society: Society, p: Array) -> None:
        """Draw who isolates today.

        Args:
            society: The society, or a shard of it.
            p: Probability of each group, as :meth:`chances` gives it.
        """
        agents = society.agents
        if self.behaviour == "none":
            agents["isolates"][:] = 0
        else:
            asked = self.behaviour == "archetypes"
            scale, shift = alignment(society) if asked else (ONES, ZEROS)
            # who belongs to which group is looked at every day: people may join, or be changed
            self.processor.isolate(
                agents, society.ids, self.groups(agents), p, scale, shift,
                society.key("isolate"), society.t,
            )  # fmt: skip
        society.overrule("isolates", agents["isolates"])

    def groups(self, agents: Table) -> Array:
        """Number of each agent's group."""
        if self.archetypes is None:
            return np.zeros(len(agents), np.uint8)
        return self.archetypes.group_of(agents)

    async def chances(self, society: Society) -> Array:
        """The probability of isolating of each group."""
        if self.behaviour == "none":
            return np.zeros(1)
        if self.behaviour != "archetypes":
            p = society.parameter("isolation")
            if self.behaviour == "heuristic":
                weeks = weekly(society.curves.get("cases", []))
                share = weeks[-1] / len(society.agents) if weeks else 0.0
                p = min(1.0, society.parameter("caution") * share)
            return np.array([p])
        assert self.archetypes is not None
        values = society.state.values
        if society.t % WEEK == 0 or "situation" not in values:
            values["situation"] = situation(society)
        # what was answered on the first day of the week is not asked again
        group = self.archetypes.group_of(society.agents)
        return (await self.archetypes.ask(society, group, values["situation"]))[:, 0].copy()


ONES, ZEROS = np.ones(256), np.zeros(256)


def alignment(society: Society) -> tuple[Array, Array]:
    """Scale and shift by age group: one number for all, or one per group."""

    def by_age(name: str) -> Array:
        found = np.zeros(256)
        value: Any = society.parameters[name]
        if isinstance(value, tuple):
            found[: len(value)] = value
            found[len(value) :] = value[-1]
        else:
            found[:] = value
        return found

    return by_age("scale"), by_age("shift")


def isolation_archetypes(attributes: Sequence[str], categories: Sequence[Categories]) -> Archetypes:
    """The groups for isolation.

    Args:
        attributes: Columns that span them.
        categories: What the columns' values are called.

    Raises:
        BadInput: A column is not there, or no column is named.
    """
    known = {c.column: c for c in categories}
    for attribute in attributes:
        if attribute not in known:
            raise BadInput(
                f"the population has no column {attribute!r} to make archetypes of; "
                f"it has {', '.join(known)}."
            )
    if not attributes:
        raise BadInput("archetypes need at least one column, such as age,sex.")
    return Archetypes(isolation_prompt(attributes), [known[a] for a in attributes])
