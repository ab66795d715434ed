"""What was approved of a server's tools: a tool that redefines itself afterwards is refused.

The description of a tool goes into prompts, so whoever controls it speaks to the model. A server
that shows one description when it is chosen and another one later ("rug pull"), or hides
instructions in characters that nobody sees, is stopped here.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from collegium.errors import BadInput
from collegium.kernel.atomic import replace

if TYPE_CHECKING:
    import mcp_types

Known = dict[str, dict[str, str]]
"""Digests by server and tool."""


def default_pins() -> Path:
    """Where approvals are kept: ``tools.json`` beside the run store."""
    from collegium.kernel.store import default_path

    return default_path().with_name("tools.json")


def digest(tool: mcp_types.Tool) -> str:
    """A hash over all that a tool says of itself."""
    told = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
    told.pop("_meta", None)  # notes of the transport, which no model is shown
    return sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()


def hidden(text: str) -> list[str]:
    """Names of the characters in a text that a reader cannot see but a model can."""
    found = {c for c in text if unicodedata.category(c) in ("Cf", "Co", "Cn")}
    return sorted(unicodedata.name(c, f"U+{ord(c):04X}") for c in found)


class Pins:
    """Approvals in a file.

    A server that is used for the first time was just named by the user: its tools are approved as
    they are then, except those that hide something. After that, whatever changes waits for
    :meth:`approve`.

    Args:
        path: The file; None: the user's own.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_pins()

    def check(self, server: str, tools: Iterable[mcp_types.Tool]) -> dict[str, str]:
        """The tools that may not be used, each with the reason.

        Args:
            server: As the user names it.
            tools: What it says of its tools now.

        Raises:
            BadInput: The file cannot be read or written.
        """
        known = self._read()
        listed = list(tools)
        if server not in known:
            clean = [t for t in listed if not _hidden(t)]
            known[server] = {t.name: digest(t) for t in clean}
            self._write(known)
        blocked: dict[str, str] = {}
        for tool in listed:
            pinned = known[server].get(tool.name)
            if pinned == digest(tool):
                continue
            if pinned is not None:
                what = "describes itself otherwise than when it was approved"
            elif unseen := _hidden(tool):
                what = f"hides characters in its description ({', '.join(unseen[:3])})"
            else:
                what = "was not there when the server's tools were approved"
            blocked[tool.name] = (
                f"tool {tool.name!r} {what}; read it and approve it with: "
                f"collegium tools approve {_spelled(server)!r}"
            )
        return blocked

    def approve(self, server: str, tools: Iterable[mcp_types.Tool]) -> None:
        """Approve tools as they are now.

        Raises:
            BadInput: The file cannot be read or written.
        """
        known = self._read()
        known[server] = {t.name: digest(t) for t in tools}
        self._write(known)

    def _read(self) -> Known:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Known)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise BadInput(f"cannot read the approvals {self.path}: {error.strerror}.") from None
        except msgspec.MsgspecError as error:
            raise BadInput(f"the approvals in {self.path} are damaged: {error}.") from None

    def _write(self, known: Known) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace(self.path, msgspec.json.encode(known, order="sorted"))
            os.chmod(self.path, 0o600)
        except OSError as error:
            raise BadInput(f"cannot write the approvals {self.path}: {error.strerror}.") from None


def _hidden(tool: mcp_types.Tool) -> list[str]:
    told: Any = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
    return hidden("\n".join(_texts(told)))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _spelled(server: str) -> str:
    """A server as the command line names it."""
    return f"mcp:{server.removeprefix('stdio ')}"
