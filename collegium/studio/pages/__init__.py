"""The pages, each a module with ``register(studio)``."""

from __future__ import annotations

from collegium.studio.pages import (
    compare,
    digest,
    episode,
    guard,
    one_run,
    paper,
    papers,
    run,
    run_diff,
    runs,
    worlds,
)

PAGES = (papers, paper, run, compare, runs, one_run, run_diff, guard, worlds, episode, digest)
"""Every module of pages."""
