"""Remote models against a real HTTP server that speaks the OpenAI protocol."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from collegium.errors import (
    BadInput,
    ContextTooLong,
    MissingExtra,
    MissingKey,
    ModelError,
    Transient,
    UnknownName,
    Unreachable,
)
from collegium.kernel.calls import Image, Message, Reply, TokenLogprob, ToolCall, ToolSpec, Usage
from collegium.models import RemoteModel, ScriptedModel
from collegium.models.model import Model
from tests.models.openai_server import Fault, OpenAIServer
from tests.models.support import ask

pytest.importorskip("pydantic_ai")


def remote(server: OpenAIServer, name: str = "script", **options: float) -> RemoteModel:
    return RemoteModel(f"openai:{name}@{server.url}", **options)


async def test_a_reply_comes_with_text_usage_and_finish(server: OpenAIServer) -> None:
    model = remote(server)
    assert isinstance(model, Model)
    (reply,) = await model.generate(ask("good morning"))
    assert reply.text == "you said: good morning"
    assert reply.usage == Usage(prompt=2, completion=4)
    assert reply.finish == "stop"
    await model.aclose()
    await model.aclose()


async def test_a_search_with_beams_is_refused(server: OpenAIServer) -> None:
    with pytest.raises(BadInput, match="beams"):
        await remote(server).generate(ask("x", beams=2))


async def test_every_setting_reaches_the_server(server: OpenAIServer) -> None:
    request = ask(
        "x", temperature=0.3, top_p=0.8, max_tokens=17, stop=("END", "\n\n"), seed=40, n=3
    )
    replies = await remote(server).generate(request)
    assert len(replies) == 3
    assert sorted(body["seed"] for body in server.bodies) == [40, 41, 42]
    for body in server.bodies:
        assert body["temperature"] == 0.3
        assert body["top_p"] == 0.8
        assert body["max_tokens"] == 17
        assert body["stop"] == ["END", "\n\n"]
    assert all(reply.usage.prompt == 1 for reply in replies)  # each request reads the prompt anew


async def test_samples_keep_their_order_whoever_is_quicker() -> None:
    async def slow_first(request: object) -> str:
        seed = getattr(request, "seed")  # noqa: B009
        await asyncio.sleep(0.05 * (3 - seed))
        return f"seed {seed}"

    with OpenAIServer(ScriptedModel(slow_first)) as server:
        replies = await remote(server).generate(ask(n=3, seed=0))
    assert [r.text for r in replies] == ["seed 0", "seed 1", "seed 2"]


async def test_a_schema_is_asked_for_natively() -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    with OpenAIServer(ScriptedModel(lambda r: '{"answer": 4}' if r.schema else "no")) as server:
        (reply,) = await remote(server).generate(ask(schema=schema))
        sent = server.bodies[0]["response_format"]
    assert reply.text == '{"answer": 4}'
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"]["properties"] == schema["properties"]


async def test_tools_go_out_and_calls_come_back() -> None:
    call = ToolCall("call-1", "add", {"a": 1, "b": 2})
    tool = ToolSpec("add", "Add two numbers.", {"type": "object", "properties": {"a": {}, "b": {}}})

    def script(request: object) -> Reply:
        messages = request.messages  # type: ignore[attr-defined]
        if messages[-1].role == "tool":
            return Reply(f"{messages[-1].text}, asked as {messages[-2].tool_calls[0].arguments}")
        return Reply("", tool_calls=(call,), finish="tool")

    with OpenAIServer(ScriptedModel(script)) as server:
        model = remote(server)
        (first,) = await model.generate(ask("1+2?", tools=(tool,)))
        assert first.tool_calls == (call,)
        assert first.finish == "tool"
        assert server.bodies[0]["tools"][0]["function"]["name"] == "add"
        assert server.bodies[0]["tools"][0]["function"]["description"] == "Add two numbers."
        conversation = (
            Message("user", "1+2?"),
            Message("assistant", "", tool_calls=(call,)),
            Message("tool", "3", tool_call_id="call-1"),
        )
        (second,) = await model.generate(ask(messages=conversation, tools=(tool,)))
    assert second.text == "3, asked as {'a': 1, 'b': 2}"


async def test_a_tool_result_without_its_call_is_refused(server: OpenAIServer) -> None:
    conversation = (Message("tool", "3", tool_call_id="nobody"),)
    with pytest.raises(BadInput, match="nobody"):
        await remote(server).generate(ask(messages=conversation))


async def test_pictures_arrive_byte_for_byte() -> None:
    picture = Image(b"\x89PNG not really", "image/png")
    seen: list[Image] = []

    def script(request: object) -> str:
        seen.extend(request.messages[-1].images)  # type: ignore[attr-defined]
        return "a picture"

    with OpenAIServer(ScriptedModel(script)) as server:
        message = Message("user", "what is this?", images=(picture,))
        await remote(server).generate(ask(messages=(message,)))
    assert seen == [picture]


async def test_logprobs_come_back() -> None:
    tokens = (TokenLogprob("yes", -0.1, {"yes": -0.1, "no": -2.5}),)
    with OpenAIServer(ScriptedModel(lambda r: Reply("yes", logprobs=tokens))) as server:
        (reply,) = await remote(server).generate(ask(logprobs=2))
        assert server.bodies[0]["top_logprobs"] == 2
    assert reply.logprobs == tokens


async def test_text_streams_in_pieces_that_make_up_the_reply(server: OpenAIServer) -> None:
    pieces: dict[int, list[str]] = {0: [], 1: []}
    request = ask("a longer message than one piece", n=2)
    replies = await remote(server).generate(request, lambda i, text: pieces[i].append(text))
    for i, reply in enumerate(replies):
        assert len(pieces[i]) > 3
        assert "".join(pieces[i]) == reply.text == "you said: a longer message than one piece"
        assert reply.usage.completion == 8


async def test_an_unfinished_turn_is_gone_on_with() -> None:
    with OpenAIServer(ScriptedModel(lambda r: r.messages[-1].text + " is Paris.")) as server:
        turns = (Message("user", "Capital of France?"), Message("assistant", "It"))
        (reply,) = await remote(server).generate(ask(messages=turns, prefill=True))
        assert server.bodies[0]["continue_final_message"] is True
        assert server.bodies[0]["messages"][-1]["content"] == "It"
    assert reply.text == " is Paris."


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "in an hour"}, 3600.0),
        ({}, None),
    ],
)
async def test_too_many_requests_is_transient_and_says_how_long_to_wait(
    server: OpenAIServer, header: dict[str, str], wait: float | None
) -> None:
    if header.get("Retry-After") == "in an hour":  # as a date, counted from now
        header = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(hours=1), True)}
    server.faults.append(Fault(429, header, {"error": {"message": "slow down"}}))
    with pytest.raises(Transient) as caught:
        await remote(server).generate(ask())
    if wait is None:
        assert caught.value.retry_after is None
    else:
        assert caught.value.retry_after == pytest.approx(wait, abs=300)
    assert len(server.bodies) == 1, "the provider's library must not retry by itself"


@pytest.mark.parametrize("status", [500, 502, 503, 529])
async def test_server_errors_are_transient(server: OpenAIServer, status: int) -> None:
    server.faults.append(Fault(status, {}, {"error": {"message": "oops"}}))
    with pytest.raises(Transient, match=str(status)):
        await remote(server).generate(ask())
    assert len(server.bodies) == 1


async def test_a_broken_connection_is_transient(server: OpenAIServer) -> None:
    server.faults.append(Fault(reset=True))
    with pytest.raises(Transient):
        await remote(server).generate(ask())


async def test_a_hanging_server_times_out_as_transient(server: OpenAIServer) -> None:
    server.faults.append(Fault(hang=2))
    with pytest.raises(Transient, match="in time"):
        await remote(server, timeout=0.2).generate(ask())


async def test_one_failing_sample_fails_the_call_and_ends_the_others(server: OpenAIServer) -> None:
    server.faults.extend([Fault(500, {}, {}), Fault(hang=1), Fault(hang=1)])
    before = asyncio.all_tasks()
    with pytest.raises(Transient):
        await remote(server).generate(ask(n=3))
    assert asyncio.all_tasks() == before


async def test_nobody_at_the_address_is_unreachable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
    with pytest.raises(Unreachable, match=address):
        await RemoteModel(f"openai:any@{address}").generate(ask())


async def test_a_model_the_server_lacks_is_unknown(server: OpenAIServer) -> None:
    with pytest.raises(UnknownName, match="another"):
        await remote(server, "another").generate(ask())


async def test_a_prompt_that_does_not_fit_says_so() -> None:
    with OpenAIServer(ScriptedModel(lambda r: "x", context=5)) as server:
        with pytest.raises(ContextTooLong) as caught:
            await remote(server).generate(ask("one two three four five six"))
        refusal = {"type": "exceed_context_size_error", "n_prompt_tokens": 900, "n_ctx": 512}
        server.faults.append(Fault(400, {}, {"error": {"message": "too large", **refusal}}))
        with pytest.raises(ContextTooLong, match=r"900 tokens, 388 more than the 512"):
            await remote(server).generate(ask())
    assert "'tester'" in str(caught.value)
    assert "one two three" in str(caught.value)


async def test_other_refusals_carry_the_servers_sentence(server: OpenAIServer) -> None:
    server.faults.append(Fault(400, {}, {"error": {"message": "temperature must be below 2"}}))
    with pytest.raises(ModelError, match="temperature must be below 2") as caught:
        await remote(server).generate(ask())
    assert not isinstance(caught.value, Transient)


async def test_a_refused_key_is_named_but_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLLEGIUM_API_KEY", "sk-this-is-secret-0123456789")
    with OpenAIServer(ScriptedModel(lambda r: "x"), key="another") as server:
        model = remote(server)
        with pytest.raises(MissingKey, match="COLLEGIUM_API_KEY") as caught:
            await model.generate(ask())
        server.faults.append(
            Fault(400, {}, {"error": {"message": "bad key sk-this-is-secret-0123456789"}})
        )
        with pytest.raises(ModelError) as refused:
            await model.generate(ask())
    assert server.keys[0] == "sk-this-is-secret-0123456789"
    for error in (caught.value, refused.value):
        assert "secret" not in str(error)
    assert "secret" not in model.name + model.fingerprint


async def test_a_providers_key_is_not_sent_to_another_address(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-openai-only-000000")
    await remote(server).generate(ask())
    assert server.keys == ["none"]


async def test_openai_base_url_moves_openai_models(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-that-server-1234567")
    (reply,) = await RemoteModel("openai:script").generate(ask("hi"))
    assert reply.text == "you said: hi"
    assert server.keys == ["sk-of-that-server-1234567"]


def test_one_model_serves_event_loops_one_after_another(server: OpenAIServer) -> None:
    model = remote(server)

    async def once() -> str:
        (reply,) = await model.generate(ask("again"))
        await model.aclose()
        return reply.text

    assert [asyncio.run(once()) for _ in range(3)] == ["you said: again"] * 3


async def test_cancelling_leaves_no_task(server: OpenAIServer) -> None:
    server.faults.extend([Fault(hang=5)] * 2)
    before = asyncio.all_tasks()
    task = asyncio.create_task(remote(server).generate(ask(n=2)))
    await server.arrival(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before


def test_a_missing_key_names_its_variable() -> None:
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        RemoteModel("openai:gpt-4o")


def test_a_missing_library_says_how_to_install_it() -> None:
    with pytest.raises((MissingExtra, MissingKey), match=r"pydantic-ai-slim\[mistral\]|MISTRAL"):
        RemoteModel("mistral:large")


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("opnai:gpt-4o", UnknownName, "did you mean 'openai'"),
        ("openai:", BadInput, "provider:model"),
        ("anthropic:x@http://host/v1", BadInput, "openai:x@"),
        ("openai:x@http://user:pw@host/v1", BadInput, "COLLEGIUM_API_KEY"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        RemoteModel(name)
    assert "pw" not in str(caught.value)


async def test_what_a_remote_model_cannot_do_is_refused(server: OpenAIServer) -> None:
    with pytest.raises(ModelError, match="adapters"):
        await remote(server).generate(ask(adapters=(("mine", 1.0),)))


async def test_a_model_without_native_schemas_answers_through_a_tool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel
    from pydantic_ai.profiles import ModelProfile

    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}}
    seen: list[AgentInfo] = []

    def function(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(info)
        return ModelResponse([ToolCallPart(info.output_tools[0].name, {"answer": 7})])

    profile = ModelProfile(supports_json_schema_output=False)
    client = FunctionModel(function, profile=profile)
    monkeypatch.setattr("collegium.models.remote.make_client", lambda address: client)
    (reply,) = await RemoteModel("anthropic:old").generate(ask("2+5?", schema=schema))
    assert seen[0].output_tools[0].parameters_json_schema == schema
    assert not seen[0].allow_text_output
    assert reply.text == '{"answer":7}'
    assert reply.tool_calls == ()
    assert reply.finish == "stop"


async def test_a_known_model_has_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydantic_ai.messages import ModelResponse, TextPart
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.usage import RequestUsage

    usage = RequestUsage(input_tokens=1_000_000, cache_read_tokens=200_000, output_tokens=1000)
    prices = {}
    for name in ("gpt-4o", "nobody-sells-this"):
        response = ModelResponse(
            [TextPart("x")], usage=usage, model_name=name, provider_name="openai"
        )
        client = FunctionModel(lambda messages, info, response=response: response, model_name=name)
        monkeypatch.setattr(
            "collegium.models.remote.make_client", lambda address, client=client: client
        )
        (reply,) = await RemoteModel(f"openai:{name}").generate(ask())
        assert (reply.usage.prompt, reply.usage.cached) == (1_000_000, 200_000)
        prices[name] = reply.usage.money
    assert prices["gpt-4o"] > 1
    assert prices["nobody-sells-this"] == 0
