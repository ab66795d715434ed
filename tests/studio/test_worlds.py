"""The pages of worlds: played by hand, a system watched, any episode step by step."""

import base64
import struct
import zlib

import msgspec
import pytest

from collegium.bench.records import Outcome
from collegium.errors import BadInput, UnknownName
from collegium.guard import parse_policy
from collegium.kernel import Event, Generate, Message, Reply, RunStore, UseTool
from collegium.kernel.calls import Image
from collegium.studio import playing
from collegium.studio.episodes import (
    acting_systems,
    episode,
    keep_outcome,
    past,
    seen_in,
    steps_of,
    worlds,
)
from collegium.studio.pages.worlds import chosen_item
from collegium.studio.playing import PLAYER, Table, Tables
from collegium.tasks.task import Item, Score, Task
from collegium.tasks.text_worlds import world_item
from tests.studio.conftest import HERE, serious, too_wide
from tests.studio.scripted import ATTACKS, HOSTILE
from tests.studio.worlds_script import way, where

SCRIPT = HERE / "worlds_script.py"


def png(width=4, height=3):
    """A picture, and its bytes."""
    rows = b"".join(b"\0" + bytes((30, 120, 90)) * width for _ in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data)
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))  # fmt: skip


SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>"


def asked(number, text="go on", images=(), reply="I go on."):
    call = Generate(
        agent="actor", role="actor", messages=(Message("user", text, images=tuple(images)),)
    )
    return Event(id=number, call=call, replies=(Reply(reply),), model="m")


def used(number, value, action="move up", **fields):
    call = UseTool(agent="actor", tool="act", arguments={"action": action})
    return Event(id=number, call=call, value=value, **fields)


def kept(path, events, *, task="maze/test/0", kind="run", outcome=None, **spec):
    """An episode in a run store; gives the run's id."""
    store = RunStore(path)
    spec = {"system": "tool-calling", "task": "Reach the goal.", "model": "m", **spec}
    run = store.begin(kind, "", spec)
    sink = store.sink(run, "tool-calling", task)
    for event in events:
        sink(event)
    if outcome is not None:
        store.put_result(run, "tool-calling", task, msgspec.json.encode(outcome))
    store.finish(run, "done")
    store.close()
    return run


# -- episodes -----------------------------------------------------------------------------------


def test_an_episode_is_its_steps_in_order_of_time():
    events = [
        used(3, "You are at 1, 2."),
        asked(0, "The maze.", reply="First up."),
        used(1, "You are at 2, 2."),
        asked(2, "The maze.", reply="Up again."),
        used(4, None, error="no such move", outcome="error"),
        asked(5, reply="I am there."),
    ]
    steps = steps_of(events)
    assert [(s.event, s.said, s.seen, s.error) for s in steps] == [
        (-1, "", "The maze.", ""),
        (1, "First up.", "You are at 2, 2.", ""),
        (3, "Up again.", "You are at 1, 2.", ""),
        (4, "", "", "no such move"),
        (5, "I am there.", "", ""),
    ]


def test_pictures_are_those_an_agent_was_shown_or_a_tool_gave_back():
    picture = png()
    given = {"data": base64.b64encode(picture).decode(), "media_type": "image/png"}
    steps = steps_of([
        asked(0, images=[Image(picture)]), used(1, "ok"), used(2, {"screen": given, "url": "x"})
    ])  # fmt: skip
    assert [len(s.pictures) for s in steps] == [0, 1, 1]
    assert steps[2].pictures[0].data == picture
    assert "(a picture, " in steps[2].seen and "iVBOR" not in steps[2].seen
    # what is recorded of a tool that returns an Image is such an object
    recorded = msgspec.json.decode(msgspec.json.encode(Image(picture)))
    assert seen_in(recorded)[1] == (Image(picture, "image/png"),)


