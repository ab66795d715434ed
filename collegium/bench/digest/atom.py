"""A digest as an Atom feed (RFC 4287): one entry for each run and each result.

Ids are stable: they are computed from what an entry is about, so a reader shows it once. The tree
is built, not written, so nothing that came from elsewhere can become markup.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from collegium.bench.digest.news import Digest, ResultNews, RunNews, Tally, clean
from collegium.bench.digest.write import came_to, known, share, spent

ATOM = "http://www.w3.org/2005/Atom"
XHTML = "http://www.w3.org/1999/xhtml"
BEGINNING = "1970-01-01T00:00:00Z"
"""When a feed without entries was last changed."""

Link = Callable[[RunNews | ResultNews], str]
"""The address of the page of an entry; "" for none."""


def atom(
    digest: Digest,
    *,
    name: str,
    title: str = "collegium",
    itself: str = "",
    link: Link | None = None,
) -> bytes:
    """The digest as an Atom feed.

    Args:
        digest: What to tell.
        name: What the feed is of, the same each time (the place of the run store): the feed's own
            id is computed from it.
        title: The title of the feed.
        itself: The address of the feed; "" where it has none.
        link: Gives the addresses of the pages of entries.

    Returns:
        The XML document.
    """
    entries = [*(_run_entry(run) for run in digest.runs),
               *(_result_entry(result) for result in digest.results)]  # fmt: skip
    about = [*digest.runs, *digest.results]
    order = sorted(range(len(about)), key=lambda i: _updated(about[i].created), reverse=True)
    feed = ET.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _text(feed, "id", identity("feed", name))
    _text(feed, "title", title)
    _text(feed, "updated", _updated(about[order[0]].created) if order else BEGINNING)
    author = ET.SubElement(feed, "author")
    _text(author, "name", "collegium")
    if itself:
        link_to = {"rel": "self", "type": "application/atom+xml", "href": itself}
        ET.SubElement(feed, "link", link_to)
    for i in order:
        if link is not None and (href := link(about[i])):
            ET.SubElement(entries[i], "link", {"rel": "alternate", "href": href})
        feed.append(entries[i])
    ET.indent(feed, " ")
    return ET.tostring(feed, encoding="utf-8", xml_declaration=True)


def identity(*parts: str) -> str:
    """The id of something: the same parts give the same one, and no others do."""
    spelled = "\n".join(part.replace("\\", "\\\\").replace("\n", "\\n") for part in parts)
    return uuid.uuid5(uuid.NAMESPACE_URL, f"collegium:{spelled}").urn


def _run_entry(run: RunNews) -> ET.Element:
    entry = _entry(identity("run", run.id, run.status), f"{run.status}: {run.title}", run.created)
    about = " · ".join(filter(None, (run.kind, *known(run), run.id)))
    _content(entry, [about, *came_to(run)], run.rows)
    ET.SubElement(entry, "category", {"term": "run"})
    return entry


def _result_entry(result: ResultNews) -> ET.Element:
    entry = _entry(identity("result", result.file, result.content), result.title, result.created)
    said = (result.problem, result.verdict, clean(result.file), result.command)
    _content(entry, [line for line in said if line], result.rows)
    ET.SubElement(entry, "category", {"term": "result"})
    return entry


def _entry(identity: str, title: str, created: str) -> ET.Element:
    entry = ET.Element("entry")
    _text(entry, "id", identity)
    _text(entry, "title", title or "untitled")
    _text(entry, "updated", _updated(created))
    _text(entry, "published", _updated(created))
    return entry


def _content(entry: ET.Element, lines: list[str], rows: tuple[Tally, ...]) -> None:
    content = ET.SubElement(entry, "content", {"type": "xhtml"})
    div = ET.SubElement(content, "div", {"xmlns": XHTML})
    for line in lines:
        _text(div, "p", line)
    if rows:
        listed = ET.SubElement(div, "ul")
        for row in rows:
            said = " · ".join(filter(None, (share(row), spent(row))))
            _text(listed, "li", f"{row.system}: {said}")


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _updated(moment: str) -> str:
    """A time as RFC 3339 writes it."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return BEGINNING
    return f"{found.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
