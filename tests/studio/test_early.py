"""What the front page shows before its scripts ran: read, followed and searched without them."""

import re
from collections.abc import Callable

import pytest

pytest.importorskip("nicegui")

from nicegui import Client, ui
from nicegui.page import page as nicegui_page

from collegium.studio.early import written
from collegium.studio.safe import tag
from tests.studio.conftest import Watched, serious

Watch = Callable[..., Watched]


async def test_whatever_an_element_holds_is_text() -> None:
    hostile = "</div><script>alert(1)</script>\" onload='x' &amp;"
    with Client(nicegui_page(""), request=None), ui.element("q-box") as box:
        tag("p", hostile, cls="a b", title=hostile, open=True, hidden=None)
        tag("input", type="search", value=hostile)
        tag("script", "alert(1)")
        ui.element("script")
    html = written(box)
    assert "<script" not in html
    assert html.count("<") == html.count(">") == 7  # two boxes, a paragraph and a field
    assert '<p class="a b" title="' in html
    assert " open>" in html
    assert "hidden" not in html
    assert re.search(r'<input type="search" value="[^"]*&lt;script', html)


def test_without_scripts_papers_can_be_read_followed_and_searched(watch: Watch) -> None:
    seen = watch(java_script_enabled=False)
    page = seen.page
    page.goto(seen.address + "/")
    assert page.locator("article.paper").count() >= 10
    assert page.locator("h1", has_text="Papers on agents").is_visible()
    page.get_by_label("Search the papers").fill("argumentation for clinical decisions")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=argumentation*")
    assert "ArgMed-Agents" in page.locator("article.paper h2").all_text_contents()
    link = page.locator("article.paper h2 a", has_text="ArgMed-Agents")
    assert link.get_attribute("href") == "/paper/argmed"


def test_the_elements_of_the_page_take_over(watch: Watch) -> None:
    seen = watch()
    page = seen.open("/")
    assert page.locator("#early").count() == 0
    assert page.locator("#content").count() == 1
    assert serious(page) == []
    assert seen.clean()


def test_what_was_typed_before_is_not_lost(watch: Watch) -> None:
    seen = watch()
    page = seen.page
    held: list[object] = []
    # NiceGUI's own script waits, so that there is time to type
    page.route("**/nicegui.js*", lambda route: held.append(route))
    page.goto(seen.address + "/", wait_until="commit")
    page.locator("#early input[name=q]").fill("argumentation")
    page.wait_for_function("document.readyState === 'interactive'")
    assert page.locator("#early").count() == 1
    for route in held:
        route.continue_()  # type: ignore[attr-defined]
    page.locator("#early").wait_for(state="detached")
    assert page.get_by_label("Search the papers").input_value() == "argumentation"
    page.get_by_role("status").filter(has_text="argumentation").wait_for()
    assert seen.clean()


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_dark_from_the_start_where_it_will_be(watch: Watch, dark: bool) -> None:
    seen = watch(dark=dark)
    page = seen.page
    page.route("**/nicegui.js*", lambda route: None)
    page.goto(seen.address + "/", wait_until="commit")
    page.locator("#early article.paper").first.wait_for()
    assert page.evaluate("document.body.classList.contains('body--dark')") is dark
