"""The scan: read, build the graph, find the roles, run the eight detectors, apply the waivers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from collegium.guard.doctor.declared import read_declared
from collegium.guard.doctor.detectors import adal, als, epdd, ieti, lard, lope, mnft, tre
from collegium.guard.doctor.findings import Finding, Question, Report, Roles, one_per_symbol
from collegium.guard.doctor.graph import Graph, build
from collegium.guard.doctor.judge import Judge, decide, open_questions
from collegium.guard.doctor.roles import find_roles
from collegium.guard.doctor.sources import Project, read_project
from collegium.guard.doctor.waivers import waive

if TYPE_CHECKING:
    from collegium.kernel import Kernel


def graph(path: Path | str) -> Graph:
    """The code property graph of a project.

    Raises:
        BadInput: There is no Python file at that path.
    """
    return build(read_project(Path(path)))


def scan(path: Path | str) -> Report:
    """Scan a project with rules alone.

    Args:
        path: Its folder, a package of it, or one Python file. Nothing there is imported or run.

    Returns:
        The findings, waived ones marked, and the questions that only a model can answer.

    Raises:
        BadInput: There is no Python file at that path, or a waiver is not in order.
        MissingExtra: A library of the extra ``guard`` is missing.
    """
    return scan_project(read_project(Path(path)))


def scan_project(project: Project) -> Report:
    """The same for a project that was read already, or made in memory."""
    built = build(project)
    cast = find_roles(built)
    declared = read_declared(project.manifests, project.locked)
    found = [
        *adal.detect(built, cast),
        *ieti.detect(cast),
        *lope.detect(built, cast),
        *tre.detect(built, cast),
        *als.detect(built, cast),
        *mnft.detect(built, cast),
        *lard.detect(built, cast, declared),
        *epdd.detect(built, cast, declared),
    ]
    findings = one_per_symbol(f for f in found if isinstance(f, Finding))
    questions = open_questions((q for q in found if isinstance(q, Question)), findings)
    llms = {name: built.classes[name] for name in cast.llms}
    return Report(
        project=project.name,
        files=len(built.modules),
        roles=Roles(
            tuple(dict.fromkeys(t.symbol for t in cast.tools)),
            tuple(a.short for a in cast.agents),
            tuple(c.short for c in llms.values()),
        ),
        findings=waive(findings, project),
        unknown=questions,
        skipped=built.skipped,
    )


async def scan_with_model(path: Path | str, kernel: Kernel) -> Report:
    """Scan a project with rules, and put to a model what they cannot decide.

    Args:
        path: As for :func:`scan`.
        kernel: Whose model judges; its role is "judge".

    Raises:
        BadInput: As for :func:`scan`.
        ModelError: The model could not answer.
    """
    project = read_project(Path(path))
    report = await decide(scan_project(project), Judge(kernel))
    return msgspec.structs.replace(report, findings=waive(report.findings, project))
