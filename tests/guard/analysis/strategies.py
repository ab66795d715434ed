"""Random conditions of the policy language, and random values that lie near them."""

from typing import Any

from hypothesis import strategies as st

LETTERS = "ab1_-é \n\r\ufeff\u2028A@.]&"
numbers = st.one_of(
    st.integers(-6, 6),
    st.integers(-60, 60).map(lambda n: n / 10),
    st.integers(-600, 600).map(lambda n: n / 100),
    st.sampled_from([2**53, 2**53 + 1, 2.0**53, 10**23, 1e23, -0.0, 0.1 + 0.2, 1e300]),
)
texts = st.text(LETTERS, max_size=6) | st.text(max_size=3).filter(
    lambda s: not any(0xD800 <= ord(c) <= 0xDFFF for c in s)
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)


def _quantified(inner: Any) -> Any:
    marks = st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?", "??", "{0}"])
    return st.builds(lambda p, m: f"(?:{p}){m}", inner, marks)


_member = st.sampled_from(
    ["a", "b", "a-z", "0-9", r"\d", r"\w", r"\s", r"\D", r"\S", "é", r"\]", r"\-", ".", "$",
     "A-Z", r"\n", r"\x41", r"\u00e9", "&", "~", "@", r"\.", "!-/", r"\x00-\x1f", "+"]
)  # fmt: skip
_classes = st.builds(
    lambda n, m, dash: f"[{n}{''.join(m)}{dash}]",
    st.sampled_from(["", "^"]),
    st.lists(_member, min_size=1, max_size=3),
    st.sampled_from(["", "", "-"]),
)
_atoms = st.one_of(
    st.sampled_from(list("ab1_-é@A \n&~#")),
    st.sampled_from([".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\.", r"\@", r"\]", r"\n"]),
    st.sampled_from(
        [r"\x61", r"\u0061", r"\t", r"\f", r"\-", r"\{", r"\$", "^", "$", "", "^", "$"]
    ),
    _classes,
)
patterns = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.builds(lambda a, b: f"(?:{a}|{b})", inner, inner),
        st.builds(lambda a: f"({a})", inner),
        _quantified(inner),
    ),
    max_leaves=6,
).flatmap(lambda p: st.sampled_from([p, f"^{p}", f"{p}$", f"^{p}$", f"^({p})$"]))

_counts = st.integers(0, 3)
_leaves = st.one_of(
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["string", "number", "integer", "boolean", "array", "object", "null"]
            )
            | st.sampled_from([["string", "null"], ["integer", "string"], ["number", "array"]]),
        },
    ),
    st.fixed_dictionaries({"pattern": patterns}),
    st.fixed_dictionaries({}, optional={"minLength": _counts, "maxLength": _counts}),
    st.fixed_dictionaries({}, optional={"minItems": _counts, "maxItems": _counts}),
    st.fixed_dictionaries(
        {},
        optional={
            "minimum": numbers,
            "maximum": numbers,
            "exclusiveMinimum": numbers,
            "exclusiveMaximum": numbers,
            "multipleOf": st.sampled_from([1, 2, 3, 0.1, 0.5, 0.25, 0.01, 1.5, 2.0]),
        },
    ),
    st.fixed_dictionaries({"enum": st.lists(values, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"const": values}),
    st.fixed_dictionaries({"required": st.lists(st.sampled_from("ab"), max_size=2)}),
)


def _combined(inner: Any) -> Any:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"anyOf": several}),
        st.fixed_dictionaries({"allOf": several}),
        st.fixed_dictionaries({"oneOf": several}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"if": inner}, optional={"then": inner, "else": inner}),
        st.fixed_dictionaries({"items": inner}, optional={"minItems": _counts}),
        st.fixed_dictionaries(
            {"properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2)},
            optional={"additionalProperties": inner},
        ),
        st.builds(lambda a, b: {**a, **b}, *[inner.map(_as_dict)] * 2),
    )


def _as_dict(schema: Any) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else ({} if schema else {"not": {}})


schemas = st.recursive(_leaves, _combined, max_leaves=5)
