"""The digest: each thing told once, nothing lost, and hostile text stays text wherever it goes."""

import json
import random
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from collegium.bench.digest import (
    Mailbox,
    Mark,
    NotDelivered,
    atom,
    collect,
    compose,
    latest,
    page,
    read_mark,
    remembering,
    require_address,
    send,
    text,
    write_mark,
)
from collegium.bench.digest import mail as mail_module
from collegium.bench.digest import mark as mark_module
from collegium.bench.records import Outcome
from collegium.errors import BadInput
from collegium.kernel.calls import Usage
from collegium.kernel.store import RunStore, Totals
from tests.bench.atom_rules import checked

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> \x1b[2J\r\nBcc: all@evil.test\r\n\r\n"
    "]]> &amp; \u202egnp.exe \x00 {{7*7}} javascript:alert(3) \ufffe"
)

FROM, TO = "desk@lab.test", ["ada@lab.test", "grace@lab.test"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "runs.db"


def begin(path, task="What is 17 * 23?", kind="run", **spec):
    store = RunStore(path)
    try:
        return store.begin(kind, "", {"system": "mad", "task": task, "model": "local-small"} | spec)
    finally:
        store.close()


def finish(path, run, status="done"):
    store = RunStore(path)
    store.finish(run, status)
    store.close()


def ended(path, task="What is 17 * 23?", status="done", **spec):
    run = begin(path, task, **spec)
    finish(path, run, status)
    return run


def moved(path, run, created):
    """A run that began at another time."""
    with sqlite3.connect(path) as db:
        db.execute("UPDATE runs SET created = ? WHERE id = ?", (created.isoformat(), run))


def compared(path):
    run = begin(path, kind="compare", systems=[["direct", {}], ["cot", {}]], benchmark="sums")
    store = RunStore(path)
    for system, right in (("direct", 1), ("cot", 3)):
        for i in range(4):
            outcome = Outcome(
                system=system,
                task=f"t{i}",
                correct=i < right,
                tokens_prompt=10,
                tokens_completion=5,
            )
            store.put_result(run, system, f"t{i}", msgspec.json.encode(outcome))
    store.finish(run, "done")
    store.close()
    return run


def report(folder, name="sums/local.json", **fields):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    row = {"name": "cot", "paper": None, "n": 30, "correct": 14, "accuracy": 14 / 30,
           "ci_low": 0.3, "ci_high": 0.64, "tokens_per_task": 295.4}  # fmt: skip
    made = {
        "created": "2026-03-04T10:15:00+00:00",
        "benchmark": "sums",
        "model": "local",
        "systems": [row],
        "verdict": "cot is ahead.",
        "command": "collegium compare cot",
    }
    file.write_text(json.dumps(made | fields))
    return file


def told(path, mark, results=None):
    digest, after = collect(path, results, mark)
    return [(r.id, r.status) for r in digest.runs], after


def test_a_run_is_told_once_when_it_has_ended(path):
    first, going = ended(path), begin(path)
    digest, mark = collect(path, None)
    assert [r.id for r in digest.runs] == [first]
    assert digest.running == 1
    assert told(path, mark)[0] == []
    finish(path, going, "failed")
    again, mark = told(path, mark)
    assert again == [(going, "failed")]
    assert told(path, mark)[0] == []


def test_a_comparison_that_is_taken_up_again_is_told_again(path):
    run = begin(path, kind="compare", systems=[["cot", {}]], benchmark="sums")
    finish(path, run, "interrupted")
    found, mark = told(path, Mark())
    assert found == [(run, "interrupted")]
    found, mark = told(path, mark)
    assert found == []
    finish(path, run, "done")
    found, mark = told(path, mark)
    assert found == [(run, "done")]
    assert told(path, mark)[0] == []


def test_a_run_that_appears_late_in_the_store_is_not_lost(path):
    ended(path)
    _, mark = told(path, Mark())
    late = ended(path)
    moved(path, late, datetime.fromisoformat(mark.until) - timedelta(seconds=20))
    assert told(path, mark)[0] == [(late, "done")]


def test_a_clock_that_was_ahead_hides_nothing(path):
    ahead = ended(path)
    moved(path, ahead, datetime.now(UTC) + timedelta(days=400))
    found, mark = told(path, Mark())
    assert found == [(ahead, "done")]
    then = ended(path)
    found, mark = told(path, mark)
    assert found == [(then, "done")]
    assert told(path, mark)[0] == []


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_each_ending_is_told_once(path, seed):
    """Runs begin and end at random, digests fail at random; in the end all was told, once."""
    draw, mark = random.Random(seed), Mark()
    going, endings, seen = [], [], []
    for _ in range(40):
        what = draw.random()
        if what < 0.4:
            going.append(begin(path, kind=draw.choice(["run", "compare"]), systems=[]))
            if draw.random() < 0.5:
                moved(path, going[-1], datetime.now(UTC) - timedelta(seconds=draw.uniform(0, 30)))
        elif what < 0.7 and going:
            run = going.pop(draw.randrange(len(going)))
            finish(path, run, "done")
            endings.append((run, "done"))
        else:
            found, after = told(path, mark)
            if draw.random() < 0.6:  # it was delivered
                seen += found
                mark = after
    found, mark = told(path, mark)
    assert sorted(seen + found) == sorted(endings)
    assert told(path, mark)[0] == []
    assert len(mark.open) == len(going)


def test_a_comparison_says_how_its_systems_did(path):
    compared(path)
    (run,) = collect(path, None)[0].runs
    assert [(r.system, r.correct, r.n, r.tokens_per_task) for r in run.rows] == [
        ("cot", 3, 4, 15.0), ("direct", 1, 4, 15.0)
    ]  # fmt: skip
    assert run.title == "direct, cot on sums"


def test_a_run_says_what_it_came_to(path):
    run = begin(path)
    store = RunStore(path)
    store.finish(run, "done", Totals("391", "the limit of 5 calls", 5, Usage(300, 0, 50)))
    store.close()
    digest = collect(path, None)[0]
    (news,) = digest.runs
    assert (news.answer, news.limited, news.tokens) == ("391", "the limit of 5 calls", 350)
    for told_as in (text(digest), Elements(page(digest)).text, atom(digest, name="n").decode()):
        assert "Answer: 391" in told_as and "350 tokens" in told_as


def test_results_are_told_when_their_content_is_new(path, tmp_path):
    folder = tmp_path / "results"
    file = report(folder)
    (folder / "README.md").write_text("not this")
    digest, mark = collect(path, folder)
    (one,) = digest.results
    assert (one.file, one.title, one.verdict) == (
        "sums/local.json", "sums, local, n = 30", "cot is ahead."
    )  # fmt: skip
    assert one.created == "2026-03-04T10:15:00+00:00"
    file.touch()
    assert collect(path, folder, mark)[0].empty
    report(folder, verdict="direct is ahead.")
    digest, after = collect(path, folder, mark)
    assert [r.verdict for r in digest.results] == ["direct is ahead."]
    # a file that goes and comes back is not told again
    kept = file.read_bytes()
    file.unlink()
    digest, after = collect(path, folder, after)
    assert digest.empty
    file.write_bytes(kept)
    assert collect(path, folder, after)[0].empty


def test_a_damaged_result_is_told_as_one_and_once(path, tmp_path):
    folder = tmp_path / "results"
    (folder / "bench").mkdir(parents=True)
    (folder / "bench" / "half.json").write_text('{"systems": [')
    (folder / "bench" / "deep.json").write_text("[" * 100_000)
    (folder / "bench" / "rows.json").write_text('{"command": "python -m x", "rows": [1, 2]}')
    (folder / "must_show.json").write_text('{"mad": {"1": "passed", "2": "failed"}}')
    (folder / "parts.json").write_text('{"first": {"rows": [1]}, "second": {"rows": [2]}}')
    digest, mark = collect(path, folder)
    by_file = {r.file: r for r in digest.results}
    assert by_file["bench/half.json"].problem.startswith("It is not JSON")
    assert by_file["bench/deep.json"].problem.startswith("It is not JSON")
    assert by_file["bench/rows.json"].verdict == "2 rows."
    assert by_file["parts.json"].verdict == by_file["parts.json"].problem == ""
    assert by_file["must_show.json"].verdict == "1 of 2 recorded checks of 1 papers passed."
    assert collect(path, folder, mark)[0].empty


def test_the_projects_own_results_can_be_told(path):
    folder = Path(__file__).parents[2] / "results"
    digest, mark = collect(path, folder)
    assert {r.file for r in digest.results} == {
        p.relative_to(folder).as_posix() for p in folder.rglob("*.json")
    }
    assert not [r for r in digest.results if r.problem]
    assert collect(path, folder, mark)[0].empty
    assert "gsm-symbolic, local" in text(digest)
    checked(atom(digest, name="own"))


def test_looking_back_neither_reads_nor_moves_what_was_told(path, tmp_path):
    old, new = ended(path, "old"), ended(path, "new")
    moved(path, old, datetime(2026, 1, 2, tzinfo=UTC))
    folder = tmp_path / "results"
    report(folder, "a/old.json", created="2026-01-02T00:00:00+00:00")
    report(folder, "a/new.json", created="2026-03-04T00:00:00+00:00")
    since = datetime(2026, 2, 1, tzinfo=UTC)
    _, mark = collect(path, folder)
    digest, _ = collect(path, folder, mark, since=since)
    assert [r.id for r in digest.runs] == [new]
    assert [r.file for r in digest.results] == ["a/new.json"]


def test_the_mark_is_read_strictly_and_replaced_as_a_whole(tmp_path):
    place = tmp_path / "home" / "runs.digest.json"
    assert read_mark(place) == Mark()
    mark = Mark(
        told="2026-03-04T10:15:00+00:00", until="2026-03-04T10:00:00+00:00", open={"a": "b"}
    )
    write_mark(place, mark)
    assert read_mark(place) == mark
    assert [p.name for p in place.parent.iterdir()] == [place.name]
    for wrong in ("{", '{"open": 3}', '{"until": "yesterday"}'):
        place.write_text(wrong)
        with pytest.raises(BadInput, match="remove it"):
            read_mark(place)


def test_two_digests_at_a_time_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(mark_module, "LOCK_SECONDS", 0.05)
    place = tmp_path / "runs.digest.json"
    with (
        remembering(place),
        pytest.raises(BadInput, match="another digest"),
        remembering(place),
    ):
        pass
    with remembering(place):
        pass


# -- hostile text -------------------------------------------------------------------------------


@pytest.fixture
def hostile(path, tmp_path):
    """A digest of runs and results that hold everything that could do harm."""
    run = begin(path, HOSTILE, kind="compare", systems=[[HOSTILE, {}]], benchmark=HOSTILE,
                model=HOSTILE)  # fmt: skip
    store = RunStore(path)
    outcome = Outcome(system="x", task="t", correct=True)
    store.put_result(run, HOSTILE, "t", msgspec.json.encode(outcome))
    store.finish(run, HOSTILE, Totals(HOSTILE, HOSTILE))
    store.close()
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "a<b>&.json").write_text("{")
    (folder / "half.json").write_text('{"command": "\\ud83d"}')
    (folder / "raw.json").write_bytes(b'{"command": "\xff"}')
    row = {"name": HOSTILE, "n": 1, "accuracy": 1.0}
    report(folder, verdict=HOSTILE, command=HOSTILE, benchmark=HOSTILE, model=HOSTILE,
           systems=[row], created=HOSTILE)  # fmt: skip
    report(folder, "b/year.json", created="0001-01-01T00:00:00+14:00")
    return collect(path, folder)[0]


