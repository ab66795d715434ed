"""What computes a day of the epidemic: compiled loops on all threads, or torch on a device.

Both take and fill the columns of a society, draw the same numbers for the same agents, and keep to
themselves what lasts a day: the byte that says what each agent infects with, and the pressure.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from collegium.society.compiled import spread
from collegium.society.covid import disease
from collegium.society.network import Layer
from collegium.society.state import Array, Table


class Processor(Protocol):
    """Computes the parts of a day."""

    def isolate(
        self, agents: Table, ids: Array, group: Array, p: Array, scale: Array, shift: Array,
        key: Array, step: int,
    ) -> None:  # fmt: skip
        """Draw who isolates, from the probability of each agent's group, aligned for its age."""
        ...

    def advance(
        self, agents: Table, ids: Array, days: tuple[float, float], fatality: float, key: Array,
        step: int, ghosts: int,
    ) -> tuple[int, int, int]:  # fmt: skip
        """One day of illness; how many became infectious, left stage I, and died.

        Args:
            agents: Their columns.
            ids: Number of each in the whole society.
            days: Days in stage E and in stage I.
            fatality: M.
            key: Of the draws.
            step: The day.
            ghosts: Agents of other shards that are in contact with these.
        """
        ...

    def codes(self) -> Array:
        """What each agent infects with today, as one byte; those of other shards come last."""
        ...

    def see(self, ghosts: Array) -> None:
        """Learn what the agents of other shards infect with today."""
        ...

    def gather(self, agents: Table, layer: Layer) -> None:
        """Add the infectivity of a layer's contacts to the pressure."""
        ...

    def infect(
        self, agents: Table, ids: Array, susceptibility: Array, effect: float, imported: float,
        key: Array, step: int,
    ) -> int:  # fmt: skip
        """Draw who catches the disease; how many did."""
        ...


class Threads:
    """Compiled loops on all threads."""

    def __init__(self) -> None:
        self._by_code = disease.infectivity_by_code(disease.infectivity_by_day())
        self._code, self._pressure = np.zeros(0, np.uint8), np.zeros(0, np.float32)

    def isolate(
        self, agents: Table, ids: Array, group: Array, p: Array, scale: Array, shift: Array,
        key: Array, step: int,
    ) -> None:  # fmt: skip
        """Draw who isolates."""
        spread(
            disease.draw_by_group, len(agents), key, step, ids, group, p, agents["age"],
            scale, shift, agents["isolates"],
        )  # fmt: skip

    def advance(
        self, agents: Table, ids: Array, days: tuple[float, float], fatality: float, key: Array,
        step: int, ghosts: int,
    ) -> tuple[int, int, int]:  # fmt: skip
        """One day of illness."""
        n = len(agents)
        if len(self._code) != n + ghosts:
            self._code, self._pressure = np.zeros(n + ghosts, np.uint8), np.zeros(n, np.float32)
        exposed, infected = days
        outcomes = spread(
            disease.advance, n, agents["stage"], agents["day"], self._code, exposed, infected,
            fatality, key, step, ids,
        )  # fmt: skip
        became, left, died = (int(sum(o[k] for o in outcomes)) for k in range(3))
        return became, left, died

    def codes(self) -> Array:
        """What each agent infects with today."""
        return self._code

    def see(self, ghosts: Array) -> None:
        """Learn what the agents of other shards infect with today."""
        self._code[len(self._code) - len(ghosts) :] = ghosts

    def gather(self, agents: Table, layer: Layer) -> None:
        """Add up a layer."""
        spread(
            disease.gather, len(agents), layer.starts, layer.others, layer.factor, self._code,
            self._by_code, agents["stage"], self._pressure,
        )  # fmt: skip

    def infect(
        self, agents: Table, ids: Array, susceptibility: Array, effect: float, imported: float,
        key: Array, step: int,
    ) -> int:  # fmt: skip
        """Draw who catches the disease."""
        caught = spread(
            disease.infect, len(agents), agents["stage"], agents["day"], self._pressure,
            agents["age"], susceptibility, agents["isolates"], effect, imported, key, step, ids,
        )  # fmt: skip
        return int(sum(caught))


def processor(device: str = "") -> Processor:
    """What computes the epidemic.

    Args:
        device: "" for compiled loops; "cpu", "cuda" (or "cuda:1") for torch there; "auto" for
            torch on a GPU where there is one, and compiled loops elsewhere.

    Raises:
        BadInput: There is no such device.
        MissingExtra: torch is not installed.
    """
    if not device:
        return Threads()
    from collegium.society.covid.device import Device, chosen

    found: Any = chosen(device)
    return Threads() if found is None else Device(found)
