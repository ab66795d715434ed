"""Data of the apps: the hand-written descriptions by which compilers of apps are compared."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("descriptions.toml")


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A description of an app, and what a right answer to it has.

    Attributes:
        text: The description.
        tools: The tools a right manifest names.
        folders: The folders it may reach.
        missing: A word for the ability that no tool has; then a right answer is a refusal.
    """

    text: str
    tools: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    missing: str = ""


class _File(msgspec.Struct):
    descriptions: tuple[Description, ...]


def descriptions() -> tuple[Description, ...]:
    """The descriptions, in the order of the file."""
    return msgspec.convert(tomllib.loads(FILE.read_text(encoding="utf-8")), _File).descriptions
