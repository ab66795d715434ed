"""Compare: choosing, uploading, watching, stopping, going on, reading what came of it."""

import re
from pathlib import Path

import pytest

from tests.studio.conftest import serious, too_wide
from tests.studio.scripted import ATTACKS

CHOICES = "question,A,B,C,answer\n" + "".join(
    f"Which of these fits case {n}?,ibuprofen,colchicine,waiting,{'ABC'[n % 3]}\n" for n in range(6)
)


@pytest.fixture
def questions(tmp_path) -> Path:
    file = tmp_path / "cases.csv"
    file.write_text(CHOICES)
    return file


@pytest.fixture
def few(tmp_path) -> Path:
    """Questions for models that are slow, or write much."""
    file = tmp_path / "few.csv"
    file.write_text("".join(CHOICES.splitlines(keepends=True)[:4]))
    return file


def choose(page, *systems: str) -> None:
    """Fill in the systems of the form."""
    for n, spec in enumerate(systems, 1):
        if page.get_by_label(f"System {n}", exact=True).count() == 0:
            page.get_by_role("button", name="Another system").click()
        page.get_by_label(f"System {n}", exact=True).fill(spec)


def upload(page, file: Path, said: str) -> None:
    page.locator("#upload").set_input_files(file)
    page.wait_for_function(
        "said => document.getElementById('upload-said').textContent.includes(said)", arg=said
    )


def begin(page) -> str:
    """Begin; gives the run's id."""
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url(re.compile(r"/compare/\w"))
    return page.url.rpartition("/")[2]


def compared(seen, questions, *systems, said="6 questions") -> str:
    """A finished comparison of the uploaded questions."""
    page = seen.open("/compare")
    choose(page, *systems)
    upload(page, questions, said)
    run = begin(page)
    page.get_by_role("heading", name="Systems", exact=True).wait_for()
    return run


def test_from_choosing_to_the_report(watch, questions, tmp_path):
    seen = watch()
    run = compared(seen, questions, "argmed", "cot")
    page = seen.page
    assert page.locator(".verdict").inner_text()
    text = page.locator("#content").inner_text()
    for said in ("argmed", "cot", "95% interval", "exact McNemar", "against", "split"):
        assert said in text
    assert page.locator("figure.chart svg circle").count() == 4
    assert serious(page) == []

    # One spent twelve times the tokens of the other, so they are ranked only when asked for.
    assert page.locator(".verdict").inner_text().startswith("Not ranked")
    page.get_by_role("button", name="Rank all the same").click()
    page.wait_for_function(
        "(document.querySelector('.verdict')?.textContent ?? 'Not').startsWith('Not') === false"
    )

    # The report that the command line writes, too.
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the HTML report").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    assert download.value.suggested_filename == f"compare-{run}.html"
    assert "exact McNemar" in file.read_text() and "Which of these fits" in file.read_text()

    # Down to two transcripts of one question.
    page.locator("table.questions a").first.click()
    page.wait_for_url(re.compile("/question"))
    page.locator(".transcript .event").first.wait_for()
    page.wait_for_function("document.querySelectorAll('.transcript .reel').length === 2")
    assert "Which of these fits case" in page.locator(".answer").first.inner_text()
    assert {h.strip() for h in page.locator(".sides h2").all_inner_texts()} == {"argmed", "cot"}
    assert serious(page) == []
    page.get_by_label("Right").select_option("argmed")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(re.compile("b=argmed"))

    # It stands in the history.
    page = seen.open("/compare")
    assert page.locator(f'a[href="/compare/{run}"]').is_visible()
    page = seen.open(f"/runs/{run}")
    assert page.locator("table.runs tbody tr").count() == 12
    page.locator("table.runs a").first.click()
    page.locator(".transcript .event").first.wait_for()
    assert seen.clean()


def test_an_address_fills_in_the_form(watch):
    seen = watch()
    page = seen.open("/compare?systems=argmed,mad:agents=4,rounds=1,cot&on=mmlu:anatomy&limit=7")
    systems = [page.get_by_label(f"System {n}", exact=True).input_value() for n in (1, 2, 3)]
    assert systems == ["argmed", "mad:agents=4,rounds=1", "cot"]
    assert page.get_by_label("Benchmark").input_value() == "mmlu:anatomy"
    assert page.get_by_label("Questions", exact=True).input_value() == "7"
    assert "agents=4" in page.locator(".system-row").nth(1).inner_text()
    assert serious(page) == []
    assert seen.clean()


def test_what_is_written_wrong_is_told_while_it_is_written(watch):
    seen = watch()
    page = seen.open("/compare")
    choose(page, "drect")
    hint = page.locator(".system-row .hint").first
    page.wait_for_function("document.querySelector('.system-row .hint').classList.contains('bad')")
    assert "did you mean 'direct'" in hint.inner_text()
    choose(page, "mad:agents=four")
    page.wait_for_function(
        "document.querySelector('.system-row .hint').textContent.includes('four')"
    )
    choose(page, "mad:agents=4")
    page.wait_for_function("!document.querySelector('.system-row .hint').classList.contains('bad')")
    # What was typed stays while the server answers.
    assert page.get_by_label("System 1", exact=True).input_value() == "mad:agents=4"
    page.get_by_label("Benchmark").fill("no-such-thing")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("#told.on").wait_for()
    assert "nknown benchmark 'no-such-thing'" in page.locator("#told").inner_text()
    assert page.get_by_label("Benchmark").input_value() == "no-such-thing"
    page.get_by_label("Tokens per question").fill("lots")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_function("document.getElementById('told').textContent.includes('whole number')")
    assert seen.clean()


