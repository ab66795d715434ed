"""An ACP server of the official package: an agent that echoes, one that asks, one that sleeps."""

import asyncio
import logging
import socket

from acp_sdk.models import Message, MessageAwaitRequest, MessagePart
from acp_sdk.server import Server

logging.disable(logging.CRITICAL)
server = Server()


@server.agent()
async def echo(input: list[Message]):
    """Say it again."""
    yield {"thought": "thinking"}
    for message in input:
        for part in message.parts:
            yield part


@server.agent()
async def asker(input: list[Message]):
    """Ask which one, then repeat the answer."""
    question = Message(role="agent/asker", parts=[MessagePart(content="Which one?")])
    reply = yield MessageAwaitRequest(message=question)
    yield MessagePart(content=f"You chose {reply.message}")


@server.agent()
async def sleeper(input: list[Message]):
    """Sleep."""
    yield {"thought": "yawning"}
    await asyncio.sleep(30)
    yield "late"


@server.agent()
async def broken(input: list[Message]):
    """Fail."""
    raise ValueError("out of paper")
    yield


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]


async def main() -> None:
    task = asyncio.create_task(
        server.serve(
            port=port,
            configure_logger=False,
            self_registration=False,
            log_config=None,
            access_log=False,
        )
    )
    while server.server is None or not server.server.started:
        await asyncio.sleep(0.05)
    print(f"http://127.0.0.1:{port}", flush=True)
    await task


asyncio.run(main())
