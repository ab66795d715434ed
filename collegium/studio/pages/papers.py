"""The front page: the papers, and how to run them."""

from __future__ import annotations

from nicegui import ui

from collegium.catalog import papers
from collegium.studio.frame import frame
from collegium.studio.safe import tag
from collegium.studio.state import Studio


def register(studio: Studio) -> None:
    """Declare the pages."""

    @ui.page("/")
    def front() -> None:
        with frame("Papers", active="papers"):
            tag("h1", "Papers on agents, running")
            for entry in papers():
                with tag("article", cls="card", data_row=""):
                    tag("h2", entry.title)
                    tag("p", entry.summary, cls="dim")
