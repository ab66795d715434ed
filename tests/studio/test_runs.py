"""The history, one run, a transcript of ten thousand calls, differences and shared pages."""

import re
import sqlite3
from pathlib import Path

import pytest

from tests.studio.conftest import serious, too_wide
from tests.studio.filled import hostile_run, long_run, short_run

LONG = 10_000

SCROLL = """(share) => {
  const reel = document.querySelector(".reel");
  reel.scrollTop = reel.scrollHeight * share;
}"""

NODES = "document.querySelectorAll('.reel *').length"


@pytest.fixture(scope="module")
def store(studio) -> Path:
    return studio.home / "runs.db"


@pytest.fixture(scope="module")
def long(store) -> str:
    return long_run(store, LONG)


@pytest.fixture(scope="module")
def two(store) -> tuple[str, str]:
    a = short_run(store, "Which drug fits?", answer="colchicine")
    return a, short_run(store, "Which drug fits?", agents=3, answer="paracetamol", seed=7)


def ready(page, text: str) -> None:
    page.get_by_text(text).first.wait_for()


def test_the_list_is_filtered_by_an_address(watch, studio, two):
    seen = watch()
    page = seen.open("/runs")
    assert page.get_by_role("heading", name="Runs", exact=True).is_visible()
    page.get_by_label("Text").fill("paracetamol")
    page.get_by_label("Text").press("Enter")
    page.wait_for_url(re.compile("text=paracetamol"))
    rows = page.locator("table.runs tbody tr")
    assert rows.count() == 1
    assert "→ paracetamol" in rows.first.inner_text()
    assert page.get_by_label("Text").input_value() == "paracetamol"
    page.get_by_label("Ended").select_option("failed")
    page.get_by_role("button", name="Filter").click()
    ready(page, "No run passes these filters.")
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url(re.compile("/runs$"))
    assert seen.clean()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=yesterday", "'yesterday' is no day"),
        ("tokens=many", "must be a whole number"),
        ("ended=badly", "A run does not end 'badly'"),
    ],
)
def test_a_wrong_filter_is_told_of(watch, query, said):
    seen = watch()
    page = seen.open(f"/runs?{query}")
    page.locator("#told.on").wait_for()
    assert said in page.locator("#told").inner_text()


def test_a_run_that_is_not_there(watch, studio, two):
    seen = watch()
    reply = seen.page.goto(f"{studio.address}/runs/nothing")
    assert reply.status == 404
    assert "Unknown run 'nothing'" in seen.page.locator(".lead").inner_text() or (
        "unknown run 'nothing'" in seen.page.locator(".lead").inner_text()
    )


def test_one_run_shows_what_came_of_it(watch, two):
    seen = watch()
    page = seen.open(f"/runs/{two[0]}")
    ready(page, "I say colchicine.")
    assert page.locator(".event").count() == 3
    assert "390" in page.locator("dl.facts").first.inner_text()
    page.locator(".event .more").first.click()
    ready(page, "Go on. Let us see.")
    assert serious(page) == []
    assert seen.clean()


def test_a_transcript_of_ten_thousand_calls(watch, long):
    seen = watch()
    page = seen.open(f"/runs/{long}")
    page.locator('.event[data-i="0"]').wait_for()
    reel = page.locator(".reel")
    most = 0
    box = reel.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(40):
        page.mouse.wheel(0, 900)
        page.wait_for_timeout(40)
        most = max(most, page.evaluate(NODES))
    # Far jumps, as with the scroll bar.
    for share in (0.25, 0.9, 0.5, 1.0):
        page.evaluate(SCROLL, share)
        page.wait_for_timeout(150)
        most = max(most, page.evaluate(NODES))
    page.locator(f'.event[data-i="{LONG - 1}"]').wait_for()
    # 500 boxes, of which a few hold calls; a whole transcript would be over 100,000 elements.
    assert most < 4_000
    assert page.locator(".event").count() < 250
    assert seen.clean()


def test_a_long_transcript_is_searched(watch, long):
    seen = watch()
    page = seen.open(f"/runs/{long}")
    page.locator('.event[data-i="0"]').wait_for()
    field = page.get_by_role("searchbox")
    field.fill("needle-8765 ")
    hit = page.locator('.event.now[data-i="8765"]')
    hit.wait_for()
    assert hit.locator("mark").first.inner_text() == "needle-8765"
    assert page.locator(".finder [role=status]").inner_text() == "1 of 1"
    page.wait_for_timeout(400)
    frame, place = page.locator(".reel").bounding_box(), hit.bounding_box()
    assert frame["y"] - 1 <= place["y"] < frame["y"] + frame["height"]
    field.fill("needle-99")
    page.wait_for_function(
        "document.querySelector('.finder [role=status]').textContent === '1 of 111'"
    )
    field.press("Enter")
    page.locator('.event.now[data-i="990"]').wait_for()
    field.fill("nowhere to be found")
    ready(page, "not found")
    assert seen.clean()


