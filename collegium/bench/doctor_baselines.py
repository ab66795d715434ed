"""What the doctor is measured beside: a linter, and a model that is shown whole files."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from collegium.bench.doctor_projects import base
from collegium.errors import BadInput, LimitReached, missing_extra
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


def by_pylint(projects: Sequence[Project]) -> list[list[Claim]]:
    """What pylint says of each project that it does not say of the clean base as well.

    Raises:
        MissingExtra: pylint is not installed.
    """
    names = sorted({p.name for p in projects})
    said = pylint_messages([*map(base, names), *projects])
    clean = dict(zip(names, map(frozenset, said), strict=False))
    return [
        [Claim(PYLINT[m], s) for m, s in found if (m, s) not in clean[project.name]]
        for project, found in zip(projects, said[len(names) :], strict=True)
    ]


def pylint_messages(projects: Sequence[Project]) -> list[list[tuple[str, str]]]:
    """Messages by name, each with the object it is about, of every project.

    One process reads the SDKs once; for each project it is forked, so that none sees another's
    modules.
    """
    with tempfile.TemporaryDirectory() as folder:
        for number, project in enumerate(projects):
            for path, text in (*project.sources.items(), *project.manifests.items()):
                file = Path(folder) / str(number) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", _PYLINT, ",".join(PYLINT), str(len(projects))],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != len(projects):
        if "No module named 'pylint'" in done.stderr:
            raise missing_extra("bench", "the comparison with pylint")
        raise BadInput(f"pylint could not be run: {done.stderr.strip()[-300:]}.")
    return [[_claim(m) for m in json.loads(line)] for line in lines]


def _claim(message: dict[str, str]) -> tuple[str, str]:
    quoted = message["message"].split("'")[1::2]
    if message["symbol"] == "import-error":
        return message["symbol"], quoted[0].partition(".")[0]
    return message["symbol"], message["obj"] or (quoted or [message["module"]])[0]


_PYLINT = """
import io, os, sys
from pylint import lint
from pylint.reporters.json_reporter import JSONReporter

def run():
    out = io.StringIO()
    lint.Run(["--disable=all", "--enable=" + sys.argv[1], "--recursive=y", "--persistent=n",
              "--score=n", "--source-roots=.,src", "."], reporter=JSONReporter(out), exit=False)
    return " ".join(out.getvalue().split())

os.mkdir("warm")
os.chdir("warm")
with open("sdks.py", "w") as file:
    file.write("from openai import OpenAI\\nimport anthropic\\nimport httpx\\nimport requests\\n"
               "import yaml\\nimport numpy\\nimport pydantic\\nimport json\\n"
               "from langchain_core.tools import BaseTool\\n"
               "a = OpenAI().chat.completions.create()\\n"
               "b = anthropic.Anthropic().messages.create()\\n"
               "c = httpx.get()\\nd = yaml.safe_load()\\n"
               "class T(BaseTool):\\n    pass\\n"
               "class M(pydantic.BaseModel):\\n    pass\\nM.model_validate_json()\\n")
run()
os.chdir("..")
for number in range(int(sys.argv[2])):
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os.chdir(str(number))
        print(run() or "[]", flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(1)
"""


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
