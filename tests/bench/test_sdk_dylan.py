"""dylan through every official client, with a scripted model; and the kept run with a real one."""

import json
from pathlib import Path

import pytest

pytest.importorskip("openai")
pytest.importorskip("mcp")
pytest.importorskip("a2a")
pytest.importorskip("starlette")

from collegium.bench.sdk_dylan import CLIENTS, main, measure

RESULT = Path(__file__).parents[2] / "results" / "interop" / "dylan.json"

MODEL = '''
import json


def mercury(request):
    """Everybody knows it, in the form that is asked for."""
    fields = (request.schema or {}).get("properties", {})
    if "best" in fields:
        return json.dumps({"reasoning": "The first two.", "best": [1, 2]})
    if "scores" in fields:
        return json.dumps({"reasoning": "Clear.", "answer": "Mercury", "scores": [5, 5, 5, 5]})
    if fields:
        return json.dumps({"reasoning": "Clear.", "answer": "Mercury"})
    return "It is the nearest.\\nAnswer: Mercury"
'''


def test_every_client_finds_its_trace(tmp_path: Path) -> None:
    file = tmp_path / "models.py"
    file.write_text(MODEL)
    rows = {row.protocol: row for row in measure(f"script:{file}:mercury")}
    assert set(rows) == set(CLIENTS)
    for protocol, row in rows.items():
        if protocol == "acp" and row.skipped:  # its package wants an environment of its own
            continue
        assert not row.skipped, row
        assert "Mercury" in row.answer
        assert row.trace_calls >= 4 and row.trace_tokens > 0
        assert row.tokens == (None if protocol == "acp" else row.trace_tokens)
    runs = [row.run for row in rows.values() if row.run]
    assert len(set(runs)) == len(runs) >= 3


@pytest.mark.skipif(not RESULT.exists(), reason="not measured yet")
def test_the_kept_run_is_whole() -> None:
    kept = json.loads(RESULT.read_text())
    rows = {row["protocol"]: row for row in kept["rows"]}
    assert set(rows) == set(CLIENTS) and kept["system"] == "dylan"
    assert kept["model"].startswith("local")
    for row in rows.values():
        assert not row.get("skipped")
        assert row["run"] and row["trace_calls"] >= 4 and row["trace_tokens"] > 0
        assert row.get("tokens") in (None, row["trace_tokens"])


def test_a_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="did not start"):
        main(["--model", "script:nowhere.py:f", "--out", str(tmp_path / "x.json")])
    assert not list(tmp_path.iterdir())
