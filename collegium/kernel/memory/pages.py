"""Large pages for large arrays that are read here and there.

A search in a graph of a million vectors reads a thousand of them, each in another place. With pages
of 4 KiB the processor first has to look up where each lies, mostly in memory too. Linux gathers
what lies in such pages into those of 2 MiB when it is asked to (``MADV_COLLAPSE``, Linux 6.1);
elsewhere, and where it has no such page free, everything stays as it is.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from functools import cache

PAGE = 1 << 21
"""Bytes of a large page."""

_COLLAPSE = 25


def gather(address: int, size: int) -> threading.Thread | None:
    """Have a range of this process's memory gathered, in a thread: it takes seconds per gigabyte.

    Nothing it holds changes, and what was freed meanwhile does no harm.

    Args:
        address: Where it begins.
        size: In bytes; pages that it does not fill are left alone.

    Returns:
        The thread that does it; None where it cannot be done.
    """
    first, end = -(-address // PAGE) * PAGE, (address + size) // PAGE * PAGE
    advise = _madvise()
    if advise is None or end <= first:
        return None
    thread = threading.Thread(
        target=advise, args=(first, end - first, _COLLAPSE), name="collegium-pages", daemon=True
    )
    thread.start()
    return thread


@cache
def _madvise() -> Callable[[int, int, int], int] | None:
    """The system's function; None where there is none of these meanings."""
    if not sys.platform.startswith("linux"):
        return None
    function = ctypes.CDLL(None).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function


class Gathered:
    """Has an array that grows gathered, again and again: when it moved, or grew by a sixteenth.

    Args:
        least: Bytes it must have: smaller ones stay in the processor's caches anyway.
    """

    def __init__(self, least: int = 1 << 25) -> None:
        self._least = least
        self._address = self._size = 0

    def look(self, address: int, size: int) -> None:
        """Look at where the array lies now."""
        moved = address != self._address
        if size >= self._least and (moved or size > self._size + self._size // 16):
            self._address, self._size = address, size
            gather(address, size)
