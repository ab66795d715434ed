"""The guard over kernel calls: order of events, calls side by side, obligations, bad input."""

import asyncio

import pytest

from collegium.errors import BadInput, Denied, ToolError, UnknownName
from collegium.guard.ltl import CallSpec, Matcher, SpecGuard, read_specs, spec_guard
from collegium.kernel import Kernel, Send, UseTool, tool
from collegium.models.scripted import ScriptedModel

APPROVAL = CallSpec(
    "approval before deletion",
    "(!D W V) & G(Z -> end)",
    {
        "D": Matcher(tool="delete_*"),
        "V": Matcher(tool="approve"),
        "Z": Matcher(tool="submit"),
    },
)


@tool
def delete_file(path: str) -> str:
    """Deletes."""
    return f"deleted {path}"


@tool
def approve() -> str:
    """Approves."""
    return "approved"


@tool
def submit() -> str:
    """Ends."""
    return "submitted"


@tool
def look() -> str:
    """Looks."""
    return "nothing"


@tool
def fail() -> str:
    """Fails."""
    raise RuntimeError("on the way")


TOOLS = (delete_file, approve, submit, look, fail)


def guarded(*specs: CallSpec, tools: tuple = TOOLS) -> tuple[Kernel, SpecGuard]:
    guard = spec_guard(specs)
    kernel = Kernel(ScriptedModel(lambda r: "hello"), tools=tools, interceptors=[guard])
    return kernel, guard


def hand(kernel: Kernel):
    return kernel.agent("hand", tools=tuple(kernel.tools))


@pytest.mark.must_show("ltl", 7)
async def test_nothing_is_deleted_before_it_is_approved() -> None:
    kernel, _ = guarded(APPROVAL)
    agent = hand(kernel)
    await agent.use("look")
    with pytest.raises(Denied) as caught:
        await agent.use("delete_file", path="x")
    message = str(caught.value)
    assert "approval before deletion" in message
    assert "(!D W V) & G(Z -> end)" in message
    assert "allowed now: V, Z" in message
    refused = kernel.trace.events[-1]
    assert isinstance(refused.call, UseTool)
    assert (refused.outcome, refused.failure) == ("error", "Blocked")
    assert "approval before deletion" in refused.error
    await agent.use("approve")
    assert await agent.use("delete_file", path="x") == "deleted x"
    await agent.use("submit")
    for name in ("approve", "submit"):
        with pytest.raises(Denied, match="none of its events"):
            await agent.use(name)
    assert await agent.use("look") == "nothing"  # no event of the formula


@pytest.mark.must_show("ltl", 7)
async def test_an_approval_counts_once_it_has_been_given() -> None:
    gate = asyncio.Event()

    @tool
    async def approve() -> str:
        """Approves, after a while."""
        await gate.wait()
        return "approved"

    kernel, _ = guarded(APPROVAL, tools=(delete_file, approve, submit))
    agent = hand(kernel)
    waiting = asyncio.create_task(agent.use("approve"))
    await asyncio.sleep(0.01)
    with pytest.raises(Denied):
        await agent.use("delete_file", path="x")
    gate.set()
    await waiting
    assert await agent.use("delete_file", path="x") == "deleted x"


async def test_an_approval_that_failed_is_none_and_a_try_counts_as_done() -> None:
    spec = CallSpec(
        "once",
        "(!D W V) & at most 1 F1",
        {"D": Matcher(tool="delete_*"), "V": Matcher(tool="fail"), "F1": Matcher(tool="fail")},
    )
    kernel, _ = guarded(spec)
    agent = hand(kernel)
    with pytest.raises(ToolError):
        await agent.use("fail")
    with pytest.raises(Denied):
        await agent.use("delete_file", path="x")  # perhaps it was not approved
    with pytest.raises(Denied):
        await agent.use("fail")  # perhaps it was done


async def test_a_call_that_was_never_made_does_not_count() -> None:
    spec = CallSpec("once", "at most 1 D", {"D": Matcher(tool="delete_*")})
    kernel, _ = guarded(spec)
    agent = hand(kernel)
    with pytest.raises(BadInput):
        await agent.use("delete_file", file="x")
    assert await agent.use("delete_file", path="x") == "deleted x"
    with pytest.raises(Denied):
        await agent.use("delete_file", path="x")


