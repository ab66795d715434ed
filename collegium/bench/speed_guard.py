"""Measure what a policy costs per call: 50 rules on a tool with 8 arguments.

Every rule has a condition on each of the arguments, so that nothing is left out early. Four calls:
the first rule decides, the last one does, a rule forbids, and no rule decides. Beside ours: the
same rules by plain ``jsonschema``, once with validators made beforehand and once as its
``validate`` function is used, and the check of the authors' code, from a copy that you name. All
have to come to the same verdicts before anything is timed.

``python -m collegium.bench.speed_guard [--progent DIR]`` writes ``results/bench/guard.json``. Where
the parts are there, it measures a temporal monitor and the doctor as well.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import io
import statistics
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from collegium.bench.machine import machine
from collegium.errors import BadInput
from collegium.guard import Compiled, Guard, Guarding, Label, Policy, Rule, SpecEntry
from collegium.kernel import Kernel, UseTool, tool
from collegium.models import ScriptedModel

RULES = 50
REPEATS = 7
SECONDS = 0.15
"""How long one timing of a contestant takes, about."""

TOOL = "send_money"
GOAL_MICROSECONDS = 20.0
GOAL_RATIO = 50.0

Check = Callable[[str, Mapping[str, Any]], bool]


class Row(msgspec.Struct, frozen=True):
    """Median time of one check, in microseconds."""

    name: str
    call: str
    microseconds: float


def rules() -> tuple[Rule, ...]:
    """The rules: every fifth forbids; each is met by its own account alone."""
    return tuple(
        Rule(
            effect="forbid" if number % 5 == 2 else "allow",
            priority=1 + number // 10,
            when={
                "amount": {"type": "number", "minimum": 0, "maximum": 1000 + number},
                "currency": {"enum": ["EUR", "USD", "GBP", "CHF"]},
                "date": {"pattern": r"^20\d\d-[01]\d-[0-3]\d$"},
                "folder": {"pattern": r"^/srv/[a-z]+/"},
                "recipient": {"pattern": rf"^(?:UK|DE){number:02d}\d{{18}}$"},
                "subject": {"type": "string", "maxLength": 100},
                "tags": {"items": {"pattern": "^[a-z]+$"}, "maxItems": 5},
                "urgent": {"type": "boolean"},
            },
        )
        for number in range(RULES)
    )


def calls() -> dict[str, dict[str, Any]]:
    """The calls, by what decides them."""

    def call(number: int) -> dict[str, Any]:
        return {
            "amount": 98.7,
            "currency": "EUR",
            "date": "2026-05-01",
            "folder": "/srv/ann/bills",
            "recipient": f"UK{number:02d}{'1' * 18}",
            "subject": "Rent for May",
            "tags": ["home", "rent"],
            "urgent": False,
        }

    return {
        "allowed by the first rule": call(0),
        "allowed by the last rule": call(49),
        "forbidden by a rule": call(27),
        "no rule decides": call(99),
    }


# -- the contestants ------------------------------------------------------------------------------


def ours() -> Check:
    """The check that the guard makes."""
    compiled = Compiled(Policy(tools={TOOL: rules()}))
    return lambda name, arguments: compiled.decide(name, arguments).allowed


def by_jsonschema(made_before: bool) -> Check:
    """The same by plain ``jsonschema``."""
    import jsonschema

    ordered = sorted(rules(), key=lambda r: (r.priority, r.effect == "allow"))
    made = [
        (r, {a: jsonschema.Draft202012Validator(s) for a, s in r.when.items()}) for r in ordered
    ]

    def validates(value: Any, schema: Any) -> bool:
        try:
            jsonschema.validate(value, schema)
        except jsonschema.ValidationError:
            return False
        return True

    def check(name: str, arguments: Mapping[str, Any]) -> bool:
        for rule, validators in made:
            if made_before:
                holds = all(v.is_valid(arguments[a]) for a, v in validators.items())
            else:
                holds = all(validates(arguments[a], s) for a, s in rule.when.items())
            if holds:
                return rule.effect == "allow"
        return False

    return check


def official(folder: Path) -> Check:
    """The check of the authors' code.

    Raises:
        BadInput: It is not in the folder.
    """
    if not (folder / "secagent" / "tool.py").is_file():
        raise BadInput(f"{folder} holds no secagent/tool.py; name a copy of the authors' code.")
    sys.path.insert(0, str(folder))
    with contextlib.redirect_stderr(io.StringIO()):
        theirs: Any = importlib.import_module("secagent.tool")
        theirs.update_security_policy(
            {
                TOOL: [
                    (r.priority, 0 if r.effect == "allow" else 1, dict(r.when), 0) for r in rules()
                ]
            }
        )

    def check(name: str, arguments: Mapping[str, Any]) -> bool:
        try:
            theirs.check_tool_call(name, arguments)
        except theirs.ValidationError:
            return False
        return True

    return check


# -- timing ---------------------------------------------------------------------------------------


def microseconds(work: Callable[[], Any]) -> float:
    """Time of one piece of work: as often as fits, and the median of some repeats."""
    began = perf_counter()
    work()
    once = perf_counter() - began
    times = max(1, min(100_000, int(SECONDS / max(once, 1e-7))))
    taken: list[float] = []
    for _ in range(REPEATS):
        began = perf_counter()
        for _ in range(times):
            work()
        taken.append((perf_counter() - began) / times)
    return statistics.median(taken) * 1e6


def timed(name: str, check: Check) -> list[Row]:
    """All calls by one contestant."""
    return [
        Row(name, call, round(microseconds(lambda a=a: check(TOOL, a)), 2))
        for call, a in calls().items()
    ]


async def whole_call(policy: Policy | None) -> float:
    """Microseconds of a whole tool call through a kernel, with or without a guard."""

    async def send_money(
        amount: float, currency: str, date: str, folder: str, recipient: str, subject: str,
        tags: list[str], urgent: bool,
    ) -> str:  # fmt: skip
        """Send money."""
        return "sent"

    made = tool(send_money)
    chain = [Guard(policy, tools={TOOL: made})] if policy is not None else []
    kernel = Kernel(ScriptedModel(lambda r: ""), tools=[made], interceptors=chain)
    kernel.agent("a", tools=(TOOL,))
    call = UseTool(agent="a", tool=TOOL, arguments=calls()["allowed by the last rule"])
    taken: list[float] = []
    for _ in range(REPEATS):
        began = perf_counter()
        for _ in range(300):
            await kernel.call(call)
        taken.append((perf_counter() - began) / 300)
    return statistics.median(taken) * 1e6


async def monitored() -> float | None:
    """Microseconds that a temporal specification adds to a call; None: that part is not there."""
    spec = SpecEntry(
        name="approve first",
        formula="!pay U approve",
        labels={"pay": Label(tool=TOOL), "approve": Label(tool="approve")},
    )
    try:
        chain = Guarding(Policy(default="allow", specs=(spec,))).interceptors
    except BadInput:
        return None
    monitor = chain[-1]
    call = UseTool(agent="a", tool="approve", arguments={})

    async def proceed(call: Any) -> str:
        return "done"

    taken: list[float] = []
    for _ in range(REPEATS):
        began = perf_counter()
        for _ in range(2000):
            await monitor(call, proceed)
        taken.append((perf_counter() - began) / 2000)
    return statistics.median(taken) * 1e6


def doctored() -> Any:
    """What the doctor's own measurement says; None where that part is not there."""
    try:
        doctor = importlib.import_module("collegium.bench.speed_doctor")
    except ImportError:
        return None
    return doctor.measure()


