"""Judging: answers with and without a model, where the run ended, what pages hold."""

from __future__ import annotations

import pytest

from collegium.errors import BadInput
from collegium.worlds.web.evaluate import Unjudged, string_match
from tests.worlds.web.site import Notes, web_task
from tests.worlds.web.test_world import number

pytestmark = pytest.mark.usefixtures("tokenizer")


@pytest.fixture
def tokenizer() -> None:
    pytest.importorskip("nltk")


def pages(*targets: dict, **more) -> dict:
    return {"eval_types": ["program_html"], "program_html": list(targets), **more}


def asked(**answers) -> dict:
    return {"eval_types": ["string_match"], "reference_answers": answers}


async def test_what_pages_hold_is_looked_at_after_the_run(opened, site: Notes) -> None:
    target = {
        "url": "__SHOP__/notes",
        "locator": "document.querySelector('ul').innerText",
        "required_contents": {"must_include": ["call mum"]},
    }
    task = web_task("/notes", require_login=True, eval=pages(target))
    world, seen = await opened(task, sites={"shop": site})
    assert not (await world.judge(None)).correct
    turn = await world.step(f"type [{number(seen, 'Note')}] [call mum]")
    score = await world.judge(None)
    assert score.correct and score.facts["score_fixed"] == score.facts["score_compat"] == 1.0
    assert (await world.judge(None)) == score  # and nothing has changed
    assert world.last == turn and site.notes == ["buy milk", "call mum"]


async def test_the_last_page_is_judged_as_it_stands(opened) -> None:
    last = {
        "url": "last",
        "locator": "document.querySelector('input').value",
        "required_contents": {"exact_match": "typed"},
    }
    world, seen = await opened(web_task(eval=pages(last)))
    await world.step(f"type [{number(seen, 'Words')}] [typed] [0]")
    assert (await world.judge(None)).correct


async def test_locators(opened) -> None:
    throws = {
        "url": "last",
        "locator": "document.nothing.here",
        "required_contents": {"exact_match": ""},
    }
    whole = {
        "url": "last",
        "locator": "",
        "required_contents": {"must_include": ["<h1>notes</h1>"]},
    }
    prepared = {
        "url": "last",
        "locator": "document.title",
        "prep_actions": ["document.title = 'Prepared'"],
        "required_contents": {"exact_match": "Prepared"},
    }
    world, _ = await opened(web_task(eval=pages(throws, whole, prepared)))
    assert (await world.judge(None)).correct
    assert "Prepared" not in (await world.step("scroll [down]")).observation
    other = {"url": "last", "locator": "import os", "required_contents": {"exact_match": ""}}
    world, _ = await opened(web_task(eval=pages(other)))
    score = await world.judge(None)
    assert not score.correct and "neither JavaScript nor a helper" in score.reason


async def test_helpers_are_a_fixed_table(opened) -> None:
    async def shout(place, text: str) -> str:
        await place.tab.goto(f"{place.hosts['shop']}/notes")
        return f"{await place.tab.evaluate('document.title')} {text}".upper()

    async def title(place) -> str:
        return await place.tab.evaluate("document.title")

    mine = {
        "url": "last",
        "locator": "func:shout('x')",
        "required_contents": {"exact_match": "notes x"},
    }
    here = {
        "url": "last",
        "locator": "func:title(__page__)",
        "required_contents": {"exact_match": "home"},
    }
    world, _ = await opened(
        web_task(eval=pages(mine, here)), helpers={"shout": shout, "title": title}
    )
    assert (await world.judge(None)).correct
    for wrong, said in (
        ("func:__import__('os').system('true')", "no call of a helper"),
        ("func:open('/etc/passwd')", "unknown helper of web tasks 'open'"),
        ("func:title(1 + 1)", "no call of a helper"),
        ("func:(", "no call of a helper"),
    ):
        target = {"url": "last", "locator": wrong, "required_contents": {"exact_match": ""}}
        world, _ = await opened(web_task(eval=pages(target)))
        score = await world.judge(None)
        assert not score.correct and said in score.reason


