"""Argumentation frameworks: the paper's examples, a brute-force oracle, edits, and drawings."""

import sys
import xml.etree.ElementTree as ElementTree
from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.agents.argumentation import (
    Argument,
    Framework,
    add_argument,
    add_attack,
    admissible,
    attackers,
    build_framework,
    delete_argument,
    delete_attack,
    draw_text,
    grounded,
    labels,
    preferred,
    resolve,
    undefeated_attackers,
)
from collegium.agents.argumentation_svg import draw_svg, place
from collegium.errors import BadInput, MissingExtra, UnknownName

SVG = "{http://www.w3.org/2000/svg}"


def framework(decisions: str, beliefs: str, *attacks: str) -> Framework:
    """Decisions and beliefs by letter, attacks as "DA" (D attacks A); rivals exclude each other."""
    arguments = [Argument(d, f"decide {d}", d) for d in decisions]
    arguments += [Argument(b, f"believe {b}") for b in beliefs]
    made, dropped = build_framework(arguments, [(pair[0], pair[1]) for pair in attacks])
    assert not dropped
    return made


THREE = framework("ABC", "DE", "DA", "EA")
BOUNDARY = framework("AB", "DE", "DA", "EB")
REINSTATED = framework("AB", "DG", "DA", "GD")


@pytest.mark.must_show("argmed", 1)
def test_the_papers_example() -> None:
    assert set(THREE.attacks) == {
        *(("A", "B"), ("B", "A"), ("A", "C"), ("C", "A"), ("B", "C"), ("C", "B")),
        *(("D", "A"), ("E", "A")),
    }
    found = resolve(THREE)
    assert found.optional == ("B", "C")
    assert sorted(found.explanation_sets) == [("B", "D", "E"), ("C", "D", "E")]
    assert found.grounded == ("D", "E")
    assert found.labels == {"A": "out", "B": "undec", "C": "undec", "D": "in", "E": "in"}
    assert found.why_not == {"A": ("D", "E")}
    assert not found.abstained


@pytest.mark.must_show("argmed", 2)
def test_no_decision_survives() -> None:
    found = resolve(BOUNDARY)
    assert preferred(BOUNDARY) == (frozenset("DE"),)
    assert (found.optional, found.explanation_sets, found.abstained) == ((), (), True)
    assert found.why_not == {"A": ("D",), "B": ("E",)}


@pytest.mark.must_show("argmed", 3)
def test_a_defended_decision_is_optional_again() -> None:
    found = resolve(REINSTATED)
    assert set(preferred(REINSTATED)) == {frozenset("AG"), frozenset("BG")}
    assert found.optional == ("A", "B")
    assert found.labels["D"] == "out"
    assert found.grounded == ("G",)


@pytest.mark.must_show("argmed", 6)
def test_the_same_framework_gives_the_same_sets() -> None:
    assert all(resolve(THREE) == resolve(THREE) for _ in range(5))
    shuffled = Framework(THREE.arguments, THREE.attacks[::-1])
    assert resolve(shuffled) == resolve(THREE)


def test_preferred_sees_more_than_grounded_and_exists_where_stable_does_not() -> None:
    odd = framework("", "ABC", "AB", "BC", "CA")
    assert preferred(odd) == (frozenset(),)
    assert labels(odd) == {"A": "undec", "B": "undec", "C": "undec"}
    floating = framework("", "ABCD", "AB", "BA", "AC", "BC", "CD")  # C falls whoever wins
    assert grounded(floating) == frozenset()
    assert labels(floating) == {"A": "undec", "B": "undec", "C": "out", "D": "in"}
    assert preferred(Framework()) == admissible(Framework()) == (frozenset(),)
    assert grounded(Framework()) == frozenset()


# -- the definitions, word by word ---------------------------------------------------------------


def all_sets(f: Framework) -> list[frozenset[str]]:
    sizes = range(len(f.ids) + 1)
    return [frozenset(s) for s in chain.from_iterable(combinations(f.ids, n) for n in sizes)]


