"""Tools: typed functions that agents may call, with arguments checked against their types."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_type_hints, overload

import msgspec

from collegium.errors import BadInput
from collegium.kernel.calls import ToolSpec
from collegium.kernel.outputs import inline

Kind = Literal["hardware", "software", "self-made"]
"""What a tool is: a device, a program, or something an agent wrote for itself."""

Check = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns arguments as the function takes them; raises :class:`BadInput` for wrong ones."""


class Tool(msgspec.Struct, frozen=True):
    """A typed function an agent may call.

    Attributes:
        spec: What a model is told of it.
        function: The function; a plain one runs in a thread, so that it cannot block others.
        arguments: What arguments are checked against: a struct type, or a function.
        parallel: How many instances may run at once; None: any number.
        seconds: How long one run may take; None: as long as its toolbox lets it.
        pure: The result depends on the arguments alone, and nothing else happens; such results
            may be kept and given again.
        irreversible: What it does cannot be undone, so it needs permission.
        kind: What it is.
        fingerprint: Names the implementation to the cache of pure tools; "" has it worked out
            from the function.
    """

    spec: ToolSpec
    function: Callable[..., Any]
    arguments: type[msgspec.Struct] | Check
    parallel: int | None = None
    seconds: float | None = None
    pure: bool = False
    irreversible: bool = False
    kind: Kind = "software"
    fingerprint: str = ""

    def __post_init__(self) -> None:
        name = self.spec.name
        if self.parallel is not None and self.parallel < 1:
            raise BadInput(f"tool {name!r}: parallel must be 1 or more, not {self.parallel}.")
        if self.seconds is not None and not self.seconds > 0:
            raise BadInput(f"tool {name!r}: seconds must be above 0, not {self.seconds:g}.")
        if self.pure and self.irreversible:
            raise BadInput(f"tool {name!r} cannot be both pure and irreversible; choose one.")

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name as the function takes them: converted, with defaults filled in.

        Raises:
            BadInput: An argument is missing, unknown or of the wrong type.
        """
        if not isinstance(self.arguments, type):
            return self.arguments(dict(arguments))
        try:
            checked = msgspec.convert(dict(arguments), self.arguments, strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(f"tool {self.spec.name!r}: {error}.") from None
        return {name: getattr(checked, name) for name in checked.__struct_fields__}

    async def run(self, arguments: Mapping[str, Any]) -> Any:
        """Check the arguments and run the function, with no limit on instances or time.

        A kernel runs its tools through :class:`collegium.kernel.toolbox.Toolbox`, which keeps
        those limits.

        Raises:
            BadInput: An argument is missing, unknown or of the wrong type.
        """
        values = self.check(arguments)
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**values)
        return await asyncio.to_thread(self.function, **values)


@overload
def tool(
    function: Callable[..., Any],
    *,
    parallel: int | None = None,
    seconds: float | None = None,
    pure: bool = False,
    irreversible: bool = False,
    kind: Kind = "software",
) -> Tool: ...


@overload
def tool(
    function: None = None,
    *,
    parallel: int | None = None,
    seconds: float | None = None,
    pure: bool = False,
    irreversible: bool = False,
    kind: Kind = "software",
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    function: Callable[..., Any] | None = None,
    *,
    parallel: int | None = None,
    seconds: float | None = None,
    pure: bool = False,
    irreversible: bool = False,
    kind: Kind = "software",
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function: its name, docstring and annotations say all a model needs.

    Use it plain, ``tool(read)`` or ``@tool``, or with options, ``@tool(parallel=1, seconds=30)``.

    Args:
        function: The function; a coroutine function runs in the event loop.
        parallel: How many instances may run at once; further calls wait. None: any number.
        seconds: How long one run may take, waiting not counted; ``math.inf``: for ever. None: as
            long as its toolbox lets it.
        pure: The result depends on the arguments alone, and nothing else happens: results may be
            kept and given again.
        irreversible: What it does cannot be undone: it needs permission where access is managed.
        kind: What it is.

    Raises:
        BadInput: A parameter has no type annotation, one of a type that JSON cannot say, or no
            name that a caller could use; or an option is out of range.
    """

    def make(function: Callable[..., Any]) -> Tool:
        spec, arguments = described(function)
        return Tool(
            spec=spec,
            function=function,
            arguments=arguments,
            parallel=parallel,
            seconds=seconds,
            pure=pure,
            irreversible=irreversible,
            kind=kind,
        )

    return make if function is None else make(function)


def described(function: Callable[..., Any]) -> tuple[ToolSpec, type[msgspec.Struct]]:
    """What a model is told of a function, and the struct its arguments are checked against.

    Raises:
        BadInput: A parameter cannot be described.
    """
    hints = get_type_hints(function)
    fields: list[Any] = []
    name = getattr(function, "__name__", "tool")
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise BadInput(f"tool {name!r}: {parameter} cannot be given by name.")
        if parameter.name not in hints:
            raise BadInput(f"tool {name!r}: parameter {parameter.name!r} needs a type annotation.")
        field = (parameter.name, hints[parameter.name])
        if parameter.default is not inspect.Parameter.empty:
            field = (*field, parameter.default)
        fields.append(field)
    arguments = msgspec.defstruct(
        f"{name}_arguments", fields, frozen=True, forbid_unknown_fields=True, kw_only=True
    )
    try:
        parameters = inline(msgspec.json.schema(arguments))
    except TypeError as error:
        reason = str(error).rpartition("\n")[2]
        raise BadInput(f"tool {name!r}: {reason}.") from None
    spec = ToolSpec(name=name, description=inspect.getdoc(function) or "", parameters=parameters)
    return spec, arguments