@pytest.mark.parametrize("data", [SVG, b"", b"GIF", b"\x89PNG\r\n\x1a\n" + bytes(5 << 20)])
def test_what_is_no_safe_picture_is_none(data):
    value = {"data": base64.b64encode(data).decode(), "media_type": "image/png"}
    text, pictures = seen_in(value)
    assert pictures == ()
    assert "media_type" in text


def test_the_worlds_there_are_and_who_can_act_in_them():
    known = {info.name: info for info in worlds()}
    assert known["maze"].sizes["test"] > 5 and not known["maze"].missing
    assert {"agentdojo", "folders"} <= known.keys() or len(known) > 8
    names = [s.name for s in acting_systems()]
    assert {"tool-calling", "tree-search"} <= set(names) and "mad" not in names


def test_past_episodes_are_those_of_worlds(tmp_path):
    path = tmp_path / "runs.db"
    outcome = Outcome(system="tool-calling", task="maze/test/0", value=1.0, correct=True)
    run = kept(path, [used(0, "x")], outcome=outcome)
    kept(path, [asked(0)], task="task")
    compared = kept(path, [used(0, "x")], task="maze/test/3", kind="compare", benchmark="maze")
    kept(path, [asked(0)], task="q1", kind="compare", benchmark="gsm-symbolic")
    found = past(path, ["maze"])
    assert [(e.run, e.task) for e in found] == [(compared, "maze/test/3"), (run, "maze/test/0")]
    assert found[1].outcome == outcome and found[0].outcome is None
    assert past(tmp_path / "none.db", ["maze"]) == []
    listed, events = episode(path, run)
    assert (listed.task, len(events)) == ("maze/test/0", 1)
    for wrong in (("nothing",), (run, "mad"), (run, "", "maze/test/9")):
        with pytest.raises(UnknownName):
            episode(path, *wrong)
    with pytest.raises(UnknownName):
        episode(tmp_path / "none.db", run)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.jsonl", "", "maze:1", "x" * 500, "mazes"])
def test_a_world_is_named_and_never_a_file(name):
    with pytest.raises(UnknownName):
        chosen_item(name, "test", "0")


@pytest.mark.parametrize(("split", "item"), [("test", "-1"), ("test", "x"), ("test", "9999999"),
                                             ("none", "0"), ("test", "1" * 50)])  # fmt: skip
def test_a_task_that_is_none_is_refused(split, item):
    with pytest.raises(BadInput):
        chosen_item("maze", split, item)


# -- playing ------------------------------------------------------------------------------------


async def test_an_episode_played_by_hand_is_traced_judged_and_kept(tmp_path):
    path = tmp_path / "runs.db"
    table = Table(world_item("maze:0"), path, None)
    seen = await table.open()
    assert "Reach the goal" in seen.text and "move up" in seen.actions
    moves = 0
    while not seen.over:
        seen = await table.move("act", {"action": way(where(seen.text))})
        moves += 1
    score = await table.finish()
    assert score.correct
    with pytest.raises(BadInput, match="over"):
        await table.move("act", {"action": "move up"})
    await table.close()
    (found,) = past(path, ["maze"])
    assert (found.system, found.kind, found.status, found.events) == (PLAYER, "play", "done", moves)
    assert found.outcome.correct
    assert [s.tool for s in steps_of(episode(path, found.run)[1])[1:]] == ["act"] * moves


async def test_an_episode_that_is_left_is_interrupted(tmp_path):
    table = Table(world_item("maze:0"), tmp_path / "runs.db", None)
    await table.open()
    await table.move("act", {"action": "move up"})
    await table.close()
    await table.close()
    (found,) = past(tmp_path / "runs.db", ["maze"])
    assert found.status == "interrupted" and found.outcome is None
    assert not table._thread.is_alive() or table._thread.join(5) is None


async def test_what_a_tool_or_a_policy_refuses_is_told(tmp_path):
    policy = parse_policy("tools:\n  act:\n    - effect: forbid\n      why: nobody moves\n")
    table = Table(world_item("maze:0"), tmp_path / "runs.db", policy)
    await table.open()
    assert "nobody moves" in (await table.move("act", {"action": "move up"})).error
    assert "fly" in (await table.move("fly", {})).error
    assert (await table.move("act", {"wrong": 1})).error
    await table.close()


