"""The errors a user can cause or meet, each carrying one sentence that says what to do.

Everything here derives from :class:`CollegiumError`; the command line turns those into one line
and exit code 2. Any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CollegiumError(Exception):
    """Base of every error a user can act on; ``str(error)`` is one clear sentence."""


class BadInput(CollegiumError):
    """A value, file or option is not what it must be; the sentence says what was expected."""


class PolicyError(BadInput):
    """A policy is not what it must be; the sentence names the place and what was expected."""


class DiskFull(BadInput):
    """The run store's disk is full; what was finished is kept.

    Attributes:
        kept: What was being written found room in what had been set aside.
    """

    kept = False


class UnknownName(BadInput):
    """A name (system, benchmark, model, paper, parameter ...) that does not exist."""


class Denied(CollegiumError):
    """An agent may not do what it tried to: a group, a permission or a policy stands against it."""


class Blocked(Denied):
    """A guard stands against a call, which was not made; the sentence says why.

    Args:
        message: What the agent is told.
        reason: The reason alone, for reports; None: the message.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or message


class LimitReached(CollegiumError):
    """A run used up one of its limits (tokens, calls, seconds or money)."""


class Stopped(LimitReached):
    """A guard ended the run: a policy says so, or the agent went in circles."""


class BudgetTooSmall(LimitReached, BadInput):
    """A limit leaves no room for even the first call."""


class ModelError(CollegiumError):
    """A model could not answer."""


class Transient(ModelError):
    """A model failed in a way that may pass; the kernel retries it.

    Args:
        message: What happened.
        retry_after: Seconds the provider asked us to wait, when it said so.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MissingKey(ModelError, BadInput):
    """A provider needs an API key that is not set."""


class Unreachable(ModelError):
    """A model's server could not be reached."""


class ContextTooLong(ModelError):
    """A request does not fit the model's context window."""


class WeightsMissing(ModelError, BadInput):
    """The weights of an embedded model are not on this machine and could not be fetched."""


class WeightsDamaged(ModelError, BadInput):
    """A weight file does not have the checksum it must have, or cannot be loaded."""


class ToolError(CollegiumError):
    """A tool failed, ran out of time, or is stuck; the sentence names it and says why."""


class MissingExtra(BadInput):
    """An optional library is needed that is not installed."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """Build the error for a name that does not exist, with the nearest existing one.

    Args:
        kind: What was being named, in the singular ("system", "benchmark" ...).
        name: What the user wrote.
        known: The names that exist.

    Returns:
        The exception, ready to raise.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif not names:
        hint = "there are none."
    else:
        shown = ", ".join(names[:12])
        hint = f"known: {shown}{', ...' if len(names) > 12 else ''}."
    return UnknownName(f"unknown {kind} {name!r}; {hint}")


def missing_extra(extra: str, what: str) -> MissingExtra:
    """Build the error for an optional library that is not installed."""
    return MissingExtra(f"{what} needs an extra: pip install 'collegium[{extra}]'.")
