"""The answer at once: the floor that every other system has to beat."""

from collegium.agents import ANSWER_HINT, answer_of, bare_type
from collegium.kernel import Kernel
from collegium.systems.system import Result, system
from collegium.tasks.task import Task


@system("direct", paper=None, cost=lambda p: 1)
async def direct(
    task: Task, kernel: Kernel, *, temperature: float = 0.0, max_tokens: int = 256
) -> Result:
    """Ask once for the bare answer, without any reasoning."""
    solver = kernel.agent("solver", profile=f"Answer the question. {task.rules}".strip())
    reply = await solver.ask(
        f"{task.text}\n\nGive only {ANSWER_HINT[task.answer]}.",
        output=bare_type(task),
        temperature=temperature,
        max_tokens=max_tokens,
    )
    return Result(answer_of(reply), (reply,))
