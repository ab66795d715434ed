"""Comparisons that are begun from pages: checked, run, stopped, gone on with."""

import asyncio
import json
import threading
from pathlib import Path

import pytest

pytest.importorskip("nicegui", reason="the studio needs collegium[studio]")

from collegium.errors import BadInput, Unreachable
from collegium.kernel import Limits, RunStore
from collegium.studio.comparing import Comparisons, Wanted, apart
from collegium.studio.state import Studio

MODEL = """
import asyncio, json, os, pathlib

HERE = pathlib.Path(__file__).with_name("asked")

async def reply(request):
    with HERE.open("a") as file:
        file.write("x")
    await asyncio.sleep(float(os.environ.get("PAUSE", "0")))
    fields = (request.schema or {}).get("properties", {})
    return [json.dumps({"answer": 42}) if fields else "Answer: 42" for _ in range(request.n)]
"""

CSV = b"question,answer\n" + b"".join(b"What is %d * 6?,%d\n" % (n, 6 * n) for n in range(1, 9))


@pytest.fixture
def model(tmp_path: Path) -> str:
    file = tmp_path / "model.py"
    file.write_text(MODEL)
    return f"script:{file}:reply"


@pytest.fixture
def made(tmp_path: Path, model: str):
    comparisons = Comparisons(Studio(store_path=tmp_path / "home" / "runs.db", model=model))
    yield comparisons
    comparisons.uploads.close()


def wanted(model: str, **options) -> Wanted:
    options = {"systems": ("direct", "cot"), "on": "mine.csv", **options}
    return Wanted(model=model, **options)


def asked(tmp_path: Path) -> int:
    file = tmp_path / "asked"
    return len(file.read_text()) if file.exists() else 0


async def ended(comparison) -> None:
    async with asyncio.timeout(60):
        while comparison.going:
            await asyncio.sleep(0.02)


async def test_a_comparison_from_beginning_to_report(made, model):
    made.uploads.keep("mine.csv", CSV)
    planned = await asyncio.to_thread(made.plan, wanted(model, limit=4))
    comparison = await made.start(planned, workers=2)
    assert comparison.run
    await ended(comparison)
    assert (comparison.error, comparison.stopped) == ("", False)
    assert [(p.done, p.total) for p in comparison.progress.values()] == [(4, 4), (4, 4)]
    report = made.report(comparison.run)
    assert report is not None and report is comparison.report
    assert (report.benchmark, report.source) == ("mine.csv", "the uploaded file mine.csv")
    assert report.command.startswith("collegium compare direct cot --on mine.csv")
    assert {r.n for r in report.systems} == {4}
    folder = made.folder(comparison.run)
    assert "<html" in (folder / "report.html").read_text()
    assert json.loads((folder / "report.json").read_text())["run"] == comparison.run
    # Another process reads what was written.
    other = Comparisons(made._studio)
    again = other.report(comparison.run)
    assert again is not None and again.outcomes == report.outcomes
    other.uploads.close()


async def test_a_comparison_is_stopped_and_gone_on_with_without_paying_again(
    made, model, tmp_path, monkeypatch
):
    monkeypatch.setenv("PAUSE", "0.05")
    made.uploads.keep("mine.csv", CSV)
    planned = await asyncio.to_thread(made.plan, wanted(model, systems=("cot",)))
    comparison = await made.start(planned)
    async with asyncio.timeout(30):
        while comparison.progress["cot"].done < 2:
            await asyncio.sleep(0.01)
    made.stop(comparison)
    await ended(comparison)
    assert comparison.stopped and comparison.report is None
    finished, paid = comparison.progress["cot"].done, asked(tmp_path)
    assert 2 <= finished < 8
    store = RunStore(made._studio.store_path)
    row = store.run(comparison.run)
    assert row.status == "interrupted"
    assert len(store.results(row.id)) == finished
    store.close()

    planned = await asyncio.to_thread(made.plan_again, row)
    again = await made.start(planned, resume=True)
    await ended(again)
    assert again.run == comparison.run
    assert (again.kept, again.progress["cot"].done) == (finished, 8)
    # One call a question; the one that was cut off may have been paid for twice.
    assert asked(tmp_path) <= 8 + 1
    assert asked(tmp_path) >= paid
    assert again.report is not None and again.report.systems[0].n == 8


