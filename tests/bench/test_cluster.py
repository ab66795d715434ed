"""A comparison on a Ray cluster: the results of one machine, and nothing left behind."""

import asyncio
import re
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from collegium.bench.cluster import Job, do_job
from collegium.bench.compare import compare, plan
from collegium.bench.jobs import Entry
from collegium.errors import BadInput, MissingExtra, Unreachable
from collegium.kernel import RunStore
from collegium.systems import Result, System

SYSTEMS = ["direct", "self-refine:turns=2"]
QUESTIONS = 12

MODELS = '''
"""Models that note their calls; what they do besides depends on files beside this one."""

import asyncio
import os
import signal
from pathlib import Path

from collegium.errors import BadInput, Unreachable

HERE = Path(__file__).parent


def answer(request):
    with open(HERE / "calls", "a") as file:
        file.write("x\\n")
    place = sum(map(ord, request.messages[-1].text)) + (request.seed or 0)
    return [f"So it is.\\nAnswer: {(place + i) % 3}" for i in range(request.n)]


async def slow(request):
    await asyncio.sleep(0.2)
    return answer(request)


def gone(request):
    if len(request.messages) > 2 and (HERE / "down").exists():
        return Unreachable("the server is gone.")
    return answer(request)


def wrong(request):
    raise BadInput("the model has no such setting.")


def bug(request):
    return 1 / 0


def fatal(request):
    if not (HERE / "died").exists():
        (HERE / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(request)


def always_fatal(request):
    os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.fixture
def planned(tmp_path):
    """A comparison with one of the models above."""
    (tmp_path / "models.py").write_text(MODELS)
    lines = [f"What is {i} modulo 3?,{i % 3}" for i in range(QUESTIONS)]
    (tmp_path / "questions.csv").write_text("\n".join(["question,answer", *lines]))

    def make(model, **more):
        name = f"script:{tmp_path / 'models.py'}:{model}"
        return plan(SYSTEMS, on=str(tmp_path / "questions.csv"), model=name, seed=3, **more)

    return make


@pytest.fixture(scope="module")
def ray(tmp_path_factory):
    """Ray, which keeps what it writes of its own in the home of these tests."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("RAY_ADDRESS", raising=False)
        yield ray
        ray.shutdown()


@pytest.fixture
def alone(ray):
    """No connection to a cluster."""
    ray.shutdown()


@pytest.fixture(scope="module")
def cluster(ray):
    """A small cluster that this process is connected to, shared by the tests."""
    ready, over = Future(), threading.Event()

    def hold():  # the cluster ends with the thread that started it
        try:
            ready.set_result(
                ray.init(
                    "local", num_cpus=2, include_dashboard=False, object_store_memory=100_000_000
                )
            )
        except BaseException as error:
            ready.set_exception(error)
        over.wait()

    threading.Thread(target=hold, daemon=True).start()
    try:
        ready.result(timeout=100)
    except Exception as error:
        skip_if_busy(error)
    yield
    ray.shutdown()
    over.set()


def skip_if_busy(error):
    """Ray gives its own processes 30 seconds to start, which a busy machine may not keep."""
    if isinstance(error, TimeoutError) or re.search("[Tt]imed out|no answer", str(error)):
        pytest.skip("this machine is too busy to start Ray")
    raise error


def calls(tmp_path):
    """How many calls the model has answered."""
    return len((tmp_path / "calls").read_text().splitlines())


def paid(report):
    """How many calls a report counts."""
    return sum(row.calls for row in report.systems)


def outcomes(report):
    """The outcomes without their times."""
    return [msgspec.structs.replace(o, seconds=0.0) for o in report.outcomes]


def events(store, run):
    """The events by system and question, without their times."""
    found = {}
    for system, task, event in store.events(run):
        bare = msgspec.structs.replace(event, started=0.0, seconds=0.0)
        found.setdefault((system, task), []).append(bare)
    return found


async def test_same_results_on_a_cluster_of_its_own(ray, alone, planned, tmp_path):
    here, there = RunStore(None), RunStore(None)
    expected = await compare(planned("answer"), here)
    try:
        report = await compare(planned("answer"), there, ray="auto", workers=2)
    except BadInput as error:
        return skip_if_busy(error)
    assert not ray.is_initialized()
    assert len(report.outcomes) == 2 * QUESTIONS
    assert outcomes(report) == outcomes(expected)
    assert events(there, report.run) == events(here, expected.run)
    assert there.run(report.run).status == "done"
    assert calls(tmp_path) == 2 * paid(expected)


@pytest.mark.parametrize("address", ["", "nowhere", "127.0.0.1:none", "127.0.0.1:1", "[::1]:99999"])
async def test_no_cluster_at_an_address(ray, alone, planned, address):
    with pytest.raises(BadInput, match="Ray cluster"):
        await compare(planned("answer"), RunStore(None), ray=address)
    assert not ray.is_initialized()


async def test_without_ray(planned, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"collegium\[cluster\]"):
        await compare(planned("answer"), RunStore(None), ray="auto")


async def test_resume_makes_only_the_missing_calls(cluster, planned, tmp_path):
    store = RunStore(None)
    (tmp_path / "down").touch()
    with pytest.raises(Unreachable, match=r"^the server is gone\.$"):
        await compare(planned("gone"), store, ray="auto")
    assert calls(tmp_path) > 0
    (tmp_path / "down").unlink()
    report = await compare(planned("gone"), store, ray="auto", resume=True)
    assert calls(tmp_path) == paid(report)
    assert all(not o.error for o in report.outcomes)


async def test_cancelled_and_resumed(ray, cluster, planned, tmp_path):
    store, some = RunStore(None), asyncio.Event()
    running = asyncio.create_task(
        compare(planned("slow"), store, ray="auto", on_outcome=lambda *_: some.set())
    )
    await some.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert store.runs()[0].status == "interrupted"
    first = calls(tmp_path)
    report = await compare(planned("slow"), store, ray="auto", resume=True)
    assert first < calls(tmp_path) == paid(report)
    assert len(report.outcomes) == 2 * QUESTIONS
    assert ray.is_initialized()  # a connection that was there before stays


async def test_a_mistake_comes_back_as_itself(cluster, planned):
    with pytest.raises(BadInput, match=r"^the model has no such setting\.$") as caught:
        await compare(planned("wrong"), RunStore(None), ray="auto")
    assert type(caught.value) is BadInput


async def test_a_bug_keeps_its_traceback(cluster, planned):
    with pytest.raises(ZeroDivisionError, match=r"models\.py"):
        await compare(planned("bug"), RunStore(None), ray="auto")


async def test_a_worker_that_dies_is_replaced_once(cluster, planned):
    report = await compare(planned("fatal", limit=1), RunStore(None), ray="auto")
    assert len(report.outcomes) == 2
    with pytest.raises(Unreachable, match=r"lost \S+ on question"):
        await compare(planned("always_fatal", limit=1), RunStore(None), ray="auto")


async def test_a_system_of_the_users_own(cluster, planned):
    async def solve(task, kernel, *, word):
        """A function that no worker could import."""
        return Result(f"{word} {task.id}")

    given = System("own", None, solve, {"word": (str, "it is")})
    entry = Entry("own", given, {"word": "say"})
    own = msgspec.structs.replace(planned("answer"), entries=(entry,))
    report = await compare(own, RunStore(None), ray="auto")
    assert [o.answer for o in report.outcomes] == [f"say {o.task}" for o in report.outcomes]
    assert len(report.outcomes) == QUESTIONS


def test_a_worker_of_another_version(planned):
    made = planned("answer", limit=1)
    answer = do_job(
        Job(
            entry=made.entries[0],
            item=made.benchmark.items[0],
            models={"": made.model},
            exact=True,
            seed=0,
            budget=None,
            journal=[],
            folder=str(Path.cwd()),
            version="0.0",
        )
    )
    assert isinstance(answer.result, BadInput)
    assert "0.0" in str(answer.result)
