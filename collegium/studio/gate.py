"""Who may use the studio: host, origin, token, size of requests, and what browsers are told.

A page of another site that is open in the same browser must not reach the studio: not under another
name that leads to this machine (DNS rebinding), not by a request or a socket that the browser sends
along (CSRF). So the host meant and the origin of a request are checked on every request, and on the
socket that pages talk through.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from collegium.errors import CollegiumError, Denied
from collegium.hosts import is_loopback
from collegium.protocols.clients import Clients, Unauthorised
from collegium.protocols.web import Receive, Scope, Send, TooLarge, status_of

COOKIE = "collegium-session"
SESSION_SECONDS = 7 * 24 * 3600
MOST_SESSIONS = 1000
OPEN = ("/login", "/_studio/")
"""What anybody may read: the page that asks for the token, and our own style and script."""

MOST_BYTES = 1 << 20
MOST_UPLOAD = 10 << 20
"""Bytes of a request, and of an uploaded file."""

SCRIPT = b"<script"

FOREVER = "public, max-age=31536000, immutable"
"""For files whose address changes with what they hold."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def content_policy(nonce: str) -> str:
    """What a page may load and run: scripts of ours, and those that bear the nonce.

    NiceGUI compiles its components in the browser, which takes ``'unsafe-eval'``. Inline scripts
    and event handlers that do not bear the nonce do not run, so HTML that got onto a page after
    all could still do nothing.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "script-src-attr 'none'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Gate:
    """Stands before the studio.

    Args:
        app: The studio.
        clients: Whose tokens are taken; with none, nobody is asked.
        host: What the server is bound to.
    """

    def __init__(self, app: Any, clients: Clients, *, host: str) -> None:
        self.app = app
        self._clients = clients
        self._local = is_loopback(host)
        self._sessions: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request or a socket in, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        # Nobody but us says what stands before the addresses in a page.
        scope["headers"] = [(k, v) for k, v in scope["headers"] if k != b"x-forwarded-prefix"]
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        said = _Said(scope, send) if scope["type"] == "http" else None
        try:
            self._check_names(scope, headers)
            if scope["path"] == "/login" and self._clients.wants_token:
                await self._login(scope, headers, receive, send)
                return
            self._check_token(scope, headers)
            if said is not None:
                receive = _measured(scope["path"], headers, receive)
            await self.app(scope, receive, said or send)
        except (CollegiumError, _Gone) as error:
            if said is None or not said.begun:
                await self._refuse(error, scope, headers, send)

    def _check_names(self, scope: Scope, headers: Mapping[str, str]) -> None:
        host = headers.get("host", "")
        if self._local and not is_loopback(_without_port(host)):
            raise Denied(f"this server answers on this machine alone, not as {host[:80]!r}.")
        origin = headers.get("origin")
        if origin is None:
            if scope["type"] == "websocket":
                raise Denied("a socket needs an origin.")
            site = headers.get("sec-fetch-site", "none")
            navigating = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
            if site not in ("none", "same-origin") and not navigating:
                raise Denied("another site may not use this one.")
        elif origin.partition("://")[2].lower() != host.lower() or not host:
            raise Denied("another site may not use this one.")

    def _check_token(self, scope: Scope, headers: Mapping[str, str]) -> None:
        if not self._clients.wants_token or scope["path"].startswith(OPEN):
            return
        if self._sessions.get(_cookie(headers), 0) > time.monotonic():
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        self._clients.by_token(token.strip() if scheme.lower() == "bearer" else "")

    async def _login(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD", "POST"):
            raise Denied("there is a form at this address.")
        wrong = ""
        if scope["method"] == "POST":
            form = parse_qs((await _body(_measured("/login", headers, receive))).decode("latin-1"))
            try:
                self._clients.by_token(form.get("token", [""])[0].strip())
            except Unauthorised:
                await asyncio.sleep(0.5)
                wrong = "That token is not known here."
            else:
                await _reply(send, 303, b"", location="/", set_cookie=self._session(scope))
                return
        await _reply(send, 401 if wrong else 200, login_page(wrong), kind="text/html")

    def _session(self, scope: Scope) -> str:
        now = time.monotonic()
        self._sessions = {k: t for k, t in self._sessions.items() if t > now}
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        key = secrets.token_urlsafe(32)
        self._sessions[key] = now + SESSION_SECONDS
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        return (
            f"{COOKIE}={key}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_SECONDS}{secure}"
        )

    async def _refuse(
        self, error: Exception, scope: Scope, headers: Mapping[str, str], send: Send
    ) -> None:
        if isinstance(error, _Gone):
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        asked = isinstance(error, Unauthorised) and "text/html" in headers.get("accept", "")
        if asked and scope["method"] == "GET":
            await _reply(send, 303, b"", location="/login")
            return
        sentence = str(error)
        text = f"{sentence[:1].upper()}{sentence[1:]}\n"
        await _reply(send, status_of(error), text.encode())


class _Gone(Exception):
    """The client went away."""


class _Said:
    """Adds to a reply what browsers are told, and the nonce to the scripts of a page.

    The shell of a page is the template of NiceGUI, in which everything that is not its own is
    escaped; so each script tag in it is the template's.

    Attributes:
        begun: Whether something was replied.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self.begun = False
        self._send, self._nonce = send, secrets.token_urlsafe(18)
        path = scope["path"]
        self._keep = "no-store"
        if path.startswith("/_nicegui/"):
            self._keep = ""  # as NiceGUI says
        elif path.startswith("/_studio/"):
            self._keep = FOREVER if scope.get("query_string") else "no-cache"
        self._start: MutableMapping[str, Any] | None = None
        self._held = b""

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        self.begun = True
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            kind = headers.get(b"content-type", b"")
            added = dict(HEADERS)
            if self._keep:
                added["cache-control"] = self._keep
            added["content-security-policy"] = content_policy(self._nonce)
            known = {k.encode(): v.encode() for k, v in added.items()}
            kept = [(k, v) for k, v in message["headers"] if k.lower() not in known]
            message = {**message, "headers": [*kept, *known.items()]}
            if kind.startswith(b"text/html"):
                self._start = message
                return
        elif self._start is not None:
            self._held += message.get("body", b"")
            if message.get("more_body"):
                return
            start, self._start = self._start, None
            body = self._held.replace(SCRIPT, f'{SCRIPT.decode()} nonce="{self._nonce}"'.encode())
            kept = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
            length = (b"content-length", str(len(body)).encode())
            await self._send({**start, "headers": [*kept, length]})
            message = {**message, "body": body}
        await self._send(message)


