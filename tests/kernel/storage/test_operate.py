"""A request in words becomes storage calls: one plan, n operations, n summaries, a last one."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from collegium.errors import BadInput, LimitReached
from collegium.kernel import Access, Generate, Kernel, Limits, Store
from collegium.kernel.access import always
from collegium.kernel.storage import Storage, operate
from tests.kernel.support import Answer, Scripted


def plan(*operations: dict[str, Any]) -> str:
    return json.dumps({"operations": operations})


def planner(first: Answer, *more: Answer) -> Callable[[Generate, int], Answer]:
    """Plans as told; summaries are numbered."""
    plans = iter((first, *more))
    numbers = iter(range(1, 100))
    return lambda request, i: next(plans) if request.schema else f"summary {next(numbers)}"


def kernel_with(model: Scripted, access: Access | None = None, **options: Any) -> Kernel:
    storage = Storage(None, access=access or Access({"bob": ["team"]}, ask=always))
    return Kernel(model, drivers=storage.drivers, **options)


EVERY = plan(
    {"action": "write", "path": "a.md", "text": "the first text"},
    {"action": "write", "path": "a.md", "text": "the second text"},
    {"action": "rollback", "path": "a.md", "steps": 1},
    {"action": "read", "path": "a.md"},
    {"action": "search", "text": "first"},
    {"action": "list"},
    {"action": "share", "group": "team"},
    {"action": "delete", "path": "a.md"},
)


async def test_the_calls_come_in_the_order_of_the_card() -> None:
    model = Scripted(planner(EVERY))
    kernel = kernel_with(model)
    answer = await operate(kernel.agent("ann"), "Do it all.")
    kinds = [e.kind for e in kernel.trace.events]
    operations = [
        "store", "store", "rollback", "load", "find", "list-files", "share", "delete",
    ]  # fmt: skip
    assert kinds == ["generate", *(k for o in operations for k in (o, "generate")), "generate"]
    # n + 1 model calls beside the plan
    assert kinds.count("generate") == 1 + (len(operations) + 1)
    assert answer == "summary 9"


async def test_each_summary_is_made_of_its_operation_and_the_last_of_all() -> None:
    model = Scripted(planner(EVERY))
    kernel = kernel_with(model)
    await operate(kernel.agent("ann"), "Do it all.")
    prompts = model.prompts
    assert prompts[0].endswith("Request: Do it all.")
    for prompt, outcome in zip(
        prompts[1:9],
        (
            "write a.md\nOutcome: a.md is now at version 1 (14 bytes)",
            "write a.md\nOutcome: a.md is now at version 2 (15 bytes)",
            "rollback a.md by 1\nOutcome: a.md is now at version 3 (14 bytes)",
            "read a.md\nOutcome: the first text",
            "search for 'first'\nOutcome: a.md: the first text",
            "list all files\nOutcome: a.md",
            "share with team\nOutcome: shared",
            "delete a.md\nOutcome: removed",
        ),
        strict=True,
    ):
        assert prompt.startswith("Request: Do it all.\n\nOperation ")
        assert f": {outcome}\n" in prompt
    assert "1. write a.md: summary 1\n2. write a.md: summary 2\n" in prompts[9]
    assert "8. delete a.md: summary 8" in prompts[9]
    events = kernel.trace.events
    assert events[-1].call.sources == tuple(e.id for e in events[:-1] if e.kind == "generate")
    assert all(r.temperature == 0 for r in model.requests)


async def test_no_operation_is_an_answer_too() -> None:
    model = Scripted(planner(plan()))
    kernel = kernel_with(model)
    assert await operate(kernel.agent("ann"), "How are you?") == "summary 1"
    assert len(model.requests) == 2
    assert "What was done:\nNothing." in model.prompts[1]


async def test_what_fails_ends_the_plan_and_is_told() -> None:
    model = Scripted(
        planner(
            plan(
                {"action": "write", "path": "copy.md", "text": "x"},
                {"action": "read", "path": "missing.md"},
                {"action": "delete", "path": "copy.md"},
            )
        )
    )
    kernel = kernel_with(model)
    agent = kernel.agent("ann")
    assert await operate(agent, "Move it.") == "summary 3"
    assert [e.kind for e in kernel.trace.events] == [
        "generate", "store", "generate", "load", "generate", "generate",
    ]  # fmt: skip
    assert "Outcome: failed: unknown file of 'ann' 'missing.md'" in model.prompts[2]
    assert "3. delete copy.md: not run, because operation 2 failed" in model.prompts[3]
    assert await agent.load("copy.md") == "x"


async def test_a_refusal_is_told_and_stands_in_the_trace() -> None:
    model = Scripted(planner(plan({"action": "delete", "path": "a.md"})))
    kernel = kernel_with(model, Access(ask=None))
    agent = kernel.agent("ann")
    await agent.store("a.md", "x")
    assert await operate(agent, "Delete it.") == "summary 2"
    assert "failed: agent 'ann' wants to delete ann/a.md, which cannot" in model.prompts[1]
    denied = kernel.trace.events[2]
    assert (denied.kind, denied.outcome) == ("delete", "error")
    assert await agent.load("a.md") == "x"


async def test_a_plan_is_asked_for_once_more() -> None:
    good = plan({"action": "list"})
    model = Scripted(planner("nonsense", good))
    kernel = kernel_with(model)
    assert await operate(kernel.agent("ann"), "List.") == "summary 2"
    assert [e.outcome for e in kernel.trace.events if e.kind == "generate"][:2] == ["ok", "fix"]


@pytest.mark.must_show("aios", 8)
async def test_an_unknown_operation_is_refused_with_the_known_ones() -> None:
    bad = plan({"action": "format", "path": "a.md"})
    model = Scripted(planner(bad, bad))
    kernel = kernel_with(model)
    agent = kernel.agent("ann")
    await agent.store("a.md", "x")
    with pytest.raises(
        BadInput, match=r"'format'.*; the operations are write, read, search, list, rollback, "
    ):
        await operate(agent, "Format it.")
    assert [e.kind for e in kernel.trace.events] == ["store", "generate", "generate"]
    assert await agent.load("a.md") == "x"


async def test_the_model_is_held_to_the_operations_there_are() -> None:
    model = Scripted(planner(plan()))
    await operate(kernel_with(model).agent("ann"), "?")
    schema = model.requests[0].schema
    assert schema is not None
    action = schema["properties"]["operations"]["items"]["properties"]["action"]
    assert sorted(action["enum"]) == [
        "delete", "list", "read", "rollback", "search", "share", "write",
    ]  # fmt: skip


async def test_limits_hold() -> None:
    model = Scripted(planner(EVERY))
    kernel = kernel_with(model, limits=Limits(calls=3))
    with pytest.raises(LimitReached):
        await operate(kernel.agent("ann"), "Do it all.")
    assert len(model.requests) == 3
    assert sum(isinstance(e.call, Store) for e in kernel.trace.events) == 2
