"""The history of the run store: filters, pages, what runs came to, and events some at a time."""

import re
import sqlite3
from pathlib import Path

import msgspec
import pytest

import collegium
from collegium.bench.records import Outcome
from collegium.errors import BadInput
from collegium.kernel import Event, Generate, Limits, Message, Reply, RunStore, Usage
from collegium.kernel.history import (
    Filters,
    count_up,
    events_at,
    find,
    places,
    positions,
    totals,
)
from collegium.kernel.store import Totals


@pytest.fixture
def store():
    opened = RunStore(None)
    yield opened
    opened.close()


def begin(store, system="direct", task="What is 6 * 7?", model="local", **more):
    return store.begin("run", "", {"system": system, "task": task, "model": model, **more})


def spent(tokens: int, limited: str = "", answer: str = "") -> Totals:
    return Totals(answer, limited, 1, Usage(prompt=tokens), 0.5)


def said(number: int, tokens: int = 0, **more) -> Event:
    call = Generate(agent="a", role="a", messages=(Message("user", "?"),))
    usage = Usage(prompt=tokens)
    return Event(id=number, call=call, replies=(Reply("!"),), usage=usage, **more)


def ids(page):
    return [listed.run.id for listed in page.runs]


def test_pages_go_from_the_newest_to_the_oldest(store):
    runs = [begin(store, task=f"question {n}") for n in range(7)]
    runs = sorted(runs, key=lambda run: (store.run(run).created, run), reverse=True)
    assert ids(find(store, count=3)) == runs[:3]
    assert ids(find(store, first=3, count=3)) == runs[3:6]
    last = find(store, first=6, count=3)
    assert (ids(last), last.first, last.total) == (runs[6:], 6, 7)
    # A page beyond the end is the last one there is, as when filters are narrowed on page 40.
    assert ids(find(store, first=600, count=3)) == runs[6:]


def test_an_empty_store_has_an_empty_page(store):
    assert find(store).total == 0
    assert find(store, first=50).runs == ()


def test_filters_by_system_model_and_text(store):
    debate = begin(store, system="mad:agents=4", task="Is 100%_sure a word?")
    plain = begin(store, system="mad", model="local-tiny")
    other = begin(store, system="madder", roles={"judge": "openai:gpt"})
    both = store.begin(
        "compare",
        "k",
        {"systems": [["mad:rounds=1", "mad", {}], ["cot", "cot", {}]], "benchmark": "mmlu:anatomy"},
    )
    store.finish(other, "done", spent(5, answer="forty-two"))

    def found(**filters):
        return set(ids(find(store, Filters(**filters))))

    assert found(system="mad") == {debate, plain, both}
    assert found(system="cot") == {both}
    assert found(kind="compare") == {both}
    assert found(kind="run", system="mad") == {debate, plain}
    assert found(model="local-tiny") == {plain}
    assert found(model="openai:gpt") == {other}
    assert found(text="ANATOMY") == {both}
    assert found(text="Forty-Two") == {other}
    assert found(text=debate) == {debate}
    # What stands for anything in SQL stands for itself here.
    assert found(text="%_sure") == {debate}
    assert found(text="_%") == set()
    assert found(text="' OR 1=1 --") == set()
    assert found(system="mad", model="local-tiny", text="6 * 7") == {plain}


def test_filters_by_ending_tokens_and_day(store):
    done, cut, broken, going = (begin(store) for _ in range(4))
    store.finish(done, "done", spent(1_000))
    store.finish(cut, "done", spent(90, limited="the limit of 90 tokens is used up."))
    store.finish(broken, "failed", spent(10))

    def found(**filters):
        return set(ids(find(store, Filters(**filters))))

    assert found(ended="limit") == {cut}
    assert found(ended="failed") == {broken}
    assert found(ended="running") == {going}
    assert found(ended="done") == {done, cut}
    assert found(tokens=90) == {done, cut}
    today = store.run(done).created[:10]
    assert len(found(since=today, until=today)) == 4
    assert found(since="2999-01-01") == set()
    assert found(until="1999-12-31") == set()


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (Filters(since="yesterday"), "'yesterday' is no day; write it like 2026-03-31"),
        (Filters(until="2026-13-40"), "is no day"),
        (Filters(tokens=-1), "at least 0"),
        (msgspec.convert({}, Filters), None),
        (Filters(ended="badly"), "it can be: done, running"),  # pyright: ignore
    ],
)
def test_a_wrong_filter_is_told_of(store, filters, said):
    if said is None:
        assert find(store, filters).total == 0
        return
    with pytest.raises(BadInput, match=re.escape(said)):
        find(store, filters)


