"""Agentic notes: described by the model, linked to neighbours, which may be rewritten."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collegium.errors import Denied
from collegium.kernel import Access, Kernel, Unparsed
from collegium.kernel.access import always
from collegium.kernel.calls import Generate
from collegium.kernel.memory import Memory, remember_agentic
from collegium.kernel.memory.notes import compose, content, keywords
from collegium.kernel.resources import Recall, Remember
from collegium.models.embeddings import HashEmbedder
from tests.kernel.support import Scripted

ABOUT = {
    "keywords": ["kettle", "lime,  scale", "kettle"],
    "context": "How to\nclean a kettle.",
    "tags": ["kitchen", "cleaning"],
}


def answering(evolution: Any = None, about: Any = ABOUT) -> Scripted:
    def answer(request: Generate, i: int) -> str:
        wanted = about if "evolve" not in json.dumps(request.schema) else evolution
        return wanted if isinstance(wanted, str) else json.dumps(wanted)

    return Scripted(answer)


def kernel_with(model: Scripted, ask: Any = always) -> Kernel:
    return Kernel(model, drivers=Memory(None, embed=HashEmbedder(), access=Access(ask=ask)).drivers)


async def test_a_first_note_is_described_and_kept() -> None:
    model = answering()
    agent = kernel_with(model).agent("a")
    made = await remember_agentic(agent, "Boil vinegar against lime.")
    assert (made.links, made.updated, made.refused) == ((), (), ())
    (note,) = await agent.kernel.call(Recall(agent="a", note=made.note))
    assert note.text == (
        "Boil vinegar against lime.\n\n"
        "Context: How to clean a kettle.\nKeywords: kettle, lime scale"
    )
    assert note.tags == ("kitchen", "cleaning")
    assert len(model.requests) == 1  # there were no neighbours to decide on
    assert "Boil vinegar against lime." in model.prompts[0]
    # it is found by what the model said of it
    assert (await agent.recall("cleaning kettles", method="text"))[0].id == note.id


async def test_neighbours_are_linked_and_rewritten_before_the_note_is_added() -> None:
    evolution = {
        "evolve": True,
        "links": [2, 1, 2, 9, 0],
        "updates": [
            {"number": 1, "context": "A second use of vinegar.", "tags": ["vinegar"]},
            {"number": 5, "context": "nobody", "tags": []},
        ],
    }
    model = answering(evolution)
    kernel = kernel_with(model)
    agent = kernel.agent("a")
    plain = await agent.remember("vinegar dressing for salad", tags=["food"], links=[])
    other = await agent.remember("the kettle whistles")
    near = [
        n.id for n in await agent.recall(compose("vinegar", ABOUT["context"], ABOUT["keywords"]))
    ]
    assert set(near) == {plain, other}
    made = await remember_agentic(agent, "vinegar")
    assert made.links == (near[1], near[0])
    assert made.updated == (near[0],)
    (note,) = await kernel.call(Recall(agent="a", note=made.note))
    assert note.links == made.links
    (first,) = await kernel.call(Recall(agent="a", note=near[0]))
    before = "the kettle whistles" if near[0] == other else "vinegar dressing for salad"
    assert content(first.text) == before
    assert "Context: A second use of vinegar." in first.text
    assert first.tags == ("vinegar",)
    # the neighbours were shown by number, and the order is: ask, search, ask, update, add
    assert (
        f"Neighbour 1 (tags: {'none' if near[0] == other else 'food'}): {before}"
        in model.prompts[1]
    )
    kinds = [type(e.call) for e in kernel.trace.events[3:8]]
    assert kinds == [Generate, Recall, Generate, Remember, Remember]
    # each is traced as made from what came before it
    events = kernel.trace.events
    assert events[7].call.sources == (events[3].id, events[5].id)


@pytest.mark.parametrize("evolution", [{"evolve": False, "links": [1], "updates": []}, "no idea"])
async def test_no_evolution_leaves_the_neighbours_alone(evolution: Any) -> None:
    agent = kernel_with(answering(evolution)).agent("a")
    old = await agent.remember("kettle")
    made = await remember_agentic(agent, "another kettle")
    assert (made.links, made.updated) == ((), ())
    (note,) = await agent.kernel.call(Recall(agent="a", note=old))
    assert note.text == "kettle"


async def test_an_unreadable_description_costs_the_description_alone() -> None:
    agent = kernel_with(answering(about="no JSON")).agent("a")
    made = await remember_agentic(agent, "a plain fact")
    assert isinstance(made.description, Unparsed)
    (note,) = await agent.kernel.call(Recall(agent="a", note=made.note))
    assert (note.text, note.tags) == ("a plain fact", ())


async def test_rewriting_that_is_not_permitted_is_said_and_the_note_is_kept() -> None:
    evolution = {
        "evolve": True,
        "links": [],
        "updates": [{"number": 1, "context": "x", "tags": []}],
    }
    agent = kernel_with(answering(evolution), ask=None).agent("a")
    old = await agent.remember("kettle")
    made = await remember_agentic(agent, "another kettle")
    assert (made.updated, made.refused) == ((), (old,))
    assert len(await agent.recall("kettle")) == 2


async def test_a_bank_that_is_not_the_agents_is_denied() -> None:
    agent = kernel_with(answering()).agent("a")
    with pytest.raises(Denied):
        await remember_agentic(agent, "mine now", bank="b")


def test_the_parts_of_a_note_are_found_again() -> None:
    text = compose("Context: is\n\nmy text", "why", ["a", "b c"])
    assert content(text) == "Context: is\n\nmy text"
    assert keywords(text) == ("a", "b c")
    assert content("plain\nKeywords: x") == "plain\nKeywords: x"
    assert keywords("plain\nKeywords: x") == ()
    assert keywords(compose("t", "c", [])) == ()
