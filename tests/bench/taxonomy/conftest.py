"""Makes the helpers of the tests importable, from wherever they are started."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3]))

import pytest
from typer.testing import CliRunner


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run a command line with a home of its own."""
    from collegium.cli import app

    monkeypatch.chdir(tmp_path)

    def run(words: list[str]):
        return CliRunner().invoke(app, words, env={"COLLEGIUM_HOME": str(tmp_path / "home")})

    return run
