"""What sites there are: a package each, run as it is, with data of ours.

A site is a published web application in a virtual environment of its own, because their
dependencies do not go together. Its accounts, their passwords and the keys it signs cookies with
are written here and in its program for everyone to read: a site is for agents to act in, listens on
the loopback alone, and holds nothing that is worth keeping.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from collegium.errors import unknown_name
from collegium.folders import cache_folder

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
DATA = HERE / "data"
REQUIREMENTS = HERE / "requirements"

ALL = "all"


class Account(msgspec.Struct, frozen=True):
    """Someone who can sign in.

    Attributes:
        name: What is typed as user name or address.
        password: Harmless, and the same in every copy.
        can: What the account may do, in words.
        session: Value of the session cookie of somebody who is signed in as this account.
    """

    name: str
    password: str
    can: str
    session: str


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A web site that can be run.

    Attributes:
        name: As on the command line.
        title: What its pages call themselves.
        package: The application, as the package index calls it.
        licence: Of the application.
        what: One line.
        port: Where it listens if that port is free.
        accounts: Who can sign in; tasks act as the first unless they name another.
        cookie: Name of the cookie that holds the session.
        databases: Its SQLite databases, inside its folder.
        folders: What else of its folder changes when it is used.
        sign_in: Path of the page where one signs in.
        needs: Programs that must be on the machine.
    """

    name: str
    title: str
    package: str
    licence: str
    what: str
    port: int
    accounts: tuple[Account, ...]
    cookie: str
    databases: tuple[str, ...] = ("db.sqlite3",)
    folders: tuple[str, ...] = ()
    sign_in: str
    needs: tuple[str, ...] = ()

    @property
    def placeholder(self) -> str:
        """What stands for its address in the texts of tasks."""
        return f"__{self.name.upper()}__"

    @property
    def home(self) -> Path:
        """Where its environment and its copies lie."""
        return cache_folder() / "sites" / self.name

    @property
    def pins(self) -> dict[str, str]:
        """The packages of its environment and their versions."""
        lines = (REQUIREMENTS / f"{self.name}.txt").read_text().splitlines()
        pinned = (line.partition("==") for line in lines if "==" in line and line[0] != "#")
        return {name.strip(): version.strip() for name, _, version in pinned}

    @property
    def version(self) -> str:
        """The version of the application."""
        return self.pins[self.package]

    def account(self, name: str = "") -> Account:
        """An account by name; without one, the account that tasks act as.

        Raises:
            UnknownName: There is no such account.
        """
        by_name = {account.name: account for account in self.accounts}
        if name and name not in by_name:
            raise unknown_name(f"account of {self.name}", name, by_name)
        return by_name[name] if name else self.accounts[0]


SITES: dict[str, Site] = {
    site.name: site
    for site in (
        Site(
            name="shop",
            title="Fernwick Supplies",
            package="django-oscar",
            licence="BSD-3-Clause",
            what="a shop with categories, search, reviews, baskets, orders and a dashboard",
            port=7770,
            accounts=(
                Account("mara.quill@example.com", "hazelnut-17", "customer", "shopmaraquill000"),
                Account("otis.brand@example.com", "hazelnut-18", "customer", "shopotisbrand000"),
                Account("owner@example.com", "hazelnut-01", "staff, dashboard", "shopowner0000000"),
            ),
            cookie="shop_session",
            folders=("index", "media"),
            sign_in="/accounts/login/",
        ),
        Site(
            name="forum",
            title="Fernwick Commons",
            package="django-spirit",
            licence="MIT",
            what="a forum with categories, topics, likes, polls, private topics and moderation",
            port=9999,
            accounts=(
                Account("mara_quill", "hazelnut-17", "member", "forummaraquill00"),
                Account("tobias_reed", "hazelnut-02", "moderator", "forumtobiasreed0"),
            ),
            cookie="forum_session",
            folders=("index", "media"),
            sign_in="/user/login/",
        ),
        Site(
            name="code",
            title="Skylark",
            package="trac",
            licence="BSD-3-Clause",
            what="tickets, milestones, a wiki and a browser of a Git repository",
            port=8023,
            accounts=(
                Account(
                    "mquill",
                    "hazelnut-17",
                    "files and edits tickets and wiki pages",
                    "c0de00000000000000000000000001aa",
                ),
                Account(
                    "treed",
                    "hazelnut-02",
                    "manages milestones, reports and wiki pages",
                    "c0de00000000000000000000000002aa",
                ),
            ),
            cookie="trac_auth",
            databases=("db/trac.db",),
            folders=("files",),
            sign_in="/login",
            needs=("git",),
        ),
        Site(
            name="cms",
            title="Fernwick",
            package="wagtail",
            licence="BSD-3-Clause",
            what="the pages of a workshop and the content management behind them",
            port=7780,
            accounts=(
                Account("mara", "hazelnut-17", "edits and publishes", "cmsmaraquill0000"),
                Account("otis", "hazelnut-18", "edits, cannot publish", "cmsotisbrand0000"),
                Account("admin", "hazelnut-01", "everything", "cmsadmin00000000"),
            ),
            cookie="cms_session",
            folders=("media",),
            sign_in="/admin/login/",
        ),
    )
}


def find_site(name: str) -> Site:
    """A site by name.

    Raises:
        UnknownName: There is no such site.
    """
    if name not in SITES:
        raise unknown_name("site", name, [*SITES, ALL])
    return SITES[name]


def find_sites(names: Iterable[str]) -> list[Site]:
    """Sites by name, each once; ``all`` names all of them.

    Raises:
        UnknownName: There is no such site.
    """
    chosen: dict[str, Site] = {}
    for name in names:
        for site in SITES.values() if name == ALL else (find_site(name),):
            chosen[site.name] = site
    return list(chosen.values())
