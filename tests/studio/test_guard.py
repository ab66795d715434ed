"""The page of policies: checked while one types, tried, opened and saved in one folder alone."""

import asyncio
import json
import os
import re
from contextlib import aclosing

import pytest

from collegium.errors import BadInput, PolicyError
from collegium.studio.checking import MOST_BYTES, Checker, Request, answers
from collegium.studio.policy_folder import PolicyFolder
from tests.studio.conftest import serious, too_wide
from tests.studio.scripted import ATTACKS, HOSTILE

pytest.importorskip("z3")

GOOD = """\
default: block
tools:
  read_file:
    - effect: allow
      when:
        path: {type: string, pattern: '^notes/[a-z]+$'}
"""

DOUBTFUL = """\
default: block
tools:
  pay:
    - effect: forbid
      when: {amount: {type: number, minimum: 100}}
    - effect: allow
      when: {amount: {type: number, maximum: 500}}
    - effect: allow
      when: {amount: {type: number, minimum: 200}}
"""

# Enough rules and patterns for the solver to be at it for minutes.
SLOW = "default: block\ntools:\n" + "".join(
    f"  tool{t}:\n" + "".join(
        f"    - effect: {'allow' if r % 2 else 'forbid'}\n      when: {{a: {{type: string, "
        f"pattern: '^(?:[a-z]{{{r + 1},{r + 9}}}|x{{{t + 1}}})+[0-9]{{2,{r + 3}}}$'}}}}\n"
        for r in range(12)
    )
    for t in range(12)
)  # fmt: skip


# -- the check, without a browser ---------------------------------------------------------------


def parts(kind, **request):
    return [p for p in answers(Request(**request)) if p["part"] == kind]


def test_a_policy_is_looked_over_with_the_lines_of_its_rules():
    (form,) = parts("form", text=DOUBTFUL)
    assert (form["tools"], form["rules"], form["default"]) == (["pay"], 3, "block")
    remarks = parts("remark", text=DOUBTFUL)
    doubtful = [(r["kind"], r["rules"], r["lines"]) for r in remarks if r["doubtful"]]
    assert ("overlap", (1, 2), [4, 6]) in doubtful
    assert ("unreachable", (3,), [8]) in doubtful
    # rules that do the same may meet: worth knowing, not doubtful
    assert [r["rules"] for r in remarks if not r["doubtful"]] == [(2, 3)]
    shown = next(r for r in remarks if r["rules"] == (1, 2))
    verdict = parts("verdict", text=DOUBTFUL, tool="pay", arguments=json.dumps(shown["call"]))
    assert [t["matches"] for t in verdict[0]["tried"][:2]] == [True, True]


def test_types_are_checked_against_the_tools():
    tools = json.dumps(
        [{"name": "pay", "description": "", "parameters": {
            "type": "object", "properties": {"amount": {"type": "string"}}}}]
    )  # fmt: skip
    assert "wrong type" in {r["kind"] for r in parts("remark", text=DOUBTFUL, tools=tools)}
    assert "unknown tool" in {r["kind"] for r in parts("remark", text=DOUBTFUL, tools="builtin")}
    assert "unknown tool" not in {r["kind"] for r in parts("remark", text=DOUBTFUL)}
    assert "no tools" in parts("error", text=DOUBTFUL, tools="{")[0]["message"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tools: [", "line 1"),
        ("tols: {}", "did you mean 'tools'"),
        ("tools:\n  a:\n    - effect: alow\n", "line 3"),
        ("x" * (MOST_BYTES + 1), "at most"),
        ("[" * 5000, "nested too deep"),
    ],
)
def test_what_is_no_policy_is_said_with_the_line(text, said):
    (error,) = parts("error", text=text)
    assert said in error["message"]
    assert list(answers(Request(text=text)))[-1] == {"part": "end"}


def test_a_call_is_decided_with_what_every_rule_says_of_it():
    (verdict,) = parts("verdict", text=GOOD, tool="read_file", arguments='{"path": "notes/a"}')
    assert verdict["allowed"] and verdict["tried"][0]["decides"]
    (verdict,) = parts("verdict", text=GOOD, tool="read_file", arguments='{"path": "/etc/passwd"}')
    assert not verdict["allowed"] and verdict["tried"][0]["conditions"][0][2] == "fails"
    (verdict,) = parts("verdict", text=GOOD, tool="other")
    assert not verdict["allowed"] and not verdict["known"]
    assert "not a JSON object" in parts("error", text=GOOD, tool="a", arguments="[1]")[0]["message"]


async def asked(checker, **request):
    async with aclosing(checker.ask(Request(**request))) as found:
        return [part async for part in found]


