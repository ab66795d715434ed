"""Does a change let more through: of conditions, of rules, and of whole policies."""

from typing import Any

import pytest

from collegium.guard import Budget, Compiled, Policy, Rule, Update
from collegium.guard.analysis import Difference, ToolCall, subset, subset_policy
from collegium.guard.conditions import compile_schema

pytest.importorskip("z3")

EVERYONE = r"^[a-z0-9]+@co\.com$"


def allow(priority: int = 100, **when: Any) -> Rule:
    return Rule(effect="allow", when=when, priority=priority)


def forbid(priority: int = 1, **when: Any) -> Rule:
    return Rule(effect="forbid", when=when, priority=priority)


def policy(*rules: Rule, tool: str = "send", **more: Any) -> Policy:
    return Policy(tools={tool: rules}, **more)


def amount(most: float) -> dict[str, Any]:
    return {"type": "number", "maximum": most}


def checked(old: Policy, new: Policy, found: Difference) -> None:
    """The witness really gets through the new policy, and not through the old one."""
    assert Compiled(new).decide(found.tool, found.arguments).allowed
    assert not Compiled(old).decide(found.tool, found.arguments).allowed


@pytest.mark.must_show("progent", 3)
def test_a_smaller_amount_is_inside_a_larger_one() -> None:
    assert subset(amount(100), amount(50)).holds
    wider = subset(amount(100), amount(150))
    assert wider.answer == "no"
    assert 100 < wider.witness <= 150


@pytest.mark.must_show("progent", 3)
def test_listed_addresses_are_inside_their_pattern_until_a_foreign_one_is_added() -> None:
    everyone = {"type": "string", "pattern": EVERYONE}
    assert subset(everyone, {"enum": ["a@co.com", "bob1@co.com"]}).holds
    wider = subset(everyone, {"enum": ["a@co.com", "bob1@co.com", "b@evil.com"]})
    assert (wider.answer, wider.witness) == ("no", "b@evil.com")


@pytest.mark.must_show("progent", 3)
def test_a_restriction_that_disappears_is_found() -> None:
    old = policy(allow(recipient={"const": "a@co.com"}, amount=amount(100)))
    new = policy(allow(amount=amount(100)))
    verdict = subset_policy(old, new)
    assert (verdict.relation, verdict.narrows) == ("wider", False)
    (found,) = verdict.gained
    assert found.arguments.get("recipient") != "a@co.com"
    checked(old, new, found)
    assert not subset(old.tools["send"], new.tools["send"]).holds


@pytest.mark.must_show("progent", 3)
@pytest.mark.parametrize(
    "pattern", [r"^(?=.*@co)[a-z]+$", r"\bco\.com$", r"(?i)^a$", r"(a)\1", r"^(?!b)", r"\p{L}"]
)
def test_what_cannot_be_expressed_is_refused(pattern: str) -> None:
    known = {"type": "string", "pattern": EVERYONE}
    vague = {"type": "string", "pattern": pattern}
    for old, new in ((known, vague), (vague, known)):
        found = subset(old, new)
        assert (found.answer, found.holds) == ("unknown", False)
        assert found.reason
    verdict = subset_policy(policy(allow(to=known)), policy(allow(to=vague)))
    assert (verdict.relation, verdict.narrows) == ("unknown", False)
    assert verdict.unknown["send"]


@pytest.mark.must_show("progent", 3)
def test_an_anchored_pattern_may_not_grow() -> None:
    # The authors' analysis lets every change of an anchored pattern through.
    uk, any_country = r"^UK[0-9]{20}$", r"^[A-Z]{2}[0-9]{20}$"
    narrow, wide = ({"type": "string", "pattern": p} for p in (uk, any_country))
    assert subset(wide, narrow).holds
    wider = subset(narrow, wide)
    assert wider.answer == "no"
    assert compile_schema(wide)(wider.witness) and not compile_schema(narrow)(wider.witness)


def test_time_that_runs_out_is_no_proof() -> None:
    hard = r"^(a|b)*a(a|b){15}$"
    old, new = ({"type": "string", "pattern": p} for p in (f"{hard}|c", hard))
    found = subset(old, new, seconds=0.005)
    assert (found.answer, found.holds) == ("unknown", False)
    assert "gave up" in found.reason


def test_true_is_not_one() -> None:
    assert subset({"enum": [1]}, {"enum": [True]}).witness is True
    old, new = policy(allow(n={"const": 1})), policy(allow(n={"const": True}))
    verdict = subset_policy(old, new)
    assert verdict.relation == "incomparable"
    assert verdict.gained[0].arguments == {"n": True}
    assert verdict.lost[0].arguments == {"n": 1}


def test_a_rule_split_in_two_is_the_same_policy() -> None:
    whole = policy(allow(n={"type": "integer", "minimum": 0, "maximum": 9}))
    parts = policy(
        allow(n={"type": "integer", "minimum": 0, "maximum": 4}),
        allow(n={"type": "integer", "minimum": 5, "maximum": 9}),
    )
    assert subset_policy(whole, parts).relation == "equal"
    assert subset_policy(parts, whole).relation == "equal"


