"""Distilled runs of ``routine``: kept when their calls replay to the gold state, else counted."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest

from collegium.kernel import Kernel, Message
from collegium.learning.capture import Trajectory, captured
from collegium.learning.distill import Distilled, calls_of, distilled, replayed
from collegium.learning.masking import loss_mask, tokenised
from collegium.systems.routine import routine
from collegium.tasks.task import Task
from collegium.worlds.hr import HRWorld, case, gold
from tests.worlds.hr.follower import follower, gold_turns, turn

Change = Callable[[int, str], str]


def make(task: str) -> HRWorld:
    return HRWorld("train", int(task.rpartition("/")[2]))


async def run(number: int, change: Change | None = None, *, follow: bool = True) -> Trajectory:
    """A run on a request of the training split, captured."""
    task = f"hr/train/{number}"
    world = make(task)
    await world.reset(0)
    kernel = Kernel(follower("train", number, change), tools=world.tools, seed=1)
    asked = case("train", number)
    text = f"{asked.job}: {asked.text}"
    given = Task(id=task, prompt=text, tools=tuple(t.spec.name for t in world.tools))
    await routine(given, kernel, embedder="hash", floor=0.0, follow=follow)
    await kernel.aclose()
    await world.close()
    return captured(f"routine/{number}", task, kernel.trace.events, system="routine")


def forgets_the_end(at: int, said: str) -> str:
    """Finish where the third call should be."""
    return turn("4", "finish", answer="Done.") if at == 2 else said


async def some() -> list[Trajectory]:
    """Seven perfect runs, one for each kind of request, and two that stop too early."""
    good = [await run(number) for number in range(7)]
    bad = [await run(number, forgets_the_end) for number in (7, 8)]
    return [*good, *bad]


@pytest.mark.must_show("routine", 8)
async def test_what_replays_is_kept_and_the_rest_is_counted() -> None:
    runs = await some()
    found = await distilled(runs, make)
    assert found.counts == {"runs": 9, "kept": 7, "left out": 2}
    assert found.kept == tuple(f"routine/{i}" for i in range(7))
    assert found.left_out == {
        "routine/7": "the state is not reached",
        "routine/8": "the state is not reached",
    }
    assert len(found.examples) == 7
    # every kept example replays: its own calls, on a new world, lead to the gold state
    for number, trajectory in enumerate(runs[:7]):
        world = make(trajectory.task)
        await world.reset(0)
        assert (await replayed(trajectory, world)).good
        wanted = gold("train", number)
        assert world.service.content() == wanted.content
        made = [(r.tool, r.arguments) for r in calls_of(trajectory)]
        assert made == [(c.tool, c.arguments) for c in wanted.calls]
        await world.close()


@pytest.mark.must_show("routine", 8)
async def test_a_run_whose_record_is_not_what_happens_is_left_out() -> None:
    whole = await run(0)
    step = whole.steps[1]
    told = msgspec.structs.replace(step.results[0], value={"days": 99})
    forged = msgspec.structs.replace(
        whole,
        steps=(
            whole.steps[0],
            msgspec.structs.replace(step, results=(told,)),
            *whole.steps[2:],
        ),
    )
    found = await distilled([forged], make)
    assert found.left_out == {"routine/0": "a call gave something else"}
    assert found.examples == ()


def words(message: Message) -> list[int]:
    return [len(word) for word in message.text.split()]


async def test_only_calls_are_learnt_and_failed_ones_are_not() -> None:
    def again(at: int, said: str) -> str:
        if at == 0:
            return turn("1", "find_employee", name="Nobody")
        turns = gold_turns("train", 0)
        return turns[min(at - 1, len(turns) - 1)]

    found = await distilled([await run(0, again)], make)
    (example,) = found.examples
    agents = [s for s in example.segments if s.kind == "agent"]
    assert [s.bad for s in agents] == [True] + [False] * (len(agents) - 1)
    assert "Nobody" in agents[0].message.text
    pieces = tokenised(example, words)
    mask = loss_mask(pieces, masking=True)
    learnt = sum(len(words(s.message)) for s in agents[1:])
    assert sum(mask) == learnt


async def both() -> tuple[Distilled, Distilled]:
    runs = [await run(0)]
    return await distilled(runs, make), await distilled(runs, make, routine=False)


async def test_the_routine_can_be_taken_out() -> None:
    guided, unguided = await both()
    first, second = guided.examples[0].segments, unguided.examples[0].segments
    assert len(first) == len(second)
    assert "go to step 3-2-1" in first[0].message.text
    # exactly the prompt and the turns of a run without a Routine
    plain = (await run(0, follow=False)).steps
    assert second[0].message == plain[0].prompt[0]
    said = [json.loads(s.message.text) for s in second if s.kind == "agent"]
    assert said == [json.loads(step.reply.text) for step in plain]
