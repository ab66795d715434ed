"""From sentences to a manifest: checked, repaired once, or refused with the missing piece."""

from __future__ import annotations

import json

import msgspec
import pytest

from collegium.apps.checks import check
from collegium.apps.compile import (
    EXAMPLE,
    Draft,
    DraftStep,
    Refusal,
    compile_app,
    completed,
    missing_abilities,
)
from collegium.apps.data import descriptions
from collegium.apps.keywords import compile_by_keywords
from collegium.apps.manifest import Manifest, manifest_text
from collegium.apps.run import run_app
from collegium.apps.tools import known_tools
from collegium.bench.apps_compile import by_keywords, main, measure, right, row
from collegium.errors import BadInput
from collegium.kernel import Kernel
from tests.apps.support import kernel_for, notes
from tests.kernel.support import Scripted, inorder

TOOLS = known_tools()
NOTES = "Every file in notes/, summarise it in one line and write index.md"


def draft(**fields) -> Draft:
    steps = [
        DraftStep("files", "use", tool="list_files", arguments={"folder": "notes/"}),
        DraftStep("texts", "use", "files", "read_file", {"path": "{item}"}),
        DraftStep("lines", "ask", "texts", text="Summarise in one line:\n{item}"),
        DraftStep(
            "written",
            "use",
            tool="write_file",
            arguments={"path": "notes/index.md", "text": "{lines}"},
        ),
    ]
    made = Draft([], "Notes index", "You summarise.", ["list_files", "read_file", "write_file"],
                 [], ["notes/"], {}, "none", steps, "lines")  # fmt: skip
    return msgspec.structs.replace(made, **fields)


def said(value) -> str:
    return msgspec.json.encode(value).decode()


async def compiled(sentences, *replies, tools=TOOLS):
    model = Scripted(inorder(*replies))
    made = await compile_app(Kernel(model, seed=1).agent("compiler"), sentences, tools)
    return made, model


@pytest.mark.must_show("aios-ecosystem", 4)
async def test_a_description_becomes_an_app_that_runs(tmp_path):
    made, model = await compiled(NOTES, said(draft()))
    assert isinstance(made, Manifest)
    assert made.tools == ("list_files", "read_file", "write_file")
    assert made.permissions.write == ("notes",) and made.permissions.read == ()
    assert made.permissions.tools == made.tools
    assert len(model.requests) == 1
    kernel = kernel_for(made, notes(tmp_path), Scripted("a line"))
    await run_app(made, kernel, {})
    kinds = [getattr(e.call, "tool", e.kind) for e in kernel.trace.events]
    assert (kinds.count("generate"), kinds.count("write_file")) == (3, 1)
    assert (tmp_path / "notes/index.md").read_text() == "a line\na line\na line"


@pytest.mark.must_show("aios-ecosystem", 4)
async def test_asking_for_mail_without_a_mail_tool_is_refused_by_name():
    # seen in the description itself: no model is asked
    made, model = await compiled(f"{NOTES}, then send it to me by e-mail")
    assert isinstance(made, Refusal) and made.missing == ("send_email",)
    assert "a tool that is not there: send_email" in str(made)
    assert model.requests == []
    # said by the model
    told = draft(missing=["post_letter"])
    made, model = await compiled("Post the index of notes/ to my aunt.", said(told))
    assert isinstance(made, Refusal) and made.missing == ("post_letter",)
    # guessed by the model: no repair can make such a tool
    guess = draft(tools=["fax"], steps=[DraftStep("f", "use", tool="fax")])
    made, model = await compiled("Fax the index of notes/.", said(guess))
    assert isinstance(made, Refusal) and made.missing == ("fax",)
    assert len(model.requests) == 1


async def test_compiling_twice_gives_the_same_text_from_greedy_requests():
    texts = []
    for _ in range(2):
        made, model = await compiled(NOTES, said(draft()))
        assert isinstance(made, Manifest)
        texts.append(manifest_text(made))
        assert model.requests[0].temperature == 0.0
        schema = model.requests[0].schema or {}
        assert schema["required"][0] == "missing"  # it is constrained
    assert texts[0] == texts[1]


async def test_one_repair_with_the_exact_problems():
    wrong = draft(tools=["list_files", "readfile", "write_file"])
    made, model = await compiled(NOTES, said(wrong), said(draft()))
    assert isinstance(made, Manifest)
    repair = model.prompts[1]
    assert "there is no tool 'readfile'" in repair
    assert "uses the tool 'read_file', which the app does not name" in repair
    assert said(wrong) in repair