async def test_a_world_of_typed_tools_is_played_too(tmp_path):
    item = world_item("hr:0")
    table = Table(item, tmp_path / "runs.db", None)
    await table.open()
    assert len(table.tools) > 1
    name = table.tools[0].spec.name
    assert (await table.move(name, {})).text or (await table.move(name, {})).error
    score = await table.finish("nothing")
    assert isinstance(score, Score) and not score.correct
    await table.close()


async def test_only_so_many_worlds_are_open(tmp_path, monkeypatch):
    monkeypatch.setattr(playing, "MOST_TABLES", 2)
    tables, path = Tables(), tmp_path / "runs.db"
    begin = lambda: tables.begin(world_item("maze:0"), path, None, 0)  # noqa: E731
    first, _ = await begin()
    await begin()
    with pytest.raises(BadInput, match="2 worlds"):
        await begin()
    await tables.leave(first)
    third, _ = await begin()
    monkeypatch.setattr(playing, "IDLE_SECONDS", -1.0)
    await begin()  # nobody has moved in the others for long
    assert len(tables) == 1
    await tables.aclose()
    assert third.run and len(tables) == 0


async def test_a_world_that_cannot_be_made_leaves_nothing(tmp_path):
    def broken():
        raise BadInput("it needs a key.")

    tables = Tables()
    with pytest.raises(BadInput, match="needs a key"):
        await tables.begin(
            Item(Task(id="x", prompt="x"), "", world=broken), tmp_path / "runs.db", None, 0
        )
    assert len(tables) == 0


def test_a_score_is_kept_beside_the_events(tmp_path):
    path = tmp_path / "runs.db"
    run = kept(path, [used(0, "x")])
    store = RunStore(path)
    keep_outcome(
        store, run, "tool-calling", Task(id="maze/test/0", prompt="p"), Score(0.5, False, "half"), 3
    )
    store.close()
    (found,) = past(path, ["maze"])
    assert (found.outcome.value, found.outcome.reason, found.outcome.answer) == (0.5, "half", "3")


# -- the pages ----------------------------------------------------------------------------------


def test_a_maze_is_played_by_hand_and_stepped_through(studio, watch):
    watched = watch()
    page = watched.open("/worlds")
    assert serious(page) == []
    page.get_by_role("link", name="Play maze").click()
    log = page.locator(".log")
    log.locator(".turn").first.wait_for()
    assert serious(page) == []
    moves = 0
    while True:
        cell = where(log.inner_text())
        if moves % 2:
            page.get_by_role("button", name=way(cell), exact=True).click()
        else:
            page.get_by_label("Your move").fill(way(cell))
            page.keyboard.press("Enter")
        moves += 1
        log.locator(".turn").nth(moves).wait_for()
        if "You are at the goal" in log.locator(".turn").nth(moves).inner_text():
            break
    page.locator("text=Solved").wait_for()
    page.get_by_role("link", name="Step through it").click()
    page.locator(f"text=step 0 of {moves}").wait_for()
    page.keyboard.press("ArrowRight")
    page.locator(f"text=step 1 of {moves}").wait_for()
    assert "act: move" in page.locator(".detail").inner_text()
    page.keyboard.press("ArrowLeft")
    page.locator(f"text=step 0 of {moves}").wait_for()
    page.locator(".episode ol button").last.click()
    page.locator(f"text=step {moves} of {moves}").wait_for()
    assert "You are at the goal." in page.locator(".detail").inner_text()
    assert page.locator("#step-on").is_disabled()
    assert serious(page) == []
    page = watched.open("/worlds")
    assert "solved" in page.locator("table").inner_text()
    (found,) = [e for e in past(studio.home / "runs.db", ["maze"]) if e.system == PLAYER][:1]
    assert found.outcome.correct
    assert watched.clean()


@pytest.fixture(scope="module")
def walking(studio_with):
    return studio_with("--model", f"script:{SCRIPT}:walker")


