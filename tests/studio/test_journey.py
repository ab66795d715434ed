"""From a word to a report: search, open a paper, run it, see its graph, compare, download.

With ``--write-screenshots`` the pictures under ``docs/assets/studio`` are made anew.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.studio.conftest import Studio, Watched

PICTURES = Path(__file__).parents[2] / "docs" / "assets" / "studio"
MOST_BYTES = 200_000

QUESTION = (
    "A 58-year-old man with a bleeding stomach ulcer has a hot, swollen big toe since last night. "
    "What should he get for the pain?"
)
CHOICES = ("ibuprofen", "amoxicillin", "colchicine")
CASES = "question,A,B,C,answer\n" + "".join(
    f"Case {n}: {what} What is best?,ibuprofen,amoxicillin,colchicine,{right}\n"
    for n, (what, right) in enumerate(
        [
            ("gout and a bleeding ulcer.", "C"),
            ("a sprained ankle in a healthy woman.", "A"),
            ("gout and a failing kidney.", "C"),
            ("a bacterial sore throat.", "B"),
            ("gout in a man on warfarin.", "C"),
            ("gout after a heart attack.", "C"),
        ],
        1,
    )
)


class Album:
    """Takes the pictures; keeps them in the documentation when asked to.

    Args:
        folder: Where they go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, page: Any, name: str, *, whole: bool = False) -> None:
        """A picture of what can be seen, or of the whole page."""
        page.wait_for_timeout(400)
        file = self.folder / f"{name}.png"
        page.screenshot(path=file, full_page=whole, animations="disabled")
        assert 10_000 < file.stat().st_size < MOST_BYTES, name


@pytest.fixture
def album(request: pytest.FixtureRequest, tmp_path: Path) -> Album:
    """Pictures of the documentation, or of this test alone."""
    return Album(PICTURES if request.config.getoption("--write-screenshots") else tmp_path)


def test_from_a_word_to_a_report(
    watch: Callable[..., Watched], studio: Studio, album: Album, tmp_path: Path
) -> None:
    seen = watch()
    page = seen.open("/")

    # 1. Search "medical".
    page.get_by_label("Search the papers").fill("medical")
    page.get_by_role("status").filter(has_text="for “medical”").wait_for()
    assert "ArgMed-Agents" in page.locator("article.paper h2").all_text_contents()
    album.take(page, "papers")

    # 2. Open argmed.
    page.get_by_role("link", name="ArgMed-Agents", exact=True).click()
    page.wait_for_url("**/paper/argmed")
    page.get_by_role("heading", name="Published figures").wait_for()
    album.take(page, "paper")

    # 3. Run it on a question.
    page.get_by_role("link", name="Run", exact=True).click()
    page.wait_for_url("**/run/argmed")
    page.wait_for_function("window.did_handshake === true")
    page.get_by_label("Task", exact=True).fill(QUESTION)
    page.get_by_label("Choices").fill("\n".join(CHOICES))
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".state", has_text="Done").wait_for()
    assert page.locator(".run-answer .big").inner_text().startswith("C. ")
    album.take(page, "run")

    # 4. See the argument graph.
    graph = page.get_by_role("img", name=re.compile("^Argument graph"))
    assert graph.locator("g.argument").count() == 3
    graph.scroll_into_view_if_needed()
    album.take(page, "graph")

    # 5. Compare it with cot.
    page.get_by_role("link", name="Compare it").click()
    page.get_by_role("heading", name="Compare systems").wait_for()
    page.wait_for_function("window.did_handshake === true")
    cases = tmp_path / "cases.csv"
    cases.write_text(CASES)
    page.locator("#upload").set_input_files(cases)
    page.wait_for_function(
        "document.getElementById('upload-said').textContent.includes('6 questions')"
    )
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url(re.compile(r"/compare/\w"))
    page.get_by_role("button", name="Download the HTML report").wait_for()
    page.wait_for_function("window.did_handshake === true")
    assert {"argmed", "cot"} <= set(page.locator("table td.what span").all_inner_texts())
    album.take(page, "compare")

    # 6. Download the report.
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the HTML report").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    text = report.read_text(encoding="utf-8")
    assert "gout and a failing kidney" in text and "argmed" in text and "exact McNemar" in text
    assert "<script src" not in text and "http-equiv" in text
    assert seen.clean()


def test_the_same_on_a_phone_and_in_the_dark(watch: Callable[..., Watched], album: Album) -> None:
    page = watch(dark=True).open("/?q=medical")
    album.take(page, "papers-dark")
    page = watch(phone=True).open("/?q=medical")
    album.take(page, "papers-phone")
