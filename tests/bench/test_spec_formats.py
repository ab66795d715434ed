"""Counting transcripts that kept to their specification."""

import json
from pathlib import Path

import msgspec
import pytest

from collegium.bench.records import Outcome, Report
from collegium.bench.spec_formats import formats, main
from collegium.errors import BadInput


def outcome(system: str, task: int, **fields: object) -> Outcome:
    return Outcome(system=system, task=str(task), calls=2, tokens_prompt=10, **fields)  # type: ignore[arg-type]


OUTCOMES = (
    outcome("direct", 1, correct=True),
    outcome("react", 1, correct=True, notes={"format_valid": True, "corrected": 1}),
    outcome("react", 2, notes={"format_valid": False, "thrown_away": 7}),
    outcome("react", 3, limited=True, notes={"format_valid": False}),
)


def report(outcomes: tuple[Outcome, ...]) -> Report:
    texts = ("run", "created", "command", "benchmark", "split", "source", "fingerprint", "model")
    return Report(
        **dict.fromkeys((*texts, "verdict", "machine", "version"), "x"),
        roles={},
        seed=1,
        limit=None,
        budget=None,
        exact=True,
        systems=(),
        pairs=(),
        controls={},
        ranking=None,
        spend_factor=1.0,
        curve=False,
        seconds=1.0,
        outcomes=outcomes,
    )


def test_valid_transcripts_are_counted_by_system() -> None:
    direct, react = formats(report(OUTCOMES))
    assert (direct.name, direct.judged, direct.ci_low) == ("direct", 0, None)
    assert (react.n, react.judged, react.valid, react.limited) == (3, 2, 1, 1)
    assert (react.corrected, react.thrown_away, react.calls, react.tokens) == (1, 7, 6, 30)
    assert react.ci_low is not None
    assert react.ci_low < 0.5 < react.ci_high  # type: ignore[operator]


def test_the_table_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "report.json", tmp_path / "made" / "formats.json"
    file.write_bytes(msgspec.json.encode(report(OUTCOMES)))
    main([str(file), "--out", str(out)])
    assert "1/2 valid" in capsys.readouterr().out
    assert json.loads(out.read_bytes())["rows"][1]["valid"] == 1


def test_a_report_without_outcomes_is_refused() -> None:
    with pytest.raises(BadInput, match="compare --out"):
        formats(report(()))