async def test_of_many_calls_at_once_no_more_pass_than_may() -> None:
    spec = CallSpec("three", "at most 3 D", {"D": Matcher(tool="delete_*")})
    kernel, _ = guarded(spec)
    agent = hand(kernel)
    done = await asyncio.gather(
        *(agent.use("delete_file", path=str(i)) for i in range(10)), return_exceptions=True
    )
    assert sum(isinstance(d, str) for d in done) == 3
    assert sum(isinstance(d, Denied) for d in done) == 7


async def test_what_is_still_owed_is_told() -> None:
    spec = CallSpec("end", "F Z & G(D -> F V)", APPROVAL.labels)
    kernel, guard = guarded(spec)
    agent = hand(kernel)
    (owed,) = guard.obligations()
    assert (owed.satisfied, owed.needs) == (False, ("Z",))
    await agent.use("delete_file", path="x")
    await agent.use("submit")
    (owed,) = guard.obligations()
    assert (owed.name, owed.formula, owed.needs) == ("end", spec.formula, ("V",))
    await agent.use("approve")
    assert guard.obligations()[0].satisfied


async def test_matchers_look_at_kind_agent_and_arguments() -> None:
    spec = CallSpec(
        "quiet",
        "G !(M | E)",
        {
            "M": Matcher(call="send", agent="hand"),
            "E": Matcher(tool="delete_*", arguments={"path": "/etc/*"}),
        },
    )
    kernel, _ = guarded(spec)
    agent, other = hand(kernel), kernel.agent("other")
    assert await agent.use("delete_file", path="/tmp/x") == "deleted /tmp/x"
    with pytest.raises(Denied, match=r"tool 'delete_file' \(E\)"):
        await agent.use("delete_file", path="/etc/passwd")
    await other.send(agent, "hello")
    with pytest.raises(Denied, match="a Send call"):
        await agent.send(other, "hello")
    by_function = CallSpec("none", "G !S", {"S": lambda call: isinstance(call, Send)})
    kernel, _ = guarded(by_function)
    with pytest.raises(Denied):
        await kernel.agent("a").send(kernel.agent("b"), "hello")


async def test_other_events_may_count() -> None:
    spec = CallSpec("at once", "G(V -> X D)", dict(APPROVAL.labels), others="count")
    kernel, _ = guarded(spec)
    agent = hand(kernel)
    await agent.use("look")
    await agent.use("approve")
    with pytest.raises(Denied, match="other"):
        await agent.use("look")
    await agent.use("delete_file", path="x")
    await agent.use("look")


async def test_several_specifications_hold_together() -> None:
    once = CallSpec("once", "at most 1 L", {"L": Matcher(tool="look")})
    kernel, guard = guarded(APPROVAL, once)
    agent = hand(kernel)
    await agent.use("look")
    with pytest.raises(Denied, match="'once' demands at most 1 L"):
        await agent.use("look")
    assert [o.name for o in guard.obligations()] == ["approval before deletion", "once"]


async def test_a_guard_follows_one_run() -> None:
    guard = spec_guard([APPROVAL])
    for refused in (False, True):
        kernel = Kernel(ScriptedModel(lambda r: "x"), tools=TOOLS, interceptors=[guard])
        agent = hand(kernel)
        if refused:
            with pytest.raises(BadInput, match="one for each kernel"):
                await agent.use("look")
        else:
            await agent.use("look")


def test_specifications_are_read_from_data() -> None:
    table = {"formula": "!D W V", "labels": {"D": {"tool": "delete_*"}, "V": {"tool": "approve"}}}
    (spec,) = read_specs({"mine": table})
    assert spec.labels["D"] == Matcher(tool="delete_*")
    with pytest.raises(BadInput, match=r"temporal spec 'mine': .*`toool`"):
        read_specs({"mine": {"formula": "G !D", "labels": {"D": {"toool": "x"}}}})


@pytest.mark.must_show("ltl", 8)
def test_a_wrong_guard_says_where() -> None:
    with pytest.raises(UnknownName, match="temporal spec 'x': formula '!D W V', column 6"):
        spec_guard([CallSpec("x", "!D W V", {"D": Matcher(tool="d")})])
    with pytest.raises(BadInput, match=r"'x' .* cannot be satisfied"):
        spec_guard([CallSpec("x", "F D & G !D", {"D": Matcher(tool="d")})])
    with pytest.raises(BadInput, match="1 to 8 labels"):
        spec_guard([CallSpec("x", "true", {})])