class Elements(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.text += data


def test_on_the_page_hostile_text_is_text(hostile):
    seen = Elements(page(hostile))
    assert "script" not in seen.tags and "img" not in seen.tags
    assert not [a for a in seen.attributes if a.startswith("on") or a in ("src", "href")]
    assert "<script>alert(1)</script>" in seen.text
    assert "{{7*7}}" in seen.text and "49" not in seen.text
    for sign in "\x1b\x00\u202e\ufffe":
        assert sign not in seen.text
    page(hostile).encode("utf-8")


def test_in_the_text_hostile_text_has_one_line_and_no_control_characters(hostile):
    whole = text(hostile)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", whole)
    assert not [line for line in whole.splitlines() if line.startswith("Bcc:")]


def test_no_header_of_a_mail_holds_what_came_from_elsewhere(hostile):
    message = compose(hostile, FROM, TO)
    sent = message_from_bytes(message.as_bytes(), policy=policy.SMTP)
    assert set(sent.keys()) == {
        *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted"),
        *("MIME-Version", "Content-Type"),
    }
    assert sent["To"] == "ada@lab.test, grace@lab.test"
    assert sent["Subject"] == f"collegium digest: {hostile.heading}"
    assert max(map(len, message.as_bytes().split(b"\r\n"))) <= 998
    assert message.as_bytes().isascii()
    assert sent.get_body(("plain",)).get_content().replace("\r\n", "\n") == text(hostile)


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@", "@b", "a@b\r\nBcc: c@d", "a@b\n", "a b@c", "a@b,c@d", "<a@b>", "a@b>",
     "ä@b", "a@-b", "a..b@c", ".a@b", "a@b..c", f"{'a' * 250}@b.c", "a@b\x00", '"a\nb"@c'],
)  # fmt: skip
def test_what_is_no_address_is_refused(address):
    with pytest.raises(BadInput, match="no e-mail address"):
        require_address(address)
    digest = collect(Path("/nowhere"), None)[0]
    with pytest.raises(BadInput):
        compose(digest, address, TO)
    with pytest.raises(BadInput):
        compose(digest, FROM, [*TO, address])


