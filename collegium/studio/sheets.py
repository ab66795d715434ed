"""Styles and scripts that only some pages load."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from nicegui import ui

STATIC = Path(__file__).with_name("static")


def load(*names: str) -> None:
    """Have the page at hand load files of the folder ``static``, and no other page."""
    for name in names:
        made = (
            f'<link rel="stylesheet" href="{_address(name)}">'
            if name.endswith(".css")
            else f'<script defer src="{_address(name)}"></script>'
        )
        ui.add_head_html(made)


@cache
def _address(name: str) -> str:
    """Where a file is, changing with what it holds."""
    return f"/_studio/{name}?{sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"
