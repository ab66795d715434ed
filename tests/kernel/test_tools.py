"""Tools: what a model is told of them, and what becomes of their arguments."""

import asyncio
import threading
from typing import Any, Literal

import msgspec
import pytest

from collegium.errors import BadInput, ToolError, UnknownName
from collegium.kernel import Kernel, tool
from tests.kernel.support import Scripted


class Place(msgspec.Struct):
    x: int
    y: int = 0


def go(place: Place, speed: float = 1.0, mode: Literal["walk", "run"] = "walk") -> str:
    """Go to a place.

    Faster with a higher speed.
    """
    return f"{mode} to {place.x},{place.y} at {speed!r}"


def test_the_spec_says_what_the_annotations_say() -> None:
    spec = tool(go).spec
    assert (spec.name, spec.description) == (
        "go",
        "Go to a place.\n\nFaster with a higher speed.",
    )
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "place": {
                "type": "object",
                "properties": {
                    "x": {"type": "integer"},
                    "y": {"type": "integer", "default": 0},
                },
                "required": ["x"],
            },
            "speed": {"type": "number", "default": 1.0},
            "mode": {"enum": ["run", "walk"], "default": "walk"},
        },
        "required": ["place"],
        "additionalProperties": False,
    }


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    def ring() -> None: ...

    assert tool(ring).spec.parameters["properties"] == {}
    assert tool(ring).spec.description == ""


async def test_arguments_are_converted_to_their_types() -> None:
    result = await tool(go).run({"place": {"x": "3"}, "speed": "2"})
    assert result == "walk to 3,0 at 2.0"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "missing required field `place`"),
        ({"place": 3}, "Expected `object`, got `int` - at `$.place`"),
        ({"place": {"x": "three"}}, "Expected `int`, got `str` - at `$.place.x`"),
        ({"place": {"x": 1}, "mode": "fly"}, "Invalid enum value 'fly' - at `$.mode`"),
        ({"place": {"x": 1}, "sped": 1}, "Object contains unknown field `sped`"),
    ],
)
async def test_wrong_arguments_are_bad_input(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        await tool(go).run(arguments)
    assert str(caught.value).startswith("tool 'go': ")
    assert problem in str(caught.value)


def test_a_parameter_needs_an_annotation() -> None:
    def bad(x): ...

    with pytest.raises(BadInput, match="tool 'bad': parameter 'x' needs a type annotation"):
        tool(bad)


def test_a_parameter_needs_a_name_and_a_type_that_json_can_say() -> None:
    def many(*xs: int) -> None: ...
    def rest(**xs: int) -> None: ...
    def nameless(x: int, /) -> None: ...
    def imaginary(x: complex) -> None: ...

    for function, problem in ((many, r" \*xs"), (rest, r" \*\*xs"), (nameless, " x")):
        with pytest.raises(BadInput, match=f"{problem}: int cannot be given by name"):
            tool(function)
    with pytest.raises(BadInput, match=r"tool 'imaginary': .*complex"):
        tool(imaginary)


def test_a_method_is_a_tool_without_its_self() -> None:
    class Counter:
        def add(self, by: int) -> int:
            """Add."""
            return by

    assert list(tool(Counter().add).spec.parameters["properties"]) == ["by"]


async def test_a_plain_function_runs_beside_the_event_loop() -> None:
    met = threading.Barrier(2, timeout=5)

    def meet() -> int:
        """Wait for the other."""
        met.wait()
        return threading.get_ident()

    kernel = Kernel(Scripted("hi"), tools=[tool(meet)])
    agent = kernel.agent("a", tools=["meet"])
    threads = await asyncio.gather(agent.use("meet"), agent.use("meet"))
    assert threading.get_ident() not in threads


async def test_an_async_function_runs_in_the_event_loop() -> None:
    async def where() -> int:
        """Say where."""
        await asyncio.sleep(0)
        return threading.get_ident()

    kernel = Kernel(Scripted("hi"), tools=[tool(where)])
    assert await kernel.agent("a", tools=["where"]).use("where") == threading.get_ident()


async def test_what_a_tool_raises_reaches_the_agent_and_the_trace() -> None:
    def divide(x: int) -> float:
        """Divide."""
        return 1 / x

    kernel = Kernel(Scripted("hi"), tools=[tool(divide)])
    with pytest.raises(ToolError) as caught:
        await kernel.agent("a", tools=["divide"]).use("divide", x=0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    message = "tool 'divide' failed: ZeroDivisionError: division by zero"
    assert kernel.trace.events[0].error == message


async def test_a_result_is_plain_data_as_a_replay_would_give_it() -> None:
    def here() -> tuple[Place, ...]:
        """Say where."""
        return (Place(1, 2),)

    kernel = Kernel(Scripted("hi"), tools=[tool(here)])
    assert await kernel.agent("a", tools=["here"]).use("here") == [{"x": 1, "y": 2}]


async def test_an_agent_has_only_the_tools_it_was_given() -> None:
    used: list[str] = []

    def read() -> None:
        """Read."""
        used.append("read")

    def write() -> None:
        """Write."""
        used.append("write")

    kernel = Kernel(Scripted("hi"), tools=[tool(read), tool(write)])
    reader = kernel.agent("reader", tools=["read"])
    await reader.use("read")
    with pytest.raises(UnknownName, match="unknown tool of agent 'reader' 'write'"):
        await reader.use("write")
    with pytest.raises(UnknownName, match="unknown tool 'wriet'; did you mean 'write'"):
        await reader.use("wriet")
    with pytest.raises(UnknownName, match="unknown tool 'raed'; did you mean 'read'"):
        kernel.agent("other", tools=["raed"])
    assert used == ["read"]


async def test_the_model_is_told_of_the_agents_tools_when_it_may_ask_for_them() -> None:
    model = Scripted("hi")
    kernel = Kernel(model, tools=[tool(go)])
    agent = kernel.agent("a", tools=["go"])
    await agent.ask("?")
    await agent.ask("?", tools=True)
    assert [r.tools for r in model.requests] == [(), (tool(go).spec,)]