def test_runs_that_were_never_counted_are_counted_from_what_is_there(store):
    old = begin(store)
    keep = store.sink(old, "direct", "task")
    keep(said(0, 70, started=1.0, seconds=2.0))
    error = "the limit of 70 tokens is used up."
    keep(said(1, outcome="error", error=error, failure="LimitReached"))
    store.finish(old, "done")
    compared = store.begin("compare", "k", {})
    for task, limited in (("a", True), ("b", False)):
        outcome = Outcome(
            system="cot", task=task, calls=2, tokens_prompt=30, tokens_completion=4, seconds=1.5,
            money=0.25, limited=limited,
        )  # fmt: skip
        store.put_result(compared, "cot", task, msgspec.json.encode(outcome))
    store.finish(compared, "interrupted")
    going = begin(store)
    assert find(store, Filters(tokens=1)).total == 0
    assert count_up(store, most=1) == 1
    assert count_up(store, most=5) == 1
    assert count_up(store) == 0
    assert set(ids(find(store, Filters(ended="limit")))) == {old, compared}
    assert totals(store, store.run(old)) == Totals("", error, 2, Usage(prompt=70), 3.0)
    whole = totals(store, store.run(compared))
    assert whole is not None
    assert (whole.calls, whole.usage) == (4, Usage(60, 0, 8, 0.5))
    assert whole.limited == "1 of 2 runs were ended by a limit."
    assert totals(store, store.run(going)) is None


def test_a_run_notes_what_it_came_to(tmp_path: Path):
    store = RunStore(tmp_path / "runs.db")
    model = tmp_path / "model.py"
    model.write_text("def reply(request):\n    return ['{\"answer\": 42}'] * request.n\n")
    run = collegium.run(
        "direct", "What is 6 * 7?", answer="number", model=f"script:{model}:reply", store=store
    )
    found = totals(store, store.run(run.id))
    assert found is not None
    assert (found.answer, found.limited, found.calls) == ("42", "", 1)
    assert found.usage == run.usage
    limits = Limits(calls=1)
    cut = collegium.run(
        "mad", "What is 6 * 7?", model=f"script:{model}:reply", store=store, limits=limits
    )
    assert cut.limited
    assert ids(find(store, Filters(ended="limit"))) == [cut.id]
    store.close()


def test_a_store_of_an_older_version_gets_what_it_lacks(tmp_path: Path):
    path = tmp_path / "runs.db"
    store = RunStore(path)
    run = begin(store)
    store.finish(run, "done")
    store.close()
    with sqlite3.connect(path) as old:
        old.execute("DROP TABLE totals")
        old.execute("DROP INDEX runs_by_time")
    store = RunStore(path)
    assert count_up(store) == 1
    assert ids(find(store, Filters(ended="done"))) == [run]
    store.close()


def test_the_events_of_the_last_attempt_some_at_a_time(store):
    run = begin(store)
    first = store.sink(run, "mad", "t1")
    first(said(0))
    store.flush()
    again, other = store.sink(run, "mad", "t1"), store.sink(run, "mad", "t2")
    for number in range(1_200):
        again(said(number))
        if number % 3 == 0:
            other(said(number))
    one, two = places(store, run)
    assert (one.system, one.task, one.attempt, one.events) == ("mad", "t1", 2, 1_200)
    assert (two.task, two.attempt, two.events) == ("t2", 1, 400)
    rows = positions(store, run, one)
    assert [e.id for e in events_at(store, rows[1_190:])] == list(range(1_190, 1_200))
    assert [e.id for e in events_at(store, rows)] == list(range(1_200))
    assert events_at(store, []) == []


def test_a_page_reads_no_more_of_the_store_than_it_shows(store):
    for number in range(60):
        begin(store, task=f"question {number}")
    plan = store.read(
        "EXPLAIN QUERY PLAN SELECT r.id FROM runs AS r LEFT JOIN totals AS t ON t.run = r.id "
        "ORDER BY r.created DESC, r.id DESC LIMIT 50 OFFSET 0"
    )
    said = " ".join(str(row[-1]) for row in plan)
    assert "runs_by_time" in said
    assert "TEMP B-TREE" not in said
