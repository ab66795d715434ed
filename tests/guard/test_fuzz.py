"""The guard agrees with a reference that knows no engine, on random policies and calls."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.bench import fuzz_guard
from collegium.bench.fuzz_guard import disagreement, fuzz, random_call, random_policy, reference
from collegium.guard import Compiled, Policy, Rule
from collegium.guard.analysis.calls import allowed
from collegium.guard.conditions import engine, is_plain

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, 2.5]),
    st.text("ab1é", max_size=3),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from("ab"), v, max_size=2),
    max_leaves=4,
)
LEAVES = st.one_of(
    st.booleans(),
    st.builds(lambda v: {"enum": v}, st.lists(VALUES, min_size=1, max_size=3)),
    st.builds(lambda v: {"const": v}, VALUES),
    st.builds(lambda t: {"type": t}, st.sampled_from(fuzz_guard.TYPES)),
    st.builds(lambda a: {"minimum": a}, st.integers(-2, 2)),
    st.builds(lambda a: {"exclusiveMaximum": a}, st.integers(-2, 3)),
    st.builds(lambda p: {"pattern": p}, st.sampled_from(["^a", "b$", "a|b", "^[ab]+$", r"\d"])),
    st.builds(lambda n: {"minLength": n, "maxItems": n}, st.integers(0, 3)),
)  # fmt: skip
SCHEMAS = st.recursive(
    LEAVES,
    lambda s: st.one_of(
        st.builds(lambda v: {"not": v}, s),
        st.builds(lambda v: {"items": v}, s),
        st.builds(lambda k, v: {k: v}, st.sampled_from(["anyOf", "allOf", "oneOf"]),
                  st.lists(s, min_size=1, max_size=2)),
        st.builds(lambda a, b, c: {"if": a, "then": b, "else": c}, s, s, s),
        st.builds(lambda a, b: {"properties": {"a": a}, "additionalProperties": b}, s, s),
    ),
    max_leaves=4,
)  # fmt: skip
RULES = st.builds(
    Rule,
    effect=st.sampled_from(["allow", "forbid"]),
    priority=st.sampled_from([1, 2, 100]),
    missing=st.sampled_from(["fails", "holds"]),
    when=st.dictionaries(st.sampled_from("xy"), SCHEMAS, max_size=2),
)
POLICIES = st.builds(
    Policy,
    tools=st.dictionaries(st.sampled_from(["t", "u"]), st.lists(RULES, max_size=4).map(tuple)),
    default=st.sampled_from(["block", "allow"]),
)


@given(POLICIES, st.sampled_from(["t", "u"]), st.dictionaries(st.sampled_from("xyz"), VALUES))
@settings(max_examples=150, deadline=None)
def test_guard_and_reference_agree(policy: Policy, name: str, arguments: dict[str, Any]) -> None:
    assert disagreement(policy, Compiled(policy), name, arguments) == ""


def test_many_random_ones() -> None:
    result = fuzz(2000, seed=11)
    assert result["disagreements"] == []
    assert 300 < result["allowed"] < 1700  # both answers were put to the test


@pytest.mark.parametrize("fault", ["order", "missing", "search"])
def test_a_planted_mistake_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "order":  # allow before forbid
        monkeypatch.setattr(
            "collegium.guard.decide.order", lambda rule: (rule.priority, rule.effect == "forbid")
        )
    elif fault == "missing":  # an argument that is left out meets every condition
        from collegium.guard import decide

        right = decide.rule_schema
        monkeypatch.setattr(decide, "rule_schema", lambda w, **_: right(w, missing_holds=True))
    else:  # patterns must match the whole text
        import re

        monkeypatch.setattr(fuzz_guard.re, "search", lambda p, t, f: re.fullmatch(p, t, f))
    assert fuzz(2000, seed=5)["disagreements"]


def test_enforcement_and_the_schema_of_the_analysis_say_the_same() -> None:
    r = random.Random(3)
    seen = set()
    for _ in range(300):
        policy = random_policy(r)
        compiled = Compiled(policy)
        schemas = {tool: engine(allowed(rules)) for tool, rules in policy.tools.items()}
        for _ in range(5):
            name, arguments = random_call(r)
            wanted = reference(policy, name, arguments)
            assert compiled.decide(name, arguments).allowed == wanted
            if name in schemas and is_plain(arguments):
                assert schemas[name](arguments) == wanted
                seen.add(wanted)
    assert seen == {True, False}
