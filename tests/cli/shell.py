"""The command line as a user runs it, with a home of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from collegium.cli import app

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("script.py")
REFUSED = "http://127.0.0.1:9"
"""Nothing listens on this port."""


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


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
            # Tests that run in the background ignore Ctrl-C; a user's command does not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def real(self, *args, stdin="", **env):
        """Run a command to its end in a process of its own."""
        process = self.start(*args, **env)
        out, err = process.communicate(stdin, timeout=120)
        return Done(process.returncode, out, err)

    def __call__(self, *args, stdin="", **env):
        """Run a command in this process."""
        words = list(map(str, args))
        own = {"COLUMNS": None, "COLLEGIUM_DATA": None, **self.env, **env}
        done = CliRunner().invoke(app, words, input=stdin, env=own)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def json(self, *args, real=False, **env):
        """Run a command that must succeed and print one JSON document alone."""
        done = (self.real if real else self)(*args, "--json", **env)
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
