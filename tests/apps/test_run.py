"""Apps run through the kernel: its trace shows what they do, and it keeps them to their limits."""

from __future__ import annotations

import pytest

from collegium.apps.manifest import Budget, Input, Memory, Permissions, Step
from collegium.apps.run import dry_run, run_app
from collegium.errors import BadInput, Denied, LimitReached
from collegium.kernel import Kernel
from tests.apps.support import app, ask, changed, kernel_for, notes, own
from tests.kernel.support import Scripted, inorder


def kinds(kernel) -> list[str]:
    return [getattr(e.call, "tool", e.kind) for e in kernel.trace.events]


@pytest.mark.must_show("aios-ecosystem", 4)
async def test_the_notes_app_makes_three_model_calls_and_one_write(tmp_path):
    manifest, root = own("notes-index"), notes(tmp_path)
    assert manifest.tools == ("list_files", "read_file", "write_file")
    assert manifest.permissions.write == ("notes",) and not manifest.permissions.read
    model = Scripted(lambda r, i: r.messages[-1].text.splitlines()[-1].upper())
    kernel = kernel_for(manifest, root, model)
    result = await run_app(manifest, kernel, {})
    assert sorted(kinds(kernel)) == sorted(
        ["list_files", *["read_file"] * 3, *["generate"] * 3, "write_file"]
    )
    assert (root / "notes/index.md").read_text() == (
        "- notes/a.txt: BUY MILK.\n- notes/b.txt: THE BOILER MAN COMES ON MONDAY.\n"
        "- notes/c.txt: CALL ADA.\n"
    )
    assert result.outputs["index"].startswith("- notes/a.txt: BUY MILK.")
    # once more: its own index is no note
    again = kernel_for(manifest, root, model)
    await run_app(manifest, again, {})
    assert kinds(again).count("generate") == 3


async def test_a_path_that_comes_from_a_model_stays_in_the_folder(tmp_path):
    step = Step(id="out", do="use", tool="write_file", arguments={"path": "{where}", "text": "x"})
    manifest = app(
        ask("where"),
        step,
        tools=["write_file"],
        permissions=Permissions(write=("notes",), tools=("write_file",)),
    )
    kernel = kernel_for(manifest, notes(tmp_path), Scripted("../../escape.txt"))
    with pytest.raises(Denied, match="may not be written"):
        await run_app(manifest, kernel, {})
    assert kernel.trace.events[-1].outcome == "error"
    assert "may not be written" in kernel.trace.events[-1].error  # the attempt is on record


async def test_a_bad_manifest_does_nothing(tmp_path):
    manifest = app(ask("a"), Step(id="m", do="use", tool="ana/mail"), tools=["ana/mail"])
    kernel = kernel_for(manifest, tmp_path, Scripted("x"))
    with pytest.raises(BadInput, match="ana/mail"):
        await run_app(manifest, kernel, {})
    assert kernel.trace.events == []


async def test_a_loop_ends_when_the_test_holds_and_at_its_bound():
    manifest = own("draft-and-check")
    replies = ["one", '{"answer": "weak"}', "be clear", "two", '{"answer": "good"}']
    model = Scripted(inorder(*replies))
    result = await run_app(manifest, Kernel(model), {"topic": "tea"})
    assert result.outputs == {"text": "two", "remarks": "be clear"}
    assert result.path == (
        "draft", "verdict", "good_enough", "review", "draft", "verdict", "good_enough",
    )  # fmt: skip
    assert "What was wrong with it:\nbe clear" in model.prompts[3]

    never = Scripted(lambda r, i: '{"answer": "weak"}' if r.schema else "no")
    with pytest.raises(LimitReached, match=r"'draft' .* may be taken 3 times"):
        await run_app(manifest, Kernel(never), {"topic": "tea"})


