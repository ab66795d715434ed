"""A world in the browser is looked at after every move, for whoever reads the trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.api import arun
from collegium.errors import BadInput
from collegium.kernel import Event, Generate, Reply, ToolCall
from collegium.kernel.trace import decode_event, encode_event
from collegium.models import ScriptedModel
from collegium.tasks.task import Item, Task
from collegium.tasks.text_worlds import world_item
from collegium.worlds import Look
from collegium.worlds.web import WebWorld
from collegium.worlds.web.acting import TOOLS
from tests.worlds.web.site import Notes, web_task

SIGN = b"\xff\xd8\xff"


def scrolls(request: Generate) -> str | Reply[Any]:
    if any(m.role == "tool" for m in request.messages):
        return "Done."
    call = ToolCall("1", "scroll", {"direction": "down"})
    return Reply("", tool_calls=(call,), finish="tool")


def item_of(world: type[WebWorld], site: Notes) -> Item:
    task = Task(id="webarena/1", prompt="Look.", tools=TOOLS["typed"])
    return Item(task, "", world=lambda: world(web_task("/"), {"shop": site.address}))


async def looks(item: Item, folder: Path, **options: Any) -> tuple[list[Event], Any]:
    model = ScriptedModel(options.pop("model", scrolls))
    done = await arun("tool-calling", item, model=model, store=folder / "runs.db", **options)
    return [e for e in done.events if isinstance(e.call, Look)], done


async def test_before_the_first_call_and_after_every_move(
    browser: None, site: Notes, tmp_path: Path
) -> None:
    found, done = await looks(item_of(WebWorld, site), tmp_path, screens=True)
    assert len(found) == 2 and done.calls == 2
    again = [decode_event(encode_event(event)) for event in found]
    for event in again:
        assert isinstance(event.call, Look) and event.value["media_type"] == "image/jpeg"
    begin, end = found[0].id, found[1].id
    moved = next(e.id for e in done.events if getattr(e.call, "tool", "") == "scroll")
    assert begin < moved < end
    assert not (await looks(item_of(WebWorld, site), tmp_path))[0]


async def test_a_picture_that_cannot_be_taken_stops_nothing(
    browser: None, site: Notes, tmp_path: Path
) -> None:
    class Dark(WebWorld):
        async def screenshot(self, *, small: bool = False) -> bytes:
            raise BadInput("it is dark.")

    found, done = await looks(item_of(Dark, site), tmp_path, screens=True)
    assert [e.error for e in found] == ["it is dark."] * 2
    assert done.result.answer == "Done."


async def test_a_world_in_words_is_not_looked_at(tmp_path: Path) -> None:
    found, done = await looks(
        world_item("maze:1"), tmp_path, screens=True, model=lambda request: "I stay."
    )
    assert not found and done.score is not None


async def test_the_picture_is_a_jpeg_or_a_png(browser: None, site: Notes) -> None:
    world = WebWorld(web_task("/"), {"shop": site.address})
    with pytest.raises(BadInput, match="not begun"):
        await world.screenshot()
    await world.reset(0)
    assert (await world.screenshot(small=True)).startswith(SIGN)
    assert (await world.screenshot()).startswith(b"\x89PNG")
    await world.close()
    assert msgspec.to_builtins(Look(agent="a"))["type"] == "look"
