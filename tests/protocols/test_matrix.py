"""The comparison as data, and the page of who understands whom, from a live run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("a2a")
pytest.importorskip("mcp")
pytest.importorskip("openai")

from collegium.cli import app
from collegium.commands.interop import comparison
from collegium.protocols.matrix import FEATURES

ROOT = Path(__file__).parents[2]


def test_everybody_understands_everybody(words, tmp_path: Path) -> None:
    file, other = tmp_path / "matrix.md", f"acp:{words.address}#mad"
    options = ["--rounds", "1", "--json", "--out", str(file), "--agent", other]
    done = CliRunner().invoke(app, ["interop", "matrix", *options])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    rows = {(r["protocol"], r["client"], r["server"]): r["cells"] for r in found["rows"]}
    pairs = [(p, "collegium", "collegium") for p in ("openai", "mcp", "a2a", "acp", "anp")]
    pairs += [(p, "official package", "collegium") for p in ("openai", "mcp", "a2a")]
    for pair in pairs:
        passed = {name: rows[pair][name]["passed"] for name in FEATURES}
        if pair == ("openai", "collegium", "collegium"):
            assert passed.pop("stream") is None  # the answer itself is the stream
        assert all(passed.values()), (pair, rows[pair])
    assert rows["acp", "collegium", f"{words.address}#mad"]["call"]["passed"]
    for protocol in ("mcp", "a2a"):
        assert rows[protocol, "collegium", "official package"]["call"]["passed"]
    page = file.read_text()
    assert page.count("\n| ") >= len(rows) and "**no**" not in page


def test_the_comparison_names_modules_that_exist() -> None:
    told = comparison()
    cells = [d["cells"][p] for d in told["dimensions"] for p in told["order"]]
    assert len(cells) == 4 * 8
    assert all((ROOT / cell["module"]).is_file() and cell["text"] for cell in cells)
    shown = CliRunner().invoke(app, ["interop", "table"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0 and "2026-07-28" in shown.stdout
    assert json.loads(CliRunner().invoke(app, ["interop", "table", "--json"]).stdout) == told


def test_rounds_are_counted_from_one() -> None:
    refused = CliRunner().invoke(app, ["interop", "matrix", "--rounds", "0"])
    assert refused.exit_code == 2 and "at least 1" in refused.stderr
