"""Worlds in a real browser: what is seen, what actions do, going back, the end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collegium.errors import BadInput
from collegium.worlds import opened as open_world
from collegium.worlds.play import Playable
from collegium.worlds.web import WebWorld
from collegium.worlds.web.acting import TOOLS
from collegium.worlds.world import OVER
from tests.worlds.web.site import Notes, web_task

GOLDEN = Path(__file__).with_name("golden")


def number(seen: str, name: str) -> int:
    """The number of an element with a name; of one that is more than text, if there is one."""
    found = re.findall(rf"\[(\d+)\] (\S+) '{re.escape(name)}'", seen)
    assert found, f"no {name!r} in:\n{seen}"
    text = ("StaticText", "RootWebArea")
    return int(min(found, key=lambda one: one[1] in text)[0])


def renumbered(seen: str) -> str:
    """Numbers that the browser chose, in the order of the lines."""
    known: dict[str, int] = {}
    return re.sub(r"\[(\d+)\]", lambda m: f"[{known.setdefault(m[1], len(known) + 1)}]", seen)


@pytest.mark.must_show("webarena", 5)
@pytest.mark.parametrize("mode", ["fixed", "compat"])
async def test_the_tree_of_a_real_page(opened, mode, request) -> None:
    _, seen = await opened("/", mode=mode)
    assert renumbered(seen) + "\n" == (GOLDEN / f"home-{mode}.txt").read_text()


@pytest.mark.must_show("webarena", 5)
@pytest.mark.parametrize("mode", ["fixed", "compat"])
async def test_a_click_goes_where_the_link_leads_and_a_stale_number_is_told(opened, mode) -> None:
    world, seen = await opened("/", mode=mode)
    link = number(seen, "All notes")
    turn = await world.step(f"click [{link}]")
    assert "Tab 0 (current): Notes" in turn.observation and "buy milk" in turn.observation
    if mode == "fixed":  # the browser gives numbers a second time
        turn = await world.step(f"click [{link}]")
        assert turn.observation.startswith(f"There is no element with the number {link};")
    turn = await world.step("click [987654]")
    assert turn.observation.startswith("There is no element with the number 987654;")
    assert "buy milk" in turn.observation and not turn.done


async def test_typing_choosing_and_sending_a_form(opened) -> None:
    world, seen = await opened()
    assert "value: 'old'" in seen
    await world.step(f"type [{number(seen, 'Words')}] [new words] [0]")
    await world.step(f"type [{number(seen, 'Kind')}] [blue] [0]")
    turn = await world.step(f"type [{number(seen, 'Day')}] [2024-02-29] [0]")
    assert "value: 'new words'" in turn.observation and "value: 'Blue'" in turn.observation
    turn = await world.step(f"click [{number(seen, 'Search')}]")
    for word in ("new words", "Blue", "2024-02-29"):
        assert f"StaticText '{word}'" in turn.observation
    world, seen = await opened()
    turn = await world.step(f"type [{number(seen, 'Day')}] [tomorrow] [0]")
    assert "The field takes a date in the form of HTML" in turn.observation
    turn = await world.step(f"type [{number(seen, 'Kind')}] [Green] [0]")
    assert "The list has no choice 'Green'." in turn.observation
    turn = await world.step(f"click [{number(turn.observation, 'Blue')}]")
    assert "value: 'Blue'" in turn.observation
    turn = await world.step(f"type [{number(seen, 'Words')}] []")
    assert "Tab 0 (current): Found" in turn.observation and "Blue" in turn.observation


async def test_compat_types_where_the_click_put_the_cursor(opened) -> None:
    world, seen = await opened(mode="compat")
    turn = await world.step(f"type [{number(seen, 'Words')}] [er] [1]")
    assert "StaticText 'older'" in turn.observation


async def test_tabs(opened) -> None:
    world, seen = await opened()
    turn = await world.step(f"click [{number(seen, 'In a tab')}]")
    assert "Tab 0: Home | Tab 1 (current): Notes" in turn.observation
    turn = await world.step("tab_focus [0]")
    assert "Tab 0 (current): Home" in turn.observation
    turn = await world.step("tab_focus [7]")
    assert "There is no tab 7; there are 0 to 1." in turn.observation
    turn = await world.step("new_tab")
    assert "Tab 2 (current): " in turn.observation
    turn = await world.step("goto [http://shop.test/notes]")
    assert "Page: http://shop.test/notes" in turn.observation
    turn = await world.step("close_tab")
    assert "Tab 0: Home | Tab 1 (current): Notes" in turn.observation
    await world.step("close_tab")
    turn = await world.step("close_tab")
    assert "Tab 0 (current): " in turn.observation


async def test_several_tabs_at_the_beginning(opened) -> None:
    task = web_task(start_url="__SHOP__/ |AND| __SHOP__/notes")
    _, seen = await opened(task)
    assert "Tab 0 (current): Home | Tab 1: Notes" in seen


async def test_back_forward_and_keys(opened) -> None:
    world, _ = await opened()
    turn = await world.step("go_back")  # nothing is before the beginning
    assert "Page: http://shop.test/" in turn.observation
    await world.step("goto [shop.test/notes]")
    assert "Home" in (await world.step("go_back")).observation
    assert "Notes" in (await world.step("go_forward")).observation
    assert "There is no key 'Blah'" in (await world.step("press [Blah]")).observation
    turn = await world.step("go_back")
    field = number(turn.observation, "Words")
    await world.step(f"click [{field}]")
    await world.step("press [ctrl+a]")
    turn = await world.step("press [Backspace x Enter]")
    assert "StaticText 'x'" in turn.observation


async def test_scrolling_shows_what_is_below(opened) -> None:
    world, seen = await opened("/tall")
    assert "Bottom" not in seen and "(The page goes on below.)" in seen
    await world.step("scroll [down]")
    turn = await world.step("scroll [down]")
    assert "Bottom" in turn.observation and "(The page goes on above.)" in turn.observation
    assert "Top" not in turn.observation
    _, seen = await opened("/tall", whole=True)
    assert "Top" in seen and "Bottom" in seen


async def test_what_can_be_clicked_without_a_name(opened) -> None:
    world, seen = await opened("/odd")
    assert "generic '' clickable" in seen
    turn = await world.step(f"click [{number(seen, '')}]")
    assert "Tab 0 (current): Hit" in turn.observation


async def test_frames_are_part_of_the_page(opened) -> None:
    world, seen = await opened("/frames")
    turn = await world.step(f"click [{number(seen, 'Press')}]")
    assert "button 'Pressed'" in turn.observation


async def test_the_tools_are_the_actions(opened) -> None:
    world, seen = await opened()
    assert isinstance(world, Playable) and world.snapshots == "replay"
    tools = {tool.spec.name: tool for tool in world.tools}
    assert tuple(tools) == TOOLS["typed"]
    told = await tools["type"].run({"id": number(seen, "Words"), "text": "a", "enter": True})
    assert "StaticText 'a'" in told
    assert "StaticText 'a'" in await tools["scroll"].run({"direction": "down"})
    with pytest.raises(BadInput):
        await tools["scroll"].run({"direction": "left"})
    assert (await tools["stop"].run({"answer": "a"})).endswith(OVER)
    with pytest.raises(BadInput, match="over"):
        await tools["new_tab"].run({})
    world, _ = await opened(form="text")
    (act,) = world.tools
    assert "Tab 0 (current): Notes" in await act.run({"action": "goto [http://shop.test/notes]"})
    assert "That is no action: 'fly [3]'" in await act.run({"action": "fly [3]"})


@pytest.mark.must_show("webarena", 2)
async def test_three_unreadable_actions_end_it_with_their_own_answer(opened) -> None:
    answer = {"eval_types": ["string_match"], "reference_answers": {"must_include": ["could not"]}}
    world, _ = await opened(web_task(eval=answer), mode="fixed")
    for _ in range(2):
        assert not (await world.step("fly [3]")).done
    turn = await world.step("click [x]")
    assert turn.done and "3 actions in a row could not be read" in turn.observation
    score = await world.judge("something else")  # the early stop's answer counts
    assert score.correct and turn.reward == 1.0


@pytest.mark.must_show("webarena", 6)
async def test_the_same_click_three_times_ends_it(opened) -> None:
    world, seen = await opened("/tall")
    for _ in range(2):
        assert not (await world.step(f"click [{number(seen, 'Top')}]")).done
    assert (await world.step(f"click [{number(seen, 'Top')}]")).done
    world, _ = await opened("/tall", stops=False, rounds=5)
    turns = [await world.step("scroll [down]") for _ in range(5)]
    assert [turn.done for turn in turns] == [False] * 4 + [True]


@pytest.mark.must_show("tree-search", 4)
async def test_going_back_brings_the_very_same_state(opened) -> None:
    world, first = await opened("/tall")
    await world.step("goto [http://shop.test/]")
    start = await world.snapshot()
    before = world.last.observation
    await world.step(f"type [{number(before, 'Words')}] [typed] [0]")
    await world.step("scroll [down]")
    assert "typed" in world.last.observation
    await world.step("go_back")
    await world.step("go_forward")
    assert world.last.observation != before  # going back in history is not going back
    await world.restore(start)
    assert world.last.observation == before
    await world.restore(start)
    assert world.last.observation == before
    assert len(world.moves) == 1
    assert first


async def test_going_back_puts_sites_back(opened, site: Notes) -> None:
    task = web_task("/notes", require_login=True)
    world, seen = await opened(task, sites={"shop": site})
    assert "StaticText 'ann'" in seen
    start = await world.snapshot()
    await world.step(f"type [{number(seen, 'Note')}] [call mum]")
    assert site.notes == ["buy milk", "call mum"]
    after = await world.snapshot()
    await world.restore(start)
    assert site.notes == ["buy milk"] and world.last.observation == seen
    await world.restore(after)
    assert site.notes == ["buy milk", "call mum"]


async def test_compat_goes_back_too_though_numbers_are_new(opened) -> None:
    world, seen = await opened(mode="compat")
    await world.step(f"type [{number(seen, 'Words')}] [er] [0]")
    held, before = await world.snapshot(), world.last.observation
    await world.step("goto [http://onestopmarket.com]")
    await world.restore(held)
    assert renumbered(world.last.observation) == renumbered(before)


async def test_episodes_share_nothing(opened) -> None:
    one, _ = await opened("/login")
    assert "StaticText 'ann'" in one.last.observation
    _, seen = await opened("/notes")
    assert "Log in" in seen
    assert "Log in" not in (await one.step("goto [http://shop.test/notes]")).observation
    await one.reset(0)


async def test_a_picture_of_the_page(opened) -> None:
    world, _ = await opened()
    assert (await world.screenshot()).startswith(b"\x89PNG")


async def test_it_is_opened_and_closed_like_any_world(browser, site: Notes) -> None:
    async with open_world(lambda: WebWorld(web_task(), {"shop": site.address}), 0) as (world, seen):
        assert "heading 'Notes'" in seen
    with pytest.raises(BadInput, match="reset it first"):
        await world.screenshot()  # type: ignore[attr-defined]


@pytest.mark.must_show("webarena", 8)
async def test_a_dead_host_is_told_of_and_others_go_on(opened, monkeypatch) -> None:
    for site in ("SHOP", "FORUM"):
        monkeypatch.delenv(f"COLLEGIUM_HOST_{site}", raising=False)
    dead = web_task(task_id=77)
    world = WebWorld(dead, {"shop": "http://127.0.0.1:1"})
    seen = await world.reset(0)
    assert seen.startswith("There is nothing to act on: web task 77: http://127.0.0.1:1/:")
    score = await world.judge("x")
    assert not score.correct and score.facts == {"not_run": True} and "web task 77" in score.reason
    with pytest.raises(BadInput, match="web task 77"):
        await world.step("click [1]")
    await world.close()
    lacking = WebWorld(
        web_task(task_id=78, sites=["shop", "forum"]), {"shop": "http://127.0.0.1:1"}
    )
    assert "web task 78: no site for it here (forum)" in await lacking.reset(0)
    await lacking.close()
    login = web_task(task_id=79, require_login=True, storage_state=".auth/none.json")
    _, seen = await opened(login)
    assert "web task 79: it begins logged in" in seen
    _, seen = await opened()
    assert "heading 'Notes'" in seen