# -- the feed -----------------------------------------------------------------------------------


def test_the_feed_keeps_the_rules_of_atom_and_a_reader_reads_it(path, tmp_path):
    feedparser = pytest.importorskip("feedparser")
    run = compared(path)
    report(tmp_path / "results")
    digest = collect(path, tmp_path / "results")[0]
    feed = atom(
        digest,
        name=str(path),
        itself="http://127.0.0.1:8080/digest.atom",
        link=lambda news: f"http://127.0.0.1:8080/x?a=1&b={news.created}",
    )
    checked(feed)
    read = feedparser.parse(feed)
    assert not read.bozo and read.version == "atom10"
    assert [e.title for e in read.entries] == ["done: direct, cot on sums", "sums, local, n = 30"]
    assert "cot: 3 of 4, 75.0% · 15 tokens a question" in read.entries[0].content[0].value
    assert run in read.entries[0].content[0].value
    assert read.entries[1].updated == "2026-03-04T10:15:00Z"
    assert read.entries[1].link == "http://127.0.0.1:8080/x?a=1&b=2026-03-04T10:15:00+00:00"
    assert read.feed.links[0].rel == "self"


def test_the_ids_of_a_feed_stay_and_differ_where_the_news_does(path, tmp_path):
    def ids():
        tree = checked(atom(latest(path, tmp_path / "results", 50), name="n"))
        return tree.xpath("//*[local-name()='id']/text()")

    report(tmp_path / "results")
    run = ended(path, status="interrupted")
    first = ids()
    assert ids() == first
    report(tmp_path / "results", verdict="direct is ahead.")
    finish(path, run, "done")
    second = ids()
    assert first[0] == second[0]
    assert not {*first[1:]} & {*second[1:]}


