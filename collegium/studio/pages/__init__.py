"""The pages, each a module with ``register(studio)``."""

from __future__ import annotations

<<<<<<< HEAD
from collegium.studio.pages import compare, one_run, paper, papers, run_diff, runs

PAGES = (papers, paper, compare, runs, one_run, run_diff)
=======
from collegium.studio.pages import paper, papers, run

PAGES = (papers, paper, run)
>>>>>>> studio-a
"""Every module of pages."""
