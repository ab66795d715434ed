"""The measured context switches: what is measured, and what must hold of the figures."""

import json
from pathlib import Path

import pytest

from collegium.bench.speed_switch import main, request

FILE = Path(__file__).parents[2] / "results" / "bench" / "switch.json"


def test_the_same_words_for_the_same_name() -> None:
    assert request(20, "one") == request(20, "one")
    assert request(20, "one").messages != request(20, "other").messages


@pytest.mark.model
def test_both_modes_go_on_where_the_sample_was_cut(tmp_path: Path) -> None:
    out = tmp_path / "r" / "switch.json"
    words = ["40", "160"]
    main(["--model", "local-tiny", "--rounds", "1", "--words", *words, "--out", str(out)])
    found = json.loads(out.read_text())
    rows = found["rows"]
    assert [row["mode"] for row in rows] == ["state", "text", "text, nothing cached"] * 2
    # read again in one go, the sums are taken in another order, and a near tie may fall otherwise
    assert {row["same"] for row in rows if row["mode"] != "text, nothing cached"} == {1.0}
    for state, text, bare in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        assert state["context"] == text["context"] == bare["context"]
        # where nothing is kept all is read again, but for what prompts begin with alike
        assert state["read_again"] <= 1 <= text["read_again"] < bare["read_again"]
        assert bare["read_again"] > state["context"] / 2
    assert len(found["ratios"]) == 4


def test_what_was_cut_is_what_was_not() -> None:
    if not FILE.is_file():
        pytest.skip("not measured yet: python -m collegium.bench.speed_switch")
    found = json.loads(FILE.read_text())
    kept = [row for row in found["rows"] if row["mode"] != "text, nothing cached"]
    assert all(row["same"] == 1.0 for row in kept)
    assert all(row["read_again"] <= 1 for row in kept if row["mode"] == "state")
