"""The web interface: papers to read and run, runs to watch and compare, policies to write.

Pages are built with NiceGUI, which is an extra (``studio``) and is imported when the application is
made. Everything that pages show of models and tools is hostile: see :mod:`collegium.studio.safe`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collegium.studio.app import studio_app
    from collegium.studio.state import Studio

_HOMES = {"studio_app": "collegium.studio.app", "Studio": "collegium.studio.state"}

__all__ = ["Studio", "studio_app"]


def __getattr__(name: str) -> Any:
    """Load public names when they are first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'collegium.studio' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
