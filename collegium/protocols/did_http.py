"""Signed HTTP messages (RFC 9421), the newer way in which callers of ANP prove who they are.

Only what such a caller signs is read: one signature, over the method, the address and, where there
is a body, its digest. A signature that leaves one of these out proves too little, and is refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlsplit

from collegium.protocols.clients import Unauthorised
from collegium.protocols.did import AHEAD, PAST, Verifier, public_key, signature_fits
from collegium.protocols.signing import b64url

_INPUT = re.compile(r"\s*([\w-]+)=(\(([^)]*)\)(.*))")
_SIGNATURE = re.compile(r"\s*([\w-]+)=:([A-Za-z0-9+/=]+):\s*")
_PARAMETER = re.compile(r';\s*(\w+)=(?:"([^"]*)"|(\d+))')


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether a request is a signed message."""
    return "signature-input" in headers and "signature" in headers


async def who_signed(
    verifier: Verifier, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> str:
    """The identifier that a signed request comes from.

    Args:
        verifier: Fetches documents, and remembers what was said.
        method: Of the request.
        url: Its whole address.
        headers: Its headers, in lower case.
        body: Its body.

    Raises:
        Unauthorised: It is not signed by its owner, is too old, or was sent before.
    """
    told = _INPUT.fullmatch(headers["signature-input"])
    given = _SIGNATURE.fullmatch(headers["signature"])
    if told is None or given is None or told[1] != given[1]:
        raise Unauthorised("the signature of the request has another form (RFC 9421).")
    components = re.findall(r'"([^"]+)"', told[3])
    wanted = {"@method", "@target-uri", *(["content-digest"] if body else [])}
    if missing := sorted(wanted - set(components)):
        raise Unauthorised(f"the signature does not cover {', '.join(missing)}.")
    parameters = {name: text or number for name, text, number in _PARAMETER.findall(told[4])}
    _check_time(parameters)
    did, _, key_name = parameters.get("keyid", "").partition("#")
    nonce = parameters.get("nonce", "")
    if not did or not key_name or not nonce:
        raise Unauthorised("the signature must name its key (keyid) and a nonce.")
    digest = f"sha-256=:{base64.b64encode(sha256(body).digest()).decode()}:"
    if "content-digest" in components and headers.get("content-digest", "").strip() != digest:
        raise Unauthorised("the body is not the one that was signed.")
    lines = [f'"{c}": {_value(c, method, url, headers)}' for c in components]
    base = "\n".join([*lines, f'"@signature-params": {told[2]}']).encode()
    key = public_key(await verifier.resolver.document(did), key_name)
    try:
        signature = b64url(base64.b64decode(given[2], validate=True))
    except ValueError:
        raise Unauthorised("the signature is not base64.") from None
    if not signature_fits(key, signature, base):
        raise Unauthorised(f"the signature is not one of {did}.")
    verifier.first_time(did, nonce)
    return did


def _check_time(parameters: Mapping[str, str]) -> None:
    try:
        created = datetime.fromtimestamp(int(parameters["created"]), UTC)
        expires = datetime.fromtimestamp(int(parameters.get("expires") or 4_000_000_000), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        raise Unauthorised("the signature does not say when it was made.") from None
    now = datetime.now(UTC)
    if not now - PAST <= created <= now + AHEAD or expires < now:
        raise Unauthorised("the request's time is too far from ours; set your clock.")


def _value(component: str, method: str, url: str, headers: Mapping[str, str]) -> str:
    match component:
        case "@method":
            return method.upper()
        case "@target-uri":
            return url
        case "@authority":
            return urlsplit(url).netloc
    if component not in headers:
        raise Unauthorised(f"the signature covers {component!r}, which the request does not have.")
    return headers[component]
