"""Sentence embeddings: texts as vectors of unit length whose dot product says how alike they are.

:class:`MiniLM` is a real sentence encoder that runs on the processor with numpy alone;
:class:`HashEmbedder` needs no weights and only sees spelling. Both need ``collegium[memory]``.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from collegium.errors import missing_extra, unknown_name
from collegium.models.weights import EMBEDDERS, weights_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

BATCH_TOKENS = 512
"""Tokens, padding included, that go through the encoder at once: few enough for the cache."""

_WORD = re.compile(r"\w+")


class Embedder(Protocol):
    """Turns texts into vectors.

    Attributes:
        name: What it is; vectors of different names cannot be compared.
        dimensions: Length of a vector.
    """

    name: str
    dimensions: int

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of unit length per text, float32."""
        ...


class HashEmbedder:
    """Hashes the character n-grams of a text into a vector: alike means spelled alike.

    It knows nothing of meaning: "car" and "automobile" are strangers to it, while "run" and
    "running" are relatives. It is exact, quick and the same on every machine, which suits tests
    and machines without weights. Words are marked at both ends and cut into n-grams of 3 to 5
    characters (as subwords are in Bojanowski et al., 2017); each n-gram adds or takes 1 at one
    place (feature hashing; Weinberger et al., 2009).

    Args:
        dimensions: Length of a vector.
    """

    def __init__(self, dimensions: int = 384) -> None:
        self.name, self.dimensions = f"hash-{dimensions}", dimensions

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of unit length per text, float32.

        Raises:
            MissingExtra: numpy is not installed.
        """
        np = _numpy()
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for gram in _grams(text):
                code = crc32(gram.encode("utf-8", "replace"))
                row[(code >> 1) % self.dimensions] += 1 if code & 1 else -1
            if not row.any():  # no letters, or what they add cancels out
                row[crc32(text.encode("utf-8", "replace")) % self.dimensions] = 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _grams(text: str) -> Iterator[str]:
    for word in _WORD.findall(text.casefold()):
        marked = f"<{word}>"
        yield marked
        for n in (3, 4, 5):
            for i in range(len(marked) - n + 1):
                yield marked[i : i + n]


class MiniLM:
    """all-MiniLM-L6-v2: sentences of like meaning get like vectors (384 numbers).

    The BERT encoder (Devlin et al., 2019) with 6 layers of 12 heads, whose outputs are averaged
    over the tokens and scaled to length 1 (Reimers and Gurevych, 2019). Texts are cut after 256
    tokens, as the model was trained. Computed in a thread, one batch at a time; the weights are
    loaded at the first use and shared by all instances.
    """

    name = "all-MiniLM-L6-v2"
    dimensions = 384

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of unit length per text, float32.

        Raises:
            WeightsMissing: The weights are not on this machine; the sentence says how to get them.
            WeightsDamaged: They are not what they must be.
            MissingExtra: A library is not installed.
        """
        return await asyncio.to_thread(encode, tuple(texts))


def encode(texts: Sequence[str]) -> Vectors:
    """What :meth:`MiniLM.embed` computes, in this thread."""
    np = _numpy()
    # One thread: while a language model keeps the cores busy, several are ten times as slow.
    with _ENCODING, _blas().limit(limits=1, user_api="blas"):
        tensors, tokenizer = _load()
        tokens = [e.ids for e in tokenizer.encode_batch([_sayable(t) for t in texts])]
        rows = np.zeros((len(texts), MiniLM.dimensions), np.float32)
        for batch in _by_length([len(t) for t in tokens]):
            rows[batch] = _forward(np, tensors, [tokens[i] for i in batch])
        return rows


_ENCODING = threading.Lock()
"""Two batches at once would only fight for the same cores."""


def _sayable(text: str) -> str:
    """The text without halves of surrogate pairs, which tokenizers cannot read."""
    return text.encode("utf-8", "replace").decode()


def _by_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of texts of like length, as many together as :data:`BATCH_TOKENS` allows."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[i] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


