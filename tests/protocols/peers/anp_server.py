"""An agent of the official ANP package, which lets in who proves to be somebody."""

import logging
import socket
import sys
from pathlib import Path

import anp.authentication.did_wba_verifier as verifier
import uvicorn
from anp.authentication.did_resolver import resolve_did_document
from anp.openanp import AgentConfig, anp_agent, interface
from anp.openanp.middleware import create_auth_middleware
from fastapi import FastAPI

logging.disable(logging.CRITICAL)
documents, jwt_private, jwt_public = sys.argv[1:]


async def resolve(did: str, verify_proof: bool = False) -> dict:
    """The package asks over HTTPS; on this machine the documents lie at one plain address."""
    return await resolve_did_document(did, base_url_override=documents)


verifier.resolve_did_wba_document = resolve


@anp_agent(AgentConfig(name="peer", did="did:wba:peer.example:agent", description="Echoes."))
class Agent:
    @interface
    async def echo(self, text: str) -> dict:
        """Say it again."""
        return {"answer": text.upper()}


app = FastAPI()
config = verifier.DidWbaVerifierConfig(
    jwt_private_key=Path(jwt_private).read_text(), jwt_public_key=Path(jwt_public).read_text()
)
app.middleware("http")(create_auth_middleware(config, exempt_paths=[]))
app.include_router(Agent.router())

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]


class Told(uvicorn.Server):
    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        print(f"http://127.0.0.1:{port}", flush=True)


Told(uvicorn.Config(app, port=port, log_config=None, access_log=False)).run()
