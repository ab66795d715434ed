"""The clean projects that the doctor's mutants are made from, and the set of mutants.

Each base is one Markdown file in ``doctor_bases/``: a heading for each file, its text in a fence.
``kiosk`` is held out: no rule was changed because of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from collegium.errors import BadInput
from collegium.guard.doctor import KINDS, Project
from collegium.guard.doctor.findings import Kind
from collegium.guard.doctor.mutate import Mutant, mutate

BASES = ("desk", "courier", "almanac", "atelier")
HELD_OUT = ("kiosk",)
FOLDER = Path(__file__).with_name("doctor_bases")

PER_TYPE = 12
"""Mutants of each type over the bases, and as many of the held-out ones."""

CLEAN = 24
"""Clean variants over the bases."""

_FILE = re.compile(r"^## (\S+)\n\n~~~\w+\n(.*?)^~~~$", re.MULTILINE | re.DOTALL)
_MANIFESTS = ("setup.py", "setup.cfg", "pyproject.toml")


def base(name: str) -> Project:
    """A base project by name."""
    files = dict(_FILE.findall((FOLDER / f"{name}.md").read_text(encoding="utf-8")))
    declares = {p for p in files if PurePosixPath(p).name in _MANIFESTS or p.endswith(".txt")}
    return Project(
        name,
        {p: t for p, t in files.items() if p.endswith(".py") and p not in declares},
        {p: t for p, t in files.items() if p in declares},
    )


@cache
def labelled(bases: tuple[str, ...]) -> tuple[Mutant, ...]:
    """The labelled set: different mutants of every type, and clean variants, by fixed seeds.

    Seeds are counted up for each base in turn; a mutant that came before is passed over.
    """
    projects = [base(name) for name in bases]
    found: list[Mutant] = []
    for kind in (*KINDS, None):
        found += _different(projects, kind, CLEAN if kind is None else PER_TYPE)
    return tuple(found)


def _has_room(project: Project, kind: Kind | None) -> bool:
    try:
        mutate(project, kind, 0)
    except BadInput:
        return False
    return True


def _different(projects: list[Project], kind: Kind | None, wanted: int) -> Iterator[Mutant]:
    room = [p for p in projects if _has_room(p, kind)]
    seen: set[tuple[str, ...]] = set()
    made = 0
    for seed in range(20 * wanted):
        if not room or made == wanted:
            return
        mutant = mutate(room[seed % len(room)], kind, seed)
        texts = (*mutant.project.sources.values(), *mutant.project.manifests.values())
        if texts not in seen:
            seen.add(texts)
            made += 1
            yield mutant
