"""What the four agents of CodeCoR are asked, and how each prunes what it wrote (section 3.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from collegium.agents import closing
from collegium.agents.programs import (
    find_entry_point,
    given_names,
    run_tests,
    split_asserts,
    stated_tests,
    whole_program,
)
from collegium.kernel import Agent, Unparsed, gather
from collegium.systems.codecor.pools import UNREADABLE, Candidate, Repair, Snippet
from collegium.tasks.task import Task
from collegium.tools.programs import compiles

PLAN_TOKENS, TEST_TOKENS, ADVICE_TOKENS, JUDGE_TOKENS = 224, 320, 128, 128
FENCE = "```"
"""Where advice ends: what follows would be code."""

Mark = Literal[0, 1]


class Plan(msgspec.Struct, frozen=True):
    """A chain-of-thought prompt: the steps to a program."""

    steps: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=200)]],
        msgspec.Meta(min_length=1, max_length=5),
    ]

    @property
    def text(self) -> str:
        """The steps as a numbered list."""
        return "\n".join(f"{i}. {step.strip()}" for i, step in enumerate(self.steps, 1))


class Marks(msgspec.Struct, frozen=True):
    """The four criteria of section 3.3; only [1, 1, 1, 1] stays."""

    clarity: Mark
    relevance: Mark
    conciseness: Mark
    context: Mark


class Verdict(msgspec.Struct, frozen=True):
    """The judgement of a test: what the call must return by the task, then whether it is right."""

    reason: Annotated[str, msgspec.Meta(max_length=240)]
    right: bool


async def write_prompts(
    prompter: Agent, task: Task, n: int, temperature: float, prune: bool
) -> list[Candidate]:
    """Phase I: n chain-of-thought prompts, pruned by the four criteria."""
    if not n:
        return []
    replies = await prompter.ask(
        f"{task.text}\n\nDo not write code yet. Plan it in three to five steps, each of one "
        "short sentence. The last step names the edge cases.",
        output=Plan,
        n=n,
        temperature=temperature,
        max_tokens=PLAN_TOKENS,
    )
    pool = [
        Candidate(
            "\n".join(f"{i}. {s.strip()}" for i, s in enumerate(r.data.steps, 1)), call=r.call
        )
        if isinstance(r.data, Plan)
        else Candidate(r.text, False, "it could not be read", r.call)
        for r in replies
    ]
    return await prune_by_marks(prompter, task.text, "plan", pool) if prune else pool


def judged(candidate: Candidate, kept: bool, reason: str) -> Candidate:
    """A candidate with what its judge said."""
    return msgspec.structs.replace(candidate, kept=kept, reason=reason, judged=True)


async def prune_by_marks(
    judge: Agent, context: str, what: str, pool: Sequence[Candidate]
) -> list[Candidate]:
    """Section 3.3: mark every candidate on the four criteria; only [1, 1, 1, 1] stays."""

    async def mark(candidate: Candidate) -> Candidate:
        if not candidate.kept:
            return candidate
        reply = await judge.ask(
            f"{context}\n\nSomebody wrote this {what}:\n{candidate.text}\n\nMark the {what} with "
            "1 for yes or 0 for no. clarity: it can be understood in one way only. relevance: it "
            "is about this task. conciseness: it is no longer and no more complex than needed. "
            "context: it says enough to write the code from it.",
            output=Marks,
            temperature=0.0,
            max_tokens=JUDGE_TOKENS,
            sources=[candidate.call],
        )
        if isinstance(reply.data, Unparsed) or reply.data is None:
            return judged(candidate, False, UNREADABLE)
        lacking = [k for k, given in msgspec.structs.asdict(reply.data).items() if not given]
        return judged(candidate, not lacking, ", ".join(lacking))

    return await gather(*(mark(c) for c in pool))


async def write_code(
    coder: Agent,
    task: Task,
    prompts: Sequence[Candidate],
    k: int,
    temperature: float,
    max_tokens: int,
) -> list[Snippet]:
    """Phase III: k snippets, snippet i from prompt i modulo their number."""
    plans: list[Candidate | None] = [p for p in prompts if p.kept] or [None]
    shares = Counter(i % len(plans) for i in range(k))
    asked = await gather(
        *(
            coder.ask(
                code_prompt(task, plan),
                n=shares[i],
                temperature=temperature,
                max_tokens=max_tokens,
                sources=[plan.call] if plan else [],
            )
            for i, plan in enumerate(plans[:k])
        )
    )
    replies = [asked[i % len(plans)][i // len(plans)] for i in range(k)]
    entry = find_entry_point(task)
    return [
        Snippet(i, whole_program(r.text, task, entry), call=r.call, reply=r)
        for i, r in enumerate(replies)
    ]


def code_prompt(task: Task, plan: Candidate | None) -> str:
    """The task, the plan to follow if there is one, and the form of the answer."""
    follow = f"\n\nFollow this plan:\n{plan.text}" if plan else ""
    return f"{task.text}{follow}\n\n{closing(task)}"


def prune_code(snippet: Snippet, prune: bool) -> Candidate:
    """Section 3.3: a snippet that is not Python is dropped."""
    code = snippet.code
    problem = compiles(code) if code.strip() else "it is empty"
    kept = not problem or (not prune and bool(code.strip()))
    return Candidate(code, kept, problem, snippet.call)


async def write_tests(
    tester: Agent,
    task: Task,
    entry_point: str,
    prompts: Sequence[Candidate],
    m: int,
    temperature: float,
    *,
    prune: bool,
    stated: bool = False,
) -> list[Candidate]:
    """Phase II: m asserts, each pruned by form, as a repetition, or by the judgement of it."""
    pool = [Candidate(t, reason="stated in the task") for t in stated_tests(task, entry_point)]
    pool = pool if stated and entry_point else []
    if not m or not entry_point:
        return pool
    plans = [p for p in prompts if p.kept]
    said = "".join(f"\n\nA plan for it:\n{p.text}" for p in plans)
    reply = await tester.ask(
        f"{task.text}{said}\n\nDo not write the function. Write {m} tests of {entry_point}, each "
        f"one line that begins with: assert {entry_point}(\nWork out from the task what each call "
        "must return. Cover ordinary and edge cases. Put the lines in one code block.",
        temperature=temperature,
        max_tokens=TEST_TOKENS,
        sources=[p.call for p in plans],
    )
    seen = {t.text for t in pool}
    written: list[Candidate] = []
    for made in split_asserts(reply.text, entry_point, given=given_names(task))[:m]:
        problem = made.problem or ("it is there already" if made.source in seen else "")
        seen.add(made.source)
        written.append(Candidate(made.source, not problem, problem, reply.call))
    return pool + (await judge_tests(tester, task, written) if prune else written)


async def judge_tests(judge: Agent, task: Task, written: Sequence[Candidate]) -> list[Candidate]:
    """Section 3.3: a judgement of each test that is one: whether it is right for the task."""

    async def verdict(test: Candidate) -> Candidate:
        if not test.kept:
            return test
        reply = await judge.ask(
            f"{task.text}\n\nSomebody wrote this test of it:\n{test.text}\n\nIs the test right? "
            "First reason in one sentence what this very call must return, then say true or false.",
            output=Verdict,
            temperature=0.0,
            max_tokens=JUDGE_TOKENS,
            sources=[test.call] if test.call >= 0 else [],
        )
        if isinstance(reply.data, Unparsed) or reply.data is None:
            return judged(test, False, UNREADABLE)
        right = reply.data.right
        return judged(test, right, "" if right else f"judged wrong: {reply.data.reason}")

    return await gather(*(verdict(t) for t in written))


async def repair(
    repairer: Agent,
    coder: Agent,
    executor: Agent,
    task: Task,
    entry_point: str,
    snippet: Snippet,
    tests: Sequence[str],
    *,
    max_advice: int,
    temperature: float,
    max_tokens: int,
    seconds: float,
    prune: bool,
) -> Repair:
    """One round of Phase V for one snippet: advice, its pruning, a rewrite, its check."""
    # As comments: models repeat what they read, and this may stand in a program.
    errors = "\n".join(
        f"{c.test}  # {' '.join(c.reason.split())}" for c in snippet.checked if not c.passed
    )
    context = (
        f"{task.text}\n\nThis code fails tests:\n```python\n{snippet.code}\n```\n\n"
        f"Tests that fail, and why:\n{errors}"
    )
    replies = await repairer.ask(
        f"{context}\n\nIn two or three sentences, without any code: what is wrong in this code, "
        "and what must be changed?",
        n=max_advice,
        temperature=temperature,
        max_tokens=ADVICE_TOKENS,
        stop=[FENCE],
        sources=[snippet.call],
    )
    texts = [r.text.strip() for r in replies]
    advice = [
        Candidate(t, bool(t), "" if t else "it is empty", r.call)
        for t, r in zip(texts, replies, strict=True)
    ]
    if prune:
        advice = await prune_by_marks(repairer, context, "advice", advice)
    kept = [a for a in advice if a.kept]
    told = "".join(f"\n\nAdvice:\n{a.text}" for a in kept)
    failing = "\n".join(snippet.failing)
    told = told or f"\n\nRewrite it so that these hold:\n{failing}"
    reply = await coder.ask(
        f"{context}{told}\n\nWrite the corrected code. {closing(task)}",
        temperature=temperature,
        max_tokens=max_tokens,
        sources=[snippet.call, *(a.call for a in kept)],
    )
    code = whole_program(reply.text, task, entry_point)
    if not code.strip() or (prune and compiles(code)):
        return Repair(snippet, None, tuple(advice))
    (checked,) = await run_tests(executor, [code], tests, seconds=seconds)
    after = Snippet(snippet.lineage, code, checked, snippet.rounds + 1, reply.call, reply)
    return Repair(snippet, after, tuple(advice))
