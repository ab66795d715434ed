"""Run one system on one task, and make the best of a limit that ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from collegium.errors import Blocked, BudgetTooSmall, LimitReached
from collegium.kernel import Kernel
from collegium.kernel.kernel import first_of
from collegium.systems.system import Result, System
from collegium.tasks.task import Task


class Solved(msgspec.Struct, frozen=True):
    """A system's result, and the sentence of the limit or guard that cut it short ("": none)."""

    result: Result
    limited: str = ""


async def solve(
    system: System, task: Task, kernel: Kernel, parameters: Mapping[str, Any]
) -> Solved:
    """Run a system; when a limit or a guard ends it, take the best result it had kept by then.

    A system that cannot go on without a call that was blocked ends there, too.

    The tools the system brings are put into the kernel, unless it holds others of their names. No
    task of the run is left when this returns or raises.

    Raises:
        BadInput: The system cannot solve such a task.
        BudgetTooSmall: Not even the first call was possible.
        ModelError: The model could not answer.
    """
    system.require(task)
    for tool in system.tools:
        if tool.spec.name not in kernel.tools:
            kernel.tools.add(tool)
    try:
        return Solved(await system.solve(task, kernel, **parameters))
    except BudgetTooSmall:
        raise
    except (LimitReached, Blocked) as error:
        return Solved(kernel.kept or Result(None), str(error))
    except BaseExceptionGroup as group:
        error = first_of(group)
        ended = isinstance(error, LimitReached | Blocked)
        if ended and not isinstance(error, BudgetTooSmall):
            return Solved(kernel.kept or Result(None), str(error))
        raise error from None
    finally:
        await kernel.aclose()
