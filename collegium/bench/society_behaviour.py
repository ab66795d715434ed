"""Whether archetypes explain an epidemic better, on the counted weeks of Astoria.

The people and contacts of Astoria come from the user's own installation of agent-torch, with the
cases that were counted there. Three ways to isolate: a constant probability, in proportion to
cases, and as archetypes of a language model say. Each has the same calibration: as many trials of R
as the others, by golden section between the same bounds, on the mean squared error of the first
weeks over the same seeds. The following weeks are then predicted and not fitted. Beside them stands
what the same number of cases in every week would come to. Run it with
``python -m collegium.bench.society_behaviour``.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collegium.bench.journal import Journal, write_report
from collegium.bench.machine import machine
from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.models import Model, open_model
from collegium.society.covid import Isolation, covid_model, covid_state, isolation_archetypes
from collegium.society.covid.behaviour import weekly
from collegium.society.covid.fit import error, golden
from collegium.society.covid.packaged import Place, astoria, weekly_cases
from collegium.society.engine import Society
from collegium.society.state import Table

ARMS = ("constant", "heuristic", "archetypes")
LOW, HIGH = 0.2, 4.5
"""Bounds of R. The paper's lower bound of 1.4 lets no calm week be fitted."""

SEEDS = 5
TRIALS = 12
FIT, PREDICT = 12, 4


async def run(
    place: Place, arm: str, r: float, seed: int, weeks: int, columns: Sequence[str], model: Model
) -> dict[str, Any]:
    """One epidemic; its weekly cases, and the questions that were asked."""
    people = Table({name: place.people[name].copy() for name in place.people})
    state = covid_state(people, place.layers, seed=seed, infected=1 / len(people))
    state.agents["stage"][:] = place.infected
    if arm == "archetypes":
        isolation = Isolation(arm, isolation_archetypes(columns, place.categories))
    else:
        isolation = Isolation(arm)  # type: ignore[arg-type]
    kernel = Kernel(model, seed=seed) if arm == "archetypes" else None
    made = Society(
        covid_model(isolation, record=False), state, seed=seed, parameters={"R": r}, kernel=kernel
    )
    await made.run(7 * weeks)
    tally = state.values.get("archetypes", {})
    return {
        "weekly": weekly(made.curves["cases"]),
        "calls": tally.get("calls", 0),
        "dropped": tally.get("dropped", 0),
    }


async def study(
    model: Model,
    journal: Journal,
    *,
    seeds: int,
    trials: int,
    fit: int,
    predict: int,
    columns: tuple[str, ...],
    arms: Sequence[str] = ARMS,
    place: Place | None = None,
    counted: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Calibrate and predict with every behaviour.

    Args:
        model: Speaks for the archetypes.
        journal: What is done; every run is kept.
        seeds: Runs whose mean error is minimised.
        trials: Values of R that each behaviour may try.
        fit: Weeks that are fitted.
        predict: Weeks after them that are predicted.
        columns: Columns that span the archetypes.
        arms: Which behaviours.
        place: People and contacts; None: Astoria.
        counted: Cases by week; None: Astoria's.

    Raises:
        BadInput: agent-torch is not installed, or fewer weeks were counted than are wanted.
    """
    place = place or astoria()
    observed = list(weekly_cases() if counted is None else counted)[: fit + predict]
    if len(observed) < fit + predict:
        raise BadInput(f"{len(observed)} weeks were counted, not {fit + predict}.")

    async def runs(arm: str, r: float) -> list[dict[str, Any]]:
        found = []
        for seed in range(seeds):
            key = f"{arm} {r:.6f} {seed}"
            if key not in journal:
                one = await run(place, arm, r, seed, fit + predict, columns, model)
                journal.keep(key, one)
            found.append(journal[key])
        return found

    async def loss(arm: str, r: float) -> float:
        made = await runs(arm, r)
        return statistics.mean(error(m["weekly"][:fit], observed[:fit]) ** 2 for m in made)

    rows = []
    for arm in arms:
        tried = await golden(lambda r, a=arm: loss(a, r), trials, LOW, HIGH)
        r = min(tried, key=lambda value: tried[value])
        made = await runs(arm, r)
        rows.append(
            {
                "behaviour": arm,
                "R": round(r, 4),
                "trials": trials,
                "fitted": spread([error(m["weekly"][:fit], observed[:fit]) for m in made]),
                "predicted": spread([error(m["weekly"][fit:], observed[fit:]) for m in made]),
                "calls": sum(m["calls"] for m in made),
                "dropped": sum(m["dropped"] for m in made),
                "weekly": [round(statistics.mean(w), 1)
                           for w in zip(*(m["weekly"] for m in made), strict=True)],
            }
        )  # fmt: skip
    best = min(rows, key=lambda row: row["predicted"]["mean"])
    return {
        "observed": observed,
        "rows": rows,
        "floors": floors(observed, fit),
        "least_error_predicted": best["behaviour"],
    }


def floors(observed: Sequence[float], fit: int) -> list[dict[str, Any]]:
    """What no epidemic at all would come to: the same number of cases in every later week.

    Args:
        observed: Cases by week.
        fit: Weeks that are known; the others are predicted.
    """
    known, later = observed[:fit], observed[fit:]
    constants = {
        "no case": 0.0,
        "mean of the fitted weeks": statistics.fmean(known),
        "last fitted week": known[-1],
    }
    return [
        {
            "always": name,
            "fitted": round(error([value] * fit, known), 2),
            "predicted": round(error([value] * len(later), later), 2),
        }
        for name, value in constants.items()
    ]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, and the lowest and highest of the seeds."""
    return {
        "mean": round(statistics.mean(values), 2),
        "lowest": round(min(values), 2),
        "highest": round(max(values), 2),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="local-small")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--trials", type=int, default=TRIALS, help="values of R each may try")
    parser.add_argument("--fit", type=int, default=FIT, help="weeks that are fitted")
    parser.add_argument("--predict", type=int, default=PREDICT, help="weeks after them")
    parser.add_argument("--archetypes", default="age", help="columns: age, gender, ethnicity, area")
    parser.add_argument("--journal", type=Path, help="kept run by run, and taken up again")
    parser.add_argument("--out", type=Path, default=Path("results/society/behaviour.json"))
    given = parser.parse_args(arguments)
    settings = {"seeds": given.seeds, "trials": given.trials, "fit": given.fit,
                "predict": given.predict}  # fmt: skip
    columns = tuple(given.archetypes.split(","))
    about = {"model": given.model, "columns": list(columns)}
    journal = Journal(given.journal, about | settings)

    async def measured() -> dict[str, Any]:
        model = open_model(given.model, exact=True)
        try:
            return await study(model, journal, columns=columns, **settings)
        finally:
            await model.aclose()

    found = asyncio.run(measured())
    options = " ".join(f"--{name} {value}" for name, value in settings.items())
    command = "python -m collegium.bench.society_behaviour"
    facts = {
        "command": f"{command} --model {given.model} --archetypes {given.archetypes} {options}",
        "machine": machine(),
    }
    write_report(given.out, facts | about | settings | found)
    for r in found["rows"]:
        print(
            f"{r['behaviour']:10} R {r['R']:.2f}  error fitted {r['fitted']['mean']:8.1f}, "
            f"predicted {r['predicted']['mean']:8.1f}  {r['calls']} calls"
        )
    for f in found["floors"]:
        name, fitted, predicted = f["always"], f["fitted"], f["predicted"]
        print(f"{name}: error fitted {fitted:.1f}, predicted {predicted:.1f}")
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
