"""A policy against the tools it is for."""

from typing import Any, Literal

import pytest

import collegium as co
from collegium.guard import Policy, Rule, Update
from collegium.guard.analysis import PolicyWarning, typecheck, unanchored
from collegium.guard.conditions import compile_schema

pytest.importorskip("z3")

IBAN = "UK12345678901234567890"


@co.tool
def send_money(
    recipient: str,
    amount: float,
    urgent: bool = False,
    note: str | None = None,
    tags: tuple[str, ...] = (),
    kind: Literal["once", "monthly"] = "once",
) -> str:
    """Send money."""
    return f"{recipient}{amount}{urgent}{note}{tags}{kind}"


def warned(*rules: Rule, tool: str = "send_money") -> tuple[PolicyWarning, ...]:
    return typecheck(Policy(tools={tool: rules}), [send_money.spec])


def kinds(effect: str = "allow", **when: Any) -> list[tuple[str, str]]:
    rule = Rule(effect=effect, when=when)  # type: ignore[arg-type]
    return [(w.argument, w.kind) for w in warned(rule)]


@pytest.mark.must_show("progent", 2)
def test_an_unanchored_identifier_accepts_more_and_is_warned_of() -> None:
    open_ended = {"type": "string", "pattern": IBAN}
    assert compile_schema(open_ended)(f"xx{IBAN}zz")
    (warning,) = warned(Rule(effect="allow", when={"recipient": open_ended}))
    assert warning.kind == "unanchored identifier"
    assert "unanchored identifier" in warning.message
    assert f"xx{IBAN}zz" in warning.message


@pytest.mark.must_show("progent", 2)
def test_a_pinned_identifier_accepts_no_more_and_is_not_warned_of() -> None:
    pinned = {"type": "string", "pattern": f"^{IBAN}$"}
    assert compile_schema(pinned)(IBAN)
    assert not compile_schema(pinned)(f"xx{IBAN}zz")
    assert warned(Rule(effect="allow", when={"recipient": pinned})) == ()


@pytest.mark.parametrize(
    ("pattern", "open_at"),
    [
        (IBAN, "both ends"),
        ("UK[0-9]{20}", "both ends"),
        (f"^{IBAN}$|{IBAN}", "both ends"),
        (r"^https://example\.com", "its end"),
        (r"example\.com$", "its beginning"),
        (f"^{IBAN}$", None),
        ("^SE", None),
        (r"@co\.com$", None),
        (r"^https://example\.com/", None),
        (".*", None),
        (r"^[\s\S]*example[\s\S]*$", None),
        ("", None),
        (r"\bexample\b", None),
    ],
)
def test_which_patterns_are_traps(pattern: str, open_at: str | None) -> None:
    found = unanchored(pattern)
    assert (found.open if found else None) == open_at
    if found is not None:
        assert compile_schema({"pattern": pattern})(found.witness)
        assert not compile_schema({"pattern": found.anchored})(found.witness)


def test_patterns_of_items_are_looked_at_and_those_that_forbid_are_not() -> None:
    items = {"type": "array", "items": {"type": "string", "pattern": "urgent"}}
    assert kinds(tags=items) == [("tags", "unanchored identifier")]
    assert kinds("forbid", tags=items) == []


def test_unknown_names_get_a_suggestion() -> None:
    (warning,) = warned(Rule(effect="allow"), tool="send_mony")
    assert (warning.kind, warning.rule) == ("unknown tool", 0)
    assert "did you mean 'send_money'?" in warning.message
    (warning,) = warned(Rule(effect="allow", when={"amont": {"type": "number"}}))
    assert (warning.kind, warning.rule) == ("unknown argument", 1)
    assert "did you mean 'amount'?" in warning.message
    assert typecheck(Policy(tools={"@send": (Rule(effect="allow"),)}), []) == ()


def test_rules_that_rules_install_are_looked_at() -> None:
    inner = Rule(effect="allow", when={"recipent": True})
    rule = Rule(effect="allow", update=(Update(tool="send_money", rules=(inner,)),))
    assert [w.kind for w in warned(rule)] == ["unknown argument"]


@pytest.mark.parametrize(
    ("when", "kind"),
    [
        ({"recipient": {"pattern": "(?=a)"}}, "invalid condition"),
        ({"recipient": {"patern": "^a$"}}, "invalid condition"),
        ({"amount": {"pattern": "^1"}}, "wrong type"),
        ({"recipient": {"maximum": 100}}, "wrong type"),
        ({"amount": {"type": "string"}}, "wrong type"),
        ({"amount": {"anyOf": [{"minLength": 1}, {"maximum": 5}]}}, "wrong type"),
        ({"urgent": {"enum": [1]}}, "wrong type"),
        ({"amount": {"enum": [True]}}, "wrong type"),
        ({"kind": {"const": "yearly"}}, "wrong type"),
        ({"tags": {"pattern": "^a$"}}, "wrong type"),
        ({"tags": {"items": {"minimum": 1}}}, "wrong type"),
        ({"kind": {"pattern": "^y"}}, "never holds"),
        ({"amount": {"minimum": 5, "maximum": 4}}, "never holds"),
        ({"note": {"pattern": "^a$"}}, "unchecked type"),
        ({"recipient": {"pattern": r"\ba"}}, "not analysed"),
    ],
)
def test_conditions_that_do_not_fit(when: dict[str, Any], kind: str) -> None:
    (argument,) = when
    assert kinds(**when) == [(argument, kind)]


def test_conditions_that_fit() -> None:
    assert (
        kinds(
            recipient={"enum": ["a", "b"]},
            amount={"type": "number", "maximum": 100, "multipleOf": 0.01},
            urgent={"const": False},
            note={"type": ["string", "null"], "maxLength": 20},
            tags={"items": {"enum": ["x"]}, "maxItems": 3},
            kind={"const": "once"},
        )
        == []
    )
