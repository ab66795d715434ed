"""Sampling: an MCP server asks for a model while one of its tools works, and gets the run's own.

Such a question is a call of the run like any other. It stands in the trace, policies and attacks
act on it, and it is paid for out of the run's budget; once that is used up, it is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from collegium.errors import BadInput, CollegiumError
from collegium.kernel.calls import Generate, Message, Reply
from collegium.kernel.kernel import Kernel, calling_kernel

if TYPE_CHECKING:
    import mcp_types

REFUSED = -1
"""The error code by which a client says that a request for its model was turned down."""

STOP_REASONS = {"stop": "endTurn", "length": "maxTokens", "tool": "toolUse"}


class Sampling:
    """Answers one server's questions to a model.

    Args:
        server: The server, as the user named it.
    """

    def __init__(self, server: str) -> None:
        self._agent = f"mcp server {server.split()[-1].rpartition('/')[2] or server}"
        self._active: list[tuple[Kernel, asyncio.AbstractEventLoop]] = []

    @contextmanager
    def during(self) -> Iterator[None]:
        """While a tool works: its run pays for what the server asks meanwhile."""
        kernel = calling_kernel()
        if kernel is None:  # a tool used without a kernel has no model to lend
            yield
            return
        entry = (kernel, asyncio.get_running_loop())
        self._active.append(entry)
        try:
            yield
        finally:
            self._active.remove(entry)

    async def answer(self, context: Any, params: mcp_types.CreateMessageRequestParams) -> Any:
        """Ask the run's model, or say why not."""
        import mcp_types

        try:
            reply, model = await self._ask(params)
        except CollegiumError as error:
            return mcp_types.ErrorData(code=REFUSED, message=" ".join(str(error).split()))
        return mcp_types.CreateMessageResult(
            role="assistant",
            content=mcp_types.TextContent(type="text", text=reply.text),
            model=model,
            stop_reason=STOP_REASONS[reply.finish],
        )

    async def _ask(self, params: mcp_types.CreateMessageRequestParams) -> tuple[Reply[Any], str]:
        kernel = self._kernel()
        if params.tools:
            raise BadInput("the model that is lent here takes no tools; ask for text.")
        turns = [Message("system", params.system_prompt)] if params.system_prompt else []
        for message in params.messages:
            blocks = message.content_as_list
            if any(block.type != "text" for block in blocks):
                raise BadInput("the model that is lent here reads text alone.")
            text = "\n".join(str(getattr(block, "text", "")) for block in blocks)
            turns.append(Message(message.role, text))
        call = Generate(
            agent=self._agent,
            role="sampling",
            messages=tuple(turns),
            temperature=0.7 if params.temperature is None else params.temperature,
            max_tokens=params.max_tokens,
            stop=tuple(params.stop_sequences or ()),
        )
        (reply,) = await kernel.call(call)
        return reply, kernel.model_for(call.agent, call.role).name

    def _kernel(self) -> Kernel:
        """The kernel of the run on whose behalf the server works.

        Newer revisions ask within the call itself; with older ones a question names no call, so
        there must be only one run that it can belong to.
        """
        kernel = calling_kernel()
        if kernel is not None:
            return kernel
        loop = asyncio.get_running_loop()
        kernels = {id(k): k for k, home in self._active if home is loop}
        if len(kernels) != 1:
            many = "several runs use" if kernels else "no run uses"
            raise BadInput(f"{many} this server now, so nobody can be asked to pay for a model.")
        return next(iter(kernels.values()))
