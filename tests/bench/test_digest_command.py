"""The command ``digest``: what is remembered, and what becomes of it when something fails."""

import json

import pytest

pytest.importorskip("aiosmtpd")

from tests.bench.smtp_server import PASSWORD, USER, Kept, mail_server
from tests.bench.test_digest import ended, report
from tests.cli.shell import Shell

WHO = ("--from", "desk@lab.test", "--to", "ada@lab.test")


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Shell(tmp_path)
    ended(made.home / "runs.db", "How many eggs?")
    report(tmp_path / "results")
    return made


@pytest.fixture
def digest(shell):
    """Runs the command on the results of the test."""
    return lambda *args, **env: shell("digest", "--results", shell.folder / "results", *args, **env)


def mark(shell):
    return shell.home / "runs.digest.json"


def test_what_is_new_is_printed_once(digest, shell):
    done = digest()
    assert done.returncode == 0
    assert "1 new run, 1 new result." in done.stdout and "How many eggs?" in done.stdout
    assert "cot" in done.stdout and "14 of 30" in done.stdout
    again = digest()
    assert again.stdout.startswith("Nothing new since 20")
    ended(shell.home / "runs.db", "How many hens?")
    assert "How many hens?" in digest().stdout


def test_a_dry_run_remembers_nothing_and_does_nothing(digest, shell):
    before = shell.files
    with mail_server(Kept()) as port:
        done = digest("--dry-run", "--atom", "feed.xml", "--html", "page.html",
                      "--smtp", f"127.0.0.1:{port}", *WHO)  # fmt: skip
    assert done.returncode == 0 and "How many eggs?" in done.stdout
    assert shell.files == before
    assert "How many eggs?" in digest().stdout


def test_looking_back_leaves_what_was_told(digest, shell):
    digest()
    before = mark(shell).read_bytes()
    assert "How many eggs?" in digest("--since", "2026-01-01").stdout
    assert mark(shell).read_bytes() == before
    assert digest("--since", "yesterday").returncode == 2


def test_files_are_written_whole(digest, shell):
    done = digest("--atom", "feed.xml", "--html", "page.html")
    assert done.stdout.splitlines() == [
        "1 new run, 1 new result.", "wrote feed.xml", "wrote page.html"
    ]  # fmt: skip
    assert b"How many eggs?" in (shell.folder / "feed.xml").read_bytes()
    assert "How many eggs?" in (shell.folder / "page.html").read_text()
    # the page holds what is new, the feed the newest: its readers come by when they like
    digest("--atom", "feed.xml", "--html", "page.html")
    assert b"How many eggs?" in (shell.folder / "feed.xml").read_bytes()
    assert "How many eggs?" not in (shell.folder / "page.html").read_text()


def test_json_is_one_document(digest):
    found = json.loads(digest("--json").stdout)
    assert found["runs"][0]["status"] == "done"
    assert found["results"][0]["rows"][0]["correct"] == 14


def test_a_mail_is_sent_and_nothing_new_sends_none(digest, shell):
    kept = Kept()
    (shell.folder / "password").write_text(f"{PASSWORD}\n")
    with mail_server(kept, logins=True) as port:
        options = ("--smtp", f"127.0.0.1:{port}", *WHO, "--to", "grace@lab.test",
                   "--user", USER, "--password-file", "password")  # fmt: skip
        done = digest(*options)
        assert done.stdout.splitlines()[-1] == "sent to ada@lab.test, grace@lab.test"
        assert "no mail: there is nothing new" in digest(*options).stdout
    (letter,) = kept.letters
    assert letter.rcpt_tos == ["ada@lab.test", "grace@lab.test"]
    assert PASSWORD not in done.stdout + done.stderr


def failures(port):
    """Ways to fail, and what is said."""
    server = f"127.0.0.1:{port}"
    return {
        "the server is down": (("--smtp", "127.0.0.1:9", *WHO), "cannot be reached"),
        "a recipient is refused": (
            ("--smtp", server, *WHO, "--to", "nobody@lab.test"), "refuses mail to nobody@lab.test"
        ),
        "the page cannot be written": (("--html", "no/such/page.html"), "no folder no/such"),
    }  # fmt: skip


@pytest.mark.parametrize("what", failures(0))
def test_what_was_not_delivered_is_told_the_next_time(digest, shell, what):
    kept = Kept()
    with mail_server(kept) as port:
        options, said = failures(port)[what]
        done = digest(*options)
    assert done.returncode == 2
    assert said in done.stderr and len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not mark(shell).exists() and kept.letters == []
    assert "How many eggs?" in digest().stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "a@b"), "--smtp HOST:PORT"),
        (("--smtp", "127.0.0.1:25"), "--from ADDRESS and --to ADDRESS"),
        (("--smtp", "127.0.0.1", *WHO), "HOST:PORT"),
        (("--smtp", "a b:25", *WHO), "HOST:PORT"),
        (("--smtp", "h:99999", *WHO), "HOST:PORT"),
        (("--smtp", "h:25", "--from", "a@b\nBcc: c@d", "--to", "a@b"), "no e-mail address"),
        (("--smtp", "h:25", *WHO, "--starttls", "--tls"), "leave one out"),
        (("--smtp", "h:25", *WHO, "--user", "a"), "go together"),
        (("--smtp", "h:25", *WHO, "--user", "a", "--password-file", "none"), "cannot read"),
        (("--results", "none"), "no folder of results"),
    ],
)
def test_wrong_options_are_said_in_one_line(digest, shell, options, said):
    done = digest(*options)
    assert done.returncode == 2
    assert said in done.stderr and len(done.stderr.splitlines()) == 1
    assert not mark(shell).exists()


def test_a_digest_that_is_killed_on_its_way_out_is_told_again(digest, shell):
    """Output that nobody takes is no delivery."""
    process = shell.start("digest", "--results", shell.folder / "results")
    process.stdout.close()
    process.stdin.close()
    process.wait(timeout=60)
    process.stderr.close()
    assert not mark(shell).exists()
    assert "How many eggs?" in digest().stdout


def test_two_at_a_time_tell_it_once(shell):
    """Two processes: the second waits for the first, and has nothing left to tell."""
    args = ("digest", "--results", shell.folder / "results")
    both = [shell.start(*args) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("How many eggs?" in one for one in said) == 1
