"""Weights rewritten in a form that computes faster: the same numbers, to the last bit."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.kernel.calls import Generate, Message
from collegium.models import EMBEDDED, LocalModel, weights_path
from collegium.models.unpacked import integers, unpack, unpacked_path
from collegium.models.weights import file_sha256, weights_file
from tests.models.conftest import need
from tests.models.index_server import WEIGHTS


def five_bits(block: bytes) -> list[float]:
    """What a Q5_0 block stands for, taken apart one number at a time."""
    scale, high = struct.unpack("<eI", block[:6])
    low = [b & 15 for b in block[6:]] + [b >> 4 for b in block[6:]]
    return [scale * ((low[i] | (high >> i & 1) << 4) - 16) for i in range(32)]


def eight_bits(block: bytes) -> list[float]:
    """What a Q8_0 block stands for."""
    scale, *numbers = struct.unpack("<e32b", block)
    return [scale * n for n in numbers]


def blocks(count: int, seed: int = 0) -> bytes:
    """Q5_0 blocks with all sorts of bits, and scales that are numbers."""
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 256, (count, 22), np.uint8)
    made[:, :2] = rng.standard_normal(count).astype("<f2").view(np.uint8).reshape(count, 2)
    return made.tobytes()


@given(st.binary(min_size=20, max_size=20), st.floats(-100, 100, width=16))
def test_no_number_of_a_block_changes(rest: bytes, scale: float) -> None:
    block = struct.pack("<e", scale) + rest
    wide = integers(np.frombuffer(block, np.uint8).reshape(1, 22)).tobytes()
    assert eight_bits(wide) == five_bits(block)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf(tensors: list[tuple[bytes, tuple[int, ...], int, bytes]], alignment: int) -> bytes:
    """A GGUF file with metadata of several kinds."""
    values = [
        text(b"general.alignment") + struct.pack("<II", 4, alignment),
        text(b"words") + struct.pack("<IIQ", 9, 8, 2) + text(b"one") + text("zwölf".encode()),
        text(b"numbers") + struct.pack("<IIQ3f", 9, 6, 3, 1, 2, 3),
        text(b"name") + struct.pack("<I", 8) + text(b"made up"),
        text(b"yes") + struct.pack("<I?", 7, True),
    ]
    table, data = b"", b""
    for name, shape, kind, content in tensors:
        data += b"\0" * (-len(data) % alignment)
        table += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        table += struct.pack("<IQ", kind, len(data))
        data += content
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values)) + b"".join(values) + table
    return head + b"\0" * (-len(head) % alignment) + data


PACKED = blocks(6)
WIDE = integers(np.frombuffer(PACKED, np.uint8).reshape(6, 22)).tobytes()
FLOATS = struct.pack("<5f", 1, 2, 3, 4, 5)


@pytest.mark.parametrize("alignment", [32, 64])
def test_a_file_keeps_all_but_its_five_bit_tensors(tmp_path: Path, alignment: int) -> None:
    rest = [(b"norm", (5,), 0, FLOATS), (b"other", (32, 2), 8, blocks(2)[:44] + b"\0" * 24)]
    before = gguf([(b"a", (32, 6), 6, PACKED), *rest, (b"b", (64, 3), 6, PACKED)], alignment)
    after = gguf([(b"a", (32, 6), 8, WIDE), *rest, (b"b", (64, 3), 8, WIDE)], alignment)
    (tmp_path / "old").write_bytes(before)
    unpack(tmp_path / "old", tmp_path / "new")
    written = (tmp_path / "new").read_bytes()
    assert written.rstrip(b"\0") == after.rstrip(b"\0")
    assert {p.name for p in tmp_path.iterdir()} == {"old", "new"}


def test_an_embedding_that_is_only_looked_up_stays_packed(tmp_path: Path) -> None:
    for own_output in (True, False):
        more = [(b"output.weight", (5,), 0, FLOATS)] if own_output else []
        (tmp_path / "old").write_bytes(
            gguf([(b"token_embd.weight", (32, 6), 6, PACKED), *more], 32)
        )
        unpack(tmp_path / "old", tmp_path / "new")
        assert (PACKED in (tmp_path / "new").read_bytes()) == own_output


@pytest.mark.parametrize("content", [b"GGUP" + b"\0" * 20, b"GGUF\1\0\0\0" + b"\0" * 16])
def test_another_kind_of_file_is_refused_and_nothing_is_left(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "old").write_bytes(content)
    with pytest.raises(ValueError, match="GGUF"):
        unpack(tmp_path / "old", tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["old"]


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weight file of its own, known to hold five-bit tensors."""
    monkeypatch.setenv("COLLEGIUM_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / WEIGHTS.file
    path.write_bytes(gguf([(b"a", (32, 6), 6, PACKED)], 32))
    unpack(path, tmp_path / "wanted")
    weights = msgspec.structs.replace(
        WEIGHTS, sha256=file_sha256(path), unpacked=file_sha256(tmp_path / "wanted")
    )
    monkeypatch.setitem(EMBEDDED, "made-up", weights)
    return path


def test_the_unpacked_file_is_made_once_and_again_when_damaged(made_up: Path) -> None:
    path = unpacked_path("made-up")
    assert path == made_up.with_name("made-up.unpacked.gguf")
    first = path.stat()
    assert unpacked_path("made-up") == path
    assert path.stat() == first
    good = path.read_bytes()
    path.write_bytes(good[:-4])
    assert unpacked_path("made-up") == path
    assert path.read_bytes() == good


def test_without_room_the_original_does_the_work(
    made_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("collegium.models.unpacked.unpack", full)
    assert unpacked_path("made-up") == made_up


def test_weights_with_nothing_to_unpack_stay_as_they_are(
    made_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = msgspec.structs.replace(EMBEDDED["made-up"], unpacked=None)
    monkeypatch.setitem(EMBEDDED, "made-up", plain)
    assert unpacked_path("made-up") == made_up


@pytest.mark.model
async def test_the_small_model_computes_the_same_to_the_last_bit(tmp_path: Path) -> None:
    need("local-small")
    assert unpacked_path("local-small") != weights_path("local-small")
    # under another name the original is taken as it is
    packed = tmp_path / "packed.gguf"
    try:
        packed.hardlink_to(weights_file(EMBEDDED["local-small"]))
    except OSError:
        shutil.copy(weights_file(EMBEDDED["local-small"]), packed)
    request = Generate(
        agent="a",
        role="a",
        messages=(Message(role="user", text="Explain in two sentences why the sky is blue."),),
        max_tokens=24,
        temperature=0.0,
        logprobs=3,
    )
    said = []
    for name in ("local-small", f"gguf:{packed}"):
        model = LocalModel(name)
        try:
            (sample,) = await model.generate(request)
        finally:
            await model.aclose()
        said.append((sample.text, sample.logprobs))
    assert said[0] == said[1]
