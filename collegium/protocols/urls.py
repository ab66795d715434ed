"""Addresses that others give us: followed only where somebody has allowed it, and never inside.

Whoever can make a server fetch an address can read what only that server reaches (server-side
request forgery): a metadata service, a neighbour's page. So an address is followed only when its
host was allowed by name, and its name leads to no private address; the connection is made to the
very address that was checked, so that a name cannot mean something else a moment later.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import httpx
import msgspec

from collegium.errors import BadInput, Denied
from collegium.protocols.messages import TEXT, Message, Part

MOST_BYTES = 1 << 20
"""Bytes that are fetched from one address."""

SECONDS = 10.0

Address = IPv4Address | IPv6Address


class Allowed:
    """Which hosts may be fetched from, or told of what happened.

    Args:
        hosts: Host names, or ``host:port``; none: no address is followed.
        anywhere: Follow every address that is public.
    """

    def __init__(self, hosts: Collection[str] = (), *, anywhere: bool = False) -> None:
        self._hosts, self._anywhere = {h.lower() for h in hosts}, anywhere

    def __bool__(self) -> bool:
        return bool(self._hosts)

    async def resolve(self, url: str) -> tuple[str, str]:
        """The address with an IP number in place of its host, and the host.

        Args:
            url: What somebody asks us to follow.

        Raises:
            BadInput: It is no http address.
            Denied: It may not be followed.
        """
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise BadInput(f"{url[:200]!r} is not an address.") from None
        if parts.scheme not in ("http", "https") or not host:
            raise BadInput(f"{url[:200]!r} is not an http address.")
        if parts.username or parts.password:
            raise Denied("an address with a name and a password in it is not followed.")
        port = port or (443 if parts.scheme == "https" else 80)
        allowed = host in self._hosts or f"{host}:{port}" in self._hosts
        if not allowed and not self._anywhere:
            raise Denied(
                f"{host} is not among the hosts that may be fetched from; the server's owner can "
                "allow it with --allow-host."
            )
        addresses = await _addresses(host, port)  # once: a second look may be told something else
        for address in addresses:
            named = allowed and host in (str(address), "localhost")
            if not address.is_global and not (named and address.is_loopback):
                raise Denied(f"{host} leads to {address}, which is inside a private network.")
        number = addresses[0]
        shown = f"[{number}]" if number.version == 6 else str(number)
        return parts._replace(netloc=f"{shown}:{port}").geturl(), host

    async def permits(self, url: str) -> bool:
        """Whether an address may be followed."""
        try:
            await self.resolve(url)
        except (BadInput, Denied):
            return False
        return True

    async def fetch(self, url: str) -> tuple[bytes, str]:
        """What lies at an address, and its media type. Redirections are not followed.

        Raises:
            BadInput: It cannot be fetched, or is too large.
            Denied: It may not be followed.
        """
        number, host = await self.resolve(url)
        port = urlsplit(number).port
        headers = {"host": f"{host}:{port}"}
        extensions = {"sni_hostname": host}
        try:
            async with (
                httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client,
                client.stream("GET", number, headers=headers, extensions=extensions) as reply,
            ):
                if reply.status_code != 200:
                    raise BadInput(f"{host} answered with status {reply.status_code}.")
                body = b""
                async for chunk in reply.aiter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise BadInput(f"what {host} sends is larger than {MOST_BYTES:,} bytes.")
                return body, reply.headers.get("content-type", TEXT).partition(";")[0]
        except httpx.HTTPError as error:
            raise BadInput(f"{host} could not be fetched from: {type(error).__name__}.") from None


async def _addresses(host: str, port: int) -> list[Address]:
    try:
        return [ip_address(host)]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        found = []
    if not found:
        raise BadInput(f"the host {host} is not known.")
    return [ip_address(info[4][0]) for info in found]


async def with_content(messages: Sequence[Message], allowed: Allowed) -> tuple[Message, ...]:
    """Messages with what lies at the addresses in them put in their place.

    Raises:
        BadInput: An address cannot be fetched.
        Denied: It may not be followed.
    """
    filled: list[Message] = []
    for message in messages:
        parts = [await _filled(part, allowed) for part in message.parts]
        filled.append(msgspec.structs.replace(message, parts=tuple(parts)))
    return tuple(filled)


async def _filled(part: Part, allowed: Allowed) -> Part:
    if part.url is None:
        return part
    body, kind = await allowed.fetch(part.url)
    return msgspec.structs.replace(part, url=None, raw=body, media_type=kind)
