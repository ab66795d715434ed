"""ReAct as a temporal specification (arXiv 2310.08535, v1; ReAct: Yao et al., 2023).

States: Q question, T thought, A action, I action input, O observation, Z answer. The formula

    Q & G(Q -> X T) & G(T -> X (A | Z)) & G(A -> X I) & G(I -> X O) & G(O -> X T)
      & G(Z -> end) & F Z

is made into an automaton, and the automaton writes the transcript: no loop of ReAct is coded
here. The action is one of the tools, its input is JSON of that tool's schema, the observation comes
from the tool alone, and the answer has the form the task wants.

Paper vs code vs ours
---------------------
* The framework's code was announced but could not be found; the rules of progression are those of
  the literature on LTL over finite traces. Prompts are ours, made from the specification itself.
* The paper masks cue by cue. Here all moves up to the next observation are one grammar, so a turn
  costs one generation, as in plain ReAct.
* ``form="monitor"`` is the third version's decoding monitor for models behind an API;
  ``form="free"`` is the unguarded baseline: same prompt, nothing masked, judged afterwards.
* One worked example is shown when the calculator is the only tool; the paper's are not public.
  Other tools come without.
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
[Question] A box holds 12 pens and costs 3 dollars. A school buys 60 pens. What does it pay?
[Thought] Five boxes are needed, 60 / 12. Each costs 3 dollars.
[Action] calculator
[Action Input] {"expression": "60 / 12 * 3"}
[Observation] 15
[Thought] The school pays 15 dollars.
[Answer] 15"""


@system("react", paper="ltl")
async def react(
    task: Task,
    kernel: Kernel,
    *,
    form: Form = "mask",
    steps: int = 6,
    example: bool = True,
    temperature: float = 0.0,
    max_tokens: int = 96,
) -> Result:
    """Think, act and observe under a temporal specification, until there is an answer.

    Args:
        task: What to solve.
        kernel: Runs the calls; its tools are the actions, or a calculator where it has none.
        form: "mask" (by grammar), "monitor" (for models behind an API) or "free" (unguarded).
        steps: Actions at most; then only the way to an answer is left.
        example: Whether to show a worked example, where there is one.
        temperature: Sampling temperature.
        max_tokens: Of one thought.

    Returns:
        The answer. ``notes`` hold the transcript, its verdict, choices, and what was forced,
        corrected and thrown away; ``files`` the automaton as a picture.

    Raises:
        BadInput: ``steps`` is below 1, or the model takes no grammar.
    """
    at_least_one("steps", steps)
    agent, plain = acting(kernel, task)
    spec = library.react(
        schemas(agent),
        answer=answer_content(task),
        max_tokens=max_tokens,
        answer_tokens=answer_tokens(task, max_tokens),
    )
    return await solve_by(
        spec,
        agent,
        task,
        form=form,
        steps=3 + 4 * steps,
        examples=(EXAMPLE,) if example and plain and task.answer in ("number", "text") else (),
        temperature=temperature,
    )
