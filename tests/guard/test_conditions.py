"""What a condition means, and what is no condition."""

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.bench.fuzz_guard import translated, valid
from collegium.errors import PolicyError
from collegium.guard.conditions import compile_schema


@pytest.mark.parametrize(
    ("schema", "value", "wanted"),
    [
        ({"type": "integer"}, True, False),
        ({"enum": [1]}, True, False),
        ({"const": True}, 1, False),
        ({"enum": [0]}, False, False),
        ({"minimum": 1}, True, True),  # a keyword for numbers says nothing of others
        ({"type": "integer"}, 1.0, True),
        ({"enum": [1]}, 1.0, True),
        ({"maximum": 100}, "150", True),
        ({"pattern": "^UK"}, 5, True),
        ({"type": "string", "pattern": "^UK"}, 5, False),
        ({"multipleOf": 0.01}, 0.07, True),
        ({"maximum": 2**60}, 2**60 + 1, False),
        ({"maxLength": 1}, "𝄞", True),
        ({"items": {"enum": ["a"]}, "maxItems": 2}, ["a", "a"], True),
        ({"items": {"enum": ["a"]}}, ["a", "b"], False),
        ({"if": {"type": "string"}, "then": {"pattern": "a"}, "else": {"minimum": 3}}, 2, False),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, False),
        ({"additionalProperties": False, "properties": {"a": True}}, {"b": 1}, False),
        ({"pattern": "^a$"}, "a\n", False),
        ({"pattern": "a"}, "bab", True),
        ({"pattern": r"^\d+$"}, "٣", False),
        ({"pattern": r"^\w$"}, "é", False),
        ({"pattern": r"^\s$"}, "\ufeff", True),
        ({"pattern": r"^.$"}, "\u2028", False),
        ({"pattern": r"\bfoo\b"}, "a foo b", True),
        (True, None, True),
        (False, None, False),
    ],
)
def test_what_conditions_mean(schema: Any, value: Any, wanted: bool) -> None:
    assert compile_schema(schema)(value) is wanted


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), b"", {"a": b""}, "\udc00", {1: 2}])
def test_what_json_cannot_say_is_not_checked(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        compile_schema(True)(value)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"patern": "a"}, "did you mean 'pattern'"),
        ({"$ref": "#/x"}, "does not know"),
        ({"format": "email"}, "does not know"),
        ("^a", "write {pattern: ...}"),
        (None, "true or false"),
        ({"type": "int"}, "must be one or several"),
        ({"type": []}, "must be one or several"),
        ({"enum": []}, "must list values"),
        ({"enum": [float("nan")]}, "must list values"),
        ({"minimum": True}, "must be a number"),
        ({"maxLength": -1}, "whole number"),
        ({"multipleOf": 0}, "above 0"),
        ({"then": True}, "without if"),
        ({"anyOf": []}, "must list conditions"),
        ({"not": {"foo": 1}}, "'foo'"),
        ({"pattern": "(?=a)"}, "no look-ahead"),
        ({"pattern": "(?<=a)b"}, "no look-ahead"),
        ({"pattern": "(?i)a"}, "flags do not exist"),
        ({"pattern": r"(a)\1"}, "no references"),
        ({"pattern": r"\p{L}"}, "no such escape"),
        ({"pattern": r"\<a"}, "no such escape"),
        ({"pattern": r"a\Z"}, "no such escape"),
        ({"pattern": "[a&&b]"}, "in a class"),
        ({"pattern": "[[:alpha:]]"}, "in a class"),
        ({"pattern": "a**"}, "nothing to repeat"),
        ({"pattern": "*a"}, "nothing to repeat"),
        ({"pattern": "^*"}, "nothing to repeat"),
        ({"pattern": "(a"}, "cannot be used"),
        ({"pattern": "a{3,1}"}, "cannot be used"),
        ({"pattern": "a{"}, "needs a backslash"),
        ({"pattern": "a" * 20_000}, "at most"),
    ],
)
def test_what_is_no_condition(schema: Any, said: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(said)):
        compile_schema(schema)


def test_a_condition_is_not_nested_without_end() -> None:
    schema: Any = {"type": "string"}
    for _ in range(100):
        schema = {"not": schema}
    with pytest.raises(PolicyError, match="nested"):
        compile_schema(schema)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "^(a|a?)+$", "(.*a){25}$"])
def test_no_pattern_makes_the_check_hang(pattern: str) -> None:
    began = time.perf_counter()
    assert not compile_schema({"pattern": pattern})("a" * 50_000 + "!")
    assert time.perf_counter() - began < 5  # a backtracking engine would need years


PIECES = st.sampled_from(
    ["a", "b", "UK", "é", ".", r"\d", r"\w", r"\s", r"\.", "[a-c]", "[^a]", "(?:a|b)", "(ab|c)"]
)
TIMES = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "+?"])
PATTERNS = st.builds(
    lambda begin, parts, end: begin + "".join(p + t for p, t in parts) + end,
    st.sampled_from(["", "^"]),
    st.lists(st.tuples(PIECES, TIMES), min_size=1, max_size=4),
    st.sampled_from(["", "$"]),
)


@given(PATTERNS, st.text(alphabet="abcUK1 .é\n\u2028", max_size=8))
@settings(max_examples=200, deadline=None)
def test_patterns_mean_what_the_language_says(pattern: str, text: str) -> None:
    wanted = re.search(translated(pattern), text, re.ASCII) is not None
    assert compile_schema({"pattern": pattern})(text) is wanted
    assert valid({"pattern": pattern}, text) is wanted
