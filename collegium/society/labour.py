"""Labour: who wants to work, who has work, what they earn and spend (AgentTorch's macro model).

Willingness to work is an archetype's answer to a prompt with month, cases, stimulus and the rate
of unemployment, aligned as isolation is. What follows is counted, not asked:

    labour force   L = those willing;  participation = L / adults
    jobs           J = jobs * adults * (1 - closure * isolating share)
    employment     of the willing; hired by lot while J lasts, laid off by lot when J falls
    unemployment   u = 1 - employed / L
    wage           w <- w * (1 + gamma * (u_natural - u))
    income         wage if employed, stimulus otherwise;  spending = propensity * income

Paper vs code vs ours
---------------------
* The paper names the quantities and reports unemployment; its equations for jobs and wages are not
  public in full. The matching by lot and the wage curve are ours, and the plainest there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collegium.errors import BadInput
from collegium.society.archetypes import Archetypes
from collegium.society.engine import Model, Parameter, Society
from collegium.society.population import Categories
from collegium.society.state import Array, State, Table

PARAMETERS = {
    "willingness": Parameter(0.75, 0, 1, "share of adults who want to work, without archetypes"),
    "work scale": Parameter(1.0, 0, 5, "alignment of the archetypes' willingness: factor"),
    "work shift": Parameter(0.0, -1, 1, "alignment of the archetypes' willingness: summand"),
    "jobs": Parameter(0.7, 0, 2, "jobs per adult"),
    "closure": Parameter(0.5, 0, 1, "share of jobs that stop when everybody isolates"),
    "stimulus": Parameter(0.0, 0, 1e6, "paid per month to those without work"),
    "natural": Parameter(0.05, 0, 1, "unemployment at which wages stand still"),
    "gamma": Parameter(0.1, 0, 1, "how fast wages follow unemployment"),
    "propensity": Parameter(0.8, 0, 1, "share of income that is spent"),
}

COLUMNS = {"works": np.uint8, "employed": np.uint8, "savings": np.float32}

FIRST_WAGE = 4000.0


def work_prompt(attributes: Sequence[str]) -> str:
    """The question put to each group.

    Args:
        attributes: Columns whose values the prompt names.
    """
    who = ", ".join(f"{a} {{{a}}}" for a in attributes)
    return (
        f"You live in a city. About you: {who}.\n"
        "It is month {month} of the epidemic. There are {cases} new cases per 100,000 people a "
        "week, {unemployment}% of people are unemployed, and people without work are paid "
        "{stimulus} dollars a month.\n"
        "Are you willing to go to work this month?"
    )


class Labour:
    """The step that runs the labour market once every few steps.

    Args:
        every: Steps in a month.
        archetypes: The groups; None: the parameter ``willingness``.
    """

    def __init__(self, every: int, archetypes: Archetypes | None = None) -> None:
        self.every, self.archetypes = every, archetypes

    async def __call__(self, society: Society) -> None:
        """Decide, match, pay and spend, when a month begins."""
        if society.t % self.every:
            return
        agents, values = society.agents, society.state.values
        economy = values.setdefault("economy", {"wage": FIRST_WAGE, "unemployment": 0.05})
        adult = (agents["age"] > 0) & present(agents)
        works = agents["works"]
        p = await self._willing(society, economy)
        works[:] = adult & (society.uniforms("work") < p)
        society.overrule("works", works)
        works[~adult] = 0
        self._match(society, adult, economy)
        self._pay(society, adult, economy)

    async def _willing(self, society: Society, economy: dict[str, float]) -> Array:
        if self.archetypes is None:
            return np.full(len(society.agents), society.parameter("willingness"))
        cases = sum(society.curves.get("cases", [])[-7:]) / len(society.agents) * 100_000
        group = self.archetypes.group_of(society.agents)
        context = {
            "month": str(society.t // self.every + 1),
            "cases": f"{round(cases, -1):.0f}",
            "unemployment": f"{100 * economy['unemployment']:.0f}",
            "stimulus": f"{society.parameter('stimulus'):.0f}",
        }
        p = (await self.archetypes.ask(society, group, context))[:, 0]
        aligned = society.parameter("work scale") * p + society.parameter("work shift")
        return np.clip(aligned, 0, 1)[group]

    def _match(self, society: Society, adult: Array, economy: dict[str, float]) -> None:
        """Hire or lay off by lot until the jobs are filled, or there is nobody left to hire."""
        agents = society.agents
        works, employed = agents["works"], agents["employed"]
        employed &= works
        isolating = float(agents["isolates"].mean()) if "isolates" in agents else 0.0
        closed = society.parameter("closure") * isolating
        jobs = int(society.parameter("jobs") * int(adult.sum()) * (1 - closed))
        have = int(employed.sum())
        lot = society.uniforms("hire")
        if jobs > have:
            seekers = np.flatnonzero((works == 1) & (employed == 0))
            employed[first_by_lot(seekers, lot, jobs - have)] = 1
        elif jobs < have:
            employed[first_by_lot(np.flatnonzero(employed), lot, have - jobs)] = 0
        force = int(works.sum())
        economy["jobs"] = jobs
        economy["participation"] = force / max(1, int(adult.sum()))
        economy["unemployment"] = 1 - int(employed.sum()) / force if force else 0.0

    def _pay(self, society: Society, adult: Array, economy: dict[str, float]) -> None:
        agents = society.agents
        gap = society.parameter("natural") - economy["unemployment"]
        economy["wage"] *= 1 + society.parameter("gamma") * gap
        income = np.where(agents["employed"] == 1, economy["wage"], society.parameter("stimulus"))
        income[~adult] = 0.0
        spent = society.parameter("propensity") * income
        agents["savings"][:] += (income - spent).astype(np.float32)
        economy["earnings"] = float(income.sum())
        economy["consumption"] = float(spent.sum())


def first_by_lot(who: Array, lot: Array, count: int) -> Array:
    """The ``count`` of them with the lowest lots, ties by number."""
    if count >= len(who):
        return who
    return who[np.argsort(lot[who], kind="stable")[:count]]


def present(agents: Table) -> Array:
    """Who is in the society: not dead, not gone."""
    if "stage" in agents:
        return agents["stage"] < 4
    return agents["present"] == 1


def add_columns(agents: Table) -> None:
    """Give people the columns of the labour market; nobody has work yet."""
    for name, kind in COLUMNS.items():
        if name not in agents:
            agents[name] = np.zeros(len(agents), kind)


def measure(society: Society) -> dict[str, float]:
    """Participation, unemployment, wage, earnings and consumption of the current month."""
    economy = society.state.values["economy"]
    names = ("participation", "unemployment", "wage", "earnings", "consumption")
    return {name: float(economy[name]) for name in names}


def labour_archetypes(attributes: Sequence[str], categories: Sequence[Categories]) -> Archetypes:
    """The groups for willingness to work.

    Raises:
        BadInput: A column is not there, or no column is named.
    """
    known = {c.column: c for c in categories}
    missing = [a for a in attributes if a not in known]
    if missing or not attributes:
        raise BadInput(
            f"archetypes are made of columns of the population ({', '.join(known)}), not "
            f"{', '.join(map(repr, missing)) or 'of nothing'}."
        )
    return Archetypes(work_prompt(attributes), [known[a] for a in attributes])


def market_model(archetypes: Archetypes | None = None) -> Model:
    """The labour market alone: one step is a month.

    Args:
        archetypes: The groups that decide whether to work; None: the parameter ``willingness``.
    """

    def leave(society: Society, agent: int) -> None:
        for column in ("present", "works", "employed"):
            society.agents[column][agent] = 0

    def newcomers(society: Society, rows: slice) -> None:
        for column in COLUMNS:
            society.agents[column][rows] = 0
        society.agents["present"][rows] = 1

    def lose_jobs(society: Society, share: float = 0.1) -> None:
        """A share of those who have work lose it at once."""
        if not 0 <= share <= 1:
            raise BadInput(f"a share is a number from 0 to 1, not {share}.")
        employed = society.agents["employed"]
        employed[(society.uniforms("lay off") < share) & (employed == 1)] = 0

    return Model(
        name="market",
        steps=(Labour(1, archetypes),),
        measure=measure,
        parameters=PARAMETERS,
        columns=("age", "present", *COLUMNS),
        actions=("works",),
        happenings={"lose-jobs": lose_jobs},
        newcomers=newcomers,
        leave=leave,
        describe=describe,
        news=news,
        questions=QUESTIONS,
    )


QUESTIONS = {"works": "Is {name} willing to go to work for now?"}
"""What agents who meet in a scene are asked."""


def news(society: Society, agent: int) -> str:
    """How the labour market stands."""
    economy = society.state.values.get("economy", {})
    rate = 100 * economy.get("unemployment", 0.05)
    wage = economy.get("wage", FIRST_WAGE)
    return f"{rate:.0f}% of people are unemployed, and work is paid {wage:.0f} dollars a month."


def describe(society: Society, agent: int) -> str:
    """Who someone is and what they do, in words."""
    agents = society.agents
    work = "has work" if agents["employed"][agent] else "has no work"
    wants = "wants to work" if agents["works"][agent] else "does not want to work"
    names = society.state.values.get("categories", {})
    age = int(agents["age"][agent])
    known = names.get("age", [])
    aged = known[age] if age < len(known) else str(age)
    savings = f"savings {agents['savings'][agent]:.0f} dollars"
    return f"Person {agent} (age group {aged}), {work}, {wants}, {savings}."


def market_state(people: Table) -> State:
    """The labour market of a population, with nobody employed yet."""
    if "present" not in people:
        people["present"] = np.ones(len(people), np.uint8)
    add_columns(people)
    return State({"agent": people})
