"""The ladder: three ways at one cap, each what it is built as; scores by words and figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collegium.bench.taxonomy.ladder import climb, kept, passages, searcher, supported
from collegium.errors import BadInput
from collegium.kernel import Generate
from collegium.models.scripted import ScriptedModel

DOCUMENT = """# The old lighthouse

The lighthouse was built in 1884 by two brothers from granite of the island.

Its lamp burns 40 litres of oil in a winter night and is seen from 31 kilometres away.

Since 1962 nobody has lived there.
"""
ARTICLE = "The lighthouse was built in 1884 from granite. Its lamp is seen from 31 kilometres away."


class Author:
    """A model that searches once, and whose checker finds something wrong the first time."""

    def __init__(self) -> None:
        self.agents: list[str] = []

    def __call__(self, request: Generate) -> str:
        self.agents.append(request.agent)
        n = self.agents.count(request.agent)
        match request.agent:
            case "agent":
                use = {"tool": "search", "arguments": {"query": "lighthouse lamp"}}
                done = {"tool": "finish", "answer": ARTICLE}
                return json.dumps({"thought": "so", "action": done if n > 1 else use})
            case "orchestrator" if n == 1:
                return json.dumps(
                    {"questions": ["When was the lighthouse built?", "How far is the lamp seen?"]}
                )
            case "orchestrator":
                who = ["checker", "writer", "checker", "nobody"][n - 2]
                return json.dumps({"who": who, "because": "of the state"})
            case "checker":
                return json.dumps({"wrong": ["It is haunted."] if n == 1 else []})
            case "writer":
                return f"{ARTICLE} It is haunted by 7 ghosts." if n == 1 else ARTICLE
        return ARTICLE


@pytest.fixture
def document(tmp_path: Path) -> Path:
    file = tmp_path / "lighthouse.md"
    file.write_text(DOCUMENT)
    (tmp_path / "harbour.txt").write_text("The harbour has 12 berths.")
    return file


async def test_three_ways_are_what_they_are_built_as(document: Path) -> None:
    author = Author()
    found = await climb(document, ScriptedModel(author), tokens=100_000, seed=1)
    assert [r.paradigm for r in found] == [r.seen for r in found]
    assert [r.seen for r in found] == ["generative-ai", "ai-agent", "agentic-ai"]
    assert all(r.article == ARTICLE and not r.failure for r in found)
    assert [r.supported for r in found] == [1.0] * 3
    assert [r.kept for r in found] == [2 / 4] * 3
    assert found[0].calls == 1 < found[1].calls < found[2].calls
    assert author.agents.count("retriever") == 2


async def test_a_cap_ends_the_largest_and_what_it_had_is_scored(document: Path) -> None:
    found = await climb(document, ScriptedModel(Author()), tokens=700, seed=1)
    assert found[0].failure == ""
    assert "limit" in found[2].failure or found[2].failure == "no article"
    assert all(r.tokens <= 700 for r in found)


def test_scores_are_by_words_and_figures() -> None:
    assert supported(ARTICLE, DOCUMENT) == 1.0
    wrong = "The lighthouse was built in 1885 from granite."
    assert supported(wrong, DOCUMENT) == 0.0
    assert supported(f"{ARTICLE} Dragons sleep beneath the cellar.", DOCUMENT) == pytest.approx(
        2 / 3
    )
    assert supported("", DOCUMENT) is None
    assert kept("Nothing is said.", DOCUMENT) == 0.0
    assert kept("anything", "no figures") is None


async def test_the_search_ranks_passages() -> None:
    corpus = [*passages(DOCUMENT), "The harbour has 12 berths."]
    assert "31 kilometres" in await searcher(corpus).run({"query": "how far is the lamp seen"})
    assert await searcher(corpus).run({"query": "of a"}) == "nothing found"


async def test_bad_documents(tmp_path: Path) -> None:
    for name, text in (("none.md", None), ("empty.md", "# \n\n")):
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(BadInput):
            await climb(tmp_path / name, ScriptedModel(Author()), tokens=1000, seed=1)
