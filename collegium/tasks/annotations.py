"""Reads the calculator annotations of GSM8K solutions, and computes them with other numbers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import msgspec

from collegium.tasks.number import parse_number

_ANNOTATION = re.compile(r"<<([^<>]*)>>")
_ARITHMETIC = re.compile(r"[\d+\-*/(). ]+")
_LONGEST = 200
"""Characters of an annotation that are read; real ones are much shorter."""


class Annotation(msgspec.Struct, frozen=True):
    """One calculation of a solution.

    Attributes:
        tree: Its left side.
        leaves: The numbers of its left side, in order.
        value: Its right side.
    """

    tree: Any
    leaves: tuple[Fraction, ...]
    value: Fraction


def annotated(solution: str) -> tuple[Annotation, ...]:
    """Read the annotations of a solution.

    Args:
        solution: A solution as GSM8K has it, with ``<<16-3-4=9>>``.

    Returns:
        Its calculations in order; none at all when one of them cannot be read.
    """
    found = []
    for text in _ANNOTATION.findall(solution):
        left, equals, right = text.rpartition("=")
        value = parse_number(right)
        if not equals or value is None or not _ARITHMETIC.fullmatch(left) or len(left) > _LONGEST:
            return ()
        try:
            tree = ast.parse(left.strip(), mode="eval").body
            leaves = tuple(_leaves(tree))
        except (SyntaxError, ValueError):
            return ()
        found.append(Annotation(tree, leaves, value))
    return tuple(found)


def unannotated(solution: str) -> bool:
    """Whether a solution has more equations than annotations: a step that cannot be recomputed."""
    outside = _ANNOTATION.sub("", solution)
    return outside.count("=") > len(_ANNOTATION.findall(solution))


def quantities(step: Annotation, leaves: Sequence[Fraction]) -> list[Fraction] | None:
    """Compute a calculation with other numbers.

    Args:
        step: The calculation.
        leaves: What stands in the place of its numbers, in order.

    Returns:
        Every quantity on the way, its numbers among them, the result last; None where it divides
        by zero.
    """
    rest = iter(leaves)
    found: list[Fraction] = []
    try:
        _compute(step.tree, rest, found)
    except ZeroDivisionError:
        return None
    return found


def _leaves(tree: ast.expr) -> Iterator[Fraction]:
    match tree:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
            yield from _leaves(left)
            yield from _leaves(right)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            yield from _leaves(operand)
        case ast.Constant(value=int() | float() as number):
            # The shortest decimal that gives a float is the one that was written.
            yield Fraction(str(number))
        case _:
            raise ValueError("no arithmetic")


def _compute(tree: ast.expr, leaves: Iterator[Fraction], found: list[Fraction]) -> Fraction:
    match tree:
        case ast.BinOp(left=left, op=operation, right=right):
            a, b = _compute(left, leaves, found), _compute(right, leaves, found)
            match operation:
                case ast.Add():
                    value = a + b
                case ast.Sub():
                    value = a - b
                case ast.Mult():
                    value = a * b
                case _:
                    value = a / b
        case ast.UnaryOp(op=operation, operand=operand):
            value = _compute(operand, leaves, found)
            value = -value if isinstance(operation, ast.USub) else value
        case _:
            value = next(leaves)
    found.append(value)
    return value
