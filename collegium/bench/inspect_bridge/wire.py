"""Messages, tools, replies and usage: in Inspect's terms and in ours."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from collegium.errors import BadInput, missing_extra
from collegium.kernel import Generate, Image, Message, Reply, Usage
from collegium.kernel.calls import TokenLogprob, ToolCall, ToolSpec

try:
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessage,
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageTool,
        ChatMessageUser,
        ContentImage,
        ContentText,
        GenerateConfig,
        Logprob,
        Logprobs,
        ModelOutput,
        ModelUsage,
        ResponseSchema,
        TopLogprob,
    )
    from inspect_ai.tool import ToolCall as TheirCall
    from inspect_ai.tool import ToolInfo, ToolParams
    from inspect_ai.util import JSONSchema
except ImportError:
    raise missing_extra("inspect", "the bridge to Inspect AI") from None

FORM = "reply"
"""What a wanted form of reply is called where it needs a name."""

_FINISH = {"max_tokens": "length", "model_length": "length", "tool_calls": "tool"}
_STOP = {"stop": "stop", "length": "max_tokens", "tool": "tool_calls"}


def their_messages(messages: Sequence[Message]) -> list[ChatMessage]:
    """A conversation of ours as Inspect writes it."""
    names = {call.id: call.name for m in messages for call in m.tool_calls}
    written: list[ChatMessage] = []
    for message in messages:
        if message.role == "system":
            written.append(ChatMessageSystem(content=message.text))
        elif message.role == "user":
            written.append(ChatMessageUser(content=_content(message)))
        elif message.role == "tool":
            identity = message.tool_call_id or ""
            written.append(
                ChatMessageTool(
                    content=message.text, tool_call_id=identity, function=names.get(identity)
                )
            )
        else:
            written.append(_assistant(message.text, message.tool_calls))
    return written


def _content(message: Message) -> Any:
    if not message.images:
        return message.text
    pictures = [
        ContentImage(image=f"data:{i.media_type};base64,{base64.b64encode(i.data).decode()}")
        for i in message.images
    ]
    return [ContentText(text=message.text), *pictures]


def _assistant(text: str, calls: Iterable[ToolCall], model: str = "") -> ChatMessageAssistant:
    asked = [TheirCall(id=c.id, function=c.name, arguments=c.arguments) for c in calls]
    return ChatMessageAssistant(
        content=text, tool_calls=asked or None, model=model or None, source="generate"
    )


def our_messages(messages: Iterable[ChatMessage]) -> tuple[Message, ...]:
    """A conversation of Inspect's as ours.

    Raises:
        BadInput: It holds something other than text and embedded pictures.
    """
    return tuple(_ours(message) for message in messages)


def _ours(message: ChatMessage) -> Message:
    images: list[Image] = []
    parts = message.content if isinstance(message.content, list) else []
    for part in parts:
        if part.type == "image":
            images.append(_image(part.image))
        elif part.type not in ("text", "reasoning"):
            raise BadInput(f"a message holds {part.type}; systems here read text and pictures.")
    calls = getattr(message, "tool_calls", None) if message.role == "assistant" else None
    identity = getattr(message, "tool_call_id", None) if message.role == "tool" else None
    return Message(
        message.role,
        message.text,
        images=tuple(images),
        tool_calls=tuple(ToolCall(c.id, c.function, dict(c.arguments)) for c in calls or ()),
        tool_call_id=identity,
    )


def _image(address: str) -> Image:
    head, comma, data = address.partition(",")
    if not head.startswith("data:") or not comma or not head.endswith(";base64"):
        raise BadInput("a picture is given by its address; embed it as data (base64).")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("a picture's data is not base64, as it says.") from None
    return Image(raw, head.removeprefix("data:").removesuffix(";base64"))


def their_tools(tools: Iterable[ToolSpec]) -> list[ToolInfo]:
    """Tools that a model is told of."""
    return [
        ToolInfo(
            name=t.name,
            description=t.description or t.name,
            parameters=ToolParams.model_validate({"properties": {}, **t.parameters}),
        )
        for t in tools
    ]


def their_config(request: Generate, sample: int = 0) -> GenerateConfig:
    """How a sample of a request is to be drawn; what is not said is left to Inspect."""
    form = None
    if request.schema is not None:
        form = ResponseSchema(name=FORM, json_schema=JSONSchema.model_validate(request.schema))
    return GenerateConfig(
        temperature=request.temperature,
        top_p=request.top_p if request.top_p < 1 else None,
        max_tokens=request.max_tokens,
        stop_seqs=list(request.stop) or None,
        seed=request.seed + sample if request.seed is not None else None,
        logprobs=True if request.logprobs else None,
        top_logprobs=request.logprobs or None,
        response_schema=form,
    )


def our_request(
    messages: Sequence[ChatMessage], tools: Sequence[ToolInfo], config: GenerateConfig
) -> Generate:
    """A request of Inspect's as ours.

    Raises:
        BadInput: It holds something that models here do not read.
    """
    schema = None
    if config.response_schema is not None:
        schema = config.response_schema.json_schema.model_dump(exclude_none=True)
    return Generate(
        agent="inspect",
        role="",
        messages=our_messages(messages),
        n=config.num_choices or 1,
        temperature=0.7 if config.temperature is None else config.temperature,
        top_p=1.0 if config.top_p is None else config.top_p,
        max_tokens=config.max_tokens,
        stop=tuple(config.stop_seqs or ()),
        seed=config.seed,
        schema=schema,
        tools=tuple(
            ToolSpec(t.name, t.description, t.parameters.model_dump(exclude_none=True))
            for t in tools
        ),
        logprobs=(config.top_logprobs or 1) if config.logprobs else 0,
    )


def their_usage(usage: Usage) -> ModelUsage:
    """Tokens as Inspect counts them: cached ones apart from the rest of the prompt."""
    return ModelUsage(
        input_tokens=usage.prompt - usage.cached,
        input_tokens_cache_read=usage.cached or None,
        output_tokens=usage.completion,
        total_tokens=usage.tokens,
        total_cost=usage.money or None,
    )


def our_usage(usage: ModelUsage | None) -> Usage:
    """Tokens as counted here."""
    if usage is None:
        return Usage()
    cached = usage.input_tokens_cache_read or 0
    prompt = usage.input_tokens + cached + (usage.input_tokens_cache_write or 0)
    return Usage(prompt, cached, usage.output_tokens, usage.total_cost or 0.0)


def our_reply(output: ModelOutput) -> Reply[Any]:
    """The first choice of an output as a reply that carries the cost of the whole."""
    if not output.choices:
        return Reply("", usage=our_usage(output.usage))
    choice = output.choices[0]
    calls = tuple(
        ToolCall(c.id, c.function, dict(c.arguments)) for c in choice.message.tool_calls or ()
    )
    finish: Any = _FINISH.get(choice.stop_reason, "stop")
    return Reply(
        choice.message.text,
        tool_calls=calls,
        logprobs=tuple(
            TokenLogprob(t.token, t.logprob, {o.token: o.logprob for o in t.top_logprobs or ()})
            for t in (choice.logprobs.content if choice.logprobs else ())
        ),
        usage=our_usage(output.usage),
        finish="tool" if calls else finish,
    )


def their_output(model: str, replies: Sequence[Reply[Any]], seconds: float) -> ModelOutput:
    """Replies as the choices of one output."""
    return ModelOutput(
        model=model,
        choices=[
            ChatCompletionChoice(
                message=_assistant(reply.text, reply.tool_calls, model),
                stop_reason=_STOP[reply.finish],  # pyright: ignore[reportArgumentType]
                logprobs=_their_logprobs(reply.logprobs),
            )
            for reply in replies
        ],
        usage=their_usage(sum((r.usage for r in replies), Usage())),
        time=seconds,
    )


def _their_logprobs(tokens: Sequence[TokenLogprob]) -> Logprobs | None:
    if not tokens:
        return None
    return Logprobs(
        content=[
            Logprob(
                token=t.token,
                logprob=t.logprob,
                top_logprobs=[TopLogprob(token=k, logprob=v) for k, v in t.top.items()],
            )
            for t in tokens
        ]
    )


def plain_text(value: Any) -> str:
    """A value as a text that a log shows."""
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=repr).decode()
