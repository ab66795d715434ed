"""The official ACP client against a server: everything the protocol has, and what came of it."""

import asyncio
import json
import sys

from acp_sdk.client import Client
from acp_sdk.models import ACPError, Message, MessageAwaitResume, MessagePart


def text(run) -> str:
    return "".join(str(message) for message in run.output)


async def main(address: str, sleeper: str) -> None:
    found = {}
    async with Client(base_url=address) as client:
        await client.ping()
        found["agents"] = [agent.name async for agent in client.agents()]
        found["about"] = (await client.agent(name="direct")).description
        run = await client.run_sync("gamma beta alpha", agent="direct")
        found["sync"] = {"text": text(run), "status": run.status.value, "role": run.output[0].role}
        events = [e async for e in client.run_stream("gamma beta alpha", agent="direct")]
        found["stream"] = [e.type for e in events]
        found["streamed"] = text(events[-1].run)
        begun = await client.run_async("gamma beta alpha", agent="direct")
        while not (run := await client.run_status(run_id=begun.run_id)).status.is_terminal:
            await asyncio.sleep(0.02)
        found["async"] = {"same": run.run_id == begun.run_id, "text": text(run)}
        found["events"] = [e.type async for e in client.run_events(run_id=run.run_id)]
        try:
            await client.run_cancel(run_id=run.run_id)
        except ACPError as error:
            found["late"] = error.error.message
        try:
            await client.run_sync("x", agent="nobody")
        except ACPError as error:
            found["nobody"] = error.error.code
        async with client.session() as session:
            await session.run_sync("first thing", agent="direct")
            second = await session.run_sync("second thing", agent="direct")
            found["session"] = {
                "id": str(second.session_id),
                "history": len((await session.refresh_session()).history),
            }
    async with Client(base_url=sleeper) as client:
        begun = await client.run_async("sleep", agent="direct")
        cancelling = await client.run_cancel(run_id=begun.run_id)
        found["cancel"] = [cancelling.status.value]
        while not (run := await client.run_status(run_id=begun.run_id)).status.is_terminal:
            await asyncio.sleep(0.02)
        found["cancel"].append(run.status.value)
    print(json.dumps(found))


async def resume(address: str) -> None:
    async with Client(base_url=address) as client:
        first = await client.run_sync("which?", agent="asker")
        reply = MessageAwaitResume(message=Message(parts=[MessagePart(content="the red one")]))
        second = await client.run_resume_sync(reply, run_id=first.run_id)
        print(
            json.dumps(
                {
                    "status": [first.status.value, second.status.value],
                    "question": str(first.await_request.message),
                    "same": first.run_id == second.run_id,
                    "text": text(second),
                }
            )
        )


if sys.argv[1] == "resume":
    asyncio.run(resume(sys.argv[2]))
else:
    asyncio.run(main(*sys.argv[2:]))
