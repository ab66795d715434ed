"""Remembering, recalling and forgetting: what is found, who may, and what is refused."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from collegium.errors import BadInput, Denied, MissingExtra, UnknownName
from collegium.kernel import Access, Kernel
from collegium.kernel.access import always
from collegium.kernel.memory import Memory
from collegium.kernel.resources import Recall, Remember
from collegium.models.embeddings import HashEmbedder
from tests.kernel.memory.support import Angles, forget, recall, remember, texts
from tests.kernel.support import Scripted

FACTS = (
    "the cat sleeps on the warm roof",
    "a dog barks at the postman",
    "interest rates rose by half a point",
    "the roof of the house leaks",
)


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory(None, embed=HashEmbedder(), access=Access(ask=always))
    yield memory
    memory.close()


async def facts(memory: Memory) -> list[str]:
    return [await remember(memory, text) for text in FACTS]


# -- finding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["vector", "text", "hybrid"])
async def test_every_method_finds_the_fitting_note_first(memory: Memory, method: Any) -> None:
    ids = await facts(memory)
    found = await recall(memory, "roofs that leak", method=method, k=3)
    assert found[0].id == ids[3]
    assert found[0].text == FACTS[3]
    scores = [n.score for n in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= s <= 1 for s in scores)


async def test_the_vector_score_is_the_cosine() -> None:
    memory = Memory(None, embed=Angles())
    for angle in (0, 60, 90, 180):
        await remember(memory, f"{angle} degrees")
    found = await recall(memory, "0", method="vector", k=4)
    assert texts(found) == ["0 degrees", "60 degrees", "90 degrees", "180 degrees"]
    assert [n.score for n in found] == pytest.approx([1, 0.5, 0, 0], abs=2e-3)
    assert len(await recall(memory, "0", method="vector", k=4, least=0.4)) == 2
    assert len(await recall(memory, "0", method="vector", k=1)) == 1


async def test_a_word_score_of_one_is_a_note_of_average_length_with_every_word() -> None:
    memory = Memory(None)
    for text in ("red apple", "green pear", "blue plum", "brown nut", "old tree"):
        await remember(memory, text)
    (best,) = await recall(memory, "red apple", method="text")
    assert best.score == pytest.approx(1)
    (half,) = await recall(memory, "red elephant", method="text")
    # rarities as in BM25: "red" stands in 1 of 5 notes, "elephant" in none
    from math import log

    red, elephant = log(4.5 / 1.5), log(5.5 / 0.5)
    assert half.score == pytest.approx(red / (red + elephant), rel=1e-3)


async def test_hybrid_is_reciprocal_rank_fusion() -> None:
    memory = Memory(None, embed=Angles())
    for text in ("0 apple", "10 pear", "20 nut", "40 plum", "90 fig"):
        await remember(memory, text)
    found = await recall(memory, "0 plum", method="hybrid")
    # by meaning: 0, 10, 20, 40, 90; by words: "0 apple" and "40 plum" hold one word each
    by_words = texts(await recall(memory, "0 plum", method="text"))
    assert sorted(by_words) == ["0 apple", "40 plum"]
    by_meaning = ["0 apple", "10 pear", "20 nut", "40 plum", "90 fig"]

    def score(text: str) -> float:
        ranks = [r.index(text) + 1 for r in (by_meaning, by_words) if text in r]
        return sum(1 / (60 + rank) for rank in ranks) / (2 / 61)

    assert {n.text: n.score for n in found} == pytest.approx({t: score(t) for t in by_meaning})
    assert texts(found) == sorted(by_meaning, key=lambda t: -score(t))


async def test_equal_scores_come_oldest_first(memory: Memory) -> None:
    ids = [await remember(memory, "the same words") for _ in range(7)]
    for method in ("vector", "text", "hybrid"):
        found = await recall(memory, "same words", method=method, k=5)
        assert [n.id for n in found] == ids[:5]


async def test_words_are_found_by_stem_without_accents_and_rare_ones_count_more() -> None:
    memory = Memory(None)
    for i in range(30):
        await remember(memory, f"agent number {i} walked home")
    rare = await remember(memory, "Zoë's naïve agents were walking, and sang")
    found = await recall(memory, "NAIVE walks; zoe", method="text", k=3)
    assert found[0].id == rare
    assert len(found) == 3
    assert await recall(memory, "!?", method="text") == []
    assert await recall(memory, 'NOT "walk* OR (', method="text", k=1) != []


async def test_without_an_embedder_hybrid_is_text_and_vector_says_what_is_missing() -> None:
    memory = Memory(None)
    await facts(memory)
    hybrid = await recall(memory, "leaking roof")
    assert hybrid == await recall(memory, "leaking roof", method="text")
    assert hybrid[0].text == FACTS[3]
    with pytest.raises(BadInput, match=r"no embedder.*Memory\(embed=.*method='text'"):
        await recall(memory, "leaking roof", method="vector")


async def test_text_memory_needs_no_library_and_vectors_name_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    memory = Memory(None)
    await facts(memory)
    assert await recall(memory, "dog")
    with pytest.raises(MissingExtra, match=r"collegium\[memory\]"):
        Memory(None, embed=HashEmbedder())


# -- notes ----------------------------------------------------------------------------------------


async def test_a_note_comes_back_as_it_was(memory: Memory) -> None:
    first = await remember(memory, "first")
    note = await remember(memory, "second\nline \0 🙂", tags=("t", "t u"), links=(first, first))
    (found,) = await recall(memory, note=note)
    assert (found.text, found.tags, found.links) == ("second\nline \0 🙂", ("t", "t u"), (first,))
    assert (found.bank, found.score) == ("x", 0)
    assert found.created > 1.6e9


async def test_ids_are_never_used_again(memory: Memory) -> None:
    ids = await facts(memory)
    assert await forget(memory, ids[-1])
    assert await remember(memory, "new") not in ids
    assert len({*ids, await remember(memory, "newer", agent="x")}) == 5


async def test_a_note_that_is_replaced_keeps_its_id_and_its_old_text_is_not_found(
    memory: Memory,
) -> None:
    ids = await facts(memory)
    (before,) = await recall(memory, note=ids[1])
    assert await remember(memory, "a bird sings", note=ids[1], tags=("bird",)) == ids[1]
    (after,) = await recall(memory, note=ids[1])
    assert (after.text, after.tags, after.created) == ("a bird sings", ("bird",), before.created)
    assert await recall(memory, "postman barks", method="text") == []
    for method in ("vector", "text", "hybrid"):
        found = await recall(memory, "singing birds", method=method, k=9)
        assert found[0].id == ids[1]
        assert len({n.id for n in found}) == len(found)


async def test_a_note_that_is_forgotten_is_gone_from_searches_and_links(memory: Memory) -> None:
    ids = await facts(memory)
    linked = await remember(memory, "see above", links=(ids[0], ids[2]))
    assert await forget(memory, ids[2])
    assert not await forget(memory, ids[2])
    assert not await forget(memory, "no such note")
    for method in ("vector", "text", "hybrid"):
        found = await recall(memory, "interest rates", method=method, k=9)
        assert ids[2] not in [n.id for n in found]
    (note,) = await recall(memory, note=linked)
    assert note.links == (ids[0],)
    with pytest.raises(UnknownName, match="unknown note of 'x'"):
        await recall(memory, note=ids[2])


async def test_notes_remembered_together_are_written_together_and_fail_alone() -> None:
    embedder = Angles()
    memory = Memory(None, embed=embedder)
    asked = [remember(memory, f"{i} degrees", agent=f"a{i % 7}") for i in range(400)]
    asked.insert(100, remember(memory, "1 lost", links=("99",)))
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(results.pop(100), UnknownName)
    by_agent = [(i % 7, note) for i, note in enumerate(results)]
    assert len(set(by_agent)) == 400
    assert embedder.batches == [256, 145]
    found = await recall(memory, "77", agent="a0", method="vector", k=1)
    assert texts(found) == ["77 degrees"]


async def test_a_failing_embedder_fails_the_call_and_keeps_nothing() -> None:
    memory = Memory(None, embed=Angles())
    with pytest.raises(ValueError, match="could not convert"):
        await remember(memory, "no number")
    assert await remember(memory, "1 number") == "1"
    assert len(await recall(memory, "number", method="text", k=9)) == 1


async def test_an_embedder_of_another_length_is_refused() -> None:
    embedder = Angles()
    embedder.dimensions = 3
    with pytest.raises(BadInput, match=r"'angles' gave an array of \(1, 2\)"):
        await remember(Memory(None, embed=embedder), "1")


async def test_a_cancelled_caller_does_not_disturb_the_others(memory: Memory) -> None:
    first, second = [asyncio.create_task(remember(memory, text)) for text in FACTS[:2]]
    await asyncio.sleep(0)
    first.cancel()
    assert (await recall(memory, note=await second))[0].text == FACTS[1]


# -- who may --------------------------------------------------------------------------------------


@pytest.mark.must_show("aios", 8)
async def test_another_agents_memory_is_denied_and_the_attempt_is_in_the_trace() -> None:
    access = Access({"ann": ["team"], "bob": ["team"], "eve": []})
    memory = Memory(None, embed=HashEmbedder(), access=access)
    kernel = Kernel(Scripted(""), drivers=memory.drivers)
    ann, bob, eve = [kernel.agent(name) for name in ("ann", "bob", "eve")]
    note = await ann.remember("the key is under the mat")
    for other in (bob, eve):
        with pytest.raises(Denied, match="may not read the memory of 'ann'"):
            await other.recall("key", bank="ann")
        event = kernel.trace.events[-1]
        assert (event.outcome, event.call.agent) == ("error", other.name)
        assert "may not read the memory of 'ann'" in (event.error or "")
    access.share("ann", "team")
    assert [n.id for n in await bob.recall("key", bank="ann")] == [note]
    with pytest.raises(Denied, match="may not write the memory of 'ann'"):
        await bob.remember("lies", bank="ann")
    with pytest.raises(Denied):
        await eve.recall("key", bank="ann")
    await bob.remember("shared by all of us", bank="@team")
    assert texts(list(await ann.recall("shared", bank="@team"))) == ["shared by all of us"]
    with pytest.raises(Denied, match="not a member of the group 'team'"):
        await eve.recall("shared", bank="@team")


async def test_banks_do_not_see_each_other(memory: Memory) -> None:
    await remember(memory, "mine", agent="a")
    await remember(memory, "mine too", agent="b")
    for method in ("vector", "text", "hybrid"):
        assert texts(await recall(memory, "mine", agent="a", method=method)) == ["mine"]
    assert await recall(memory, "mine", agent="nobody yet") == []


async def test_what_cannot_be_undone_asks_first() -> None:
    asked: list[str] = []

    async def ask(permission: Any) -> bool:
        asked.append(str(permission))
        return False

    memory = Memory(None, access=Access(ask=ask))
    note = await remember(memory, "stays")
    with pytest.raises(Denied):
        await remember(memory, "goes", note=note)
    with pytest.raises(Denied):
        await forget(memory, note)
    assert texts(await recall(memory, note=note)) == ["stays"]
    assert asked == [
        "agent 'x' wants to overwrite note 1 in the memory of x",
        "agent 'x' wants to forget note 1 in the memory of x",
    ]
    # what is not there needs no permission
    assert not await forget(memory, "2")
    assert len(asked) == 2


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (Remember(agent="x", text=" \n"), "empty text"),
        (Remember(agent="x", text="a\ud800"), "broken character at 1"),
        (Recall(agent="x"), "needs a query"),
        (Recall(agent="x", query="q", k=0), "k=0"),
        (Recall(agent="x", query="q", least=1.5), r"least=1\.5"),
        (Remember(agent="x", text="t", note="7"), "unknown note of 'x' '7'"),
        (Remember(agent="x", text="t", links=("7",)), "unknown note of 'x' '7'"),
        (Recall(agent="x", note="one"), "unknown note of 'x' 'one'"),
        (Recall(agent="x", note="9" * 30), "unknown note"),
    ],
)
async def test_bad_input_is_one_sentence(memory: Memory, call: Any, said: str) -> None:
    await remember(memory, "something")
    with pytest.raises(BadInput, match=said):
        await memory.drivers[type(call)](call)
    assert len(await recall(memory, "something", k=9)) == 1


@pytest.mark.parametrize("wrong", [{"quota": 0}, {"watermark": 0}, {"watermark": 1.1}, {"k": 0}])
def test_limits_out_of_range_are_refused(wrong: Any) -> None:
    with pytest.raises(BadInput):
        Memory(None, **wrong)


async def test_a_closed_memory_says_so(memory: Memory) -> None:
    memory.close()
    memory.close()
    for call in (remember(memory, "x"), recall(memory, "x")):
        with pytest.raises(BadInput, match="closed"):
            await call
