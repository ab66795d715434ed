"""Identifiers of the open network: where their documents lie, what is signed, what is refused."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("cryptography")
pytest.importorskip("starlette")

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from collegium.errors import BadInput
from collegium.protocols.anp_client import ANPClient, Identity
from collegium.protocols.did import (
    authorization,
    did_of,
    digest,
    document,
    document_url,
    read_header,
)
from collegium.protocols.messages import said
from collegium.protocols.signing import b64url, server_key

ALICE = "did:wba:example.com:user:alice"


@pytest.mark.must_show("interop", 2)
def test_where_documents_lie() -> None:
    assert document_url(ALICE) == "https://example.com/user/alice/did.json"
    assert document_url("did:wba:example.com") == "https://example.com/.well-known/did.json"
    assert document_url("did:wba:localhost%3A8800:a") == "https://localhost:8800/a/did.json"
    assert did_of("http://localhost:8800", "a") == "did:wba:localhost%3A8800:a"


@pytest.mark.parametrize(
    "wrong",
    ["did:web:example.com", "did:wba:", "did:wba:a b", "did:wba:h:..:x", "did:wba:h:%2E%2E",
     "did:wba:h:a%2Fb", "did:wba:h::a", "did:wba:user@h", "did:wba:h%3A80%40evil"],
)  # fmt: skip
def test_what_is_no_identifier(wrong: str) -> None:
    with pytest.raises(BadInput):
        document_url(wrong)


@pytest.mark.must_show("interop", 2)
def test_what_is_signed() -> None:
    told = {"nonce": "abc123", "timestamp": "2025-01-01T00:00:00Z", "did": ALICE}
    assert (
        digest(**told, audience="example.com").hex()
        == "9fe5e4c26fe0fba817ea8ffefbeb8a7db4589bc2371b2b701e80dc32a014c121"
    )
    old = digest(**told, audience="example.com", version="1.0")
    assert old != digest(**told, audience="example.com")  # "service" in place of "aud"


class Site:
    """A web host of documents."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        files = self.files

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return server_key(tmp_path_factory.mktemp("keys") / "alice.pem")


@pytest.fixture(scope="module")
def server(serve, site: Site, key: Any) -> Any:
    site.files["/user/alice/did.json"] = json.dumps(document(ALICE, key.public_key())).encode()
    return serve(
        *("words", "direct", "mad", "--protocol", "anp"),
        *("--resolve", f"example.com={site.address}"),
    )


def call(server: Any, header: str, **params: str) -> httpx.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": "run", "params": params}
    return httpx.post(
        f"{server.address}/anp/rpc", json=body, headers={"authorization": header}, timeout=20
    )


def signed(key: Any, *, at: datetime, did: str = ALICE, audience: str = "127.0.0.1") -> str:
    nonce, timestamp = "00" * 16, at.strftime("%Y-%m-%dT%H:%M:%SZ")
    told = digest(nonce=nonce, timestamp=timestamp, audience=audience, did=did)
    numbers = decode_dss_signature(key.sign(told, ECDSA(SHA256())))
    signature = b64url(b"".join(n.to_bytes(32, "big") for n in numbers))
    return (
        f'DIDWba v="1.1", did="{did}", nonce="{nonce}", timestamp="{timestamp}", '
        f'verification_method="key-1", signature="{signature}"'
    )


@pytest.mark.must_show("interop", 2)
def test_a_replay_is_refused(server, key) -> None:
    header = authorization(ALICE, key, "127.0.0.1")
    first = call(server, header, task="gamma beta alpha")
    assert first.json()["result"]["answer"] == "ALPHA BETA GAMMA"
    again = call(server, header, task="gamma beta alpha")
    assert again.status_code == 401
    assert "sent before" in again.json()["message"]
    token = first.headers["authorization"]
    assert call(server, token, task="b a").json()["result"]["answer"] == "A B"
    run = server.row(first.json()["result"]["run"])
    assert run.spec["origin"]["client"] == ALICE


@pytest.mark.must_show("interop", 2)
@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_off_is_refused(server, key, minutes: int) -> None:
    late = signed(key, at=datetime.now(UTC) + timedelta(minutes=minutes))
    answer = call(server, late, task="x")
    assert answer.status_code == 401 and "time" in answer.json()["message"]


def test_a_signature_for_somebody_else_is_refused(server, key) -> None:
    now = datetime.now(UTC)
    assert call(server, signed(key, at=now, audience="other.example"), task="x").status_code == 401
    told = read_header(authorization(ALICE, key, "127.0.0.1"))
    broken = told.signature[:-8] + "AAAAAAAA"
    header = authorization(ALICE, key, "127.0.0.1").replace(told.did, "did:wba:nowhere.invalid")
    assert call(server, header, task="x").status_code == 401
    fresh = authorization(ALICE, key, "127.0.0.1")
    fresh = fresh.replace(read_header(fresh).signature, broken)
    assert call(server, fresh, task="x").status_code == 401


def test_documents_of_private_networks_are_not_fetched(server, key) -> None:
    for host in ("169.254.0.1", "10.0.0.1", "localhost", "127.0.0.1"):
        did = f"did:wba:{host}:x"
        header = signed(key, at=datetime.now(UTC), did=did)
        answer = call(server, header, task="x")
        assert answer.status_code == 401 and "private network" in answer.json()["message"]


async def test_our_client(server, key) -> None:
    client = ANPClient(server.address, Identity(ALICE, key))
    about = await client.describe()
    assert about.protocol.startswith("ANP") and "run" in [s.name for s in about.skills]
    heard: list[str] = []
    answer = await client.ask([said("gamma beta alpha")], on_text=heard.append)
    assert answer.text == "ALPHA BETA GAMMA"
    assert any("generate" in h for h in heard)
    assert server.row(answer.run).spec["origin"]["client"] == ALICE
    await client.aclose()


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "key.pem"
    made = server_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert server_key(file).private_numbers() == made.private_numbers()
    file.write_text("no key")
    with pytest.raises(BadInput, match="holds no key"):
        server_key(file)