async def test_after_one_repair_the_problems_are_the_answer():
    wrong = draft(write=[])
    made, model = await compiled(NOTES, said(wrong), said(wrong))
    assert isinstance(made, Refusal) and not made and made.missing == ()
    assert any("'write_file' needs a folder that it may write" in p for p in made.problems)
    assert len(model.requests) == 2


async def test_a_folder_the_description_does_not_name_is_a_problem():
    made, model = await compiled(NOTES, said(draft(write=["notes", "private"])), said(draft()))
    assert isinstance(made, Manifest)
    assert "the description names no folder 'private'" in model.prompts[1]
    everything = draft(write=["."])
    made, _ = await compiled(NOTES, said(everything), said(everything))
    assert isinstance(made, Refusal)


async def test_a_draft_that_cannot_be_read_is_a_refusal():
    made, _ = await compiled(NOTES, "no", "still no")
    assert isinstance(made, Refusal)
    assert "could not be read" in str(made)
    with pytest.raises(BadInput, match="empty"):
        await compiled("  ")


def test_the_example_in_the_prompt_is_a_valid_app():
    assert check(completed(EXAMPLE, "me", "0.1.0"), TOOLS) == ()


def test_abilities_are_seen_where_they_are_asked_for_and_nowhere_else():
    for wanted in descriptions():
        lacking = missing_abilities(wanted.text, TOOLS)
        assert bool(lacking) == bool(wanted.missing), wanted.text
        assert wanted.missing in " ".join(lacking)
    assert missing_abilities("Summarise the e-mails in mails/", TOOLS) == ()


def test_there_are_twenty_descriptions_four_of_them_impossible():
    all_of_them = descriptions()
    assert len({d.text for d in all_of_them}) == 20
    assert sum(bool(d.missing) for d in all_of_them) == 4
    assert all(set(d.tools) <= TOOLS.keys() for d in all_of_them)


def test_keywords_make_what_fits_a_template_and_cannot_see_what_is_missing():
    made = compile_by_keywords(NOTES, TOOLS)
    assert isinstance(made, Manifest) and check(made, TOOLS) == ()
    assert made.permissions.write == ("notes",)
    mail = compile_by_keywords(f"{NOTES} and send it by e-mail", TOOLS)
    assert isinstance(mail, Manifest)  # it guesses: that is why it is only a baseline


def test_rightness_is_judged_by_reach_and_refusal():
    (
        first,
        *_,
    ) = descriptions()
    good = completed(draft(), "me", "0.1.0")
    assert right(first, good)
    assert not right(first, msgspec.structs.replace(good, tools=("list_files",)))
    impossible = next(d for d in descriptions() if d.missing)
    assert right(impossible, Refusal(("send_email",)))
    assert not right(impossible, Refusal(problems=("x",))) and not right(impossible, good)


async def test_the_study_counts_first_tries_repairs_and_refusals():
    def answer(request, sample):
        asked = request.messages[-1].text
        fixed = "Its problems:" in asked
        if "Description: Every file in notes/," in asked:
            return said(draft())  # at once
        if "letters/spanish.txt" in asked:
            good = draft(steps=[], tools=[], output="t")
            step = DraftStep("t", "ask", text="Translate.")
            return said(msgspec.structs.replace(good, steps=[step] if fixed else [], write=[]))
        return "no"

    model_row, keyword_row = await measure(Scripted(answer))
    assert model_row.valid_first_try.count == 1 and model_row.valid_first_try.of == 16
    assert model_row.valid_after_one_repair.count == 2
    assert model_row.refused_rightly.count == 4  # the net of abilities
    assert model_row.right_of_all.count == 5
    assert model_row.cases[1].repaired and not model_row.cases[1].right
    assert row("again", [by_keywords(d, TOOLS) for d in descriptions()]).cases == keyword_row.cases


def test_the_study_writes_its_report(tmp_path):
    script = tmp_path / "model.py"
    script.write_text("def no(request):\n    return 'no'\n")
    main(f"script:{script}:no", tmp_path / "r" / "compile.json")
    report = json.loads((tmp_path / "r" / "compile.json").read_text())
    assert report["n"] == 20 and report["command"].endswith(":no 1") and report["machine"]
    assert [r["compiler"] for r in report["rows"]][1] == "keyword templates"
    assert report["rows"][0]["valid_after_one_repair"]["count"] == 0
