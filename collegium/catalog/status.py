"""How far a paper is implemented, computed from what is registered and what was measured."""

import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from collegium.catalog.entries import paper
from collegium.errors import BadInput

Status = Literal["missing", "runs", "faithful", "measured"]

MUST_SHOW_FILE = "must_show.json"
PACKAGE_FOLDER = Path(__file__).parent.parent


_MARK = re.compile(r'^PAPER = "([a-z0-9-]+)"$', re.MULTILINE)


class ResultsDamaged(BadInput):
    """A results file cannot be read; the message names the file and the fault."""


class Measured(msgspec.Struct, frozen=True):
    """One measured figure of a paper's system, with its interval and the file that holds it."""

    system: str
    benchmark: str
    model: str
    n: int
    accuracy: float
    ci_low: float
    ci_high: float
    tokens_per_task: float | None
    file: Path


class _Row(msgspec.Struct):
    name: str
    n: int
    accuracy: float
    ci_low: float
    ci_high: float
    paper: str | None = None
    tokens_per_task: float | None = None


class _Report(msgspec.Struct):
    benchmark: str
    model: str
    systems: list[_Row]


def results_folder(package: Path = PACKAGE_FOLDER) -> Path | None:
    """Find the folder of measured results.

    Args:
        package: the folder of the package.

    Returns:
        ``results`` beside the package in a checkout, else the one shipped inside it, else None.
    """
    beside, inside = package.parent / "results", package / "results"
    if beside.is_dir() and (package.parent / "pyproject.toml").is_file():
        return beside
    return inside if inside.is_dir() else None


@cache
def implementing_modules(package: Path = PACKAGE_FOLDER) -> dict[str, tuple[str, ...]]:
    """Find the modules that implement a paper which is no system: a kernel, a protocol, a check.

    Such a module says so itself, with a line ``PAPER = "slug"``. It is found by its text, so that
    nothing heavy is imported for it.

    Args:
        package: the folder of the package.

    Returns:
        Names of modules by slug.
    """
    found: dict[str, list[str]] = {}
    for file in sorted(package.rglob("*.py")):
        for slug in _MARK.findall(file.read_text(encoding="utf-8")):
            parts = file.relative_to(package.parent).with_suffix("").parts
            found.setdefault(slug, []).append(".".join(parts).removesuffix(".__init__"))
    return {slug: tuple(modules) for slug, modules in found.items()}


def status_of(slug: str, *, registered: Collection[str], results: Path | None) -> Status:
    """Compute how far a paper is implemented.

    Args:
        slug: the paper.
        registered: slugs of the papers that some registered implementation names.
        results: the results folder, or None when there is none.

    Returns:
        ``missing`` when nothing implements it; ``faithful`` when every one of its checks is
        recorded as passed; ``measured`` when a measured result names it as well; else ``runs``.

    Raises:
        UnknownName: no such paper.
        ResultsDamaged: a results file cannot be read.
    """
    entry = paper(slug)
    if slug not in registered:
        return "missing"
    if results is None:
        return "runs"
    checks = _checks(results).get(slug, {})
    if any(checks.get(str(number)) != "passed" for number in range(1, entry.must_show + 1)):
        return "runs"
    return "measured" if measured_figures(slug, results) else "faithful"


def measured_figures(slug: str, results: Path | None) -> list[Measured]:
    """Collect what was measured for a paper.

    Args:
        slug: the paper.
        results: the results folder, or None when there is none.

    Returns:
        The figures of every report that names the paper, sorted by benchmark, model, system and
        file.

    Raises:
        UnknownName: no such paper.
        ResultsDamaged: a report cannot be read.
    """
    paper(slug)
    found = [
        Measured(
            system=row.name,
            benchmark=report.benchmark,
            model=report.model,
            n=row.n,
            accuracy=row.accuracy,
            ci_low=row.ci_low,
            ci_high=row.ci_high,
            tokens_per_task=row.tokens_per_task,
            file=file,
        )
        for file, report in _reports(results)
        for row in report.systems
        if row.paper == slug
    ]
    return sorted(found, key=lambda one: (one.benchmark, one.model, one.system, str(one.file)))


def _checks(results: Path) -> dict[str, dict[str, str]]:
    file = results / MUST_SHOW_FILE
    if not file.is_file():
        return {}
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, str]])
    except (OSError, msgspec.DecodeError) as error:
        raise _damage(file, error) from error


def _reports(results: Path | None) -> Iterator[tuple[Path, _Report]]:
    """Yield the JSON objects one folder down that have a list of systems; others are no reports."""
    for file in sorted(results.glob("*/*.json")) if results is not None else ():
        try:
            raw = msgspec.json.decode(file.read_bytes())
            if isinstance(raw, dict) and "systems" in raw:
                yield file, msgspec.convert(raw, _Report)
        except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
            raise _damage(file, error) from error


def _damage(file: Path, error: Exception) -> ResultsDamaged:
    return ResultsDamaged(f"The results file {file} cannot be read: {error}.")
