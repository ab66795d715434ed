"""The epidemic's day in torch, on a GPU where there is one.

Every draw is the number that the compiled loops draw: Philox in 64-bit integers. Sums over contacts
and exponentials are in 64-bit floats, as there; their last bit may differ, because a device adds
and rounds in its own way. So a draw comes out differently only if a probability lies within that of
its lot, about one in 10^15 draws, and the curves are the same for all that can be observed; the
limits are those of the tests: equal stages of all agents on the populations that are run there.

Columns go to the device at the beginning of a part and come back at its end, a byte per agent;
edges stay there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from collegium.errors import BadInput
from collegium.society.covid import disease
from collegium.society.covid.gradient import torch
from collegium.society.network import Layer
from collegium.society.state import Array, Table

if TYPE_CHECKING:
    from torch import Tensor

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = 0xFFFFFFFF

KEPT = 16
"""Layers whose edges stay on the device."""


def chosen(device: str) -> str | None:
    """The device of a name; None where "auto" finds no GPU.

    Raises:
        BadInput: There is no such device.
        MissingExtra: torch is not installed.
    """
    if device == "auto":
        try:
            return "cuda" if torch().cuda.is_available() else None
        except ImportError:
            return None
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise BadInput(f"a device is cpu, cuda, cuda:NUMBER or auto, not {device!r}.")
    t = torch()
    if kind == "cuda" and not t.cuda.is_available():
        raise BadInput("torch finds no GPU here; leave out --device, or take cpu or auto.")
    return device


def uniforms_on(device: str, key: Array, step: int, ids: Tensor, number: int = 0) -> Tensor:
    """The numbers in [0, 1) that :func:`collegium.society.chance.uniform` draws, on a device.

    Args:
        device: Where.
        key: Two words (see :func:`collegium.society.chance.key_of`).
        step: Which step.
        ids: Which agents, as 64-bit integers there.
        number: Which of their draws.
    """
    t = torch()
    c0, c1 = ids & _LOW, ids >> 32
    c2 = t.full_like(ids, step & _LOW)
    c3 = t.full_like(ids, number & _LOW)
    k0, k1 = int(key[0]), int(key[1])
    for _ in range(10):
        # products of 32-bit words wrap round in 64 bits with a sign; the bits are the same
        first, second = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (
            ((second >> 32) & _LOW) ^ c1 ^ k0,
            second & _LOW,
            ((first >> 32) & _LOW) ^ c3 ^ k1,
            first & _LOW,
        )
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return ((c0 << 21) ^ (c1 >> 11)).to(t.float64) * 2.0**-53


class Device:
    """Computes the parts of a day with torch.

    Args:
        name: The device.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        by_code = disease.infectivity_by_code(disease.infectivity_by_day())
        self._by_code = self._put(by_code)
        self._code = self._pressure = self._put(np.zeros(0))
        self._ids: tuple[Array | None, Any] = (None, None)
        self._layers: dict[int, tuple[Layer, Any, Any]] = {}

    def isolate(
        self, agents: Table, ids: Array, group: Array, p: Array, scale: Array, shift: Array,
        key: Array, step: int,
    ) -> None:  # fmt: skip
        """Draw who isolates."""
        age = self._put(agents["age"]).long()
        chance = self._put(scale)[age] * self._put(p)[self._put(group.astype(np.int64))]
        chance += self._put(shift)[age]
        drawn = self._lots(ids, key, step) < chance
        agents["isolates"][:] = drawn.to(torch().uint8).cpu().numpy()

    def advance(
        self, agents: Table, ids: Array, days: tuple[float, float], fatality: float, key: Array,
        step: int, ghosts: int,
    ) -> tuple[int, int, int]:  # fmt: skip
        """One day of illness."""
        t = torch()
        n = len(agents)
        if len(self._code) != n + ghosts:
            self._code = t.zeros(n + ghosts, dtype=t.uint8, device=self.name)
            self._pressure = t.zeros(n, dtype=t.float32, device=self.name)
        stage, day = self._put(agents["stage"]), self._put(agents["day"])
        exposed, infected = days
        sick = (stage == disease.E) | (stage == disease.I)
        day = day + (sick & (day < disease.DAYS - 1)).to(t.uint8)
        becoming = (stage == disease.E) & (day >= exposed)
        stage = t.where(becoming, disease.I, stage)
        leaving = (stage == disease.I) & (day >= exposed + infected)
        dying = leaving & (self._lots(ids, key, step) < fatality)
        code = t.where(stage == disease.E, day + 1, day + 128)
        code = t.where(sick & ~leaving, code, 0).to(t.uint8)
        stage = t.where(leaving, disease.R, stage)
        stage = t.where(dying, disease.M, stage).to(t.uint8)
        self._code[:n] = code
        agents["stage"][:], agents["day"][:] = stage.cpu().numpy(), day.cpu().numpy()
        return int(becoming.sum()), int(leaving.sum()), int(dying.sum())

    def codes(self) -> Array:
        """What each agent infects with today."""
        return self._code.cpu().numpy()

    def see(self, ghosts: Array) -> None:
        """Learn what the agents of other shards infect with today."""
        if len(ghosts):
            self._code[-len(ghosts) :] = self._put(ghosts)

    def gather(self, agents: Table, layer: Layer) -> None:
        """Add up a layer."""
        t = torch()
        starts, others = self._edges(layer)
        given = self._by_code[self._code[others].long()]
        total = t.segment_reduce(given, "sum", offsets=starts, initial=0, unsafe=True)
        susceptible = self._put(agents["stage"]) == disease.S
        added = t.where(susceptible, layer.factor * total, 0.0)
        # as the loops do: what is there in 32 bits and the sum in 64, kept in 32 again
        self._pressure = (self._pressure.to(t.float64) + added).to(t.float32)

    def infect(
        self, agents: Table, ids: Array, susceptibility: Array, effect: float, imported: float,
        key: Array, step: int,
    ) -> int:  # fmt: skip
        """Draw who catches the disease."""
        t = torch()
        stage, age = self._put(agents["stage"]), self._put(agents["age"]).long()
        pressure = self._pressure.to(t.float64)
        p = 1.0 - t.exp(-self._put(susceptibility)[age] * pressure)
        p = p * (1.0 - effect * self._put(agents["isolates"]).to(t.float64))
        p = 1.0 - (1.0 - p) * (1.0 - imported)
        at_risk = (stage == disease.S) & ((pressure != 0) | (imported != 0))
        caught = at_risk & (self._lots(ids, key, step) < p)
        self._pressure.zero_()
        new = caught.cpu().numpy()
        agents["stage"][new], agents["day"][new] = disease.E, 0
        return int(new.sum())

    def _put(self, values: Array) -> Any:
        return torch().from_numpy(np.ascontiguousarray(values)).to(self.name)

    def _lots(self, ids: Array, key: Array, step: int) -> Any:
        if self._ids[0] is not ids:
            self._ids = (ids, self._put(ids.astype(np.int64)))
        return uniforms_on(self.name, key, step, self._ids[1])

    def _edges(self, layer: Layer) -> tuple[Any, Any]:
        """The rows of a layer on the device; a layer that counts differently has the same."""
        known = self._layers.get(id(layer.others))
        if known is None:
            if len(self._layers) >= KEPT:
                self._layers.clear()
            starts = self._put(layer.starts.astype(np.int64))
            known = (layer, starts, self._put(layer.others))
            self._layers[id(layer.others)] = known
        return known[1], known[2]
