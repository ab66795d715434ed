"""Reading the file of a survey into its structs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from collegium.catalog.taxonomy import CatalogDamaged

T = TypeVar("T")


def read_survey(file: Path, kind: type[T]) -> T:
    """Read a file.

    Args:
        file: A TOML file.
        kind: The struct of its whole.

    Raises:
        CatalogDamaged: It is missing, is not TOML, or has other fields than the struct.
    """
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), kind)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise damage(file, str(error)) from error


def known_only(file: Path, what: str, used: Iterable[str], known: Iterable[str]) -> None:
    """Make sure that a file uses only names that exist.

    Raises:
        CatalogDamaged: It uses another one; the message lists those there are.
    """
    allowed = list(known)
    for name in used:
        if name not in allowed:
            raise damage(file, f"{name!r} is no {what}; allowed: {', '.join(allowed)}")


def damage(file: Path, fault: str) -> CatalogDamaged:
    """The error for a file that cannot be used."""
    return CatalogDamaged(f"The survey {file.name} cannot be used: {fault}.")
