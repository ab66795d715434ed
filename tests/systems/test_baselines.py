"""The baselines: exact prompts, exact numbers of generations."""

from collections.abc import Callable
from typing import Any

import pytest

from collegium.agents import ANSWER_HINT, closing
from collegium.errors import BadInput
from collegium.kernel import Kernel, Unparsed
from collegium.systems.cot import PROFILE, cot, question
from collegium.systems.direct import direct
from collegium.systems.self_consistency import self_consistency
from collegium.systems.self_refine import self_refine
from collegium.tasks.task import Task
from tests.kernel.support import Scripted, inorder, worked

TASK = Task(id="t", prompt="What is 5 + 7?", rules="Count in tens.", answer="number")
INSTRUCTION = f"{PROFILE} Count in tens."


def turns(model: Scripted) -> list[list[tuple[str, str]]]:
    """The conversation of every request."""
    return [[(m.role, m.text) for m in r.messages] for r in model.requests]


async def test_direct_asks_once_for_the_bare_answer() -> None:
    model = Scripted('{"answer": 12}')
    result = await direct(TASK, Kernel(model))
    assert turns(model) == [
        [
            ("system", "Answer the question. Count in tens."),
            ("user", f"What is 5 + 7?\n\nGive only {ANSWER_HINT['number']}."),
        ]
    ]
    (request,) = model.requests
    assert (request.n, request.temperature, request.max_tokens) == (1, 0.0, 256)
    assert request.schema is not None
    assert list(request.schema["properties"]) == ["answer"]
    assert result.answer == 12


async def test_cot_asks_once_for_reasoning_and_answer() -> None:
    model = Scripted(worked(12))
    result = await cot(TASK, Kernel(model))
    assert turns(model) == [[("system", INSTRUCTION), ("user", question(TASK))]]
    (request,) = model.requests
    assert (request.n, request.temperature, request.max_tokens) == (1, 0.0, 384)
    assert request.schema is None
    assert result.answer == 12


async def test_choices_are_listed_and_answered_by_letter() -> None:
    task = Task(id="t", prompt="Which?", answer="choice", choices=("red", "green"))
    model = Scripted('{"answer": "B"}')
    result = await direct(task, Kernel(model))
    assert model.prompts == [f"Which?\n\nA. red\nB. green\n\nGive only {ANSWER_HINT['choice']}."]
    assert result.answer == "B"


async def test_self_consistency_takes_the_majority_of_samples_of_one_prompt() -> None:
    model = Scripted(lambda r, i: worked([7, 12, 12.0, 7, 12][i]))
    kernel = Kernel(model)
    result = await self_consistency(TASK, kernel)
    assert turns(model) == [[("system", INSTRUCTION), ("user", question(TASK))]]
    (request,) = model.requests
    assert (request.n, request.temperature) == (5, 0.7)
    assert (result.answer, result.notes["votes"], result.notes["cast"]) == (12, 3, 5)
    assert result.notes["answers"] == [7, 12, 12, 7, 12]
    assert len(result.candidates) == kernel.meter.calls == 5


async def test_a_tied_self_consistency_answers_what_it_saw_first() -> None:
    model = Scripted(lambda r, i: worked([5, 9, 5, 9][i]))
    assert (await self_consistency(TASK, Kernel(model), samples=4)).answer == 5


async def test_a_sample_that_fails_twice_is_no_vote() -> None:
    def answer(request: Any, i: int) -> str:
        return "7 7 7" if request.n == 1 or i < 2 else worked(12)

    model = Scripted(answer)
    result = await self_consistency(TASK, Kernel(model), samples=3)
    assert (result.answer, result.notes["votes"], result.notes["cast"]) == (12, 1, 1)
    assert [r.n for r in model.requests] == [3, 1, 1]


async def test_self_consistency_without_any_answer_abstains() -> None:
    result = await self_consistency(TASK, Kernel(Scripted("what?")), samples=2)
    assert result.answer is None or isinstance(result.answer, Unparsed)
    assert result.notes["cast"] == 0


async def test_self_refine_restates_its_own_answer_turn_after_turn() -> None:
    said = [worked(n) for n in (10, 11, 12)]
    model = Scripted(inorder(*said))
    kernel = Kernel(model)
    result = await self_refine(TASK, kernel, turns=3)
    first = [("system", INSTRUCTION), ("user", question(TASK))]
    verify = model.prompts[1]
    assert verify.startswith("Check your last answer")
    assert verify.endswith(closing(TASK))
    second = [*first, ("assistant", said[0]), ("user", verify)]
    assert turns(model) == [
        first,
        second,
        [*second, ("assistant", said[1]), ("user", verify)],
    ]
    assert result.answer == 12  # the last answer, not the majority
    assert result.notes["answers"] == [10, 11, 12]
    assert [e.call.sources for e in kernel.trace.events] == [(), (0,), (1,)]


async def test_a_last_turn_that_cannot_be_read_leaves_the_answer_before_it() -> None:
    model = Scripted(inorder(worked(12), "hm", "hm?"))
    result = await self_refine(TASK, Kernel(model), turns=2)
    assert result.answer == 12
    nothing = await self_refine(TASK, Kernel(Scripted("hm")), turns=2)
    assert isinstance(nothing.answer, Unparsed)


@pytest.mark.parametrize(("solve", "name"), [(self_consistency, "samples"), (self_refine, "turns")])
@pytest.mark.parametrize("value", [0, -1])
async def test_at_least_one_generation(solve: Callable[..., Any], name: str, value: int) -> None:
    model = Scripted(worked(1))
    with pytest.raises(BadInput, match=f"at least one .*, not {value}"):
        await solve(TASK, Kernel(model), **{name: value})
    assert model.requests == []


def test_a_question_is_the_task_and_how_to_end_the_reply() -> None:
    assert question(TASK) == f"What is 5 + 7?\n\n{closing(TASK)}"
