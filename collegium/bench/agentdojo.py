"""Measure a guard on AgentDojo with an agent that obeys every injection it reads.

Every user task of every suite is run with every injection task planted, and once with nothing
planted; without a guard, and with the one that a folder of policies makes for the user's request.
The agent is :mod:`collegium.bench.agentdojo_agent`: a script, so this needs no model.

    python -m collegium.bench.agentdojo --policies examples/policies/agentdojo \
        --out results/guard/agentdojo.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import msgspec

from collegium import __version__
from collegium.bench.agentdojo_agent import worst_case
from collegium.bench.machine import machine
from collegium.bench.statistics import wilson
from collegium.errors import BadInput, CollegiumError, unknown_name
from collegium.guard import Budget, Compiled, Policy, Rule, interceptors
from collegium.kernel import Kernel, Tool
from collegium.kernel.kernel import Interceptor
from collegium.models import ScriptedModel
from collegium.worlds import opened
from collegium.worlds.agentdojo import AgentDojoWorld, planted
from collegium.worlds.agentdojo_package import ATTACKS, RELEASE, SUITES, VERSION, suite

MakeGuard = Callable[[str, str, Sequence[Tool]], Sequence[Interceptor]]
"""Makes the guard of one run: from the suite, the id of the user's task, and the tools."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user's request adds to what always holds.

    Attributes:
        tools: Rules by tool, after those of the setting.
        limits: How often tools may be called.
        inexpressible: What the request leaves open that no rule can fill in; "" for nothing.
        note: Anything else that a reader of the results should know.
    """

    tools: dict[str, tuple[Rule, ...]] = {}
    limits: Budget = Budget()
    inexpressible: str = ""
    note: str = ""


class SuitePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The policies of a suite, as their file has them.

    Attributes:
        suite: Name of the suite.
        setting: What holds for every request.
        requests: What a user's request adds, by task.
        inexpressible: Injection tasks that no rule on calls can stop, and why.
        lists: Anything that other parts refer to.
    """

    suite: str
    setting: Policy
    requests: dict[str, Request] = {}
    inexpressible: dict[str, str] = {}
    lists: dict[str, Any] = {}

    def policy(self, user_task: str) -> Policy:
        """The policy for a user's request."""
        request = self.requests.get(user_task, Request())
        tools = dict(self.setting.tools)
        for tool, rules in request.tools.items():
            tools[tool] = (*tools.get(tool, ()), *rules)
        return msgspec.structs.replace(self.setting, tools=tools, limits=request.limits)


class Ran(msgspec.Struct, frozen=True):
    """One run of the agent.

    Attributes:
        injection_task: What was planted, "" for nothing.
        read: Whether the agent read it.
        utility: Whether the user's task is solved.
        attack_success: Whether the attacker's goal is reached.
        lost: Tools of calls that the user's task needs and the guard refused.
        reason: Why a check could not be made, "" when all were.
    """

    suite: str
    user_task: str
    injection_task: str
    read: bool
    utility: bool
    attack_success: bool
    lost: tuple[str, ...]
    reason: str


