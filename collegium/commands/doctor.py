"""The command ``doctor``: defects of an agent project, found without running it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from collegium import __version__
from collegium.commands.show import (
    clean,
    console,
    print_indented,
    print_json,
    print_table,
    table,
    writable_file,
)
from collegium.commands.weights import fetch_weights
from collegium.guard.doctor import KINDS, NAMES, Finding, Report, sarif, scan, scan_with_model
from collegium.kernel import Kernel, RunStore
from collegium.kernel.store import default_path
from collegium.models import open_model


def doctor(path: Path, *, model: str | None, sarif_file: Path | None, as_json: bool) -> bool:
    """Scan a project and print what was found.

    Args:
        path: Its folder.
        model: Who judges what rules cannot decide; None: nobody does.
        sarif_file: Where to write the findings as SARIF.
        as_json: Print the report as JSON.

    Returns:
        Whether every finding is waived with a reason.

    Raises:
        CollegiumError: The path, a waiver or the model is not in order.
    """
    if sarif_file is not None:
        writable_file(sarif_file)
    report = scan(path) if model is None else _with_model(path, model)
    if sarif_file is not None:
        log = msgspec.json.format(msgspec.json.encode(sarif(report, __version__)), indent=2)
        sarif_file.write_bytes(log + b"\n")
    if as_json:
        print_json(data(report))
    else:
        print_report(report, console())
    return not report.unexplained


def _with_model(path: Path, name: str) -> Report:
    fetch_weights([name])
    driver = open_model(name)

    async def judged() -> Report:
        kernel = Kernel(driver, seed=0, cache=RunStore(default_path()))
        try:
            return await scan_with_model(path, kernel)
        finally:
            await kernel.aclose()

    return asyncio.run(judged())


def data(report: Report) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "project": report.project,
        "files": report.files,
        "roles": report.roles,
        "findings": [f for f in report.findings if not f.waived],
        "waived": [f for f in report.findings if f.waived],
        "unknown": [
            {
                "type": q.finding.type,
                "file": q.finding.file,
                "line": q.finding.line,
                "symbol": q.finding.symbol,
                "question": q.ask,
            }
            for q in report.unknown
        ],
        "skipped": report.skipped,
    }


def print_report(report: Report, out: Console) -> None:
    """Findings with their paths, then the counts."""
    for finding in report.unexplained:
        _print_finding(finding, out)
    waived = [f for f in report.findings if f.waived]
    if waived:
        out.print(Text("Waived", style="bold"))
        for f in waived:
            out.print(Text(f"  {f.type} {f.file}:{f.line} {clean(f.symbol)}: {clean(f.waived)}"))
        out.print()
    if report.skipped:
        out.print(Text("Skipped", style="bold"))
        for s in report.skipped:
            out.print(Text(f"  {clean(s.file)}: {clean(s.reason)}"))
        out.print()
    if report.findings:
        made = table("type", "defect", "found", "waived", right=("found", "waived"))
        for kind in KINDS:
            of = [f for f in report.findings if f.type == kind]
            if of:
                left = sum(bool(f.waived) for f in of)
                made.add_row(kind, NAMES[kind], str(len(of) - left), str(left))
        print_table(made, out)
        out.print()
    roles = report.roles
    out.print(
        f"{report.files} files; {_count(roles.tools, 'tool')}, {_count(roles.agents, 'agent')}, "
        f"{_count(roles.llms, 'LLM class', 'LLM classes')}. "
        f"{_count(report.unexplained, 'unexplained finding')}."
    )
    if report.unknown:
        asked = _count(report.unknown, "question")
        out.print(Text(f"{asked} only a model can answer stayed open.", style="dim"))


def _print_finding(finding: Finding, out: Console) -> None:
    head = Text.assemble(
        (f"{finding.type} {NAMES[finding.type]}", "yellow"),
        "  ",
        (f"{clean(finding.file)}:{finding.line}", "bold"),
        f"  {clean(finding.symbol)}",
    )
    out.print(head)
    print_indented(clean(finding.message), out)
    for step in finding.evidence:
        if step.file:
            print_indented(f"{step.file}:{step.line}  {clean(step.says)}", out, "dim", by=4)
    if finding.llm_verdict is not None:
        print_indented(f"The model's verdict: {finding.llm_verdict}.", out, "dim")
    print_indented(clean(finding.hint), out, "green")
    out.print()


def _count(things: tuple[Any, ...], one: str, many: str = "") -> str:
    return f"{len(things)} {one if len(things) == 1 else many or f'{one}s'}"
