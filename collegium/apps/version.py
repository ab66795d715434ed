"""Semantic versions, ordered by number and not by letter."""

from __future__ import annotations

import re

import msgspec

from collegium.errors import BadInput

_FORM = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)


class SemanticVersion(msgspec.Struct, frozen=True, order=True):
    """A version as semver.org orders them; a pre-release comes before its release.

    Attributes:
        numbers: Major, minor and patch.
        rank: Orders the pre-release: (1,) for a release, else 0 and its parts, where numbers come
            before words.
    """

    numbers: tuple[int, int, int]
    rank: tuple[tuple[int, int, str], ...]

    @classmethod
    def parse(cls, text: str) -> SemanticVersion:
        """Read a version.

        Raises:
            BadInput: It does not have the form ``1.2.3`` or ``1.2.3-beta.1``.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise BadInput(f"{text!r} is no version; write three numbers, such as 0.1.0.")
        major, minor, patch, before = match.groups()
        rank = [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in (before or "").split(".")]
        return cls((int(major), int(minor), int(patch)), tuple(rank) if before else ((2, 0, ""),))
