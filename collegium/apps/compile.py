"""From a description in plain words to a checked manifest, or a refusal that names what is missing.

The model fills a draft under a schema; code completes and checks it, and permissions are judged
against the description. There is one repair round, with the exact problems. No tool is ever
guessed: one that is not there ends in a refusal. Decoding is greedy, so the same description gives
the same manifest (natural language as programming interface: arXiv 2312.03815, section 2).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from collegium.apps.checks import Problem, check
from collegium.apps.manifest import (
    Budget,
    Do,
    Input,
    Manifest,
    Memory,
    Permissions,
    Step,
    references,
)
from collegium.errors import BadInput
from collegium.kernel import Agent, Tool, Unparsed
from collegium.tools.files import FILE_NEEDS

DRAFT_TOKENS = 1200
"""Longest draft."""

ABILITIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "send_email": (
        r"\b(send|forward|reply|answer)\b[^.]*\be?-?mails?\b"
        r"|\be-?mail (me|him|her|it|us|them|the)\b|\bby e-?mail\b",
        ("mail",),
    ),
    "send_message": (r"\b(sms|text message|slack|whatsapp|telegram)\b", ("message", "sms", "chat")),
    "search_web": (r"\b(search|look up|google)\b[^.]*\b(web|internet|online)\b", ("web", "search")),
    "read_web_page": (
        r"\b(download|fetch|visit)\b[^.]*\b(page|site|link|url)s?\b|https?://",
        ("web", "http", "url"),
    ),
    "calendar": (r"\b(calendar|appointments?|book a meeting)\b", ("calendar",)),
    "print": (r"\bprint (it|them|the|out)\b|\bprinter\b", ("print",)),
    "pay": (
        r"\b(buy|pay|purchase|order)\b [^.]*\b(ticket|bill|invoice|item|product)s?\b",
        ("pay",),
    ),
    "speak": (r"\b(read|say) [^.]*\b(aloud|out loud)\b|\baudio\b", ("speech", "audio", "voice")),
    "make_image": (r"\b(draw|paint|generate|make) [^.]*\b(image|picture|photo)s?\b", ("image",)),
}
"""Abilities that descriptions ask for: how one sees it, and words of a tool that has it.

A net below the model: a small one tends to leave out silently what it has no tool for.
"""

HERE = ("this folder", "the current folder", "current directory", "this directory")


class DraftStep(msgspec.Struct, frozen=True):
    """A step as a model drafts it."""

    id: str
    do: Do
    each: str = ""
    tool: str = ""
    arguments: dict[str, str] = {}
    text: str = ""
    choices: list[str] = []
    keep: str = ""
    then: str = ""
    otherwise: str = ""
    next: str = ""
    most: int = 0


class Draft(msgspec.Struct, frozen=True):
    """An app as a model drafts it.

    Attributes:
        missing: Tools the description needs that are not there.
        name: Of the app.
        role: One paragraph for its system prompt.
        tools: Tools it uses.
        inputs: What it is given, by name, with a sentence each.
        read: Folders it only reads.
        write: Folders it also writes to.
        memory: What it remembers.
        steps: What it does.
        output: Name of the step whose result is the output.
    """

    missing: list[str]
    name: str
    role: str
    tools: list[str]
    read: list[str]
    write: list[str]
    inputs: dict[str, str]
    memory: Literal["none", "run", "lasting"]
    steps: list[DraftStep]
    output: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """Why no app was made.

    Attributes:
        missing: Tools that are not there.
        problems: What was wrong with the last draft.
    """

    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.missing:
            return f"no app was made: it needs a tool that is not there: {', '.join(self.missing)}."
        return f"no app was made; the draft had these problems: {' '.join(self.problems)}"

    def __bool__(self) -> bool:
        return False


INSTRUCTION = """\
Turn the description below into an app: a list of steps that a program carries out.

Tools there are:
{tools}

