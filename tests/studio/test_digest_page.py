"""The daily page and its feed."""

import urllib.error
import urllib.request

import pytest

from collegium.bench.digest import Mark, collect, mark_path, write_mark
from collegium.kernel import RunStore
from tests.bench.atom_rules import checked
from tests.studio.conftest import serious, too_wide
from tests.studio.scripted import ATTACKS, HOSTILE

TOKEN = "a-token-that-nobody-guesses"


def ended(home, task, status="done"):
    store = RunStore(home / "runs.db")
    run = store.begin("run", "", {"system": "mad", "task": task, "model": "local-small"})
    store.finish(run, status)
    store.close()
    return run


@pytest.fixture(scope="module")
def daily(studio_with, tmp_path_factory):
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").write_text(f"reader {TOKEN}\n")
    home = tmp_path_factory.mktemp("daily")
    ended(home, "How many eggs are left?")
    ended(home, HOSTILE, "failed")
    return {
        "open": studio_with(home=home),
        "closed": studio_with("--token-file", str(folder / "tokens"), home=home),
    }


def got(address, **headers):
    with urllib.request.urlopen(
        urllib.request.Request(address, headers=headers), timeout=20
    ) as reply:
        return reply.headers, reply.read()


def test_the_page_tells_what_is_new(daily, watch):
    watched = watch(at=daily["open"])
    page = watched.open("/digest")
    page.locator("text=How many eggs are left?").wait_for()
    assert "2 new runs" in page.locator(".lead").inner_text()
    page.get_by_role("link", name="One day").click()
    page.locator("a[aria-current=true]", has_text="One day").wait_for()
    assert serious(page) == []
    assert watched.clean()


def test_looking_moves_no_mark(daily, watch):
    home = daily["open"].home
    watched = watch(at=daily["open"])
    place = mark_path(home / "runs.db")
    page = watched.open("/digest?back=told")
    page.locator("text=How many eggs are left?").wait_for()
    assert not place.exists()
    write_mark(place, collect(home / "runs.db", None, Mark())[1])
    before = place.read_bytes()
    page = watched.open("/digest?back=told")
    page.locator("h1").wait_for()
    assert page.locator("text=How many eggs are left?").count() == 0
    assert place.read_bytes() == before
    place.write_text("{")
    page = watched.open("/digest?back=told")
    page.locator("#told", has_text="does not say what was told").wait_for()
    place.unlink()


def test_hostile_tasks_are_text(daily, watch):
    watched = watch(at=daily["open"])
    page = watched.open("/digest?back=%3Cscript%3E")
    page.locator(".news").first.wait_for()
    assert ATTACKS[0] in page.locator("#content").inner_text()
    assert page.locator("#content img, #content svg, #content iframe").count() == 0
    assert watched.clean()


def test_the_feed_keeps_the_rules_and_names_itself(daily):
    address = daily["open"].address
    headers, feed = got(f"{address}/digest.atom")
    assert headers["content-type"].startswith("application/atom+xml")
    tree = checked(feed)
    links = tree.xpath("//*[local-name()='link']/@href")
    assert f"{address}/digest.atom" in links
    assert all(link.startswith(f"{address}/") for link in links)
    assert ATTACKS[0] in "".join(tree.itertext())
    again = got(f"{address}/digest.atom")[1]
    assert checked(again).xpath("//*[local-name()='id']/text()") == tree.xpath(
        "//*[local-name()='id']/text()"
    )


def test_the_feed_wants_the_token_that_the_studio_wants(daily):
    feed = f"{daily['closed'].address}/digest.atom"
    for headers in ({}, {"authorization": "Bearer wrong-wrong-wrong-wrong"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            got(feed, **headers)
        assert refused.value.code == 401
    checked(got(feed, authorization=f"Bearer {TOKEN}")[1])
    with pytest.raises(urllib.error.HTTPError) as refused:
        got(feed, authorization=f"Bearer {TOKEN}", host="evil.test")
    assert refused.value.code == 403


def test_a_browser_finds_the_feed(daily, watch):
    page = watch(at=daily["open"]).open("/digest")
    assert page.locator("link[type='application/atom+xml']").get_attribute("href") == "/digest.atom"


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_phone_and_reads_in_the_dark(daily, watch, dark):
    watched = watch(at=daily["open"], phone=True, dark=dark)
    page = watched.open("/digest?back=month")
    page.locator(".news").first.wait_for()
    assert too_wide(page) == 0
    assert serious(page) == []
    assert watched.clean()
