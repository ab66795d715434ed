"""What the kernel answers to calls that are wrong or not allowed (check 8 of AIOS)."""

from pathlib import Path

import pytest

import collegium as co
from collegium.errors import BadInput, Denied, UnknownName
from collegium.kernel import Access, Call, Kernel, Recall, read_trace, tool
from collegium.kernel.access import always
from collegium.kernel.lasting import resources
from tests.kernel.support import Scripted


@pytest.mark.must_show("aios", 8)
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpt", "unknown model 'gpt'; known: local, local-small, local-tiny."),
        ("locl", "unknown model 'locl'; did you mean 'local'?"),
        ("openai", "unknown model 'openai'; say which: openai:MODEL"),
    ],
)
def test_an_unknown_model_is_told_the_ones_there_are(name: str, says: str) -> None:
    with pytest.raises(UnknownName) as error:
        co.run("direct", "What is 1 + 1?", model=name)
    assert str(error.value) == says


class Format(Call, frozen=True, kw_only=True, tag="format"):
    """A call that nobody answers."""


@pytest.mark.must_show("aios", 8)
async def test_an_unknown_kind_of_call() -> None:
    kernel = Kernel(Scripted("?"))
    with pytest.raises(BadInput, match="this kernel has no driver for Format calls"):
        await kernel.call(Format(agent="ann"))
    (event,) = kernel.trace.events
    assert (event.kind, event.outcome) == ("format", "error")


def add(x: int, y: int = 0) -> int:
    """Add."""
    return x + y


@pytest.mark.must_show("aios", 8)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "missing required field `x`"),
        ({"x": "one"}, "Expected `int`, got `str`"),
        ({"x": 1, "z": 2}, "unknown field `z`"),
        ({"x": None}, "Expected `int`, got `null`"),
    ],
)
async def test_invalid_arguments_of_a_tool(arguments: dict[str, object], says: str) -> None:
    kernel = Kernel(Scripted("?"), tools=[tool(add)])
    agent = kernel.agent("ann", tools=["add"])
    with pytest.raises(BadInput) as error:
        await agent.use("add", **arguments)
    assert "'add'" in str(error.value)
    assert says in str(error.value)
    assert kernel.trace.events[-1].outcome == "error"
    with pytest.raises(UnknownName, match=r"'ad'; did you mean 'add'\?"):
        await agent.use("ad", x=1)


@pytest.mark.must_show("aios", 8)
@pytest.mark.parametrize("lasting", [False, True])
async def test_anothers_memory_is_denied_and_the_attempt_stands_in_the_trace(
    tmp_path: Path, lasting: bool
) -> None:
    access = Access({"ann": ["one"], "bob": ["two"], "kim": ["two"]}, ask=always)
    drivers = resources(tmp_path / "team", access=access) if lasting else None
    kernel = Kernel(Scripted("?"), drivers=drivers)
    ann, bob = kernel.agent("ann"), kernel.agent("bob")
    await ann.remember("The password is swordfish.")
    says = (
        "agent 'bob' may not read the memory of 'ann': 'ann' shares it with no group that 'bob' "
        "belongs to."
    )
    with pytest.raises(Denied) as denied:
        await bob.recall("password", bank="ann")
    assert str(denied.value) == says
    with pytest.raises(Denied, match="may not write the memory of 'ann'"):
        await bob.remember("The password is trout.", bank="ann")
    kernel.trace.save(tmp_path / "trace.jsonl")
    _, read, written = read_trace(tmp_path / "trace.jsonl")
    assert read.call == Recall(agent="bob", query="password", bank="ann")
    assert (read.outcome, read.error, read.value) == ("error", says, None)
    assert written.outcome == "error"
    assert [n.text for n in await ann.recall("password")] == ["The password is swordfish."]
