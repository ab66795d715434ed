"""Lines that a person types, or that another program sends, read without blocking."""

from __future__ import annotations

import asyncio
import os


class Keyboard:
    """Reads lines from a file descriptor, one at a time, whatever comes at once.

    Args:
        descriptor: Where they come from, such as that of standard input.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting = b""
        self._ended = False

    async def line(self) -> str | None:
        """The next line, without its end; None when there are no more."""
        while b"\n" not in self._waiting and not self._ended:
            came = await self._read()
            self._waiting += came
            self._ended = not came
        if not self._waiting:
            return None
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    async def _read(self) -> bytes:
        loop = asyncio.get_running_loop()
        came: asyncio.Future[bytes] = loop.create_future()

        def read() -> None:
            if not came.done():
                try:
                    came.set_result(os.read(self._descriptor, 4096))
                except OSError:  # the terminal is gone
                    came.set_result(b"")

        try:
            loop.add_reader(self._descriptor, read)
        except (OSError, ValueError):  # a file on a disk is always ready
            read()
            return await came
        try:
            return await came
        finally:
            loop.remove_reader(self._descriptor)
