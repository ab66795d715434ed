"""The response cache: which calls it answers, and what an answer from it costs."""

from pathlib import Path
from typing import Any

import pytest

from collegium.errors import Transient
from collegium.kernel import Kernel, MemoryReplies, Retry, RunStore, Usage
from tests.kernel.support import Scripted, ask_for, inorder


def numbered() -> Scripted:
    count = iter(range(1000))
    return Scripted(lambda r, i: f"{next(count)}")


@pytest.mark.parametrize("fields", [{"temperature": 0.0}, {"seed": 3}, {"seed": 0}])
async def test_a_greedy_or_seeded_call_is_answered_from_the_cache(fields: dict[str, Any]) -> None:
    model = numbered()
    kernel = Kernel(model, cache=MemoryReplies())
    (first,) = await kernel.call(ask_for("a", **fields))
    (second,) = await kernel.call(ask_for("b", **fields))  # whoever asks
    assert len(model.requests) == 1
    assert (first.text, first.origin, second.text, second.origin) == ("0", "live", "0", "cache")
    # The method costs the same with and without a cache.
    assert second.usage == first.usage
    assert kernel.meter.usage == Usage(20, 0, 10)
    assert kernel.meter.calls == 2


async def test_a_sampled_call_without_a_seed_is_never_cached() -> None:
    model, cache = numbered(), MemoryReplies()
    kernel = Kernel(model, cache=cache)
    texts = [(await kernel.call(ask_for()))[0].text for _ in range(3)]
    assert texts == ["0", "1", "2"]
    assert cache == {}


async def test_without_a_cache_nothing_is_cached() -> None:
    model = numbered()
    kernel = Kernel(model)
    for _ in range(2):
        await kernel.call(ask_for(temperature=0.0))
    assert len(model.requests) == 2


async def test_the_cache_knows_single_samples() -> None:
    model = numbered()
    kernel = Kernel(model, cache=MemoryReplies())
    await kernel.call(ask_for(n=3, seed=1))
    assert [r.text for r in await kernel.call(ask_for(n=2, seed=1))] == ["0", "1"]
    assert [r.text for r in await kernel.call(ask_for(n=3, seed=1))] == ["0", "1", "2"]
    assert len(model.requests) == 1
    # For one more than it knows all are asked for, in one reading of the prompt.
    replies = await kernel.call(ask_for(n=4, seed=1))
    assert [r.origin for r in replies] == ["live"] * 4
    assert [r.n for r in model.requests] == [3, 4]
    assert [r.text for r in await kernel.call(ask_for(n=4, seed=1))] == ["3", "4", "5", "6"]


@pytest.mark.parametrize(
    "change",
    [
        {"text": "other"},
        {"seed": 2},
        {"temperature": 0.5},
        {"top_p": 0.5},
        {"max_tokens": 5},
        {"stop": ("x",)},
        {"schema": {"type": "object"}},
        {"logprobs": 1},
        {"adapters": (("sft", 1.0),)},
    ],
)
async def test_whatever_decides_an_answer_is_part_of_the_key(change: dict[str, Any]) -> None:
    model = numbered()
    kernel = Kernel(model, cache=MemoryReplies())
    await kernel.call(ask_for(seed=1))
    await kernel.call(ask_for(**{"seed": 1, **change}))
    assert len(model.requests) == 2


async def test_another_fingerprint_misses() -> None:
    cache = MemoryReplies()
    await Kernel(Scripted("old"), cache=cache).call(ask_for(seed=1))
    same = Scripted("new", name="another name")
    other = Scripted("new", fingerprint="scripted-2")
    (reply,) = await Kernel(same, cache=cache).call(ask_for(seed=1))
    assert reply.text == "old"
    (reply,) = await Kernel(other, cache=cache).call(ask_for(seed=1))
    assert reply.text == "new"


async def test_it_survives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = RunStore(path)
    written = await Kernel(numbered(), cache=store).call(ask_for(n=2, seed=1))
    store.close()
    store = RunStore(path)
    model = numbered()
    read = await Kernel(model, cache=store).call(ask_for(n=2, seed=1))
    assert model.requests == []
    assert [(r.text, r.usage, r.origin) for r in read] == [
        (r.text, r.usage, "cache") for r in written
    ]
    store.close()


async def test_a_failure_is_not_cached() -> None:
    model = Scripted(inorder(Transient("busy"), "hi"))
    cache = MemoryReplies()
    kernel = Kernel(model, cache=cache, retry=Retry(base=0))
    await kernel.call(ask_for(seed=1))
    assert [r.text for r in cache.values()] == ["hi"]
