"""The pages, each a module with ``register(studio)``."""

from __future__ import annotations

from collegium.studio.pages import paper, papers

PAGES = (papers, paper)
"""Every module of pages."""
