"""What tests of the storage share: a kernel on a folder, and a check that all of it agrees."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collegium.kernel import Access, Kernel
from collegium.kernel.access import always
from collegium.kernel.storage import Storage
from collegium.kernel.storage.index import HERE
from collegium.kernel.storage.passages import split
from tests.kernel.support import Scripted

ROOT = Path(__file__).parents[3]


def kernel_on(folder: Path | None, access: Access | None = None, **options: Any) -> Kernel:
    """A kernel whose agents keep their files in a folder."""
    storage = Storage(folder, access=access or Access(ask=always), **options)
    return Kernel(Scripted("?"), drivers=storage.drivers)


def check_agreement(folder: Path) -> dict[str, str]:
    """Files, newest versions and search index say the same; returns owner/path -> text.

    Looks at the disk and the database as they are, without the storage's own code.
    """
    files = {
        str(path.relative_to(folder)): path.read_bytes().decode()
        for path in folder.rglob("*")
        if path.is_file() and ".collegium" not in path.parts
    }
    database = sqlite3.connect(folder / ".collegium" / "index.db")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.execute("INSERT INTO texts (texts) VALUES ('integrity-check')")
    newest = database.execute(
        "SELECT owner, path, body, id FROM files JOIN versions "
        "ON file = id AND number = current WHERE state = ?",
        (HERE,),
    ).fetchall()
    assert {f"{owner}/{path}": body.decode() for owner, path, body, _ in newest} == files
    indexed = 0
    for _, _, body, file in newest:
        passages = database.execute(
            "SELECT body FROM passages JOIN texts ON texts.rowid = passages.id "
            "WHERE file = ? ORDER BY id",
            (file,),
        ).fetchall()
        assert [p for (p,) in passages] == split(body.decode())
        indexed += len(passages)
    for table in ("texts", "passages"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (indexed,)
    database.close()
    assert list((folder / ".collegium" / "incoming").iterdir()) == []
    return files


class Concepts:
    """An embedder that knows a few words, some of which mean the same."""

    dimensions = 4
    MEANING = {
        "car": 0, "automobile": 0, "vehicle": 0, "bread": 1, "loaf": 1, "rain": 2, "storm": 2,
    }  # fmt: skip

    def __init__(self, name: str = "concepts") -> None:
        self.name = name
        self.read: list[str] = []

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read += texts
        vectors = np.full((len(texts), self.dimensions), 1e-3, np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                vector[self.MEANING.get(word.strip(".,"), 3)] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
