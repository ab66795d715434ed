"""The measured cost of a policy: what must hold of it."""

import json
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "results" / "bench" / "guard.json"


@pytest.fixture
def measured() -> dict[str, Any]:
    if not FILE.is_file():
        pytest.skip("not measured yet: python -m collegium.bench.speed_guard")
    return json.loads(FILE.read_text())


@pytest.mark.must_show("progent", 6)
def test_a_guard_adds_less_than_a_millisecond_to_a_call(measured: dict[str, Any]) -> None:
    assert measured["rules"] == 50
    whole = measured["whole_tool_call_microseconds"]
    assert whole["guarded"] - whole["without"] < 1000


def test_an_allowed_call_is_checked_in_twenty_microseconds(measured: dict[str, Any]) -> None:
    assert measured["most_microseconds_of_an_allowed_call"] <= measured["goals"]["microseconds"]


def test_it_is_much_faster_than_the_authors_check(measured: dict[str, Any]) -> None:
    ratio = measured["times_slower_than_ours"]["the authors' check_tool_call"]
    assert ratio >= measured["goals"]["times_faster_than_official"]


@pytest.mark.must_show("agentable", 6)
def test_the_doctor_goes_through_a_large_project_in_time(measured: dict[str, Any]) -> None:
    doctor = measured["doctor"]
    if doctor is None:
        pytest.skip("the doctor was not measured: python -m collegium.bench.speed_guard")
    assert "2 cores" in measured["machine"]
    assert doctor["files"] >= 500
    assert doctor["seconds"] < 300
    assert doctor["megabytes"] < 2048
