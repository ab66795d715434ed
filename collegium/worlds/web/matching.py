"""Comparing texts and addresses with what they should be (section 3.2 of WebArena).

``compat`` keeps the original's faults, ``fixed`` mends them:

* alternatives separated by " |OR| " count in texts to include, too;
* a single character has to stand alone wherever it is asked for, not only where it is all;
* an address matches another that is the same or lies below it, where the original takes any
  address with the other in it; and queries belong to their own address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from collegium.errors import missing_extra
from collegium.worlds.web.task import Mode

OR = " |OR| "


def clean(text: str) -> str:
    """A text as it is compared: without spaces around, one pair of quotes, and capitals."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return text.lower()


def exact_match(reference: str, text: str) -> bool:
    """Whether two texts are the same once cleaned."""
    return clean(reference) == clean(text)


def must_include(references: Sequence[str], text: str, mode: Mode, *, words: bool = True) -> bool:
    """Whether a text has all references in it.

    Args:
        references: The texts; in ``fixed`` each may hold alternatives.
        text: What they have to be in.
        mode: "fixed" or "compat".
        words: Whether a single character has to be a word of its own.
    """
    if mode == "compat":
        alone = words and len(references) == 1
        return all(_has(reference, text, alone, mode) for reference in references)
    return all(
        any(_has(one, text, words, mode) for one in reference.split(OR)) for reference in references
    )


def _has(reference: str, text: str, alone: bool, mode: Mode) -> bool:
    wanted, within = clean(reference), clean(text)
    if not alone or len(wanted) != 1:
        return wanted in within
    if mode == "compat":
        return wanted in _tokenizer().tokenize(within)
    one = re.escape(wanted)
    return re.search(rf"(?<![\w])(?<!\d[.,]){one}(?![\w]|[.,]\d)", within) is not None


@cache
def _tokenizer() -> Any:
    """The tokenizer of the original.

    Raises:
        MissingExtra: Its package is not installed.
    """
    try:
        from nltk.tokenize import NLTKWordTokenizer
    except ImportError:
        raise missing_extra("web", "scoring in compat mode") from None
    return NLTKWordTokenizer()


def html_match(required: dict[str, Any], text: str, mode: Mode) -> bool:
    """Whether a text of a page holds what a task requires (``required_contents``).

    Raises:
        KeyError: It requires something unknown.
    """
    (kind, wanted) = next(iter(required.items()))
    if kind == "exact_match":
        return exact_match(str(wanted), text)
    if kind != "must_include":
        raise KeyError(kind)
    return all(
        any(must_include([one], text, mode, words=False) for one in str(reference).split(OR))
        for reference in wanted
    )


def url_match(reference: str, url: str, mode: Mode) -> bool:
    """Whether an address is where a run had to end, by the rule "GOLD in PRED".

    Args:
        reference: One address or several.
        url: Where the run ended.
        mode: "fixed" or "compat".
    """
    wanted = [_parts(one.strip()) for one in reference.split(OR)]
    host, path, query = _parts(url)
    if mode == "fixed":
        return any(
            host == at and (path == below or path.startswith(below + "/")) and _asked(asks, query)
            for at, below, asks in wanted
        )
    pooled: dict[str, set[str]] = {}
    for _, _, asks in wanted:
        for key, values in asks.items():
            pooled.setdefault(key, set()).update(values)
    somewhere = any(at + below in host + path for at, below, _ in wanted)
    return somewhere and _asked({key: list(values) for key, values in pooled.items()}, query)


def _parts(url: str) -> tuple[str, str, dict[str, list[str]]]:
    parts = urlsplit(url.rstrip("/"))
    return parts.netloc, parts.path.rstrip("/"), parse_qs(parts.query)


def _asked(asks: dict[str, list[str]], query: dict[str, list[str]]) -> bool:
    """Whether each key that is asked for has one of its values."""
    return all(any(v in query.get(key, ()) for v in values) for key, values in asks.items())
