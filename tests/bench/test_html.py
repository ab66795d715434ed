"""The HTML report: what it holds, and that hostile text stays text."""

import base64
import builtins
import hashlib
import itertools
import os
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from collegium.bench.html import ordered, render, report_snippet, run_snippet, write_html
from collegium.bench.records import Outcome, Report
from collegium.bench.summary import pair, rank, system_row
from collegium.kernel.calls import (
    AskHuman,
    Generate,
    Image,
    Message,
    Receive,
    Reply,
    Send,
    ToolCall,
    Usage,
    UseTool,
)
from collegium.kernel.trace import Event

NAMES = ("mad:agents=3,rounds=2", "self-consistency:samples=6", "direct")


def outcomes(name, n, *, chance, tokens, calls, seed=1, start=0):
    """n outcomes of a system."""
    rng = random.Random(f"{name}{seed}")
    made = []
    for i in range(start, start + n):
        hard = i % 3 == 0
        unparsed = rng.random() < 0.05
        correct = not unparsed and rng.random() < chance - 0.25 * hard
        boxes, eggs = 3 + i % 7, 12 + i
        spent = int(tokens * rng.uniform(0.85, 1.2))
        made.append(
            Outcome(
                system=name, task=f"gsm-{i:03d}",
                stratum="3 or more steps" if hard else "1 or 2 steps",
                prompt=f"A farm packs {boxes} boxes of {eggs} eggs every morning and sells two "
                "thirds of them at the market before noon. How many eggs are left?",
                reference=str(boxes * eggs),
                answer="" if unparsed else str(boxes * eggs - (not correct) * 4),
                correct=correct, value=float(correct), unparsed=unparsed,
                limited=unparsed and hard, calls=calls, tokens_prompt=int(spent * 0.6),
                tokens_cached=int(spent * 0.25), tokens_completion=spent - int(spent * 0.6),
                seconds=calls * rng.uniform(1.2, 2.0),
                notes={"votes": 2, "cast": 3} if calls > 1 else {},
            )
        )  # fmt: skip
    return made


def events(outcome, text="First the boxes, then the eggs. "):
    """A small debate: replies, a message, a mailbox, a repair."""
    prompt = (Message("system", "You solve problems."), Message("user", outcome.prompt))
    usage = Usage(prompt=180, cached=90, completion=64)

    def said(i, agent, body, outcome_kind="ok", parent=None):
        call = Generate(agent=agent, role="debater", messages=prompt, seed=i, parent=parent)
        reply = Reply(body, usage=usage, finish="length" if i == 1 else "stop", call=i)
        return Event(
            id=i, call=call, outcome=outcome_kind, replies=(reply,), model="local-small",
            usage=usage, started=i * 1.5, seconds=1.43,
        )  # fmt: skip

    mail = [{"sender": "debater-1", "text": text, "call": 0}]
    return [
        said(0, "debater-1", text + f'{{"answer": {outcome.answer or 0}}}'),
        said(1, "debater-2", text * 3),
        said(2, "debater-2", f'{{"answer": {outcome.answer or 0}}}', "fix", parent=1),
        Event(id=3, call=Send(agent="debater-1", to="debater-2", text=text, sources=(0,))),
        Event(id=4, call=Receive(agent="debater-2"), outcome="observation", value=mail),
        said(5, "debater-2", text + "I agree with the other agent."),
    ]


