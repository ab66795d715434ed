"""The command line as a user runs it: in a process of its own, with a home of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("script.py")
REFUSED = "http://127.0.0.1:9"
"""Nothing listens on this port."""


class Shell:
    """Runs commands; every one of them shares the store, the cache and the folder."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        self.calls_file = folder / "calls"
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("COLLEGIUM_", "COLUMNS"))},
            "COLLEGIUM_HOME": str(self.home),
            "COLLEGIUM_CACHE": str(folder / "cache"),
            "CALLS": str(self.calls_file),
            "PYTHONPATH": str(ROOT),
        }

    def start(self, *args, **env):
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "collegium.cli", *map(str, args)],
            cwd=self.folder,
            env=self.env | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *args, stdin="", **env):
        """Run a command to its end."""
        process = self.start(*args, **env)
        out, err = process.communicate(stdin, timeout=60)
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def json(self, *args, **env):
        """Run a command that must succeed and print one JSON document alone."""
        done = self(*args, "--json", **env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def calls(self):
        """How many requests the scripted models have had."""
        return len(self.calls_file.read_text().splitlines()) if self.calls_file.exists() else 0

    @property
    def files(self):
        """All files there are."""
        return {p.relative_to(self.folder) for p in self.folder.rglob("*") if p.is_file()}


def script(function="sampled"):
    """The name of a scripted model."""
    return f"script:{SCRIPT}:{function}"
