"""Agents elsewhere as members of a team: a model of its own for one role.

``--role critic=a2a:http://host:8400`` puts an agent that somebody else runs in the critic's place.
To the kernel it is a model: traced, guarded and paid for like any other. What it may spend is what
it says it has spent, or else a guess from the length of what was said.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

import msgspec

from collegium.errors import BadInput, ModelError
from collegium.kernel import Generate, Reply, Usage
from collegium.kernel.calls import Message as Turn
from collegium.kernel.limits import prompt_estimate
from collegium.models.model import OnText
from collegium.protocols.caller import Caller
from collegium.protocols.callers import open_caller
from collegium.protocols.messages import Message, said

CHARACTERS_PER_TOKEN = 3.5


class Member:
    """A model that is an agent elsewhere.

    Args:
        name: Such as ``a2a:http://host:8400``; see
            :func:`collegium.protocols.callers.open_caller`.
    """

    context = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.fingerprint = f"agent:{name}"
        self._callers: WeakKeyDictionary[asyncio.AbstractEventLoop, Caller] = WeakKeyDictionary()
        self._caller()  # a wrong name shows now, not in the middle of a run

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """Ask the agent; see :class:`collegium.models.Model`.

        Sampling is the agent's own affair, so temperature, seed and stop sequences do not reach
        it. A schema is told to it in words; whether the reply keeps to it is checked afterwards,
        as with any model.

        Raises:
            BadInput: The request has tools, a grammar or pictures.
            ModelError: The agent failed, or asked something back.
        """
        wanted = {
            "tools": request.tools,
            "a grammar": request.grammar,
            "adapters": request.adapters,
            "pictures": any(m.images for m in request.messages),
        }
        for what, held in wanted.items():
            if held:
                raise BadInput(f"{self.name!r} is an agent elsewhere, and cannot be given {what}.")
        messages = conversation(request)
        samples = [self._sample(messages, request, i, on_text) for i in range(request.n)]
        return tuple(await asyncio.gather(*samples))

    async def _sample(
        self, messages: list[Message], request: Generate, number: int, on_text: OnText | None
    ) -> Reply:
        answer = await self._caller().ask(messages)
        if answer.state == "awaiting":
            raise ModelError(f"{self.name} asked something back: {answer.question[:200]}")
        if on_text:
            on_text(number, answer.text)
        prompt = prompt_estimate(request)
        if answer.tokens is None:
            usage = Usage(prompt=prompt, completion=int(len(answer.text) / CHARACTERS_PER_TOKEN))
        else:
            usage = Usage(prompt=min(prompt, answer.tokens))
            rest = answer.tokens - usage.prompt
            usage = msgspec.structs.replace(usage, completion=rest)
        return Reply(answer.text, usage=usage)

    async def aclose(self) -> None:
        """Close this event loop's connections."""
        caller = self._callers.pop(asyncio.get_running_loop(), None)
        if caller is not None:
            await caller.aclose()

    def _caller(self) -> Caller:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return open_caller(self.name)
        if loop not in self._callers:
            self._callers[loop] = open_caller(self.name)
        return self._callers[loop]


def conversation(request: Generate) -> list[Message]:
    """A request as one message: an agent elsewhere knows nothing of what was said before."""
    turns = [Turn(m.role, m.text) for m in request.messages if m.text.strip()]
    if request.schema is not None:
        schema = msgspec.json.encode(request.schema).decode()
        told = f"Reply with JSON alone, valid under this JSON schema: {schema}"
        turns.append(Turn("user", told))
    if len(turns) == 1:
        return [said(turns[0].text)]
    who = {"system": "", "user": "", "assistant": "You said before:\n", "tool": "Result:\n"}
    return [said("\n\n".join(f"{who[t.role]}{t.text.strip()}" for t in turns))]
