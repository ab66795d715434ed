"""A manifest is plain text; what is wrong with it is said before it runs."""

from __future__ import annotations

import pytest

from collegium.apps.checks import check
from collegium.apps.library import library_apps
from collegium.apps.manifest import (
    Budget,
    Input,
    Memory,
    Permissions,
    Step,
    manifest_text,
    parse_manifest,
    read_manifest,
    write_manifest,
)
from collegium.apps.tools import known_tools
from collegium.errors import BadInput
from tests.apps.support import app, ask, changed, own

TOOLS = known_tools()


def problems(manifest) -> list[str]:
    return [str(p) for p in check(manifest, TOOLS)]


@pytest.mark.parametrize("name", sorted(library_apps()))
def test_the_apps_that_come_with_the_package_pass(name, tmp_path):
    manifest = library_apps()[name]
    assert problems(manifest) == []
    write_manifest(manifest, tmp_path / "app.toml")
    assert read_manifest(tmp_path) == manifest


def test_there_are_five():
    assert len(library_apps()) == 5


def test_the_text_is_plain_and_the_same_every_time():
    manifest = own("draft-and-check")
    text = manifest_text(manifest)
    assert text == manifest_text(parse_manifest(text))
    assert "Write one paragraph about: {topic}\n" in text  # lines that a diff can show
    other = changed(manifest, role="You write.")
    before, after = set(text.splitlines()), set(manifest_text(other).splitlines())
    assert len(before ^ after) == 2


def test_a_tool_that_is_not_there_is_named():
    step = Step(id="mail", do="use", tool="send_email", arguments={"to": "ada"})
    (problem,) = check(app(step, tools=["send_email"]), TOOLS)
    assert problem.missing == "send_email"
    assert "there is no tool 'send_email'; there are: list_files, read_file" in str(problem)
    (problem,) = check(app(changed(step, tool="ana/mail"), tools=["ana/mail"]), TOOLS)
    assert "collegium app install ana/mail" in str(problem)


USE = Step(id="names", do="use", tool="list_files", arguments={"folder": "notes"})
READ = Step(id="text", do="use", tool="read_file", arguments={"path": "notes/a"})
WRITE = Step(id="out", do="use", tool="write_file", arguments={"path": "notes/a", "text": "x"})


def allowed(*steps, **permissions):
    tools = tuple(dict.fromkeys(s.tool for s in steps if s.tool))
    return app(*steps, tools=tools, permissions=Permissions(**{"tools": tools, **permissions}))


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        (allowed(USE, read=("notes",), tools=()), "'list_files' is not among the permitted"),
        (allowed(USE), "'list_files' needs a folder that it may read"),
        (allowed(WRITE, read=("notes",)), "'write_file' needs a folder that it may write"),
        (allowed(USE, read=("other",)), "may not read 'notes'; it may read: 'other'"),
        (allowed(READ, read=("notes/b",)), "may not read 'notes/a'"),
        (allowed(WRITE, read=(".",), write=("out",)), "may not write 'notes/a'; it may write"),
        (allowed(USE, read=("../notes",)), "must be relative"),
        (allowed(USE, read=("/notes",)), "must be relative"),
        (changed(allowed(USE, read=("notes",)), tools=()), "does not name under `tools`"),
        (app(ask("a"), tools=["read_file"]), "no step uses 'read_file'"),
        (
            allowed(changed(USE, arguments={"where": "notes"}), read=(".",)),
            "has no argument 'where'; it has: folder",
        ),
        (allowed(changed(READ, arguments={}), read=(".",)), "needs the argument 'path'"),
    ],
)
def test_permissions_cover_what_tools_need(manifest, fault):
    assert any(fault in p for p in problems(manifest)), problems(manifest)


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        (app(), "needs at least one"),
        (app(ask("a"), ask("a")), "two steps are called 'a'"),
        (app(ask("a", next="z")), "goes on with 'z', which is no step"),
        (app(ask("a", next="end"), ask("b")), "step b: is never reached"),
        (app(ask("a", next="a")), "the loop a -> a has no bound"),
        (app(ask("a"), ask("b"), ask("c", next="a")), "has no bound"),
        (app(ask("a", "see {z}")), "{z} is neither an input nor a step"),
        (app(ask("a", "see {b}"), ask("b")), "'b' gives, which never comes before it"),
        (app(ask("a", "see {item}")), "only together with `each`"),
        (app(ask("a", each="z")), "{z} is neither"),
        (app(ask("a", "")), "`text` must say what to ask"),
        (app(ask("a", most=0)), "`most` must be 1 or more"),
        (app(ask("item")), "has a meaning of its own"),
        (app(ask("Big")), "must be lower-case"),
        (app(ask("a"), inputs={"a": Input()}), "both an input and a step"),
        (app(ask("a"), outputs={"x": "{y}"}), "output x: {y} is neither"),
        (app(Step(id="r", do="remember", text="x")), "needs a memory"),
        (app(Step(id="b", do="branch", text="x")), "needs `then` or `otherwise`"),
        (app(ask("a"), budget=Budget(calls=0)), "must be above 0"),
        (changed(app(ask("a")), version="1.0"), "three numbers"),
        (changed(app(ask("a")), name="../x"), "must be lower-case"),
        (changed(app(ask("a")), role="One.\n\nTwo."), "one paragraph"),
    ],
)
def test_steps_names_and_bounds_are_checked(manifest, fault):
    found = problems(manifest)
    assert any(fault in p for p in found), found


def test_a_loop_with_a_bound_and_a_memory_that_is_kept_pass():
    assert problems(app(ask("a"), ask("b", most=3), ask("c", next="a"))) == []
    remembers = app(Step(id="r", do="remember", text="x"), memory=Memory(keeps="run"))
    assert problems(remembers) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name =", "Invalid value"),
        ('name = "x"', "missing required field"),
        ('name = "x"\ncolour = 1', "colour"),
    ],
)
def test_a_file_that_is_no_manifest_is_named(tmp_path, text, fault):
    file = tmp_path / "app.toml"
    file.write_text(text)
    with pytest.raises(BadInput, match=rf"app\.toml is no manifest of an app: .*{fault}"):
        read_manifest(file)
    with pytest.raises(BadInput, match="cannot read"):
        read_manifest(tmp_path / "none.toml")
