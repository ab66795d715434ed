"""Real sites: started, used, reset, saved, put back, stopped; nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from collegium.cli import app
from collegium.errors import BadInput, UnknownName
from collegium.worlds.sites import (
    SITES,
    Site,
    SiteServer,
    borrowed,
    copies_of,
    down,
    find_sites,
    install,
    sweep,
    up,
)
from collegium.worlds.sites.install import environment_variables, python_of
from collegium.worlds.sites.server import is_alive
from collegium.worlds.sites.site import PROGRAMS

WAIT = 20.0


def client(server: SiteServer, account: str | None = None) -> httpx.Client:
    """A browser without a window; signed in where an account is named ("": the first)."""
    made = httpx.Client(base_url=server.url, follow_redirects=True, timeout=30, trust_env=False)
    if account is not None:
        for cookie in server.cookies(account):
            made.cookies.set(cookie["name"], cookie["value"], domain="127.0.0.1")
    return made


def token(page: str) -> str:
    """The token that a form of the page has to send along."""
    found = re.search(r'name="(?:csrfmiddlewaretoken|__FORM_TOKEN)"[^>]*value="([^"]+)"', page)
    assert found is not None, page[:2000]
    return found[1]


def django(form: str, target: str, **fields: str) -> Callable[[httpx.Client], None]:
    """Send a form of a Django site."""

    def change(web: httpx.Client) -> None:
        page = web.get(form)
        sent = {"csrfmiddlewaretoken": token(page.text), **fields}
        done = web.post(target, data=sent, headers={"Referer": str(page.url)})
        assert done.status_code == 200, done.text[:2000]

    return change


def write_wiki(web: httpx.Client) -> None:
    """Make a page of the wiki."""
    page = web.get("/wiki/Thermals?action=edit")
    sent = {
        "__FORM_TOKEN": token(page.text),
        "action": "edit",
        "version": "0",
        "text": "Warm air rises.",
        "comment": "",
        "save": "Submit changes",
    }
    done = web.post("/wiki/Thermals", data=sent)
    assert done.status_code == 200, done.text[:2000]


CHANGES: dict[str, tuple[Callable[[httpx.Client], None], str, str]] = {
    "shop": (
        django("/catalogue/frost-bell_35/", "/basket/add/35/", quantity="1"),
        "/basket/",
        "Frost bell",
    ),
    "forum": (
        django("/topic/15/classroom-wall/", "/comment/15/publish/", comment="Very warm there."),
        "/topic/15/classroom-wall/",
        "Very warm there.",
    ),
    "code": (write_wiki, "/wiki/Thermals", "Warm air rises."),
    "cms": (
        django(
            "/contact/",
            "/contact/",
            your_name="Jon Ferris",
            your_email="jon@example.com",
            topic="Other",
            message="Is the gull for sale?",
        ),
        "/admin/forms/submissions/32/",
        "Is the gull for sale?",
    ),
}

SIGN_IN = {
    "shop": ("login-username", "login-password", {"login_submit": "Log In"}),
    "forum": ("username", "password", {}),
    "code": ("user", "password", {}),
    "cms": ("username", "password", {}),
}


@pytest.fixture
def elsewhere(need, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Site]:
    """A site with folders of its own for its copies, so that nobody's are touched."""

    def site(name: str) -> Site:
        home = need(name).home
        own = tmp_path / "sites" / name
        own.mkdir(parents=True)
        for part in ("env", "seed", "static", "env.stamp", "seed.stamp"):
            (own / part).symlink_to(home / part)
        monkeypatch.setenv("COLLEGIUM_CACHE", str(tmp_path))
        return SITES[name]

    return site


