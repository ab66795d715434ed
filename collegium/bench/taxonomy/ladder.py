"""The ladder: one document, three ways to a short article with checked facts, at equal token caps.

*One prompt* reads the document (as far as it fits) and writes. *One agent* knows the subject and
searches the document's folder. *Several agents*: an orchestrator writes questions and says who is
next; a retriever answers them from searches and files its notes; a writer and a checker read them.

Articles are scored against the document by words and figures alone, so that no model judges models.
The label of each run is read from its trace like that of any other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from collegium.agents.react import react
from collegium.bench.diagnosis.text import content, has_value, numbers, sentences, shared
from collegium.bench.taxonomy.paradigm import paradigm_of
from collegium.errors import BadInput, LimitReached, ModelError
from collegium.kernel import Access, Agent, Kernel, Limits, Tool, Unparsed, tool
from collegium.kernel.storage import Storage
from collegium.models.model import Model

SHOWN = 5000
"""Characters of the document that one prompt gets to read."""

PASSAGE = 400
"""Characters of a passage, about: whole paragraphs are put together up to it."""

FOUND = 3
"""Passages that a search brings."""

QUESTIONS = 3
STEPS = 4
"""Searches of the lone agent; decisions of the orchestrator."""

COVERED = 0.6
"""Share of the words of a sentence that a sentence of the document must have to support it."""

LENGTH = 200
"""Tokens of an article."""

SUFFIXES = (".md", ".txt", ".rst")

WRITE = (
    "Write a short article of four to six sentences about {subject}. State only facts that the "
    "text above holds, with their figures. Reply with the article alone."
)

Climb = Callable[[Kernel, str, str], Awaitable[str]]


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One way, and what came of it.

    Attributes:
        paradigm: What it is built as.
        seen: What its trace shows.
        article: What it wrote; "" when nothing was left.
        supported: Share of its sentences that the document supports; None without an article.
        kept: Share of the document's figures that it states; None without figures.
        calls: Generations.
        tokens: Prompt and completion.
        seconds: Wall-clock time.
        failure: Why it ended early; "" when it did not.
    """

    paradigm: str
    seen: str
    article: str
    supported: float | None
    kept: float | None
    calls: int
    tokens: int
    seconds: float
    failure: str = ""


class Questions(msgspec.Struct, frozen=True):
    """The orchestrator's sub-tasks."""

    questions: Annotated[list[Annotated[str, Meta(max_length=120)]], Meta(max_length=QUESTIONS)]


class Next(msgspec.Struct, frozen=True):
    """The orchestrator's decision, with what is to be done about it."""

    who: Literal["writer", "checker", "nobody"]
    because: Annotated[str, Meta(max_length=120)]


class Checked(msgspec.Struct, frozen=True):
    """The checker's finding."""

    wrong: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=3)]


async def climb(document: Path, model: Model, *, tokens: int, seed: int) -> list[Rung]:
    """Make the article three ways.

    Args:
        document: A text file; the texts of its folder are the corpus.
        model: Of every agent.
        tokens: Cap for each way.
        seed: Seed of the runs.

    Raises:
        BadInput: The file cannot be read or is empty.
        BudgetTooSmall: The cap leaves no room for a call.
    """
    text = read(document)
    subject = next(line.strip("# ").strip() for line in text.splitlines() if line.strip("# \t"))
    corpus = [p for file in texts_beside(document) for p in passages(read(file))]
    ways: list[tuple[str, Climb]] = [
        ("generative-ai", one_prompt), ("ai-agent", one_agent), ("agentic-ai", several),
    ]  # fmt: skip
    found = []
    for paradigm, way in ways:
        access = Access({"orchestrator": ["team"], "retriever": ["team"], "writer": ["team"],
                         "checker": ["team"]})  # fmt: skip
        for owner in ("retriever", "writer"):
            access.share(owner, "team")
        files = Storage(None, access=access)
        kernel = Kernel(
            model,
            seed=seed,
            limits=Limits(tokens=tokens),
            tools=[searcher(corpus)],
            drivers={**files.drivers, **access.drivers},
        )
        failure = ""
        try:
            article = await way(kernel, subject, text)
        except (LimitReached, ModelError) as error:
            article, failure = kernel.kept or "", str(error)
        finally:
            await kernel.aclose()
            files.close()
        found.append(
            Rung(
                paradigm=paradigm,
                seen=paradigm_of(kernel.trace.events).label,
                article=article,
                supported=supported(article, text),
                kept=kept(article, text),
                calls=kernel.meter.calls,
                tokens=kernel.meter.usage.tokens,
                seconds=round(sum(e.seconds for e in kernel.trace.events), 2),
                failure=failure or ("" if article else "no article"),
            )
        )
    return found


