"""What the checks of our tasks look up in a site, because its address depends on what was done."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol


class Tab(Protocol):
    """A page to look with."""

    async def goto(self, url: str) -> None:
        """Go to an address."""
        ...

    async def evaluate(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        ...


class Place(Protocol):
    """What a helper is given."""

    @property
    def tab(self) -> Tab:
        """A page of its own."""
        ...

    @property
    def hosts(self) -> Mapping[str, str]:
        """The addresses of the sites."""
        ...


async def _first_link(place: Place, url: str, selector: str) -> str:
    await place.tab.goto(url)
    found = await place.tab.evaluate(f"document.querySelector({json.dumps(selector)})?.href")
    return str(found or url)


async def shop_latest_order_url(place: Place) -> str:
    """The page of the customer's latest order."""
    url = f"{place.hosts['shop']}/accounts/orders/"
    return await _first_link(place, url, "table a[href*='/accounts/orders/']")


async def shop_wish_list_url(place: Place) -> str:
    """The page of the customer's first wish list."""
    url = f"{place.hosts['shop']}/accounts/wishlists/"
    return await _first_link(place, url, "table a[href*='/wishlists/']")


async def forum_topic_url(place: Place, title: str) -> str:
    """The page of the latest topic with a title; the front page when there is none."""
    host = place.hosts["forum"]
    for page in (1, 2, 3):
        await place.tab.goto(f"{host}/topic/active/?page={page}")
        found = await place.tab.evaluate(
            "[...document.querySelectorAll('a[href*=\"/topic/\"]')]"
            f".find(a => a.textContent.trim() === {json.dumps(title)})?.href"
        )
        if found:
            return str(found)
    return host


async def cms_messages_url(place: Place) -> str:
    """The page of the management that lists what visitors sent."""
    url = f"{place.hosts['cms']}/admin/forms/"
    return await _first_link(place, url, "main a[href*='/admin/forms/submissions/']")


HELPERS: dict[str, Callable[..., Awaitable[str]]] = {
    one.__name__: one
    for one in (shop_latest_order_url, shop_wish_list_url, forum_topic_url, cms_messages_url)
}
"""By the name that tasks use."""
