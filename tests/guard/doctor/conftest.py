"""Small agent projects to be scanned."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from collegium.bench.doctor_projects import base
from collegium.guard.doctor import Project

SEED = Path(__file__).with_name("data") / "llm_agents-main.zip"


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """The paper's base project, unpacked."""
    with zipfile.ZipFile(SEED) as held:
        held.extractall(tmp_path / "seed")
    return tmp_path / "seed" / "llm_agents-main"


@pytest.fixture
def desk() -> Project:
    """A clean project in memory."""
    return base("desk")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Project], Path]:
    """Write a project in memory to a folder."""

    def write(project: Project) -> Path:
        root = tmp_path / project.name
        for path, text in (*project.sources.items(), *project.manifests.items()):
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return root

    return write


@pytest.fixture
def code() -> Callable[..., Project]:
    """A project of some source files, given by name without ``.py``."""

    def make(manifest: str = "", **sources: str) -> Project:
        manifests = {"requirements.txt": manifest} if manifest else {}
        return Project("made", {f"{n}.py": t for n, t in sources.items()}, manifests)

    return make
