"""Search over contents: by words, by meaning, by both, and that it follows the files."""

from pathlib import Path

import pytest

from collegium.errors import BadInput
from collegium.kernel import Delete, Find, Found, Kernel, Rollback, Store
from collegium.kernel.resources import Method
from collegium.kernel.storage.passages import LONGEST, split
from collegium.kernel.storage.storage import fused
from collegium.models.embeddings import HashEmbedder
from tests.kernel.storage.support import Concepts, check_agreement, kernel_on

FILES = {
    "travel.md": "The automobile broke down twice before the border.",
    "bakery.md": "A loaf needs time. Bake the bread in a hot oven.",
    "weather.md": "Rain tomorrow, and a storm at night.",
    "list.md": "bread bread bread and a car",
}


async def filled(folder: Path | None, embed: Concepts | None = None) -> Kernel:
    kernel = kernel_on(folder, embed=embed)
    agent = kernel.agent("ann")
    for path, text in FILES.items():
        await agent.store(path, text)
    return kernel


async def find(
    kernel: Kernel, query: str, k: int = 5, method: Method = "hybrid"
) -> list[tuple[str, float]]:
    found = await kernel.call(Find(agent="ann", query=query, k=k, method=method))
    assert all(isinstance(f, Found) and 0 <= f.score <= 1 for f in found)
    return [(f.path, round(f.score, 3)) for f in found]


async def test_words_rank_by_bm25_as_a_share_of_the_best() -> None:
    kernel = await filled(None)
    first, second = await find(kernel, "bread", method="text")
    assert (first, second[0]) == (("list.md", 1.0), "bakery.md")
    assert 0 < second[1] < 1
    assert await find(kernel, "automobile", method="text") == [("travel.md", 1.0)]
    assert await find(kernel, "car", method="text") == [("list.md", 1.0)]
    assert await find(kernel, "nowhere", method="text") == []


async def test_words_are_found_in_any_form() -> None:
    kernel = await filled(None)
    for query in ("RAIN", "raining", "räin", "storms, bicycles?", "rain_tomorrow", '"rain" OR ('):
        assert [path for path, _ in await find(kernel, query, method="text")] == ["weather.md"]


async def test_meaning_finds_what_no_word_of_the_query_names() -> None:
    kernel = await filled(None, Concepts())
    found = await find(kernel, "vehicle", k=2, method="vector")
    assert [path for path, _ in found] == ["list.md", "travel.md"]
    assert found[0][1] > found[1][1] > 0
    assert await find(kernel, "vehicle", method="text") == []


async def test_an_embedder_of_the_project_does_as_well(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path, embed=HashEmbedder())
    for path, text in FILES.items():
        await kernel.agent(path).store(path, text)
        await kernel.call(Store(agent="ann", path=path, text=text))
    # it knows spelling alone: a wrong one is near the right one
    assert [path for path, _ in await find(kernel, "automobiel", 1, "vector")] == ["travel.md"]
    assert [path for path, _ in await find(kernel, "automobiel", 1)] == ["travel.md"]
    assert await find(kernel, "automobiel", method="text") == []


async def test_a_vector_score_is_the_cosine() -> None:
    kernel = kernel_on(None, embed=Concepts())
    await kernel.agent("ann").store("a", "rain storm rain")
    assert await find(kernel, "storm", method="vector") == [("a", 1.0)]
    assert await find(kernel, "car", method="vector") == [("a", 0.001)]


async def test_hybrid_is_reciprocal_rank_fusion() -> None:
    kernel = await filled(None, Concepts())
    # words: travel alone; meaning: list, travel, then the others
    found = await find(kernel, "automobile", k=2)
    assert found == [
        ("travel.md", round((1 / 61 + 1 / 62) / (2 / 61), 3)),
        ("list.md", 0.5),
    ]


def test_fusion_by_hand() -> None:
    one = [(1, 10, 9.0), (2, 20, 1.0)]
    two = [(3, 30, 0.9), (2, 21, 0.8), (1, 11, 0.1)]
    best = 2 / 61
    assert fused(one, two) == [
        (1, 10, pytest.approx((1 / 61 + 1 / 63) / best)),
        (2, 20, pytest.approx((1 / 62 + 1 / 62) / best)),
        (3, 30, pytest.approx((1 / 61) / best)),
    ]
    assert fused([(1, 1, 5.0)], [(1, 1, 0.2)]) == [(1, 1, 1.0)]
    assert fused([], []) == []


