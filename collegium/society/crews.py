"""The workers of a run in shards: here, one after the other, or as actors of Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from collegium.errors import missing_extra
from collegium.society.compiled import threads, with_threads
from collegium.society.engine import Model, Society
from collegium.society.network import Layer
from collegium.society.shards import Piece, Shards
from collegium.society.state import Array, State, Table


class Worker:
    """Holds a shard and takes its halves of steps. Lives here, or in a process of Ray.

    Args:
        model: The model.
        seed: Seed of the run.
        threads: Threads it may use; 0: all.
    """

    def __init__(self, model: Model, seed: int, threads: int = 0) -> None:
        self._model, self._seed, self._threads = model, seed, threads
        self._kept: dict[str, Any] = {}
        self._piece: Piece | None = None
        self._society: Society | None = None

    def hold(self, piece: Piece) -> None:
        """Take over a shard."""
        local = msgspec.structs.replace(self._model, columns=())
        # copies: what comes from another process may not be written to, and loops that are compiled
        # for what may be written would be compiled once more
        columns = {name: np.array(column) for name, column in piece.columns.items()}
        layers = {
            name: Layer(np.array(layer.starts), np.array(layer.others), layer.factor)
            for name, layer in piece.layers.items()
        }
        state = State({"agent": Table(columns)}, layers)
        self._piece, self._society = piece, Society(local, state, seed=self._seed)

    def send(self, plan: Mapping[str, Any]) -> list[Array]:
        """The first half of a step: what every other shard needs."""
        piece, society = self._there()
        society.t, society.parameters = plan["t"], plan["parameters"]
        for name, factor in plan["factors"].items():
            if society.state.layers[name].factor != factor:
                society.state.layers[name] = society.state.layers[name].with_factor(factor)
        society.state.values.update(plan["values"])
        with with_threads(self._threads or threads()):
            boundary, self._kept = self._shards().send(society, plan, len(piece.ghosts))
        return [boundary[places] for places in piece.gives]

    def receive(self, plan: Mapping[str, Any], *came: Array) -> dict[str, Any]:
        """The second half: with what the other shards sent."""
        piece, society = self._there()
        ghosts = np.zeros(len(piece.ghosts), came[0].dtype if came else np.uint8)
        for places, values in zip(piece.takes, came, strict=True):
            ghosts[places] = values
        with with_threads(self._threads or threads()):
            return self._shards().receive(society, plan, ghosts, self._kept)

    def columns(self) -> dict[str, Array]:
        """The columns that steps change, and whose they are."""
        _, society = self._there()
        names = ("id", *self._shards().columns)
        return {name: np.array(society.agents[name]) for name in names}

    def _shards(self) -> Shards:
        assert self._model.shards is not None
        return self._model.shards

    def _there(self) -> tuple[Piece, Society]:
        assert self._piece is not None
        assert self._society is not None
        return self._piece, self._society


class Crew(Protocol):
    """The workers of a run, wherever they are."""

    async def hold(self, pieces: Sequence[Piece]) -> None:
        """Give every worker its shard."""
        ...

    async def step(self, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Take a step; the tallies of every shard."""
        ...

    async def columns(self) -> list[dict[str, Array]]:
        """The columns of every shard."""
        ...


class Here:
    """Workers in this process, one after the other: to test, and to look for mistakes.

    Args:
        model: The model.
        seed: Seed of the run.
        count: How many.
    """

    def __init__(self, model: Model, seed: int, count: int) -> None:
        # each has processors of its own, as it would have in a process of its own
        self.workers = [Worker(_own(model), seed) for _ in range(count)]

    async def hold(self, pieces: Sequence[Piece]) -> None:
        """Give every worker its shard."""
        for worker, piece in zip(self.workers, pieces, strict=True):
            worker.hold(piece)

    async def step(self, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Take a step."""
        sent = [worker.send(plan) for worker in self.workers]
        return [
            worker.receive(plan, *(boundary[k] for boundary in sent))
            for k, worker in enumerate(self.workers)
        ]

    async def columns(self) -> list[dict[str, Array]]:
        """The columns of every shard."""
        return [worker.columns() for worker in self.workers]


def _own(model: Model) -> Model:
    """A copy of a model that shares nothing with it, as another process would have."""
    try:
        from ray import cloudpickle
    except ImportError:
        raise missing_extra("cluster", "a run in shards") from None
    pickle: Any = cloudpickle
    return pickle.loads(pickle.dumps(model))


class OverRay:
    """Workers as actors of Ray; boundaries go from worker to worker, not through this process.

    Args:
        model: The model.
        seed: Seed of the run.
        count: How many.

    Raises:
        MissingExtra: Ray is not installed.
    """

    def __init__(self, model: Model, seed: int, count: int) -> None:
        try:
            import ray
        except ImportError:
            raise missing_extra("cluster", "a run in shards over Ray") from None
        self._count = count
        cpus = int(ray.cluster_resources().get("CPU", 1)) if ray.is_initialized() else 1
        each = max(1, cpus // count)
        made = ray.remote(num_cpus=min(1, cpus / count), scheduling_strategy="SPREAD")(Worker)
        self._workers: list[Any] = [made.remote(model, seed, each) for _ in range(count)]

    async def hold(self, pieces: Sequence[Piece]) -> None:
        """Give every worker its shard."""
        calls = [w.hold.remote(p) for w, p in zip(self._workers, pieces, strict=True)]
        await asyncio.gather(*calls)

    async def step(self, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Take a step."""
        sent = [w.send.options(num_returns=self._count).remote(plan) for w in self._workers]
        if self._count == 1:
            sent = [[one] for one in sent]
        calls = [
            w.receive.remote(plan, *(boundary[k] for boundary in sent))
            for k, w in enumerate(self._workers)
        ]
        return list(await asyncio.gather(*calls))

    async def columns(self) -> list[dict[str, Array]]:
        """The columns of every shard."""
        return list(await asyncio.gather(*(w.columns.remote() for w in self._workers)))
