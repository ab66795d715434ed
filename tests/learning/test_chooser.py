"""Which ways to make an agent better are open, which is first, and why the others are not."""

from __future__ import annotations

import json
import math

import pytest
from typer.testing import CliRunner

from collegium.catalog.optimisation import holds, parse_label
from collegium.cli import app
from collegium.errors import BadInput, UnknownName
from collegium.learning.chooser import ROUTES, Choice, Situation, choose

NAMES = {route.name for route in ROUTES}

NO_WEIGHTS = Situation(reward=True, trajectories=80)
FEW = Situation(weights=True, trajectories=20, reward=True, minutes=45)
SIGNAL = Situation(weights=True, trajectories=80, reward=True, minutes=45)
PAIRED = Situation(weights=True, trajectories=80, pairs=60, minutes=45)
ALL = Situation(weights=True, trajectories=80, pairs=60, reward=True, minutes=240)
FACTS = Situation(weights=True, trajectories=80, reward=True, corpus=True, factual=True)


def whole(choice: Choice) -> None:
    """Every route is there once, with a reason or with what is missing."""
    open_, closed = [o.route for o in choice.open], [c.route for c in choice.closed]
    assert sorted([*open_, *closed]) == sorted(NAMES)
    assert all(o.reason for o in choice.open)
    assert all(c.missing and all(c.missing) for c in choice.closed)


def missing(choice: Choice, route: str) -> str:
    (closed,) = [c for c in choice.closed if c.route == route]
    return "; ".join(closed.missing)


@pytest.mark.must_show("optimization-survey", 8)
@pytest.mark.parametrize(
    ("situation", "first", "closed"),
    [
        (NO_WEIGHTS, "experience", {"adapter": "weights", "retrieval": "corpus", "tools": "tools"}),
        (FEW, "adapter", {"rejection-sampling": "50 captured", "preferences": "pairs"}),
        (SIGNAL, "rejection-sampling", {"preferences": "pairs", "group-reward": "120 minutes"}),
        (PAIRED, "preferences", {"sft-then-preferences": "success signal", "experience": "signal"}),
        (ALL, "sft-then-preferences", {"retrieval": "corpus", "tools": "tools"}),
        (FACTS, "retrieval", {"preferences": "pairs", "sft-then-preferences": "pairs"}),
    ],
)
def test_the_first_route_and_why_others_are_closed(
    situation: Situation, first: str, closed: dict[str, str]
) -> None:
    choice = choose(situation)
    whole(choice)
    assert choice.open[0].route == first
    for route, lacks in closed.items():
        assert lacks in missing(choice, route)


@pytest.mark.must_show("optimization-survey", 8)
def test_without_weights_only_what_leaves_them_is_open() -> None:
    for choice in (choose(NO_WEIGHTS), choose(Situation())):
        assert all(o.labels[0] == "family=parameter-free" for o in choice.open)
        driven = [r.name for r in ROUTES if r.changes_weights]
        assert len(driven) == 6
        for route in driven:
            assert "weights that may be changed" in missing(choice, route)


@pytest.mark.must_show("optimization-survey", 8)
@pytest.mark.parametrize(
    ("situation", "asked", "says"),
    [
        (SIGNAL, "preferences", "missing: pairs of better and worse behaviour"),
        (NO_WEIGHTS, "preferences", "missing: weights that may be changed; pairs"),
        (PAIRED, "sft-then-preferences", "missing: a success signal; time: about 60 minutes"),
        (Situation(), "retrieval", "missing: a corpus"),
    ],
)
def test_a_closed_route_is_refused_with_what_is_missing(
    situation: Situation, asked: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        choose(situation, asked=asked)


@pytest.mark.must_show("optimization-survey", 8)
def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="missing is a model on this machine"):
        choose(Situation(weights=True, model="openai:large", minutes=60))
    choose(Situation(weights=True, model="local-small"))
    choose(Situation(model="openai:large"))
    for wrong in (Situation(trajectories=-1), Situation(pairs=-3), Situation(minutes=math.nan)):
        with pytest.raises(BadInput, match="a number from 0 on"):
            choose(wrong)
    with pytest.raises(UnknownName, match="did you mean 'preferences'"):
        choose(ALL, asked="preference")


def test_a_route_that_is_asked_for_and_open_comes_first() -> None:
    choice = choose(SIGNAL, asked="team")
    whole(choice)
    assert [o.route for o in choice.open][:2] == ["team", "rejection-sampling"]


def test_few_pairs_open_a_route_without_naming_it_first() -> None:
    choice = choose(Situation(weights=True, trajectories=80, reward=True, pairs=3))
    routes = [o.route for o in choice.open]
    assert routes[0] == "rejection-sampling"
    assert "preferences" in routes


def test_routes_name_the_papers_that_took_them() -> None:
    rich = Situation(
        weights=True, trajectories=99, pairs=99, reward=True, corpus=True, tools=5, demonstrations=9
    )
    choice = choose(rich)
    assert not choice.closed
    for one in choice.open:
        for slug in one.papers:
            assert all(holds(slug, parse_label(label)) for label in one.labels)
    assert all(one.papers for one in choice.open)


# -- the command --------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words: str):
        env = {"COLLEGIUM_HOME": str(tmp_path / "home"), "COLUMNS": None}
        return CliRunner().invoke(app, words, env=env)

    return run


@pytest.mark.must_show("optimization-survey", 8)
def test_the_command_ranks_and_refuses(command) -> None:
    words = ["optimise", "routes", "--weights", "--trajectories", "80", "--reward"]
    done = command(*words, "--minutes", "45", "--json")
    found = json.loads(done.stdout)
    assert found["open"][0]["route"] == "rejection-sampling"
    assert {r["route"] for r in (*found["open"], *found["closed"])} == NAMES
    assert all(c["missing"] for c in found["closed"])
    assert found["situation"]["trajectories"] == 80
    printed = command(*words).stdout
    assert "Given: weights, trajectories 80, reward" in printed
    assert "pairs of better and worse behaviour" in printed
    refused = command(*words, "--route", "preferences")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert "missing: pairs" in refused.stderr