def test_uploads_that_are_refused(watch, tmp_path):
    seen = watch()
    page = seen.open("/compare")
    bad = tmp_path / "bad.csv"
    bad.write_text("colour,shape\nred,round\n")
    upload(page, bad, "bad.csv, line 2: no question")
    script = tmp_path / "evil.py"
    script.write_text("print('never')")
    upload(page, script, "must end in .jsonl or .csv")
    large = tmp_path / "large.csv"
    large.write_bytes(b"question,answer\n" + b"x" * (9 << 20))
    upload(page, large, "too large")
    hostile = tmp_path / "<img src=x onerror=alert(1)>.csv"
    hostile.write_text("question,answer\n<script>alert(1)</script>,\n")
    upload(page, hostile, "no answer")
    assert seen.clean()


def test_an_upload_past_the_page_is_refused_all_the_same(watch, tmp_path):
    seen = watch()
    page = seen.open("/compare")
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "POST" else None)
    good = tmp_path / "good.csv"
    good.write_text(CHOICES)
    upload(page, good, "6 questions")
    (address,) = sent
    send = """async ([where, name, text, times]) => {
      const form = new FormData();
      form.append("file", new Blob([text.repeat(times)]), name);
      return (await fetch(where, { method: "POST", body: form })).status;
    }"""
    assert page.evaluate(send, [address, "big.csv", "x", 11 << 20]) == 413
    path = "../../../../tmp/escaped.csv"
    assert page.evaluate(send, [address, path, "question,answer\na,b\n", 1]) == 200
    page.wait_for_function(
        "document.getElementById('upload-said').textContent === 'escaped.csv: 1 question.'"
    )
    assert not Path("/tmp/escaped.csv").exists()


def test_a_comparison_goes_on_without_its_page_and_can_be_stopped(watch, studio_with, few):
    slow = studio_with(model="slow")
    seen = watch(at=slow)
    page = seen.open("/compare")
    choose(page, "cot", "direct")
    upload(page, few, "3 questions")
    run = begin(page)
    page.get_by_role("button", name="Stop").wait_for()
    assert serious(page) == []
    page.goto("about:blank")
    page.wait_for_timeout(1_500)
    page = seen.open(f"/compare/{run}")
    page.wait_for_function(
        "[...document.querySelectorAll('progress')].some((bar) => bar.value > 0)"
    )
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("It was stopped before it was done.").wait_for()
    kept = page.locator("#content").inner_text()
    assert int(re.search(r"(\d+) runs? (?:are|is) finished", kept)[1]) >= 1
    page.get_by_role("button", name="Go on where it stopped").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.wait_for_function(
        "document.querySelector('[role=status]').textContent.includes('kept from before')"
    )
    page.get_by_role("heading", name="Systems", exact=True).wait_for(timeout=60_000)
    assert page.url.endswith(run)
    assert seen.clean()


def test_hostile_answers_stay_text(watch, studio_with, few, browser, tmp_path):
    hostile = studio_with(model="hostile")
    seen = watch(at=hostile)
    run = compared(seen, few, "cot", "mad:agents=2,rounds=1", said="3 questions")
    page = seen.page
    page.locator("table.questions a").first.click()
    page.locator(".transcript .event").first.wait_for()
    page.wait_for_timeout(300)
    assert page.evaluate("document.querySelectorAll('#content img, #content iframe').length") == 0
    page = seen.open(f"/compare/{run}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the HTML report").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    assert seen.clean()
    context = browser.new_context(offline=True)
    alone = context.new_page()
    dialogs = []
    alone.on("dialog", lambda d: (dialogs.append(d.message), d.dismiss()))
    alone.goto(file.as_uri())
    alone.wait_for_timeout(300)
    context.close()
    assert dialogs == []


@pytest.mark.parametrize("attack", [ATTACKS[1], ATTACKS[4], ATTACKS[7]])
def test_hostile_addresses(watch, studio, attack):
    from urllib.parse import quote

    seen = watch()
    page = seen.open(f"/compare?systems={quote(attack)}&on={quote(attack)}&limit={quote(attack)}")
    page.wait_for_timeout(200)
    assert seen.dialogs == []
    reply = seen.page.goto(f"{studio.address}/compare/{quote(attack, safe='')}")
    assert reply.status in (400, 404)
    assert seen.dialogs == []


@pytest.mark.parametrize("name", ["nothing", "..%2f..%2fetc", "%2e%2e"])
def test_a_comparison_that_is_not_there(watch, studio, name):
    seen = watch()
    reply = seen.page.goto(f"{studio.address}/compare/{name}")
    assert reply.status in (200, 400, 404)
    assert "root:" not in seen.page.content()


def test_compare_on_a_phone_in_the_dark(watch, questions):
    seen = watch(phone=True, dark=True)
    run = compared(seen, questions, "cot", "direct")
    page = seen.page
    assert too_wide(page) <= 0
    assert serious(page) == []
    for path in ("/compare", f"/compare/{run}/question?task=line-2"):
        page = seen.open(path)
        page.wait_for_timeout(200)
        assert too_wide(page) <= 0, path
        assert serious(page) == [], path
    assert seen.clean()