def test_a_feed_without_news_keeps_the_rules_too(path):
    checked(atom(latest(path, None, 10), name="n"))


def test_in_the_feed_hostile_text_is_text(hostile):
    feedparser = pytest.importorskip("feedparser")
    feed = atom(hostile, name=HOSTILE)
    tree = checked(feed)
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert tags <= {"feed", "id", "title", "updated", "published", "author", "name", "entry",
                    "category", "content", "div", "p", "ul", "li"}  # fmt: skip
    assert "<script>alert(1)</script>" in "".join(tree.itertext())
    assert not feedparser.parse(feed).bozo


def test_a_feed_holds_the_newest(path, tmp_path):
    report(tmp_path / "results", created="2020-01-01T00:00:00+00:00")
    runs = [ended(path, str(i)) for i in range(5)]
    begin(path)
    digest = latest(path, tmp_path / "results", 3)
    assert [r.id for r in digest.runs] == runs[:1:-1]
    assert (digest.results, digest.running) == ((), 1)
    assert len(latest(path, tmp_path / "results", 10).results) == 1


# -- mail ---------------------------------------------------------------------------------------

aiosmtpd = pytest.importorskip("aiosmtpd")

from tests.bench.smtp_server import PASSWORD, USER, Kept, certificate, mail_server  # noqa: E402


@pytest.fixture
def digest(path, tmp_path):
    compared(path)
    report(tmp_path / "results")
    return collect(path, tmp_path / "results")[0]


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    pytest.importorskip("cryptography")
    return certificate(tmp_path_factory.mktemp("certificate"))


def deliver(digest, mailbox, to=TO):
    send(compose(digest, FROM, to), mailbox, FROM, to, seconds=10)