def report(per_system, *, controls=None, factor=2.0, curve=False):
    """A report over outcomes by system name."""
    rows = [
        system_row(n, "mad" if n[:3] == "mad" else None, {"temperature": 1.0, "max_tokens": 384}, o)
        for n, o in per_system.items()
    ]
    both = itertools.combinations(per_system, 2)
    pairs = [pair(a, b, per_system[a], per_system[b], 7) for a, b in both]
    controls = controls or {}
    ranking, verdict, spend = rank(rows, pairs, controls=controls, factor=factor, curve=curve)
    return Report(
        run="20250304-101500-7f3a", created="2025-03-04 10:15 UTC",
        command="collegium compare direct self-consistency:samples=6 mad --on gsm-symbolic "
        "--limit 30 --seed 7 --model local-small",
        benchmark="gsm-symbolic", split="test", source="reasoning-gym 0.1.25 (Apache-2.0)",
        fingerprint="blake2b:51c0a9e2d4", model="local-small", roles={"verifier": "local"},
        seed=7, limit=30, budget=4000, exact=True, systems=tuple(rows), pairs=tuple(pairs),
        controls=controls, ranking=ranking, verdict=verdict, spend_factor=spend, curve=curve,
        machine="2 cores x86_64, 8 GB, Linux", version="0.1.0", seconds=812.4,
        outcomes=tuple(o for all_of_one in per_system.values() for o in all_of_one),
    )  # fmt: skip


def example(n=30, *, direct_tokens=1300, curve=False):
    """Three systems on n questions, with traces."""
    per_system = {
        NAMES[0]: outcomes(NAMES[0], n, chance=0.66, tokens=1900, calls=6),
        NAMES[1]: outcomes(NAMES[1], n, chance=0.66, tokens=1500, calls=6),
        NAMES[2]: outcomes(NAMES[2], n, chance=0.42, tokens=direct_tokens, calls=1),
    }
    made = report(per_system, controls={"majority": 0.07, "closed-book": 0.12}, curve=curve)
    traces = {(o.system, o.task): events(o) for o in made.outcomes}
    return made, traces


