"""Where the package keeps things on a user's machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where downloads live: ``COLLEGIUM_CACHE``, else ``collegium`` in the user's cache folder."""
    if chosen := os.environ.get("COLLEGIUM_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "collegium"
