"""CodeCoR: a self-reflective team of agents for code generation (arXiv 2501.07811).

Four agents each write several candidates and prune their own bad ones before the next agent reads
them (Algorithm 1, sections 3.1 to 3.3):

* Phase I, the Prompt Agent: n chain-of-thought prompts. Each is marked 1 or 0 on clarity,
  relevance, conciseness and context, at temperature 0; only [1, 1, 1, 1] stays. Where none stays,
  the task itself is the prompt.
* Phase II, the Test Agent: m asserts from the task and the prompts that stayed. Each must be one
  assert that calls the entry point, must not be there already, and must be judged a right test.
* Phase III, the Coding Agent: k snippets from the task and the prompts. Each must be Python.
* Phase IV: every snippet runs with every test in the sandbox. A snippet that passes all enters the
  ranked set with 0 repair rounds; any other enters the repair queue.
* Phase V, rounds r = 1..R: a snippet that fails the same tests as its parent made no progress and
  enters the ranked set. For any other the Repair Agent writes advice and prunes it by the same
  four criteria (where none stays, the failing asserts take its place), and the Coding Agent
  rewrites the code. What passes all tests enters the ranked set with r; what still fails goes into
  the next round, and after the last round into the ranked set.
* The answer is the first of the ranked set: most tests passed, then fewest repair rounds, then the
  order of generation.

No test of a benchmark is read: the tests are the Test Agent's own.

Paper vs code vs ours
---------------------
* Progress. The authors' code looks up a snippet's earlier failures by the identity of its string,
  so a rewritten snippet is never recognised as stuck. Here every snippet carries its parent's
  failing tests: progress is tracked along the repair lineage.
* Prompts. Where no prompt has full marks, the authors' later code takes those with most marks. The
  paper keeps only full marks, so here the task itself takes their place, and the account says so.
* Advice. The authors' code hands on the first advice that stayed; here all that stayed.
* A rewrite that is not Python is pruned; the paper does not say what becomes of its parent, and
  the code loses it. Here the parent enters the ranked set. As in the paper, a rewrite that passes
  fewer tests than its parent still replaces it.
* The wording of the judgement of tests is not public. Ours asks for a sentence of reasoning before
  the verdict: asked for the bare verdict, small models call every test wrong. All prompts are in
  our words. A judgement that stays unreadable is not [1, 1, 1, 1]: the candidate is dropped, and
  counted in ``notes["unreadable"]``.
* Small models write code whatever they are asked for. So a prompt is a list of steps by its type,
  advice ends where a code block would begin, and a snippet's asserts at its top level are no part
  of the program.
* Phase III runs before Phase II. Neither reads what the other wrote, so nothing else changes; but a
  run that a limit ends during the tests has code to give, and where the task does not name the
  function, the snippets do.
* Snippet i follows prompt i modulo their number, so that a poor prompt spoils one snippet.
* Later extras of the authors' code: tests from the task's own examples are ``docstring_tests``, off
  by default; its five snippets are ``max_code_snippets=5``; its final self-check is left out.
* A test that uses a name defined nowhere cannot run and counts as malformed.
* ``prune=False`` takes every judgement and the syntax check of code away. A text that is no assert
  stays out all the same: there is nothing to run.
* Without any test left the first snippet that is Python is returned and flagged ``untested``;
  without any snippet left the answer is ``Unparsed``. A choice between different programs with
  equal tests and rounds is flagged ``tied``.
"""

from __future__ import annotations

import msgspec

from collegium.agents.programs import find_entry_point, needs_code, run_tests
from collegium.errors import BadInput
from collegium.kernel import Agent, Kernel, gather
from collegium.systems.codecor.pools import Repair, Snippet, State, conclude
from collegium.systems.codecor.team import (
    prune_code,
    repair,
    write_code,
    write_prompts,
    write_tests,
)
from collegium.systems.system import Result, system
from collegium.tasks.task import Task
from collegium.tools.programs import check_program

PROFILE = "You are a careful Python programmer."


