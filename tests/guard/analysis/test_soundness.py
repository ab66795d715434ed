"""What the analysis says of random policies, held against the code that enforces them."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from collegium.errors import PolicyError
from collegium.guard import Compiled, Policy, Rule
from collegium.guard.analysis import overlaps, subset, subset_policy, unreachable
from collegium.guard.conditions import compile_schema
from tests.guard.analysis.strategies import schemas, values

pytest.importorskip("z3")

# Conditions that often touch each other, so that answers of every kind come up.
near = st.one_of(
    st.builds(
        lambda low, size: {"type": "integer", "minimum": low, "maximum": low + size},
        st.integers(0, 4),
        st.integers(0, 3),
    ),
    st.builds(lambda low: {"minimum": low}, st.integers(0, 5)),
    st.lists(st.sampled_from([0, 1, 2, 5, True, "a", "b", "ab", None]), min_size=1).map(
        lambda found: {"enum": found}
    ),
    st.sampled_from(["^a", "b$", "^[ab]*$", "a", "^ab?$"]).map(lambda p: {"pattern": p}),
    st.just(True),
)
conditions = near | st.builds(lambda s: {"not": s}, near)
tried_values = st.one_of(
    st.integers(0, 7), st.sampled_from(["", "a", "b", "ab", "ba"]), st.none(), st.booleans()
)
rules = st.builds(
    lambda effect, when, priority, missing: Rule(
        effect=effect, when=when, priority=priority, missing=missing
    ),
    st.sampled_from(["allow", "allow", "forbid"]),
    st.dictionaries(st.sampled_from("xy"), conditions, max_size=2),
    st.integers(1, 2),
    st.sampled_from(["fails", "holds"]),
)
policies = st.builds(
    lambda found, default: Policy(tools={"t": tuple(found)}, default=default),
    st.lists(rules, max_size=3),
    st.sampled_from(["block", "block", "allow"]),
)
calls = st.dictionaries(st.sampled_from("xyz"), tried_values, max_size=3)


@settings(max_examples=70, deadline=None, derandomize=True, database=None)
@given(policies, policies, st.lists(calls, min_size=15, max_size=25))
def test_no_call_contradicts_what_is_said_of_two_policies(
    old: Policy, new: Policy, tried: list[dict[str, Any]]
) -> None:
    before, after = Compiled(old), Compiled(new)
    verdict = subset_policy(old, new)
    assert verdict.relation != "unknown"
    for call in tried:
        was, now = before.decide("t", call).allowed, after.decide("t", call).allowed
        assert not (now and not was and verdict.narrows)
        assert not (was and not now and verdict.relation in ("equal", "wider"))
    for found in verdict.gained:
        assert after.decide(found.tool, found.arguments).allowed
        assert not before.decide(found.tool, found.arguments).allowed
    for found in verdict.lost:
        assert before.decide(found.tool, found.arguments).allowed
        assert not after.decide(found.tool, found.arguments).allowed


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(policies, st.lists(calls, min_size=15, max_size=25))
def test_no_call_contradicts_what_is_said_of_rules(
    policy: Policy, tried: list[dict[str, Any]]
) -> None:
    compiled, dead = Compiled(policy), {found.number for found in unreachable(policy)}
    pairs = {(o.first, o.second, o.argument) for o in overlaps(policy)}
    for call in tried:
        explained = compiled.tools["t"].explain(call)
        assert not dead & {one.number for one in explained if one.decides}
        for place, one in enumerate(explained):
            for two in explained[place + 1 :]:
                for name in one.conditions.keys() & two.conditions.keys():
                    both = {one.conditions[name], two.conditions[name]} == {"holds"}
                    assert not both or (one.number, two.number, name) in pairs


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(schemas, schemas, st.lists(values, min_size=5, max_size=10))
def test_no_value_contradicts_what_is_said_of_two_conditions(
    old: Any, new: Any, tried: list[Any]
) -> None:
    try:
        was, now = compile_schema(old), compile_schema(new)
    except PolicyError:
        assume(False)
    else:
        found = subset(old, new)
        if found.holds:
            assert not [v for v in tried if now(v) and not was(v)]
        elif found.answer == "no":
            assert now(found.witness) and not was(found.witness)
