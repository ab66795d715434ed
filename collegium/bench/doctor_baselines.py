"""What the doctor is measured beside: a linter, and a model that is shown whole files."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from collegium.bench.doctor_projects import base
from collegium.errors import LimitReached, missing_extra
from collegium.guard.doctor import NAMES, Project
from collegium.guard.doctor.evaluate import Claim
from collegium.guard.doctor.findings import Kind
from collegium.kernel import Kernel, Limits

if TYPE_CHECKING:
    from collegium.models.model import Model

PYLINT: dict[str, Kind] = {
    "inconsistent-return-statements": "TRE", "assignment-from-no-return": "TRE",
    "assignment-from-none": "TRE", "undefined-variable": "TRE", "used-before-assignment": "TRE",
    "pointless-statement": "TRE", "expression-not-assigned": "TRE", "useless-return": "TRE",
    "import-error": "EPDD", "no-name-in-module": "EPDD", "no-member": "EPDD",
    "unexpected-keyword-arg": "LARD", "no-value-for-parameter": "LARD", "missing-kwoa": "LARD",
    "missing-function-docstring": "IETI", "missing-class-docstring": "IETI",
    "empty-docstring": "IETI", "broad-exception-raised": "LOPE", "try-except-raise": "MNFT",
    "bare-except": "MNFT", "unbalanced-tuple-unpacking": "LOPE",
}  # fmt: skip
"""The type that each message of pylint comes nearest to. None speaks of models or stop strings."""

ROOM = 350
"""Tokens of a budget that the question's frame and the answer take."""


def by_pylint(project: Project) -> list[Claim]:
    """What pylint says that it does not say of the clean base as well.

    Raises:
        MissingExtra: pylint is not installed.
    """
    known = _messages(project.name)
    return [Claim(PYLINT[m], s) for m, s in _pylint(project) if (m, s) not in known]


@cache
def _messages(name: str) -> frozenset[tuple[str, str]]:
    return frozenset(_pylint(base(name)))


def _pylint(project: Project) -> list[tuple[str, str]]:
    """Messages by name, with the object they are about."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in (*project.sources.items(), *project.manifests.items()):
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [
                sys.executable, "-m", "pylint", "--disable=all", f"--enable={','.join(PYLINT)}",
                "--output-format=json", "--score=n", "--recursive=y", "--persistent=n",
                "--source-roots=.,src", ".",
            ],
            cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    if not done.stdout.startswith("["):
        raise missing_extra("bench", "the comparison with pylint")
    found = []
    for message in json.loads(done.stdout):
        where = message["obj"] or message["message"].split("'")[1::2][:1] or [message["module"]]
        symbol = where if isinstance(where, str) else where[0]
        if message["symbol"] == "import-error":
            symbol = message["message"].split("'")[1].partition(".")[0]
        found.append((message["symbol"], symbol))
    return found


class Defect(msgspec.Struct, frozen=True):
    """One defect that a model sees."""

    type: Kind
    symbol: str


class Defects(msgspec.Struct, frozen=True):
    """All defects that a model sees; an empty list for none."""

    defects: list[Defect]


async def by_model_alone(project: Project, model: Model, tokens: int) -> tuple[list[Claim], int]:
    """What a model says that is shown the whole files, within a budget of tokens.

    Args:
        project: The project.
        model: The model.
        tokens: What it may spend; files that do not fit are cut off.

    Returns:
        Its claims, and the tokens spent. No claims when the budget has no room for a call.
    """
    files = [*project.sources.items(), *project.manifests.items()]
    shown = "\n\n".join(f"# file: {path}\n{text}" for path, text in files)
    kinds = "\n".join(f"{kind}: {name}" for kind, name in NAMES.items())
    prompt = (
        f"Below is an agent program. Name its defects of these types:\n{kinds}\n\n"
        f"<code>\n{shown[: max(0, int((tokens - ROOM) * 3.5))]}\n</code>\n\n"
        "For each defect give its type and the tool, method, class or package it is about. Most "
        "programs have one defect or none."
    )
    kernel = Kernel(model, seed=0, limits=Limits(tokens=tokens))
    try:
        reviewer = kernel.agent("reviewer")
        reply = await reviewer.ask(prompt, output=Defects, temperature=0.0, max_tokens=160)
    except LimitReached:
        return [], kernel.meter.usage.tokens
    finally:
        await kernel.aclose()
    said = reply.data.defects if isinstance(reply.data, Defects) else []
    return [Claim(d.type, d.symbol) for d in said], kernel.meter.usage.tokens
