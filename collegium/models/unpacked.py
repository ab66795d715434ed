"""The same weights in a form that computes faster: GGUF tensors of Q5_0 rewritten as Q8_0.

Q5_0 keeps a number in five bits, and a processor has to take them apart each time it multiplies.
A Q8_0 block holds the same scale and the same integers in a byte each. So nothing is rounded and
every product is the same; the 0.5B's file is a fifth larger. What it brings is measured by
:mod:`collegium.bench.speed_engine`.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from collegium.models.weights import file_sha256, find_weights, weights_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Q5_0, Q8_0 = 6, 8
"""Numbers of the two types in ggml."""

BLOCK = 32
"""Numbers in a block of either type."""

Q5_BYTES, Q8_BYTES = 22, 34
"""Bytes of a block: a scale (float16), then 32 integers in 5 or 8 bits each."""

EMBEDDING = b"token_embd.weight"
"""Only looked up, a row a token, where the output has weights of its own."""

OUTPUT = b"output.weight"

CHUNK = 1 << 16
"""Blocks rewritten at a time."""

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a metadata value by its type; 8 is a string and 9 an array."""


class Tensor(NamedTuple):
    """One entry of a GGUF file's table of tensors."""

    name: bytes
    shape: tuple[int, ...]
    type: int
    offset: int


def unpacked_path(name: str) -> Path:
    """The weight file of an embedded model to compute with: unpacked where that is faster.

    It is made with the first use and kept beside the original, whose bytes and fingerprint stay
    what a result names. Where there is no room for it the original does the same work.

    Args:
        name: "local", "local-small" or "local-tiny".

    Raises:
        CollegiumError: As :func:`collegium.models.weights.weights_path` does.
    """
    path, weights = weights_path(name), find_weights(name)
    if weights.unpacked is None:
        return path
    target = path.with_name(f"{path.stem}.unpacked.gguf")
    with contextlib.suppress(OSError):
        if not target.is_file() or file_sha256(target) != weights.unpacked:
            unpack(path, target)
        if file_sha256(target) == weights.unpacked:
            return target
    return path


def unpack(source: Path, target: Path) -> None:
    """Write a GGUF file with its Q5_0 tensors as Q8_0, whole or not at all.

    Args:
        source: A file of GGUF version 2 or 3, little-endian, known to be intact.
        target: Where to put the other.

    Raises:
        OSError: The file cannot be written; nothing is left of it.
        ValueError: The source is no such file.
    """
    draft = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        with source.open("rb") as old, draft.open("wb") as new:
            _rewrite(old, new, source.stat().st_size)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def integers(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Q5_0 blocks (n, 22) as Q8_0 blocks (n, 34).

    Number i of a block lies in four bits of byte i modulo 16 (the upper ones from 16 on), its fifth
    bit in bit i of the word before them; 16 is taken off.
    """
    import numpy as np

    low = packed[:, 6:]
    four = np.concatenate([low & 15, low >> 4], axis=1)
    fifth = np.unpackbits(packed[:, 2:6], axis=1, bitorder="little")
    numbers = (four | fifth << 4).astype(np.int8) - np.int8(16)
    return np.concatenate([packed[:, :2], numbers.view(np.uint8)], axis=1)


def _rewrite(old: IO[bytes], new: IO[bytes], size: int) -> None:
    """Copy the metadata, then the table with new types and offsets, then the numbers."""
    magic, version, tensors, values = struct.unpack("<4sIQQ", old.read(24))
    if magic != b"GGUF" or version not in (2, 3):
        raise ValueError("not a GGUF file of version 2 or 3")
    alignment = 32
    for _ in range(values):
        key, found = _text(old), _value(old)
        if key == b"general.alignment" and found is not None:
            alignment = found
    end = old.tell()
    table = [_entry(old) for _ in range(tensors)]
    data = _aligned(old.tell(), alignment)
    table.sort(key=lambda tensor: tensor.offset)
    last = size - data
    held = [b.offset - a.offset for a, b in pairwise([*table, Tensor(b"", (), 0, last)])]
    own_output = any(tensor.name == OUTPUT for tensor in table)

    place, after = 0, []
    for tensor, size_before in zip(table, held, strict=True):
        if tensor.type == Q5_0 and not (own_output and tensor.name == EMBEDDING):
            after.append(tensor._replace(type=Q8_0, offset=place))
            place += math.prod(tensor.shape) // BLOCK * Q8_BYTES
        else:
            after.append(tensor._replace(offset=place))
            place += size_before
        place = _aligned(place, alignment)

    old.seek(0)
    new.write(old.read(end))
    for tensor in after:
        _write_entry(new, tensor)
    start = _aligned(new.tell(), alignment)
    for before, moved, size_before in zip(table, after, held, strict=True):
        new.write(b"\0" * (start + moved.offset - new.tell()))
        old.seek(data + before.offset)
        if moved.type == before.type:
            _copy(old, new, size_before)
        else:
            _widen(old, new, math.prod(before.shape) // BLOCK)
    new.write(b"\0" * (start + place - new.tell()))


def _widen(old: IO[bytes], new: IO[bytes], blocks: int) -> None:
    import numpy as np

    for first in range(0, blocks, CHUNK):
        some = min(CHUNK, blocks - first)
        packed = np.frombuffer(old.read(some * Q5_BYTES), np.uint8).reshape(some, Q5_BYTES)
        new.write(integers(packed).tobytes())


def _copy(old: IO[bytes], new: IO[bytes], count: int) -> None:
    while count:
        part = old.read(min(count, 1 << 22))
        if not part:
            raise ValueError("the file ends too early")
        new.write(part)
        count -= len(part)


def _aligned(place: int, alignment: int) -> int:
    return -(-place // alignment) * alignment


def _number(file: IO[bytes], form: str) -> int:
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _text(file: IO[bytes]) -> bytes:
    return file.read(_number(file, "<Q"))


def _value(file: IO[bytes]) -> int | None:
    """Pass over a metadata value; what it is where it is a 32-bit number."""
    kind = _number(file, "<I")
    if kind == 4:
        return _number(file, "<I")
    if kind == 9:
        inner, count = _number(file, "<I"), _number(file, "<Q")
        if inner != 8:
            file.seek(_SIZES[inner] * count, os.SEEK_CUR)
        else:
            for _ in range(count):
                _text(file)
    elif kind == 8:
        _text(file)
    else:
        file.seek(_SIZES[kind], os.SEEK_CUR)
    return None


def _entry(file: IO[bytes]) -> Tensor:
    name = _text(file)
    shape = tuple(_number(file, "<Q") for _ in range(_number(file, "<I")))
    return Tensor(name, shape, _number(file, "<I"), _number(file, "<Q"))


def _write_entry(file: IO[bytes], tensor: Tensor) -> None:
    file.write(struct.pack("<Q", len(tensor.name)) + tensor.name)
    file.write(struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape))
    file.write(struct.pack("<IQ", tensor.type, tensor.offset))
