"""The pages, each a module with ``register(studio)``."""

from __future__ import annotations

from collegium.studio.pages import papers

PAGES = (papers,)
"""Every module of pages."""
