"""Pictures of a world that can be seen, taken as an agent acts, for whoever reads the trace.

Worlds in the browser can be seen. Agents are not shown the pictures; they cost them no tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collegium.errors import CollegiumError
from collegium.kernel.calls import Call, UseTool
from collegium.worlds.world import Look, Restore, World

if TYPE_CHECKING:
    from collegium.kernel.kernel import Kernel, Proceed


class Looking:
    """An interceptor that looks before the first call, and after every move.

    A picture that cannot be taken is an error in the trace, and the run goes on.

    Args:
        world: The world.
    """

    def __init__(self, world: World) -> None:
        self._moves = {tool.spec.name for tool in world.tools}
        self._kernel: Kernel | None = None
        self._looked = False

    def bind(self, kernel: Kernel) -> None:
        """Say which kernel runs the calls."""
        self._kernel = kernel

    async def __call__(self, call: Call, proceed: Proceed) -> Any:
        """Hand a call on."""
        if isinstance(call, Look) or self._kernel is None:
            return await proceed(call)
        if not self._looked:
            self._looked = True
            await self._look(call.agent)
        result = await proceed(call)
        moved = isinstance(call, UseTool) and call.tool in self._moves
        if moved or isinstance(call, Restore):
            await self._look(call.agent)
        return result

    async def _look(self, agent: str) -> None:
        assert self._kernel is not None
        try:
            await self._kernel.call(Look(agent=agent))
        except CollegiumError:
            return  # its event has the reason
