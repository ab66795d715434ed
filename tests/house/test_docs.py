"""The documentation follows the code: pages, tables and commands that exist."""

import ast
import importlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import collegium
from collegium.catalog import implementing_modules, paper, papers
from collegium.systems import systems

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "collegium"
SCRIPTS = ROOT / "scripts"

# Parts of the command line, which has a page of its own.
NO_ROOM = {"cli", "commands"}


def rooms() -> list[str]:
    """The rooms there are."""
    return sorted(
        p.parent.name for p in PACKAGE.glob("*/__init__.py") if p.parent.name not in NO_ROOM
    )


@pytest.fixture
def generators(monkeypatch: pytest.MonkeyPatch):
    """The module that writes pages."""
    pytest.importorskip("mkdocs")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("docs_pages", SCRIPTS / "docs_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def navigation() -> list[str]:
    """Every page that the navigation names by hand."""
    # Other tags of this file are for mkdocs; only the navigation is read.
    text = (ROOT / "mkdocs.yml").read_text()
    nav = yaml.safe_load(text[text.index("\nnav:") :])["nav"]

    def leaves(node) -> list[str]:
        if isinstance(node, str):
            return [node]
        return [
            leaf for n in (node.values() if isinstance(node, dict) else node) for leaf in leaves(n)
        ]

    return leaves(nav)


def test_the_table_of_papers_in_the_readme_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "readme_table.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_paper_and_baseline_has_a_page(generators) -> None:
    made = dict(generators.pages())
    for entry in papers():
        text = made[f"papers/{entry.slug}.md"]
        assert entry.title in text
        assert entry.arxiv in text
        assert entry.summary in text
        assert f"]({entry.slug}.md)" in made["papers/index.md"]
    own = [s for s in systems().values() if s.solve.__module__.startswith("collegium.")]
    for system in own:
        if system.paper is None:
            assert f"baselines/{system.name}.md" in made


def test_every_system_has_a_part_written_by_hand() -> None:
    for system in systems().values():
        if system.solve.__module__.startswith("collegium."):
            folder, name = (
                ("baselines", system.name) if system.paper is None else ("papers", system.paper)
            )
            text = (DOCS / folder / f"{name}.md").read_text()
            assert text.startswith("## Algorithm"), name
            assert "## Paper vs" in text or system.name == "direct"


def test_every_module_that_implements_a_paper_has_a_part_written_by_hand() -> None:
    for slug, modules in implementing_modules().items():
        assert paper(slug).slug == slug
        assert "## Paper vs" in (DOCS / "papers" / f"{slug}.md").read_text(), slug
        for module in modules:
            assert slug == importlib.import_module(module).PAPER


def test_nothing_is_written_by_hand_for_what_does_not_exist() -> None:
    own = systems().values()
    built = {s.paper for s in own} | {*implementing_modules()}
    assert {p.stem for p in (DOCS / "papers").glob("*.md")} <= built
    assert {p.stem for p in (DOCS / "baselines").glob("*.md")} <= {s.name for s in own}


def test_every_room_has_a_page_and_every_page_a_room() -> None:
    pages = sorted(p.stem for p in (DOCS / "rooms").glob("*.md") if p.stem != "index")
    assert pages == rooms()
    listed = navigation()
    assert [f"rooms/{room}.md" for room in rooms()] == sorted(
        p for p in listed if p.startswith("rooms/") and p != "rooms/index.md"
    )
    for room in rooms():
        assert f"({room}.md)" in (DOCS / "rooms" / "index.md").read_text()


def test_the_command_reference_names_every_command(generators) -> None:
    text = generators.command_reference()
    for name in ("run", "compare", "trace", "papers", "show", "benchmarks", "models pull"):
        assert f"# collegium {name}\n" in text
    assert "--resume" in text


def examples() -> list[tuple[str, list[str]]]:
    """Every line of a shell example that calls the program: where it stands, and its words."""
    found = []
    for file in [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for block in re.findall(r"```bash\n(.*?)```", file.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.split("#")[0].split()
                if words[:1] == ["collegium"]:
                    found.append((f"{file.relative_to(ROOT)}: {line}", words[1:]))
    return found


def test_examples_call_commands_and_options_that_exist() -> None:
    import typer.main

    from collegium.cli import app

    assert examples()
    for where, words in examples():
        command = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words[0]]  # pyright: ignore
            words = words[1:]
        assert command.name not in (None, "collegium"), where
        known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
        assert {w.partition("=")[0] for w in words if w.startswith("-")} <= known, where


def test_python_examples_are_python() -> None:
    for file in [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for block in re.findall(r"```python\n(.*?)```", file.read_text(), re.DOTALL):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("collegium"):
                    if "universal" in (node.module or ""):
                        continue  # the worked example
                    module = importlib.import_module(node.module or "")
                    assert all(hasattr(module, a.name) for a in node.names), (
                        f"{file}: {node.module}"
                    )
                if (
                    isinstance(node, ast.Attribute)
                    and isinstance(node.value, ast.Name)
                    and node.value.id == "co"
                ):
                    assert hasattr(collegium, node.attr), f"{file}: co.{node.attr}"


def test_everything_public_has_a_docstring() -> None:
    bare = []
    for file in sorted([*PACKAGE.rglob("*.py"), *SCRIPTS.glob("*.py")]):
        if file.parent.name == "migrations":
            continue  # Django writes these
        tree = ast.parse(file.read_text())
        where = file.relative_to(ROOT)
        if not ast.get_docstring(tree):
            bare.append(f"{where}")
        for node in tree.body:
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and not ast.get_docstring(node)
                and not any(ast.unparse(d) == "overload" for d in node.decorator_list)
            ):
                bare.append(f"{where}: {node.name}")
    assert bare == []


def test_the_page_of_results_is_made_from_the_files(
    generators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = {"tokens_prompt": 12_000, "tokens_cached": 3_000, "tokens_completion": 5_000}
    shown = {"n": 50, "tokens_per_task": 340.0, "calls": 200, "seconds": 75.0}
    rows = [
        {"name": name, "paper": paper, "correct": right, "accuracy": right / 50, **ends}
        | {"unparsed": 1, "limited": 2, "errors": 0, **spent, **shown}
        for name, paper, right, ends in (
            ("mad:agents=2,rounds=2", "mad", 20, {"ci_low": 0.2761, "ci_high": 0.5382}),
            ("direct", None, 5, {"ci_low": 0.0435, "ci_high": 0.2136}),
        )
    ]
    pair = {"a": "mad:agents=2,rounds=2", "b": "direct", "test": "exact McNemar", "p": 0.0004}
    pair |= {"difference": 0.3, "ci_low": 0.16, "ci_high": 0.44}
    report = {"benchmark": "gsm-symbolic", "model": "local-small", "seed": 7, "systems": rows}
    report |= {"pairs": [pair], "command": "collegium compare mad direct", "verdict": "Ahead."}
    speed = {"rows": [{"name": "ours", "microseconds_per_step": 31.25}], "ratios": {"theirs": 0.05}}
    for name, data in (("gsm-symbolic/small", report), ("bench/kernel", speed)):
        file = tmp_path / f"{name}.json"
        file.parent.mkdir()
        file.write_text(json.dumps(data))
    monkeypatch.setattr(generators, "results_folder", lambda: tmp_path)
    page = generators.results_page()
    assert "### local-small, n = 50 { #gsm-symbolic-small }" in page
    assert "collegium compare mad direct" in page
    assert (
        "| `mad:agents=2,rounds=2` | 20/50 | 40.0% | 27.6% to 53.8% "
        "| 240 | 60 | 100 | 4.0 | 1.5 | 1 | 2 | 0 |"
    ) in page
    assert "| +30.0 points | +16.0 to +44.0 | exact McNemar | < 0.001 |" in page
    assert "31.25" in page
    (measured,) = generators.measured_rows("mad")
    assert "../results.md#gsm-symbolic-small" in measured[1]
    assert measured[3:5] == ("7", "50")
    assert "40.0%" in dict(generators.pages())["papers/mad.md"]
    assert "10.0%" in dict(generators.pages())["baselines/direct.md"]
