"""The system calls of an agent, and what comes back.

A call is a frozen struct: data that can be traced, hashed, replayed and sent to another machine.
A new kind of call is a new subclass of :class:`Call` plus a driver that the kernel is given for it;
traces read it back by its tag.
None of these can be part of a reference cycle, so the garbage collector need not track them: a
trace of a million events costs it nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec

Role = Literal["system", "user", "assistant", "tool"]
Outcome = Literal["ok", "error", "fix", "teacher", "observation"]
Origin = Literal["live", "cache", "journal"]

T = TypeVar("T")


class Unparsed(msgspec.Struct, frozen=True, tag="unparsed"):
    """A reply that could not be read as the type that was asked for: an abstention, not an error.

    Attributes:
        text: What the model wrote instead.
        reason: Why it could not be read.
    """

    text: str = ""
    reason: str = ""

    def __bool__(self) -> bool:
        return False


class Image(msgspec.Struct, frozen=True):
    """A picture in a message: its bytes and their media type ("image/png")."""

    data: bytes
    media_type: str = "image/png"


class ToolCall(msgspec.Struct, frozen=True):
    """A tool that a model asks for, with decoded arguments."""

    id: str
    name: str
    arguments: dict[str, Any]


class ToolSpec(msgspec.Struct, frozen=True):
    """What a model is told of a tool: name, description, JSON schema of its parameters."""

    name: str
    description: str
    parameters: dict[str, Any]


class Message(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One turn of a conversation: text, pictures, and the tool calls or result it carries."""

    role: Role
    text: str
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What a call cost: tokens (cached ones are part of prompt), and money in US dollars."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    money: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.money + other.money,
        )

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt + self.completion


class TokenLogprob(msgspec.Struct, frozen=True, gc=False):
    """Natural-log probability of a generated token, with the likeliest alternatives."""

    token: str
    logprob: float
    top: dict[str, float] = {}


class Reply(msgspec.Struct, Generic[T], frozen=True, omit_defaults=True, gc=False):
    """What a model answered: one sample.

    Attributes:
        text: The text, cut at the first stop sequence.
        data: The decoded value when a typed output was asked for (or :class:`Unparsed`).
        tool_calls: Tools the model asks for.
        logprobs: One entry per generated token, when asked for.
        usage: Cost; of several samples that share a prompt, the first carries the prompt.
        finish: Why generation ended: "stop", "length" (the cap was hit) or "tool".
        call: Id of the trace event that produced it (-1 outside a kernel).
        origin: "live" from the model, "cache" from the response cache, "journal" from an
            interrupted run that is being resumed.
    """

    text: str
    data: T | Unparsed | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    usage: Usage = Usage()
    finish: Literal["stop", "length", "tool"] = "stop"
    call: int = -1
    origin: Origin = "live"


class Call(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True, gc=False):
    """A system call: who makes it, and which earlier event it answers or repairs.

    Attributes:
        agent: Name of the calling agent.
        parent: Trace id of the call this one repairs or retries.
        sources: Trace ids of the calls whose results this one was made from (its lineage).
        result: Type of what comes back: a recorded answer is read as it.
    """

    result: ClassVar[Any] = Any

    agent: str
    parent: int | None = None
    sources: tuple[int, ...] = ()


class Generate(Call, frozen=True, kw_only=True, tag="generate", omit_defaults=True):
    """Ask a model for ``n`` samples; the result is a tuple of ``n`` :class:`Reply`.

    Attributes:
        role: The agent's role, which chooses its model (``--role verifier=...``).
        messages: The conversation so far.
        n: How many samples, all from one reading of the prompt.
        temperature: Sampling temperature; 0 is greedy.
        top_p: Nucleus sampling mass.
        max_tokens: Cap on completion tokens per sample; None: the model's own.
        stop: Sequences the reply ends before; cut by the kernel whatever the engine does.
        seed: Seed of sample 0; sample i is drawn with ``seed + i``.
        schema: JSON schema the text must satisfy.
        grammar: Grammar the text must follow, in llama.cpp's GBNF notation (``root ::= ...``).
            Models behind an API refuse it.
        tools: Tools the model may ask for.
        logprobs: How many alternatives per token to report (0: no log-probs).
        adapters: LoRA adapters to apply, as (name, scale).
        prefill: The last message is an assistant's unfinished turn to go on with.
        outcome: How the turn is to be labelled in training data ("fix" for a repair,
            "teacher" for a stronger model's turn).
        priority: Higher ones go first where the scheduler heeds it.
        beams: Width of a beam search for the likeliest text, on models that search; 1: sampling.
    """

    role: str
    messages: tuple[Message, ...]
    n: int = 1
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    schema: dict[str, Any] | None = None
    grammar: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    logprobs: int = 0
    adapters: tuple[tuple[str, float], ...] = ()
    prefill: bool = False
    outcome: Outcome = "ok"
    priority: int = 0
    beams: int = 1


class UseTool(Call, frozen=True, kw_only=True, tag="use-tool"):
    """Run a tool with arguments; the result is whatever the tool returns, as JSON-able data.

    Attributes:
        tool: The tool.
        arguments: By parameter.
        tentative: Made to see what would come of it; the world is taken back afterwards. What
            cannot be undone is refused.
    """

    tool: str
    arguments: dict[str, Any]
    tentative: bool = False


class Mail(msgspec.Struct, frozen=True):
    """A message as received: who sent it, the text, and the sending event's id."""

    sender: str
    text: str
    call: int = -1


class Send(Call, frozen=True, kw_only=True, tag="send"):
    """Put a message into another agent's mailbox."""

    to: str
    text: str


class Receive(Call, frozen=True, kw_only=True, tag="receive"):
    """Take all waiting messages out of the caller's mailbox (a tuple of :class:`Mail`)."""

    result: ClassVar[Any] = tuple[Mail, ...]


class AskHuman(Call, frozen=True, kw_only=True, tag="ask-human"):
    """Put a question to the person at the terminal or page; the result is their text."""

    question: str


def call_types() -> dict[str, type[Call]]:
    """Every kind of call that is defined at this moment, by tag."""
    found: dict[str, type[Call]] = {}
    waiting = list(Call.__subclasses__())
    while waiting:
        kind = waiting.pop()
        found[str(kind.__struct_config__.tag)] = kind
        waiting += kind.__subclasses__()
    return found


class OtherCall(Call, frozen=True, kw_only=True, tag="other"):
    """A recorded call whose kind this program does not know (its module was not imported).

    Attributes:
        kind: Its tag.
        fields: What it said.
    """

    kind: str = ""
    fields: dict[str, Any] = {}