def test_two_runs_are_held_against_each_other(watch, two):
    seen = watch()
    page = seen.open("/runs")
    for run in two:
        page.get_by_label(f"Mark run {run}").check()
    page.get_by_role("button", name="Compare the two marked").click()
    page.wait_for_url(re.compile("/diff/"))
    ready(page, "What two runs did differently")
    text = page.locator("#content").inner_text()
    for said in ("parameters: agents", "seed", "colchicine", "paracetamol"):
        assert said in text
    assert "The first call is the same. Call 2" in text
    assert page.locator(".diff-row.only-b, .diff-row.only-a, .diff-row.changed").count() >= 2
    assert {"ins", "del"} & set(
        page.evaluate("[...document.querySelectorAll('.diff-row *')].map(e => e.localName)")
    )
    assert serious(page) == []
    page.get_by_role("link", name="All calls").click()
    page.locator(".diff-row.same").first.wait_for()
    assert seen.clean()


def test_one_run_alone_cannot_be_held_against_another(watch, two):
    seen = watch()
    page = seen.open(f"/runs/diff?run={two[0]}")
    ready(page, "Two runs are needed")
    assert seen.clean()


def test_a_run_is_shared_as_one_file(watch, two, tmp_path, browser):
    seen = watch()
    page = seen.open(f"/runs/{two[0]}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Share as one HTML file").click()
    file = tmp_path / "shared.html"
    download.value.save_as(file)
    assert download.value.suggested_filename == f"run-{two[0]}.html"
    assert opened_alone(browser, file, scripts=False) == ([], [])
    assert seen.clean()


def opened_alone(browser, file, *, scripts=True):
    """Open a file with no network; gives what ran and what was asked of anybody."""
    context = browser.new_context(java_script_enabled=scripts, offline=True)
    page = context.new_page()
    dialogs, asked = [], []
    page.on("dialog", lambda d: (dialogs.append(d.message), d.dismiss()))
    page.on("request", lambda r: asked.append(r.url) if not r.url.startswith("file:") else None)
    page.goto(file.as_uri())
    assert page.locator("article.event").first.is_visible()
    page.wait_for_timeout(200)
    context.close()
    return dialogs, asked


def test_hostile_runs_stay_text_on_every_page(watch, store, tmp_path, browser):
    run = hostile_run(store)
    other = hostile_run(store)
    seen = watch()
    page = seen.open("/runs?text=alert")
    assert page.locator("table.runs tbody tr").count() >= 2
    page = seen.open(f"/runs/{run}")
    page.locator(".event").first.wait_for()
    for left in range(page.locator(".event .more").count(), 0, -1):
        page.locator(".event .more").first.click()
        page.wait_for_function(f"document.querySelectorAll('.event .more').length < {left}")
    page.get_by_role("searchbox").fill("<img src=x onerror=alert('img')>")
    page.locator(".event mark").first.wait_for()
    assert page.locator(".reel mark").first.inner_text() == "<img src=x onerror=alert('img')>"
    assert (
        page.evaluate("document.querySelectorAll('.reel img, .reel script, .reel iframe').length")
        == 0
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="Share as one HTML file").click()
    file = tmp_path / "hostile.html"
    download.value.save_as(file)
    page = seen.open(f"/runs/{run}/diff/{other}?every=1")
    page.locator(".diff-row").first.wait_for()
    page.wait_for_timeout(300)
    assert seen.clean()
    assert opened_alone(browser, file) == ([], [])


@pytest.mark.parametrize(
    "name", ["..%2f..%2fetc%2fpasswd", "%00", "<script>alert(1)</script>", "a'b\"c"]
)
def test_hostile_addresses(watch, studio, name):
    seen = watch()
    reply = seen.page.goto(f"{studio.address}/runs/{name}")
    assert reply.status in (400, 404)
    seen.page.wait_for_timeout(100)
    assert seen.dialogs == []


def test_runs_on_a_phone(watch, two, long):
    seen = watch(phone=True, dark=True)
    for path in ("/runs", f"/runs/{two[0]}", f"/runs/{two[0]}/diff/{two[1]}"):
        page = seen.open(path)
        page.wait_for_timeout(200)
        assert too_wide(page) <= 0, path
        assert serious(page) == [], path
    assert seen.clean()


def test_a_store_of_a_hundred_thousand_runs_is_never_read_whole(
    watch, studio_with, tmp_path_factory
):
    home = tmp_path_factory.mktemp("large")
    short_run(home / "runs.db", "the first of all")
    with sqlite3.connect(home / "runs.db") as db:
        spec = '{"system":"cot","task":"What is it?","model":"local"}'
        rows = (
            (
                f"2026010{n % 9 + 1}-{n:06d}-x",
                f"2025-01-0{n % 9 + 1}T00:{n % 60:02d}:00",
                "run",
                "",
                spec,
                "done",
            )
            for n in range(100_000)
        )
        db.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", rows)
        db.execute("INSERT OR IGNORE INTO totals SELECT id, 5, 0, '{}' FROM runs")
    large = studio_with(home=home)
    seen = watch(at=large)
    page = seen.open("/runs")
    assert page.locator("table.runs tbody tr").count() == 50
    ready(page, "100,001 runs")
    page.get_by_role("link", name="Older").click()
    page.wait_for_url(re.compile("page=2"))
    ready(page, "51 to 100 of 100,001")
    page = seen.open("/runs?text=first of all&page=900")
    assert page.locator("table.runs tbody tr").count() == 1
    assert seen.clean()
