"""Generated questions: reasoning-gym, whose generators draw from a seed and verify answers."""

from __future__ import annotations

import functools
from importlib.util import find_spec

from collegium.errors import BadInput, missing_extra, unknown_name
from collegium.tasks.helper import GENERATOR, HelperError
from collegium.tasks.question import Question

DEFAULT_SIZE = 100
"""How many questions a generated set has when no limit is given."""

LARGEST_SIZE = 10_000

SEEDS = 2**30
"""Seeds of one split lie below this; the splits' streams lie this far apart."""

_STREAM = {"test": 0, "validation": SEEDS, "train": 2 * SEEDS}

_NUMERIC = frozenset(
    {
        "aiw",
        "basic_arithmetic",
        "binary_alternation",
        "chain_sum",
        "circuit_logic",
        "coin_flip",
        "count_bits",
        "count_primes",
        "decimal_arithmetic",
        "decimal_chain_sum",
        "gcd",
        "gsm_symbolic",
        "largest_island",
        "lcm",
        "leg_counting",
        "letter_counting",
        "maze",
        "number_format",
        "number_sequence",
        "products",
        "rectangle_count",
        "rotten_oranges",
        "self_reference",
        "simple_equations",
        "simple_geometry",
    }
)
"""Generators all of whose answers are plain numbers; the others' answers are texts."""

_GENERATE_SECONDS = 600.0


def installed() -> bool:
    """Say whether reasoning-gym is there, without loading it."""
    return find_spec("reasoning_gym") is not None


@functools.cache
def generators() -> tuple[str, ...]:
    """List the generators by name.

    Raises:
        MissingExtra: reasoning-gym is not installed.
    """
    if not installed():
        raise missing_extra("tasks", "reasoning-gym")
    return tuple(GENERATOR.ask({"do": "names"}, seconds=60))


def generate(generator: str, split: str, *, seed: int | None, limit: int | None) -> list[Question]:
    """Generate questions.

    Question i depends on generator, split and seed only, and not on how many are wanted. Most
    generators draw it from seed + i, so nearby seeds share questions; the splits never do, since
    their streams lie 2**30 seeds apart (two streams can still happen to draw the same question).

    Args:
        generator: Its name in reasoning-gym.
        split: "test", "validation" or "train".
        seed: The generator's seed; None is 0.
        limit: How many questions; None means 100.

    Returns:
        The questions, each of which can be judged by the generator's verifier.

    Raises:
        UnknownName: There is no such generator.
        BadInput: The seed or the number of questions is out of range, or the generator failed.
        MissingExtra: reasoning-gym is not installed.
    """
    if generator not in generators():
        raise unknown_name("reasoning-gym generator", generator, generators())
    seed, size = seed or 0, DEFAULT_SIZE if limit is None else limit
    if not 0 <= seed < SEEDS - LARGEST_SIZE:
        raise BadInput(f"the seed of a generated set must be in 0..{SEEDS - LARGEST_SIZE - 1}.")
    if size > LARGEST_SIZE:
        raise BadInput(f"a generated set has at most {LARGEST_SIZE} questions, not {size}.")
    seed += _STREAM[split]
    request = {"do": "generate", "generator": generator, "seed": seed, "size": size}
    try:
        pairs = GENERATOR.ask(request, seconds=_GENERATE_SECONDS)
    except HelperError as problem:
        raise BadInput(f"reasoning-gym could not generate {generator!r}: {problem}.") from problem
    return [
        Question(
            id=f"{generator}/{seed}/{index}",
            prompt=prompt,
            kind="number" if generator in _NUMERIC else "text",
            reference=reference,
            generated=(generator, seed, index),
        )
        for index, (prompt, reference) in enumerate(pairs)
    ]
