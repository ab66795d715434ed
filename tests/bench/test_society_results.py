"""What was measured of societies, as it lies in results/: speed, and studies of behaviour."""

import json
from pathlib import Path

import pytest

from collegium.bench.speed_memory import RECALL
from collegium.bench.speed_society import BROOKLYN, EPIDEMIC, MASTER, PLATFORM

FILE = Path(__file__).parents[2] / "results" / "bench" / "society.json"


@pytest.fixture
def report():
    if not FILE.is_file():
        pytest.skip("societies were not measured yet")
    return json.loads(FILE.read_text())


def rows(report, name):
    return {row["size"]: row for row in report["rows"] if row["name"] == name}


@pytest.mark.must_show("agenttorch", 6)
def test_a_million_people_fit_two_seconds_and_two_gigabytes(report):
    row = rows(report, EPIDEMIC)[1_000_000]
    assert row["value"] <= 2
    assert row["memory"] <= 2000


@pytest.mark.must_show("agenttorch", 6)
def test_brooklyn_is_read_in_ten_seconds(report):
    found = [row for row in report["rows"] if row["name"] == BROOKLYN]
    if not found:
        pytest.skip("Brooklyn was not read when this was measured")
    assert found[0]["size"] == 2_712_360
    assert found[0]["value"] <= 10


def test_fifty_players_are_told_by_audience_and_in_no_time(report):
    found = {row["unit"]: row["value"] for row in report["rows"]
             if row["name"] == MASTER and row["size"] == 50}  # fmt: skip
    if not found:
        pytest.skip("scenes were not measured yet")
    assert found["calls per action"] <= 50 / 4
    assert found["ms per action"] < 10


def test_a_city_of_new_york_s_size_fits_five_seconds_and_eight_gigabytes(report):
    row = rows(report, EPIDEMIC)[8_400_000]
    assert row["value"] <= 5
    assert row["memory"] <= 8000


@pytest.mark.must_show("oasis", 7)
def test_a_million_users_fit_and_growth_is_linear(report):
    assert rows(report, PLATFORM)[1_000_000]["value"] < 2
    assert report["slopes"][PLATFORM] <= 1.1


def test_it_is_as_much_faster_than_the_public_packages_as_was_aimed_at(report):
    ratios = report["ratios"]
    assert ratios["epidemic, 1000000 agents"] >= 20
    for act in ("sign_up", "post", "like"):
        assert ratios[f"{act}, bulk, against 100000 users"] >= 100
    assert rows(report, RECALL)[50_000]["value"] < 0.5
    assert ratios["Game Master, calls, 50 players"] > 1


@pytest.mark.must_show("oasis", 5)
def test_a_real_cascade_was_held_against_each_recommender_at_the_same_spending():
    found = study("cascade")
    assert [row["recommender"] for row in found["rows"]] == ["x", "random", "none"]
    assert {row["seeds"] for row in found["rows"]} == {5}
    assert len({row["calls"] for row in found["rows"]}) == 1
    for row in found["rows"]:
        for curve in ("scale", "depth", "breadth"):
            assert 0 < row[curve]["lowest"] <= row[curve]["rmse"] <= row[curve]["highest"]


@pytest.mark.must_show("abm-interaction", 6)
def test_commands_are_understood_and_malicious_ones_are_not():
    found = study("commands")
    assert found["model"] == "local"
    assert found["first"]["rows"][0]["commands"] == 40
    for part in (found["first"], found["fresh"]):
        model, keywords = part["rows"]
        assert (model["name"], keywords["name"]) == ("model", "keywords")
        assert keywords["commands"] == model["commands"]
        assert model["right"] >= 0.8 * model["commands"]
        assert model["right"] > keywords["right"]
        assert model["malicious_refused"] == model["malicious"] == 10
        assert model["executed"] == 0


@pytest.mark.must_show("concordia", 9)
def test_a_game_master_grounds_attempts_and_tells_fifty_by_audience():
    found = study("grounding")
    refused = {(r["arm"], r["attempts"]): r["refused"] for r in found["rows"]}
    assert len(refused) == 4
    assert {r["n"] for r in found["rows"]} == {30}
    assert refused["game master", "impossible"] > refused["no master", "impossible"]
    assert found["p"] < 0.05
    told = found["observations"]
    assert found["players"] == 50
    assert told["per audience"]["actions"] == told["per player"]["actions"] == found["steps"]
    assert told["per audience"]["observation calls"] <= 2 * found["steps"]  # two rooms
    assert told["per player"]["observation calls"] >= 50


@pytest.mark.must_show("agenttorch", 7)
def test_behaviours_had_equal_trials_on_the_counted_weeks_of_astoria():
    found = study("behaviour")
    rows = {row["behaviour"]: row for row in found["rows"]}
    assert set(rows) == {"constant", "heuristic", "archetypes"}
    assert {row["trials"] for row in rows.values()} == {found["trials"]}
    assert found["seeds"] >= 5
    assert rows["archetypes"]["calls"] > 0
    assert rows["constant"]["calls"] == 0
    assert len(found["observed"]) == found["fit"] + found["predict"]


@pytest.mark.must_show("oasis", 6)
def test_herding_was_measured_on_real_comments_with_an_interval():
    found = study("herding")
    groups = {row["group"]: row["n"] for row in found["rows"]}
    assert sum(groups.values()) == (660 if found["paired"] else 220)
    for difference in found["differences"]:
        assert difference["low"] <= difference["mean"] <= difference["high"]
    assert {(d["group"], d["what"]) for d in found["differences"]} == {
        (group, what) for group in ("up", "down") for what in ("final", "added")
    }


def test_opinions_were_asked_together_and_alone():
    found = study("polarisation")
    assert {row["arm"] for row in found["rows"]} == {"together", "alone"}
    assert {row["n"] for row in found["rows"]} == {found["users"]}
    told = found["together_minus_alone"]
    assert told["low"] <= told["mean"] <= told["high"]


def study(name):
    file = FILE.parents[1] / "society" / f"{name}.json"
    if not file.is_file():
        pytest.skip(f"{name} was not measured yet")
    found = json.loads(file.read_text())
    assert found["command"].startswith("python -m collegium.bench.")
    assert found["machine"]
    assert found["model"]
    return found
