"""The embedded model for real: the tiny one, which is fluent and seldom right."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from collegium.errors import (
    BadInput,
    ContextTooLong,
    ModelError,
    Transient,
    UnknownName,
    WeightsDamaged,
)
from collegium.kernel.calls import Image, Message, ToolSpec, Usage
from collegium.models import LocalModel, RemoteModel
from collegium.models.model import Model
from tests.models.conftest import need
from tests.models.lora import write_adapter
from tests.models.openai_server import OpenAIServer
from tests.models.support import ask

pytestmark = pytest.mark.model

QUESTION = "A farmer has 12 cows and buys 3 more. How many cows are there?"
SCHEMA = {
    "type": "object",
    "properties": {
        "answer": {"type": "integer"},
        "sure": {"enum": ["yes", "no"]},
    },
    "required": ["answer", "sure"],
    "additionalProperties": False,
}


async def test_a_reply_has_text_usage_and_finish(tiny: LocalModel) -> None:
    assert isinstance(tiny, Model)
    (reply,) = await tiny.generate(ask(QUESTION, max_tokens=8, seed=1))
    assert reply.text
    assert reply.finish == "length"
    assert reply.usage.completion == 8
    assert reply.usage.prompt > 20
    (short,) = await tiny.generate(ask("Say hi.", max_tokens=400, temperature=0))
    assert short.finish == "stop"


async def test_the_same_seed_gives_the_same_samples(tiny: LocalModel) -> None:
    request = ask(QUESTION, max_tokens=24, seed=5, n=3, temperature=1.0)
    first = await tiny.generate(request)
    assert len({r.text for r in first}) == 3
    assert await tiny.generate(request) == first
    other = await tiny.generate(ask(QUESTION, max_tokens=24, seed=50, n=3, temperature=1.0))
    assert [r.text for r in other] != [r.text for r in first]


async def test_sample_i_is_drawn_with_seed_plus_i(tiny: LocalModel) -> None:
    together = await tiny.generate(ask(QUESTION, max_tokens=6, seed=5, n=3, temperature=1.0))
    alone = [
        (await tiny.generate(ask(QUESTION, max_tokens=6, seed=5 + i, temperature=1.0)))[0].text
        for i in range(3)
    ]
    assert [r.text for r in together] == alone


async def test_samples_share_one_reading_of_the_prompt(tiny: LocalModel) -> None:
    replies = await tiny.generate(ask(QUESTION, max_tokens=5, seed=1, n=3))
    assert replies[0].usage.prompt > 20
    assert [r.usage.prompt for r in replies[1:]] == [0, 0]
    assert [r.usage.completion for r in replies] == [5, 5, 5]


async def test_more_samples_than_slots(tiny: LocalModel) -> None:
    replies = await tiny.generate(ask(QUESTION, max_tokens=4, seed=1, n=11, temperature=1.5))
    assert len(replies) == 11
    last = await tiny.generate(ask(QUESTION, max_tokens=4, seed=9, n=3, temperature=1.5))
    assert [r.text for r in replies[8:]] == [r.text for r in last]


async def test_exact_is_exact_whoever_else_is_there(
    tiny: LocalModel, fast_tiny: LocalModel
) -> None:
    request = ask(QUESTION, max_tokens=24, seed=5, n=2, temperature=1.0)
    alone = await tiny.generate(request)
    crowd = await asyncio.gather(
        *(fast_tiny.generate(ask(f"{i} {QUESTION}", max_tokens=24, seed=i)) for i in range(3)),
        *(tiny.generate(request) for _ in range(3)),
        *(fast_tiny.generate(ask(f"{i} cats", max_tokens=24, seed=i)) for i in range(3)),
    )
    assert crowd[3:6] == [alone] * 3


async def test_only_fast_reuses_a_prompt(tiny: LocalModel, fast_tiny: LocalModel) -> None:
    request = ask("Remember this. " * 20 + QUESTION, max_tokens=2, seed=1)
    for model, reused in ((tiny, False), (fast_tiny, True)):
        await model.generate(request)
        (again,) = await model.generate(request)
        assert (again.usage.cached > 60) is reused
        assert again.usage.cached < again.usage.prompt
    assert tiny.fingerprint != fast_tiny.fingerprint


async def test_a_schema_binds_every_sample(tiny: LocalModel) -> None:
    replies = await tiny.generate(
        ask(QUESTION, max_tokens=100, seed=1, n=3, temperature=1.5, schema=SCHEMA)
    )
    for reply in replies:
        value = json.loads(reply.text)
        assert isinstance(value["answer"], int)
        assert value["sure"] in ("yes", "no")


async def test_logprobs_are_probabilities_of_the_tokens(tiny: LocalModel) -> None:
    replies = await tiny.generate(ask(QUESTION, max_tokens=6, seed=3, n=2, logprobs=4))
    for reply in replies:
        assert "".join(t.token for t in reply.logprobs) == reply.text
        assert len(reply.logprobs) == reply.usage.completion == 6
        for token in reply.logprobs:
            assert token.logprob <= 0
            assert len(token.top) == 4
            assert sum(math.exp(p) for p in token.top.values()) <= 1.001
            if token.token in token.top:
                assert token.top[token.token] == pytest.approx(token.logprob)
            else:
                assert token.logprob <= min(token.top.values())


async def test_text_arrives_in_pieces(tiny: LocalModel) -> None:
    pieces: dict[int, list[str]] = {0: [], 1: []}
    replies = await tiny.generate(
        ask(QUESTION, max_tokens=120, seed=1, n=2), lambda i, text: pieces[i].append(text)
    )
    for i, reply in enumerate(replies):
        assert len(pieces[i]) > 5
        assert "".join(pieces[i]) == reply.text


async def test_a_reply_ends_before_a_stop_sequence(tiny: LocalModel) -> None:
    (whole,) = await tiny.generate(ask(QUESTION, max_tokens=20, temperature=0))
    word = whole.text.split()[3]
    (cut,) = await tiny.generate(ask(QUESTION, max_tokens=20, temperature=0, stop=(word,)))
    assert cut.text == whole.text[: whole.text.index(word)]
    assert cut.finish == "stop"


@pytest.mark.parametrize("logprobs", [0, 1])
async def test_an_unfinished_turn_is_gone_on_with(tiny: LocalModel, logprobs: int) -> None:
    turns = (Message("user", "Count."), Message("assistant", "One, two, three,"))
    (reply,) = await tiny.generate(
        ask(messages=turns, prefill=True, max_tokens=8, temperature=0, logprobs=logprobs)
    )
    assert "One, two" not in reply.text
    assert "four" in reply.text.lower()
    with pytest.raises(BadInput, match="prefill"):
        await tiny.generate(ask(prefill=True))


async def test_a_dropped_request_frees_its_slot(tiny: LocalModel) -> None:
    request = ask("Tell a long story.", max_tokens=3000, seed=1, n=2)
    started = asyncio.Event()
    task = asyncio.create_task(tiny.generate(request, lambda i, text: started.set()))
    await started.wait()
    assert await tiny.slots_busy() == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadline = time.monotonic() + 30
    while await tiny.slots_busy():
        assert time.monotonic() < deadline, "the engine goes on writing for nobody"
        await asyncio.sleep(0.05)


async def test_a_dropped_request_does_not_change_the_next(tiny: LocalModel) -> None:
    request = ask(QUESTION, max_tokens=24, seed=5, temperature=1.0)
    before = await tiny.generate(request)
    started = asyncio.Event()
    story = ask("Tell a long story.", max_tokens=3000)
    task = asyncio.create_task(tiny.generate(story, lambda i, text: started.set()))
    await started.wait()
    task.cancel()
    assert await tiny.generate(request) == before


async def test_a_prompt_too_long_says_by_how_much(tiny: LocalModel) -> None:
    with pytest.raises(ContextTooLong) as caught:
        await tiny.generate(ask("word salad " * 5000))
    said = str(caught.value)
    assert "'tester'" in said
    assert "4,096 that fit" in said
    assert "word salad" in said
    sent = int(said.split(" tokens")[0].split()[-1].replace(",", ""))
    assert sent == pytest.approx(await tiny.count_tokens("word salad " * 5000), rel=0.02)
    assert f"{sent - 4096:,} more" in said


async def test_pictures_are_refused(tiny: LocalModel) -> None:
    message = Message("user", "look", images=(Image(b"x"),))
    with pytest.raises(ModelError, match="text only"):
        await tiny.generate(ask(messages=(message,)))


async def test_tokens_are_counted(tiny: LocalModel) -> None:
    assert await tiny.count_tokens("") == 0
    assert await tiny.count_tokens("hello world") == 2


async def test_models_share_an_engine_until_the_last_one_closes() -> None:
    need("local-tiny")
    one, two = LocalModel("local-tiny", slots=2), LocalModel("local-tiny", slots=2, exact=False)
    for model in (one, two):
        await model.generate(ask(max_tokens=1))
    engine = one._borrow()
    assert two._borrow() is engine
    await one.aclose()
    await one.aclose()
    assert engine.alive
    await two.aclose()
    assert not engine.alive
    (reply,) = await one.generate(ask(max_tokens=1))  # a closed model opens again when asked
    assert reply.usage.completion == 1
    await one.aclose()


async def test_the_engine_wants_its_key_and_listens_to_this_machine_only(
    tiny: LocalModel,
) -> None:
    await tiny.generate(ask(max_tokens=1))
    engine = tiny._borrow()
    assert engine.address.startswith("http://127.0.0.1:")
    async with httpx.AsyncClient(trust_env=False) as stranger:
        reply = await stranger.post(f"{engine.address}/tokenize", json={"content": "x"})
    assert reply.status_code == 401


async def test_a_dead_engine_fails_one_call_and_starts_again() -> None:
    need("local-tiny")
    model = LocalModel("local-tiny", slots=2)
    started = asyncio.Event()
    story = ask("Tell a long story.", max_tokens=3000)
    task = asyncio.create_task(model.generate(story, lambda i, text: started.set()))
    await started.wait()
    engine = model._borrow()
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(Transient, match=r"local-tiny.*its process ended"):
        await task
    (reply,) = await model.generate(ask(max_tokens=2))
    assert reply.usage.completion == 2
    assert model._borrow().pid != engine.pid
    await model.aclose()


def test_no_engine_outlives_its_program(tmp_path: Path) -> None:
    need("local-tiny")
    code = (
        "import asyncio, os, signal, sys; sys.path.insert(0, '.')\n"
        "from collegium.models import LocalModel; from tests.models.support import ask\n"
        "model = LocalModel('local-tiny', slots=1)\n"
        "asyncio.run(model.generate(ask(max_tokens=1)))\n"
        "print(model._borrow().pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    pid = int(done.stdout)
    deadline = time.monotonic() + 30
    while _runs(pid):
        assert time.monotonic() < deadline, "the engine is still there"
        time.sleep(0.1)


def _runs(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_event_loops_one_after_another_use_one_engine() -> None:
    need("local-tiny")
    model = LocalModel("local-tiny", slots=1)
    request = ask(QUESTION, max_tokens=4, seed=1)
    first = asyncio.run(model.generate(request))
    pid = model._borrow().pid
    assert asyncio.run(model.generate(request)) == first
    assert model._borrow().pid == pid
    asyncio.run(model.aclose())


async def test_a_file_that_is_no_model_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "garbage.gguf"
    file.write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(WeightsDamaged, match=r"garbage\.gguf"):
        await LocalModel(f"gguf:{file}").generate(ask())


async def test_adapters_are_chosen_per_request(tmp_path: Path) -> None:
    need("local-tiny")
    adapters = {name: write_adapter(tmp_path / name, seed) for seed, name in enumerate("ab")}
    adapted = LocalModel("local-tiny", slots=2, adapters=adapters)
    bare = LocalModel("local-tiny", slots=2)

    async def text(model: LocalModel, *chosen: tuple[str, float]) -> str:
        request = ask(QUESTION, max_tokens=12, temperature=0, adapters=chosen)
        return (await model.generate(request))[0].text

    plain = await text(bare)
    assert await text(adapted) == plain, "an adapter that nobody asked for is applied"
    with_a, with_b = await text(adapted, ("a", 1.0)), await text(adapted, ("b", 1.0))
    assert len({plain, with_a, with_b}) == 3
    assert await text(adapted, ("a", 0.0)) == plain
    assert adapted.fingerprint != bare.fingerprint
    with pytest.raises(UnknownName, match="adapter 'c'"):
        await text(adapted, ("c", 1.0))
    await adapted.aclose()
    await bare.aclose()


async def test_tools_are_called_natively() -> None:
    need("local-small")
    small = LocalModel("local-small", slots=2)
    tool = ToolSpec(
        "get_weather",
        "Get the current weather of a city.",
        {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    )
    question = "What is the weather in Paris now? Use the tool."
    pieces: list[str] = []
    (first,) = await small.generate(
        ask(question, tools=(tool,), temperature=0, max_tokens=100),
        lambda i, text: pieces.append(text),
    )
    assert first.finish == "tool"
    (call,) = first.tool_calls
    assert call.name == "get_weather"
    assert call.arguments["city"].startswith("Paris")
    conversation = (
        Message("user", question),
        Message("assistant", first.text, tool_calls=first.tool_calls),
        Message("tool", "It is 17 degrees and raining.", tool_call_id=call.id),
    )
    (second,) = await small.generate(
        ask(messages=conversation, tools=(tool,), temperature=0, max_tokens=60)
    )
    assert second.usage.prompt > first.usage.prompt + 20  # the call and its result were read
    await small.aclose()


async def test_the_tiny_engine_behind_a_server_is_a_remote_model(tiny: LocalModel) -> None:
    pytest.importorskip("pydantic_ai")
    with OpenAIServer(tiny) as server:
        remote = RemoteModel(f"openai:local-tiny@{server.url}")
        request = ask(QUESTION, max_tokens=10, seed=5, temperature=1.0, logprobs=2)
        (direct,) = await tiny.generate(request)
        (reply,) = await remote.generate(request)
        assert reply == direct
        (typed,) = await remote.generate(ask(QUESTION, max_tokens=100, schema=SCHEMA))
        assert set(json.loads(typed.text)) == {"answer", "sure"}
        with pytest.raises(ContextTooLong):
            await remote.generate(ask("word salad " * 5000))
        assert reply.usage == Usage(reply.usage.prompt, 0, 10)
        await remote.aclose()
