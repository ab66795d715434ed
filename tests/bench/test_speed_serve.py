"""The benchmark of serving, tiny: real servers, a few clients, no engine."""

import json
from pathlib import Path

import pytest

from collegium.bench.speed_serve import client, endpoint, load, main, percentile
from collegium.errors import BadInput

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


def test_it_measures_what_it_says(tmp_path: Path) -> None:
    out = tmp_path / "serve.json"
    main(["--clients", "20", "--model", "none", "--out", str(out)])
    found = json.loads(out.read_text())
    ours, bare, alone, bare_alone = found["rows"]
    assert [ours["name"], bare["name"]] == ["ours, scripted model", "bare server"]
    assert [alone["name"], bare_alone["name"]] == [f"{r['name']}, by turns" for r in (ours, bare)]
    for row, clients in ((ours, 20), (bare, 20), (alone, 1), (bare_alone, 1)):
        assert (
            row["clients"] == clients and 0 < row["first_p50_ms"] <= row["p50_ms"] <= row["p95_ms"]
        )
    expected = round(ours["per_second"] / bare["per_second"], 3)
    assert found["ratios"]["per_second_to_bare"] == expected
    overhead = round(alone["p50_ms"] - bare_alone["p50_ms"], 2)
    assert found["ratios"]["overhead_ms_bare_by_turns"] == overhead


async def test_a_reply_that_is_not_whole_is_no_reply(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("def f(request):\n    return 'x'\n")
    with endpoint("direct", f"script:{script}:f", tmp_path) as address:
        with pytest.raises(BadInput, match="404"):
            await client(address, "/nowhere", b"{}", "")
        body = {"model": "collegium/nothing", "messages": [], "stream": True}
        with pytest.raises(BadInput, match="did not stream"):
            await load("ours", address, "/v1/chat/completions", body, 2, "")


def test_percentiles() -> None:
    assert percentile([0.001 * i for i in range(1, 101)], 0.5) == 51.0
    assert percentile([0.001 * i for i in range(1, 101)], 0.95) == 96.0
