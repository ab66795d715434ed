"""A conformance run as a table for the terminal, and as a page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from collegium.protocols.matrix import FEATURES, MEANINGS, Matrix, Row

INTRODUCTION = (
    "Every client against every server, on real sockets. The servers are ours and those of the "
    "official packages; so are the clients. Every cell is a check that was run."
)

MARKS = {True: "yes", False: "**no**", None: "–"}


def as_markdown(found: Matrix) -> str:
    """A matrix as a table, with how long calls took."""
    lines = [
        f"| protocol | client | server | {' | '.join(FEATURES)} | call, ms (median, p95) |",
        "|---" * (len(FEATURES) + 4) + "|",
    ]
    for row in found.rows:
        call = row.cells["call"]
        took = f"{call.milliseconds:g}, {call.slowest:g}" if call.passed else ""
        lines.append(f"{_line(row)} {took} |")
    lines += ["", f"The same run without a protocol takes {found.direct:g} ms (median).", ""]
    return "\n".join([*lines, *_notes(found, (False,))]).rstrip() + "\n"


def as_page(found: Matrix) -> str:
    """A matrix as a page of the documentation: what passed, and nothing that changes by itself."""
    lines = [
        "# Who understands whom",
        "",
        INTRODUCTION,
        "",
        "This page is written by `collegium interop matrix --out docs/guides/interop-matrix.md`; "
        "the tests run the matrix anew and compare. The packages of ACP and ANP want an "
        "environment of their own, in which the tests speak to them: `make peers`.",
        "",
        f"| protocol | client | server | {' | '.join(FEATURES)} |",
        "|---" * (len(FEATURES) + 3) + "|",
        *map(_line, found.rows),
        "",
        *(f"- **{name}**: {what}." for name, what in MEANINGS.items()),
        "",
        "A dash is a check that was not made:",
        "",
        *_notes(found, (False, None)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _line(row: Row) -> str:
    cells = [MARKS[row.cells[f].passed] for f in FEATURES]
    return f"| {' | '.join([row.protocol, row.client, row.server, *cells])} |"


def _notes(found: Matrix, passed: Sequence[bool | None]) -> list[str]:
    return [
        f"- {row.protocol}, {row.client} to {row.server}, {f}: {c.note}"
        for row in found.rows
        for f, c in row.cells.items()
        if c.passed in passed
    ]
