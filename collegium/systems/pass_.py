"""PASS: plan, act, summarise, solve, as a temporal specification (arXiv 2310.08535, v3).

States: Q question, P thought, A action, I action input, O observations, S summary, Z answer. The
formula

    Q & G(Q -> X P) & G(P -> X (A | Z)) & G(A -> X I) & G(I -> X (A | O)) & G(O -> X S)
      & G(S -> X P) & G(Z -> end) & F Z

is the paper's; ``at most k S`` bounds the rounds, and a formula that counts positions bounds the
actions of a round. All pairs (A, I) of a round are executed side by
side, O lists their results, and S takes the place of O in later prompts.

Paper vs code vs ours
---------------------
* The code could not be found; prompts are ours, made from the specification itself.
* The bounds are ours: the paper's runs end by the context length, and small models go on listing
  actions until then.
"""

from __future__ import annotations

from collegium.guard.ltl import library
from collegium.kernel import Kernel
from collegium.systems.specified import (
    Form,
    acting,
    answer_content,
    answer_tokens,
    at_least_one,
    schemas,
    solve_by,
)
from collegium.systems.system import Result, system
from collegium.tasks.task import Task

EXAMPLE = """\
[Question] A red box holds 4 rows of 9 pens, a blue box 3 rows of 7. How many pens are there?
[Thought] Both boxes can be counted at once.
[Action] calculator
[Action Input] {"expression": "4 * 9"}
[Action] calculator
[Action Input] {"expression": "3 * 7"}
[Observation] 1. calculator {"expression": "4 * 9"}: 36
2. calculator {"expression": "3 * 7"}: 21
[Summary] The red box holds 36 pens and the blue box 21.
[Thought] Together these are 36 + 21 = 57 pens.
[Answer] 57"""


@system("pass", paper="ltl")
async def pass_(
    task: Task,
    kernel: Kernel,
    *,
    form: Form = "mask",
    rounds: int = 3,
    actions: int = 4,
    example: bool = True,
    temperature: float = 0.0,
    max_tokens: int = 96,
) -> Result:
    """Plan, run all actions of a round in parallel, summarise what came of them, and go on.

    Args:
        task: What to solve.
        kernel: Runs the calls; its tools are the actions, or a calculator where it has none.
        form: "mask" (by grammar), "monitor" (for models behind an API) or "free" (unguarded).
        rounds: Rounds of actions at most.
        actions: Actions of a round at most.
        example: Whether to show a worked example, where there is one.
        temperature: Sampling temperature.
        max_tokens: Of one thought or summary.

    Returns:
        The answer; ``notes`` and ``files`` as for ReAct.

    Raises:
        BadInput: ``rounds`` or ``actions`` is below 1, or the model takes no grammar.
    """
    at_least_one("rounds", rounds)
    at_least_one("actions", actions)
    agent, plain = acting(kernel, task)
    spec = library.pass_(
        schemas(agent),
        answer=answer_content(task),
        rounds=rounds,
        actions=actions,
        max_tokens=max_tokens,
        answer_tokens=answer_tokens(task, max_tokens),
    )
    return await solve_by(
        spec,
        agent,
        task,
        form=form,
        steps=3 + rounds * (2 * actions + 3),
        examples=(EXAMPLE,) if example and plain and task.answer in ("number", "text") else (),
        temperature=temperature,
    )
