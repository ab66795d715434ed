"""The proposer: what becomes of its lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel
from collegium.learning.pae import Proposed, Site, propose, read_proposals
from collegium.learning.pae.practice import demonstrated, site_of
from collegium.learning.pae.proposer import fingerprint, prompt, sieved
from collegium.models import ScriptedModel
from collegium.models.embeddings import open_embedder
from collegium.worlds.text import kind, kinds, text_world

SITE = Site("todo", "A service of lists.", example="How many lists are there?")
EMBEDDER = open_embedder("hash")

VERBS = ("Count", "Rename", "Delete", "Find", "Move", "Finish", "Add", "Compare")
THINGS = ("the herbs", "an old kettle", "every invoice")


def line(ques: str, site: str = "todo", **more: Any) -> str:
    return json.dumps({"web_name": site, "id": "x", "ques": ques, **more})


def questions(count: int) -> list[str]:
    return [f"{VERBS[i % 8]} {THINGS[i // 8]} on list {chr(97 + i)}." for i in range(count)]


def reply(lines: list[str]) -> str:
    return "Lists can be read.\nOutput: is what follows.\nOutput:\n" + "\n".join(lines)


async def proposed(
    *replies: str, count: int = 25, **options: Any
) -> tuple[Proposed, list[Generate]]:
    asked: list[Generate] = []
    said = iter(replies)

    def script(request: Generate) -> str:
        asked.append(request)
        return next(said)

    kernel = Kernel(ScriptedModel(script), seed=1)
    agent = kernel.agent("proposer")
    return await propose(agent, SITE, count, embedder=EMBEDDER, **options), asked


@pytest.mark.must_show("pae", 5)
async def test_of_25_lines_22_are_tasks() -> None:
    good = [line(q) for q in questions(22)]
    lines = [
        *good[:9],
        '{"web_name": "todo", "ques": ',
        *good[9:],
        "Have fun!",
        line("Buy it", "shop"),
    ]
    assert len(lines) == 25
    found = read_proposals(reply(lines), SITE)
    assert (len(found.tasks), found.broken, found.foreign) == (22, 2, 1)
    kept, asked = await proposed(reply(lines), "", "", count=22)
    assert (len(kept.tasks), kept.broken, kept.foreign, kept.duplicates) == (22, 2, 1, 0)
    assert len({t.id for t in kept.tasks}) == 22
    (request,) = asked
    assert (request.temperature, request.top_p) == (1.0, 0.9)


@pytest.mark.must_show("pae", 5)
async def test_duplicates_and_sign_ins_are_removed_and_counted() -> None:
    first = questions(3)
    again = [first[0], first[1].upper(), *questions(5)[3:]]
    behind = ["Sign in and count the lists.", "Log in as ann.", "Change the password of ann."]
    kept, asked = await proposed(
        reply([line(q) for q in first]), reply([line(q) for q in (*again, *behind)]), count=5,
        per_request=3,
    )  # fmt: skip
    assert [t.ques for t in kept.tasks] == questions(5)
    assert (kept.duplicates, kept.sign_in) == (2, 3)
    assert not any("sign" in t.ques.lower() or "log in" in t.ques.lower() for t in kept.tasks)
    assert len(asked) == 2


async def test_design_and_assign_are_no_sign_in() -> None:
    found = await sieved(
        read_proposals(reply([line("Assign the design to the login page's owner... no.")]), SITE),
        Proposed(), EMBEDDER,
    )  # fmt: skip
    assert found.sign_in == 1  # "login" is one
    found = await sieved(
        read_proposals(reply([line("Assign the design review to ann.")]), SITE),
        Proposed(),
        EMBEDDER,
    )
    assert (found.sign_in, len(found.tasks)) == (0, 1)


async def test_tasks_that_are_held_out_are_never_practised_on() -> None:
    held = [fingerprint("Count the HERBS, on list a")]
    kept, asked = await proposed(
        reply([line(q) for q in questions(3)]), "", count=3, held_out=held, per_request=3
    )
    assert (len(kept.tasks), kept.held_out) == (2, 1)
    assert not {fingerprint(t.ques) for t in kept.tasks} & set(held)
    assert all("herbs" not in m.text for r in asked for m in r.messages)


async def test_a_proposer_that_writes_nothing_is_not_asked_for_ever() -> None:
    kept, asked = await proposed(*["no"] * 9, count=50, per_request=25)
    assert kept.tasks == ()
    assert len(asked) == 4
    with pytest.raises(BadInput, match="1 task or more"):
        await proposed(count=0)


def test_a_reply_without_output_or_of_other_things_is_no_task() -> None:
    assert read_proposals(line("Count."), SITE) == Proposed()
    fenced = f"Output:\n```json\n{line('Count.')}\n```\n"
    assert [t.ques for t in read_proposals(fenced, SITE).tasks] == ["Count."]
    odd = "Output:\n" + "\n".join(['{"ques": 3}', "[1]", "null", line("  "), line("Ok.", "ToDo")])
    found = read_proposals(odd, SITE)
    assert ([t.ques for t in found.tasks], found.broken) == (["Ok."], 4)


def test_the_prompt_holds_the_context_and_nothing_more() -> None:
    bare = prompt(SITE, 25)
    assert "Write 25 tasks" in bare and "How many lists are there?" in bare
    assert "This is what a user did there" not in bare and "share of attempts" not in bare
    shown = prompt(Site("todo", "x", demonstration="Move: lists"), 3, {"Count.": 0.5})
    assert "Move: lists" in shown and "- Count. (50%)" in shown


@pytest.mark.parametrize("name", [n for n in sorted(kinds()) if kind(n).quick])
async def test_a_world_as_a_site_holds_no_test_task(name: str) -> None:
    if problem := kind(name).missing():
        pytest.skip(f"needs {problem}")
    begun: dict[str, set[str]] = {"train": set(), "test": set()}
    for split, seen in begun.items():
        for number in range(5):
            world = text_world(name, split, number)
            seen.add(await world.reset(0))
            await world.close()
    tasks = begun["test"] - begun["train"]  # of some worlds, all games begin with the same words
    assert tasks or name == "wordle"
    for site in (site_of(name), site_of(name, await demonstrated(name))):
        told = prompt(site, 3)
        assert not any(task in told for task in tasks)
    assert "Move: " in told and "Seen: " in told