def test_a_system_is_watched_as_it_plays(walking, watch):
    watched = watch(at=walking)
    page = watched.open("/worlds/watch?world=maze&item=1&split=test")
    assert serious(page) == []
    page.get_by_role("button", name="Watch").click()
    page.locator(".score", has_text="Solved").wait_for()
    steps = page.locator(".episode ol button").count()
    assert steps > 2
    assert "I am at the goal." in page.locator(".detail").inner_text()
    page.keyboard.press("ArrowLeft")
    page.locator(".detail", has_text="You are at the goal.").wait_for()
    assert "From (" in page.locator(".detail").inner_text()
    assert serious(page) == []
    # what it was worth is in the store, and the run among the past episodes
    (found,) = past(walking.home / "runs.db", ["maze"])
    assert found.outcome.correct and found.task == "maze/test/1"
    page = watched.open("/worlds")
    page.get_by_role("link", name="maze/test/1").click()
    page.locator("text=step 0 of").wait_for()
    assert "Reach the goal" in page.locator(".detail").inner_text()
    assert watched.clean()


def test_what_agents_say_and_do_is_text(studio_with, watch):
    watched = watch(at=studio_with("--model", f"script:{SCRIPT}:vandal"))
    page = watched.open("/worlds/watch?world=maze&item=0&split=test")
    page.get_by_role("button", name="Watch").click()
    page.locator(".score").wait_for()
    for _ in range(3):
        assert ATTACKS[0] in page.locator(".detail").inner_text()
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(200)
    assert page.locator(".detail img, .detail svg, .detail iframe").count() == 0
    assert watched.clean()


def test_a_hostile_store_is_text(studio, watch):
    store = studio.home / "runs.db"
    task = f"maze/{HOSTILE}"
    picture = {"data": base64.b64encode(SVG).decode(), "media_type": "image/svg+xml"}
    outcome = Outcome(system="x", task=task, reason=HOSTILE, facts={HOSTILE: True})
    run = kept(
        store,
        [asked(0, HOSTILE, [Image(SVG, "image/svg+xml")], HOSTILE), used(1, HOSTILE, HOSTILE),
         used(2, picture, HOSTILE, error=HOSTILE)],
        task=task, model=HOSTILE, outcome=outcome,
    )  # fmt: skip
    watched = watch()
    page = watched.open("/worlds")
    page.get_by_role("link", name="maze/<script>").first.click()
    page.locator("text=step 0 of").wait_for()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(200)
    assert ATTACKS[0] in page.locator("#content").inner_text()
    assert page.locator("#content img, #content svg").count() == 0
    page = watched.open(f"/worlds/episode?run={run}&step=1")
    assert "A picture that is not shown" in page.locator(".detail").inner_text()
    for bad in ("run=%3Cscript%3E", f"run={run}&step=-1", "session=%3Cimg%3E", "run=last&system=x"):
        page = watched.open(f"/worlds/episode?{bad}")
        page.locator("#told.on").wait_for()
    for bad in (
        "world=%2Fetc%2Fpasswd",
        "world=maze&item=x",
        "world=maze&seed=x",
        "world=maze&split=x",
    ):
        page = watched.open(f"/worlds/play?{bad}")
        page.locator("#told.on").wait_for()
    assert watched.clean()


def test_screenshots_are_shown(studio, watch):
    picture = png(60, 40)
    given = {"data": base64.b64encode(picture).decode(), "media_type": "image/png"}
    run = kept(
        studio.home / "runs.db",
        [asked(0, images=[Image(picture)]), used(1, "clicked"), used(2, given)],
    )
    watched = watch()
    for step in (1, 2):
        page = watched.open(f"/worlds/episode?run={run}&step={step}")
        image = page.get_by_alt_text(f"What was on the screen at step {step}")
        image.wait_for()
        assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") == 60
    assert serious(page) == []
    assert watched.clean()


