"""The pages, each a module with ``register(studio)``."""

from __future__ import annotations

from collegium.studio.pages import digest, episode, guard, paper, papers, run, worlds

PAGES = (papers, paper, run, guard, worlds, episode, digest)
"""Every module of pages."""