class Page(HTMLParser):
    """The elements and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def count(self, tag, **wanted):
        return sum(
            t == tag and all(v in (a.get(k) or "").split() for k, v in wanted.items())
            for t, a in self.elements
        )


@pytest.fixture(scope="module")
def page():
    return Page(render(*example()))


def test_the_verdict_comes_first_and_nothing_is_missing(page):
    made, _ = example()
    assert page.text.index(made.verdict.partition(". ")[0]) < page.text.index("Systems")
    for told in (
        "56.7%", "39.2% – 72.6%", "1,952", "95% interval", "only first right", "exact McNemar",
        "p, Holm", "majority 7.0%, closed-book 12.0%", made.command, made.machine, made.run,
        made.fingerprint, made.created, "4,000 tokens per task", "exact: one at a time",
        "verifier: local", "temperature=1.0", "paper: mad", "equal generations: direct",
        "first 30 questions", "collegium 0.1.0", made.source,
    ):  # fmt: skip
        assert told in page.text, told


def test_what_was_judged_besides_is_told():
    made = [
        Outcome(system="direct", task=str(i), facts={"attack_success": i < 3}) for i in range(9)
    ]
    told = render(report({"direct": made}), {})
    assert "Judged besides, direct: attack success 3 of 9" in told


def test_every_question_has_a_row_with_marks(page):
    made, _ = example()
    assert page.count("details", **{"class": "question"}) == 30
    assert page.count("details", **{"class": "transcript"}) == 90
    for state, chosen in {
        "right": lambda o: o.correct,
        "unparsed": lambda o: o.unparsed,
        "limited": lambda o: o.limited,
    }.items():
        expected = sum(map(chosen, made.outcomes))
        assert page.count("span", **{"class": f"{state}"}) == expected, state
    by_task = {}
    for o in made.outcomes:
        by_task.setdefault(o.task, []).append(o)
    split = sum(len({o.correct for o in both}) > 1 for both in by_task.values())
    lost = sum(not any(o.correct for o in both) for both in by_task.values())
    assert page.count("details", **{"class": "disagreement"}) == split > 0
    assert page.count("details", **{"class": "all-wrong"}) == lost > 0


def test_plots_are_inline_and_follow_the_page(page):
    assert page.count("svg") == 3
    text = render(*example())
    assert text == render(*example())  # ids and all
    svgs = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "currentColor" in svgs
    assert "var(--s3)" in svgs
    assert not re.search(r"#0102[0-9a-f]{2}", svgs)
    assert "<text" in svgs
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_the_file_asks_for_nothing(page):
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "base", "object")
        for name in ("src", "href", "action", "xlink:href"):
            assert not (attributes.get(name) or "#").startswith(("http", "//", "file"))
    assert page.count("script") == 1


EVIL = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}</details></style></script>"
)


def test_hostile_text_stays_text():
    """Whatever field it comes in by: names, questions, answers, notes, traces, tool results."""
    names = (f"mad:personas={EVIL}", "direct")
    per_system = {
        name: [
            msgspec.structs.replace(
                o, system=name, task=EVIL + o.task, stratum=EVIL, prompt=EVIL, reference=EVIL,
                answer=EVIL, reason=EVIL, error=EVIL, notes={EVIL: [EVIL]},
            )
            for o in outcomes(name, 3, chance=0.6, tokens=500, calls=2)
        ]
        for name in names
    }  # fmt: skip
    made = report(per_system, controls={EVIL: 0.2})
    made = msgspec.structs.replace(
        made, run=EVIL, created=EVIL, command=EVIL, benchmark=EVIL, split=EVIL, source=EVIL,
        fingerprint=EVIL, model=EVIL, roles={EVIL: EVIL}, machine=EVIL, version=EVIL,
        verdict=f"{EVIL}. {EVIL}",
    )  # fmt: skip
    turns = (Message("user", EVIL, tool_calls=(ToolCall("1", EVIL, {EVIL: EVIL}),)),)
    told = [
        Event(
            id=0, call=Generate(agent=EVIL, role=EVIL, messages=turns), model=EVIL, error=EVIL,
            replies=(Reply(EVIL, tool_calls=(ToolCall("1", EVIL, {EVIL: EVIL}),)),),
        ),
        Event(id=1, call=Send(agent=EVIL, to=EVIL, text=EVIL)),
        Event(id=2, call=Receive(agent=EVIL), value=[{"sender": EVIL, "text": EVIL}, EVIL]),
        Event(id=3, call=UseTool(agent=EVIL, tool=EVIL, arguments={EVIL: EVIL}), value=EVIL),
        Event(id=4, call=UseTool(agent=EVIL, tool=EVIL, arguments={}), value={EVIL: EVIL}),
        Event(id=5, call=AskHuman(agent=EVIL, question=EVIL), value=EVIL),
    ]  # fmt: skip
    page = Page(render(made, {(o.system, o.task): told for o in made.outcomes}))
    assert page.count("script") == 1
    assert page.count("img") == 0
    assert not any(name[:2] == "on" for _, attrs in page.elements for name in attrs)
    assert page.text.count("<script>alert(1)</script>") > 100
    assert "{{ 7*7 }}" in page.text
    assert page.count("details", **{"class": "question"}) == 3
    for snippet in (report_snippet(made), run_snippet(EVIL, {EVIL: EVIL})):
        assert Page(snippet).count("script") == Page(snippet).count("img") == 0
        assert EVIL in Page(snippet).text


def test_the_policy_allows_only_the_pages_own_script():
    text = render(*example(3))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; img-src data:"
    ) in text


def test_transcripts_show_every_kind_of_event():
    made, _ = example(1)
    picture = Message("user", "What is this?", images=(Image(b"12345", "image/png"),))
    o = made.outcomes[0]
    told = [
        *events(o),
        Event(
            id=6, call=Generate(agent="seer", role="seer", messages=(picture,), n=2),
            replies=(Reply("a cat", origin="cache"), Reply("a dog")), outcome="teacher",
        ),
        Event(id=7, call=UseTool(agent="seer", tool="sum", arguments={"x": [1, 2]}), value=3),
        Event(id=8, call=AskHuman(agent="seer", question="Sure?"), value="Quite."),
        Event(
            id=9, call=UseTool(agent="seer", tool="fly", arguments={}), outcome="error",
            error="There is no such tool.",
        ),
        Event(id=10, call=Receive(agent="debater-1"), value=[]),
    ]  # fmt: skip
    text = Page(render(made, {(o.system, o.task): list(reversed(told))})).text
    for shown in (
        "0 debater-1 local-small", "180 prompt (90 cached) + 64 tokens, 1.4 s",
        "Prompt: 2 messages, temperature 0.7, seed 0", "You solve problems.", "repair of 1",
        "cut at its token cap", "debater-1 to debater-2", "from event 0", "reads its mailbox",
        "from debater-1", "I agree with the other agent.", "a picture, image/png, 5 bytes",
        "sample 2", "a dog", "from the cache", "teacher", "uses sum", "Sure?", "Quite.",
        "There is no such tool.", "It is empty.", "What the method kept besides",
    ):  # fmt: skip
        assert shown in text, shown
    assert text.index("You solve problems.") < text.index("It is empty.")


def test_a_resumed_run_shows_its_last_attempt():
    made, _ = example(1)
    o = made.outcomes[0]
    told = [*events(o, "Broken off. ")[:3], *events(o, "In the end. ")]
    text = Page(render(made, {(o.system, o.task): told})).text
    assert "Transcript, 6 events" in text
    assert "In the end." in text
    assert "Broken off." not in text


def test_names_in_any_script_are_drawn(recwarn):
    made = report({"辩论 🙂": outcomes("辩论 🙂", 3, chance=0.9, tokens=100, calls=1)})
    assert "辩论 🙂" in re.findall(r"<svg.*?</svg>", render(made, {}), re.DOTALL)[0]
    assert not recwarn.list


def test_transcripts_beyond_the_limit_are_left_out_and_said_to_be():
    made, traces = example(6)
    whole = Page(render(made, traces))
    assert "left out to keep this file" not in whole.text
    part = Page(render(made, traces, transcript_bytes=40_000))
    shown = part.count("details", **{"class": "transcript"})
    assert 0 < shown < 18
    assert f"{18 - shown} of 18 transcripts were left out" in part.text
    assert part.text.count("Its transcript was left out") == 18 - shown
    assert Page(render(made, {})).count("details", **{"class": "transcript"}) == 0


def test_a_missing_matplotlib_leaves_the_tables(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    page = Page(render(*example(3)))
    assert page.count("svg") == 0
    assert "collegium[tasks]" in page.text
    assert page.count("table") == 2


def test_odd_reports_render():
    one = report({"direct": outcomes("direct", 2, chance=0.9, tokens=100, calls=1)})
    text = Page(render(one, {})).text
    assert "What no method at all would score" not in text
    assert "Same questions, two systems" not in text
    assert Page(render(report({"direct": []}), {})).count("svg") == 0
    per_system = {
        "a": outcomes("a", 3, chance=0.5, tokens=90, calls=1),
        "b": outcomes("b", 1, chance=0.5, tokens=90, calls=1, start=2),
    }
    per_system["a"][0] = msgspec.structs.replace(per_system["a"][0], correct=False, value=0.25)
    per_system["a"][1] = msgspec.structs.replace(per_system["a"][1], error="It broke.")
    uneven = Page(render(report(per_system), {}))
    assert uneven.count("span", **{"class": "absent"}) == 2
    assert "mean score" in uneven.text
    assert "partly right, score 0.25" in uneven.text
    assert "It broke." in uneven.text


def test_systems_are_listed_by_rank():
    made, _ = example(30)
    assert tuple(r.name for r in ordered(made)) == made.ranking
    refused, _ = example(30, direct_tokens=200)
    assert refused.ranking is None
    assert ordered(refused) == list(refused.systems)


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch):
    made, traces = example(2)
    odd = msgspec.structs.replace(made, source="half a pair: \ud83d")
    path = tmp_path / "new" / "report.html"
    write_html(odd, path, traces)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert "half a pair: ?" in path.read_text("utf-8")
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_html(made, path, {})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_snippets():
    made, _ = example(30)
    text = Page(report_snippet(made)).text
    assert made.verdict in text
    assert "mad:agents=3,rounds=2 56.7% (39.2% to 72.6%) 17/30 1,952 6.0 9.7 $0" in text
    run = Page(run_snippet("42", {"system": "mad", "tokens": 1234})).text
    assert run == "42 system mad tokens 1234"
