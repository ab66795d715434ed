"""Fixtures of the command line's tests; makes their helpers importable from anywhere."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))

from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture
def questions(tmp_path):
    file = tmp_path / "questions.csv"
    rows = [f"What is {a} times {b}?,{a * b}" for a, b in ((17, 23), (6, 7), (7, 1), (1, 42))]
    file.write_text("\n".join(["question,answer", *rows]) + "\n")
    return file
