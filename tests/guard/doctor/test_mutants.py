"""The labelled set, how it is scored, and what the measurement says."""

import json
from pathlib import Path

import pytest

from collegium.bench.doctor_mutants import bootstrap, by_rules, checker
from collegium.bench.doctor_projects import BASES, base, labelled
from collegium.errors import BadInput
from collegium.guard.doctor import KINDS, Project
from collegium.guard.doctor.evaluate import Claim, Counts, count, total
from collegium.guard.doctor.mutate import Label, every, mutate

RESULTS = Path(__file__).parents[3] / "results" / "guard" / "doctor.json"


def test_a_seed_gives_the_same_mutant():
    desk = base("desk")
    for kind in KINDS:
        assert mutate(desk, kind, 5) == mutate(desk, kind, 5)
    assert len({mutate(desk, "EPDD", s).edit for s in range(12)}) > 3


def test_the_set_has_enough_of_everything():
    mutants = labelled(BASES)
    for kind in KINDS:
        own = [m for m in mutants if m.label is not None and m.label.type == kind]
        assert len(own) >= 9
    assert sum(m.label is None for m in mutants) >= 20
    texts = {(*m.project.sources.values(), *m.project.manifests.values()) for m in mutants}
    assert len(texts) == len(mutants)


def test_a_mutant_changes_and_still_parses():
    desk = base("desk")
    for kind in (*KINDS, None):
        for mutant in every(desk, kind):
            assert (mutant.project.sources, mutant.project.manifests) != (
                desk.sources,
                desk.manifests,
            )
            for text in mutant.project.sources.values():
                compile(text, "mutant", "exec")


def test_no_room_for_a_mutant():
    with pytest.raises(BadInput, match="no place for ALS"):
        mutate(Project("empty", {"a.py": "x = 1\n"}), "ALS", 0)


def test_counting():
    label = Label("TRE", ("Clock", "Clock.run"))
    said = [Claim("TRE", "Clock"), Claim("TRE", "Clock.run"), Claim("ALS", "Clock")]
    assert count(said, label) == {"TRE": Counts(right=1), "ALS": Counts(wrong=1)}
    assert count([Claim("TRE", "Notes")], label) == {"TRE": Counts(wrong=1, missed=1)}
    assert count([], None) == {}
    whole = total([count(said, label), count([], label)])["TRE"]
    assert (whole.precision, whole.recall, whole.f1) == (1.0, 0.5, 2 / 3)
    assert Counts().f1 is None


def test_a_checker_that_says_nothing_finds_nothing():
    mutants = labelled(BASES)[::10]
    silent = checker("silent", "some", mutants, [[] for _ in mutants])
    assert silent.f1 == 0
    assert bootstrap([count([], m.label) for m in mutants]) == (0.0, 0.0)


def test_the_rules_on_a_part_of_the_set():
    mutants = labelled(BASES)[::6]
    found = checker("rules", "some", mutants, [by_rules(m) for m in mutants])
    assert found.clean_with_claims == 0
    assert found.f1 >= 0.85


def test_the_measured_rules_reach_their_goal():
    report = json.loads(RESULTS.read_text())
    rows = {(r["name"], r["set"]): r for r in report["rows"]}
    for where in ("developed on", "held out"):
        row = rows["rules", where]
        assert row["f1"] >= 0.85
        assert row["f1_low"] <= row["f1"] <= row["f1_high"]
        assert {r["type"] for r in row["rows"]} == {*KINDS, "all"}
