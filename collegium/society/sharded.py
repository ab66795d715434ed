"""A run in shards, from the point of view of the whole."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.society import checkpoint
from collegium.society.crews import Crew, OverRay
from collegium.society.engine import Model, Society
from collegium.society.operations import Scheduled, carry_out, due
from collegium.society.shards import communities, cut
from collegium.society.simulate import Options, arrange

MOST_SHARDS = 1024

LIGHT = ("set", "close", "open", "take-over", "hand-back")
"""Operations that touch no column: shards learn of them with the next step."""


class ShardedRun:
    """A society whose steps are taken by a crew.

    Args:
        society: The whole; its columns are those of the last :meth:`collect`.
        crew: The workers.
        count: How many there are.

    Raises:
        BadInput: The model's steps cannot be shared, or there are fewer agents than shards.
    """

    def __init__(self, society: Society, crew: Crew, count: int) -> None:
        check_shards(society, count)
        self.whole, self._crew, self._count = society, crew, count
        self._held = False
        self._behind = False

    async def step(self) -> None:
        """Take one step."""
        society, shards = self.whole, self.whole.model.shards
        assert shards is not None
        waiting = due(society)
        if any(o.__struct_config__.tag not in LIGHT for o in waiting):
            await self.collect()
            self._held = False
        for operation in waiting:
            carry_out(society, operation)
        if not self._held:
            shard = communities(society.state, self._count)
            await self._crew.hold(cut(society.state, shard, self._count))
            self._held = True
        plan = {
            **await shards.plan(society),
            "t": society.t,
            "parameters": society.parameters,
            "factors": {name: layer.factor for name, layer in society.state.layers.items()},
            "values": {k: society.state.values.get(k, {}) for k in ("held", "decided")},
        }
        self._behind = True
        measured = shards.merge(society, await self._crew.step(plan))
        society.t += 1
        for name, value in measured.items():
            society.curves.setdefault(name, []).append(float(value))

    async def collect(self) -> Society:
        """Bring the columns of all shards together; the whole is then as one process has it."""
        if self._behind:
            for columns in await self._crew.columns():
                who = columns.pop("id")
                for name, values in columns.items():
                    self.whole.agents[name][who] = values
            self._behind = False
        return self.whole


def check_shards(society: Society, count: int) -> None:
    """Make sure that a run can be shared.

    Raises:
        BadInput: It cannot.
    """
    if society.model.shards is None:
        raise BadInput(
            f"the steps of {society.model.name} cannot be shared as it is run here; --shards is "
            "for covid without --labour and without a scene."
        )
    if not 1 <= count <= min(MOST_SHARDS, len(society.agents)):
        raise BadInput(
            f"{len(society.agents)} agents make 1 to {min(MOST_SHARDS, len(society.agents))} "
            f"shards, not {count}."
        )


async def simulate_sharded(
    society: Society,
    steps: int,
    count: int,
    *,
    options: Options | None = None,
    folder: Path | None = None,
    every: int = 5,
    interventions: Sequence[Scheduled] = (),
    on_step: Callable[[Society], Any] | None = None,
    crew: Callable[[Model, int, int], Crew] = OverRay,
) -> Society:
    """Run a society in shards up to a step; the result is that of :func:`simulate`.

    Args:
        society: Where it stands.
        steps: Number of steps it is to have taken in the end.
        count: Number of shards.
        options: What it was started with; kept in the checkpoints.
        folder: Where checkpoints go; None: none are made.
        every: Steps between checkpoints.
        interventions: What happens when.
        on_step: Called after every step; the curves are up to date, the columns need not be.
        crew: Makes the workers: over Ray, or :class:`Here`.

    Raises:
        BadInput: The run cannot be shared, or an intervention is impossible.
        MissingExtra: Ray is not installed.
    """
    check_shards(society, count)
    arrange(society, interventions)
    run = ShardedRun(society, crew(society.model, society.seed, count), count)
    while society.t < steps:
        await run.step()
        if on_step is not None:
            waiting = on_step(society)
            if inspect.isawaitable(waiting):
                await waiting
        if folder is not None and (society.t % every == 0 or society.t == steps):
            await run.collect()
            checkpoint.save(society, folder, msgspec.to_builtins(options) if options else None)
    return await run.collect()
