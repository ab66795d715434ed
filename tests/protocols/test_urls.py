"""Addresses that others give us."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from collegium.errors import BadInput, Denied
from collegium.protocols import urls
from collegium.protocols.urls import Allowed


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What each look-up of a name is told, in turn; the last answer stays."""
    told: dict[str, list[list[str]]] = {}

    async def addresses(host: str, port: int) -> list[Any]:
        answers = told[host]
        return [ip_address(a) for a in (answers.pop(0) if len(answers) > 1 else answers[0])]

    monkeypatch.setattr(urls, "_addresses", addresses)
    return told


@pytest.mark.must_show("interop", 7)
async def test_the_connection_goes_to_the_address_that_was_checked(
    names: dict[str, list[list[str]]],
) -> None:
    names["rebind.example"] = [["93.184.215.14"], ["169.254.169.254"]]
    url, host = await Allowed(["rebind.example"]).resolve("http://rebind.example/x")
    assert (url, host) == ("http://93.184.215.14:80/x", "rebind.example")


@pytest.mark.parametrize("inside", ["10.0.0.7", "169.254.169.254", "127.0.0.1", "::1", "fd00::1"])
async def test_a_name_that_leads_inside_is_refused_also_beside_a_public_one(
    names: dict[str, list[list[str]]], inside: str
) -> None:
    names["mixed.example"] = [["93.184.215.14", inside]]
    with pytest.raises(Denied, match="private network"):
        await Allowed(["mixed.example"]).resolve("https://mixed.example/")


@pytest.mark.parametrize(
    "url", ["http://user:pw@example.com/", "http://other.example/", "http://169.254.0.1/"]
)
async def test_what_nobody_allowed_is_refused(url: str) -> None:
    with pytest.raises(Denied):
        await Allowed(["example.com"]).resolve(url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://", "http://[::1", "gopher://a/"])
async def test_what_is_no_http_address_is_bad_input(url: str) -> None:
    with pytest.raises(BadInput):
        await Allowed(["a"]).resolve(url)
