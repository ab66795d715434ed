"""ReAct and PASS as specifications: tools, answers, forms, what they tell and draw."""

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from collegium.errors import BadInput
from collegium.guard.ltl import validate
from collegium.guard.ltl.library import pass_ as pass_spec
from collegium.guard.ltl.library import react as react_spec
from collegium.kernel import Generate, Kernel, Limits, Unparsed, UseTool, tool
from collegium.models.scripted import ScriptedModel
from collegium.systems import get_system, parse_system
from collegium.systems.pass_ import EXAMPLE as PASS_EXAMPLE
from collegium.systems.react import EXAMPLE as REACT_EXAMPLE
from collegium.systems.solve import solve
from collegium.systems.specified import answer_content, read_answer
from collegium.tasks.task import Task
from collegium.tools.calculator import calculator
from tests.guard.ltl.support import SCHEMAS, Planned

SUM = Task(id="sum", prompt="What is 6 times 7?", answer="number", rules="Be exact.")
ACTING = 'Multiply.\n[Action] calculator\n[Action Input] {"expression": "6 * 7"}'
PLAN: dict[str, list[str]] = {
    "": ["[Summary] It is 42."],
    "[Thought]": [f"{ACTING}\n[Observation]", "I have it.\n[Answer] 42"],
    "[Action]": ["calculator"],
    "[Action Input]": ['{"expression": "6 * 7"}'],
    "[Summary]": ["It is 42."],
    "[Answer]": ["42"],
}


async def solved(name: str, plan: Any = None, task: Task = SUM, **options: Any):
    system, parameters = parse_system(name)
    model = ScriptedModel(plan if callable(plan) else Planned({**PLAN, **(plan or {})}))
    kernel = Kernel(model, seed=3, **options)
    return await solve(system, task, kernel, parameters), kernel


@pytest.mark.parametrize("form", ["mask", "monitor"])
@pytest.mark.parametrize(("name", "visited"), [("react", "QTAIOTZ"), ("pass", "QPAIOSPZ")])
async def test_they_solve_with_the_calculator_they_bring(
    name: str, visited: str, form: str
) -> None:
    done, kernel = await solved(f"{name}:form={form},example=false")
    result = done.result
    assert result.answer == 42.0
    assert "".join(state for state, _ in result.notes["transcript"]) == visited
    assert result.notes["verdict"] == "accepted"
    assert result.notes["format_valid"] is True
    assert f"Visited: {' '.join(visited)} (accepted)" in result.account
    assert "masked:" in result.account
    assert "Set without asking the model" in result.account
    ElementTree.fromstring(result.files["automaton.svg"])
    (used,) = [e.call for e in kernel.trace.events if isinstance(e.call, UseTool)]
    assert used.arguments == {"expression": "6 * 7"}
    calls = [e.call for e in kernel.trace.events if isinstance(e.call, Generate)]
    assert all((c.grammar is not None) == (form == "mask") for c in calls)
    assert "Be exact." in calls[0].messages[0].text
    assert get_system(name).paper == "ltl"


async def test_the_tools_of_the_kernel_come_first() -> None:
    @tool
    def weigh(thing: str, kilos: int = 0) -> str:
        """Weighs."""
        return f"{thing}: {kilos}"

    plan = {
        "[Thought]": ['Weigh.\n[Action] weigh\n[Action Input] {"thing": "a"}', "So.\n[Answer] 1"],
        "[Action]": ["weigh"],
        "[Action Input]": ['{"thing": "a"}'],
        "[Answer]": ["1"],
    }
    done, kernel = await solved("react", plan, tools=[weigh])
    assert list(kernel.tools) == ["weigh"]
    texts = dict(done.result.notes["transcript"])
    assert texts["O"] == "a: 0"
    first = next(e.call for e in kernel.trace.events if isinstance(e.call, Generate))
    assert '- weigh {"thing": "string", "kilos": "integer"}: Weighs.' in first.messages[0].text
    assert len([m for m in first.messages if m.role == "user"]) == 1  # no example of another tool


async def test_the_free_form_is_judged_only() -> None:
    replies = iter([f"[Thought] {ACTING}", "So the answer is 42."])
    done, _ = await solved("react:form=free", lambda request: next(replies))
    assert isinstance(done.result.answer, Unparsed)
    assert done.result.notes["format_valid"] is False
    assert "must follow" in done.result.notes["problem"]
    assert "Nothing was masked" in done.result.account
    good = iter([f"[Thought] {ACTING}", "[Thought] So.\n[Answer] 42"])
    done, _ = await solved("react:form=free", lambda request: next(good))
    assert done.result.notes["format_valid"] is True
    assert done.result.answer == 42.0


async def test_a_choice_is_answered_by_its_letter() -> None:
    task = Task(id="c", prompt="Which?", answer="choice", choices=("a stone", "a leaf"))
    plan = {"[Thought]": ["Easy.\n[Answer] leaf"], "[Answer]": ["leaf"]}
    for form in ("mask", "monitor"):
        done, _ = await solved(f"react:form={form}", plan, task)
        assert done.result.answer in task.letters


async def test_a_limit_leaves_what_there_is() -> None:
    done, _ = await solved("react:example=false", limits=Limits(calls=1))
    assert done.limited
    assert done.result.notes["verdict"] == "incomplete"
    assert [state for state, _ in done.result.notes["transcript"]] == list("QTAIO")


async def test_pass_keeps_its_bounds() -> None:
    acting = ACTING.partition("\n")[2]
    more = {"[Thought]": [f"More.\n{acting}\n{acting}\n{acting}\n{acting}"]}
    done, _ = await solved("pass:rounds=2,actions=2,example=false", more)
    visited = "".join(state for state, _ in done.result.notes["transcript"])
    assert visited == "QPAIAIOSPAIAIOSPZ"
    assert done.result.notes["verdict"] == "accepted"


def test_the_examples_satisfy_their_specifications() -> None:
    assert validate(react_spec(SCHEMAS), REACT_EXAMPLE).ok
    assert validate(pass_spec(SCHEMAS, rounds=1, actions=2), PASS_EXAMPLE).ok
    for text in (REACT_EXAMPLE, PASS_EXAMPLE):
        for line in text.splitlines():
            if line.startswith("[Action Input]"):
                expression = json.loads(line.removeprefix("[Action Input]"))["expression"]
                assert f"{calculator.function(expression)}" in text


@pytest.mark.parametrize("name", ["react:steps=0", "pass:rounds=0", "pass:actions=0"])
async def test_numbers_below_one_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="must be 1 or more"):
        await solved(name)


def test_answers_are_read_in_their_type() -> None:
    assert read_answer(SUM, "42") == 42.0
    assert isinstance(read_answer(SUM, "many"), Unparsed)
    assert isinstance(read_answer(SUM, None), Unparsed)
    text = Task(id="t", prompt="?")
    assert read_answer(text, "Paris") == "Paris"
    assert answer_content(Task(id="t", prompt="?", answer="code")) != answer_content(text)


def test_a_form_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(BadInput, match=r"must be one of 'mask', 'monitor', 'free', not 'foo'"):
        parse_system("react:form=foo")