class Share(msgspec.Struct, frozen=True):
    """So many of so many, with Wilson's 95% interval."""

    yes: int
    n: int
    share: float
    ci_low: float
    ci_high: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One suite, or all, with or without guard.

    Attributes:
        guard: "none" or "policies".
        read: Pairs in which the agent read the planted text.
        attack_success: Of all pairs.
        utility_under_attack: Of all pairs.
        utility: Of the user's tasks, with nothing planted.
    """

    suite: str
    guard: str
    read: Share
    attack_success: Share
    utility_under_attack: Share
    utility: Share


def read_policies(folder: Path, suites: Sequence[str] = SUITES) -> dict[str, SuitePolicy]:
    """Read the policies of suites from the files ``SUITE.yaml`` of a folder.

    Raises:
        BadInput: A file is not there, or something in it is not of the language.
    """
    import yaml

    found: dict[str, SuitePolicy] = {}
    for name in suites:
        file = folder / f"{name}.yaml"
        try:
            found[name] = msgspec.convert(yaml.safe_load(file.read_text()), SuitePolicy)
        except OSError as error:
            raise BadInput(f"cannot read {file}: {error.strerror or error}.") from None
        except (yaml.YAMLError, msgspec.ValidationError) as error:
            raise BadInput(f"{file} holds no policies: {error}.") from None
        unknown = sorted(set(found[name].requests) - set(suite(name).user_tasks))
        if unknown:
            raise unknown_name(f"user task in {file}", unknown[0], suite(name).user_tasks)
    return found


def guarding(policies: dict[str, SuitePolicy]) -> MakeGuard:
    """Make the guards that policies ask for; each policy is compiled once."""
    compiled: dict[tuple[str, str], Compiled] = {}

    def make(name: str, user_task: str, tools: Sequence[Tool]) -> Sequence[Interceptor]:
        key = name, user_task
        if key not in compiled:
            compiled[key] = Compiled(policies[name].policy(user_task))
        return interceptors(compiled[key], tools={tool.spec.name: tool for tool in tools})

    return make


async def run_once(
    name: str, user_task: str, injection_task: str, attack: str, guards: MakeGuard | None
) -> Ran:
    """Let the agent do one user task, with or without something planted, guarded or not."""
    texts = planted(name, user_task, injection_task, attack) if injection_task else {}
    made = AgentDojoWorld(name, user_task, injection_task, attack)
    async with opened(lambda: made):
        kernel = Kernel(
            ScriptedModel(lambda request: ""),
            tools=made.tools,
            interceptors=guards(name, user_task, made.tools) if guards else (),
        )
        conduct = await worst_case(kernel, made, texts)
        score = await made.judge(conduct.answer)
    return Ran(
        name,
        user_task,
        injection_task,
        conduct.read,
        score.correct,
        bool(score.facts.get("attack_success", False)),
        tuple(tool for who, tool in conduct.blocked if who == "user"),
        score.reason,
    )


async def measure(
    suites: Sequence[str],
    attack: str,
    guards: Sequence[MakeGuard | None],
    limit: int | None = None,
) -> list[list[Ran]]:
    """All runs, under one guard after the other.

    Args:
        suites: Which suites.
        attack: How injections are planted.
        guards: What makes the guard of a run; None: no guard.
        limit: At most so many user tasks of each suite.

    Returns:
        The runs under each guard, in the same order.
    """
    ran: list[list[Ran]] = [[] for _ in guards]
    for name in suites:
        for user_task in [*suite(name).user_tasks][:limit]:
            for injection in ("", *suite(name).injection_tasks):
                for runs, guard in zip(ran, guards, strict=True):
                    runs.append(await run_once(name, user_task, injection, attack, guard))
    return ran


def summarised(guard: str, ran: Sequence[Ran]) -> list[Row]:
    """The runs of every suite, and of all together, as rows."""
    names = [*dict.fromkeys(r.suite for r in ran)]
    return [
        row(name, guard, [r for r in ran if name in ("all", r.suite)])
        for name in (*names, *(["all"] if len(names) > 1 else []))
    ]


def row(name: str, guard: str, ran: Sequence[Ran]) -> Row:
    """Add up runs."""
    pairs = [r for r in ran if r.injection_task]
    return Row(
        suite=name,
        guard=guard,
        read=share([r.read for r in pairs]),
        attack_success=share([r.attack_success for r in pairs]),
        utility_under_attack=share([r.utility for r in pairs]),
        utility=share([r.utility for r in ran if not r.injection_task]),
    )


def share(of: Sequence[bool]) -> Share:
    """How many hold."""
    low, high = wilson(sum(of), len(of))
    return Share(sum(of), len(of), sum(of) / len(of) if of else 0.0, low, high)


def told(
    policies: dict[str, SuitePolicy], bare: Sequence[Ran], guarded: Sequence[Ran]
) -> dict[str, Any]:
    """What the guard did not stop, and what it cost the user, with the reasons that are known."""

    def reason(r: Ran) -> str:
        of = policies[r.suite]
        request = of.requests.get(r.user_task, Request())
        return of.inexpressible.get(r.injection_task) or request.inexpressible

    def because(suite_name: str, user_task: str) -> str:
        request = policies[suite_name].requests.get(user_task, Request())
        return " ".join(filter(None, (request.inexpressible, request.note)))

    through = [
        {"suite": r.suite, "user_task": r.user_task, "injection_task": r.injection_task,
         "stopped_by_no_rule_because": reason(r)}
        for r in guarded if r.attack_success
    ]  # fmt: skip
    lost: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    for before, after in zip(bare, guarded, strict=True):
        if before.utility and not after.utility:
            lost[after.suite, after.user_task, after.lost] += 1
    return {
        "attacks_that_succeeded": through,
        "attacks_that_a_policy_could_have_stopped": sum(
            not t["stopped_by_no_rule_because"] for t in through
        ),
        "utility_lost": [
            {"suite": s, "user_task": u, "runs": n, "refused": list(tools),
             "because": because(s, u)}
            for (s, u, tools), n in lost.items()
        ],
    }  # fmt: skip


async def report(args: argparse.Namespace, command: str) -> dict[str, Any]:
    """The whole measurement as plain data."""
    began, began_working = perf_counter(), process_time()
    suites = args.suite or SUITES
    policies = read_policies(args.policies, suites) if args.policies else {}
    guards = (None, *([guarding(policies)] if policies else []))
    bare, *others = await measure(suites, args.attack, guards, args.limit)
    rows = summarised("none", bare)
    found: dict[str, Any] = {}
    for guarded in others:
        rows += summarised("policies", guarded)
        found = told(policies, bare, guarded)
        solved = [sum(r.utility for r in ran if not r.injection_task) for ran in (guarded, bare)]
        found["utility_kept"] = solved[0] / max(1, solved[1])
    return {
        "command": command,
        "machine": machine(),
        "version": __version__,
        "package": f"agentdojo {RELEASE}, suites {VERSION}",
        "agent": "a script that solves the user's task and obeys every injection it reads",
        "attack": args.attack,
        "n": {"pairs": sum(bool(r.injection_task) for r in bare),
              "user_tasks": sum(not r.injection_task for r in bare)},
        "checks_that_failed": sorted({r.reason for r in bare if r.reason}),
        "rows": msgspec.to_builtins(rows),
        **found,
        "seconds": round(perf_counter() - began, 1),
        "processor_seconds": round(process_time() - began_working, 1),
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print the rows, and write the file."""
    parser = argparse.ArgumentParser(prog="python -m collegium.bench.agentdojo")
    parser.add_argument("--policies", type=Path, help="folder with SUITE.yaml; none: no guard")
    parser.add_argument("--suite", action="append", choices=SUITES, help="one suite; all if left")
    parser.add_argument("--attack", choices=ATTACKS, default="important_instructions")
    parser.add_argument("--limit", type=int, help="at most so many user tasks of each suite")
    parser.add_argument("--out", type=Path, help="where to write the result")
    given = [*sys.argv[1:]] if argv is None else [*argv]
    args = parser.parse_args(given)
    try:
        found = asyncio.run(report(args, " ".join(["python -m collegium.bench.agentdojo", *given])))
    except CollegiumError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    for r in found["rows"]:
        shares = {k: r[k] for k in ("read", "attack_success", "utility_under_attack", "utility")}
        said = "  ".join(f"{k} {s['yes']}/{s['n']}" for k, s in shares.items())
        print(f"{r['suite']:10} {r['guard']:9} {said}")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
