"""Systems: published methods as plain async functions, registered by name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from collegium.errors import BadInput, UnknownName, unknown_name
from collegium.kernel import Reply, Tool
from collegium.tasks.task import Task

Solve = Callable[..., Coroutine[Any, Any, "Result"]]
Cost = Callable[[Mapping[str, Any]], int | None]
Needs = Callable[[Task], str]
"""What a system lacks to solve a task, as the end of "it needs ..."; "" when it can solve it."""


class Result(msgspec.Struct, frozen=True):
    """What a system returns.

    Attributes:
        answer: Its answer; :class:`Unparsed` or None when it abstains.
        candidates: The replies the answer was chosen from.
        notes: What the method has to show besides (votes, rounds, plans), as plain data. Two keys
            are read by comparisons: ``texts`` (replies by round and agent, of a debate) and
            ``self_tests`` (``{"passed": p, "total": t}``: what decided, where a method chose its
            answer by tests it wrote itself).
        account: The same for a reader: why this answer, in a few plain lines.
        files: What the method made besides (a graph, a program), as text by relative path.
    """

    answer: Any
    candidates: tuple[Reply[Any], ...] = ()
    notes: dict[str, Any] = {}
    account: str = ""
    files: dict[str, str] = {}


class System(msgspec.Struct, frozen=True):
    """A registered method.

    Attributes:
        name: As written on the command line.
        paper: Slug of the paper in the catalog; None for a baseline outside it.
        solve: The function: ``await solve(task, kernel, **parameters)``.
        parameters: Hyper-parameters by name, in order: (type, default).
        cost: Generations a run makes (repairs aside), from its parameters; None: not fixed.
        needs: Says what it lacks to solve a task; None: it takes every task.
        tools: Tools it brings with it.
    """

    name: str
    paper: str | None
    solve: Solve
    parameters: dict[str, tuple[Any, Any]]
    cost: Cost | None = None
    needs: Needs | None = None
    tools: tuple[Tool, ...] = ()

    def require(self, task: Task) -> None:
        """Make sure that the system can solve a task.

        Raises:
            BadInput: It cannot; the message says what it needs.
        """
        lacking = self.needs(task) if self.needs else ""
        if lacking:
            raise BadInput(f"{self.name} cannot solve task {task.id!r}: it needs {lacking}.")

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.solve) or "").partition("\n")[0]

    def bind(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Check hyper-parameters given by a user.

        Args:
            values: By name; strings are converted to the parameter's type.

        Returns:
            All parameters, defaults filled in.

        Raises:
            BadInput: A parameter does not exist (the valid ones are named) or is ill-typed.
        """
        bound = {name: default for name, (_, default) in self.parameters.items()}
        for name, value in values.items():
            if name not in self.parameters:
                valid = ", ".join(f"{k}={v[1]!r}" for k, v in self.parameters.items())
                error = unknown_name(f"parameter of {self.name}", name, self.parameters)
                raise BadInput(f"{error} Valid: {valid or 'it has none'}.")
            kind = self.parameters[name][0]
            try:
                if isinstance(value, str) and kind is not str and value.startswith(("[", "{")):
                    value = msgspec.json.decode(value)
                bound[name] = msgspec.convert(value, kind, strict=False)
            except msgspec.MsgspecError as error:
                wanted = getattr(kind, "__name__", str(kind))
                if get_origin(kind) is Literal:
                    wanted = f"one of {', '.join(map(repr, get_args(kind)))}"
                raise BadInput(
                    f"parameter {name!r} of {self.name} must be {wanted}, not {value!r}: {error}."
                ) from None
        return bound


_systems: dict[str, System] = {}


def system(
    name: str,
    *,
    paper: str | None,
    cost: Cost | None = None,
    needs: Needs | None = None,
    tools: Sequence[Tool] = (),
) -> Callable[[Solve], Solve]:
    """Register an async function as a system.

    Its keyword-only parameters are its hyper-parameters; each needs a type and a default.

    Args:
        name: Unique name.
        paper: Slug of its paper in the catalog, None for a baseline outside it.
        cost: Generations per run as a function of the parameters, where the method fixes it.
        needs: Says what a task must have for this method, such as "a task answered with code";
            "" for a task it can solve. None: it takes every task.
        tools: Tools its agents use. A tool of the same name that the user gives comes first.

    Raises:
        BadInput: A parameter has no type or no default, or the name is taken.
    """

    def register(solve: Solve) -> Solve:
        hints = get_type_hints(solve)
        parameters: dict[str, tuple[Any, Any]] = {}
        for p in inspect.signature(solve).parameters.values():
            if p.kind is not inspect.Parameter.KEYWORD_ONLY:
                continue
            if p.name not in hints or p.default is inspect.Parameter.empty:
                raise BadInput(f"system {name!r}: parameter {p.name!r} needs a type and a default.")
            parameters[p.name] = (hints[p.name], p.default)
        known = _systems.get(name)
        if known is not None and _home(known.solve) != _home(solve):
            raise BadInput(f"there is already a system named {name!r}.")
        _systems[name] = System(name, paper, solve, parameters, cost, needs, tuple(tools))
        return solve

    return register


def _home(solve: Solve) -> tuple[str, str]:
    """Where a function is defined: a reload of its module may register it again."""
    return solve.__module__, solve.__qualname__


def systems() -> dict[str, System]:
    """All systems by name: those of this package and those that others registered.

    Other packages add theirs under the entry point group ``collegium.systems``; one that cannot be
    imported is left out with a warning, and takes no other down with it.
    """
    package = importlib.import_module("collegium.systems")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"collegium.systems.{module.name}")
    for point in entry_points(group="collegium.systems"):
        try:
            point.load()
        except Exception as error:
            warnings.warn(
                f"the systems of {point.value} are left out: {type(error).__name__}: {error}",
                stacklevel=2,
            )
    return dict(sorted(_systems.items()))


def get_system(name: str) -> System:
    """A system by name; only its own module is imported when the name tells which.

    Raises:
        UnknownName: There is no such system (the nearest is suggested).
    """
    if name not in _systems and name.replace("-", "").isalnum():
        module = f"collegium.systems.{name.replace('-', '_')}"
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
    if name not in _systems:
        known = systems()
        if name not in known:
            raise unknown_name("system", name, known)
    return _systems[name]


def parse_system(text: str) -> tuple[System, dict[str, Any]]:
    """Read a system with parameters as users write it: ``mad:agents=4,rounds=2``.

    Raises:
        BadInput: The form is wrong, or a parameter is unknown or ill-typed.
        UnknownName: There is no such system.
    """
    name, _, rest = text.partition(":")
    chosen = get_system(name)
    values: dict[str, str] = {}
    # A comma inside brackets belongs to a list: personas=["terse","thorough"].
    for part in filter(None, re.split(r",(?![^\[]*\])", rest)):
        key, equals, value = part.partition("=")
        if not equals:
            raise BadInput(f"in {text!r}: expected name=value, not {part!r}.")
        values[key.strip()] = value.strip()
    return chosen, chosen.bind(values)


__all__ = ["Result", "System", "UnknownName", "get_system", "parse_system", "system", "systems"]
