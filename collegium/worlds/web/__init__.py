"""Web sites as worlds: a real browser, and WebArena's actions, observations, tasks and checks."""

from collegium.worlds.web.site import Cookie, Helper, Place, Site, Tab
from collegium.worlds.web.task import (
    Evaluation,
    Loaded,
    Mode,
    Target,
    WebTask,
    filled,
    given_hosts,
    load_tasks,
    missing_hosts,
)
from collegium.worlds.web.world import WebWorld, web_world

PAPER = "webarena"

__all__ = [
    "Cookie",
    "Evaluation",
    "Helper",
    "Loaded",
    "Mode",
    "Place",
    "Site",
    "Tab",
    "Target",
    "WebTask",
    "WebWorld",
    "filled",
    "given_hosts",
    "load_tasks",
    "missing_hosts",
    "web_world",
]
