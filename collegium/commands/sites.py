"""The commands ``world up``, ``down``, ``reset`` and ``status``: web sites to act in."""

from __future__ import annotations

from typing import Annotated

import typer

from collegium.commands.worlds import Json, worlds

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="SITE", help="shop, forum, code, cms or all; none: all."),
]


@worlds.command()
def up(
    names: Names = None,
    copies: Annotated[
        int, typer.Option(metavar="N", help="Copies of each, for episodes side by side.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Bring web sites up on this machine; the first time their packages are installed."""
    from collegium.commands.show import console, print_json
    from collegium.worlds.sites import find_sites, up

    out = console()
    found = []
    for site in find_sites(names or ["all"]):
        say = (lambda text: None) if as_json else (lambda text: out.print(text, highlight=False))
        for server in up(site, copies, say):
            found.append(_line(server))
            if not as_json:
                account = site.account()
                out.print(
                    f"{site.name}: {site.title} at {server.url}, sign in as "
                    f"{account.name} with {account.password}",
                    highlight=False,
                    soft_wrap=True,
                )
    if as_json:
        print_json(found)


@worlds.command()
def down(names: Names = None, as_json: Json = False) -> None:
    """Take web sites down again; what was changed in them is gone."""
    from collegium.commands.show import console, print_json
    from collegium.worlds.sites import down, find_sites

    ended = {site.name: down(site) for site in find_sites(names or ["all"])}
    if as_json:
        print_json(ended)
        return
    for name, count in ended.items():
        said = f"{count} stopped" if count else "did not run"
        console().print(f"{name}: {said}", highlight=False)


@worlds.command()
def reset(names: Names = None, as_json: Json = False) -> None:
    """Put web sites that run back to how they were delivered."""
    import time

    from collegium.commands.show import console, print_json
    from collegium.worlds.sites import copies_of, find_sites

    seconds: dict[str, list[float]] = {}
    for site in find_sites(names or ["all"]):
        for server in copies_of(site):
            before = time.perf_counter()
            server.reset()
            took = time.perf_counter() - before
            seconds.setdefault(site.name, []).append(round(took, 3))
            if not as_json:
                console().print(f"{site.name}: reset in {took:.2f} s", highlight=False)
    if as_json:
        print_json(seconds)
    elif not seconds:
        console().print("No site runs. Bring one up with: collegium world up shop")


@worlds.command()
def status(as_json: Json = False) -> None:
    """List the web sites: version, licence, whether they are installed, where they run."""
    from collegium.commands.show import console, print_json
    from collegium.worlds.sites import SITES, copies_of, made

    rows = []
    for site in SITES.values():
        servers = copies_of(site)
        rows.append(
            {
                "site": site.name,
                "package": site.package,
                "version": site.version,
                "licence": site.licence,
                "installed": made(site),
                "running": [_line(server) for server in servers],
            }
        )
        if not as_json:
            where = ", ".join(server.url for server in servers) or "not running"
            state = "installed" if made(site) else "not installed yet"
            console().print(
                f"{site.name}: {site.package} {site.version} ({site.licence}), {state}, {where}",
                highlight=False,
                soft_wrap=True,
            )
    if as_json:
        print_json(rows)


def _line(server) -> dict[str, object]:
    return {
        "site": server.site.name,
        "url": server.url,
        "port": server.port,
        "pid": server.pid,
        "folder": str(server.folder),
    }