def _measured(path: str, headers: Mapping[str, str], receive: Receive) -> Receive:
    most = MOST_UPLOAD if path.startswith("/_nicegui/client/") else MOST_BYTES
    length = headers.get("content-length", "")
    refusal = TooLarge(f"a request may have {most:,} bytes at most.")
    if length.isdecimal() and int(length) > most:
        raise refusal
    seen = 0

    async def measured() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise refusal
        return message

    return measured


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _reply(
    send: Send, status: int, body: bytes, *, kind: str = "text/plain", **headers: str
) -> None:
    said = {
        **HEADERS,
        "content-type": f"{kind}; charset=utf-8",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "content-security-policy": content_policy(secrets.token_urlsafe(18)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    encoded = [(k.encode(), v.encode("latin-1")) for k, v in said.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def login_page(wrong: str = "") -> bytes:
    """The page that asks for the token; it shows nothing that came with the request."""
    line = f'<p class="told on" role="alert">{wrong}</p>' if wrong else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in · collegium</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/_studio/studio.css"></head>
<body class="login"><main><h1>collegium</h1>{line}
<form method="post" action="/login"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button class="primary" type="submit">Sign in</button></form>
<p class="dim">The token stands in the file that the studio was started with.</p>
</main></body></html>""".encode()


def _cookie(headers: Mapping[str, str]) -> str:
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    bare = colon and port.isdecimal() and (":" not in name or name.endswith("]"))
    return name if bare else host
