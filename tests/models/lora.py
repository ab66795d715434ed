"""Writes a LoRA adapter for the tiny model: a GGUF file with one random pair of matrices."""

from __future__ import annotations

import random
import struct
from pathlib import Path

WIDTH = 576
RANK = 4
_UINT32, _FLOAT32, _STRING = 4, 6, 8


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def write_adapter(path: Path, seed: int = 1) -> Path:
    """An adapter that changes the first layer's queries a great deal."""
    source = random.Random(seed)
    metadata = [
        text("general.type") + struct.pack("<I", _STRING) + text("adapter"),
        text("general.architecture") + struct.pack("<I", _STRING) + text("llama"),
        text("adapter.type") + struct.pack("<I", _STRING) + text("lora"),
        text("adapter.lora.alpha") + struct.pack("<If", _FLOAT32, 8.0 * RANK),
        text("general.alignment") + struct.pack("<II", _UINT32, 32),
    ]
    tensors, data = [], b""
    for name, columns, rows in (("lora_a", WIDTH, RANK), ("lora_b", RANK, WIDTH)):
        info = text(f"blk.0.attn_q.weight.{name}")
        tensors.append(info + struct.pack("<IQQIQ", 2, columns, rows, 0, len(data)))
        values = [source.gauss(0, 0.5) for _ in range(columns * rows)]
        data += struct.pack(f"<{len(values)}f", *values)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(metadata) + b"".join(tensors)
    path.write_bytes(head + bytes(-len(head) % 32) + data)
    return path
