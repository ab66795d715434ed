"""Systems as solvers: ``inspect eval TASK --solver collegium/dylan -S rounds=2``.

Inspect finds this module by its entry point. Every model call of every agent goes through
Inspect's own models, so its log shows them, its limits hold for them and its usage counts them. A
limit of Inspect's ends the sample as usual; what the system had kept by then is its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, get_args

import msgspec

from collegium.bench.inspect_bridge.model import PREFIX, InspectModel
from collegium.bench.inspect_bridge.samples import kind_of, put_answer, task_of
from collegium.bench.inspect_bridge.tools import our_tools
from collegium.bench.jobs import task_seed
from collegium.errors import BadInput, CollegiumError, missing_extra, unknown_name
from collegium.kernel import Event, Generate, Kernel
from collegium.kernel.calls import UseTool
from collegium.kernel.trace import plain
from collegium.systems import Result, System, systems
from collegium.systems.solve import Solved, solve
from collegium.tasks.task import AnswerKind, Task

try:
    from inspect_ai.log import transcript
    from inspect_ai.model import get_model, model_roles
    from inspect_ai.solver import Generate as Generation
    from inspect_ai.solver import Solver, TaskState, solver
    from inspect_ai.util import LimitExceededError, span
except ImportError:
    raise missing_extra("inspect", "the bridge to Inspect AI") from None

KINDS = get_args(AnswerKind)


class SolverOptions(msgspec.Struct, frozen=True):
    """What a solver may be told besides the system's parameters.

    Attributes:
        model: A model of ours in place of the one that is evaluated ("local", "script:...").
        answer: Kind of answer wanted; "" looks at the sample.
        completion: How an answer in words is written for the scorer, around ``{answer}``.
    """

    model: str = ""
    answer: str = ""
    completion: str = "{answer}"

    def check(self) -> None:
        """Make sure that they make sense.

        Raises:
            BadInput: They do not.
        """
        if self.answer and self.answer not in KINDS:
            raise unknown_name("kind of answer", self.answer, KINDS)
        if "{answer}" not in self.completion:
            raise BadInput("completion must have {answer} in it, as in 'ANSWER: {answer}'.")


def register(system: System) -> Any:
    """Make a system known to Inspect as ``collegium/NAME``.

    Args:
        system: The system.

    Returns:
        What makes its solvers; keyword arguments are :class:`SolverOptions` and the system's
        parameters.
    """

    def made(
        model: str = "", answer: str = "", completion: str = "{answer}", **parameters: Any
    ) -> Solver:
        options = SolverOptions(model, answer, completion)
        try:
            options.check()
            bound = system.bind(parameters)
        except CollegiumError as error:
            raise _prerequisite(error) from None

        async def solving(state: TaskState, generate: Generation) -> TaskState:
            return await run_sample(system, bound, options, state)

        return solving

    made.__doc__ = system.summary
    return solver(name=system.name)(made)


def _prerequisite(error: CollegiumError) -> Exception:
    """A mistake of the user's as Inspect shows one: its sentence, without a traceback."""
    from inspect_ai._util.error import PrerequisiteError

    return PrerequisiteError(str(error))


async def run_sample(
    system: System, parameters: dict[str, Any], options: SolverOptions, state: TaskState
) -> TaskState:
    """Run a system on a sample.

    Args:
        system: The system.
        parameters: Its parameters.
        options: What it was told besides.
        state: The sample as it stands.

    Raises:
        BadInput: The sample is not one that a system here can read or solve.
        LimitExceededError: A limit of Inspect's is reached.
    """
    identity = f"{state.sample_id}/{state.epoch}"
    given: Any = options.answer
    task = task_of(
        identity,
        state.messages,
        choices=[choice.value for choice in state.choices],
        answer=given or kind_of([c.value for c in state.choices], list(state.target)),
    )
    tools = our_tools(state.tools)
    task = msgspec.structs.replace(task, tools=tuple(t.spec.name for t in tools))
    driver = get_model(f"{PREFIX}{options.model}") if options.model else get_model()
    models = {"": InspectModel(driver)}
    for role, bound in model_roles().items():
        models[role] = InspectModel(bound[0] if isinstance(bound, list) else bound)
    base = _seed(driver)
    kernel = Kernel(
        models,
        tools=tools,
        seed=None if base is None else task_seed(base, identity),
        sinks=[partial(_told, task.tools)],
        name=identity,
    )
    try:
        async with span(f"{PREFIX}{system.name}"):
            solved = await solve(system, task, kernel, parameters)
    except LimitExceededError:
        kept = kernel.kept or Result(None)
        _leave(state, Solved(kept, "a limit of Inspect's"), kernel, task, options, driver.name)
        raise
    return _leave(state, solved, kernel, task, options, driver.name)


def _seed(driver: Any) -> int | None:
    """The seed that the evaluation was given: the model's own, or that of all its models."""
    from inspect_ai.model._generate_config import active_generate_config

    own = driver.config.seed
    return own if own is not None else active_generate_config().seed


def _leave(
    state: TaskState,
    solved: Solved,
    kernel: Kernel,
    task: Task,
    options: SolverOptions,
    model: str,
) -> TaskState:
    """Leave what came of it in the sample's state."""
    state.metadata["collegium"] = {
        "answer": task.answer,
        "calls": kernel.meter.calls,
        "tokens": kernel.meter.usage.tokens,
        "limited": solved.limited,
        "notes": plain(msgspec.to_builtins(solved.result.notes, enc_hook=repr)),
    }
    return put_answer(state, solved.result.answer, options.completion, model)


def _told(tools: Sequence[str], event: Event) -> None:
    """Put into Inspect's transcript what it has not already: model calls and its own tools."""
    call = event.call
    if isinstance(call, Generate) or (isinstance(call, UseTool) and call.tool in tools):
        return
    told: dict[str, Any] = {"kind": event.kind, **msgspec.to_builtins(event.call, enc_hook=repr)}
    told.pop("type", None)
    told |= {"error": event.error} if event.error else {"value": event.value}
    transcript().info(msgspec.to_builtins(plain(told)), source=f"{PREFIX}{event.call.agent}")  # pyright: ignore[reportArgumentType]


SOLVERS = {name: register(system) for name, system in systems().items()}
"""The solvers there are, by name."""
