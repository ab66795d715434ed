"""How long the doctor takes on a large project, and how much memory: rules alone.

The project is an agent framework from the package index, read as data and never imported. The scan
runs in a process of its own, so that its memory is what is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from collegium.errors import BadInput

PROJECT = "agno"
LEAST_FILES = 500

_SCAN = """
import json, resource, sys, time
from collegium.guard.doctor import scan
began = time.perf_counter()
report = scan(sys.argv[1])
print(json.dumps({
    "files": report.files,
    "tools": len(report.roles.tools),
    "findings": len(report.findings),
    "skipped": len(report.skipped),
    "seconds": round(time.perf_counter() - began, 1),
    "processor_seconds": round(time.process_time(), 1),
    "megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
}))
"""


def measure(project: str = PROJECT) -> dict[str, Any]:
    """Fetch a project, scan it, and say what that took.

    Args:
        project: A distribution with a pure wheel of at least 500 files.

    Returns:
        Name, files, tools, findings, seconds on the clock and of the processor, and megabytes (the
        largest resident size).

    Raises:
        BadInput: It cannot be fetched, or is too small to say anything.
    """
    with tempfile.TemporaryDirectory() as folder:
        wheel = fetch(project, Path(folder))
        unpacked = Path(folder) / "project"
        with zipfile.ZipFile(wheel) as held:
            held.extractall(unpacked)
        found = scanned(unpacked)
    if found["files"] < LEAST_FILES:
        raise BadInput(
            f"{project} has {found['files']} files; measure one of {LEAST_FILES} or more."
        )
    return {"project": wheel.name, **found}


def fetch(project: str, folder: Path) -> Path:
    """Download a distribution's wheel, without what it depends on.

    Raises:
        BadInput: The package index has no wheel of it for this machine, or cannot be reached.
    """
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
            "--disable-pip-version-check", "--dest", str(folder), project,
        ],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise BadInput(f"{project} cannot be fetched: {done.stderr.strip()[-200:]}")
    return wheels[0]


def scanned(folder: Path) -> dict[str, Any]:
    """Scan a folder in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _SCAN, str(folder)],
        capture_output=True, text=True, timeout=1800, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:]), indent=2))