# -- the three ways -----------------------------------------------------------------------------


async def one_prompt(kernel: Kernel, subject: str, document: str) -> str:
    """Generative AI: the document, and the request."""
    prompt = f"{document[:SHOWN]}\n\n{WRITE.format(subject=subject)}"
    reply = await kernel.agent("generator").ask(prompt, temperature=0.0, max_tokens=LENGTH)
    return reply.text.strip()


async def one_agent(kernel: Kernel, subject: str, document: str) -> str:
    """An AI agent: it knows the subject and has a search."""
    agent = kernel.agent("agent", tools=["search"])
    question = (
        f"Search for facts about {subject}, then write a short article of four to six sentences "
        "about it. State only facts that your searches brought, with their figures."
    )
    done = await react(agent, question, steps=STEPS, form="typed", max_tokens=LENGTH)
    return "" if isinstance(done.answer, Unparsed) else str(done.answer).strip()


async def several(kernel: Kernel, subject: str, document: str) -> str:
    """Agentic AI: sub-tasks written by a model, shared files, and an orchestrator that routes."""
    orchestrator, writer, checker = (
        kernel.agent(name) for name in ("orchestrator", "writer", "checker")
    )
    retriever = kernel.agent("retriever", tools=["search"])
    plan = await orchestrator.ask(
        f"A short article about {subject} is to be written. Write {QUESTIONS} short, different "
        'questions that it should answer. Reply with a JSON object with the field "questions".',
        output=Questions,
        temperature=0.0,
        max_tokens=LENGTH,
    )
    asked = [] if isinstance(plan.data, Unparsed) or plan.data is None else plan.data.questions
    notes: list[int] = []
    for number, question in enumerate(asked or [subject]):
        notes.append(await take_note(retriever, question, number, plan.call))
    article, wrong, last = "", "", plan.call
    who = "writer"
    for _ in range(STEPS):
        if who == "writer":
            article, last = await write(writer, subject, len(notes), wrong, [*notes, last])
            kernel.keep(article)
        elif who == "checker":
            wrong, last = await check(checker, len(notes), [*notes, last])
        else:
            break
        who, last = await decide(orchestrator, who, article, wrong, last)
    return article


async def take_note(retriever: Agent, question: str, number: int, source: int) -> int:
    """Search for a question, and file what was found; returns the event of the note."""
    passages_found = await retriever.use("search", query=question)
    reply = await retriever.ask(
        f"{passages_found}\n\nQuestion: {question}\nAnswer in one or two sentences from the text "
        "above, with its figures. If it does not say, reply: not stated.",
        temperature=0.0,
        max_tokens=80,
        sources=[source],
    )
    await retriever.store(f"note-{number}.txt", reply.text.strip())
    return reply.call


async def notes_of(agent: Agent, number: int) -> str:
    """All notes, as an agent reads them from the retriever's files."""
    held = [await agent.load(f"note-{n}.txt", owner="retriever") for n in range(number)]
    return "\n".join(f"- {note}" for note in held)


async def write(
    writer: Agent, subject: str, number: int, wrong: str, sources: Sequence[int]
) -> tuple[str, int]:
    """Write the article from the notes; returns it and its event."""
    mend = f"\n\nAn earlier article was wrong in this: {wrong}" if wrong else ""
    reply = await writer.ask(
        f"{await notes_of(writer, number)}{mend}\n\n{WRITE.format(subject=subject)}",
        temperature=0.0,
        max_tokens=LENGTH,
        sources=sources,
    )
    await writer.store("article.txt", reply.text.strip())
    return reply.text.strip(), reply.call


