"""The formulas say what enforcement does: for random conditions and random values."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from collegium.errors import PolicyError
from collegium.guard.analysis import Satisfiable, Unknown, Unsatisfiable, satisfiable
from collegium.guard.analysis.encode import Encoder, Lengths
from collegium.guard.analysis.regex import Unsupported
from collegium.guard.conditions import compile_schema
from tests.guard.analysis.strategies import patterns, schemas, texts, values

z3 = pytest.importorskip("z3")


def enforced(schema: Any) -> Any:
    """The check of a condition; conditions that are not of the language are passed over."""
    try:
        return compile_schema(schema)
    except PolicyError:
        assume(False)


def modelled(schema: Any, tried: list[Any], lengths: Lengths) -> Iterable[bool]:
    """Whether the formula of a schema is true of each value."""
    encoder = Encoder(z3.Context(), lengths)
    slot = encoder.slot([schema, *({"const": value} for value in tried)])
    solver = z3.Solver(ctx=encoder.context)
    solver.set("timeout", 5000)
    solver.add(*encoder.sound, encoder.holds(schema, slot))
    for value in tried:
        answer = solver.check(encoder.equals(value, slot))
        assert answer != z3.unknown
        yield answer == z3.sat


def agree(schema: Any, tried: list[Any], lengths: Lengths = "languages") -> None:
    accepts = enforced(schema)
    try:
        said = list(modelled(schema, tried, lengths))
    except Unsupported:
        assume(False)
    else:
        assert said == [accepts(value) for value in tried], (schema, tried)


def several(of: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=3, max_size=5)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(schemas, several(values))
@example({"type": "integer"}, [1, 1.0, 1.5, True, "1", None, 2**70])
@example({"enum": [1]}, [1, 1.0, True, [1]])
@example({"enum": [True]}, [1, 1.0, True])
@example({"maximum": 100}, [100, 101, "150", None])
@example({"multipleOf": 0.01}, [0.07, 0.075, 4.35, 1e22, 3])
@example({"not": {"type": "integer"}}, [2, 2.5, "2"])
@example({"not": {"multipleOf": 0.1}}, [0.3, 0.35, 2])
@example({"const": 1e23}, [10**23, 1e23, int(1e23)])
@example({"maximum": 2.0**53}, [2**53, 2**53 + 1, 2.0**53])
@example({"items": {"type": "string"}}, [[], ["a"], ["a", 1], "a"])
@example({"not": {"items": {"const": 0}}}, [[], [0], [0, 0, 1], [0, 0, 0]])
@example({"oneOf": [True, True]}, [None])
@example({"then": False, "if": {"type": "string"}}, ["a", 1])
@example({"additionalProperties": {"items": {"const": 1}}}, [{"a": [1, 2]}, {"a": [1]}, {}])
@example({"required": ["a"], "additionalProperties": {"items": {"const": 1}}}, [{"a": [1, 2]}])
@example({"additionalProperties": False, "properties": {"a": True}}, [{"a": 1}, {"b": 1}, {}])
def test_a_condition_means_what_enforcement_says(schema: Any, tried: list[Any]) -> None:
    agree(schema, tried)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(patterns, several(texts))
@example("^a$", ["a", "a\n", "b\na"])
@example("a$", ["a\n", "b\na"])
@example("^.$", ["\n", "\r", "\x85", "\u2028", "\u2029", "\0", "a"])
@example(r"^\d$", ["1", "٣"])
@example(r"^\w$", ["a", "é", "\u212a", "_", "-"])
@example(r"^\s$", [" ", "\ufeff", "\x85", "\u180e", "\u2003", "\xa0", "\x1c", "\x0b"])
@example(r"^[^\s]$", [" ", "\ufeff", "\x85", "\u180e"])
@example("(^|,)a(,|$)", ["ba", "b,a", "a,b", "a", "ab"])
@example("(a|^)b", ["xb", "b", "ab"])
@example("(?:a^)?b", ["cb", "b"])
@example("(?:^)*a", ["ba"])
@example("^a|b$", ["xb", "ax", "xx"])
@example("^[^a]$", ["\n", "a", "b"])
@example("^..$", ["ab", "é1"])
@example("^[a-f-z]$", ["-", "y", "z"])
@example("a*^b", ["ab", "b", "aab"])
@example("a$b*", ["ab", "a", "ca"])
@example("^(?:^a|b$|c)*$", ["ab", "acb", "a", "b", "ba", "accb", "cc", "aab"])
@example("(?:a|^b|c$)+", ["a", "ba", "xba", "ac", "xc", "cx"])
def test_a_pattern_is_searched_for_as_enforcement_does(pattern: str, tried: list[str]) -> None:
    agree({"pattern": pattern}, tried)


SIZED = st.fixed_dictionaries(
    {"pattern": patterns},
    optional={"minLength": st.integers(0, 4), "maxLength": st.integers(0, 4)},
)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(SIZED, several(texts), st.sampled_from(["languages", "numbers"]))
@example({"minLength": 2, "maxLength": 2}, ["", "é", "é1", "e\u0301", "abc"], "languages")
@example({"minLength": 2, "maxLength": 2}, ["", "é", "é1", "e\u0301", "abc"], "numbers")
def test_lengths_are_in_code_points_either_way(
    schema: Any, tried: list[str], lengths: Lengths
) -> None:
    agree(schema, tried, lengths)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
        {"type": "number", "multipleOf": 0.3, "not": {"multipleOf": 0.1}},
        {"type": "boolean", "not": {"enum": [True, False]}},
        {"not": {"type": ["null", "boolean", "number", "string", "array", "object"]}},
        {"type": "string", "pattern": "^UK[0-9]{20}$", "not": {"minLength": 22, "maxLength": 22}},
        {"type": "string", "pattern": "a$", "not": {"pattern": "a"}},
        {"type": "string", "pattern": "^a$", "minLength": 2},
        {"type": "array", "minItems": 1, "items": False},
        {"items": {"const": 1}, "type": "array", "not": {"items": {"type": "integer"}}},
        {
            "type": "array",
            "maxItems": 1,
            "allOf": [{"not": {"items": {"const": 0}}}, {"not": {"items": {"const": 1}}}],
            "items": {"enum": [0, 1]},
        },
        {"enum": [[1, 2], [2, 1]], "not": {"items": {"enum": [1, 2]}}},
        {
            "type": "object",
            "required": ["a"],
            "additionalProperties": {"type": "array", "items": False, "minItems": 1},
        },
        {"const": {"a": 1, "b": [2]}, "not": {"required": ["a", "b"]}},
        {"if": {"type": "string"}, "then": False, "else": False},
        {"oneOf": [{"type": "integer"}, {"type": "number", "multipleOf": 1}]},
    ],
)
def test_what_cannot_be_is_proved(schema: Any) -> None:
    if "oneOf" in schema:
        schema = {"allOf": [schema, {"type": "number"}]}
    assert satisfiable(schema) == Unsatisfiable()


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"pattern": r"\ba"}, r"\b"),
        ({"pattern": "^(?=a)"}, "regex"),
        ({"pattern": "^a{4001}$"}, "repetitions"),
        ({"pattern": "(?:^a){9}"}, "repetitions of an anchor"),
        ({"pattern": "[\U0001f600-\U0001f64f]"}, None),
        ({"pattern": "[\U00030000-\U00030001]"}, "U+2FFFF"),
        ({"const": "\U00030000"}, "U+2FFFF"),
        ({"uniqueItems": True}, "uniqueItems"),
        ({"minimum": "1"}, "cannot be used"),
        ({"type": "number", "exclusiveMinimum": 0.1, "exclusiveMaximum": 0.10000000000000002},
         "written as JSON"),
    ],
)  # fmt: skip
def test_what_is_not_expressed_is_unknown_with_its_reason(schema: Any, reason: str | None) -> None:
    verdict = satisfiable(schema)
    if reason is None:
        assert isinstance(verdict, Satisfiable)
    else:
        assert isinstance(verdict, Unknown)
        assert reason in verdict.reason


def test_questions_in_several_threads_at_once() -> None:
    questions = [{"type": "string", "pattern": f"^a{{{n}}}$"} for n in range(1, 17)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(satisfiable, questions))
    assert found == [Satisfiable("a" * n) for n in range(1, 17)]


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(schemas, several(values))
def test_what_is_proved_impossible_never_happens(schema: Any, tried: list[Any]) -> None:
    accepts = enforced(schema)
    verdict = satisfiable(schema)
    if isinstance(verdict, Satisfiable):
        assert accepts(verdict.witness)
    elif isinstance(verdict, Unsatisfiable):
        assert not any(accepts(value) for value in tried)
