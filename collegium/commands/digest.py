"""The command ``digest``: what is new since the last one, printed, written or sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collegium.bench.digest import Digest, Mailbox


def digest(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Look back to a day or time; what was told is left as it is."
        ),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of results; by default ours.")
    ] = None,
    smtp: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Send it by this mail server.")
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help="From whom the mail is.")
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="To whom it goes; repeatable.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who logs in at the mail server.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The first line is the password.")
    ] = None,
    starttls: Annotated[
        bool, typer.Option("--starttls", metavar="", help="Insist on STARTTLS.")
    ] = False,
    tls: Annotated[
        bool, typer.Option("--tls", metavar="", help="Speak TLS from the start.")
    ] = False,
    atom: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the newest as an Atom feed.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as an HTML page.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", metavar="", help="Only print it; nothing is sent, written or remembered."
        ),
    ] = False,
) -> None:
    """Tell what runs and results are new since the last digest: here, by mail, as a feed.

    What was told is remembered once all of it was delivered. For every day, from cron:
    collegium digest --smtp localhost:25 --from me@here --to me@there
    """
    from contextlib import nullcontext

    from collegium.bench.digest import (
        Mark,
        collect,
        mark_path,
        read_mark,
        remembering,
        write_mark,
    )
    from collegium.catalog import results_folder
    from collegium.commands.show import writable_file
    from collegium.errors import BadInput
    from collegium.kernel.store import default_path

    mailbox = read_mailbox(smtp, sender, to, user, password_file, starttls, tls)
    moment = read_moment(since) if since is not None else None
    if results is not None and not results.is_dir():
        raise BadInput(f"there is no folder of results {results}.")
    for file in filter(None, (atom, html)):
        writable_file(file)
    store = default_path()
    folder = results if results is not None else results_folder()
    place = mark_path(store)
    kept = not dry_run and moment is None
    with remembering(place) if kept else nullcontext():
        mark = read_mark(place) if moment is None else Mark()
        found, after = collect(store, folder, mark, since=moment)
        done: list[str] = []
        if not dry_run:
            done = write_files(found, store, folder, atom, html)
            if mailbox is not None:
                done.append(mail(found, mailbox, sender or "", to or []))
        tell(found, done, as_json)
        if kept:
            write_mark(place, after)


def write_files(
    found: Digest, store: Path, folder: Path | None, atom: Path | None, html: Path | None
) -> list[str]:
    """Write what is asked for; gives a line for each file.

    The page holds what is new. The feed holds the newest there is, for its readers remember
    themselves what they have shown, and may come by less often than digests are made.

    Raises:
        BadInput: A file cannot be written.
    """
    from collegium.bench.digest import atom as feed
    from collegium.bench.digest import latest, page
    from collegium.errors import BadInput
    from collegium.kernel.atomic import replace

    made: list[tuple[Path, bytes]] = []
    if atom is not None:
        most = max(FEED, len(found.runs) + len(found.results))
        made.append((atom, feed(latest(store, folder, most), name=str(store.absolute()))))
    if html is not None:
        made.append((html, page(found).encode()))
    for file, data in made:
        try:
            replace(file, data)
        except OSError as error:
            raise BadInput(f"cannot write {file}: {error.strerror or error}.") from None
    return [f"wrote {file}" for file, _ in made]


FEED = 100
"""Entries of a feed: more, if more than that is new."""


def mail(found: Digest, mailbox: Mailbox, sender: str, to: list[str]) -> str:
    """Send the digest, if there is something to tell; says what was done.

    Raises:
        NotDelivered: It was not.
    """
    from collegium.bench.digest import compose, send

    if found.empty:
        return "no mail: there is nothing new"
    send(compose(found, sender, to), mailbox, sender, to)
    return f"sent to {', '.join(dict.fromkeys(to))}"


def tell(found: Digest, done: list[str], as_json: bool) -> None:
    """Print the digest; where it was delivered another way, only that it was."""
    from collegium.bench.digest import text
    from collegium.bench.digest.write import headline
    from collegium.commands.show import clean, console, print_json

    if as_json:
        print_json(found)
        return
    out = console()
    out.print(clean(headline(found) if done else text(found).rstrip()), soft_wrap=True)
    for line in done:
        out.print(clean(line), style="dim", soft_wrap=True)


def read_mailbox(
    smtp: str | None,
    sender: str | None,
    to: list[str] | None,
    user: str | None,
    password_file: Path | None,
    starttls: bool,
    tls: bool,
) -> Mailbox | None:
    """The mail server that the options name; None for no mail.

    Raises:
        BadInput: They do not go together, or one of them is wrong.
    """
    from collegium.bench.digest import Mailbox, require_address
    from collegium.errors import BadInput

    if smtp is None:
        if sender or to or user or password_file or starttls or tls:
            raise BadInput("a mail needs the server that sends it: --smtp HOST:PORT.")
        return None
    if not sender or not to:
        raise BadInput("a mail needs --from ADDRESS and --to ADDRESS.")
    if starttls and tls:
        raise BadInput("a server speaks TLS from the start or after STARTTLS: leave one out.")
    for address in (sender, *to):
        require_address(address)
    host, colon, port = smtp.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536) or not printable(host):
        raise BadInput(f"a mail server is written HOST:PORT, not {smtp!r}.")
    password = read_password(password_file) if password_file is not None else ""
    security = "tls" if tls else "starttls" if starttls else "none"
    return Mailbox(host, int(port), security, user or "", password)


def printable(host: str) -> bool:
    """Whether a host can be asked for at all."""
    return host.isascii() and host.isprintable() and " " not in host


def read_password(file: Path) -> str:
    """The first line of a file; no message repeats it.

    Raises:
        BadInput: The file cannot be read, or has no first line.
    """
    from collegium.errors import BadInput

    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadInput(f"cannot read the password file {file}: {reason}.") from None
    line = text.split("\n", 1)[0].removesuffix("\r")
    if not line:
        raise BadInput(f"the password file {file} has no first line.")
    return line


def read_moment(text: str) -> datetime:
    """A day or a time as users write it; without a zone it is UTC.

    Raises:
        BadInput: It is neither.
    """
    from collegium.errors import BadInput

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"{text!r} is no date; expected one such as 2026-03-04 or 2026-03-04T10:15."
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