async def check(checker: Agent, number: int, sources: Sequence[int]) -> tuple[str, int]:
    """Compare the filed article with the notes; returns what is wrong, and the event."""
    article = await checker.load("article.txt", owner="writer")
    reply = await checker.ask(
        f"{await notes_of(checker, number)}\n\nArticle:\n{article}\n\nWhich sentences of the "
        'article do the notes not support? Reply with a JSON object with the field "wrong": these '
        "sentences, or [].",
        output=Checked,
        temperature=0.0,
        max_tokens=LENGTH,
        sources=sources,
    )
    found = [] if isinstance(reply.data, Unparsed) or reply.data is None else reply.data.wrong
    return " ".join(found), reply.call


async def decide(
    orchestrator: Agent, before: str, article: str, wrong: str, source: int
) -> tuple[str, int]:
    """Who is next, by the orchestrator; unreadable: the checker after the writer, then nobody."""
    state = (
        f"The checker found wrong: {wrong or 'nothing'}." if before == "checker" else "It is new."
    )
    reply = await orchestrator.ask(
        f"The article so far:\n{article}\n\n{state}\nWho is next: the checker (to check a new "
        "article), the writer (to mend what is wrong), or nobody (when it is checked and good)? "
        'Reply with a JSON object with the fields "who" and "because".',
        output=Next,
        temperature=0.0,
        max_tokens=80,
        sources=[source],
    )
    if isinstance(reply.data, Unparsed) or reply.data is None:
        return ("checker" if before == "writer" else "nobody"), reply.call
    return reply.data.who, reply.call


# -- corpus and score ---------------------------------------------------------------------------


def read(file: Path) -> str:
    """A text that is not empty.

    Raises:
        BadInput: It cannot be read, or holds nothing.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadInput(f"cannot read the document {file}: {reason}.") from None
    if not text.strip("# \t\n"):
        raise BadInput(f"the document {file} is empty.")
    return text


def texts_beside(document: Path) -> list[Path]:
    """The document and the other texts of its folder that hold something."""
    others = sorted(
        f
        for f in document.parent.iterdir()
        if f.suffix in SUFFIXES and f.name != document.name and f.is_file() and f.stat().st_size
    )
    return [document, *others]


def passages(text: str) -> list[str]:
    """Paragraphs, short ones put together."""
    found: list[str] = []
    for paragraph in (p.strip() for p in text.split("\n\n")):
        if found and len(found[-1]) + len(paragraph) < PASSAGE:
            found[-1] = f"{found[-1]}\n{paragraph}"
        elif paragraph:
            found.append(paragraph)
    return found


def searcher(corpus: Sequence[str]) -> Tool:
    """A search tool over passages, ranked by BM25."""

    @tool
    def search(query: str) -> str:
        """Find passages about something."""
        terms = " OR ".join(f'"{word}"' for word in content(query))
        with closing(sqlite3.connect(":memory:")) as store:
            store.execute("CREATE VIRTUAL TABLE page USING fts5(text, tokenize='porter unicode61')")
            store.executemany("INSERT INTO page VALUES (?)", [(p,) for p in corpus])
            order = "SELECT text FROM page WHERE page MATCH ? ORDER BY bm25(page), rowid LIMIT ?"
            rows = store.execute(order, [terms, FOUND]).fetchall() if terms else []
        return "\n\n".join(text[: 2 * PASSAGE] for (text,) in rows) or "nothing found"

    return search


def supported(article: str, document: str) -> float | None:
    """Which share of an article's sentences a sentence of the document supports.

    It has most of their words, and the document has all of their figures.
    """
    said = [s for s in sentences(article) if content(s)]
    if not said:
        return None
    held = [content(s) for s in sentences(document)]
    good = [
        s
        for s in said
        if all(n in numbers(document) for n in numbers(s))
        and any(shared(facts, content(s)) >= COVERED for facts in held)
    ]
    return len(good) / len(said)


def kept(article: str, document: str) -> float | None:
    """Which share of the document's different figures an article states."""
    figures = dict.fromkeys(numbers(document))
    if not figures or not article:
        return None
    return sum(has_value(article, f) for f in figures) / len(figures)