@pytest.fixture(scope="module")
def button():
    """The number of a task with a button, among those of MiniWoB++."""
    pytest.importorskip("playwright")
    from collegium.worlds.web import miniwob

    if miniwob.missing():
        pytest.skip("miniwob is not installed")
    return sorted(miniwob.tasks()).index("click-button")


def test_a_browser_is_watched_with_a_picture_of_every_move(studio_with, watch, button):
    watched = watch(at=studio_with("--model", f"script:{SCRIPT}:clicker"))
    page = watched.open(f"/worlds/watch?world=miniwob&item={button}&split=test")
    page.get_by_role("button", name="Watch").click()
    page.locator(".score", has_text="Solved").wait_for()
    for step in (2, 1, 0):  # the answer, the click, the beginning
        page.locator(f"text=step {step} of 2").wait_for()
        image = page.get_by_alt_text(f"What was on the screen at step {step}")
        if step < 2:
            image.wait_for()
            assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") > 100
        page.keyboard.press("ArrowLeft")
    assert serious(page) == []
    assert watched.clean()


def test_a_browser_is_played_by_hand_and_seen(watch, button):
    watched = watch()
    page = watched.open(f"/worlds/play?world=miniwob&item={button}")
    page.locator("select[name=tool]").wait_for()
    image = page.get_by_alt_text("What was on the screen at step 0")
    image.wait_for()
    assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") > 100
    page.locator("select[name=tool]").select_option("scroll")
    page.get_by_label("direction").select_option("down")
    page.get_by_role("button", name="Use it").click()
    page.get_by_alt_text("What was on the screen at step 1").wait_for()
    assert serious(page) == []
    assert watched.clean()


def test_a_long_episode_is_stepped_through_by_the_slider(studio, watch):
    long = [used(i, f"after {i}") for i in range(5000)]
    run = kept(studio.home / "runs.db", long)
    watched = watch()
    page = watched.open(f"/worlds/episode?run={run}")
    page.locator("text=step 0 of 5000").wait_for()
    page.get_by_label("Step", exact=True).fill("4321")
    page.locator(".detail", has_text="after 4320").wait_for()
    assert page.locator(".episode ol button").count() < 150
    assert watched.clean()


def test_a_world_that_is_left_is_closed(studio, watch):
    watched = watch()
    watched.open("/worlds/play?world=maze&item=3")
    watched.page.locator(".log .turn").first.wait_for()
    watched.page.get_by_role("button", name="move up").click()
    watched.page.locator(".log .turn").nth(1).wait_for()
    watched.open("/digest")
    for _ in range(60):
        ended = [e for e in past(studio.home / "runs.db", ["maze"]) if e.task == "maze/test/3"]
        if ended and ended[0].status == "interrupted":
            break
        watched.page.wait_for_timeout(500)
    assert ended[0].status == "interrupted"


def test_a_world_of_typed_tools_has_fields_for_their_arguments(watch):
    watched = watch()
    page = watched.open("/worlds/play?world=hr&item=0")
    page.locator("select[name=tool]").wait_for()
    assert page.locator("select[name=tool] option").count() > 1
    assert serious(page) == []
    page.get_by_role("button", name="Use it").click()
    page.locator(".log .turn").nth(1).wait_for()
    page.get_by_role("button", name="End and judge").click()
    page.locator("text=Not solved").wait_for()
    assert watched.clean()


@pytest.mark.parametrize("dark", [False, True])
def test_the_pages_fit_a_phone_and_read_in_the_dark(studio, watch, dark):
    run = kept(studio.home / "runs.db", [asked(0), used(1, "x " * 500, "word" * 60)])
    watched = watch(phone=True, dark=dark)
    for path in (
        "/worlds",
        "/worlds/play?world=maze&item=0",
        "/worlds/watch?world=maze&item=0",
        f"/worlds/episode?run={run}&step=1",
    ):
        page = watched.open(path)
        page.locator("h1").wait_for()
        assert too_wide(page) == 0, path
        assert serious(page) == [], path
    assert watched.clean()
