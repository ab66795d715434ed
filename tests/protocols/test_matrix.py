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
from collegium.errors import ModelError
from collegium.kernel import RunStore
from collegium.protocols.matrix import FEATURES, says_unauthorised, turned_away

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
    assert "**no**" not in page
    # The page that is checked in says the same, but for the agent that was named here.
    kept = (ROOT / "docs" / "guides" / "interop-matrix.md").read_text()
    assert [line for line in page.splitlines() if words.address not in line] == kept.splitlines()


def test_the_comparison_names_modules_that_exist() -> None:
    told = comparison()
    cells = [d["cells"][p] for d in told["dimensions"] for p in told["order"]]
    assert len(cells) == 4 * 8
    assert all((ROOT / cell["module"]).is_file() and cell["text"] for cell in cells)
    shown = CliRunner().invoke(app, ["interop", "table"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0 and "2026-07-28" in shown.stdout and "[dim]" not in shown.stdout
    assert json.loads(CliRunner().invoke(app, ["interop", "table", "--json"]).stdout) == told


def test_rounds_are_counted_from_one() -> None:
    refused = CliRunner().invoke(app, ["interop", "matrix", "--rounds", "0"])
    assert refused.exit_code == 2 and "at least 1" in refused.stderr


def test_a_refusal_is_known_by_its_status_wherever_it_is_kept() -> None:
    class Kept(Exception):
        status_code = 401

    def chained(inner: Exception) -> Exception:
        outer = RuntimeError("the connection failed")
        outer.__cause__ = inner
        return outer

    refused = ModelError("http://x refused (401): no token")
    for error in (refused, Kept(), chained(Kept()), ExceptionGroup("several", [refused])):
        assert says_unauthorised(error)
    for error in (ModelError("refused (403)"), RuntimeError("port 4011"), chained(OSError("gone"))):
        assert not says_unauthorised(error)


async def test_a_stranger_counts_as_turned_away_by_that_refusal_alone(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs.db")

    async def answered() -> None:
        pass

    async def failed() -> None:
        raise ModelError("nobody answers")

    async def began() -> None:
        store.begin("run", "", {})
        raise ModelError("http://x refused (401): no token")

    with pytest.raises(AssertionError, match="let in"):
        await turned_away(store, answered())
    with pytest.raises(ModelError, match="nobody"):
        await turned_away(store, failed())
    with pytest.raises(AssertionError, match="began a run"):
        await turned_away(store, began())
    store.close()
