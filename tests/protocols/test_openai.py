"""OpenAI's protocols, spoken by the official client to a server in a process of its own."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

openai = pytest.importorskip("openai")
pytest.importorskip("starlette")

SAID = "ALPHA BETA GAMMA"
ASKED = [{"role": "user", "content": "gamma beta alpha"}]


@pytest.fixture
def server(words: Any) -> Any:
    return words


def client(server: Any, key: str = "none") -> Any:
    return openai.OpenAI(base_url=f"{server.address}/v1", api_key=key, max_retries=0, timeout=20)


def test_every_system_is_a_model(server) -> None:
    names = {m.id for m in client(server).models.list()}
    assert {"collegium/direct", "collegium/dylan", "collegium/mad"} <= names
    assert client(server).models.retrieve("collegium/dylan").owned_by == "collegium"


def test_a_chat_is_a_run_with_its_trace(server) -> None:
    done = client(server).chat.completions.create(model="collegium/direct", messages=ASKED)
    assert done.choices[0].message.content == SAID
    assert done.choices[0].finish_reason == "stop"
    row, events = server.row(done._request_id), server.trace(done._request_id)
    assert row.status == "done" and row.spec["system"] == "direct"
    assert row.spec["origin"]["protocol"] == "openai-chat"
    assert [e.kind for e in events] == ["generate"]
    assert done.usage.total_tokens == events[0].usage.tokens > 0
    assert done.usage.prompt_tokens == events[0].usage.prompt


def test_usage_counts_the_whole_run(server) -> None:
    done = client(server).chat.completions.create(
        model="collegium/mad:agents=2,rounds=2", messages=ASKED
    )
    events = [e for e in server.trace(done._request_id) if e.kind == "generate"]
    assert len(events) == done.model_extra["collegium"]["calls"] >= 4
    assert done.usage.completion_tokens == sum(e.usage.completion for e in events)


def test_a_stream_brings_the_answer_and_what_was_thought(server) -> None:
    thought, content, last = "", "", None
    stream = client(server).chat.completions.create(
        model="collegium/mad:agents=2,rounds=1",
        messages=ASKED,
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        last = chunk
        for choice in chunk.choices:
            content += choice.delta.content or ""
            thought += (choice.delta.model_extra or {}).get("reasoning_content", "")
    whole = client(server).chat.completions.create(
        model="collegium/mad:agents=2,rounds=1", messages=ASKED
    )
    assert content == whole.choices[0].message.content
    assert SAID in thought
    assert last.usage.total_tokens == whole.usage.total_tokens


def test_one_reply_streams_as_it_is_written(server) -> None:
    stream = client(server).chat.completions.create(
        model="collegium/direct", messages=ASKED, stream=True
    )
    chunks = [c.choices[0].delta for c in stream if c.choices]
    assert "".join(d.content or "" for d in chunks) == SAID
    assert not any((d.model_extra or {}).get("reasoning_content") for d in chunks)


def test_responses(server) -> None:
    first = client(server).responses.create(model="collegium/direct", input="gamma beta alpha")
    assert first.output_text == SAID and first.status == "completed"
    row = server.row(first.metadata["run"])
    assert row.spec["origin"]["protocol"] == "openai-responses"
    assert first.usage.total_tokens == server.trace(row.id)[0].usage.tokens
    second = client(server).responses.create(
        model="collegium/direct", input="and now?", previous_response_id=first.id
    )
    task = server.row(second.metadata["run"]).spec["task"]
    assert SAID in task and task.endswith("and now?")


def test_responses_stream(server) -> None:
    with client(server).responses.stream(model="collegium/cot", input="gamma beta alpha") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert "response.output_text.delta" in kinds and final.output_text
    with client(server).responses.stream(model="collegium/direct", input="gamma beta") as stream:
        deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
    assert "".join(deltas) == "BETA GAMMA"


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"model": "collegium/mda"}, "NotFoundError", "did you mean 'mad'"),
        ({"model": "collegium/mad:agents=x"}, "BadRequestError", "agents"),
        ({"n": 2}, "BadRequestError", "one answer"),
        ({"tools": [{"type": "function"}]}, "BadRequestError", "'tools' is not supported"),
        ({"messages": []}, "BadRequestError", "no messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "BadRequestError",
         "image_url"),
    ],
)  # fmt: skip
def test_errors_have_their_shape(server, change, error, said) -> None:
    asked = {"model": "collegium/direct", "messages": ASKED, **change}
    with pytest.raises(getattr(openai, error)) as raised:
        client(server).chat.completions.create(**asked)
    assert said in raised.value.body["message"]
    assert set(raised.value.body) == {"message", "type", "param", "code"}


def test_a_kind_of_answer_can_be_asked_for(server) -> None:
    asked = {"model": "collegium/direct", "messages": ASKED}
    done = client(server).chat.completions.create(
        **asked, extra_body={"collegium": {"choices": ["red", "blue"]}}
    )
    assert done.model_extra["collegium"]["abstained"]  # three words are no letter
    assert "A. red" in server.row(done._request_id).spec["task"]


def test_what_goes_wrong_inside_stays_inside(serve) -> None:
    server = serve("broken", "direct", "--protocol", "openai")
    with pytest.raises(openai.InternalServerError) as raised:
        client(server).chat.completions.create(model="collegium/direct", messages=ASKED)
    text = json.dumps(raised.value.body)
    assert "sk-a-secret" not in text and "Traceback" not in text and "RuntimeError" not in text
    assert not any("sk-a-secret" in line for line in server.lines)


def test_a_client_that_goes_away_stops_its_run(sleeper) -> None:
    server = sleeper
    for stream in (True, False):
        before = {row.id for row in server.runs()}
        body = json.dumps({"model": "collegium/direct", "messages": ASKED, "stream": stream})
        host, port = server.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as caller:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            caller.sendall(f"{head}{body}".encode())
            if stream:
                caller.recv(4096)
            while not (new := [row.id for row in server.runs() if row.id not in before]):
                time.sleep(0.02)
        (run,) = new
        begin = time.monotonic()
        row = server.ended(run)
        assert row.status == "interrupted"
        assert time.monotonic() - begin < 1.0  # the promise itself, not a measurement
        last = server.trace(run)[-1]
        assert last.kind == "stop" and "disconnected" in last.error


KILLED = {
    "openai": """
