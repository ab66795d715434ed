"""Tools: typed functions that agents may call, with arguments checked against their types."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import msgspec

from collegium.errors import BadInput
from collegium.kernel.calls import ToolSpec
from collegium.kernel.outputs import inline


class Tool(msgspec.Struct, frozen=True):
    """A typed function an agent may call.

    Attributes:
        spec: What a model is told of it.
        function: The function; a plain one runs in a thread, so that it cannot block others.
        arguments: Struct type that arguments are checked against.
    """

    spec: ToolSpec
    function: Callable[..., Any]
    arguments: type[msgspec.Struct]

    async def run(self, arguments: Mapping[str, Any]) -> Any:
        """Check the arguments and run the function.

        Raises:
            BadInput: An argument is missing, unknown or of the wrong type.
        """
        try:
            checked = msgspec.convert(dict(arguments), self.arguments, strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(f"tool {self.spec.name!r}: {error}.") from None
        values = {name: getattr(checked, name) for name in checked.__struct_fields__}
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**values)
        return await asyncio.to_thread(self.function, **values)


def tool(function: Callable[..., Any]) -> Tool:
    """Make a tool of a typed function: its name, docstring and annotations say all a model needs.

    Raises:
        BadInput: A parameter has no type annotation, one of a type that JSON cannot say, or no
            name that a caller could use.
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
    return Tool(spec=spec, function=function, arguments=arguments)
