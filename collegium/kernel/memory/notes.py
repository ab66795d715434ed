"""Agentic notes: a model describes each new note, links it, and rewrites its neighbours.

What AIOS calls ``add_agentic`` follows A-MEM (Xu et al., 2025, arXiv 2502.12110): note construction
(section 3.1), link generation (3.2) and memory evolution (3.3). The descriptions are kept in the
note's own text, so that they are searched and embedded with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from collegium.errors import Denied
from collegium.kernel.agent import Agent
from collegium.kernel.calls import Unparsed
from collegium.kernel.resources import Note

CONTEXT = "\n\nContext: "
KEYWORDS = "\nKeywords: "

MAX_TOKENS = 512
"""Cap on each of the two replies."""


class Description(msgspec.Struct, frozen=True):
    """What a note is about (A-MEM, eq. 2): its main terms, one sentence of context, labels."""

    keywords: list[str]
    context: str
    tags: list[str]


class Rewrite(msgspec.Struct, frozen=True):
    """A neighbour seen in a new light: its number, and the context and tags it gets."""

    number: int
    context: str
    tags: list[str]


class Evolution(msgspec.Struct, frozen=True):
    """What a new note changes (A-MEM, eq. 6 and 7).

    Attributes:
        evolve: Whether it changes anything.
        links: Numbers of the neighbours that it belongs with.
        updates: The neighbours to rewrite.
    """

    evolve: bool
    links: list[int]
    updates: list[Rewrite]


class Remembered(msgspec.Struct, frozen=True):
    """What became of an agentic note.

    Attributes:
        note: Its id.
        description: What the model said of it; :class:`Unparsed` when that could not be read.
        links: Ids of the notes it is linked to.
        updated: Ids of the neighbours that were rewritten.
        refused: Ids of those whose rewriting was not permitted.
    """

    note: str
    description: Description | Unparsed
    links: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


DESCRIBE = """\
Describe this note so that it can be found again.

Note: {text}

Give 3 to 6 keywords that occur in it or name its subject, the most important first; one sentence \
of context that says what it is about and to what end; and 1 to 4 broad tags."""

EVOLVE = """\
A new note joins a memory. Its nearest neighbours there are numbered.

New note: {text}

{neighbours}

Should the memory evolve? If the new note belongs together with neighbours, give their numbers as \
links. If it changes how a neighbour is to be understood, give that neighbour's number with a new \
sentence of context and new tags. If neither, say false and leave both lists empty."""


async def remember_agentic(
    agent: Agent,
    text: str,
    *,
    bank: str = "",
    neighbours: int = 5,
    temperature: float = 0.0,
    sources: Sequence[int] = (),
) -> Remembered:
    """Remember a text with keywords, context, tags and links, and let its neighbours evolve.

    Two generations: one describes the note, one decides on links and rewrites (none when there
    are no neighbours). A reply that cannot be read costs its step, never the note. Rewriting a
    note asks for permission like every overwriting; where it is refused, the note stays.

    Args:
        agent: Who remembers; its model is asked.
        text: What to remember.
        bank: Another agent's bank, or ``@group``; "" is its own.
        neighbours: How many of the nearest notes may be linked and rewritten; 0: none.
        temperature: Of both generations.
        sources: Trace ids of the calls it was made from.

    Raises:
        Denied: The bank is not the agent's to read and write.
        LimitReached: A limit of the run is used up.
    """
    # 1. Note construction (section 3.1).
    described = await agent.ask(
        DESCRIBE.format(text=text),
        output=Description,
        temperature=temperature,
        max_tokens=MAX_TOKENS,
        sources=sources,
    )
    about = described.data
    lineage = [*sources, described.call]
    is_known = isinstance(about, Description)
    full = compose(text, about.context, about.keywords) if is_known else text
    # 2. Link generation (section 3.2), over the nearest neighbours.
    near = await agent.recall(full, k=neighbours, bank=bank) if neighbours > 0 else ()
    links, updates = (), ()
    if near:
        decided = await agent.ask(
            EVOLVE.format(text=full, neighbours=_listed(near)),
            output=Evolution,
            temperature=temperature,
            max_tokens=MAX_TOKENS,
            sources=lineage,
        )
        lineage.append(decided.call)
        if isinstance(decided.data, Evolution) and decided.data.evolve:
            numbers = dict.fromkeys(decided.data.links)
            links = tuple(near[n - 1].id for n in numbers if 1 <= n <= len(near))
            by_number = {u.number: u for u in decided.data.updates}
            updates = tuple((near[n - 1], u) for n, u in by_number.items() if 1 <= n <= len(near))
    # 3. Memory evolution (section 3.3), then the note itself.
    updated, refused = [], []
    for note, rewrite in updates:
        try:
            await agent.remember(
                compose(content(note.text), rewrite.context, keywords(note.text)),
                bank=bank,
                note=note.id,
                tags=_clean(rewrite.tags) or note.tags,
                links=note.links,
                sources=lineage,
            )
            updated.append(note.id)
        except Denied:
            refused.append(note.id)
    added = await agent.remember(
        full,
        bank=bank,
        tags=_clean(about.tags) if is_known else (),
        links=links,
        sources=lineage,
    )
    return Remembered(
        note=added,
        description=about if about is not None else Unparsed(described.text, "no description"),
        links=links,
        updated=tuple(updated),
        refused=tuple(refused),
    )


def compose(text: str, context: str, keywords: Sequence[str]) -> str:
    """The text of an agentic note: what was remembered, then what the model says of it."""
    terms = ", ".join(_clean(keywords))
    return f"{text}{CONTEXT}{' '.join(context.split())}{KEYWORDS}{terms}"


def content(text: str) -> str:
    """What was remembered, without the model's description."""
    before, mark, _ = text.rpartition(CONTEXT)
    return before if mark else text


def keywords(text: str) -> tuple[str, ...]:
    """The keywords of an agentic note; none of a plain one."""
    before, mark, after = text.rpartition(KEYWORDS)
    return tuple(after.split(", ")) if mark and CONTEXT in before and after else ()


def _listed(notes: Sequence[Note]) -> str:
    return "\n\n".join(
        f"Neighbour {i} (tags: {', '.join(n.tags) or 'none'}): {n.text}"
        for i, n in enumerate(notes, 1)
    )


def _clean(words: Sequence[str]) -> tuple[str, ...]:
    """Words without line ends and commas, each once."""
    tidy = (" ".join(w.replace(",", " ").split()) for w in words)
    return tuple(dict.fromkeys(w for w in tidy if w))
