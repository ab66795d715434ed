"""Requests and replies in pydantic-ai's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from collegium.errors import BadInput
from collegium.kernel.calls import Generate, Message, Reply, TokenLogprob, ToolCall, Usage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelRequestPart, ModelResponse
    from pydantic_ai.models import Model as Client
    from pydantic_ai.models import ModelRequestParameters

_OUTPUT_TOOL = "reply"


def wire_messages(request: Generate) -> list[ModelMessage]:
    """The conversation: an assistant's turns are responses, everything else is asked."""
    from pydantic_ai import messages as m

    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    conversation: list[ModelMessage] = []
    asked: list[ModelRequestPart] = []
    for message in request.messages:
        if message.role != "assistant":
            asked.append(_asked(message, names))
            continue
        if asked:
            conversation.append(m.ModelRequest(parts=asked))
            asked = []
        parts: list[Any] = [m.TextPart(message.text)] if message.text else []
        parts += [m.ToolCallPart(c.name, c.arguments, c.id) for c in message.tool_calls]
        conversation.append(m.ModelResponse(parts=parts))
    if asked:
        conversation.append(m.ModelRequest(parts=asked))
    return conversation


def _asked(message: Message, names: dict[str, str]) -> ModelRequestPart:
    from pydantic_ai import messages as m

    if message.role == "system":
        return m.SystemPromptPart(message.text)
    if message.role == "tool":
        if message.tool_call_id not in names:
            raise BadInput(f"a tool's result answers no tool call ({message.tool_call_id!r}).")
        return m.ToolReturnPart(names[message.tool_call_id], message.text, message.tool_call_id)
    if not message.images:
        return m.UserPromptPart(message.text)
    pictures = [
        m.BinaryContent(image.data, media_type=image.media_type) for image in message.images
    ]
    return m.UserPromptPart([message.text, *pictures])


def wire_parameters(request: Generate, client: Client) -> ModelRequestParameters:
    """Tools and the wanted form of the answer: natively where the model can, else as a tool."""
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    tools = [
        ToolDefinition(
            name=tool.name,
            parameters_json_schema=tool.parameters,
            description=tool.description,
        )
        for tool in request.tools
    ]
    if request.schema is None:
        return ModelRequestParameters(function_tools=tools)
    if client.profile.get("supports_json_schema_output", False):
        return ModelRequestParameters(
            function_tools=tools,
            output_mode="native",
            output_object=OutputObjectDefinition(request.schema, name=_OUTPUT_TOOL),
        )
    output = ToolDefinition(
        name=_OUTPUT_TOOL,
        parameters_json_schema=request.schema,
        description="Give the final answer.",
        kind="output",
    )
    return ModelRequestParameters(
        function_tools=tools, output_mode="tool", output_tools=[output], allow_text_output=False
    )


def read_reply(response: ModelResponse, request: Generate) -> Reply:
    """A reply from a provider's response."""
    from pydantic_ai import messages as m

    text: list[str] = []
    calls: list[ToolCall] = []
    for part in response.parts:
        if isinstance(part, m.TextPart):
            text.append(part.content)
        elif isinstance(part, m.ToolCallPart):
            if request.schema is not None and part.tool_name == _OUTPUT_TOOL:
                text.append(part.args_as_json_str())
            else:
                arguments = _arguments(part)
                if arguments is None:  # cut short by the token cap
                    text.append(part.args_as_json_str())
                else:
                    calls.append(ToolCall(part.tool_call_id, part.tool_name, arguments))
    finish: Literal["stop", "length", "tool"] = "stop"
    if response.finish_reason == "length":
        finish = "length"
    elif calls:
        finish = "tool"
    whole = "".join(text)
    if request.prefill:  # some servers repeat the turn they go on with
        whole = whole.removeprefix(request.messages[-1].text)
    return Reply(
        text=whole,
        tool_calls=tuple(calls),
        logprobs=_logprobs(response),
        usage=Usage(
            prompt=response.usage.input_tokens,
            cached=response.usage.cache_read_tokens,
            completion=response.usage.output_tokens,
        ),
        finish=finish,
    )


def _arguments(part: Any) -> dict[str, Any] | None:
    """A tool call's arguments; None when they cannot be read as an object."""
    try:
        return part.args_as_dict(raise_if_invalid=True)
    except (ValueError, AssertionError):
        return None


def _logprobs(response: ModelResponse) -> tuple[TokenLogprob, ...]:
    """Log-probs in the form in which OpenAI's protocol gives them; empty for other forms."""
    entries = (response.provider_details or {}).get("logprobs")
    if not isinstance(entries, list):
        return ()
    try:
        return tuple(
            TokenLogprob(
                entry["token"],
                entry["logprob"],
                {top["token"]: top["logprob"] for top in entry.get("top_logprobs") or ()},
            )
            for entry in entries
        )
    except (KeyError, TypeError):
        return ()