async def test_a_branch_leads_past_what_is_not_needed(tmp_path):
    manifest = own("sort-inbox")
    (tmp_path / "inbox").mkdir()
    kernel = kernel_for(manifest, tmp_path, Scripted("x"))
    result = await run_app(manifest, kernel, {})
    assert result.path == ("messages", "any") and kinds(kernel) == ["list_files"]
    assert not (tmp_path / "report").exists()

    (tmp_path / "inbox/a").write_text("Help!")
    (tmp_path / "inbox/b").write_text("Advertisement")
    model = Scripted(
        lambda r, i: f'{{"answer": "{"today" if "Help" in r.messages[-1].text else "never"}"}}'
    )
    await run_app(manifest, kernel_for(manifest, tmp_path, model), {})
    assert (tmp_path / "report/sorted.txt").read_text() == "inbox/a: today\ninbox/b: never\n"


async def test_the_budget_is_the_kernels(tmp_path):
    manifest = changed(own("notes-index"), budget=Budget(calls=2))
    kernel = kernel_for(manifest, notes(tmp_path), Scripted("x"))
    with pytest.raises(LimitReached, match="2 generations"):
        await run_app(manifest, kernel, {})
    assert not (tmp_path / "notes/index.md").exists()


async def test_inputs_are_checked():
    manifest = app(ask("a", "{word} {more}"), inputs={"word": Input(), "more": Input(default="!")})
    model = Scripted("x")
    await run_app(manifest, Kernel(model), {"word": "hi"})
    assert model.prompts == ["hi !"]
    with pytest.raises(BadInput, match="needs the input 'word'"):
        await run_app(manifest, Kernel(model), {})
    with pytest.raises(BadInput, match="no input 'wrod'; its inputs: word, more"):
        await run_app(manifest, Kernel(model), {"wrod": "hi"})


async def test_answers_point_to_the_calls_they_were_made_from():
    manifest = app(ask("a"), ask("b", "then {a}"))
    kernel = Kernel(Scripted("x"))
    await run_app(manifest, kernel, {})
    first, second = kernel.trace.events
    assert second.call.sources == (first.id,)


async def test_a_list_that_is_too_long_is_refused():
    manifest = app(ask("a", "{item}", each="words", items=2), inputs={"words": Input()})
    with pytest.raises(LimitReached, match="takes 2 items, not 3"):
        await run_app(manifest, Kernel(Scripted("x")), {"words": "one\ntwo\n\nthree"})


async def test_the_memory_policy_of_a_manifest_is_kept():
    steps = [ask(f"s{i}", f"Step number {i} of them all.") for i in range(20)]
    manifest = app(*steps, memory=Memory(window=128))
    model = Scripted("A reply of some length, so that the window fills before the end.")
    await run_app(manifest, Kernel(model), {})
    sizes = [len(r.messages) for r in model.requests]
    assert sizes[1] == 4 and max(sizes) < 12  # a conversation, but not all of it


async def test_a_dry_run_shows_every_call_and_changes_nothing(tmp_path):
    root = notes(tmp_path)
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    done = await dry_run(own("notes-index"), {}, root)
    shown = [getattr(e.call, "tool", e.kind) for e in done.events]
    assert shown.count("generate") == 3 and shown.count("write_file") == 1
    assert "- notes/a.txt: (reply" in done.result.outputs["index"]
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


async def test_a_dry_run_copies_nothing_from_behind_a_link(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "root/notes").symlink_to(tmp_path / "other", target_is_directory=True)
    with pytest.raises(BadInput, match="must lie below"):
        await dry_run(own("notes-index"), {}, tmp_path / "root")


async def test_remember_and_recall_are_calls_of_the_kernel():
    pytest.importorskip("collegium.kernel.temporary")
    manifest = app(
        Step(id="r", do="remember", text="the key is under the mat"),
        Step(id="f", do="recall", text="key", items=1),
        outputs={"found": "{f}"},
        memory=Memory(keeps="run"),
    )
    kernel = Kernel(Scripted("x"))
    result = await run_app(manifest, kernel, {})
    assert kinds(kernel) == ["remember", "recall"]
    assert result.outputs["found"] == "the key is under the mat"