def measure(progent: Path | None = None) -> dict[str, Any]:
    """Measure everything.

    Raises:
        BadInput: The contestants do not come to the same verdicts, or the copy is none.
    """
    contestants: dict[str, Check] = {
        "collegium": ours(),
        f"jsonschema {version('jsonschema')}, validators made beforehand": by_jsonschema(True),
        f"jsonschema {version('jsonschema')}, validate": by_jsonschema(False),
    }
    if progent is not None:
        contestants["the authors' check_tool_call"] = official(progent)
    wanted = {call: by_jsonschema(True)(TOOL, a) for call, a in calls().items()}
    for name, check in contestants.items():
        said = {call: check(TOOL, a) for call, a in calls().items()}
        if said != wanted:
            raise BadInput(f"{name} comes to other verdicts: {said}, not {wanted}.")
    rows = [row for name, check in contestants.items() for row in timed(name, check)]
    by_name = {
        name: statistics.mean(r.microseconds for r in rows if r.name == name)
        for name in contestants
    }
    mine = by_name["collegium"]
    free = asyncio.run(whole_call(None))
    guarded = asyncio.run(whole_call(Policy(tools={TOOL: rules()})))
    monitor = asyncio.run(monitored())
    return {
        "command": "python -m collegium.bench.speed_guard" + (" --progent DIR" if progent else ""),
        "machine": machine(),
        "python": sys.version.split()[0],
        "jsonschema_rs": version("jsonschema-rs"),
        "rules": RULES,
        "arguments": len(rules()[0].when),
        "rows": rows,
        "mean_microseconds": {name: round(mean, 2) for name, mean in by_name.items()},
        "times_slower_than_ours": {
            name: round(mean / mine, 1) for name, mean in by_name.items() if name != "collegium"
        },
        "whole_tool_call_microseconds": {"without": round(free, 1), "guarded": round(guarded, 1)},
        "most_microseconds_of_an_allowed_call": max(
            r.microseconds for r in rows if r.name == "collegium" and r.call.startswith("allowed")
        ),
        "temporal_monitor_microseconds": None if monitor is None else round(monitor, 2),
        "doctor": doctored(),
        "goals": {"microseconds": GOAL_MICROSECONDS, "times_faster_than_official": GOAL_RATIO},
    }


def main() -> None:
    """Measure and write ``results/bench/guard.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--progent", type=Path, default=None, help="a copy of the authors' code")
    parser.add_argument("--out", type=Path, default=Path("results/bench/guard.json"))
    chosen = parser.parse_args()
    report = measure(chosen.progent)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for row in report["rows"]:
        print(f"{row.name:50} {row.call:28} {row.microseconds:12,.2f} µs")
    for name, ratio in report["times_slower_than_ours"].items():
        print(f"{name}: {ratio:,.1f} times slower than ours")
    print(f"written to {chosen.out}")


if __name__ == "__main__":
    main()
