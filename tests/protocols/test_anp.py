"""ANP both ways: the official client and our server, our client and the official server."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("cryptography")
pytest.importorskip("starlette")

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from collegium.errors import ModelError
from collegium.protocols.anp_client import ANPClient, Identity
from collegium.protocols.did import document
from collegium.protocols.messages import said
from collegium.protocols.signing import server_key

ALICE = "did:wba:people.example:alice"
SAID = "ALPHA BETA GAMMA"


class Site:
    """A web host with the document of Alice, and her files."""

    def __init__(self, folder: Path, address: str) -> None:
        self.address = address
        self.key_file, self.document_file = folder / "alice.pem", folder / "alice.json"
        self.key = server_key(self.key_file)
        self.document = document(ALICE, self.key.public_key())
        self.document_file.write_text(json.dumps(self.document))


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/alice/did.json" else 404)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(site.document_file.read_bytes())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    site = Site(tmp_path_factory.mktemp("alice"), address)
    Thread(target=server.serve_forever, daemon=True).start()
    yield site
    server.shutdown()


@pytest.fixture(scope="module")
def server(serve, alice: Site) -> Any:
    resolve = f"people.example={alice.address}"
    return serve("words", "direct", "mad", "--protocol", "anp", "--resolve", resolve)


@pytest.mark.must_show("interop", 1)
def test_the_official_client(program, server, alice: Site) -> None:
    found = program(
        "anp_client", server.address, str(alice.document_file), str(alice.key_file)
    ).found()
    assert found["name"] == "collegium"
    assert found["methods"] == ["run", "start", "status", "cancel", "tell"]
    assert found["run"]["answer"] == SAID
    origin = server.row(found["run"]["run"]).spec["origin"]
    assert (origin["client"], origin["protocol"]) == (ALICE, "anp")
    for way in ("http_signatures", "legacy_didwba"):
        assert found[way] == {"answers": ["A B", "A B"], "tokens": 1}
    assert found["cancel"] in ("completed", "canceled")
    assert found["wrong"] == -32601


@pytest.fixture(scope="module")
def official(program, alice: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where a server of the official package answers."""
    folder = tmp_path_factory.mktemp("jwt")
    key = generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "private.pem").write_bytes(pem)
    (folder / "public.pem").write_bytes(public)
    files = (str(folder / "private.pem"), str(folder / "public.pem"))
    return program("anp_server", alice.address, *files).line()


@pytest.mark.must_show("interop", 1)
async def test_our_client(official: str, alice: Site) -> None:
    client = ANPClient(official, Identity(ALICE, alice.key))
    about = await client.describe()
    assert about.name == "peer" and [s.name for s in about.skills] == ["echo"]
    answer = await client.ask([said("gamma")])
    assert (answer.text, answer.state) == ("GAMMA", "completed")
    await client.aclose()


async def test_the_official_server_asks_who_we_are(official: str) -> None:
    client = ANPClient(official)
    with pytest.raises(ModelError, match="401"):
        await client.describe()
    await client.aclose()


@pytest.mark.must_show("interop", 1)
async def test_a_call_that_is_given_up_stops_its_run(serve, alice: Site) -> None:
    resolve = f"people.example={alice.address}"
    server = serve("sleeper", "direct", "--protocol", "anp", "--resolve", resolve)
    client = ANPClient(server.address, Identity(ALICE, alice.key))
    work = asyncio.create_task(client.ask([said("sleep")]))
    while not (runs := server.runs()):
        await asyncio.sleep(0.02)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    row = await asyncio.to_thread(server.ended, runs[0].id, 2.0)
    assert row.status == "interrupted" and "disconnected" in server.trace(row.id)[-1].error
    await client.aclose()


def test_a_signed_body_cannot_be_changed(server, alice: Site) -> None:
    headers = {
        "signature-input": 'sig1=("@method" "@target-uri");created=1;nonce="n";keyid="did:x#key-1"',
        "signature": "sig1=:AAAA:",
    }
    answer = httpx.post(f"{server.address}/anp/rpc", json={}, headers=headers)
    assert answer.status_code == 401 and "content-digest" in answer.json()["message"]


def test_a_description_is_public_and_a_call_is_not(serve, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"alice {ALICE}\nbob bob-secret-token-0123\n")
    server = serve("words", "direct", "--protocol", "anp", "--token-file", str(file))
    for path in ("/ad.json", "/anp/interface.json", "/.well-known/did.json"):
        assert httpx.get(f"{server.address}{path}").status_code == 200
    body = {"jsonrpc": "2.0", "id": 1, "method": "run", "params": {"task": "b a"}}
    refused = httpx.post(f"{server.address}/anp/rpc", json=body)
    assert refused.status_code == 401 and "DIDWba" in refused.headers["www-authenticate"]
    token = {"authorization": "Bearer bob-secret-token-0123"}
    done = httpx.post(f"{server.address}/anp/rpc", json=body, headers=token)
    assert done.json()["result"]["answer"] == "A B"
