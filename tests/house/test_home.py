"""Tests never touch the user's own run store."""

import os
import tempfile
from pathlib import Path

from collegium.kernel.store import default_path


def test_runs_of_tests_go_to_a_store_of_their_own() -> None:
    assert default_path().is_relative_to(tempfile.gettempdir())
    assert Path(os.environ["COLLEGIUM_HOME"]).is_dir()
    assert not default_path().is_relative_to(Path.home() / ".local")


def test_published_data_is_a_folder(collegium_data: Path) -> None:
    assert collegium_data.is_dir()
