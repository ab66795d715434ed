"""Identities of the open network: did:wba, as the Agent Network Protocol (ANP) has it.

A decentralised identifier names a web host and, maybe, a path. Under it lies a document with public
keys, and whoever signs a request with one of them has shown to be that identifier.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256K1,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from collegium.errors import BadInput, CollegiumError, Denied
from collegium.protocols.clients import Unauthorised
from collegium.protocols.signing import b64url, jwk, unb64url
from collegium.protocols.urls import Allowed

PREFIX = "did:wba:"

VERSION = "1.1"
"""Of the request header; from 1.1 on the audience is called ``aud``, before it ``service``."""

PAST, AHEAD = timedelta(minutes=5), timedelta(minutes=1)
"""How far a request's time may lie behind our clock or ahead of it."""

KEPT_SECONDS = 60.0
"""How long a document is believed: a key that its owner has changed is soon refused."""

CURVES = {"P-256": SECP256R1(), "secp256k1": SECP256K1()}

_FIELD = re.compile(r'(\w+)="([^"]*)"')
_SEGMENT = re.compile(r"[A-Za-z0-9._%~-]+")

PublicKey = EllipticCurvePublicKey | Ed25519PublicKey


def document_url(did: str) -> str:
    """Where the document of an identifier lies.

    ``did:wba:example.com:user:alice`` -> ``https://example.com/user/alice/did.json``; without a
    path, ``https://example.com/.well-known/did.json``.

    Raises:
        BadInput: It is no identifier of this method.
    """
    host, *segments = did.removeprefix(PREFIX).split(":")
    parts = [unquote(s) for s in segments]
    good = all(_SEGMENT.fullmatch(s) for s in segments) and not {".", ".."} & set(parts)
    name = unquote(host)
    if not did.startswith(PREFIX) or not good or not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", name):
        raise BadInput(f"{did[:200]!r} is no identifier of the form did:wba:HOST[:SEGMENT...].")
    if any("/" in part or "\\" in part for part in parts):
        raise BadInput(f"{did[:200]!r} has a separator inside a segment.")
    path = "/".join(quote(p) for p in parts) if parts else ".well-known"
    return f"https://{name}/{path}/did.json"


def did_of(address: str, *segments: str) -> str:
    """The identifier of a server: its host, the port kept, and a path.

    Args:
        address: The server's address.
        segments: The path.
    """
    return PREFIX + ":".join([quote(urlsplit(address).netloc, safe=""), *segments])


def canonical(fields: Mapping[str, str]) -> bytes:
    """Strings by name in the canonical form of JSON (RFC 8785)."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def digest(*, nonce: str, timestamp: str, audience: str, did: str, version: str = VERSION) -> bytes:
    """What is signed: SHA-256 over the canonical form of the fields of a header."""
    try:
        name = "aud" if float(version) >= 1.1 else "service"
    except ValueError:
        name = "service"
    fields = {"nonce": nonce, "timestamp": timestamp, name: audience, "did": did}
    return sha256(canonical(fields)).digest()


def authorization(
    did: str, key: EllipticCurvePrivateKey, audience: str, *, method: str = "key-1"
) -> str:
    """The ``Authorization`` header of a request.

    Args:
        did: Who asks.
        key: Its private key, on P-256.
        audience: The host that is asked, without a port.
        method: Name of the key in the document.
    """
    nonce = secrets.token_hex(16)
    timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    signed = key.sign(
        digest(nonce=nonce, timestamp=timestamp, audience=audience, did=did), ECDSA(SHA256())
    )
    numbers = decode_dss_signature(signed)
    signature = b64url(b"".join(n.to_bytes(32, "big") for n in numbers))
    return (
        f'DIDWba v="{VERSION}", did="{did}", nonce="{nonce}", timestamp="{timestamp}", '
        f'verification_method="{method}", signature="{signature}"'
    )


def document(did: str, key: EllipticCurvePublicKey, **services: str) -> dict[str, Any]:
    """The document of an identifier with one key.

    Args:
        did: The identifier.
        key: Its public key.
        services: Addresses by kind of service.
    """
    public = jwk(key)
    method = {
        "id": f"{did}#key-1",
        "type": "EcdsaSecp256r1VerificationKey2019",
        "controller": did,
        "publicKeyJwk": {k: public[k] for k in ("kty", "crv", "x", "y", "kid")},
    }
    return {
        "@context": [
            "https://www.w3.org/ns/did/v1",
            "https://w3id.org/security/suites/jws-2020/v1",
        ],
        "id": did,
        "verificationMethod": [method],
        "authentication": [method["id"]],
        "service": [
            {"id": f"{did}#{kind.lower()}", "type": kind, "serviceEndpoint": where}
            for kind, where in services.items()
        ],
    }


class Signed(msgspec.Struct, frozen=True):
    """The fields of a request's header."""

    did: str
    nonce: str
    timestamp: str
    verification_method: str
    signature: str
    v: str = VERSION


def read_header(header: str) -> Signed:
    """Take a header apart.

    Raises:
        Unauthorised: It has another form.
    """
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "didwba":
        raise Unauthorised("expected an Authorization header of the scheme DIDWba.")
    try:
        return msgspec.convert(dict(_FIELD.findall(rest)), Signed)
    except msgspec.ValidationError as error:
        raise Unauthorised(f"the DIDWba header is not complete: {error}.") from None