async def test_without_an_embedder_hybrid_means_words() -> None:
    kernel = await filled(None)
    assert await find(kernel, "bread") == await find(kernel, "bread", method="text")
    with pytest.raises(BadInput, match=r"no embedder.*Storage\(embed=\.\.\.\)"):
        await find(kernel, "bread", method="vector")


@pytest.mark.parametrize(("query", "k"), [("", 5), (" ?! ", 5), ("bread", 0), ("bread", -1)])
async def test_a_search_for_nothing(query: str, k: int) -> None:
    kernel = await filled(None)
    with pytest.raises(BadInput, match="at least one word and k of at least 1"):
        await find(kernel, query, k)


async def test_k_files_and_the_passage_that_fits() -> None:
    kernel = kernel_on(None)
    agent = kernel.agent("ann")
    long = "\n\n".join(f"Paragraph {i} about nothing. {'words ' * 60}" for i in range(20))
    await agent.store("long.md", f"{long}\n\nThe needle lies here.\n\n{long}")
    for i in range(6):
        await agent.store(f"{i}.md", f"needle {'hay ' * i}")
    found = await kernel.call(Find(agent="ann", query="needle", k=3))
    assert [f.path for f in found] == ["0.md", "1.md", "2.md"]
    found = await kernel.call(Find(agent="ann", query="needle lies", k=1))
    assert found[0].path == "long.md"
    assert "The needle lies here." in found[0].passage
    assert len(found[0].passage) <= LONGEST


async def test_search_follows_every_change(tmp_path: Path) -> None:
    kernel = await filled(tmp_path, Concepts())
    agent = kernel._agents["ann"]
    assert [p for p, _ in await find(kernel, "storm", 1)] == ["weather.md"]
    await agent.store("weather.md", "The car is parked.")
    assert await find(kernel, "storm", method="text") == []
    assert [p for p, _ in await find(kernel, "parked", method="text")] == ["weather.md"]
    assert [p for p, _ in await find(kernel, "vehicle", 1, "vector")] == ["weather.md"]
    await kernel.call(Rollback(agent="ann", path="weather.md"))
    assert [p for p, _ in await find(kernel, "storm", 1, "vector")] == ["weather.md"]
    assert await find(kernel, "parked", method="text") == []
    await kernel.call(Delete(agent="ann", path="weather.md"))
    assert await find(kernel, "storm", method="text") == []
    (tmp_path / "ann" / "by-hand.md").write_text("A storm in a teacup.")
    assert [p for p, _ in await find(kernel, "storm", method="text")] == ["by-hand.md"]
    (tmp_path / "ann" / "by-hand.md").unlink()
    assert await find(kernel, "storm", method="text") == []
    check_agreement(tmp_path)


async def test_each_passage_is_embedded_once(tmp_path: Path) -> None:
    embed = Concepts()
    kernel = await filled(tmp_path, embed)
    assert embed.read == []  # not before a search needs it
    await find(kernel, "bread")
    assert sorted(embed.read[:-1]) == sorted(FILES.values())
    await find(kernel, "car")
    assert embed.read[5:] == ["car"]
    await kernel._agents["ann"].store("new.md", "a new one")
    again = Concepts()
    kernel = kernel_on(tmp_path, embed=again)
    await find(kernel, "car")
    assert again.read == ["a new one", "car"]
    other = Concepts("another")
    await find(kernel_on(tmp_path, embed=other), "car")
    assert len(other.read) == len(FILES) + 2


async def test_a_search_sees_one_owners_files_alone() -> None:
    kernel = await filled(None, Concepts())
    await kernel.agent("bob").store("bread.md", "bread bread bread bread")
    assert "bread.md" not in [path for path, _ in await find(kernel, "bread", 10)]
    found = await kernel.call(Find(agent="bob", query="bread", k=10))
    assert [f.path for f in found] == ["bread.md"]


def test_passages() -> None:
    assert split("") == split(" \n\n \n") == []
    assert split("one\n\ntwo\n \n\nthree\n") == ["one\n\ntwo\n\nthree"]
    half = "x" * (LONGEST // 2)
    assert split(f"{half}\n\n{half}\n\nend") == [half, f"{half}\n\nend"]
    words = " ".join(f"word{i}" for i in range(1000))
    pieces = split(words)
    assert " ".join(pieces) == words
    assert all(LONGEST - 10 < len(p) <= LONGEST for p in pieces[:-1])
    assert split("y" * (2 * LONGEST + 1)) == ["y" * LONGEST, "y" * LONGEST, "y"]
