"""Our tasks as worlds: a task, the copies of sites that it acts in, and who it acts as.

An episode borrows a copy of each site that its task names and gives it back when it is closed, so
that episodes side by side have copies of their own and those one after another share them. Before
an episode begins, the copies are put back to their first state.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from typing import Any

from collegium.errors import BadInput
from collegium.worlds.sites.helpers import HELPERS
from collegium.worlds.sites.running import give_back, take
from collegium.worlds.sites.server import SiteServer
from collegium.worlds.sites.site import DATA, find_site
from collegium.worlds.web import Cookie, Loaded, WebTask, WebWorld, load_tasks
from collegium.worlds.web.session import Session

SPLITS = ("test", "train")


class EpisodeSite:
    """A copy of a site as a web world uses it.

    Args:
        server: The copy.
        account: Who episodes begin as; "": the site's first account.
    """

    def __init__(self, server: SiteServer, account: str = "") -> None:
        self.server, self.account = server, account

    async def reset(self) -> None:
        """Put it back to its first state."""
        await asyncio.to_thread(self.server.reset)

    async def cookies(self) -> Sequence[Cookie]:
        """The session of whoever an episode begins as."""
        return [Cookie(**one) for one in self.server.cookies(self.account)]

    async def snapshot(self) -> bytes:
        """Its present state."""
        return await asyncio.to_thread(self.server.snapshot)

    async def restore(self, state: bytes) -> None:
        """Back to a state that it had."""
        await asyncio.to_thread(self.server.restore, state)


class SiteWorld(WebWorld):
    """A task on our sites as a world.

    Args:
        task: The task; its ``storage_state`` names who acts where that is not the first account,
            such as ``shop=owner@example.com``.
        options: Further arguments of :class:`~collegium.worlds.web.WebWorld`.

    Raises:
        BadInput: It names no site or account of ours.
    """

    def __init__(self, task: WebTask, **options: Any) -> None:
        self._accounts = accounts_of(task)
        self.servers: dict[str, SiteServer] = {}
        super().__init__(task, {}, helpers=HELPERS, **options)

    async def _begin(self, seed: int | None) -> Session:
        for name in self.task.sites:
            if name not in self.servers:
                self.servers[name] = await asyncio.to_thread(take, find_site(name))
        self._hosts = {name: server.url for name, server in self.servers.items()}
        self._sites = {
            name: EpisodeSite(server, self._accounts[name]) for name, server in self.servers.items()
        }
        return await super()._begin(seed)

    async def close(self) -> None:
        """Close the browser's context, and give the copies back."""
        try:
            await super().close()
        finally:
            for server in self.servers.values():
                give_back(server)
            self.servers = {}


def accounts_of(task: WebTask) -> dict[str, str]:
    """Who a task acts as, by site; "" is the site's first account.

    Raises:
        BadInput: It names no site or account of ours.
    """
    chosen = dict.fromkeys(task.sites, "")
    for one in filter(None, (task.storage_state or "").split(",")):
        name, equals, account = one.strip().partition("=")
        if not equals or name not in chosen:
            raise BadInput(
                f"web task {task.task_id}: who acts is written as SITE=ACCOUNT, not {one!r}."
            )
        chosen[name] = account
    for name, account in chosen.items():
        find_site(name).account(account)
    return chosen


@functools.cache
def site_tasks(split: str) -> Loaded:
    """Our tasks of a split.

    Raises:
        BadInput: There is no such split.
    """
    if split not in SPLITS:
        raise BadInput(f"the tasks on our sites have the splits {', '.join(SPLITS)}, not {split}.")
    return load_tasks(DATA / f"tasks_{split}.json")


def site_world(split: str, task_id: str, **options: Any) -> SiteWorld:
    """The world of one of our tasks.

    Args:
        split: "test" or "train".
        task_id: Such as ``shop-3``.
        options: Further arguments of :class:`~collegium.worlds.web.WebWorld`.

    Raises:
        BadInput: There is no such split or task.
    """
    return SiteWorld(site_tasks(split).task(task_id), **options)