@system("codecor", paper="codecor", needs=needs_code, tools=(check_program,))
async def codecor(
    task: Task,
    kernel: Kernel,
    *,
    max_cot_prompts: int = 3,
    max_test_cases: int = 5,
    max_code_snippets: int = 3,
    max_repair_rounds: int = 3,
    max_advice: int = 2,
    code_timeout: float = 30.0,
    temperature: float = 0.8,
    prune: bool = True,
    docstring_tests: bool = False,
    early_stop: bool = False,
    max_tokens: int = 384,
) -> Result:
    """Let four agents write prompts, tests, code and advice, prune their own, and repair code.

    Args:
        task: A task answered with code.
        kernel: Runs the calls.
        max_cot_prompts: n, chain-of-thought prompts; 0: the task itself is the prompt.
        max_test_cases: m, tests the Test Agent writes.
        max_code_snippets: k, snippets the Coding Agent writes.
        max_repair_rounds: R, rounds of repair of a snippet; 0: no repair.
        max_advice: Pieces of advice the Repair Agent writes for a snippet in a round.
        code_timeout: Seconds that one run of a snippet with a test may take.
        temperature: Of everything written; judgements are made at temperature 0.
        prune: Whether agents prune; without it, only what is no assert at all is left out.
        docstring_tests: Whether the examples in the task come first as tests that always stay.
        early_stop: End the repair once a snippet passes all tests. No later one can be ranked
            before it, so the answer is the same; the cost varies (off in fair comparisons).
        max_tokens: Cap on a snippet.

    Returns:
        The first program of the ranked set. ``notes`` hold the ``pools`` with what was pruned and
        why, the ``ranked`` set, the ``repairs`` with diffs, ``self_tests``, and the flags
        ``untested`` and ``tied``.

    Raises:
        BadInput: A parameter is out of range.
    """
    if max_code_snippets < 1 or max_advice < 1 or code_timeout <= 0:
        raise BadInput(
            "codecor needs max_code_snippets >= 1, max_advice >= 1 and code_timeout > 0, "
            f"not {max_code_snippets}, {max_advice} and {code_timeout:g}."
        )
    if min(max_cot_prompts, max_test_cases, max_repair_rounds) < 0:
        raise BadInput("codecor's numbers of prompts, tests and repair rounds must be 0 or more.")
    profile = f"{PROFILE} {task.rules}".strip()
    executor = kernel.agent("executor", tools=["check_program"])
    state = State(task)

    # Phase I, then III before II: see the module's docstring.
    prompter = kernel.agent("prompt-agent", profile=profile)
    state.prompts = await write_prompts(prompter, task, max_cot_prompts, temperature, prune)
    coder = kernel.agent("coding-agent", profile=profile)
    written = await write_code(
        coder, task, state.prompts, max_code_snippets, temperature, max_tokens
    )
    state.entry_point = find_entry_point(task, [s.code for s in written])
    state.codes = [prune_code(s, prune) for s in written]
    state.latest = {s.lineage: s for s, c in zip(written, state.codes, strict=True) if c.kept}
    kernel.keep(conclude(state))
    if not state.latest:
        return conclude(state)
    tester = kernel.agent("test-agent", profile=profile)
    state.tests = await write_tests(
        tester, task, state.entry_point, state.prompts, max_test_cases, temperature,
        prune=prune, stated=docstring_tests,
    )  # fmt: skip

    # Phase IV
    tests = [t.text for t in state.tests if t.kept]
    codes = [s.code for s in state.latest.values()]
    checked = await run_tests(executor, codes, tests, seconds=code_timeout)
    for snippet, outcomes in zip(list(state.latest.values()), checked, strict=True):
        state.latest[snippet.lineage] = msgspec.structs.replace(snippet, checked=outcomes)
    kernel.keep(conclude(state))

    # Phase V. Every lineage has its own pair of agents, so that it draws its own seeds. The ranked
    # set is the latest snippet of every lineage that is no longer in the queue.
    queue = [s for s in state.latest.values() if s.failing]
    parents: dict[int, tuple[str, ...]] = {}  # by lineage: the tests that its parent fails
    pairs: dict[int, tuple[Agent, Agent]] = {}

    async def one_round(snippet: Snippet) -> Repair:
        if (k := snippet.lineage) not in pairs:
            pairs[k] = (
                kernel.agent(f"repair-agent-{k + 1}", profile=profile),
                kernel.agent(f"coding-agent-{k + 1}", profile=profile),
            )
        done = await repair(
            *pairs[k], executor, task, state.entry_point, snippet, tests,
            max_advice=max_advice, temperature=temperature, max_tokens=max_tokens,
            seconds=code_timeout, prune=prune,
        )  # fmt: skip
        state.repairs.append(done)
        state.latest[k] = done.after or snippet
        kernel.keep(conclude(state))
        return done

    for _ in range(max_repair_rounds):
        queue = [s for s in queue if parents.get(s.lineage) != s.failing]  # the others are stuck
        if early_stop and any(not s.failing for s in state.latest.values()):
            break
        parents = {s.lineage: s.failing for s in queue}
        done = await gather(*(one_round(s) for s in queue))
        queue = [r.after for r in done if r.after and r.after.failing]
    return conclude(state)