@cache
def _blas() -> Any:
    """What says how many threads numpy's matrix products use."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        raise missing_extra("memory", "embedding texts") from None
    return ThreadpoolController()


@cache
def _load() -> tuple[dict[str, Any], Any]:
    """The tensors and the tokenizer, from the one file that holds both."""
    try:
        from safetensors.numpy import load
        from tokenizers import Tokenizer
    except ImportError:
        raise missing_extra("memory", "embedding texts") from None
    data = weights_path("minilm").read_bytes()
    # safetensors: 8 bytes with the length of the header, the header, the numbers it describes
    header = int.from_bytes(data[:8], "little")
    tensors_end = 8 + header + _extent(data[8 : 8 + header])
    tokenizer = Tokenizer.from_str(data[tensors_end:].decode())
    tokenizer.no_padding()
    tokenizer.enable_truncation(EMBEDDERS["minilm"].trained_context)
    tensors = load(data[:tensors_end])
    return {k: v.T.copy() if _is_matrix(k) else v for k, v in tensors.items()}, tokenizer


def _extent(header: bytes) -> int:
    """Bytes of all tensors that a safetensors header describes."""
    import msgspec

    entries = msgspec.json.decode(header)
    return max(e["data_offsets"][1] for k, e in entries.items() if k != "__metadata__")


def _is_matrix(name: str) -> bool:
    """Whether a tensor is multiplied from the right, so that its transpose is wanted."""
    return name.startswith("encoder.") and name.endswith("weight") and "LayerNorm" not in name


def _forward(np: Any, w: dict[str, Any], tokens: list[list[int]]) -> Any:
    """BERT (Devlin et al., 2019, section 3), then the mean over each text's tokens."""
    longest = max(map(len, tokens))
    ids = np.zeros((len(tokens), longest), np.int64)
    there = np.zeros((len(tokens), longest), np.float32)
    for row, text in enumerate(tokens):
        ids[row, : len(text)], there[row, : len(text)] = text, 1
    hidden = (
        w["embeddings.word_embeddings.weight"][ids]
        + w["embeddings.position_embeddings.weight"][:longest]
        + w["embeddings.token_type_embeddings.weight"][0]
    )
    hidden = _norm(np, hidden, w, "embeddings.LayerNorm")
    hidden_from = np.where(there > 0, 0, -1e9).astype(np.float32)[:, None, None, :]
    for layer in range(6):
        name = f"encoder.layer.{layer}"
        seen = _attention(np, hidden, hidden_from, w, f"{name}.attention.self")
        seen = _dense(seen, w, f"{name}.attention.output.dense") + hidden
        seen = _norm(np, seen, w, f"{name}.attention.output.LayerNorm")
        inner = _gelu(np, _dense(seen, w, f"{name}.intermediate.dense"))
        hidden = _dense(inner, w, f"{name}.output.dense") + seen
        hidden = _norm(np, hidden, w, f"{name}.output.LayerNorm")
    mean = np.einsum("btd,bt->bd", hidden, there) / there.sum(1, keepdims=True)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def _dense(x: Any, w: dict[str, Any], name: str) -> Any:
    return x @ w[f"{name}.weight"] + w[f"{name}.bias"]


def _norm(np: Any, x: Any, w: dict[str, Any], name: str) -> Any:
    x = x - x.mean(-1, keepdims=True)
    scale = np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-12)
    return x / scale * w[f"{name}.weight"] + w[f"{name}.bias"]


def _attention(np: Any, x: Any, hidden_from: Any, w: dict[str, Any], name: str) -> Any:
    """Scaled dot-product attention of 12 heads; padding is seen by nobody."""
    texts, length, width = x.shape
    heads = 12

    def split(part: str) -> Any:
        parts = _dense(x, w, f"{name}.{part}").reshape(texts, length, heads, width // heads)
        return parts.transpose(0, 2, 1, 3)

    query, key, value = split("query"), split("key"), split("value")
    scores = query @ key.transpose(0, 1, 3, 2) / np.float32((width // heads) ** 0.5) + hidden_from
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    seen = (scores / scores.sum(-1, keepdims=True)) @ value
    return seen.transpose(0, 2, 1, 3).reshape(texts, length, width)


def _gelu(np: Any, x: Any) -> Any:
    """Each number times the normal distribution's cumulative function (Hendrycks and Gimpel, 2016).

    erf by Abramowitz and Stegun, formula 7.1.26, whose error is at most 1.5e-7.
    """
    z = np.abs(x) * np.float32(0.7071067811865476)
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = np.float32(0)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = t * (factor + series)
    erf = 1 - series * np.exp(-z * z)
    return 0.5 * x * (1 + np.copysign(erf, x))


KNOWN: dict[str, Callable[[], Embedder]] = {"minilm": MiniLM, "hash": HashEmbedder}
"""Embedders by the name that users call them."""


def open_embedder(name: str) -> Embedder:
    """An embedder by name.

    Args:
        name: "minilm" or "hash".

    Raises:
        UnknownName: There is no such embedder.
    """
    if name not in KNOWN:
        raise unknown_name("embedder", name, KNOWN)
    return KNOWN[name]()


def _numpy() -> Any:
    try:
        import numpy
    except ImportError:
        raise missing_extra("memory", "embedding texts") from None
    return numpy
