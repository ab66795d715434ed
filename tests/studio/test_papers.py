"""The front page and the pages of papers: found, filtered, readable by everybody."""

from collections.abc import Callable
from typing import Any

import pytest

from collegium.catalog import papers
from collegium.errors import UnknownName, WeightsMissing
from collegium.models.weights import EMBEDDERS, weights_file
from collegium.studio.library import Query, cards, read_query, search
from collegium.studio.meaning import Meaning
from collegium.systems.system import systems
from tests.studio.conftest import Watched, serious, too_wide

Watch = Callable[..., Watched]

needs_weights = pytest.mark.skipif(
    not weights_file(EMBEDDERS["minilm"]).is_file(), reason="the weights of minilm are not here"
)


class NoWeights(Meaning):
    """A machine without the encoder."""

    async def prepare(self) -> Any:
        raise WeightsMissing("the weights of 'minilm' are not on this machine.")


def names(page: Any) -> list[str]:
    return page.locator("article.paper h2").all_text_contents()


def found(page: Any, text: str) -> None:
    page.get_by_role("status").filter(has_text=text).wait_for()


def test_an_address_is_read_and_written() -> None:
    query = read_query({"q": "debate", "kind": "Guard", "domain": "medicine", "other": "x"})
    assert query == Query("debate", "guard", "", {"domain": "medicine"})
    assert query.address == "/?q=debate&kind=guard&domain=medicine"
    assert Query().address == "/"
    for wrong in ({"kind": "gard"}, {"status": "done"}, {"domain": "medicin"}):
        with pytest.raises(UnknownName, match=r"did you mean|known"):
            read_query(wrong)


async def test_without_weights_words_do_and_the_page_says_so(tmp_path: Any) -> None:
    found, remark = await search(Query(q="argumentation"), NoWeights(tmp_path))
    assert "argmed" in [c.paper.slug for c in found]
    assert remark.startswith("Searched by words alone")


async def test_filters_alone_need_no_search(tmp_path: Any) -> None:
    found, remark = await search(Query(kind="guard"), NoWeights(tmp_path))
    assert not remark
    assert {c.paper.slug for c in found} == {p.slug for p in papers() if "guard" in p.kinds}


@needs_weights
async def test_search_by_meaning(tmp_path: Any) -> None:
    meaning = Meaning(tmp_path)
    for query, slug in (
        ("doctors who disagree about a patient", "mdagents"),
        ("who may an agent pay money to", "progent"),
        ("several copies of a model quarrel until they agree", "mad"),
    ):
        found, remark = await search(Query(q=query), meaning)
        assert not remark
        assert slug in [c.paper.slug for c in found[:10]], query
    found, _ = await search(Query(q="dylan"), meaning)
    assert found[0].paper.slug == "dylan"
    assert len(found) < len(papers())


