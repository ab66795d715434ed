"""Who gets in: host, origin, token; what may be sent; what browsers are told."""

import http.client
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from collegium.cli import app
from tests.studio.conftest import Studio

TOKEN = "a-token-that-nobody-guesses"


def asked(
    studio: Studio, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str
) -> http.client.HTTPResponse:
    """A reply, its body read; underscores of header names are hyphens."""
    where = urlsplit(studio.address)
    talk = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    talk.request(method, path, body or None, said)
    reply = talk.getresponse()
    reply.text = reply.read().decode("utf-8", "replace")  # type: ignore[attr-defined]
    return reply


def upgrade(studio: Studio, **headers: str) -> str:
    """The status line of a request for the socket that pages talk through."""
    where = urlsplit(studio.address)
    said = {
        "Host": where.netloc,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    with socket.create_connection((where.hostname or "", where.port or 80), 10) as talk:
        talk.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        return talk.recv(200).decode("latin-1").partition("\r\n")[0]


def test_the_name_of_another_machine_is_refused(studio: Studio) -> None:
    port = urlsplit(studio.address).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ""):
        assert asked(studio, Host=host).status == 403
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert asked(studio, Host=host).status == 200


def test_a_page_of_another_site_is_refused(studio: Studio) -> None:
    assert asked(studio, Origin="https://evil.example").status == 403
    assert asked(studio, Origin="null").status == 403
    assert asked(studio, Origin=studio.address.replace("http://", "http://evil.")).status == 403
    assert asked(studio, Origin=studio.address).status == 200
    assert asked(studio, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
    # a link on another site may lead here: nothing happens on a page before something is pressed
    assert asked(studio, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200


def test_the_socket_is_for_our_own_pages(studio: Studio) -> None:
    assert " 101 " in upgrade(studio, Origin=studio.address)
    assert " 403 " in upgrade(studio, Origin="https://evil.example")
    assert " 403 " in upgrade(studio)
    assert " 403 " in upgrade(studio, Origin="http://evil.example", Host="evil.example")


def test_what_browsers_are_told(studio: Studio) -> None:
    reply = asked(studio)
    policy = reply.headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["frame-ancestors"] == rules["object-src"] == rules["base-uri"] == "'none'"
    assert rules["script-src-attr"] == "'none'"
    assert "'unsafe-inline'" not in rules["script-src"]
    nonce = rules["script-src"].partition("'nonce-")[2].partition("'")[0]
    assert len(nonce) >= 20
    text = reply.text  # type: ignore[attr-defined]
    assert text.count("<script") == text.count(f'<script nonce="{nonce}"') > 3
    assert nonce not in asked(studio).headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["cache-control"] == "no-store"
    assert "server" not in reply.headers
    assert "set-cookie" not in reply.headers


def test_nothing_from_elsewhere_is_loaded(studio: Studio) -> None:
    for path in ("/", "/paper/argmed", "/run/argmed"):
        text = asked(studio, path).text  # type: ignore[attr-defined]
        assert "googleapis" not in text and "cdn." not in text and 'src="http' not in text


@pytest.mark.parametrize(
    "path",
    [
        "/_studio/../state.py",
        "/_studio/%2e%2e/state.py",
        "/_studio/..%2fstate.py",
        "/_studio//etc/passwd",
        "/_nicegui/3.18.0/static/..%2f..%2f__init__.py",
        "/paper/..%2f..%2fetc%2fpasswd",
        "/run/..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_path_leads_out(studio: Studio, path: str) -> None:
    reply = asked(studio, path)
    text = reply.text  # type: ignore[attr-defined]
    assert reply.status == 404
    assert "root:" not in text and "class Studio" not in text and "import annotations" not in text


def test_requests_have_a_largest_size(studio: Studio) -> None:
    large = b"x" * ((1 << 20) + 1)
    assert asked(studio, "/", "POST", large).status == 413
    upload = "/_nicegui/client/nobody/upload/1"
    assert asked(studio, upload, "POST", large).status in (404, 405)  # fits, leads nowhere
    assert asked(studio, upload, "POST", Content_Length=str((10 << 20) + 1)).status == 413


def test_there_is_no_description_of_an_interface(studio: Studio) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert asked(studio, path).status == 404


def test_replies_are_packed(studio: Studio) -> None:
    plain = asked(studio, "/_studio/studio.css")
    packed = asked(studio, "/_studio/studio.css", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2


def test_elsewhere_wants_a_token() -> None:
    done = CliRunner().invoke(app, ["studio", "--no-browser", "--host", "0.0.0.0", "--port", "0"])
    assert done.exit_code == 2
    assert "a token is required" in " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def guarded(studio_with: Callable[..., Studio], tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A studio with a token."""
    file: Path = tmp_path_factory.mktemp("token") / "token"
    file.write_text(TOKEN + "\n")
    return studio_with("--token-file", str(file))


def test_without_the_token_there_is_nothing_but_the_form(guarded: Studio) -> None:
    reply = asked(guarded, Accept="text/html")
    assert (reply.status, reply.headers["location"]) == (303, "/login")
    assert asked(guarded).status == 401
    assert asked(guarded, "/_nicegui/3.18.0/static/nicegui.js").status == 401
    assert asked(guarded, Cookie="collegium-session=made-up").status == 401
    assert " 403 " in upgrade(guarded, Origin=guarded.address)
    form = asked(guarded, "/login")
    assert form.status == 200
    assert 'type="password"' in form.text  # type: ignore[attr-defined]
    assert asked(guarded, "/_studio/studio.css").status == 200


def test_a_wrong_token_is_refused(guarded: Studio) -> None:
    reply = asked(guarded, "/login", "POST", b"token=wrong")
    assert reply.status == 401
    assert "set-cookie" not in reply.headers
    assert "wrong" not in reply.text  # type: ignore[attr-defined]


def test_the_token_opens_a_session(guarded: Studio) -> None:
    body = f"token={TOKEN}".encode()
    assert asked(guarded, "/login", "POST", body, Origin="https://evil.example").status == 403
    reply = asked(guarded, "/login", "POST", body, Origin=guarded.address)
    assert (reply.status, reply.headers["location"]) == (303, "/")
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
    session = cookie.partition(";")[0]
    page = asked(guarded, Cookie=session)
    assert page.status == 200
    assert TOKEN not in page.text  # type: ignore[attr-defined]
    assert " 101 " in upgrade(guarded, Origin=guarded.address, Cookie=session)
    assert asked(guarded, Authorization=f"Bearer {TOKEN}").status == 200