async def test_a_check_that_takes_too_long_is_ended_and_tells_what_it_knew():
    checker = Checker(seconds=4.0)
    try:
        found = await asked(checker, text=SLOW)
        assert found[0]["part"] == "form"
        assert found[-1]["part"] == "late" and "ended after 4 seconds" in found[-1]["message"]
        # the next one begins anew
        found = await asked(checker, text=GOOD)
        assert [p["part"] for p in found] == ["form", "end"]
    finally:
        await checker.aclose()


async def test_a_newer_text_ends_the_check_of_an_older_one():
    checker = Checker(seconds=60.0)
    try:
        await asked(checker, text=GOOD)
        slow = asyncio.create_task(asked(checker, text=SLOW))
        await asyncio.sleep(1.0)
        process = checker._process
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert await process.wait() != 0
        assert (await asked(checker, text=GOOD))[-1] == {"part": "end"}
    finally:
        await checker.aclose()


# -- the folder ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "secret.yaml").write_text("default: allow\n")
    return PolicyFolder(tmp_path / "policies")


@pytest.mark.parametrize(
    "name",
    ["../secret.yaml", "..", "/etc/passwd", "a/b.yaml", "..\\secret.yaml", ".hidden.yaml", "", "a",
     "a.yaml\n", "a.yaml\x00.txt", "a.sh", "x" * 200 + ".yaml", "%2e%2e/secret.yaml", "-rf.yaml"],
)  # fmt: skip
def test_a_name_is_a_name_and_nothing_else(folder, name):
    with pytest.raises(BadInput, match="no name of a policy"):
        folder.read(name)
    with pytest.raises(BadInput, match="no name of a policy"):
        folder.write(name, GOOD)
    assert os.listdir(folder.path) == []


def test_links_are_neither_followed_nor_written_through(folder, tmp_path):
    secret = tmp_path / "secret.yaml"
    (folder.path / "link.yaml").symlink_to(secret)
    (folder.path / "folder.yaml").mkdir()
    os.mkfifo(folder.path / "pipe.yaml")
    assert folder.names() == []
    for name in ("link.yaml", "folder.yaml", "pipe.yaml"):
        with pytest.raises(BadInput, match="cannot read"):
            folder.read(name)
    with pytest.raises(BadInput):
        folder.write("link.yaml", GOOD)
    with pytest.raises(BadInput):
        folder.write("link.yaml", GOOD, "any")
    assert secret.read_text() == "default: allow\n"


def test_what_somebody_else_wrote_is_not_lost(folder):
    known = folder.write("a.yaml", GOOD)
    assert folder.read("a.yaml") == (GOOD, known)
    with pytest.raises(BadInput, match="there is a file"):
        folder.write("a.yaml", DOUBTFUL)
    known = folder.write("a.yaml", DOUBTFUL, known)
    (folder.path / "a.yaml").write_text("default: allow\n")
    with pytest.raises(BadInput, match="changed by somebody else"):
        folder.write("a.yaml", GOOD, known)
    assert folder.names() == ["a.yaml"]
    assert os.listdir(folder.path) == ["a.yaml"]


def test_only_policies_are_saved(folder):
    with pytest.raises(PolicyError, match="none yet"):
        folder.write("a.yaml", "tools: [")
    assert os.listdir(folder.path) == []
    with pytest.raises(BadInput, match="no folder"):
        PolicyFolder(folder.path / "none")


# -- the page -----------------------------------------------------------------------------------


