"""How many self-written tests are wrong, before and after the Test Agent prunes them.

CodeCoR ranks programs by tests that its own agent wrote. On HumanEval a reference solution exists:
a test that the reference fails is wrong. Two measurements:

* ``written``: phases I and II of CodeCoR as they are, then the reference runs with every test.
* ``published``: the same judgement of tests that DyLAN's run with gpt-3.5-turbo-0301 wrote, which
  are data: ``COLLEGIUM_DATA/dylan/humaneval/*.tests`` (line i of part p is task 50p + i).

Neither the agents nor the judge see the reference. Run it with
``python -m collegium.bench.self_tests --model local --limit 40``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.agents.programs import given_names, run_tests, split_asserts
from collegium.bench.machine import machine
from collegium.bench.statistics import wilson
from collegium.errors import BadInput
from collegium.kernel import Kernel, gather
from collegium.models import ScriptedModel
from collegium.models.model import Model
from collegium.systems.codecor import PROFILE
from collegium.systems.codecor.pools import UNREADABLE, Candidate
from collegium.systems.codecor.team import judge_tests, write_prompts, write_tests
from collegium.tasks import load
from collegium.tasks.programs import human_eval_file
from collegium.tasks.rows import read_jsonl
from collegium.tasks.sources import VARIABLE, not_here
from collegium.tasks.task import Task
from collegium.tools.programs import check_program

SEED = 0
SECONDS = 10.0
PART = 50  # tasks in one part of the published run


class Case(msgspec.Struct, frozen=True):
    """One test: its text, whether the reference passes it, and whether it stayed and why not."""

    task: str
    test: str
    right: bool
    kept: bool
    reason: str


class Share(msgspec.Struct, frozen=True):
    """Wrong tests among some, with the 95% Wilson interval; no share where there are none."""

    wrong: int
    tests: int
    share: float | None
    low: float
    high: float


class Suites(msgspec.Struct, frozen=True):
    """The tests of many tasks.

    Attributes:
        tasks: How many tasks.
        malformed: Tests that were no assert calling the function, or were there already.
        unreadable: Tests dropped since their judgement could not be read.
        before: Wrong tests among the well-formed ones.
        after: Wrong tests among those that stayed; None where nothing was judged.
        dropped_right: Right tests that the judgement dropped.
        tasks_without_tests: Tasks whose pool is empty in the end.
        tasks_with_wrong: Tasks with a wrong test in the end.
        tokens: Prompt and completion tokens of all calls.
        cases: Every well-formed test.
    """

    tasks: int
    malformed: int
    unreadable: int
    before: Share
    after: Share | None
    dropped_right: int
    tasks_without_tests: int
    tasks_with_wrong: int
    tokens: int
    cases: tuple[Case, ...]


def references() -> dict[str, str]:
    """The reference programs of HumanEval by task id.

    Raises:
        BadInput: HumanEval is not here.
    """
    path = human_eval_file()
    if path is None:
        raise not_here("humaneval", "humaneval/test.jsonl", "github openai/human-eval")
    return {
        row.text("task_id"): row.text("prompt") + row.text("canonical_solution")
        for row in read_jsonl(path)
    }


def published_suites() -> dict[str, tuple[str, ...]]:
    """The published self-written tests by task id, each test once; empty where they are not here.

    Raises:
        BadInput: A file is broken.
    """
    root = os.environ.get(VARIABLE)
    folder = Path(root or "").expanduser() / "dylan" / "humaneval"
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.glob("llmlp_human_eval_*.tests")) if root else ():
        part = int(path.stem.split("_")[-2])
        for i, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            try:
                tests = msgspec.json.decode(line, type=list[str])
            except msgspec.DecodeError as error:
                raise BadInput(
                    f"{path}, line {i + 1}: expected a list of texts; {error}."
                ) from None
            found[f"HumanEval/{PART * part + i}"] = tuple(dict.fromkeys(tests))
    return found


async def written(model: Model, task: Task, *, seed: int) -> tuple[list[Candidate], int]:
    """Phases I and II of CodeCoR with its defaults; returns the pool and the tokens spent."""
    kernel = Kernel(model, seed=seed)
    prompter = kernel.agent("prompt-agent", profile=PROFILE)
    prompts = await write_prompts(prompter, task, 3, 0.8, True)
    tester = kernel.agent("test-agent", profile=PROFILE)
    pool = await write_tests(tester, task, task.entry_point, prompts, 5, 0.8, prune=True)
    return pool, kernel.meter.usage.tokens


async def judged(
    model: Model | None, task: Task, tests: Sequence[str], *, seed: int
) -> tuple[list[Candidate], int]:
    """The published tests of a task, pruned by form and then, with a model, by judgement."""
    pool: dict[str, Candidate] = {}
    for test in tests:
        made = split_asserts(test, task.entry_point, given=given_names(task))
        for one in made or split_asserts(f"assert {test}", task.entry_point):
            pool.setdefault(one.source, Candidate(one.source, not one.problem, one.problem))
    if model is None:
        return list(pool.values()), 0
    kernel = Kernel(model, seed=seed)
    tester = kernel.agent("test-agent", profile=PROFILE)
    return await judge_tests(tester, task, list(pool.values())), kernel.meter.usage.tokens


async def count(
    pools: Mapping[str, tuple[list[Candidate], int]], programs: Mapping[str, str], *, judged: bool
) -> Suites:
    """Run the reference with every well-formed test of some pools, and count.

    Args:
        pools: By task id: the tests, and the tokens they cost.
        programs: The reference by task id.
        judged: Whether a judge had its say.
    """
    kernel = Kernel(ScriptedModel(lambda _: ""), tools=[check_program])
    executor = kernel.agent("executor", tools=["check_program"])
    formed = {task: [c for c in pool if c.kept or c.judged] for task, (pool, _) in pools.items()}
    outcomes = await gather(
        *(
            run_tests(executor, [programs[t]], [c.text for c in pool], seconds=SECONDS)
            for t, pool in formed.items()
        )
    )
    cases = [
        Case(task, c.text, bool(o.passed), c.kept, c.reason)
        for (task, pool), (row,) in zip(formed.items(), outcomes, strict=True)
        for c, o in zip(pool, row, strict=True)
    ]
    stayed = [c for c in cases if c.kept]
    return Suites(
        tasks=len(pools),
        malformed=sum(len(pool) for pool, _ in pools.values()) - len(cases),
        unreadable=sum(c.reason == UNREADABLE for c in cases),
        before=share(cases),
        after=share(stayed) if judged else None,
        dropped_right=sum(c.right and not c.kept for c in cases),
        tasks_without_tests=len(pools) - len({c.task for c in stayed}),
        tasks_with_wrong=len({c.task for c in stayed if not c.right}),
        tokens=sum(tokens for _, tokens in pools.values()),
        cases=tuple(cases),
    )


def share(cases: Sequence[Case]) -> Share:
    """The share of wrong tests."""
    wrong, n = sum(not c.right for c in cases), len(cases)
    low, high = wilson(wrong, n)
    return Share(wrong, n, round(wrong / n, 4) if n else None, round(low, 4), round(high, 4))


async def measure(
    model: Model, *, limit: int, seed: int = SEED, published: bool = True
) -> dict[str, Any]:
    """Both measurements with one model.

    Args:
        model: Writes and judges.
        limit: How many HumanEval tasks; of the published tests, how many tasks.
        seed: Draws the tasks and seeds every run.
        published: Whether the published tests are judged too, where they are here.
    """
    programs = references()
    tasks = [item.task for item in load("humaneval", limit=limit, seed=seed).items]
    own: dict[str, tuple[list[Candidate], int]] = {}
    for i, task in enumerate(tasks, 1):
        own[task.id] = await written(model, task, seed=seed)
        print(f"{i}/{len(tasks)} {task.id}", file=sys.stderr)
    report: dict[str, Any] = {"written": await count(own, programs, judged=True)}
    if published and (suites := published_suites()):
        every = {i.task.id: i.task for i in load("humaneval", split="all").items}
        ids = list(suites)[:limit]
        theirs = {t: await judged(model, every[t], suites[t], seed=seed) for t in ids}
        report["published"] = await count(theirs, programs, judged=True)
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the shares, and write the report."""
    from collegium.models import open_model

    parser = argparse.ArgumentParser(description="Share of wrong self-written tests.")
    parser.add_argument("--model", default="local")
    parser.add_argument("--limit", type=int, default=40, help="how many HumanEval tasks")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path("results/codecor/self_tests.json"))
    given = parser.parse_args(arguments)
    if given.limit < 1:
        raise SystemExit("--limit must be 1 or more")

    async def run() -> dict[str, Any]:
        model = open_model(given.model)
        try:
            return await measure(model, limit=given.limit, seed=given.seed)
        finally:
            await model.aclose()

    report = {
        "command": f"python -m collegium.bench.self_tests --model {given.model} "
        f"--limit {given.limit} --seed {given.seed}",
        "machine": machine(),
        "model": given.model,
        "seed": given.seed,
        "n": given.limit,
        **asyncio.run(run()),
        "reading": "wrong: the reference solution of HumanEval fails the test",
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for name in ("written", "published"):
        if name in report:
            print(f"{name:10} {sentence(report[name])}")
    print(f"written to {given.out}")


def sentence(found: Suites) -> str:
    """The shares in one line."""
    shares = [found.before, *([found.after] if found.after else [])]
    said = " -> ".join(
        f"{s.wrong}/{s.tests} wrong ({'none left' if s.share is None else f'{s.share:.1%}'})"
        for s in shares
    )
    return f"{said}; {found.dropped_right} right tests dropped, {found.malformed} malformed"


if __name__ == "__main__":
    main()
