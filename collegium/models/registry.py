"""Models by name."""

from __future__ import annotations

from typing import Any

from collegium.models.local import LocalModel
from collegium.models.model import Model

_open: dict[tuple[str, Any], Model] = {}


def open_model(name: str, *, exact: bool = True, **options: Any) -> Model:
    """stub"""
    key = (name, (exact, *sorted(options.items())))
    if key not in _open:
        _open[key] = LocalModel(name, exact=exact, **options)
    return _open[key]
