"""Relations between rows (who follows whom, who liked what) that change at any moment.

Pairs lie in a table in the order they were made; a hash table finds the row of a pair, and a chain
through the rows finds all pairs of one side. So making, undoing and asking cost the same among ten
million pairs as among ten, and nothing is ever sorted or scanned.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from collegium.society.compiled import compiled
from collegium.society.state import Array, State, Table

COLUMNS = {
    "left": np.int32,
    "right": np.int32,
    "value": np.int8,
    "step": np.int32,
    "next": np.int32,
}

_EMPTY = -1


@compiled
def _slot(keys: Any, key: Any) -> Any:
    """Where a key is, or the empty place where it would go."""
    mask = len(keys) - 1
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    at = np.int64(mixed >> np.uint64(20)) & mask
    while keys[at] != _EMPTY and keys[at] != key:
        at = (at + 1) & mask
    return at


@compiled
def _index(keys: Any, rows: Any, left: Any, right: Any, first: int, last: int) -> None:
    for row in range(first, last):
        key = (np.int64(left[row]) << 32) | np.int64(right[row])
        at = _slot(keys, key)
        keys[at] = key
        rows[at] = row


@compiled
def _assign(
    keys: Any,
    rows: Any,
    left: Any,
    right: Any,
    value: Any,
    step: Any,
    chain: Any,
    head: Any,
    used: int,
    lefts: Any,
    rights: Any,
    wanted: Any,
    now: int,
    before: Any,
) -> int:
    """Give pairs their values, one after the other; returns how many rows are used then."""
    for i in range(len(lefts)):
        key = (np.int64(lefts[i]) << 32) | np.int64(rights[i])
        at = _slot(keys, key)
        if keys[at] == _EMPTY:
            before[i] = 0
            if wanted[i] == 0:
                continue
            keys[at] = key
            rows[at] = used
            left[used], right[used] = lefts[i], rights[i]
            value[used], step[used] = wanted[i], now
            chain[used] = head[lefts[i]]
            head[lefts[i]] = used
            used += 1
        else:
            row = rows[at]
            before[i] = value[row]
            if value[row] != wanted[i]:
                value[row], step[row] = wanted[i], now
    return used


@compiled
def look_up(keys: Any, rows: Any, value: Any, left: int, right: int) -> Any:
    """The value of a pair; 0 when there is none."""
    at = _slot(keys, (np.int64(left) << 32) | np.int64(right))
    return 0 if keys[at] == _EMPTY else value[rows[at]]


@compiled
def _look_up_all(keys: Any, rows: Any, value: Any, lefts: Any, rights: Any, out: Any) -> None:
    for i in range(len(lefts)):
        out[i] = look_up(keys, rows, value, lefts[i], rights[i])


class Relation:
    """One relation of a state.

    Args:
        state: Where its table is, or is made.
        name: Name of the table; the column ``first name`` of the left side's table begins chains.
        side: The table on its left.
    """

    def __init__(self, state: State, name: str, side: str = "agent") -> None:
        if name not in state.tables:
            state.tables[name] = Table({k: np.zeros(0, v) for k, v in COLUMNS.items()})
        self.table, self._side, self._first = (
            state.tables[name],
            state.tables[side],
            f"first {name}",
        )
        if self._first not in self._side:
            self._side[self._first] = np.full(len(self._side), -1, np.int32)
        self.keys, self.rows = np.zeros(0, np.int64), np.zeros(0, np.int32)
        self._rebuild(len(self.table))

    @property
    def head(self) -> Array:
        """First row of each left's chain; -1: it has none."""
        return self._side[self._first]

    def assign(self, lefts: Array, rights: Array, values: Array | int, step: int) -> Array:
        """Give pairs values, in order; 0 undoes.

        Args:
            lefts: Left of each pair.
            rights: Right of each pair.
            values: What each is to be, or all are.
            step: When.

        Returns:
            What each pair was before, those earlier in the same list included.
        """
        count, used = len(lefts), len(self.table)
        wanted = np.full(count, values, np.int8) if np.isscalar(values) else values
        if 10 * (used + count) > 7 * len(self.keys):
            self._rebuild(used + count)
        before = np.empty(count, np.int8)
        self.table.append(count)
        columns = [self.table[name] for name in ("left", "right", "value", "step", "next")]
        after = _assign(
            self.keys, self.rows, *columns, self.head, used,
            np.ascontiguousarray(lefts, np.int32), np.ascontiguousarray(rights, np.int32),
            np.ascontiguousarray(wanted, np.int8), step, before,
        )  # fmt: skip
        self.table.shorten(after)
        return before

    def value(self, lefts: Array, rights: Array) -> Array:
        """The values of pairs; 0 for those that there are not."""
        out = np.zeros(len(lefts), np.int8)
        _look_up_all(self.keys, self.rows, self.table["value"], lefts, rights, out)
        return out

    def of(self, left: int) -> Array:
        """The rights that one left is paired with now, newest first."""
        rights, at = [], int(self.head[left])
        right, value, chain = (self.table[c] for c in ("right", "value", "next"))
        while at >= 0:
            if value[at]:
                rights.append(int(right[at]))
            at = int(chain[at])
        return np.array(rights, np.int64)

    def _rebuild(self, room: int) -> None:
        """A larger hash table, filled again."""
        size = 1 << max(4, int(2 * room - 1).bit_length())
        self.keys, self.rows = np.full(size, _EMPTY, np.int64), np.zeros(size, np.int32)
        _index(self.keys, self.rows, self.table["left"], self.table["right"], 0, len(self.table))
