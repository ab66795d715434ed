"""Several kernels on one machine: real processes, each with a state of its own."""

from __future__ import annotations

import os
import signal
import time

import pytest

from collegium.apps import virtual
from collegium.apps.virtual import TRACE, call, kernels, start, state_of, status, stop
from collegium.errors import BadInput, Denied, UnknownName
from collegium.kernel import Generate, ListFiles, Load, Message, Recall, Remember, Send, Store
from collegium.kernel.calls import Receive
from collegium.kernel.trace import read_trace


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    for one in kernels(tmp_path):
        if one.pid is not None:
            os.kill(one.pid, signal.SIGKILL)


def gone(name, home):
    until = time.monotonic() + 10
    while status(name, home).running and time.monotonic() < until:
        time.sleep(0.02)
    return not status(name, home).running


@pytest.mark.must_show("aios-ecosystem", 6)
async def test_an_agent_of_one_kernel_reaches_nothing_of_another(home, monkeypatch):
    await _both(home)
    await call("b", Remember(agent="x", text="the door code is 4711"), home)
    await call("b", Store(agent="x", path="plan.txt", text="tea at five"), home)

    # the same agent name in kernel a is another agent: it has nothing
    assert await call("a", Recall(agent="x", query="door code"), home) == []
    await call("a", Store(agent="x", path="own.txt", text="of a"), home)
    assert await call("a", ListFiles(agent="x"), home) == ["own.txt"]
    # every way to address what kernel b has is denied
    attempts = [
        (Recall(agent="x", query="door code", bank="b/x"), Denied),
        (Load(agent="x", path="plan.txt", owner="b/x"), Denied),
        (Send(agent="x", to="b/x", text="hello"), Denied),
        (Load(agent="x", path="../../../../b/state/files/x/plan.txt"), BadInput),
        (Load(agent="x", path=str(home / "b/state/files/x/plan.txt")), BadInput),
        (ListFiles(agent="x", folder="../../../b"), BadInput),
    ]
    for request, refusal in attempts:
        with pytest.raises((refusal, Denied)):
            await call("a", request, home)
    # and logged, each with its sentence
    log = read_trace(state_of("a", home) / TRACE)
    refused = [e for e in log if e.outcome == "error"]
    assert [e.call for e in refused] == [request for request, _ in attempts]
    assert "agent 'x' of kernel 'a' may not reach 'b/x'" in refused[0].error
    # nothing of it came to kernel b, which still has all
    assert not any(e.outcome == "error" for e in read_trace(state_of("b", home) / TRACE))
    (note,) = await call("b", Recall(agent="x", query="door code"), home)
    assert note["text"] == "the door code is 4711"


@pytest.mark.must_show("aios-ecosystem", 6)
async def test_killing_one_kernel_leaves_the_other_running(home):
    first, second = await _both(home)
    assert first.pid != second.pid and os.getpid() not in (first.pid, second.pid)
    await call("a", Remember(agent="x", text="in a"), home)
    await call("b", Remember(agent="x", text="in b"), home)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    assert gone("a", home)
    (note,) = await call("b", Recall(agent="x", query="in b"), home)
    assert note["text"] == "in b"
    with pytest.raises(BadInput, match="does not run; start it: collegium kernel start a"):
        await call("a", Recall(agent="x", query="in"), home)
    assert [(k.name, k.running) for k in kernels(home)] == [("a", False), ("b", True)]
    # what it had been told is on its disk
    await _started("a", home)
    (note,) = await call("a", Recall(agent="x", query="in a"), home)
    assert note["text"] == "in a"


async def test_messages_stay_within_a_kernel(home):
    await _both(home)
    await call("a", Send(agent="x", to="y", text="hello"), home)
    assert [m["text"] for m in await call("a", Receive(agent="y"), home)] == ["hello"]
    assert await call("b", Receive(agent="y"), home) == []


async def test_a_kernel_with_a_model_answers_and_one_without_says_so(home, tmp_path):
    script = tmp_path / "model.py"
    script.write_text("def yes(request):\n    return 'yes'\n")
    await _started("a", home, model=f"script:{script}:yes")
    await _started("b", home)
    ask = Generate(agent="x", role="x", messages=(Message("user", "hello"),))
    (reply,) = await call("a", ask, home)
    assert reply["text"] == "yes"
    with pytest.raises(BadInput, match="without a model"):
        await call("b", ask, home)


async def test_start_stop_and_what_can_go_wrong(home):
    await _started("a", home)
    with pytest.raises(BadInput, match="runs already"):
        await _started("a", home)
    assert os.stat(state_of("a", home)).st_mode & 0o077 == 0  # nobody else's business
    with pytest.raises(UnknownName, match="unknown kernel 'c'"):
        stop("c", home)
    stop("a", home)
    assert gone("a", home)
    with pytest.raises(BadInput, match="does not run"):
        stop("a", home)
    with pytest.raises(BadInput, match="no name of a kernel"):
        await _started("../a", home)
    with pytest.raises(BadInput, match=r"did not start: .*unknown model"):
        await _started("b", home, model="nonsense")


async def test_nonsense_over_the_socket_is_answered(home):
    import asyncio

    await _started("a", home)
    with virtual._socket(state_of("a", home)) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        for line in (b"{", b'{"type": "boil"}', b'{"type": "recall"}', b'{"type": 1}'):
            writer.write(line + b"\n")
            assert b'"kind":"BadInput"' in await reader.readline()
        writer.close()
    assert await call("a", Recall(agent="x", query="anything"), home) == []


async def _started(name, home, **options):
    import asyncio

    return await asyncio.to_thread(start, name, home=home, **options)


async def _both(home):
    return [await _started(name, home) for name in ("a", "b")]
