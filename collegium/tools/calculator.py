"""A calculator: arithmetic on an expression's syntax tree, nothing else."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from collegium.errors import BadInput
from collegium.kernel import tool

MOST_DIGITS = 400
"""Whole numbers may get this long: a power tower must not eat the machine."""

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": math.sqrt,
    "abs": abs,
    "round": round,
    "min": min,
    "max": max,
    "floor": math.floor,
    "ceil": math.ceil,
}
_SIGNS = str.maketrans({"×": "*", "÷": "/", "−": "-", "^": "**", "$": ""})
_FAULTS = (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError)


def calculate(expression: str) -> float | int:
    """The value of an arithmetic expression.

    Args:
        expression: Numbers, + - * / // % ** ( ), and sqrt, abs, round, min, max, floor, ceil.

    Raises:
        BadInput: It is no such expression, or has no value.
    """
    text = expression.translate(_SIGNS).strip()
    try:
        value = _value(ast.parse(text, mode="eval").body)
    except _FAULTS as error:
        reason = str(error).partition("(")[0].strip() or type(error).__name__
        raise BadInput(f"{expression[:80]!r} cannot be calculated: {reason}.") from None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value) if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case ast.UnaryOp(op, operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand))
        case ast.BinOp(left, op, right) if type(op) in _BINARY:
            a, b = _value(left), _value(right)
            if isinstance(op, ast.Pow):
                _bounded(a, b)
            return _checked(_BINARY[type(op)](a, b))
        case ast.Call(ast.Name(name), args, []) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*map(_value, args))
    raise ValueError("only numbers and arithmetic are understood")


def _bounded(base: Any, exponent: Any) -> None:
    """A power must not get too long to be written."""
    if base and abs(exponent) * math.log10(abs(base) + 1) > MOST_DIGITS:
        raise ValueError("the result is too large")


def _checked(value: Any) -> Any:
    if isinstance(value, complex):
        raise ValueError("the result is not a real number")
    if isinstance(value, int) and value.bit_length() > 4 * MOST_DIGITS:
        raise ValueError("the result is too large")
    return value


@tool(pure=True)
def calculator(expression: str) -> float | int:
    """Calculates an arithmetic expression, such as (12 + 5) * 3 / 2."""
    return calculate(expression)
