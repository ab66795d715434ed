"""Requests to an engine's server: a real one that writes as an engine does, over real sockets."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from collegium.errors import Transient
from collegium.models.engine_client import asked, asking, pieces

EVENTS = [f'data: {{"n": {n}}}\n\n'.encode() for n in range(40)]


@asynccontextmanager
async def engine(*, dies_after=None, last=b"data: [DONE]\n\n"):
    """Writes an event every few milliseconds; gives what a request needs to know of it."""
    asked_for = []

    async def answer(reader, writer):
        asked_for.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for number, event in enumerate([*EVENTS, last]):
            if number == dies_after:
                writer.transport.abort()
                return
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(0.002)
        writer.write(b"0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield SimpleNamespace(
            address=f"http://127.0.0.1:{port}",
            token="secret-key",
            ends_within=lambda seconds: False,
            last_words=lambda default: default,
            asked=asked_for,
        )


async def taken(server, every):
    async with asking(server, "m", "POST", "/v1", {"a": 1}) as response:
        return [piece async for piece in pieces(response, every)]


@pytest.mark.parametrize("every", [None, 0.0, 0.02, 60.0])
async def test_a_stream_is_whole_however_its_pieces_are_gathered(every):
    async with engine() as server:
        found = await taken(server, every)
    assert b"".join(found) == b"".join([*EVENTS, b"data: [DONE]\n\n"])


async def test_tokens_that_nobody_waits_for_wake_nobody():
    async with engine() as server:
        found = await taken(server, None)
    # one at once, and one at the end; more only where several were there before we looked
    assert len(found) <= 3
    assert found[0] != b"".join(found)


async def test_tokens_that_come_quickly_come_together():
    async with engine() as server:
        one_by_one, gathered = await taken(server, 0.0), await taken(server, 60.0)
    assert len(gathered) <= 4 < len(one_by_one)


async def test_a_connection_that_breaks_off_is_an_error_and_no_wait():
    async with engine(dies_after=5) as server:
        with pytest.raises(Transient, match="'m' failed"):
            await taken(server, None)


async def test_a_whole_reply_is_read_and_the_key_is_sent():
    async with engine(last=b"[]") as server:
        async with asking(server, "m", "GET", "/slots") as response:
            assert (await response.read()).endswith(b"[]")
        assert b"authorization: bearer secret-key" in server.asked[0].lower()
        assert server.asked[0].startswith(b"GET /slots ")


async def test_nobody_there_is_an_error():
    async with engine() as server:
        pass
    with pytest.raises(Transient, match="connection"):
        await asked(server, "m", "GET", "/slots")
