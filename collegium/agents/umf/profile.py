"""The UMF profile of a system, read from its traces: every value cites the calls that show it.

Nothing is guessed: a value without a call that shows it is absent. The code book that says what
counts as a plan, a path or a memory is in :mod:`collegium.agents.umf.evidence`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Iterator, Sequence
from types import ModuleType

import msgspec

from collegium.agents.umf.evidence import Reading, evidence
from collegium.agents.umf.vocabulary import LINES
from collegium.errors import BadInput
from collegium.kernel import Event

ISSUING = {
    "ask": "generate",
    "use": "use-tool",
    "send": "send",
    "receive": "receive",
    "ask_human": "ask-human",
    "remember": "remember",
    "recall": "recall",
    "store": "store",
    "load": "load",
}
"""Methods of an agent and the kind of call that each makes."""


class Citation(msgspec.Struct, frozen=True, order=True):
    """A call in one of the traces that were read: the number of the trace, and the call's id."""

    trace: int
    call: int


class Cell(msgspec.Struct, frozen=True):
    """One line of a profile: its values, each with the calls that show it; no values: absent."""

    values: dict[str, tuple[Citation, ...]] = {}

    def __str__(self) -> str:
        return ", ".join(self.values) or "absent"


class Manifest(msgspec.Struct, frozen=True):
    """What a system's code can do, whether or not a trace shows it.

    Attributes:
        issues: Kind of call -> lines of the source that make it.
        unseen: Kinds of calls that the code can make and no trace shows.
    """

    issues: dict[str, tuple[int, ...]]
    unseen: tuple[str, ...]


class UmfProfile(msgspec.Struct, frozen=True):
    """A system's row in the paper's table of agents.

    Attributes:
        cells: "planning.process" and so on, every line of the vocabulary.
        manifest: What its code can do; None when no source was given.
    """

    cells: dict[str, Cell]
    manifest: Manifest | None = None

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that show in the traces."""
        return tuple(m for m in LINES if any(self.cells[f"{m}.{ln}"].values for ln in LINES[m]))


def profile(
    *traces: Sequence[Event],
    source: str | ModuleType | None = None,
    writes: Collection[str] = (),
) -> UmfProfile:
    """Read the UMF profile of a system from what it did.

    Args:
        traces: Its traces, one per task, in the order of the tasks; what is carried from one to
            the next shows only with several.
        source: The system's module or source text, for the static part.
        writes: Names of tools that change the environment; a trace does not say so of a tool.

    Returns:
        The profile. Traces are numbered from 0 in citations.

    Raises:
        BadInput: There is no trace with a call in it, or the source is not Python.
    """
    if not any(traces):
        raise BadInput("a profile is read from traces; there is none with a call in it.")
    cells: dict[str, dict[str, list[Citation]]] = {
        f"{module}.{line}": {} for module, lines in LINES.items() for line in lines
    }
    for line, value, trace, call in evidence(Reading(traces), frozenset(writes)):
        cited = cells[line].setdefault(value, [])
        if Citation(trace, call) not in cited:
            cited.append(Citation(trace, call))
    done = {event.kind for trace in traces for event in trace}
    return UmfProfile(
        {
            line: Cell({value: tuple(sorted(found[value])) for value in _order(line, found)})
            for line, found in cells.items()
        },
        None if source is None else _manifest(source, done),
    )


def agreement(found: UmfProfile, key: dict[str, set[str]]) -> tuple[int, int]:
    """How many lines of a profile are exactly as a key says: (equal, all lines).

    Args:
        found: The profile.
        key: Line -> values; a line that is not named is absent.
    """
    equal = sum(set(cell.values) == key.get(line, set()) for line, cell in found.cells.items())
    return equal, len(found.cells)


def _order(line: str, values: Collection[str]) -> Iterator[str]:
    module, _, name = line.partition(".")
    return (value for value in LINES[module][name] if value in values)


def _manifest(source: str | ModuleType, done: Collection[str]) -> Manifest:
    text = source if isinstance(source, str) else inspect.getsource(source)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise BadInput(f"the source of the system is not Python: {error}.") from None
    issues: dict[str, list[int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            kind = ISSUING.get(node.func.attr)
            if kind:
                issues.setdefault(kind, []).append(node.lineno)
    lines = {kind: tuple(sorted(found)) for kind, found in sorted(issues.items())}
    return Manifest(lines, tuple(kind for kind in lines if kind not in done))
