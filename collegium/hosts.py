"""Names of hosts: which of them mean this machine, and who calls it by another name."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine and cannot be reached from another."""
    host = host.strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def foreign_name(headers: Mapping[str, str]) -> str:
    """The name by which a request means this machine, or comes from, if it is another's.

    A web page of another site that a browser here has open must not reach a server that asks
    nobody who they are: not by its own name (``Origin``), and not by a name that it has made to
    mean this machine (``Host``).

    Args:
        headers: Of the request, by name in small letters.

    Returns:
        The name; "" where all names mean this machine.
    """
    host = headers.get("host", "")
    origin = headers.get("origin", "")
    for name in (host, origin.partition("://")[2] or origin):
        if name and not is_loopback(_without_port(name)):
            return name
    return ""


def _without_port(name: str) -> str:
    host, colon, port = name.rpartition(":")
    there = bool(colon and port.isdecimal() and (":" not in host or host.endswith("]")))
    return host if there else name
