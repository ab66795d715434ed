"""What worlds there are: the benchmarks whose tasks are acted on."""

from __future__ import annotations

import msgspec

from collegium.tasks import web
from collegium.tasks.agentdojo import AGENTDOJO
from collegium.tasks.registry import FOLDERS, MINIWOB, SITES, WEB, benchmarks, text_kinds
from collegium.worlds.web import load_tasks


class WorldInfo(msgspec.Struct, frozen=True):
    """A line of the list of worlds.

    Attributes:
        name: What to write after ``--world`` and ``--on``.
        description: One line.
        size: Tasks of its test split that are here.
        missing: What it needs and how to get it, "" where it can be played.
        note: What else is to be said, after a semicolon; or "".
    """

    name: str
    description: str
    size: int
    missing: str
    note: str = ""


def world_infos() -> list[WorldInfo]:
    """The worlds in the order of the benchmarks. Nothing is started."""
    acting = {AGENTDOJO, FOLDERS, MINIWOB, SITES, *WEB, *text_kinds()}
    return [
        WorldInfo(i.name, i.description, i.present or 0, i.missing, _sites(i.name, i.missing))
        for i in benchmarks()
        if i.name in acting
    ]


def _sites(name: str, missing: str) -> str:
    """How many of the original's web tasks have no site here."""
    if name != web.WEBARENA or missing:
        return ""
    loaded = load_tasks(web.default_file())
    return f"; {len(web.without_site(loaded))} have no site here"