def typed(page, text):
    """Put a text in the place of the policy, as from the keyboard."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)


def state(page, text):
    page.locator(".remarks .summary-line", has_text=text).wait_for()


def test_a_policy_is_checked_while_it_is_typed(watch):
    watched = watch()
    page = watched.open("/guard")
    state(page, "3 rules for 2 tools")
    page.locator(".remarks", has_text="unanchored identifier").wait_for()
    assert page.locator(".cm-line.doubtful").count() >= 1
    typed(page, "default: block\ntools:\n  a:\n    - effect: alow\n")
    state(page, "Not a policy yet")
    assert "line 4" in page.locator(".remarks").inner_text()
    assert page.locator(".cm-line.wrong").inner_text().strip() == "- effect: alow"
    typed(page, GOOD)
    page.locator(".remarks", has_text="Nothing doubtful was found.").wait_for()
    assert page.locator(".cm-line.wrong").count() == 0
    page.locator(".remarks button", has_text="line").count()
    assert serious(page) == []
    assert watched.clean()


def test_a_call_is_tried_and_overlaps_show_theirs(watch):
    watched = watch()
    page = watched.open("/guard")
    state(page, "A policy")
    typed(page, DOUBTFUL)
    page.locator("td", has_text="pay").first.wait_for()
    row = page.locator("tr", has_text="1 forbid").first
    row.wait_for()
    row.get_by_role("button", name="Try it").click()
    verdict = page.locator(".verdict")
    verdict.locator("text=Blocked").wait_for()
    assert "rule 1: forbid, priority 1: it decides" in verdict.inner_text()
    page.get_by_label("Arguments, as JSON").fill('{"amount": 5}')
    page.get_by_role("button", name="Try", exact=True).click()
    verdict.locator("text=Allowed").wait_for()
    page.get_by_label("Arguments, as JSON").fill("{")
    page.keyboard.press("Enter")
    page.locator("text=not a JSON object").wait_for()
    assert serious(page) == []
    assert watched.clean()


def test_the_page_stays_live_while_the_solver_works(watch):
    watched = watch()
    page = watched.open("/guard")
    state(page, "A policy")
    typed(page, SLOW)
    state(page, "Looking it over")
    # a newer text does not wait for the older check
    typed(page, GOOD)
    page.locator(".remarks", has_text="Nothing doubtful was found.").wait_for()
    assert watched.clean()


def test_policies_are_opened_and_saved_in_their_folder(studio_with, watch, tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "bills.yaml").write_text(DOUBTFUL)
    (tmp_path / "secret.yaml").write_text("# the secret\ndefault: allow\n")
    watched = watch(at=studio_with("--policies", str(tmp_path / "p")))
    page = watched.open("/guard")
    page.get_by_label("Open a policy").select_option("bills.yaml")
    state(page, "3 rules for 1 tool")
    page.get_by_label("Name of the file").fill("new.yaml")
    page.get_by_role("button", name="Save").click()
    page.locator("text=Saved new.yaml.").wait_for()
    assert (tmp_path / "p" / "new.yaml").read_text() == DOUBTFUL
    for name, said in (("bills.yaml", "already"), ("../secret.yaml", "no name of a policy")):
        page.get_by_label("Name of the file").fill(name)
        page.get_by_role("button", name="Save").click()
        page.locator("#told", has_text=said).wait_for()
    page = watched.open("/guard?file=..%2Fsecret.yaml")
    page.locator("#told", has_text="no name of a policy").wait_for()
    assert "the secret" not in page.content()
    page = watched.open("/guard?file=bills.yaml")
    state(page, "3 rules for 1 tool")
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [
        "bills.yaml", "new.yaml", "secret.yaml"
    ]  # fmt: skip
    assert watched.clean()


def test_without_a_folder_policies_are_carried_up_and_down(watch, tmp_path):
    watched = watch()
    page = watched.open("/guard")
    state(page, "A policy")
    assert page.get_by_role("button", name="Save").count() == 0
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    page.get_by_label("Upload a policy").set_input_files(file)
    state(page, "1 rule for 1 tool")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download").click()
    assert caught.value.path().read_text() == GOOD
    large = tmp_path / "large.yaml"
    large.write_text("#" * (MOST_BYTES + 1))
    page.get_by_label("Upload a policy").set_input_files(large)
    page.locator("#told", has_text="at most").wait_for()
    assert watched.clean()


def test_a_hostile_policy_is_text(watch, tmp_path):
    watched = watch()
    page = watched.open("/guard")
    state(page, "A policy")
    attack = json.dumps(HOSTILE.replace("\x1b", " ").replace("\x07", " "), ensure_ascii=False)
    forbid = (
        f"effect: forbid, why: {attack}, when: {{{attack}: {{minimum: 1, pattern: 'UK[0-9]+'}}}}"
    )
    rules = f"[{{{forbid}}}, {{effect: allow, when: {{{attack}: {{maximum: 9}}}}}}]"
    file = tmp_path / "hostile.yaml"
    file.write_text(f"tools:\n  {attack}: {rules}\n")
    page.get_by_label("Upload a policy").set_input_files(file)
    page.locator(".remarks .list li").first.wait_for()
    page.get_by_label("Tool", exact=True).fill(HOSTILE)
    page.get_by_label("Arguments, as JSON").fill(json.dumps({HOSTILE: HOSTILE}))
    page.get_by_role("button", name="Try", exact=True).click()
    page.locator(".verdict, #content p.bad").first.wait_for()
    assert ATTACKS[0] in page.locator(".remarks").inner_text()
    assert page.locator(".remarks img, .remarks script, .verdict img, .verdict svg").count() == 0
    file.write_text(f"{HOSTILE}: [")
    page.get_by_label("Upload a policy").set_input_files(file)
    state(page, "Not a policy yet")
    assert watched.clean()


def test_the_editor_is_loaded_on_this_page_alone(watch):
    watched = watch()
    asked = []
    watched.page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/worlds", "/digest"):
        watched.open(path)
    assert not [url for url in asked if re.search("codemirror.*js", url)]
    watched.open("/guard")
    watched.page.locator(".cm-content").wait_for()
    assert [url for url in asked if re.search("codemirror.*js", url)]


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_phone_and_reads_in_the_dark(watch, dark):
    watched = watch(phone=True, dark=dark)
    page = watched.open("/guard")
    state(page, "A policy")
    page.locator(".remarks .list li").first.wait_for()
    assert too_wide(page) == 0
    assert serious(page) == []
    assert watched.clean()
