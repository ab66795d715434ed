"""A client of worlds over HTTP that reads what a model wrote (AgentGym, arXiv 2406.04151).

What a model wrote holds a thought and, after ``Action:``, the move. The client sends the move on. A
text with no action, or with more than one, makes no move: it is answered with an error observation
and counts as a round.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from collegium.errors import BadInput, CollegiumError
from collegium.worlds.play import Turn

ACTION = "Action:"
_OTHER = re.compile(r"[^A-Za-z0-9, ]")


class About(msgspec.Struct, frozen=True):
    """What a server serves."""

    name: str
    split: str
    size: int
    rounds: int
    rules: str
    letters: bool = False


class Said(msgspec.Struct, frozen=True):
    """A message of a conversation; ``loss`` says whether a learner learns from it."""

    role: str
    text: str
    loss: bool | None = None


class WorldClient:
    """One world on a server.

    Args:
        url: Of the server.
        token: What it asks for.
        http: An HTTP client to use (``httpx.AsyncClient``); None: one of its own.
    """

    def __init__(self, url: str, *, token: str | None = None, http: Any = None) -> None:
        import httpx

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = http or httpx.AsyncClient(timeout=60)
        self._own, self._url, self._headers = http is None, url.rstrip("/"), headers
        self.about = About("", "", 0, 0, "")
        self.id = -1
        self.rounds = 0
        self.last = Turn("")

    async def open(self) -> WorldClient:
        """Ask what is served, and create a world.

        Raises:
            BadInput: The server refuses.
        """
        self.about = msgspec.convert(await self._ask("GET", "/"), About)
        created = await self._ask("POST", "/create", {})
        self.id = created.pop("id")
        self.last = msgspec.convert(created, Turn)
        return self

    def __len__(self) -> int:
        return self.about.size

    @property
    def opening(self) -> tuple[Said, Said]:
        """The two messages that begin every conversation: what is to be done, and that it is."""
        form = (
            f"{self.about.rules}\n\nWrite a thought, then one move in a line of its own that "
            f"begins with {ACTION}"
        )
        return Said("user", form), Said("assistant", "Understood.", loss=False)

    async def reset(self, number: int, seed: int | None = None) -> str:
        """Begin a task; gives what is to be seen at first.

        Raises:
            BadInput: There is no such task.
        """
        body = {"id": self.id, "data_idx": number} | ({} if seed is None else {"seed": seed})
        answer = await self._ask("POST", "/reset", body)
        answer.pop("id", None)
        self.last, self.rounds = msgspec.convert(answer, Turn), 0
        return self.last.observation

    async def observe(self) -> str:
        """What was last to be seen in the world."""
        return await self._ask("GET", f"/observation?id={self.id}")

    async def actions(self) -> list[str]:
        """Moves that can be made now."""
        return await self._ask("GET", f"/available_actions?id={self.id}")

    async def step(self, text: str) -> Turn:
        """Make the move that a model wrote; the last round ends the play.

        Raises:
            BadInput: The server refuses, as after the end.
        """
        action, problem = read_action(text, letters=self.about.letters)
        self.rounds += 1
        if problem:
            turn = Turn(f"Error: {problem}")
        else:
            sent = {"id": self.id, "action": action}
            turn = msgspec.convert(await self._ask("POST", "/step", sent), Turn)
        if self.rounds >= self.about.rounds and not turn.done:
            turn = msgspec.structs.replace(turn, done=True)
        self.last = turn
        return turn

    async def close(self) -> None:
        """Close the world, and the connection if it is the client's own."""
        try:
            if self.id >= 0:
                await self._ask("POST", "/close", {"id": self.id})
        finally:
            if self._own:
                await self._http.aclose()

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        import httpx

        try:
            answer = await self._http.request(
                method,
                f"{self._url}{path}",
                headers=self._headers,
                content=None if body is None else msgspec.json.encode(body),
            )
            data = msgspec.json.decode(answer.content)
        except httpx.HTTPError as error:
            raise BadInput(f"no world answers at {self._url}: {error}.") from None
        except msgspec.DecodeError:
            raise BadInput(f"what answers at {self._url} is no server of worlds.") from None
        if answer.status_code >= 500:
            raise WorldFailed(data.get("error", "the server failed"))
        if answer.status_code >= 400:
            raise BadInput(f"the server refused ({answer.status_code}): {data.get('error')}")
        return data


class WorldFailed(CollegiumError):
    """A world on a server failed by itself."""


def read_action(text: str, *, letters: bool = False) -> tuple[str, str]:
    """The move in what a model wrote, and what is wrong with it ("": nothing).

    Args:
        text: What it wrote.
        letters: Leave out all but letters, digits, commas and spaces.
    """
    parts = text.split(ACTION)
    if len(parts) != 2:
        said = "no move" if len(parts) == 1 else f"{len(parts) - 1} moves"
        return "", f"write exactly one line with {ACTION} - there was {said}; nothing was done."
    action = parts[1].strip()
    if letters:
        action = " ".join(_OTHER.sub("", action.partition("\n")[0]).split())
    return action, "" if action else f"there is nothing after {ACTION} and nothing was done."
