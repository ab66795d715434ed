"""The paper's textual contracts: JSON between [CONTENT] tags, headed sections, code in fences.

Typed outputs take their place wherever a model can be asked for one. These functions read what
models wrote under the textual contracts: published logs, and replies under ``documents=text``.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from collegium.kernel import Unparsed
from collegium.systems.metagpt.reports import RunReport
from collegium.tools.programs import compiles

T = TypeVar("T")

OPEN, CLOSE = "[CONTENT]", "[/CONTENT]"


def content_of(text: str, kind: type[T]) -> T | Unparsed:
    """The document between the tags of a reply, or why there is none.

    Args:
        text: The reply; without tags the outermost braces count.
        kind: The document's type.
    """
    start = text.find(OPEN)
    end = text.rfind(CLOSE)
    body = text[start + len(OPEN) : end if end > start else None] if start >= 0 else text
    first, last = body.find("{"), body.rfind("}")
    if first < 0 or last < first:
        return Unparsed(text, f"there is no JSON object between {OPEN} and {CLOSE}")
    try:
        return msgspec.json.decode(body[first : last + 1], type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return Unparsed(text, str(error))


def sections(text: str, titles: tuple[str, ...]) -> dict[str, str]:
    """What stands under each title; a title may be a heading, and its text on the same line.

    Args:
        text: The reply.
        titles: Titles to look for, in any case; of several with one title the last counts.
    """
    known = {t.casefold(): t for t in titles}
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        bare = line.strip().lstrip("#*- ").replace("**", "")
        head, colon, rest = bare.partition(":")
        title = known.get(head.strip().casefold())
        headed = line.lstrip().startswith("#")
        if title is not None and (colon or headed):
            current = found[title] = [rest.strip()]
        elif headed:
            current = None
        elif current is not None:
            current.append(line)
    return {title: "\n".join(lines).strip().strip("-").strip() for title, lines in found.items()}


class Verdict(msgspec.Struct, frozen=True):
    """A review as it is acted on: LGTM or LBTM, and what to change."""

    result: str
    actions: str = ""


def verdict_of(text: str) -> Verdict | Unparsed:
    """The verdict of a written review."""
    read = sections(text, ("Actions", "Code Review Result"))
    said = [word for word in ("LGTM", "LBTM") if word in read.get("Code Review Result", "")]
    if len(said) != 1:
        return Unparsed(text, "the section 'Code Review Result' says neither LGTM nor LBTM")
    return Verdict(said[0], read.get("Actions", ""))


def report_of(text: str) -> RunReport | Unparsed:
    """The report on a test run, written in sections."""
    read = sections(text, ("Instruction", "File To Rewrite", "Status", "Send To"))
    # Where the first section has no title, it is what stands above all titles.
    above = text.strip().strip("-").strip().split("\n##")[0].split("\nFile To")[0].strip()
    words: dict[str, Any] = {
        "Instruction": read.get("Instruction") or above,
        "File To Rewrite": read.get("File To Rewrite", ""),
    }
    for title in ("Status", "Send To"):
        if title not in read:
            return Unparsed(text, f"there is no section {title!r}")
        words[title] = read[title].split()[0] if read[title] else ""
    try:
        return msgspec.convert(words, RunReport)
    except msgspec.ValidationError as error:
        return Unparsed(text, str(error))


_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})")


def code_blocks(text: str) -> list[str]:
    """The contents of all fenced blocks; one that was never closed ends with the text."""
    blocks: list[list[str]] = []
    fence = ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if not fence and found:
            fence = found[1]
            blocks.append([])
        elif fence and found and line.strip() == fence:
            fence = ""
        elif fence:
            blocks[-1].append(line)
    return ["\n".join(block).strip("\n").rstrip() for block in blocks]


def code_block(text: str, path: str) -> str:
    """The code of one file in a reply: the block headed by its name, else the first block.

    Args:
        text: The reply.
        path: The file that was asked for. A reply may hold other files too: they are not it.

    Returns:
        The code; "" when the reply holds none. Without any fence the reply itself counts where it
        is Python.
    """
    blocks = [block for block in code_blocks(text) if block.strip()]
    if not blocks:
        bare = text.strip()
        return bare if bare and path.endswith(".py") and not compiles(bare) else ""
    name = path.rsplit("/", 1)[-1]

    def headed(block: str) -> bool:
        first = block.lstrip().split("\n", 1)[0]
        return first.startswith("#") and name in first.replace(":", " ").split()

    return next((block for block in blocks if headed(block)), blocks[0])
