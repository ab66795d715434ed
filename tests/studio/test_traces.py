"""Traces as pages read them, and the page of a run to share."""

import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("nicegui", reason="the studio needs collegium[studio]")

from collegium.bench.share import share
from collegium.errors import UnknownName
from collegium.kernel import Event, Generate, Message, Reply, RunStore
from collegium.studio.layout import address, page_number, quoted
from collegium.studio.traces import ANSWER_CHARACTERS, BLOCK, StoredTrace, hue
from tests.studio.filled import hostile_run, long_run, short_run


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "runs.db"


@pytest.fixture(scope="module")
def long(path):
    return long_run(path, 2_050)


def test_a_trace_is_read_block_by_block(path, long):
    trace = StoredTrace(path, long)
    assert len(trace) == 2_050
    rows = trace.block(100)
    assert [row["i"] for row in rows] == list(range(2_000, 2_020))
    assert rows[0]["answered"][0][1].startswith("needle-2000 ")
    assert len(trace.block(2_050 // BLOCK)) == 2_050 % BLOCK
    assert trace.block(10**6) == []


def test_a_trace_is_searched_to_its_end(path, long):
    trace = StoredTrace(path, long)
    assert trace.search("needle-2049") == [2_049]
    assert trace.search("  NEEDLE-1203 ") == [1_203]
    assert len(trace.search("needle")) == 2_000, "so many places are enough"
    assert trace.search("not there") == []
    assert trace.search("   ") == []
    assert trace.place_of(1_777) == 1_777


def test_events_that_come_later_are_seen(path):
    store = RunStore(path)
    run = store.begin("run", "", {"system": "mad"})
    trace = StoredTrace(path, run)
    assert (len(trace), trace.place) == (0, None)
    call = Generate(agent="a", role="a", messages=(Message("user", "x" * 9_000),))
    keep = store.sink(run, "mad", "task")
    keep(Event(id=0, call=call, replies=(Reply("y" * 9_000),), seconds=1.0))
    assert trace.refresh() == 1
    (row,) = trace.block(0)
    assert row["cut"] and row["asked"] == [] and row["questions"] == 1
    assert len(row["answered"][0][1]) == ANSWER_CHARACTERS
    whole = trace.whole(0)
    assert whole is not None and not whole["cut"]
    assert (len(whole["answered"][0][1]), len(whole["asked"][0][1])) == (9_000, 9_000)
    assert trace.whole(1) is None and trace.whole(-1) is None
    store.close()


def test_an_agent_has_the_same_colour_everywhere():
    assert hue("critic") == hue("critic")
    assert {hue(f"agent {n}") for n in range(60)} == {1, 2, 3, 4, 5, 6}


class Elements(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_a_shared_page_needs_no_script_and_holds_no_code(path):
    run = hostile_run(path)
    store = RunStore(path)
    page = share(store, run)
    store.close()
    elements = Elements(page).found
    tags = {tag for tag, _ in elements}
    assert not tags & {"script", "iframe", "img", "svg", "object", "embed", "form", "input", "link"}
    attributes = {name for _, attrs in elements for name in attrs}
    assert not {name for name in attributes if name.startswith("on")} | (
        attributes & {"src", "srcdoc", "style"}
    )
    links = [attrs["href"] for tag, attrs in elements if tag == "a"]
    assert all(re.fullmatch(r"#p-\d+-\d+", link) for link in links)
    policy = next(a["content"] for t, a in elements if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'") and "script-src" not in policy
    assert "&lt;script&gt;alert(&#39;script&#39;)&lt;/script&gt;" in page


def test_a_shared_page_says_what_was_run_and_what_came_of_it(path):
    run = short_run(path, "Which is it?", answer="colchicine")
    store = RunStore(path)
    page = share(store, run[:-3])
    with pytest.raises(UnknownName):
        share(store, "nothing")
    cut = share(store, run, transcript_bytes=10)
    store.close()
    for said in ("Which is it?", "colchicine", "agents=2", "debater-2", run, "300 prompt tokens"):
        assert said in page
    assert "3 of 3 calls were left out" in cut


def test_small_pieces_of_pages():
    assert address("/runs", text="a&b=c", page=None, ended="") == "/runs?text=a%26b%3Dc"
    assert [page_number(t) for t in ("3", "", "-1", "x", "9" * 40, "²")] == [3, 1, 1, 1, 1, 1]
    assert quoted('</script>"\u2028') == '"\\u003c/script>\\"\\u2028"'
