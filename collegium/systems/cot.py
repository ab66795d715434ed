"""Chain of thought: steps before the answer (Wei et al., 2022; Kojima et al., 2022)."""

from collegium.agents import answer_of, closing, worked_type
from collegium.kernel import Kernel
from collegium.systems.system import Result, system
from collegium.tasks.task import Task

PROFILE = "You solve problems step by step. Each step is one short calculation or thought."


def question(task: Task) -> str:
    """The prompt that asks for short steps and then the answer."""
    return f"{task.text}\n\n{closing(task)}"


@system("cot", paper=None, cost=lambda p: 1)
async def cot(
    task: Task, kernel: Kernel, *, temperature: float = 0.0, max_tokens: int = 384
) -> Result:
    """Ask once for reasoning followed by the answer."""
    solver = kernel.agent("solver", profile=f"{PROFILE} {task.rules}".strip())
    reply = await solver.ask(
        question(task), output=worked_type(task), temperature=temperature, max_tokens=max_tokens
    )
    return Result(answer_of(reply), (reply,))