def defended(f: Framework, s: frozenset[str], name: str) -> bool:
    return all(any((d, a) in f.attacks for d in s) for a in f.ids if (a, name) in f.attacks)


def brute_admissible(f: Framework) -> set[frozenset[str]]:
    return {
        s
        for s in all_sets(f)
        if not any((a, b) in f.attacks for a in s for b in s) and all(defended(f, s, a) for a in s)
    }


def brute_grounded(f: Framework) -> frozenset[str]:
    """The least fixed point of the characteristic function."""
    s: frozenset[str] = frozenset()
    while (bigger := frozenset(a for a in f.ids if defended(f, s, a))) != s:
        s = bigger
    return s


@st.composite
def small_frameworks(draw: st.DrawFn) -> Framework:
    ids = [f'x "{i}"' for i in range(draw(st.integers(0, 6)))]  # ids may be any text
    pairs = [(a, b) for a in ids for b in ids]
    attacks = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    options = [draw(st.sampled_from(["", "p", "q"])) for _ in ids]
    arguments = [Argument(i, i, o) for i, o in zip(ids, options, strict=True)]
    return Framework(tuple(arguments), tuple(attacks))


@settings(max_examples=120, deadline=None)
@given(small_frameworks())
def test_the_solver_agrees_with_the_definitions(f: Framework) -> None:
    safe = brute_admissible(f)
    assert set(admissible(f)) == safe
    assert len(admissible(f)) == len(safe)
    largest = {s for s in safe if not any(s < t for t in safe)}
    assert set(preferred(f)) == largest
    assert len(preferred(f)) == len(largest)
    assert grounded(f) == brute_grounded(f)
    found = resolve(f)
    for a in f.arguments:
        hit = [s & set(attackers(f, a.id)) for s in largest]
        assert (found.labels[a.id] == "in") == all(a.id in s for s in largest)
        assert (found.labels[a.id] == "out") == all(hit)
        assert not set(undefeated_attackers(f, a.id)) & {
            i for i, label in found.labels.items() if label == "out"
        }
    alive = {a.option for a in f.arguments if a.option and any(a.id in s for s in safe)}
    assert set(found.optional) == alive
    assert set(found.why_not) == {a.option for a in f.arguments if a.option} - alive
    ElementTree.fromstring(draw_svg(f))


# -- why not -------------------------------------------------------------------------------------


def test_the_chain_of_undefeated_attackers_goes_on_to_their_defenders() -> None:
    f = framework("A", "DGH", "DA", "GD", "HG")
    assert undefeated_attackers(f, "A") == ("D", "H")
    assert undefeated_attackers(f, "G") == ("H",)
    assert undefeated_attackers(f, "H") == ()
    with pytest.raises(UnknownName):
        undefeated_attackers(f, "Z")


def test_an_undecided_attacker_counts_where_none_is_in() -> None:
    f = framework("A", "XYZ", "XY", "YZ", "ZX", "XA")
    assert resolve(f).why_not == {"A": ("X",)}


# -- building and contesting ---------------------------------------------------------------------


@pytest.mark.must_show("argmed", 5)
def test_attacks_of_decisions_on_beliefs_are_deleted_and_told() -> None:
    arguments = [Argument("a", "", "p"), Argument("b", "", "q"), Argument("c"), Argument("d")]
    arguments.append(Argument("e", "", "p"))
    attacks = [("a", "c"), ("c", "a"), ("c", "d"), ("d", "c"), ("b", "a"), ("e", "a"), ("a", "c")]
    made, dropped = build_framework(arguments, attacks)
    assert dropped == (("a", "c"), ("e", "a"))  # and one on a decision for the same option
    assert set(made.attacks) == {
        *(("c", "a"), ("c", "d"), ("d", "c")),
        *(("a", "b"), ("b", "a"), ("b", "e"), ("e", "b")),
    }