def test_a_prohibition_that_disappears_is_found() -> None:
    old = policy(forbid(to={"type": "string", "pattern": "^SE"}), allow(n=amount(100)))
    new = policy(allow(n=amount(100)))
    verdict = subset_policy(old, new)
    assert verdict.relation == "wider"
    assert verdict.gained[0].arguments["to"].startswith("SE")
    checked(old, new, verdict.gained[0])
    assert subset_policy(new, old).relation == "narrower"


def test_the_order_of_priorities_counts() -> None:
    allows, forbids = {"n": amount(100)}, {"to": {"type": "string", "pattern": "^SE"}}
    old = policy(forbid(1, **forbids), allow(2, **allows))
    new = policy(forbid(2, **forbids), allow(1, **allows))
    verdict = subset_policy(old, new)
    assert verdict.relation == "wider"
    checked(old, new, verdict.gained[0])


def test_equal_priorities_forbid_first_however_they_are_written() -> None:
    rules = (forbid(1, to={"pattern": "^SE"}), allow(1, n=amount(100)))
    assert subset_policy(policy(*rules), policy(*reversed(rules))).relation == "equal"


def test_an_argument_left_out_counts() -> None:
    strict = policy(allow(to={"const": "a"}))
    lax = policy(Rule(effect="allow", when={"to": {"const": "a"}}, priority=100, missing="holds"))
    verdict = subset_policy(strict, lax)
    assert verdict.relation == "wider"
    assert verdict.gained[0].arguments == {}
    assert subset_policy(lax, strict).relation == "narrower"
    # Forbidding only where the argument is given is the weaker prohibition.
    every = allow(priority=100)
    old = policy(Rule(effect="forbid", when={"to": {"const": "a"}}, missing="holds"), every)
    new = policy(forbid(to={"const": "a"}), every)
    assert subset_policy(old, new).gained[0].arguments == {}


def test_a_tool_that_is_added_or_dropped() -> None:
    one = policy(allow(n=amount(1)))
    both = Policy(tools={**one.tools, "pay": (allow(),)})
    assert subset_policy(one, both).gained == (Difference("pay", {}),)
    assert subset_policy(both, one).relation == "narrower"
    # A tool whose rules are dropped falls to the default.
    assert subset_policy(
        Policy(tools=one.tools, default="allow"), Policy(default="allow")
    ).relation == ("wider")
    opened = subset_policy(one, Policy(tools=one.tools, default="allow"))
    assert (opened.relation, opened.gained[0].tool) == ("wider", "any_other_tool")


def test_reading_passes_where_no_rule_speaks_of_it() -> None:
    shut = Policy(tools={"@recall": ()})
    assert subset_policy(shut, Policy()).gained == (Difference("@recall", {}),)
    assert subset_policy(Policy(), shut).relation == "narrower"
    assert subset_policy(Policy(tools={"@send": ()}), Policy()).relation == "equal"


def test_what_rules_install_is_followed() -> None:
    opens = Update(tool="send", rules=(allow(to={"type": "string"}),))
    read = Rule(effect="allow", update=(opens,))
    plain = Rule(effect="allow")
    send = (allow(to={"const": "a"}),)
    old = Policy(tools={"read": (plain,), "send": send})
    new = Policy(tools={"read": (read,), "send": send})
    verdict = subset_policy(old, new)
    assert verdict.relation == "wider"
    (found,) = verdict.gained
    assert (found.tool, found.after) == ("send", (ToolCall("read", {}),))
    assert found.arguments["to"] != "a"
    assert subset_policy(new, old).relation == "narrower"
    # Both install the same: only what else differs counts.
    less = Policy(tools={"read": (read,), "send": ()})
    assert subset_policy(new, less).relation == "narrower"


def test_an_update_that_shuts_may_not_be_dropped() -> None:
    shuts = Rule(effect="allow", update=(Update(tool="send", rules=()),))
    send = (allow(to={"const": "a"}),)
    old = Policy(tools={"read": (shuts,), "send": send})
    new = Policy(tools={"read": (Rule(effect="allow"),), "send": send})
    verdict = subset_policy(old, new)
    assert verdict.gained == (Difference("send", {"to": "a"}, (ToolCall("read", {}),)),)


def test_an_update_adds_rules_once() -> None:
    adds = Update(tool="send", rules=(allow(to={"const": "b"}),), replace=False)
    old = Policy(
        tools={
            "send": (allow(1, to={"const": "a"}), Rule(effect="forbid", priority=2, update=(adds,)))
        }
    )
    new = Policy(tools={"send": (Rule(effect="forbid", update=(adds,)),)})
    assert subset_policy(old, new).relation == "narrower"


def test_what_lies_outside_the_rules_is_not_compared() -> None:
    rules = policy(allow()).tools
    verdict = subset_policy(
        Policy(tools=rules, limits=Budget(tools={"send": 1})), Policy(tools=rules)
    )
    assert (verdict.relation, list(verdict.unknown)) == ("unknown", ["limits"])


def test_conditions_and_rules_are_not_compared() -> None:
    with pytest.raises(TypeError):
        subset({"const": 1}, [allow()])
