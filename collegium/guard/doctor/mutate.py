"""Seeded defects: a labelled set of projects, made again from clean ones.

The 78 labelled projects of the paper are not published. A mutant is a clean project with one
defect of a known type put into it by an edit of its text; a clean variant is edited without any
defect. Which edit and where is drawn from the seed.
"""

from __future__ import annotations

import random

import msgspec

from collegium.errors import BadInput
from collegium.guard.doctor.edits import Site, parses
from collegium.guard.doctor.findings import Kind
from collegium.guard.doctor.graph import build
from collegium.guard.doctor.mutations import CLEAN, MUTATIONS
from collegium.guard.doctor.roles import find_roles
from collegium.guard.doctor.sources import Project


class Label(msgspec.Struct, frozen=True):
    """The truth about a mutant: its type and the symbols that may be named for it."""

    type: Kind
    symbols: tuple[str, ...]


class Mutant(msgspec.Struct, frozen=True):
    """A project that was edited; ``label`` is None for a clean variant."""

    project: Project
    label: Label | None
    edit: str
    seed: int


def mutate(project: Project, kind: Kind | None, seed: int) -> Mutant:
    """Put one defect into a project, or edit it without one.

    Args:
        project: A clean one.
        kind: The type of defect; None for a clean variant.
        seed: Which of the possible edits.

    Returns:
        The edited project with its label.

    Raises:
        BadInput: No edit of that type can be made here.
    """
    graph = build(project)
    site = Site(project, graph, find_roles(graph))
    makers = CLEAN if kind is None else MUTATIONS[kind]
    rng = random.Random(f"{kind or 'clean'}/{seed}")
    for maker in rng.sample(makers, len(makers)):
        edits = [e for e in maker(site) if parses(e)]
        if edits:
            edit = rng.choice(edits)
            return Mutant(
                edited(project, edit.files),
                None if kind is None else Label(kind, edit.symbols),
                edit.what,
                seed,
            )
    raise BadInput(f"project {project.name!r} has no place for {kind or 'a clean variant'}.")


def every(project: Project, kind: Kind | None) -> list[Mutant]:
    """All mutants of a type that a project has room for, in a fixed order."""
    graph = build(project)
    site = Site(project, graph, find_roles(graph))
    found = []
    for maker in CLEAN if kind is None else MUTATIONS[kind]:
        for edit in maker(site):
            if parses(edit):
                label = None if kind is None else Label(kind, edit.symbols)
                found.append(Mutant(edited(project, edit.files), label, edit.what, len(found)))
    return found


def edited(project: Project, files: dict[str, str]) -> Project:
    """A project with some files replaced or added."""
    sources, manifests = dict(project.sources), dict(project.manifests)
    for path, text in files.items():
        known = manifests if path in manifests or path.endswith(".txt") else sources
        known[path] = text
    return msgspec.structs.replace(project, sources=sources, manifests=manifests)
