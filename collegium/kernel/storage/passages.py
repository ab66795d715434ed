"""Passages: what of a file a search finds, and the words it is found by."""

from __future__ import annotations

import re

LONGEST = 800
"""Characters of a passage: what a sentence embedder reads as a whole (MiniLM: 256 tokens)."""

_BLANK_LINE = re.compile(r"\n\s*\n")
_WORD = re.compile(r"\w+")


def split(text: str) -> list[str]:
    """Passages of a text: neighbouring paragraphs together, long ones cut between words."""
    found: list[str] = []
    for paragraph in _BLANK_LINE.split(text):
        whole = paragraph.strip()
        if found and whole and len(found[-1]) + 2 + len(whole) <= LONGEST:
            found[-1] += f"\n\n{whole}"
        else:
            found += _pieces(whole)
    return found


def _pieces(text: str) -> list[str]:
    """A text in pieces of at most LONGEST characters, cut at white space where there is any."""
    found: list[str] = []
    start = 0
    while len(text) - start > LONGEST:
        end = start + LONGEST
        cut = max(text.rfind(" ", start + 1, end + 1), text.rfind("\n", start + 1, end + 1))
        cut = cut if cut > start else end
        found.append(text[start:cut].strip())
        start = cut
    found.append(text[start:].strip())
    return [piece for piece in found if piece]


def words(query: str) -> list[str]:
    """The words of a query, each once, in their order."""
    return list(dict.fromkeys(_WORD.findall(query)))