Rules
- A step does one thing. do="use": run a tool with its arguments. do="ask": put the question in \
`text` to a language model. do="branch": go to `then` if `text` contains "yes", else to \
`otherwise`. do="remember" and do="recall": write and find notes.
- In texts and arguments, {{name}} stands for an input or for what the step of that name gave.
- each="name" does a step once for every {{item}} of the list that step `name` gave; {{key}} is \
where the item came from, such as the file. Its result is a list again.
- List files, read each, ask about each, then write: four steps.
- Paths are relative; a file in a folder is "folder/file". `read` and `write` name only folders \
that the description names.
- Use a tool only if it is in the list above. What the description needs and no tool can do goes \
into `missing`, by a short name; never put another tool in its place.

Example: "Translate every file in letters/ into Dutch and save all of it as letters/dutch.txt."
{example}

Description: {sentences}"""

EXAMPLE = Draft(
    missing=[],
    name="dutch-letters",
    role="You translate letters into Dutch. You give the translation alone.",
    tools=["list_files", "read_file", "write_file"],
    read=[],
    write=["letters"],
    inputs={},
    memory="none",
    steps=[
        DraftStep("files", "use", tool="list_files", arguments={"folder": "letters"}),
        DraftStep("texts", "use", "files", "read_file", {"path": "{item}"}),
        DraftStep("dutch", "ask", "texts", text="Translate into Dutch:\n{item}"),
        DraftStep(
            "saved",
            "use",
            tool="write_file",
            arguments={"path": "letters/dutch.txt", "text": "{dutch}"},
        ),
    ],
    output="dutch",
)


async def compile_app(
    agent: Agent,
    sentences: str,
    tools: Mapping[str, Tool],
    *,
    author: str = "me",
    version: str = "0.1.0",
) -> Manifest | Refusal:
    """Write the manifest of an app that does what a description says.

    Args:
        agent: Whose model drafts it. One question, and one more when the draft has problems.
        sentences: The description.
        tools: The tools there are, by name.
        author: Who publishes the app.
        version: Its version.

    Returns:
        A manifest that passes every check, or a refusal that says what is missing or wrong.

    Raises:
        BadInput: There is no description.
        ModelError: The model could not answer.
    """
    if not sentences.strip():
        raise BadInput("the description of the app is empty; say in a sentence what it should do.")
    if lacking := missing_abilities(sentences, tools):
        return Refusal(lacking)
    prompt = instruction(sentences, tools)
    found: list[Problem] = []
    for attempt in range(2):
        reply = await agent.ask(prompt, output=Draft, temperature=0.0, max_tokens=DRAFT_TOKENS)
        draft = reply.data
        if not isinstance(draft, Draft):
            reason = draft.reason if isinstance(draft, Unparsed) else "it is empty"
            return Refusal(problems=(f"The draft could not be read: {reason}.",))
        manifest = completed(draft, author, version)
        found = [*judged(draft, manifest, sentences), *check(manifest, tools)]
        if not found:
            return manifest
        if lacking := beyond_repair(found, tools):
            return Refusal(lacking)
        if attempt == 0:
            listed = "\n".join(f"- {p}" for p in found)
            prompt = (
                f"{instruction(sentences, tools)}\n\nYour draft was:\n"
                f"{msgspec.json.encode(draft).decode()}\n\nIts problems:\n{listed}\n\n"
                "Write the whole draft again without them."
            )
    return Refusal(tuple(p.missing for p in found if p.missing), tuple(map(str, found)))


def instruction(sentences: str, tools: Mapping[str, Tool]) -> str:
    """The prompt for a draft."""
    return INSTRUCTION.format(
        tools="\n".join(described(t) for _, t in sorted(tools.items())),
        example=msgspec.json.encode(EXAMPLE).decode(),
        sentences=" ".join(sentences.split()),
    )


def described(tool: Tool) -> str:
    """A tool in one line: name, arguments, what it does."""
    arguments = ", ".join(tool.spec.parameters.get("properties", {}))
    return f"- {tool.spec.name}({arguments}): {tool.spec.description.partition(chr(10))[0]}"


def missing_abilities(sentences: str, tools: Mapping[str, Tool]) -> tuple[str, ...]:
    """Abilities that a description asks for and no tool has."""
    text = sentences.casefold()
    has = " ".join(f"{t.spec.name} {t.spec.description}" for t in tools.values()).casefold()
    return tuple(
        ability
        for ability, (asked, words) in ABILITIES.items()
        if re.search(asked, text) and not any(word in has for word in words)
    )


def beyond_repair(problems: list[Problem], tools: Mapping[str, Tool]) -> tuple[str, ...]:
    """Missing tools that are no misspelling of one that is there: asking again cannot make them."""
    names = dict.fromkeys(p.missing for p in problems if p.missing)
    return tuple(n for n in names if not difflib.get_close_matches(n, tools, n=1, cutoff=0.8))


def judged(draft: Draft, manifest: Manifest, sentences: str) -> list[Problem]:
    """What a draft claims that the description does not bear out: tools, and folders."""
    text = sentences.casefold()
    found = [
        Problem("missing", f"there is no tool {name!r}.", missing=name) for name in draft.missing
    ]
    for folder in dict.fromkeys((*manifest.permissions.read, *manifest.permissions.write)):
        whole = folder in ("", ".")
        named = any(h in text for h in HERE) if whole else folder.casefold() in text
        if not named:
            found.append(
                Problem("permissions", f"the description names no folder {folder or '.'!r}.")
            )
    return found


def completed(draft: Draft, author: str, version: str) -> Manifest:
    """The manifest of a draft: what it says, and what no model needs to say.

    The permitted tools are those it names, and the budget follows from its questions: a hundred
    model calls for a step done for each item of a list, one for any other.
    """
    steps = tuple(_step(s) for s in draft.steps)
    calls = sum((s.items if s.each else 1) * (s.most or 1) for s in steps if s.do == "ask")
    output = draft.output.strip("{}") or (steps[-1].id if steps else "")
    tools = tuple(dict.fromkeys(draft.tools))
    return Manifest(
        name=re.sub(r"[^a-z0-9]+", "-", draft.name.casefold()).strip("-")[:60] or "app",
        author=author,
        version=version,
        role=" ".join(draft.role.split()),
        steps=steps,
        tools=tools,
        inputs={name: Input(about) for name, about in draft.inputs.items()},
        outputs={"result": f"{{{output}}}"} if output else {},
        memory=Memory(draft.memory),
        budget=Budget(calls=max(1, calls)),
        permissions=Permissions(
            read=_folders(draft.read), write=_folders(draft.write), tools=tools
        ),
    )


def _folders(names: list[str]) -> tuple[str, ...]:
    cleaned = (name.strip().removeprefix("./").rstrip("/") or "." for name in names)
    return tuple(dict.fromkeys(cleaned))


def _step(draft: DraftStep) -> Step:
    branch = {"test": "contains", "of": "yes"} if draft.do == "branch" else {}
    arguments: dict[str, Any] = {}
    if draft.do == "use":
        arguments = dict(draft.arguments)
        for name in ("path", "folder"):
            if name in arguments and draft.tool in FILE_NEEDS:
                arguments[name] = arguments[name].removeprefix("./").rstrip("/") or "."
    return Step(
        id=draft.id,
        do=draft.do,
        text=draft.text if draft.do != "use" else "",
        tool=draft.tool if draft.do == "use" else "",
        arguments=arguments,
        each=draft.each.strip("{}"),
        keep=draft.keep if "value" in references(draft.keep) else "{value}",
        choices=tuple(draft.choices) if len(draft.choices) > 1 else (),
        then=draft.then,
        otherwise=draft.otherwise,
        next=draft.next,
        most=draft.most or None,
        **branch,  # type: ignore[arg-type]
    )
