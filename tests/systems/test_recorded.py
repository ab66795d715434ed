"""The systems on real text: replies of the embedded model, recorded once and replayed."""

from collections.abc import Callable

import pytest

from collegium.kernel import Generate, Kernel
from collegium.models.model import Model
from collegium.systems import get_system
from collegium.systems.solve import solve
from collegium.tasks.task import Task

EASY = Task(id="easy", prompt="A book costs 7 dollars. How much do 3 books cost?", answer="number")
CHOICE = Task(
    id="choice",
    prompt="Which keyword begins the definition of a function in Python?",
    answer="choice",
    choices=("if", "def", "for", "while"),
)
RUNS = [
    ("direct", {}),
    ("cot", {}),
    ("self-consistency", {"samples": 3}),
    ("self-refine", {"turns": 2}),
    ("mad", {"agents": 2, "rounds": 2}),
]


@pytest.mark.parametrize(("name", "parameters"), RUNS, ids=[name for name, _ in RUNS])
@pytest.mark.parametrize("task", [EASY, CHOICE], ids=lambda t: t.id)
async def test_systems_on_the_embedded_model(
    recorded: Callable[[str], Model], name: str, parameters: dict[str, int], task: Task
) -> None:
    kernel = Kernel(recorded("local-small"), seed=11)
    chosen = get_system(name)
    bound = chosen.bind(parameters)
    result = (await solve(chosen, task, kernel, bound)).result
    if task is EASY:  # for half a billion parameters too: a failure is our prompt or our reading
        assert result.answer == 21
    else:  # the model does not know it every time, but it always gives one of the letters
        assert result.answer in task.letters
    turns = [e for e in kernel.trace.events if isinstance(e.call, Generate)]
    assert chosen.cost is not None
    repairs = sum(e.outcome == "fix" for e in turns)
    assert kernel.meter.calls == chosen.cost(bound) + repairs
    assert repairs <= chosen.cost(bound)


async def test_debaters_read_each_other_on_real_text(recorded: Callable[[str], Model]) -> None:
    kernel = Kernel(recorded("local-small"), seed=11)
    mad = get_system("mad")
    result = (await solve(mad, EASY, kernel, mad.bind({"agents": 2, "rounds": 2}))).result
    first, second = result.notes["texts"]
    prompts = {
        e.call.agent: e.call.messages[-1].text
        for e in kernel.trace.events
        if isinstance(e.call, Generate) and e.call.outcome == "ok"
    }
    assert first[1] in prompts["debater-1"]
    assert first[0] in prompts["debater-2"]
    assert len(second) == 2
