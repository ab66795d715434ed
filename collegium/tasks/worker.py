"""The program of a helper process: reads requests as lines of JSON, writes results as such lines.

It is run by its path and imports nothing of this package; see :mod:`collegium.tasks.helper`.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

_MEMORY_BYTES = 6 * 1024**3
"""Address space; what the libraries map without using it takes about a third."""

VIRTUAL_SIZE = 10_000
"""Length that every generated set is created with, since some draw all they need from it at once:
with one length for all, question i does not depend on how many questions are wanted."""

GUARDED = {
    "reasoning_gym.algebra.intermediate_integration": "parse_expr",
    "reasoning_gym.algebra.polynomial_multiplication": "parse_expr",
    "reasoning_gym.algebra.simple_integration": "parse_expr",
    "reasoning_gym.algorithmic.binary_matrix": "eval",
    "reasoning_gym.algorithmic.spiral_matrix": "eval",
    "reasoning_gym.algorithmic.string_insertion": "eval",
    "reasoning_gym.games.countdown": "parse_expr",
    "reasoning_gym.games.n_queens": "eval",
    "reasoning_gym.games.puzzle24": "parse_expr",
}
"""Modules whose verifier evaluates the answer as Python, and with which function."""

_FUNCTIONS = frozenset(
    {"sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot", "sinh", "cosh"}
    | {"tanh", "asinh", "acosh", "atanh", "exp", "log", "ln", "sqrt", "pi", "abs", "factorial"}
)


def harmless(expression: str) -> bool:
    """Say whether evaluating an expression as Python can only compute a number or a formula.

    Allowed is arithmetic with numbers, one-letter symbols and the names of mathematical functions:
    without other names or quotes, nothing can be reached that does more.

    Args:
        expression: What a model wrote.
    """
    if len(expression) > 2000 or not re.fullmatch(r"[\w\s+\-*/^().,!]*", expression, re.ASCII):
        return False
    names = re.findall(r"[^\W\d]\w*", expression)
    return all((len(name) == 1 and name != "_") or name in _FUNCTIONS for name in names)


def guard_verifiers() -> None:
    """Keep the verifiers of reasoning-gym from running code that a model wrote as its answer.

    Those that hope for a list get one only from a Python literal, and those that hope for a
    formula only from what is :func:`harmless`; for anything else they see an exception, which
    they take for a wrong answer.
    """
    import sympy

    parse = sympy.parse_expr

    def careful_parse(expression: str, *args: Any, **options: Any) -> Any:
        if not harmless(expression):
            raise ValueError("not an expression")
        return parse(expression, *args, **options)

    # Some modules look it up in the package, others have imported it.
    sympy.parse_expr = careful_parse
    for name, function in GUARDED.items():
        replacement = ast.literal_eval if function == "eval" else careful_parse
        # A global of this name hides the builtin from the module's functions.
        setattr(sys.modules[name], function, replacement)


def same_mathematics(request: dict[str, Any]) -> bool:
    """Say whether two LaTeX expressions are equal, by math-verify.

    Its own time limits use signals, which this process needs for itself; they are off.
    """
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    ways = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]
    reference, answer = (
        parse(_as_mathematics(request[name]), ways, parsing_timeout=None)  # pyright: ignore[reportArgumentType]
        for name in ("reference", "answer")
    )
    return bool(verify(reference, answer, timeout_seconds=None))


def _as_mathematics(text: str) -> str:
    marked = "$" in text or "\\(" in text or "\\[" in text or "\\boxed" in text
    prose = re.search(r"(?<!\\)\b[A-Za-z]{3,}\s+[A-Za-z]{2,}", text)
    return text if marked or prose else f"${text}$"


@functools.lru_cache(maxsize=8)
def _generated(name: str, seed: int) -> Any:
    import reasoning_gym

    return reasoning_gym.create_dataset(name, seed=seed, size=VIRTUAL_SIZE)


def generator_names(_: dict[str, Any]) -> list[str]:
    """List the generators of reasoning-gym that work without a configuration."""
    from reasoning_gym.factory import DATASETS

    return sorted(set(DATASETS) - {"composite"})


def generate(request: dict[str, Any]) -> list[tuple[str, str]]:
    """Generate the first questions of a set: pairs of question and answer ("" for none)."""
    dataset = _generated(request["generator"], request["seed"])
    entries = (dataset[index] for index in range(request["size"]))
    return [(entry["question"], str(entry["answer"] or "")) for entry in entries]


def verify_answer(request: dict[str, Any]) -> float:
    """Judge an answer to a generated question by the generator's own verifier, in 0..1."""
    dataset = _generated(request["generator"], request["seed"])
    return float(dataset.score_answer(request["answer"], dataset[request["index"]]))


_WORK: dict[str, Callable[[dict[str, Any]], Any]] = {
    "same": same_mathematics,
    "names": generator_names,
    "generate": generate,
    "verify": verify_answer,
}


def main(purpose: str) -> None:
    """Answer requests until the input ends.

    Args:
        purpose: "math" or "generate": which library to load before the first request.
    """
    # Libraries may print; the protocol has the only way out to itself.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    library = {"math": "math_verify", "generate": "reasoning_gym"}[purpose]
    try:
        __import__(library)
    except ImportError:
        _write(out, {"missing": library})
        return
    if purpose == "generate":
        guard_verifiers()
    # Only now: imports may have something to cache.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _write(out, {"result": "ready"})
    for line in sys.stdin:
        request = json.loads(line)
        # Not caught: the default action ends this process, even in the middle of a C function.
        signal.setitimer(signal.ITIMER_REAL, request["seconds"])
        try:
            reply = {"result": _WORK[request["do"]](request)}
        except MemoryError:
            reply = {"error": "it needed too much memory"}
        except Exception as problem:
            reply = {"error": f"{type(problem).__name__}: {problem}"}
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(out, reply)


def _write(out: Any, reply: dict[str, Any]) -> None:
    out.write(json.dumps(reply) + "\n")
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
