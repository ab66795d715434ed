"""Replies packed for the way: brotli where a browser takes it, else gzip; files once for all."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from collegium.protocols.web import Receive, Scope, Send

LEAST = 600
"""Bytes below which packing is not worth it."""

MOST = 4 << 20
"""Bytes above which a reply goes on as it comes."""

PACKED = ("text/", "application/json", "application/javascript", "image/svg+xml", "application/xml")
FILES = ("/_nicegui/", "/_studio/")
"""Addresses of files that do not change while the program runs."""


class Packing:
    """Packs replies.

    Args:
        app: What answers.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self._brotli = _brotli()
        self._files: dict[tuple[str, str], tuple[int, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, packed if the client takes that."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        accepted = dict(scope["headers"]).get(b"accept-encoding", b"").decode("latin-1").lower()
        if self._brotli is not None and "br" in accepted.replace(" ", "").split(","):
            way = "br"
        elif "gzip" in accepted:
            way = "gzip"
        else:
            way = ""
        await self.app(scope, receive, _Packer(self, scope, send, way) if way else send)

    def prepare(self, files: Mapping[str, Path]) -> None:
        """Pack files before anybody asks for them.

        Args:
            files: By address, without a query.
        """
        for address, file in files.items():
            if self._brotli is not None and file.is_file():
                self.pack(f"{address}?", file.read_bytes(), "br")

    def pack(self, path: str, body: bytes, way: str) -> bytes:
        """A body, packed; that of a file is kept."""
        if not path.startswith(FILES):
            return self._packed(body, way, slow=False)
        size, kept = self._files.get((path, way), (-1, b""))
        if size != len(body):
            kept = self._packed(body, way, slow=True)
            self._files[path, way] = len(body), kept
        return kept

    def _packed(self, body: bytes, way: str, *, slow: bool) -> bytes:
        if way == "br" and self._brotli is not None:
            return self._brotli(body, quality=10 if slow else 5)
        return gzip.compress(body, 9 if slow else 6, mtime=0)


class _Packer:
    """Holds a reply back until it is whole, and packs it."""

    def __init__(self, packing: Packing, scope: Scope, send: Send, way: str) -> None:
        self._packing, self._scope, self._send, self._way = packing, scope, send, way
        self._start: MutableMapping[str, Any] | None = None
        self._held: list[bytes] = []

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = {k.lower(): v for k, v in message["headers"]}
            kind = headers.get(b"content-type", b"").decode("latin-1")
            length = headers.get(b"content-length", b"")
            fits = length.isdigit() and LEAST <= int(length) <= MOST
            fits = fits and self._scope["method"] == "GET" and message["status"] == 200
            if kind.startswith(PACKED) and fits and b"content-encoding" not in headers:
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._start is not None:
            self._held.append(message.get("body", b""))
            if message.get("more_body"):
                return
            start, self._start = self._start, None
            path = f"{self._scope['path']}?{self._scope['query_string'].decode('latin-1')}"
            body = self._packing.pack(path, b"".join(self._held), self._way)
            dropped = (b"content-length", b"accept-ranges", b"etag")
            kept = [(k, v) for k, v in start["headers"] if k.lower() not in dropped]
            added = [
                (b"content-encoding", self._way.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"vary", b"Accept-Encoding"),
            ]
            await self._send({**start, "headers": [*kept, *added]})
            message = {**message, "body": body}
        await self._send(message)


def _brotli() -> Callable[..., bytes] | None:
    try:
        from brotli import compress  # pyright: ignore[reportMissingImports, reportMissingTypeStubs]
    except ImportError:
        return None
    return compress
