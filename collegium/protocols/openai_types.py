"""What OpenAI's protocols send and get, as types: requests are read by them, replies described."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from collegium.tasks.task import AnswerKind

Count = Annotated[int, Meta(ge=1, le=2**31)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Temperature = Annotated[float, Meta(ge=0, le=100)]

CHAT_ROLES = Literal["user", "assistant", "system", "developer"]


class Extension(msgspec.Struct, frozen=True):
    """What a request may say beyond OpenAI's fields, under the name ``collegium``.

    Attributes:
        answer: Kind of answer wanted.
        choices: The options of a multiple-choice task.
        parameters: Of the system.
        tokens: What the run may spend.
    """

    answer: AnswerKind = "text"
    choices: tuple[str, ...] = ()
    parameters: dict[str, Any] = {}
    tokens: Count | None = None


class ContentPart(msgspec.Struct, frozen=True):
    """A piece of a message; text is all that is read."""

    type: Literal["text", "input_text", "output_text"]
    text: str


class ChatMessage(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: CHAT_ROLES
    content: str | list[ContentPart]


class StreamOptions(msgspec.Struct, frozen=True):
    """Whether the last event of a stream says what the run has spent."""

    include_usage: bool | None = None


class Form(msgspec.Struct, frozen=True):
    """The form of an answer, of which text is the only one."""

    type: Literal["text"] = "text"


class TextForm(msgspec.Struct, frozen=True):
    """The same as the protocol of responses has it."""

    format: Form | None = None


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What both requests have: which system, how it is to sample, and how to reply."""

    model: str | None = None
    stream: bool | None = None
    temperature: Temperature | None = None
    seed: Seed | None = None
    collegium: Extension | None = None


class ChatRequest(Common, frozen=True, kw_only=True):
    """A request of chat completions. Other fields of OpenAI's are refused or change nothing."""

    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    n: Literal[1] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    stream_options: StreamOptions | None = None
    response_format: Form | None = None


class ResponsesRequest(Common, frozen=True, kw_only=True):
    """A request of responses."""

    input: str | Annotated[list[ChatMessage], Meta(min_length=1)]
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: Count | None = None
    text: TextForm | None = None


# -- replies: what is written, field by field, so that a description of it can be checked


class Account(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What every reply says of its run: its id in the run store, and its bill."""

    run: str
    abstained: bool = False
    calls: int = 0
    tokens: int = 0
    limited: str = ""
    blocked: int = 0
    lost: list[str] = []


class Model(msgspec.Struct, forbid_unknown_fields=True):
    """A system as a model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(msgspec.Struct, forbid_unknown_fields=True):
    """All of them."""

    object: Literal["list"]
    data: list[Model]


class CachedTokens(msgspec.Struct, forbid_unknown_fields=True):
    """How many of them were in the cache."""

    cached_tokens: int


class ChatUsage(msgspec.Struct, forbid_unknown_fields=True):
    """Tokens of the whole run."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class ChatAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """The answer."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(msgspec.Struct, forbid_unknown_fields=True):
    """The one choice there is."""

    index: int
    message: ChatAnswer
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter"]


class ChatCompletion(msgspec.Struct, forbid_unknown_fields=True):
    """A reply of chat completions."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
    collegium: Account


class OutputText(msgspec.Struct, forbid_unknown_fields=True):
    """A text of an output."""

    type: Literal["output_text", "reasoning_text"]
    text: str
    annotations: list[Any] = []
    logprobs: list[Any] = []


class OutputItem(msgspec.Struct, forbid_unknown_fields=True):
    """The answer, or what was thought on the way to it."""

    id: str
    type: Literal["message", "reasoning"]
    status: str
    content: list[OutputText]
    role: Literal["assistant"] = "assistant"
    summary: list[Any] = []


class ReasoningTokens(msgspec.Struct, forbid_unknown_fields=True):
    """Tokens of hidden thought, of which there are none."""

    reasoning_tokens: int


class ResponseUsage(msgspec.Struct, forbid_unknown_fields=True):
    """Tokens of the whole run."""

    input_tokens: int
    input_tokens_details: CachedTokens
    output_tokens: int
    output_tokens_details: ReasoningTokens
    total_tokens: int


class Trouble(msgspec.Struct, forbid_unknown_fields=True):
    """Why a response failed."""

    code: str
    message: str


class Incomplete(msgspec.Struct, forbid_unknown_fields=True):
    """Why a response is not complete."""

    reason: Literal["max_output_tokens", "content_filter"]


class Response(msgspec.Struct, forbid_unknown_fields=True):
    """A reply of responses."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed", "cancelled"]
    error: Trouble | None
    incomplete_details: Incomplete | None
    instructions: str | None
    metadata: dict[str, str]
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    temperature: float | None
    tool_choice: str
    tools: list[Any]
    top_p: float | None
    usage: ResponseUsage | None
    collegium: Account


class ErrorDetail(msgspec.Struct, forbid_unknown_fields=True):
    """What went wrong, in a sentence."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(msgspec.Struct):
    """An error as OpenAI's clients read it; one from the door says the same in other shapes too."""

    error: ErrorDetail
