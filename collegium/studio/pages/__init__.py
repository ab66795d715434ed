"""The pages, each a module with ``register(studio)``."""

from __future__ import annotations

from collegium.studio.pages import compare, one_run, paper, papers, run, run_diff, runs

PAGES = (papers, paper, run, compare, runs, one_run, run_diff)
"""Every module of pages."""