def test_a_mail_arrives_as_text_and_as_a_page(digest):
    kept = Kept()
    with mail_server(kept) as port:
        deliver(digest, Mailbox("127.0.0.1", port), [*TO, TO[0]])
    (letter,) = kept.letters
    assert (letter.mail_from, letter.rcpt_tos) == (FROM, TO)
    read = message_from_bytes(letter.content, policy=policy.default)
    assert read["Subject"] == "collegium digest: 1 new run, 1 new result"
    assert read["Message-ID"] == f"<digest.{digest.key}@lab.test>"
    for kind, whole in (("plain", text(digest)), ("html", page(digest))):
        content = read.get_body((kind,)).get_content()
        assert content.replace("\r\n", "\n").rstrip() == whole.rstrip()
    assert "cot" in read.get_body(("plain",)).get_content()


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_logging_in_goes_over_tls(digest, trusted, security, monkeypatch):
    context, file = trusted
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    kept = Kept()
    served = {security: context, "logins": True}
    with mail_server(kept, **served) as port:
        deliver(digest, Mailbox("127.0.0.1", port, security, USER, PASSWORD))
    assert len(kept.letters) == 1
    assert kept.logins and all(safe for _, safe in kept.logins if security == "starttls")


def test_a_certificate_that_nobody_vouches_for_is_refused(digest, trusted, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    kept = Kept()
    with (
        mail_server(kept, starttls=trusted[0]) as port,
        pytest.raises(NotDelivered, match="TLS: self-signed certificate; nothing was sent"),
    ):
        deliver(digest, Mailbox("127.0.0.1", port, "starttls"))
    assert kept.letters == []


def test_a_server_without_tls_gets_nothing_when_tls_was_asked_for(digest):
    kept = Kept()
    with mail_server(kept) as port:
        with pytest.raises(NotDelivered, match="STARTTLS"):
            deliver(digest, Mailbox("127.0.0.1", port, "starttls"))
        with pytest.raises(NotDelivered):
            deliver(digest, Mailbox("127.0.0.1", port, "tls"))
    assert kept.letters == []


def test_when_one_recipient_is_refused_nobody_gets_it(digest):
    kept = Kept()
    with (
        mail_server(kept) as port,
        pytest.raises(NotDelivered, match=r"refuses mail to nobody@lab\.test: 550 .*lives here"),
    ):
        deliver(digest, Mailbox("127.0.0.1", port), [*TO, "nobody@lab.test"])
    assert kept.letters == []


def test_a_server_that_is_down_or_unknown_is_said_in_a_sentence(digest):
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1:9 cannot be reached: Connection refused"):
        deliver(digest, Mailbox("127.0.0.1", 9))
    with pytest.raises(NotDelivered, match="cannot be reached"):
        deliver(digest, Mailbox("no.such.host.invalid", 25))


def test_no_message_holds_the_password(digest, caplog):
    wrong = "not the password at all"
    kept = Kept({"AUTH": f"535 5.7.8 I know {wrong} is wrong"})
    with mail_server(kept, logins=True) as port:
        mailbox = Mailbox("127.0.0.1", port, "none", USER, wrong)
        with pytest.raises(NotDelivered) as failed:
            deliver(digest, mailbox)
    assert "does not let 'reader' log in: 535" in str(failed.value)
    assert failed.value.__cause__ is None and failed.value.__suppress_context__
    for said in (str(failed.value), repr(failed.value), repr(mailbox), caplog.text):
        assert wrong not in said
    assert kept.letters == []


def test_a_message_that_is_refused_is_not_delivered(digest):
    kept = Kept({"DATA": "552 too much"})
    with (
        mail_server(kept) as port,
        pytest.raises(NotDelivered, match="refuses the message: 552 too much"),
    ):
        deliver(digest, Mailbox("127.0.0.1", port))


def test_a_password_never_goes_in_the_clear_to_another_machine():
    with pytest.raises(BadInput, match="in the clear") as refused:
        Mailbox("mail.lab.test", 25, "none", "a", "secret!")
    assert "secret!" not in str(refused.value)
    for user, password in (("a", ""), ("", "b"), ("a", "pä"), ("a\r\nx", "b"), ("a", "b\r\nQUIT")):
        with pytest.raises(BadInput):
            Mailbox("127.0.0.1", 25, "tls", user, password)


def test_a_server_that_says_nothing_does_not_hold_us(digest):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        mailbox = Mailbox("127.0.0.1", silent.getsockname()[1])
        with pytest.raises(NotDelivered, match="timed out"):
            send(compose(digest, FROM, TO), mailbox, FROM, TO, seconds=0.2)
    assert mail_module.SECONDS <= 60
