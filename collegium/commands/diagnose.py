"""The command ``diagnose``: which failure modes the runs of the store or a trace file show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from collegium.bench.diagnosis import MODES, Finding, count_modes, diagnose
from collegium.bench.diagnosis.words import SCOPE, cited
from collegium.bench.records import Outcome
from collegium.commands.show import (
    clean,
    console,
    label,
    print_indented,
    print_json,
    print_table,
    table,
)
from collegium.commands.trace import Placed, from_file, from_store, is_file
from collegium.commands.transcript import judged
from collegium.errors import BadInput
from collegium.kernel import Event


class Diagnosed(msgspec.Struct, frozen=True):
    """One system on one task: how it was judged, if it was, and what was found."""

    system: str
    task: str
    outcome: Outcome | None
    findings: tuple[Finding, ...]


def diagnose_run(run: str, as_json: bool) -> None:
    """Print the findings of a run (its id, the beginning of it, ``last``) or of a trace file.

    Raises:
        UnknownName: There is no such run.
        BadInput: The file is no trace, or the run has no events yet.
    """
    events, outcomes, _ = from_file(Path(run)) if is_file(run) else from_store(run)
    if not events:
        raise BadInput(f"run {run!r} has no calls that could be diagnosed.")
    runs = diagnosed(events, outcomes)
    if as_json:
        print_json(data(runs))
        return
    out = console()
    for one in runs:
        if not one.findings:
            continue
        line = Text.assemble((clean(one.system), "bold"), " on ", (clean(one.task), "bold"))
        if one.outcome is not None:
            line.append("  ")
            line.append_text(judged(one.outcome))
        if one.system or one.task:
            out.print(line)
        print_each(one.findings, out)
        out.print()
    print_distribution(runs, out)


def diagnosed(
    events: Sequence[Placed], outcomes: Mapping[tuple[str, str], Outcome]
) -> list[Diagnosed]:
    """Diagnose every system on every task of a run."""
    grouped: dict[tuple[str, str], list[Event]] = {}
    for system, task, event in events:
        grouped.setdefault((system, task), []).append(event)
    return [
        Diagnosed(*place, outcomes.get(place), diagnose(found, outcome=outcomes.get(place)))
        for place, found in grouped.items()
    ]


def data(runs: Sequence[Diagnosed]) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "runs": [
            {
                "system": one.system,
                "task": one.task,
                "correct": None if one.outcome is None else one.outcome.correct,
                "findings": [finding_data(f) for f in one.findings],
            }
            for one in runs
        ],
        "systems": {
            system: {"runs": len(found), "modes": count_modes(one.findings for one in found)}
            for system, found in by_system(runs).items()
        },
    }


def finding_data(finding: Finding) -> dict[str, Any]:
    """A finding as plain data, with the name of its mode."""
    return {**msgspec.to_builtins(finding), "name": finding.name}


def by_system(runs: Sequence[Diagnosed]) -> dict[str, list[Diagnosed]]:
    """Runs grouped by system."""
    grouped: dict[str, list[Diagnosed]] = {}
    for one in runs:
        grouped.setdefault(one.system, []).append(one)
    return grouped


def print_findings(findings: Sequence[Finding], out: Console) -> None:
    """The footer of a run."""
    out.print()
    if not findings:
        out.print(Text("Diagnosis: the rules found no failure mode", style="dim"))
        return
    number = f"{len(findings)} finding{'s' * (len(findings) != 1)}"
    out.print(Text.assemble(("Diagnosis  ", "bold"), number))
    print_each(findings, out)


def print_each(findings: Sequence[Finding], out: Console) -> None:
    """Findings one by one: mode, calls, what is wrong, and the words that show it."""
    for finding in findings:
        head = Text("  ")
        head.append(f"{finding.code} {finding.name}", style="yellow")
        head.append(f"  {cited(finding.calls)}", style="dim")
        out.print(head)
        print_indented(clean(finding.says), out, by=4)
        print_indented(f"“{clean(finding.evidence)}”", out, "dim", by=4)


def print_distribution(runs: Sequence[Diagnosed], out: Console) -> None:
    """In how many runs of each system each mode was found."""
    systems = by_system(runs)
    counts = {name: count_modes(one.findings for one in found) for name, found in systems.items()}
    codes = [m for m in MODES if any(m.code in c for c in counts.values())]
    headings = [m.code for m in codes]
    made = table("system", "runs", *headings, right=("runs", *headings))
    for name, found in systems.items():
        cells = [str(counts[name].get(code, "")) for code in headings]
        made.add_row(Text(label(clean(name) or "(trace)", 40)), str(len(found)), *cells)
    print_table(made, out)
    for m in codes:
        out.print(Text(f"{m.code} {m.name}: {m.about}", style="dim"))
    out.print(Text(SCOPE, style="dim"))
