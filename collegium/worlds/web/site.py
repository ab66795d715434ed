"""What a world needs from whoever runs a site: putting it back, and logging somebody in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec


class Cookie(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cookie as the browser is given it.

    Attributes:
        name: Its name.
        value: Its value.
        url: The site that it belongs to.
    """

    name: str
    value: str
    url: str


class Site(Protocol):
    """A site that is under our control. ``WebWorld(..., sites={"shop": site})``."""

    async def reset(self) -> None:
        """Put all its data back to how they were delivered; called before an episode begins."""
        ...

    async def cookies(self) -> Sequence[Cookie]:
        """The session of whoever an episode begins as; none: nobody is logged in.

        Called after :meth:`reset`, for tasks that require a login.
        """
        ...


class Tab(Protocol):
    """The page that a helper may look at: one of its own, logged in as the agent is."""

    async def goto(self, url: str) -> None:
        """Go to an address."""
        ...

    async def evaluate(self, script: str) -> Any:
        """Run JavaScript (an expression) in the page, and get its value."""
        ...


class Place(msgspec.Struct, frozen=True):
    """What a helper is given besides the arguments that the task names.

    Attributes:
        tab: A page to look at things with.
        hosts: The address of every site that is there.
    """

    tab: Tab
    hosts: Mapping[str, str]


Helper = Callable[..., Awaitable[str]]
"""A function that tasks may call as ``func:name('argument')``: it takes a :class:`Place` and then
the arguments, which are texts. ``WebWorld(..., helpers={"name": helper})``."""