def test_contesting_changes_what_survives() -> None:
    relieved = delete_attack(delete_attack(THREE, "D", "A"), "E", "A")
    assert resolve(relieved).optional == ("A", "B", "C")
    assert resolve(delete_argument(delete_argument(THREE, "D"), "E")).optional == ("A", "B", "C")
    doubted = add_argument(THREE, Argument("X", "B harms"), attacks=["B"])
    assert resolve(doubted).optional == ("C",)
    saved = add_argument(doubted, Argument("Y", "it does not"), attacks=["X"])
    assert resolve(saved).optional == ("B", "C")
    assert resolve(add_attack(doubted, "D", "C")).abstained
    assert add_attack(THREE, "D", "A") == THREE  # the same attack twice is one
    assert resolve(THREE).optional == ("B", "C")  # nothing was changed in place
    rival = add_argument(BOUNDARY, Argument("R", "", "R"), attacks="AB", attacked_by="AB")
    assert resolve(rival).optional == ("R",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: add_argument(THREE, Argument("A")), "two arguments are called 'A'"),
        (lambda: add_argument(THREE, Argument("N"), attacks=["Z"]), "names 'Z'"),
        (lambda: add_attack(THREE, "A", "Z"), "the attack A -> Z names 'Z'"),
        (lambda: delete_attack(THREE, "A", "D"), "unknown attack 'A -> D'"),
        (lambda: delete_argument(THREE, "Z"), "unknown argument 'Z'"),
    ],
)
def test_bad_changes_are_refused(change: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        change()


def test_without_the_solver_the_error_says_what_to_install(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "clingo", None)
    with pytest.raises(MissingExtra, match=r"collegium\[argumentation\]"):
        preferred(THREE)


# -- drawings ------------------------------------------------------------------------------------


def test_the_text_drawing_shows_each_argument_once_with_its_attackers() -> None:
    assert draw_text(framework("AB", "DG", "DA", "GD")).splitlines() == [
        "A [undec] decision A: decide A",
        "  <- B [undec] (shown elsewhere)",
        "  <- D [out] belief: believe D",
        "    <- G [in] belief: believe G",
        "B [undec] decision B: decide B",
        "  <- A [undec] (shown elsewhere)",
    ]
    assert draw_text(framework("", "XY", "XY", "YX", "XX")).splitlines() == [
        "X [out] belief: believe X",
        "  <- X [out] (shown elsewhere)",
        "  <- Y [in] belief: believe Y",
        "    <- X [out] (shown elsewhere)",
    ]


def test_the_picture_has_every_argument_attack_and_colour() -> None:
    nasty = Framework(
        (
            Argument('<a&"1>', "fever > 39 & <b>rash</b> " + "and so on " * 40, "drug & rest"),
            Argument("b", "never mind"),
            Argument("c", "", "wait"),
        ),
        (('<a&"1>', "c"), ("c", '<a&"1>'), ("b", "c"), ("b", "b")),
    )
    root = ElementTree.fromstring(draw_svg(nasty))
    boxes = {g.get("id") for g in root.iter(f"{SVG}g")}
    assert boxes == {'argument-<a&"1>', "argument-b", "argument-c"}
    titles = [t.text or "" for t in root.iter(f"{SVG}title")]
    assert any("fever > 39 & <b>rash</b>" in t for t in titles)  # whole, as a tooltip
    arrows = [p for p in root.iter(f"{SVG}path") if p.get("marker-end")]
    assert len(arrows) == 3  # a mutual attack is one line with two heads
    assert sum(p.get("marker-start") is not None for p in arrows) == 1
    words = " ".join(t.text or "" for t in root.iter(f"{SVG}text"))
    assert "…" in words
    assert all(word in words for word in ("in:", "out:", "undecided:"))


def test_boxes_do_not_overlap_and_beliefs_stand_above_what_they_attack() -> None:
    f = framework("ABCD", "EFGHI", "EA", "FA", "GE", "HD", "IH", "IA")
    boxes = place(f)
    assert set(boxes) == set(f.ids)
    placed = list(boxes.values())
    for one, other in combinations(placed, 2):
        apart_x = abs(one.x - other.x) >= 210
        apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert apart_x or apart_y
    assert boxes["G"].y < boxes["E"].y < boxes["A"].y
    assert boxes["A"].row == boxes["D"].row == 0
