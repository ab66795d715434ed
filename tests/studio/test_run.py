"""A run from the page: form, conversation, graph, bill, stop, going on, questions, errors."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from collegium.kernel import RunStore
from tests.studio.conftest import Studio, Watched, serious, too_wide

Watch = Callable[..., Watched]

QUESTION = "An attack of gout in a man with a bleeding ulcer. What should he get?"
CHOICES = "ibuprofen\ncolchicine\namoxicillin"

ASKING = """
tools:
  "@send":
    - effect: forbid
      when: {to: {const: generator}}
      fallback: ask
    - effect: allow
"""


def begin(page: Any, task: str = QUESTION, choices: str = CHOICES) -> None:
    page.get_by_label("Task", exact=True).fill(task)
    if choices:
        page.get_by_label("Choices").fill(choices)
    page.get_by_role("button", name="Run", exact=True).click()


def state(page: Any, word: str) -> None:
    page.locator(".state", has_text=word).wait_for()


def test_the_form_is_made_from_the_system(watch: Watch) -> None:
    page = watch().open("/run/mdagents?task=What+now%3F")
    assert page.get_by_label("Task", exact=True).input_value() == "What now?"
    field = page.get_by_label(re.compile("^complexity"))
    assert field.locator("option").all_inner_texts() == ["adaptive", "low", "moderate", "high"]
    assert page.get_by_label(re.compile("^experts")).input_value() == "3"
    assert page.get_by_label(re.compile("^review")).is_checked()
    assert page.get_by_label(re.compile("^temperatures")).input_value() == "0.0"


def test_an_argument_from_the_question_to_the_graph(watch: Watch, studio: Studio) -> None:
    seen = watch()
    page = seen.open("/run/argmed")
    begin(page)
    state(page, "Done")
    assert page.locator(".run-answer .big").inner_text().startswith("C. ")
    talk = page.locator(".talk").inner_text()
    assert "generator" in talk and "verifier" in talk and "it stops the attack" in talk
    graph = page.get_by_role("img", name=re.compile("^Argument graph: 3 arguments"))
    assert graph.locator("g.argument").count() == 3
    assert graph.locator("g.label-in").count() == 2
    spoke = page.get_by_role("img", name=re.compile("Who spoke to whom: generator to verifier 3"))
    assert spoke.locator("g.agent").count() == 2
    assert "6 calls" in page.locator(".bar").inner_text()
    assert "Diagnosis" in page.locator(".beside").inner_text()
    assert "Optional decisions: C" in page.locator(".account").inner_text()
    page.get_by_text("argument-graph.svg").click()
    page.locator("img.file-picture").wait_for()
    run = page.get_by_role("link", name="Transcript").get_attribute("href").rpartition("/")[2]
    store = RunStore(studio.home / "runs.db")
    assert store.run(run).status == "done"
    store.close()
    # the run stays at its address
    page.reload()
    state(page, "Done")
    assert page.locator(".run-answer .big").inner_text().startswith("C. ")
    assert seen.clean()
    assert serious(page) == []


def test_a_run_fits_a_phone_and_the_dark(watch: Watch) -> None:
    page = watch(phone=True, dark=True).open("/run/argmed")
    begin(page)
    state(page, "Done")
    assert too_wide(page) <= 0
    assert serious(page) == []


def test_parameters_and_limits_are_heeded(watch: Watch) -> None:
    page = watch().open("/run/argmed")
    page.get_by_label(re.compile("^exchanges")).fill("1")
    begin(page)
    state(page, "Done")
    assert "2 calls" in page.locator(".bar").inner_text()
    page.get_by_text("Task and settings").click()
    page.get_by_text("Budget, seed").click()
    page.get_by_label("Most calls").fill("3")
    page.get_by_label(re.compile("^exchanges")).fill("8")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".note", has_text="limit").wait_for()
    state(page, "Done")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"Task": ""}, "the task is empty"),
        ({"exchanges": "many"}, "'exchanges' of argmed must be int"),
        ({"Choices": "one"}, "2 to 26 choices"),
        ({"Most tokens": "-5"}, "must be above 0"),
        ({"Seed": "x"}, "seed must be a whole number"),
        ({"Model": "script:/etc/passwd:root"}, "chosen when the studio is started"),
        ({"Model": "nothing:such"}, "unknown"),
        ({"Models of roles": "generator"}, "ROLE=MODEL"),
        ({"Policy": "tools: ["}, "the policy, line 1"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_mistakes_are_told(watch: Watch, fields: dict[str, str], told: str) -> None:
    page = watch().open("/run/argmed")
    page.get_by_label("Task", exact=True).fill(QUESTION)
    page.get_by_text("Budget, seed").click()
    for name, value in fields.items():
        page.get_by_label(re.compile(f"^{name}")).first.fill(value)
    page.get_by_role("button", name="Run", exact=True).click()
    shown = page.locator("#told.on, .watch > .note:visible")
    shown.first.wait_for()
    assert told.lower() in shown.first.inner_text().lower()


@pytest.fixture(scope="module")
def slow(studio_with: Callable[..., Studio]) -> Studio:
    """A studio whose model thinks for a second."""
    return studio_with(model="slow")


def test_stopped_and_gone_on_with(watch: Watch, slow: Studio) -> None:
    page = watch(at=slow).open("/run/argmed")
    begin(page)
    state(page, "Running")
    page.locator(".turn .who", has_text="generator").first.wait_for()
    page.get_by_role("button", name="Stop").click()
    state(page, "Stopped")
    run = page.get_by_role("link", name="Transcript").get_attribute("href").rpartition("/")[2]
    store = RunStore(slow.home / "runs.db")
    assert store.run(run).status == "interrupted"
    page.get_by_role("button", name="Go on").click()
    state(page, "Done")
    assert "paid for before" in page.locator(".talk").inner_text()
    assert page.locator(".run-answer .big").inner_text().startswith("C. ")
    assert store.run(run).status == "done"
    assert len(store.attempts(run, "argmed", "task")) == 2
    store.close()


def test_a_run_goes_on_when_its_page_is_closed(watch: Watch, slow: Studio) -> None:
    page = watch(at=slow).open("/run/cot")
    begin(page)
    state(page, "Running")
    address = page.url
    page.context.close()
    page = watch(at=slow).page
    page.goto(address)
    state(page, "Done")
    page.goto(slow.address + "/run/cot")
    assert page.get_by_role("link", name=re.compile("^An attack of gout")).count() == 1


def test_a_guard_asks_the_person_at_the_page(watch: Watch) -> None:
    page = watch().open("/run/argmed")
    page.get_by_text("Budget, seed").click()
    page.get_by_label(re.compile("^Policy")).fill(ASKING)
    begin(page)
    asked = page.get_by_role("alertdialog")
    asked.wait_for()
    assert "Agent 'verifier' wants to call @send" in asked.inner_text()
    asked.get_by_role("button", name="Yes").click()
    sent = page.locator(".talk .turn.sent")
    sent.filter(has_text=re.compile(r"verifier\s*→\s*generator")).first.wait_for()
    asked.get_by_role("button", name="No").click()
    page.locator(".note", has_text="The user was asked and said no").wait_for()
    assert not asked.is_visible()
