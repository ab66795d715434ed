"""The worked example in CONTRIBUTING.md is complete: it runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from collegium.catalog import read_papers

ROOT = Path(__file__).parents[2]

# A fenced block under the line that names its file.
BLOCK = re.compile(r"^`([\w/.-]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The files of the example, written to a folder."""
    files = dict(BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text()))
    assert {Path(name).suffix for name in files} == {".toml", ".py"}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_entry_fits_the_catalog(example: Path) -> None:
    (entry,) = read_papers(example / "collegium" / "catalog" / "papers")
    marks = re.findall(
        r'must_show\("([\w-]+)", (\d+)\)', next(example.rglob("test_*.py")).read_text()
    )
    assert marks == [(entry.slug, str(n)) for n in range(1, entry.must_show + 1)]


def test_the_system_passes_its_tests(example: Path) -> None:
    # As if the file lay in the package: its folder joins the package's path.
    (example / "conftest.py").write_text(
        "import collegium.systems\n"
        f"collegium.systems.__path__.append({str(example / 'collegium' / 'systems')!r})\n"
    )
    (example / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
        "addopts = --import-mode=importlib\nmarkers = must_show(paper, check)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=example,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "pytest_asyncio.plugin",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.parametrize("check", [["check"], ["format", "--check"]])
def test_the_system_keeps_the_style(example: Path, check: list[str]) -> None:
    for file in example.rglob("*.py"):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--stdin-filename", file.relative_to(example)],
            cwd=ROOT,
            input=file.read_text(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
