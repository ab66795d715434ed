"""Self-consistency: sample chains of thought, take the majority answer (Wang et al., 2023).

SC(N) of the debate study: N independent samples of one prompt, cost N generations, depth 1.
Ties go to the answer seen first; an unparsed sample is no vote.
"""

from collegium.agents import answer_of, vote, worked_type
from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.systems.cot import PROFILE, question
from collegium.systems.system import Result, system
from collegium.tasks.task import Task


@system("self-consistency", paper=None, cost=lambda p: p["samples"])
async def self_consistency(
    task: Task,
    kernel: Kernel,
    *,
    samples: int = 5,
    temperature: float = 0.7,
    max_tokens: int = 384,
) -> Result:
    """Sample independent chains of thought and take the majority answer.

    Raises:
        BadInput: ``samples`` is below 1.
    """
    if samples < 1:
        raise BadInput(f"self-consistency needs at least one sample, not {samples}.")
    solver = kernel.agent("solver", profile=f"{PROFILE} {task.rules}".strip())
    replies = await solver.ask(
        question(task),
        output=worked_type(task),
        n=samples,
        temperature=temperature,
        max_tokens=max_tokens,
    )
    answers = [answer_of(r) for r in replies]
    tally = vote(task, answers)
    return Result(
        tally.winner, tuple(replies), {"answers": answers, "votes": tally.votes, "cast": tally.cast}
    )
