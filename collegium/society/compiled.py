"""Loops compiled to machine code, and how they share the processor's cores.

A kernel is a plain function ``f(first, last, ...)`` over a range of rows. It is compiled once
(numba), gives up the interpreter lock, and writes to its own rows alone; so a range can be cut
anywhere and its parts run at the same time, with the same result for any number of threads.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

from collegium.errors import BadInput, missing_extra

SMALL = 20_000
"""Rows below which handing work to threads costs more than it saves."""

PARTS = 4
"""Parts per thread: some rows take longer than others."""

_threads: list[int] = [0]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of numbers and arrays; others like it may call it.

    Raises:
        MissingExtra: numba is not installed.
    """
    try:
        from numba import njit
    except ImportError:
        raise missing_extra("society", "simulating societies") from None
    return njit(nogil=True, cache=True, error_model="numpy")(function)


def threads() -> int:
    """How many threads share the work."""
    if _threads[0]:
        return _threads[0]
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """Share the work among so many threads for a while.

    Raises:
        BadInput: The number is below 1.
    """
    if count < 1:
        raise BadInput(f"work needs at least one thread, not {count}.")
    before, _threads[0] = _threads[0], count
    try:
        yield
    finally:
        _threads[0] = before


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="society")


def spread(kernel: Callable[..., Any], rows: int, *arguments: Any) -> list[Any]:
    """Run a kernel over all rows, in parts on all threads.

    Args:
        kernel: Called as ``kernel(first, last, *arguments)``.
        rows: How many rows there are.
        arguments: What it needs besides.

    Returns:
        What each part returned, in the order of rows.
    """
    count = threads()
    if count == 1 or rows < SMALL:
        return [kernel(0, rows, *arguments)]
    parts = count * PARTS
    cuts = [rows * i // parts for i in range(parts + 1)]
    futures = [
        _pool(count).submit(kernel, first, last, *arguments)
        for first, last in itertools.pairwise(cuts)
    ]
    return [future.result() for future in futures]
