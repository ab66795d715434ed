"""The server's own key: made once, kept beside the run store, shown to others in public form."""

from __future__ import annotations

import base64
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from collegium.errors import BadInput

ALGORITHM = "ES256"


def server_key(path: Path) -> EllipticCurvePrivateKey:
    """The key in a file; made when there is none, readable to its owner alone.

    Raises:
        BadInput: The file cannot be read or written, or holds no such key.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = generate_private_key(SECP256R1())
            pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:  # another server made it at this very moment
                return server_key(path)
            with os.fdopen(handle, "wb") as file:
                file.write(pem)
            return made
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise BadInput(f"cannot use the key {path}: {error.strerror}.") from None
    except (ValueError, TypeError):
        raise BadInput(f"{path} holds no key.") from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise BadInput(f"{path} holds a key of another kind; expected one on the curve P-256.")
    return key


def jwk(key: EllipticCurvePublicKey) -> dict[str, Any]:
    """A public key as a JSON web key, named by its digest (RFC 7638)."""
    numbers = key.public_numbers()
    x, y = (b64url(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
    told = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    kid = b64url(sha256(told.encode()).digest())
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": ALGORITHM, "use": "sig"}


def b64url(data: bytes) -> str:
    """Bytes in base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """What :func:`b64url` wrote.

    Raises:
        BadInput: It is something else.
    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise BadInput("expected base64 for addresses.") from None
