"""The pages, each a module with ``register(studio)``."""

from __future__ import annotations

from collegium.studio.pages import paper, papers, run

PAGES = (papers, paper, run)
"""Every module of pages."""