async def test_going_on_needs_the_same_questions(made, model):
    made.uploads.keep("mine.csv", CSV)
    planned = await asyncio.to_thread(made.plan, wanted(model))
    comparison = await made.start(planned)
    await ended(comparison)
    with RunStoreOf(made) as store:
        row = store.run(comparison.run)
    later = Comparisons(made._studio)
    with pytest.raises(BadInput, match=r"no file mine\.csv here; upload it first"):
        later.plan_again(row)
    later.uploads.keep("mine.csv", CSV.replace(b"What", b"How much"))
    with pytest.raises(BadInput, match="not what they were"):
        later.plan_again(row)
    later.uploads.keep("mine.csv", CSV)
    assert later.plan_again(row).key == row.key
    later.uploads.close()


class RunStoreOf:
    def __init__(self, made):
        self._path = made._studio.store_path

    def __enter__(self):
        self._store = RunStore(self._path)
        return self._store

    def __exit__(self, *_):
        self._store.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"systems": ()}, "name at least one system"),
        ({"systems": ("direct", "direct")}, "named twice"),
        ({"systems": ("drect",)}, "did you mean 'direct'"),
        ({"systems": ("mad:agent=3",)}, "agent"),
        ({"limit": 0}, "at least 1"),
        ({"budget": 0}, "budget|token"),
        ({"workers": 0}, "workers must be 1 to 64"),
        ({"workers": 65}, "workers must be 1 to 64"),
        ({"split": "train"}, "no split 'train'"),
        ({"on": "other.csv"}, "no file other.csv here; upload it first"),
        ({"on": "/etc/passwd"}, "unknown benchmark"),
        ({"on": "../home/runs.db"}, "unknown benchmark"),
        ({"on": "inspect:evil.py@task"}, "unknown benchmark"),
        ({"on": "gsm-simbolic"}, "did you mean 'gsm-symbolic'"),
        ({"model": "script:/tmp/other.py:reply"}, "chosen when the studio is started"),
        ({"model": "replay:/tmp/trace.jsonl"}, "chosen when the studio is started"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(made, model, tmp_path, options, said):
    made.uploads.keep("mine.csv", CSV)
    options = {"model": model, **options}
    with pytest.raises(BadInput, match=said) as error:
        made.plan(wanted(options.pop("model"), **options))
    assert "\n" not in str(error.value)
    assert asked(tmp_path) == 0


def test_files_of_this_machine_are_not_read_because_a_page_says_so(made, model, tmp_path):
    file = tmp_path / "private.csv"
    file.write_bytes(CSV)
    with pytest.raises(BadInput):
        made.plan(wanted(model, on=str(file)))


async def test_the_studios_limits_hold(tmp_path, model):
    studio = Studio(store_path=tmp_path / "runs.db", model=model, limits=Limits(tokens=900))
    made = Comparisons(studio)
    made.uploads.keep("mine.csv", CSV)
    assert made.plan(wanted(model)).budget == 900
    assert made.plan(wanted(model, budget=500)).budget == 500
    assert made.plan(wanted(model, budget=5_000)).budget == 900
    made.uploads.close()


async def test_a_model_that_is_not_there_leaves_no_run_behind(made):
    made.uploads.keep("mine.csv", CSV)
    planned = await asyncio.to_thread(made.plan, wanted("nobody-knows-this"))
    with pytest.raises(BadInput, match="nobody-knows-this"):
        await made.start(planned)
    with RunStoreOf(made) as store:
        assert store.runs() == []


@pytest.mark.parametrize("run", ["../../etc", "", "a/b", "..", "x\0y", "-rf"])
def test_a_report_is_looked_for_in_its_own_folder_alone(made, run):
    with pytest.raises(BadInput, match="no id of a run"):
        made.report(run)


async def test_work_apart_has_a_loop_and_a_thread_of_its_own():
    here = threading.get_ident(), asyncio.get_running_loop()

    async def work():
        return threading.get_ident(), asyncio.get_running_loop()

    there = await apart(work)
    assert there[0] != here[0] and there[1] is not here[1]

    async def fail():
        raise Unreachable("gone")

    with pytest.raises(Unreachable, match="gone"):
        await apart(fail)


async def test_stopping_work_apart_stops_it():
    seen: list[str] = []
    began = threading.Event()

    async def work():
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("stopped")
            raise

    task = asyncio.create_task(apart(work))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["stopped"]