import sys, openai
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
stream = client.chat.completions.create(
    model="collegium/direct", messages=[{"role": "user", "content": "think"}], stream=True)
for chunk in stream:
    print("streaming", flush=True)
""",
    "mcp": """
import sys, asyncio, mcp
async def main():
    async with mcp.Client(sys.argv[1] + "/mcp") as client:
        print("streaming", flush=True)
        await client.call_tool("run", {"task": "think"})
asyncio.run(main())
""",
}
"""Programs of official clients that wait for an answer."""


@pytest.mark.parametrize("package", list(KILLED))
def test_a_client_that_is_killed_stops_its_run(sleeper, package) -> None:
    pytest.importorskip(package)
    before = {row.id for row in sleeper.runs()}
    program = [sys.executable, "-c", KILLED[package], sleeper.address]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "streaming\n"
        while not (new := [row for row in sleeper.runs() if row.id not in before]):
            time.sleep(0.02)
        (row,) = new
        assert row.status == "running"
    finally:
        process.kill()  # no goodbye
        process.wait()
    killed = time.monotonic()
    row = sleeper.ended(row.id)
    assert row.status == "interrupted"
    assert time.monotonic() - killed < 1.0  # the promise itself, not a measurement
    last = sleeper.trace(row.id)[-1]
    assert last.kind == "stop" and last.error


def test_tokens_and_budgets(serve, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# who\nann ann-secret-token-0123 200\nbob bob-secret-token-0123\n")
    server = serve("words", "direct", "--protocol", "openai", "--token-file", str(file))
    with pytest.raises(openai.AuthenticationError):
        client(server, "not-a-token-at-all").chat.completions.create(
            model="collegium/direct", messages=ASKED
        )
    ann, bob = client(server, "ann-secret-token-0123"), client(server, "bob-secret-token-0123")
    spent: list[int] = []

    def spend() -> None:
        for _ in range(50):
            done = ann.chat.completions.create(model="collegium/direct", messages=ASKED)
            spent.append(done.usage.total_tokens)

    with pytest.raises(openai.RateLimitError) as raised:
        spend()
    assert raised.value.body["code"] == "insufficient_quota"
    assert 0 < sum(spent) <= 200
    assert bob.chat.completions.create(model="collegium/direct", messages=ASKED).usage
    stored = [row for row in server.runs() if "ann" in json.dumps(row.spec)]
    assert stored and not any("secret-token" in json.dumps(row.spec) for row in server.runs())
    assert not any("secret-token" in line for line in server.lines)


def test_a_request_that_is_too_large(server) -> None:
    big = {"model": "collegium/direct", "messages": [{"role": "user", "content": "x" * (2 << 20)}]}
    answer = httpx.post(f"{server.address}/v1/chat/completions", json=big)
    assert answer.status_code == 413 and "at most" in answer.json()["error"]["message"]

    def pieces():
        for _ in range(40):
            yield b"x" * 65536

    answer = httpx.post(f"{server.address}/v1/chat/completions", content=pieces())
    assert answer.status_code == 413


def test_a_page_of_another_site_is_refused(server) -> None:
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        assert httpx.get(f"{server.address}/v1/models", headers=headers).status_code == 403