def public_key(document: Mapping[str, Any], method: str) -> PublicKey:
    """A key that a document lets its owner sign requests with.

    Args:
        document: The document.
        method: The key's name (the part after ``#``).

    Raises:
        Unauthorised: There is none of that name, or of no kind that is known here.
    """
    identity = f"{document.get('id')}#{method}"
    entries = [*document.get("authentication", ()), *document.get("verificationMethod", ())]
    allowed = {e if isinstance(e, str) else e.get("id") for e in document.get("authentication", ())}
    found = next((e for e in entries if isinstance(e, dict) and e.get("id") == identity), None)
    if found is None or identity not in allowed:
        raise Unauthorised(f"the document of {document.get('id')} lets no key {method!r} sign.")
    try:
        return _key(found)
    except (KeyError, ValueError, BadInput):
        raise Unauthorised(f"the key {method!r} is of no kind that is known here.") from None


def _key(entry: Mapping[str, Any]) -> PublicKey:
    told = entry.get("publicKeyJwk")
    if told is None:  # multibase: "z" and base 58 of a marker (0xed01) and the key
        text = entry["publicKeyMultibase"]
        raw = _base58(text.removeprefix("z"))
        if not text.startswith("z") or raw[:2] != b"\xed\x01":
            raise ValueError("not an Ed25519 key")
        return Ed25519PublicKey.from_public_bytes(raw[2:])
    if told["kty"] == "OKP" and told["crv"] == "Ed25519":
        return Ed25519PublicKey.from_public_bytes(unb64url(told["x"]))
    x, y = (int.from_bytes(unb64url(told[k]), "big") for k in ("x", "y"))
    return EllipticCurvePublicNumbers(x, y, CURVES[told["crv"]]).public_key()


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _base58(text: str) -> bytes:
    number = 0
    for letter in text:
        number = number * 58 + _BASE58.index(letter)
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes(len(text) - len(text.lstrip("1"))) + body


def signature_fits(key: PublicKey, signature: str, signed: bytes) -> bool:
    """Whether a signature over these bytes is the key's."""
    try:
        raw = unb64url(signature)
        if isinstance(key, Ed25519PublicKey):
            key.verify(raw, signed)
        else:
            half = len(raw) // 2
            numbers = (int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
            key.verify(encode_dss_signature(*numbers), signed, ECDSA(SHA256()))
    except (BadInput, InvalidSignature, ValueError):
        return False
    return True


class Nonces:
    """What was said once already, for as long as it could be said again."""

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def fresh(self, did: str, nonce: str) -> bool:
        """Whether this is the first time; from now on it is not."""
        now = time.monotonic()
        while self._until and next(iter(self._until.values())) < now:
            self._until.popitem(last=False)
        if (did, nonce) in self._until:
            return False
        self._until[did, nonce] = now + (PAST + AHEAD).total_seconds()
        return True


class Resolver:
    """Fetches documents, from public hosts alone.

    Args:
        hosts: Addresses to be used in place of hosts (``example.com`` or ``localhost:8800``), for
            networks of one's own: ``{"localhost:8800": "http://127.0.0.1:8800"}``.
    """

    def __init__(self, hosts: Mapping[str, str] | None = None) -> None:
        self._hosts = dict(hosts or {})
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    async def document(self, did: str) -> dict[str, Any]:
        """The document of an identifier.

        Raises:
            Unauthorised: It cannot be fetched, or is another's.
        """
        until, known = self._known.get(did, (0.0, {}))
        if until > time.monotonic():
            return known
        try:
            found = await self._fetch(document_url(did))
        except (BadInput, Denied, httpx.HTTPError, msgspec.MsgspecError) as error:
            reason = str(error) if isinstance(error, CollegiumError) else type(error).__name__
            raise Unauthorised(f"the document of {did[:200]} cannot be read: {reason}") from None
        if found.get("id") != did:
            raise Unauthorised(f"what lies where {did} points to is the document of another.")
        self._known[did] = (time.monotonic() + KEPT_SECONDS, found)
        return found

    async def _fetch(self, url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        instead = self._hosts.get(parts.netloc)
        if instead is None:
            body, _ = await Allowed(anywhere=True).fetch(url)
        else:
            async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
                reply = await http.get(f"{instead.rstrip('/')}{parts.path}")
                reply.raise_for_status()
                body = reply.content
        return msgspec.json.decode(body, type=dict[str, Any])


class Verifier:
    """Decides who made a signed request.

    Args:
        resolver: Fetches documents.
        audience: The host that requests must be meant for; "" takes the one they were sent to.

    Attributes:
        resolver: The same.
    """

    def __init__(self, resolver: Resolver, audience: str = "") -> None:
        self.resolver, self._audience = resolver, audience
        self._nonces = Nonces()

    async def who(self, header: str, host: str) -> str:
        """The identifier that a request comes from.

        Args:
            header: Its ``Authorization`` header.
            host: The host it was sent to, without a port.

        Raises:
            Unauthorised: Its time is off, it was sent before, or the signature is not its owner's.
        """
        told = read_header(header)
        try:
            sent = datetime.fromisoformat(told.timestamp.replace("Z", "+00:00"))
        except ValueError:
            raise Unauthorised("the timestamp is no time (2025-01-01T00:00:00Z).") from None
        now = datetime.now(UTC)
        if sent.tzinfo is None or not now - PAST <= sent <= now + AHEAD:
            raise Unauthorised("the request's time is too far from ours; set your clock.")
        key = public_key(await self.resolver.document(told.did), told.verification_method)
        signed = digest(
            nonce=told.nonce,
            timestamp=told.timestamp,
            audience=self._audience or host,
            did=told.did,
            version=told.v,
        )
        if not signature_fits(key, told.signature, signed):
            raise Unauthorised(f"the signature is not one of {told.did}.")
        self.first_time(told.did, told.nonce)  # last: only its owner can use one up
        return told.did

    def first_time(self, did: str, nonce: str) -> None:
        """Make sure that a request was not sent before.

        Raises:
            Unauthorised: It was.
        """
        if not self._nonces.fresh(did, nonce):
            raise Unauthorised("this request was sent before (its nonce has been used).")
