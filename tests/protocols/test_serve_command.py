"""What the command refuses before it opens a door."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("starlette")

from collegium.cli import app
from collegium.errors import BadInput
from collegium.hosts import is_loopback
from collegium.protocols.clients import Clients, QuotaExceeded, Unauthorised, read_clients

ARGUMENTS = ["serve", "direct", "--model", "script:no.py:f", "--port", "0"]


def refused(*more: str) -> str:
    done = CliRunner().invoke(app, [*ARGUMENTS, *more])
    assert done.exit_code == 2
    return " ".join(done.stderr.split())


def test_elsewhere_needs_a_token() -> None:
    assert "a token is required" in refused("--host", "0.0.0.0")
    assert "a token is required" in refused("--host", "::")


def test_wrong_names_are_told() -> None:
    assert "did you mean 'openai'" in refused("--protocol", "openia")
    assert "cannot read the token file" in refused("--token-file", "nowhere")
    assert "budget" in refused("--budget", "0")


def test_a_file_of_clients(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("ann 0123456789abcdef 100 # a guest\nbob did:wba:example.com:bob\n")
    clients = read_clients(file, 7)
    ann = clients.by_token("0123456789abcdef")
    assert (ann.name, ann.budget) == ("ann", 100)
    assert clients.by_did("did:wba:example.com:bob").budget == 7
    for token in ("", None, "0123456789abcdeX"):
        with pytest.raises(Unauthorised):
            clients.by_token(token)
    with pytest.raises(Unauthorised):
        clients.by_did("did:wba:example.com:eve")


def test_two_tokens_of_one_name_share_a_purse(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("ann 0123456789abcdef 100\nann fedcba9876543210\n")
    clients = read_clients(file)
    assert clients.by_token("0123456789abcdef") is clients.by_token("fedcba9876543210")


@pytest.mark.parametrize("line", ["ann short", "ann 0123456789abcdef many", "", "a b c d"])
def test_a_file_that_makes_no_sense(tmp_path: Path, line: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(line)
    with pytest.raises(BadInput) as raised:
        read_clients(file)
    assert "0123456789abcdef" not in str(raised.value)


def test_nothing_left_to_spend() -> None:
    client = Clients(budget=4).by_token(None)
    with pytest.raises(QuotaExceeded):
        client.admit()


def test_which_names_mean_this_machine() -> None:
    inside = ("127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]")
    outside = ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io")
    assert all(map(is_loopback, inside))
    assert not any(map(is_loopback, outside))
