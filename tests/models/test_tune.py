"""Tuning without the four minutes of compiling: what surrounds the build."""

from __future__ import annotations

import importlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from collegium.errors import BadInput
from collegium.models import LocalModel, known_models, tune, untune
from collegium.models import native as native_room
from collegium.models.native import find_native
from collegium.models.tune import Speed

room = importlib.import_module("collegium.models.tune")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLLEGIUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A build that takes no time."""
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(room, "_check_tools", lambda: "Ninja")
    monkeypatch.setattr(room, "_download", lambda folder, version: folder / "source.tar.gz")
    monkeypatch.setattr(room, "_unpack", lambda archive, folder: folder / "source")
    monkeypatch.setattr(room, "_build", lambda source, build, generator, say: program)
    return program


def speeds(monkeypatch: pytest.MonkeyPatch, wheel: float, native: float) -> None:
    async def measure(*_: object) -> tuple[Speed, Speed]:
        return Speed(100, wheel, wheel), Speed(100, native, native)

    monkeypatch.setattr(room, "_measure", measure)


def test_a_faster_engine_is_installed_and_used(
    cache: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    speeds(monkeypatch, 10.0, 22.5)
    before = LocalModel("local-tiny").fingerprint
    lines: list[str] = []
    report = tune(on_line=lines.append, model="local-tiny")
    assert report.installed
    assert report.gain == pytest.approx(1.5)
    assert "native kept (1.50 times as fast)" in lines[-1]
    record, server = find_native() or pytest.fail("nothing was installed")
    assert server.read_text() == built.read_text()
    assert record.version in record.build
    assert LocalModel("local-tiny").engine_kind == "native"
    assert LocalModel("local-tiny").fingerprint != before
    assert LocalModel("local-tiny", engine="wheel").fingerprint == before
    assert {m.engine for m in known_models() if m.kind == "embedded"} == {"native"}
    assert untune() is True
    assert untune() is False
    assert LocalModel("local-tiny").fingerprint == before


def test_a_slower_engine_is_not_kept(
    cache: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    speeds(monkeypatch, 10.0, 9.0)
    report = tune(model="local-tiny")
    assert not report.installed
    assert find_native() is None
    assert LocalModel("local-tiny").engine_kind == "wheel"


def test_an_engine_of_another_processor_is_not_used(
    cache: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    speeds(monkeypatch, 10.0, 20.0)
    tune(model="local-tiny")
    assert find_native() is not None
    monkeypatch.setattr(native_room, "processor_id", lambda: "another")
    assert find_native() is None
    with pytest.raises(BadInput, match="collegium models tune"):
        LocalModel("local-tiny", engine="native")


def test_missing_tools_are_named_as_debian_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xllamacpp")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BadInput, match="sudo apt install cmake build-essential"):
        tune()


def test_a_failing_build_says_why(tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / "CMakeLists.txt").write_text("message(FATAL_ERROR oh-no)\n")
    if subprocess.run(["which", "cmake"], capture_output=True).returncode:
        pytest.skip("no cmake here")
    with pytest.raises(BadInput, match="building the engine failed"):
        room._build(tmp_path, tmp_path / "build", "Unix Makefiles", lines.append)
    assert any("oh-no" in line for line in lines)


def test_only_the_engines_source_is_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("x-1/setup.py", "x-1/thirdparty/llama.cpp/CMakeLists.txt"):
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
    source = room._unpack(archive, tmp_path / "out")
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert files == [source / "CMakeLists.txt"]


def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo("x-1/thirdparty/llama.cpp/../../../../escaped")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    with pytest.raises(tarfile.OutsideDestinationError):
        room._unpack(archive, tmp_path / "out")
    assert not (tmp_path / "escaped").exists()
