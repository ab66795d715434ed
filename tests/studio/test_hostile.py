"""What models and tools give is hostile: on a page it is text and runs nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from collegium.kernel import Event, Generate, Message, Reply, RunStore, UseTool
from collegium.kernel.calls import AskHuman, Send
from tests.studio.conftest import Studio, Watched, too_wide
from tests.studio.scripted import ATTACKS, HOSTILE

Watch = Callable[..., Watched]

PROBES = ("<script>alert('script')</script>", "onerror=alert('img')", "javascript:alert('link')")


@pytest.fixture(scope="module")
def attacked(studio_with: Callable[..., Studio]) -> Studio:
    """A studio whose model writes nothing but attacks."""
    return studio_with(model="hostile")


def live_content(page: Any) -> dict[str, Any]:
    """What of the attacks became part of the page other than text."""
    return page.evaluate(
        """() => ({
          handlers: [...document.querySelectorAll('*')].filter(
            e => [...e.attributes].some(a => a.name.startsWith('on'))).length,
          frames: document.querySelectorAll('iframe, object, embed').length,
          scripts: [...document.querySelectorAll('script')].filter(s => !s.nonce).length,
          links: [...document.querySelectorAll('a[href]')].filter(
            a => a.protocol === 'javascript:').length,
          broken: [...document.querySelectorAll('img')].filter(
            i => i.getAttribute('src') === 'x').length,
        })"""
    )


def assert_harmless(seen: Watched) -> None:
    assert seen.clean()
    assert set(live_content(seen.page).values()) == {0}


@pytest.mark.parametrize("system", ["cot", "self-consistency", "mad"])
def test_a_hostile_model_is_read_and_runs_nothing(
    watch: Watch, attacked: Studio, system: str
) -> None:
    seen = watch(at=attacked)
    page = seen.open(f"/run/{system}")
    page.get_by_label("Task", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".state", has_text="Done").wait_for()
    text = page.locator(".talk").inner_text()
    assert all(probe in text for probe in PROBES)
    assert "⟨U+202E⟩" in page.locator(".talk").inner_text()
    assert "\\u202e" not in page.locator("#content").inner_text()
    assert too_wide(page) <= 0
    assert_harmless(seen)
    page.reload()  # now as part of the shell that the server sends
    page.locator(".state", has_text="Done").wait_for()
    assert_harmless(seen)


def test_addresses_that_attack(watch: Watch) -> None:
    for path in (
        "/?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "/?kind=%3C%2Fscript%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/run/cot?task=%3C%2Ftextarea%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%60%24%7Balert(2)%7D",
        "/run/cot?session=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    ):
        seen = watch()
        seen.open(path)
        seen.page.wait_for_timeout(200)
        assert_harmless(seen)
    for path in (
        "/paper/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/run/%3Cimg%20src=x%20onerror=alert(1)%3E",
    ):
        seen = watch()
        seen.open(path)
        seen.page.wait_for_timeout(200)
        assert seen.dialogs == []
        assert set(live_content(seen.page).values()) == {0}


def test_the_policy_of_the_page_stops_what_got_in_all_the_same(watch: Watch) -> None:
    """Were an attack part of the page, its script would still not run."""
    seen = watch()
    page = seen.open("/")
    for attack in ATTACKS[:3]:
        page.evaluate(
            "html => { const d = document.createElement('div'); d.innerHTML = html;"
            " document.body.append(d); }",
            attack,
        )
    page.evaluate(
        "() => { const s = document.createElement('script');"
        " s.textContent = 'alert(1)'; document.body.append(s); }"
    )
    page.wait_for_timeout(300)
    assert seen.dialogs == []
    assert any("Content Security Policy" in e for e in seen.errors)


def hostile_events() -> list[Event]:
    """A trace whose every text is an attack: names of agents and tools, arguments, results."""
    ask = Generate(agent=HOSTILE[:80], role="", messages=(Message("user", HOSTILE),))
    return [
        Event(id=0, call=ask, replies=(Reply(HOSTILE), Reply("y" * 200_000))),
        Event(
            id=1,
            call=UseTool(agent=ATTACKS[1], tool=ATTACKS[0], arguments={ATTACKS[2]: HOSTILE}),
            outcome="observation",
            value={"page": HOSTILE, ATTACKS[3]: [HOSTILE]},
        ),
        Event(id=2, call=Send(agent=ATTACKS[0], to=ATTACKS[1], text=HOSTILE), value=None),
        Event(id=3, call=AskHuman(agent="a", question=HOSTILE), value=HOSTILE),
        Event(id=4, call=ask, outcome="error", error=HOSTILE, failure="ModelError"),
    ]


def test_a_hostile_transcript(watch: Watch, studio: Studio) -> None:
    """A run of the store, of whatever program: its page shows the attacks and runs none."""
    store = RunStore(studio.home / "runs.db")
    spec = {"system": ATTACKS[0], "task": HOSTILE, "model": ATTACKS[1], "parameters": {}, "seed": 1}
    run = store.begin("run", "", spec)
    keep = store.sink(run, ATTACKS[0], "task")
    for event in hostile_events():
        keep(event)
    store.finish(run, "done")
    store.close()
    seen = watch()
    seen.page.goto(studio.address + "/runs")
    if seen.page.get_by_text("404").count():
        pytest.skip("this studio has no page of runs")
    for path in ("/runs", f"/runs/{run}"):
        seen.open(path)
        seen.page.wait_for_timeout(500)
        assert too_wide(seen.page) <= 0
        assert seen.dialogs == []
        assert set(live_content(seen.page).values()) == {0}
