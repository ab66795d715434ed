"""The official ANP client against a server, with either way of proving who it is."""

import asyncio
import json
import logging
import sys

from anp.anp_crawler.anp_client import ANPClient
from anp.authentication import DIDWbaAuthHeader
from anp.openanp import RemoteAgent

logging.disable(logging.CRITICAL)


async def main(address: str, document: str, key: str) -> None:
    found = {}
    auth = DIDWbaAuthHeader(did_document_path=document, private_key_path=key)
    agent = await RemoteAgent.discover(f"{address}/ad.json", auth)
    found["name"], found["methods"] = agent.name, list(agent.method_names)
    found["run"] = await agent.run(task="gamma beta alpha")
    for mode in ("http_signatures", "legacy_didwba"):
        client = ANPClient(document, key)
        client.auth_client.auth_mode = mode
        answers = []
        for _ in range(2):  # the second time with the token that the first one brought
            answer = await client.call_jsonrpc(f"{address}/anp/rpc", "run", {"task": "b a"})
            answers.append(answer["result"]["answer"])
        found[mode] = {"answers": answers, "tokens": len(client.auth_client.tokens)}
    started = await client.call_jsonrpc(f"{address}/anp/rpc", "start", {"task": "b a"})
    cancelled = await client.call_jsonrpc(
        f"{address}/anp/rpc", "cancel", {"id": started["result"]["id"]}
    )
    found["cancel"] = cancelled["result"]["state"]
    wrong = await client.call_jsonrpc(f"{address}/anp/rpc", "nothing", {})
    found["wrong"] = wrong["error"]["code"]
    print(json.dumps(found))


asyncio.run(main(*sys.argv[1:]))
