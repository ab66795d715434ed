r"""The patterns of the policy language: the part of ECMAScript's that means the same everywhere.

One engine decides what a pattern matches: the linear-time one of ``jsonschema_rs``. It never
backtracks, so no pattern can hang the check, and it knows neither look-around nor back-references.
What it takes beyond ECMAScript, or reads otherwise, is refused here, so that a pattern means what
a reader thinks and what the analysis models:

* A pattern is **searched for**: it need not match the whole string. ``^`` and ``$`` pin it to the
  beginning and the very end (not before a last line break).
* Characters stand for themselves. The characters ``^$\.*+?()[]{}|`` need a backslash; any other
  ASCII mark but ``<`` and ``>`` may have one.
* ``.`` is any character but the line ends ``\n``, ``\r``, U+2028 and U+2029.
* ``\d`` is ``[0-9]`` and ``\w`` is ``[A-Za-z0-9_]``: ASCII alone. ``\s`` is white space as
  ECMAScript has it, U+FEFF included. ``\D \W \S`` are their opposites.
* ``\t \n \r \f \v``, ``\xHH`` and ``\uHHHH`` (no surrogates) are single characters.
* ``[...]`` and ``[^...]`` are classes of characters, ranges and the escapes above. In a class,
  ``[``, ``]`` and ``\`` need a backslash, and ``^`` at its beginning; neither ``&&``, ``--`` nor
  ``~~`` may occur.
* ``(...)`` and ``(?:...)`` group, ``|`` separates alternatives.
* ``* + ? {m} {m,} {m,n}`` repeat; a ``?`` after them changes nothing in a search.
* ``\b`` and ``\B`` are the edges of words, where letters of every script count as word
  characters. (ECMAScript counts ASCII alone: the one difference.)
"""

from __future__ import annotations

import re

from collegium.errors import PolicyError

MAX_LENGTH = 10_000
"""Longest pattern, in characters."""

_PUNCTUATION = r"\\[!-/:;=?@\[-`{-~]"
_CHARACTER = (
    rf"\\[dDwWsStnrfv]|\\x[0-9A-Fa-f]{{2}}|\\u(?![dD][89A-Fa-f])[0-9A-Fa-f]{{4}}|{_PUNCTUATION}"
)
_QUANTIFIER = r"(?:[*+?]|\{\d{1,4}(?:,(?:\d{1,4})?)?\})\??"
_TOKEN = re.compile(
    rf"""
    (?P<class>\[\^?(?:{_CHARACTER}|(?!&&|--|~~)[^\[\]\\])+\])
  | (?P<anchor>\^|\$|\\[bB])
  | (?P<open>\((?:\?:)?(?!\?))
  | (?P<close>\))
  | (?P<or>\|)
  | (?P<times>{_QUANTIFIER})
  | (?P<character>{_CHARACTER}|[^\\^$*+?()\[\]{{}}|])
    """,
    re.VERBOSE | re.DOTALL,
)


def check_pattern(pattern: str) -> None:
    """Make sure that a pattern belongs to the language.

    Raises:
        PolicyError: It does not; the message names the place.
    """
    if len(pattern) > MAX_LENGTH:
        raise PolicyError(f"a pattern has at most {MAX_LENGTH} characters, not {len(pattern)}.")
    at, before = 0, ""
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        kind = token.lastgroup if token else None
        repeats_nothing = kind == "times" and before not in ("class", "close", "character")
        if token is None or kind is None or repeats_nothing:
            raise PolicyError(
                f"the pattern {pattern!r} is not of the language at {pattern[at : at + 12]!r}; "
                f"{_advice(pattern[at:], repeats_nothing)}."
            )
        at, before = token.end(), kind


def _advice(rest: str, repeats_nothing: bool) -> str:
    """What to write instead."""
    if rest.startswith(("(?=", "(?!", "(?<")):
        return "there is no look-ahead, look-behind or named group"
    if rest.startswith("(?"):
        return "flags do not exist; write [Aa] for either case"
    if repeats_nothing:
        return "there is nothing to repeat"
    if re.match(r"\\[1-9]", rest):
        return "there are no references to groups"
    if rest.startswith("["):
        return r"in a class, [, ] and \ need a backslash, and &&, -- and ~~ do not exist"
    if rest.startswith("\\"):
        return "there is no such escape"
    return "the character needs a backslash, or its partner is missing"
