"""Rules beside each other: which overlap, which never decide, and what a change brings."""

from typing import Any

import pytest

from collegium.guard import Compiled, Policy, Rule
from collegium.guard.analysis import Overlap, described, diff, overlaps, unreachable
from collegium.guard.conditions import compile_schema

pytest.importorskip("z3")

UK, SE = "UK12345678901234567890", "SE3550000000054910000003"
EMAIL = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$"


def of(*rules: tuple[str, Any], tool: str = "send_money") -> Policy:
    """A policy on one argument, ``recipient``."""
    made = (Rule(effect=e, when={"recipient": s}) for e, s in rules)  # type: ignore[arg-type]
    return Policy(tools={tool: tuple(made)})


def text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


def really(policy: Policy, found: Overlap) -> None:
    """The witness passes both conditions under the enforcement code, and the call meets both."""
    rules = policy.tools[found.tool]
    for number in (found.first, found.second):
        assert compile_schema(rules[number - 1].when[found.argument])(found.witness)
    if found.call is not None:
        tried = Compiled(policy).tools[found.tool].explain(found.call)
        assert {t.number for t in tried if t.matches} >= {found.first, found.second}


@pytest.mark.must_show("progent", 4)
def test_anchored_identifiers_do_not_overlap() -> None:
    assert overlaps(of(("allow", text(f"^{UK}$")), ("forbid", text(f"^{SE}$")))) == ()


@pytest.mark.must_show("progent", 4)
def test_the_same_identifiers_unanchored_overlap_in_a_text_that_holds_both() -> None:
    policy = of(("allow", text(UK)), ("forbid", text(SE)))
    (found,) = overlaps(policy)
    assert UK in found.witness and SE in found.witness
    assert (found.first, found.second, found.effects) == (2, 1, ("forbid", "allow"))
    assert found.conflict
    really(policy, found)


@pytest.mark.must_show("progent", 4)
def test_an_address_overlaps_the_pattern_of_all_addresses() -> None:
    policy = of(("allow", text(EMAIL)), ("forbid", {"const": "agent@example.com"}))
    (found,) = overlaps(policy)
    assert found.witness == "agent@example.com"
    really(policy, found)


@pytest.mark.must_show("progent", 4)
def test_every_witness_passes_both_conditions() -> None:
    conditions: list[Any] = [
        text(EMAIL),
        text("example"),
        text(r"^[a-z]+@[a-z]+\.com$"),
        {"enum": ["a@example.com", "b@evil.com"]},
        text("^.{1,8}$"),
        {"minLength": 6, "maxLength": 10},
        {"type": ["string", "null"]},
        {"not": text("^a")},
        {"type": "array", "items": text("^a"), "minItems": 1},
        {"items": {"not": {"const": "a"}}},
        {"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 99},
        {"maximum": 99.5, "not": {"type": "integer"}},
    ]
    policy = of(*(("allow", c) for c in conditions))
    found = overlaps(policy)
    assert len(found) > 20
    for one in found:
        assert one.reason == ""
        really(policy, one)


def test_another_argument_may_keep_two_rules_apart() -> None:
    low = {"n": {"type": "number", "maximum": 5}, "to": {"const": "a"}}
    high = {"n": {"type": "number", "minimum": 5}, "to": {"const": "b"}}
    policy = Policy(tools={"t": (Rule(effect="allow", when=low), Rule(effect="forbid", when=high))})
    (found,) = overlaps(policy)
    assert (found.argument, found.witness, found.call) == ("n", 5, None)


def test_a_question_that_stays_open_counts_as_an_overlap() -> None:
    (found,) = overlaps(of(("allow", text(r"\bSE")), ("forbid", text("^UK"))))
    assert found.witness is None
    assert r"\b" in found.reason


def test_rules_without_a_shared_argument_are_not_paired() -> None:
    rules = (Rule(effect="allow", when={"a": True}), Rule(effect="forbid", when={"b": True}))
    assert overlaps(Policy(tools={"t": rules})) == ()


def test_rules_that_never_decide() -> None:
    policy = of(
        ("allow", {"type": "integer", "minimum": 3, "maximum": 5}),
        ("forbid", {"type": "number", "minimum": 0}),
        ("allow", {"type": "integer", "multipleOf": 2.5, "minimum": 1, "maximum": 4}),
        ("allow", {"type": "string"}),
    )
    found = unreachable(policy)
    assert [(u.number, u.contradictory) for u in found] == [(1, False), (3, True)]


def test_several_rules_together_may_cover_one() -> None:
    policy = of(
        ("forbid", text("^[a-m]")),
        ("forbid", text("^[n-z]")),
        ("allow", text("^[a-z]{3}$")),
        ("allow", text("^[a-z0-9]{3}$")),
    )
    assert [u.number for u in unreachable(policy)] == [3]


def test_what_a_change_brings() -> None:
    old = of(("allow", text(f"^{UK}$")), ("allow", text("^FR")))
    new = of(("allow", text(f"^{UK}$")), ("allow", text("^[UFS]")))
    found = diff(old, new)
    assert found.verdict.relation == "wider"
    (change,) = found.rules
    assert (change.added, change.removed) == (
        (new.tools["send_money"][1],),
        (old.tools["send_money"][1],),
    )
    assert [(o.first, o.second) for o in found.overlaps] == [(1, 2)]
    said = described(found)
    assert said.startswith("The new policy lets more through.\n  + send_money {")
    assert 'rule gone: allow when {"recipient"' in said
    assert described(diff(old, old)) == "The new policy lets through the same calls."
