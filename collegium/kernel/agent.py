"""An agent: a named process of the kernel, with a profile, a history and tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from collegium.errors import BadInput, LimitReached
from collegium.kernel.calls import (
    AskHuman,
    Generate,
    Image,
    Mail,
    Message,
    Receive,
    Reply,
    Send,
    ToolSpec,
    Unparsed,
    UseTool,
)
from collegium.kernel.outputs import ANSWER_LINE, Output, Worked, output_of
from collegium.kernel.resources import (
    Load,
    Method,
    Note,
    Recall,
    Remember,
    Store,
    Version,
)

if TYPE_CHECKING:
    from collegium.kernel.kernel import Kernel

T = TypeVar("T")

CONCLUSION_TOKENS = 64
"""Cap on the short reply that states the answer of reasoning that left it out."""


class Agent:
    """A named role in a system. Made by :meth:`Kernel.agent`; all it does is a kernel call.

    Attributes:
        name: Unique within the run.
        role: Chooses the model.
        profile: Its system prompt.
        tools: Names of the tools it may use.
        priority: Of its model calls, for schedulers that heed it.
        history: The turns of its own conversation, kept by ``ask(..., keep=True)``.
    """

    def __init__(
        self,
        kernel: Kernel,
        name: str,
        *,
        profile: str = "",
        role: str | None = None,
        tools: tuple[str, ...] = (),
        priority: int = 0,
    ) -> None:
        self.kernel, self.name, self.profile, self.tools = kernel, name, profile, tools
        self.priority = priority
        self.role = role if role is not None else re.sub(r"-?\d+$", "", name)
        self.history: list[Message] = []
        self._calls = 0

    @overload
    async def ask(
        self,
        prompt: str,
        *,
        output: type[T] = str,
        n: None = None,
        temperature: float = ...,
        top_p: float = ...,
        max_tokens: int | None = ...,
        stop: Sequence[str] = ...,
        images: Sequence[Image] = ...,
        tools: bool = ...,
        logprobs: int = ...,
        beams: int = ...,
        adapters: Sequence[tuple[str, float]] = ...,
        keep: bool = ...,
        repair: bool = ...,
        sources: Sequence[int] = ...,
    ) -> Reply[T]: ...

    @overload
    async def ask(
        self,
        prompt: str,
        *,
        output: type[T] = str,
        n: int,
        temperature: float = ...,
        top_p: float = ...,
        max_tokens: int | None = ...,
        stop: Sequence[str] = ...,
        images: Sequence[Image] = ...,
        tools: bool = ...,
        logprobs: int = ...,
        beams: int = ...,
        adapters: Sequence[tuple[str, float]] = ...,
        keep: bool = ...,
        repair: bool = ...,
        sources: Sequence[int] = ...,
    ) -> list[Reply[T]]: ...

    async def ask(
        self,
        prompt: str,
        *,
        output: type[Any] = str,
        n: int | None = None,
        temperature: float = 0.7,
        top_p: float = 1.0,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        images: Sequence[Image] = (),
        tools: bool = False,
        logprobs: int = 0,
        beams: int = 1,
        adapters: Sequence[tuple[str, float]] = (),
        keep: bool = False,
        repair: bool = True,
        sources: Sequence[int] = (),
    ) -> Reply[Any] | list[Reply[Any]]:
        """Ask the agent's model; read the reply as a typed value.

        A reply that does not fit its type is asked for once more, with the reason; if that
        fails too its ``data`` is :class:`Unparsed`. A reply may thus cost two generations.

        Args:
            prompt: The user turn; "" goes on from the history as it stands.
            output: The type wanted (see :func:`collegium.kernel.outputs.output_of`).
            n: None for one reply; a number for a list of that many samples of one prompt.
            temperature: Sampling temperature.
            top_p: Nucleus sampling mass.
            max_tokens: Cap on completion tokens per sample.
            stop: Sequences the reply ends before.
            images: Pictures that go with the prompt.
            tools: Whether the model may ask for the agent's tools natively.
            logprobs: Alternatives per token to report.
            beams: Width of a beam search for the likeliest text (embedded models); 1: sampling.
            adapters: LoRA adapters to apply, as (name, scale).
            keep: Go on from the history and add both turns to it (single replies only).
            repair: Whether to ask once more when a reply does not fit.
            sources: Trace ids of the calls this prompt was made from.

        Raises:
            LimitReached: A limit of the run is used up.
            ModelError: The model could not answer.
        """
        if n is not None and n < 1:
            raise BadInput(f"agent {self.name!r} asked for {n} samples; the fewest is 1.")
        wanted = output_of(output)
        turns = [Message("system", self.profile)] if self.profile else []
        turns += self.history if keep else []
        if prompt:
            turns.append(Message("user", prompt, images=tuple(images)))
        call = Generate(
            agent=self.name,
            role=self.role,
            messages=tuple(turns),
            n=n or 1,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            stop=tuple(stop),
            seed=self._next_seed(),
            schema=wanted.schema,
            tools=self._specs() if tools else (),
            logprobs=logprobs,
            beams=beams,
            adapters=tuple(adapters),
            sources=tuple(sources),
            priority=self.priority,
        )
        replies = [await self._read(r, call, wanted, repair) for r in await self.kernel.call(call)]
        if keep:
            self.history = turns[1:] if self.profile else turns
            self.history.append(
                Message("assistant", replies[0].text, tool_calls=replies[0].tool_calls)
            )
        return replies[0] if n is None else replies

    async def use(self, tool: str, /, **arguments: Any) -> Any:
        """Run one of the agent's tools.

        Raises:
            UnknownName: The agent has no such tool.
            BadInput: An argument is wrong.
        """
        return await self.kernel.call(UseTool(agent=self.name, tool=tool, arguments=arguments))

    async def send(self, to: Agent | str, text: str, *, sources: Sequence[int] = ()) -> None:
        """Put a message into another agent's mailbox."""
        name = to if isinstance(to, str) else to.name
        await self.kernel.call(Send(agent=self.name, to=name, text=text, sources=tuple(sources)))

    async def receive(self) -> tuple[Mail, ...]:
        """Take all waiting messages, ordered by sender's name and then by time."""
        return await self.kernel.call(Receive(agent=self.name))

    async def ask_human(self, question: str) -> str:
        """Put a question to the user."""
        return await self.kernel.call(AskHuman(agent=self.name, question=question))

    async def remember(
        self,
        text: str,
        *,
        bank: str = "",
        note: str = "",
        tags: Sequence[str] = (),
        links: Sequence[str] = (),
        sources: Sequence[int] = (),
    ) -> str:
        """Keep a text in memory; returns the note's id.

        Args:
            text: What to remember.
            bank: Another agent's bank, or ``@group``; "" is its own.
            note: Id of the note it replaces; "" makes a new one.
            tags: Labels.
            links: Ids of notes to link it to.
            sources: Trace ids of the calls it was made from.

        Raises:
            Denied: The bank is not the agent's to write.
        """
        call = Remember(
            agent=self.name,
            text=text,
            bank=bank,
            note=note,
            tags=tuple(tags),
            links=tuple(links),
            sources=tuple(sources),
        )
        return await self.kernel.call(call)

    async def recall(
        self,
        query: str,
        *,
        k: int = 5,
        bank: str = "",
        method: Method = "hybrid",
        least: float = 0.0,
    ) -> tuple[Note, ...]:
        """Find notes in memory, best first.

        Args:
            query: What to look for.
            k: How many at most.
            bank: Another agent's bank, or ``@group``; "" is its own.
            method: By meaning ("vector"), by words ("text") or both ("hybrid").
            least: Lowest score that counts, 0 to 1.

        Raises:
            Denied: The bank is not the agent's to read.
        """
        call = Recall(agent=self.name, query=query, k=k, bank=bank, method=method, least=least)
        return await self.kernel.call(call)

    async def store(self, path: str, text: str, *, owner: str = "") -> Version:
        """Write a file of its storage (or of another agent's that is shared with it).

        Raises:
            Denied: It may not write there, or overwriting was not permitted.
            BadInput: The path leads outside the folder.
        """
        return await self.kernel.call(Store(agent=self.name, path=path, text=text, owner=owner))

    async def load(self, path: str, *, version: int | None = None, owner: str = "") -> str:
        """Read a stored file: its newest version unless one is named.

        Raises:
            Denied: It may not read there.
            UnknownName: There is no such file or version.
        """
        call = Load(agent=self.name, path=path, version=version, owner=owner)
        return await self.kernel.call(call)

    def _next_seed(self) -> int | None:
        self._calls += 1
        return self.kernel.call_seed(self.name, self._calls)

    def _specs(self) -> tuple[ToolSpec, ...]:
        return tuple(self.kernel.tools[name].spec for name in self.tools)

    async def _read(
        self, reply: Reply[Any], call: Generate, wanted: Output[Any], repair: bool
    ) -> Reply[Any]:
        """Decode a reply; ask once more when it does not fit, if wanted."""
        if reply.tool_calls:
            return reply
        data = wanted.decode(reply.text, cut=reply.finish == "length")
        plain_text = wanted.schema is None and not wanted.reasoned
        if not isinstance(data, Unparsed) or plain_text or not repair:
            return msgspec.structs.replace(reply, data=data)
        try:
            if wanted.reasoned:
                return await self._conclude(reply, call, wanted)
            return await self._repair(reply, call, wanted, data)
        except LimitReached:  # the reply itself was paid for: it stays, as an abstention
            return msgspec.structs.replace(reply, data=data)

    async def _repair(
        self, reply: Reply[Any], call: Generate, wanted: Output[Any], data: Unparsed
    ) -> Reply[Any]:
        """Ask for the whole value again, saying what was wrong with the first."""
        if reply.finish == "length":
            problem = "Your reply was cut off before it was complete; be much shorter."
        else:
            problem = f"That reply does not fit: {data.reason}."
        second = await self._again(reply, call, f"{problem} Reply with the JSON object alone.")
        data = wanted.decode(second.text, cut=second.finish == "length")
        return msgspec.structs.replace(second, data=data)

    async def _conclude(self, reply: Reply[Any], call: Generate, wanted: Output[Any]) -> Reply[Any]:
        """Ask for the answer that worked reasoning left out; the reply then holds both."""
        alone = output_of(wanted.type)
        form = 'the JSON object {"answer": ...}' if alone.wrapped else "that answer"
        if alone.schema is not None and not alone.wrapped:
            form = "the JSON object"
        second = await self._again(
            reply,
            msgspec.structs.replace(
                call, schema=alone.schema, temperature=0.0, max_tokens=CONCLUSION_TOKENS
            ),
            f"So what is your final answer? Reply with {form} alone.",
        )
        answer = alone.decode(second.text, cut=second.finish == "length")
        if isinstance(answer, Unparsed):
            return msgspec.structs.replace(second, text=reply.text, data=answer)
        stated = answer if isinstance(answer, str) else msgspec.json.encode(answer).decode()
        text = f"{reply.text.rstrip()}\n{ANSWER_LINE} {stated}"
        return msgspec.structs.replace(
            second, text=text, data=Worked(reply.text.strip(), answer), logprobs=reply.logprobs
        )

    async def _again(self, reply: Reply[Any], call: Generate, request: str) -> Reply[Any]:
        """Put a request after a reply that does not fit; the turn is labelled a fix of it."""
        turns = (Message("assistant", reply.text), Message("user", request))
        repair = msgspec.structs.replace(
            call,
            messages=(*call.messages, *turns),
            n=1,
            seed=self._next_seed(),
            parent=reply.call,
            sources=(reply.call,),
            outcome="fix",
        )
        (second,) = await self.kernel.call(repair)
        return second
