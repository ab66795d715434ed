"""A compiler without a model: templates chosen by keywords. What a model has to beat."""

from __future__ import annotations

import re
from collections.abc import Mapping

from collegium.apps.checks import check
from collegium.apps.compile import Refusal
from collegium.apps.manifest import Budget, Input, Manifest, Memory, Permissions, Step
from collegium.kernel import Tool

_FOLDER = re.compile(r"\b([\w-]+)/(?![\w.-])")
_FILE = re.compile(r"\b((?:[\w-]+/)?[\w-]+\.[a-z]{2,4})\b")
_EACH = re.compile(r"\b(every|each|all)\b")
_NOTES = re.compile(r"\b(remember|memory|notes? of what)\b")


def compile_by_keywords(
    sentences: str, tools: Mapping[str, Tool], *, author: str = "me", version: str = "0.1.0"
) -> Manifest | Refusal:
    """Fill one of four templates: for each file of a folder, for one file, with memory, or plain.

    Args:
        sentences: The description.
        tools: The tools there are, by name.
        author: Who publishes the app.
        version: Its version.

    Returns:
        The manifest, or a refusal where it would not pass the checks.
    """
    text = " ".join(sentences.split())
    folder, files = _FOLDER.search(text), _FILE.findall(text)
    if folder and _EACH.search(text.casefold()):
        manifest = _for_each_file(text, folder[1], files, author, version)
    elif files:
        manifest = _for_one_file(text, files, author, version)
    elif _NOTES.search(text.casefold()):
        manifest = _with_memory(text, author, version)
    else:
        manifest = _made(
            text, author, version, (Step(id="answer", do="ask", text=f"{text}\n{{input}}"),)
        )
    problems = check(manifest, tools)
    missing = tuple(p.missing for p in problems if p.missing)
    return Refusal(missing, tuple(map(str, problems))) if problems else manifest


def _for_each_file(text: str, folder: str, files: list[str], author: str, version: str) -> Manifest:
    steps = [
        Step(id="files", do="use", tool="list_files", arguments={"folder": folder}),
        Step(id="texts", do="use", tool="read_file", each="files", arguments={"path": "{item}"}),
        Step(id="results", do="ask", each="texts", text=f"{text}\n\n{{item}}"),
    ]
    goal = [f if "/" in f else f"{folder}/{f}" for f in files[:1]]
    steps += [_write(goal[0], "results")] if goal else []
    return _files(text, author, version, steps, [folder], [g.rpartition("/")[0] for g in goal])


def _for_one_file(text: str, files: list[str], author: str, version: str) -> Manifest:
    steps = [
        Step(id="source", do="use", tool="read_file", arguments={"path": files[0]}),
        Step(id="result", do="ask", text=f"{text}\n\n{{source}}"),
    ]
    steps += [_write(files[1], "result")] if len(files) > 1 else []
    read, *write = [f.rpartition("/")[0] or "." for f in files[:2]]
    return _files(text, author, version, steps, [read], write)


def _write(path: str, step: str) -> Step:
    return Step(
        id="written", do="use", tool="write_file", arguments={"path": path, "text": f"{{{step}}}"}
    )


def _files(
    text: str, author: str, version: str, steps: list[Step], read: list[str], write: list[str]
) -> Manifest:
    tools = tuple(dict.fromkeys(s.tool for s in steps if s.tool))
    kept = tuple(f for f in read if f not in write)
    permissions = Permissions(read=kept, write=tuple(write), tools=tools)
    return _made(text, author, version, tuple(steps), tools=tools, permissions=permissions)


def _with_memory(text: str, author: str, version: str) -> Manifest:
    steps = (
        Step(id="known", do="recall", text="{input}", items=5),
        Step(id="answer", do="ask", text=f"{text}\n\nKnown: {{known}}\n\n{{input}}"),
        Step(id="kept", do="remember", text="{input}"),
    )
    return _made(text, author, version, steps, memory=Memory("lasting"))


def _made(
    text: str,
    author: str,
    version: str,
    steps: tuple[Step, ...],
    *,
    tools: tuple[str, ...] = (),
    permissions: Permissions = Permissions(),
    memory: Memory = Memory(),
) -> Manifest:
    words = re.findall(r"[a-z]+", text.casefold())[:4]
    asked = next(s.id for s in reversed(steps) if s.do == "ask")
    return Manifest(
        name="-".join(words) or "app",
        author=author,
        version=version,
        role=f"You do what this says: {text}",
        steps=steps,
        tools=tools,
        inputs={} if tools else {"input": Input("what to work on")},
        outputs={"result": f"{{{asked}}}"},
        memory=memory,
        budget=Budget(calls=100),
        permissions=permissions,
    )
