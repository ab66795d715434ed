"""Waivers: findings that somebody has looked at and left, each with a written reason.

In code, on the line of the finding or in a comment right above it::

    agent.use(name)  # doctor: ignore[MNFT] the kernel checks and handles every tool call

or in ``doctor.toml`` beside the manifest::

    [[waive]]
    type = "EPDD"
    symbol = "pyproject.toml"
    reason = "a library: upper bounds would clash with those of its users"

A waiver without a reason, of an unknown type, or in an unreadable file is an error.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.guard.doctor.findings import KINDS, Finding
from collegium.guard.doctor.sources import WAIVERS, Project

_COMMENT = re.compile(r"#\s*doctor:\s*ignore\s*(?:\[([^\]]*)\])?\s*(.*)$")


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One waiver of the file.

    Attributes:
        type: Of the findings it covers.
        reason: Why they are left.
        symbol: Theirs; may hold ``*``.
        file: Theirs; may hold ``*``.
    """

    type: str
    reason: str
    symbol: str = "*"
    file: str = "*"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    waive: list[Waiver] = []


def waive(findings: Iterable[Finding], project: Project) -> tuple[Finding, ...]:
    """Note on every finding the reason for which it is left, if there is one.

    Raises:
        BadInput: A waiver has no reason, or the file cannot be read.
        UnknownName: A waiver names a type that does not exist.
    """
    listed = read_waivers(project.waivers)
    comments: dict[str, dict[int, list[tuple[frozenset[str], str]]]] = {}
    marked = []
    for finding in findings:
        if finding.file not in comments:
            text = project.sources.get(finding.file, "")
            comments[finding.file] = _comments(finding.file, text) if "doctor:" in text else {}
        here = comments[finding.file].get(finding.line, [])
        reasons = [reason for kinds, reason in here if finding.type in kinds]
        reasons += [
            w.reason
            for w in listed
            if w.type == finding.type
            and fnmatchcase(finding.symbol, w.symbol)
            and fnmatchcase(finding.file, w.file)
        ]
        marked.append(msgspec.structs.replace(finding, waived=reasons[0]) if reasons else finding)
    return tuple(marked)


def read_waivers(text: str) -> list[Waiver]:
    """Read the text of a file of waivers.

    Raises:
        BadInput: It is no TOML of the right form, or a reason is missing.
        UnknownName: A type does not exist.
    """
    try:
        found = msgspec.toml.decode(text, type=_File).waive
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadInput(f"{WAIVERS} cannot be read: {error}.") from None
    for waiver in found:
        _check(waiver.type, waiver.reason, WAIVERS)
    return found


def _comments(path: str, text: str) -> dict[int, list[tuple[frozenset[str], str]]]:
    """Waivers in the comments of a file, by the line they are for."""
    found: dict[int, list[tuple[frozenset[str], str]]] = {}
    lines = text.splitlines()
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return found
    for token in tokens:
        matched = _COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
        if matched is None:
            continue
        line = token.start[0]
        kinds = frozenset(k.strip() for k in (matched.group(1) or "").split(",") if k.strip())
        where = f"{path}:{line}"
        if not kinds:
            raise BadInput(f"{where}: say what is ignored, as in '# doctor: ignore[MNFT] reason'.")
        for kind in kinds:
            _check(kind, matched.group(2), where)
        if lines[line - 1].lstrip().startswith("#"):  # it stands alone: it is for what follows
            while line < len(lines) and lines[line].lstrip().startswith("#"):
                line += 1
            line += 1
        found.setdefault(line, []).append((kinds, matched.group(2).strip()))
    return found


def _check(kind: str, reason: str, where: str) -> None:
    if kind not in KINDS:
        error = unknown_name("type of defect", kind, KINDS)
        raise type(error)(f"{where}: {error}")
    if not reason.strip():
        raise BadInput(
            f"{where}: a waiver of {kind} needs a reason; write why it is left as it is."
        )
