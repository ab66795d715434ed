"""What is shipped: a wheel with all it needs, and few dependencies."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from collegium import __version__
from collegium.catalog import papers

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    """Names of the projects that are required."""
    return {re.split(r"[\[<>=~! ;]", r, maxsplit=1)[0] for r in requirements}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The package, built."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_holds_all_that_is_needed(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    assert {
        "collegium/py.typed",
        "collegium/catalog/taxonomy.toml",
        "collegium/tools/harness.py",
        "collegium/results/README.md",
    } <= held
    assert {f"collegium/catalog/papers/{p.slug}.toml" for p in papers()} <= held
    for template in (ROOT / "collegium").rglob("*.j2"):
        assert str(template.relative_to(ROOT)) in held
    for module in (ROOT / "collegium").rglob("*.py"):
        assert str(module.relative_to(ROOT)) in held
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    outside = {n.partition("/")[0] for n in wheel.namelist()}
    assert outside == {"collegium", f"collegium-{__version__}.dist-info"}
    assert not [n for n in wheel.namelist() if n.endswith((".pyc", ".gguf", ".db"))]


def test_the_base_installation_stays_small() -> None:
    small = {"msgspec", "typer", "rich", "httpx", "jinja2", "tomli-w"}
    assert names(PROJECT["dependencies"]) <= small


def test_every_extra_is_known() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {
        *("local", "remote", "tasks", "cluster", "routing", "protocols", "memory", "yaml"),
        *("argumentation", "guard", "agentdojo", "serve", "worlds", "alfworld", "society"),
        "studio",
        "gradients",
        *("bench", "docs", "test", "dev", "all"),
    }
    (everything,) = extras["all"]
    large = {"alfworld", "gradients"}  # take minutes or gigabytes to install
    for extra in set(extras) - {"bench", "docs", "test", "dev", "all"} - large:
        assert extra in everything


def test_errors_name_extras_that_exist() -> None:
    used = set()
    for file in (ROOT / "collegium").rglob("*.py"):
        text = file.read_text()
        used |= set(re.findall(r"""missing_extra\(\s*["'](\w+)["']""", text))
        used |= set(re.findall(r"collegium\[(\w+)\]", text))
    assert used
    assert used <= set(PROJECT["optional-dependencies"])


def test_the_versions_agree() -> None:
    assert PROJECT["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_build_files_can_be_read() -> None:
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False).returncode == 0
    for target in ("demo", "test", "bench", "docs", "lint", "types", "record", "status", "clean"):
        done = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