async def test_posts_have_one_address(opened) -> None:
    target = {
        "url": "func:reddit_get_post_url('__last_url__')",
        "locator": "document.title",
        "required_contents": {"exact_match": "Home"},
    }
    world, _ = await opened(web_task(eval=pages(target)))
    assert (await world.judge(None)).correct  # no post: the address itself
    from collegium.worlds.web.helpers import post_url

    assert await post_url(None, "http://h/f/books/12/a-title/-/comment/3") == "http://h/f/books/12/"  # type: ignore[arg-type]
    assert await post_url(None, "http://h/f/books") == "http://h/f/books"  # type: ignore[arg-type]


async def test_all_evaluators_have_to_agree(opened) -> None:
    both = {
        "eval_types": ["string_match", "url_match"],
        "reference_answers": {"exact_match": "milk"},
        "reference_url": "__SHOP__/notes",
    }
    world, _ = await opened(web_task(eval=both))
    score = await world.judge("Milk")
    assert not score.correct and score.facts["string_match"] and not score.facts["url_match"]
    assert score.reason == "web task 1: not right: url_match"
    await world.step("goto [http://shop.test/notes]")
    assert (await world.judge("Milk")).correct
    assert not (await world.judge("bread")).correct
    await world.step("stop [bread]")  # what was said when it stopped counts
    assert not (await world.judge("Milk")).correct


@pytest.mark.must_show("webarena", 3)
async def test_unachievable_tasks() -> None:
    task = web_task(
        intent="Who complained?",
        eval=asked(fuzzy_match="N/A") | {"string_note": "Nobody did."},
    )
    said: list[str] = []

    async def judge(question: str) -> str:
        said.append(question)
        return "Same." if "nobody" in question.rpartition("reported:")[2].lower() else "different"

    for answer in ("N/A", "'n/a'", ' "N/A" '):
        assert await string_match(task, answer, "compat", None)
    with pytest.raises(Unjudged):
        await string_match(task, "Nobody complained", "fixed", None)
    assert await string_match(task, "Nobody complained", "fixed", judge)
    assert not await string_match(task, "I am tired", "fixed", judge)
    assert not await string_match(task, "", "fixed", None)
    assert "Nobody did." in said[0] and "Who complained?" in said[0]


async def test_a_model_judges_or_the_task_is_not_judged(opened) -> None:
    task = web_task(eval=asked(fuzzy_match=["two weeks", "free"]))
    assert not await string_match(task, "", "fixed", None)
    with pytest.raises(Unjudged, match="none was given"):
        await string_match(task, "14 days, no cost", "fixed", None)
    verdicts = {"correct": True, "partially correct": False, "incorrect": False}
    for verdict, good in verdicts.items():

        async def judge(question: str, verdict: str = verdict) -> str:
            return f"{verdict.capitalize()}."

        assert await string_match(task, "14 days, no cost", "fixed", judge) is good

    async def mumbles(question: str) -> str:
        return "who knows"

    with pytest.raises(Unjudged, match="neither"):
        await string_match(task, "14 days", "fixed", mumbles)
    world, _ = await opened(task)
    score = await world.judge("14 days, no cost")
    assert score.facts["unjudged"] is True and "judged by a model" in score.reason
    one = web_task(eval=asked(fuzzy_match=["Two weeks"]))
    assert await string_match(one, "two weeks", "fixed", None)  # the same words need no judge


async def test_unknown_kinds_of_answers_are_told_of(opened) -> None:
    world, _ = await opened(web_task(eval=asked(sounds_like="x")))
    score = await world.judge("x")
    assert not score.correct and "sounds_like" in score.reason


def test_no_reference_no_task() -> None:
    with pytest.raises(BadInput, match="needs program_html"):
        web_task(eval={"eval_types": ["program_html"]})
