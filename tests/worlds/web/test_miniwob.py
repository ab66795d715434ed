"""MiniWoB++: its pages, its rewards, and players that know nothing."""

from __future__ import annotations

import re

import pytest

from collegium.errors import BadInput, UnknownName
from collegium.tasks import load
from collegium.tasks.text_worlds import world_item
from collegium.tasks.web import web_floors
from collegium.worlds.web import miniwob
from collegium.worlds.web.miniwob import MiniwobWorld
from tests.worlds.web.test_world import number

pytestmark = [
    pytest.mark.usefixtures("browser"),
    pytest.mark.skipif(bool(miniwob.missing()), reason="miniwob is not installed"),
]


async def test_a_true_reward_for_the_right_click_and_for_a_wrong_one() -> None:
    world = MiniwobWorld("click-button", 3)
    seen = await world.reset(0)
    wanted = re.search(r'Task: Click on the "(.*)" button', seen)
    assert wanted, seen
    assert (await world.judge(None)).facts == {"done": False, "reward": 0.0}
    turn = await world.step(f"click [{number(seen, wanted[1])}]")
    assert turn.done and turn.reward == 1.0
    score = await world.judge(None)
    assert score.correct and score.facts == {"done": True, "reward": 1.0}
    assert await world.reset(5) == seen  # the episode is that of its number
    others = [n for n in re.findall(r"button '(.*?)'", seen) if n != wanted[1]]
    wrong = number(seen, others[0]) if others else 1
    turn = await world.step(f"click [{wrong}]")
    assert not (await world.judge(None)).correct
    with pytest.raises(BadInput, match="over"):
        await world.step("scroll [down]") if turn.done else await over(world)
    await world.close()


async def over(world: MiniwobWorld) -> None:
    for _ in range(20):
        await world.step("scroll [down]")


async def test_typing_and_choosing() -> None:
    world = MiniwobWorld("enter-text", 1)
    seen = await world.reset()
    wanted = re.search(r'Enter "(.*)" into', seen)
    assert wanted
    field = re.search(r"\[(\d+)\] textbox", seen)
    assert field
    await world.step(f"type [{field[1]}] [{wanted[1]}] [0]")
    assert (await world.step(f"click [{number(seen, 'Submit')}]")).reward == 1.0
    await world.close()
    world = MiniwobWorld("choose-list", 1)
    seen = await world.reset()
    wanted = re.search(r"Select (.*) from the list", seen)
    assert wanted
    await world.step(f"click [{number(seen, wanted[1])}]")
    assert (await world.step(f"click [{number(seen, 'Submit')}]")).reward == 1.0
    await world.close()


def test_episodes_of_all_tasks() -> None:
    names = miniwob.tasks()
    assert len(names) >= 100
    whole = load("miniwob", seed=None)
    assert [item.task.stratum for item in whole.items] == list(names)
    some = load("miniwob", limit=20).items
    assert len({item.task.stratum for item in some}) == 20
    one = load("miniwob:click-button").items
    assert len(one) == 20 and {item.task.stratum for item in one} == {"click-button"}
    ids = {s: {i.task.id for i in load("miniwob", split=s).items} for s in ("test", "train")}
    assert not ids["test"] & ids["train"]
    assert world_item("miniwob:click-button").task.id == "miniwob/click-button/0"
    with pytest.raises(UnknownName, match="did you mean 'click-button'"):
        load("miniwob:click-buton")


async def test_tasks_of_all_kinds_can_be_played() -> None:
    for name in miniwob.tasks()[::9]:  # every one takes most of a second
        world = MiniwobWorld(name)
        seen = await world.reset()
        assert not world.problem, world.problem
        assert re.match(r"Task: \S", seen) and world.actions(), name
        await world.close()


async def test_going_back_in_an_episode() -> None:
    world = MiniwobWorld("click-checkboxes", 2)
    seen = await world.reset()
    start = await world.snapshot()
    box = re.search(r"\[(\d+)\] checkbox", seen)
    assert box
    turn = await world.step(f"click [{box[1]}]")
    assert "checked: True" in turn.observation
    await world.restore(start)
    assert world.last.observation == seen
    await world.close()


def test_what_players_reach_that_know_nothing() -> None:
    items = [load(f"miniwob:{name}", limit=2).items for name in ("click-button", "click-test")]
    floors = web_floors([item for some in items for item in some], 4)
    assert floors["doing nothing"] == 0.0
    assert 0.0 <= floors["random clicks"] <= 1.0
