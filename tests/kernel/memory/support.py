"""An embedder whose vectors are known, and short ways to remember and recall."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from collegium.kernel.memory import Memory
from collegium.kernel.resources import Forget, Note, Recall, Remember


class Angles:
    """Texts that begin with a number become the unit vector at so many degrees."""

    dimensions = 2

    def __init__(self, name: str = "angles") -> None:
        self.name = name
        self.batches: list[int] = []

    async def embed(self, texts: Sequence[str]) -> Any:
        await asyncio.sleep(0)
        self.batches.append(len(texts))
        angles = np.radians([float(t.split()[0]) for t in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


async def remember(memory: Memory, text: str, agent: str = "x", **fields: Any) -> str:
    return await memory.drivers[Remember](Remember(agent=agent, text=text, **fields))


async def recall(memory: Memory, query: str = "", agent: str = "x", **fields: Any) -> list[Note]:
    return list(await memory.drivers[Recall](Recall(agent=agent, query=query, **fields)))


async def forget(memory: Memory, note: str, agent: str = "x", **fields: Any) -> bool:
    return await memory.drivers[Forget](Forget(agent=agent, note=note, **fields))


def texts(notes: Sequence[Note]) -> list[str]:
    return [n.text for n in notes]
