"""The project speaks of itself alone: no path of a machine, nothing about how it was made."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written so that this file does not hold them itself.
FORBIDDEN = {
    "a folder beside the project": r"\.\./" + "shared",
    "a path of one machine": r"(?<![\w.])/(?:work|ro" + r"ot|home/\w+|tmp/(?:lab|v))/",
    "an open end": r"\b(?:TO" + "DO|FIX" + r"ME|XX" + r"X)\b",
}

# The one place that says where a build machine keeps the data sets.
ALLOWED = {".ci/run": {"a folder beside the project"}}


def project_files() -> list[Path]:
    """The text files of the project: those under version control, and new ones that could be."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("not a checkout")
    files = (ROOT / name for name in done.stdout.decode().split("\0") if name)
    return [f for f in files if f.is_file() and b"\0" not in f.read_bytes()[:4096]]


def test_no_forbidden_words() -> None:
    found = []
    for file in project_files():
        name = str(file.relative_to(ROOT))
        text = file.read_text(encoding="utf-8", errors="replace")
        for what, pattern in FORBIDDEN.items():
            if what not in ALLOWED.get(name, ()):
                found += [f"{name}: {what}: {m.group()}" for m in re.finditer(pattern, text)]
    assert found == []