def gone(folder: Path) -> bool:
    """Whether the server of a folder ends within a while."""
    end = time.monotonic() + WAIT
    while is_alive(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(folder)


@pytest.mark.parametrize("name", SITES)
def test_a_copy_is_changed_saved_reset_and_put_back(name: str, need) -> None:
    change, path, text = CHANGES[name]
    with borrowed(need(name)) as server, client(server, "") as web:
        assert text not in web.get(path).text
        first = server.snapshot()
        change(web)
        assert text in web.get(path).text
        changed = server.snapshot()
        server.reset()
        assert text not in web.get(path).text
        server.restore(changed)
        assert text in web.get(path).text
        server.restore(first)
        assert text not in web.get(path).text
        with pytest.raises(ValueError, match="not a state"):
            server.restore(b"something else")
        # The server went on all the while.
        assert is_alive(server.folder)


@pytest.mark.parametrize("name", SITES)
def test_every_account_can_sign_in_and_a_wrong_password_cannot(name: str, need) -> None:
    site = need(name)
    user, secret, more = SIGN_IN[name]
    with borrowed(site) as server:
        for account in site.accounts:
            for password, good in ((account.password, True), ("hazelnut-99", False)):
                with client(server) as web:
                    page = web.get(site.sign_in)
                    sent = {user: account.name, secret: password, **more}
                    if name != "code":
                        sent["csrfmiddlewaretoken"] = token(page.text)
                    web.post(site.sign_in, data=sent, headers={"Referer": str(page.url)})
                    assert (site.cookie in web.cookies) is good, (account.name, password)


@pytest.mark.parametrize("name", SITES)
def test_everyone_begins_signed_in_by_cookie(name: str, need) -> None:
    site = need(name)
    inside = {
        "shop": ("/accounts/profile/", "Login or register"),
        "forum": ("/user/", 'name="password"'),
        "code": ("/newticket", "are required to perform this operation"),
        "cms": ("/admin/", 'name="password"'),
    }
    path, outside = inside[name]
    with borrowed(site) as server:
        with client(server) as web:
            nobody = web.get(path)
            assert nobody.status_code >= 400 or outside in nobody.text
        for account in site.accounts:
            with client(server, account.name) as web:
                page = web.get(path)
                assert (page.status_code, outside in page.text) == (200, False)


def test_copies_side_by_side_do_not_see_one_another(elsewhere) -> None:
    site = elsewhere("forum")
    change, path, text = CHANGES["forum"]
    try:
        one, two = up(site, 2)
        assert (one.port != two.port, [s.pid for s in copies_of(site)]) == (
            True,
            [one.pid, two.pid],
        )
        with client(one, "") as first, client(two, "") as second:
            change(first)
            assert text in first.get(path).text
            assert text not in second.get(path).text
        # Up again: nothing is started twice, and nothing is lost.
        again = up(site, 2)
        assert [s.pid for s in again] == [one.pid, two.pid]
        with client(one) as first:
            assert text in first.get(path).text
    finally:
        assert down(site) == 2
    assert not is_alive(one.folder)
    assert copies_of(site) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(one.url, trust_env=False)


def test_it_listens_on_the_loopback_alone_and_reaches_nobody(need) -> None:
    site = need("code")
    table = Path("/proc/net/tcp")
    with borrowed(site) as server:
        if table.is_file():
            rows = [line.split() for line in table.read_text().splitlines()[1:]]
            port = f"{server.port:04X}"
            listening = [r[1] for r in rows if r[3] == "0A" and r[1].endswith(f":{port}")]
            assert listening == [f"0100007F:{port}"]
        code = (
            "import sys, socket, urllib.request; sys.path.insert(0, sys.argv[1]); import common;"
            "common.stay_here();"
            "socket.create_connection(('127.0.0.1', int(sys.argv[2]))).close();"
            "print('here');"
            "socket.create_connection(('192.0.2.7', 80), timeout=1)"
        )
        done = subprocess.run(
            [str(python_of(site)), "-c", code, str(PROGRAMS), str(server.port)],
            env=environment_variables(site, server.folder),
            capture_output=True,
            text=True,
        )
    assert done.stdout.strip() == "here"
    assert "PermissionError: this site has no network: 192.0.2.7" in done.stderr


def test_a_killed_run_leaves_no_server_and_no_folder(elsewhere) -> None:
    site = elsewhere("code")
    code = (
        "import time; from collegium.worlds.sites import SITES, take;"
        "server = take(SITES['code']); print(server.folder, flush=True); time.sleep(600)"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert run.stdout is not None
    folder = Path(run.stdout.readline().strip())
    assert is_alive(folder)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert gone(folder)
    assert sweep(site) == 1
    assert not folder.exists()


def test_a_server_that_died_is_not_taken_for_one_that_runs(elsewhere) -> None:
    site = elsewhere("code")
    try:
        (server,) = up(site)
        os.kill(server.pid, signal.SIGKILL)
        assert gone(server.folder)
        assert copies_of(site) == []
        (again,) = up(site)
        assert again.pid != server.pid
        with client(again) as web:
            assert web.get("/wiki").status_code == 200
    finally:
        down(site)


def test_the_command_line_brings_a_site_up_and_down(elsewhere) -> None:
    site = elsewhere("code")
    run = CliRunner()
    try:
        (line,) = json.loads(run.invoke(app, ["world", "up", "code", "--json"]).stdout)
        assert (line["site"], is_alive(Path(line["folder"]))) == ("code", True)
        listed = json.loads(run.invoke(app, ["world", "status", "--json"]).stdout)
        by_name = {row["site"]: row for row in listed}
        assert set(by_name) == set(SITES)
        assert [r["url"] for r in by_name["code"]["running"]] == [line["url"]]
        assert by_name["code"]["version"] == site.version
        done = run.invoke(app, ["world", "reset", "code"])
        assert (done.exit_code, "code: reset in" in done.stdout) == (0, True)
    finally:
        ended = run.invoke(app, ["world", "down", "code", "--json"])
    assert json.loads(ended.stdout) == {"code": 1}
    assert "did not run" in run.invoke(app, ["world", "down", "code"]).stdout


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [s.name for s in find_sites(["all"])] == list(SITES)
    assert [s.name for s in find_sites(["cms", "cms"])] == ["cms"]
    with pytest.raises(UnknownName, match="did you mean 'forum'"):
        find_sites(["forums"])
    with pytest.raises(UnknownName, match=r"owner@example\.com"):
        SITES["shop"].account("owner@example.org")
    with pytest.raises(BadInput, match="1 to 16 copies, not 0"):
        up(SITES["shop"], 0)
    monkeypatch.setattr(install.shutil, "which", lambda program: None)
    with pytest.raises(BadInput, match="needs git"):
        up(SITES["code"])


@pytest.mark.parametrize("name", SITES)
def test_versions_are_fixed(name: str) -> None:
    site = SITES[name]
    lines = (install.REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.\-]+==[\w.]+", line) for line in wanted)
    assert len(wanted) > 4
    assert site.version == site.pins[site.package]


def test_the_guide_names_every_site_and_account() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "sites.md").read_text()
    for site in SITES.values():
        (row,) = (line for line in guide.splitlines() if line.startswith(f"| `{site.name}` | ["))
        assert f"| {site.licence} |" in row
        assert row.endswith(f"| {site.port} |")
        for account in site.accounts:
            assert f"| `{site.name}` | `{account.name}` | `{account.password}` |" in guide
