"""Self-refinement: one agent verifies and restates its own answer, turn after turn.

SR(T) of the debate study: o_1 = p(q); o_{t+1} = p(q, o_t, "verify and restate"); the answer is
o_T. Cost T generations, width 1: debate without peers. (Madaan et al., 2023, ask for the feedback
in a call of its own; the study folds it into the restatement, so that T turns cost T generations.)
"""

from typing import Any

from collegium.agents import answer_of, closing, worked_type
from collegium.errors import BadInput
from collegium.kernel import Kernel, Reply, Unparsed
from collegium.systems.cot import PROFILE, question
from collegium.systems.system import Result, system
from collegium.tasks.task import Task


@system("self-refine", paper=None, cost=lambda p: p["turns"])
async def self_refine(
    task: Task,
    kernel: Kernel,
    *,
    turns: int = 4,
    temperature: float = 0.7,
    max_tokens: int = 384,
) -> Result:
    """Answer, then check and restate the answer a number of times.

    Raises:
        BadInput: ``turns`` is below 1.
    """
    if turns < 1:
        raise BadInput(f"self-refine needs at least one turn, not {turns}.")
    solver = kernel.agent("solver", profile=f"{PROFILE} {task.rules}".strip())
    verify = f"Check your last answer for mistakes and solve the problem again. {closing(task)}"
    replies: list[Reply[Any]] = []
    answers: list[Any] = []
    result = Result(Unparsed())
    for turn in range(turns):
        reply = await solver.ask(
            verify if turn else question(task),
            output=worked_type(task),
            temperature=temperature,
            max_tokens=max_tokens,
            keep=True,
            sources=[replies[-1].call] if replies else (),
        )
        replies.append(reply)
        answers.append(answer_of(reply))
        # The paper's final answer is o_T; an unparsed turn has none, so the last one that has.
        stated = [a for a in answers if not isinstance(a, Unparsed)]
        result = Result(
            stated[-1] if stated else answers[-1], tuple(replies), {"answers": list(answers)}
        )
        kernel.keep(result)
    return result
