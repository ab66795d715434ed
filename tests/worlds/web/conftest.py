from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from collegium.worlds.web import WebTask, WebWorld
from collegium.worlds.web.browser import executable
from tests.worlds.web.site import Notes, web_task

Open = Callable[..., Awaitable[tuple[WebWorld, str]]]


@pytest.fixture(scope="session")
def browser() -> None:
    """Skips where there is no browser."""
    pytest.importorskip("playwright")
    if executable() is None:
        pytest.skip("no Chromium on this machine")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Notes]:
    """The site, and another place that it may not lead to."""
    made, outside = Notes(), Notes()
    made.outside = outside.address
    made.other = outside  # type: ignore[attr-defined]
    yield made
    made.close()
    outside.close()


@pytest.fixture
async def opened(browser: None, site: Notes) -> AsyncIterator[Open]:
    """Opens a task of the site: the world, and what is to be seen at first."""
    worlds: list[WebWorld] = []

    async def make(task: WebTask | str = "/", **options: Any) -> tuple[WebWorld, str]:
        given = web_task(task) if isinstance(task, str) else task
        world = WebWorld(given, {"shop": site.address}, **options)
        worlds.append(world)
        return world, await world.reset(0)

    yield make
    for world in worlds:
        await world.close()