@needs_weights
async def test_vectors_are_computed_once(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await Meaning(tmp_path).prepare()
    assert first.shape == (len(papers()), 384)
    (file,) = tmp_path.glob("papers-*.npy")

    async def never(*_: object) -> Any:
        raise AssertionError("the vectors were there")

    monkeypatch.setattr(Meaning, "_made", never)
    assert (await Meaning(tmp_path).prepare() == first).all()
    monkeypatch.undo()
    file.write_bytes(b"not numbers")
    assert (await Meaning(tmp_path).prepare() == first).all()


def test_every_paper_is_in_the_feed(watch: Watch) -> None:
    seen = watch()
    page = seen.open("/")
    page.wait_for_function(
        "n => document.querySelectorAll('article.paper').length === n", arg=len(papers())
    )
    assert len(set(names(page))) == len(papers()) == len(cards())
    run = {s.paper for s in systems().values() if s.paper}
    assert page.locator("article.paper a.run").count() == len(run)
    argmed = page.locator("article.paper", has_text="ArgMed-Agents")
    assert "52.7 / 48.0 / 62.1" in argmed.inner_text()
    assert "reasoning team" in argmed.inner_text()
    assert seen.clean()


def test_search_and_filters_stay_in_the_address(watch: Watch) -> None:
    seen = watch()
    page = seen.open("/")
    page.keyboard.press("/")
    page.keyboard.type("medical")
    found(page, "for “medical”")
    assert page.url.endswith("/?q=medical")
    assert "ArgMed-Agents" in names(page)[:12]
    page.get_by_role("link", name="reasoning team").click()
    found(page, "for “medical”")
    page.wait_for_url("**/?q=medical&kind=reasoning+team")
    few = names(page)
    page.get_by_text("More filters").click()
    page.get_by_label("Domain").select_option("medicine")
    page.wait_for_url("**&domain=medicine")
    found(page, "for “medical”")
    page.reload()
    page.wait_for_function("window.did_handshake === true")
    assert page.get_by_label("Search the papers").input_value() == "medical"
    assert page.get_by_label("Domain").input_value() == "medicine"
    assert 0 < len(names(page)) <= len(few)
    assert seen.clean()


def test_what_does_not_exist_is_told(watch: Watch) -> None:
    page = watch().open("/?kind=gard")
    assert "did you mean 'guard'" in page.get_by_role("alert").inner_text()
    page = watch().open("/paper/argmet")
    assert "did you mean 'argmed'" in page.get_by_role("alert").inner_text()
    page = watch().open("/run/cott")
    assert "did you mean 'cot'" in page.get_by_role("alert").inner_text()


def test_nothing_found_is_said(watch: Watch) -> None:
    page = watch().open("/?kind=protocol&domain=medicine")
    assert "No paper fits" in page.locator(".feed").inner_text()


def test_a_paper_in_full(watch: Watch) -> None:
    seen = watch()
    page = seen.open("/paper/argmed")
    text = page.locator("#content").inner_text()
    for part in ("Published figures", "Measured here", "Paper vs code vs ours", "exchanges"):
        assert part in text
    link = page.get_by_role("link", name="arXiv 2403.06294")
    assert link.get_attribute("href") == "https://arxiv.org/abs/2403.06294"
    page.get_by_role("link", name="medicine", exact=True).click()
    page.wait_for_url("**/?domain=medicine")
    assert seen.clean()


def test_keys(watch: Watch) -> None:
    page = watch().open("/paper/argmed")
    page.keyboard.press("?")
    assert page.get_by_role("heading", name="Keys").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url(lambda url: url.endswith("/"))
    page.wait_for_function("window.did_handshake === true")
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = page.evaluate("document.activeElement.textContent")
    assert focused == names(page)[1]
    page.keyboard.press("Tab")
    page.evaluate("window.scrollTo(0, 0)")


def test_light_and_dark_are_remembered(watch: Watch) -> None:
    page = watch(dark=True).open("/")
    assert page.locator("body.body--dark").count() == 1
    page = watch().open("/")
    assert page.locator("body.body--dark").count() == 0
    page.get_by_role("button", name="Light or dark").click()
    page.locator("body.body--dark").wait_for()
    page.goto(page.url + "paper/mad")
    page.locator("body.body--dark").wait_for()


@pytest.mark.parametrize("path", ["/", "/paper/argmed", "/run/argmed"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_keep_nobody_out(watch: Watch, path: str, dark: bool) -> None:
    assert serious(watch(dark=dark).open(path)) == []


@pytest.mark.parametrize("path", ["/", "/paper/argmed", "/paper/mad", "/run/argmed"])
def test_pages_fit_a_phone(watch: Watch, path: str) -> None:
    page = watch(phone=True).open(path)
    assert too_wide(page) <= 0


def test_the_first_page_is_light(watch: Watch) -> None:
    page = watch().page
    sizes: list[int] = []
    talk = page.context.new_cdp_session(page)
    talk.send("Network.enable")
    talk.on("Network.loadingFinished", lambda e: sizes.append(e["encodedDataLength"]))
    seen = Watched(page, watch().address)
    seen.open("/")
    page.wait_for_load_state("networkidle")
    assert sum(sizes) < 320_000
    fonts = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.name.includes('woff')).length"
    )
    assert fonts == 0
