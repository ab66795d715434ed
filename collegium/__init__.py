"""collegium: a page of agent papers where every paper runs.

>>> import collegium as co
>>> co.run("mad", "What is 17 * 23?", model="local").answer  # doctest: +SKIP
>>> co.compare(["direct", "mad"], on="gsm-symbolic", limit=20)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from collegium.api import Run, acompare, arun, compare, run
    from collegium.kernel import Agent, Interceptor, Kernel, Limits, Tool, tool
    from collegium.systems import Result, system
    from collegium.tasks import Task

_HOMES = {
    "collegium.api": ("Run", "acompare", "arun", "compare", "run"),
    "collegium.kernel": ("Agent", "Interceptor", "Kernel", "Limits", "Tool", "tool"),
    "collegium.systems": ("Result", "system"),
    "collegium.tasks": ("Task",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Agent",
    "Interceptor",
    "Kernel",
    "Limits",
    "Result",
    "Run",
    "Task",
    "Tool",
    "acompare",
    "arun",
    "compare",
    "run",
    "system",
    "tool",
]


def __getattr__(name: str) -> Any:
    """Load public names when they are first used: importing the package stays quick."""
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'collegium' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value
