"""The sentence form of kernel calls: "remember that the door code is 4711 for agent a".

System calls may themselves be requests in natural language (arXiv 2312.03815, section 2). A
sentence is turned into the typed call first; only that call reaches the kernel, so permissions,
limits and trace hold for it as for any other. The common forms are read by a grammar, which is the
same every time; any other sentence by a model, whose answer must fit the schema of a call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput
from collegium.kernel import (
    Agent,
    Call,
    Delete,
    Find,
    Forget,
    Kernel,
    ListFiles,
    Load,
    Recall,
    Receive,
    Remember,
    Rollback,
    Send,
    Share,
    Store,
    Unparsed,
)

FORMS = {
    "remember that FACT for agent A": Remember,
    "recall WHAT for agent A": Recall,
    "recall WHAT from agent B for agent A": Recall,
    "what does agent A know about WHAT": Recall,
    "forget note ID for agent A": Forget,
    "store TEXT in FILE for agent A": Store,
    "load FILE for agent A": Load,
    "load FILE of agent B for agent A": Load,
    "list the files for agent A": ListFiles,
    "find WHAT in the files of agent A": Find,
    "roll FILE back N steps for agent A": Rollback,
    "delete FILE for agent A": Delete,
    "share with group G for agent A": Share,
    "send TEXT to agent B from agent A": Send,
    "receive the messages for agent A": Receive,
}
"""The forms the grammar reads, and the call that each becomes."""

_A = r"(?P<agent>[\w.@/-]+)"
_OF = r"(?: (?:of|from)(?: agent)? (?P<other>[\w.@/-]+))?"


def _form(pattern: str, make: Callable[[dict[str, str]], Call]) -> tuple[re.Pattern[str], Any]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL), make


_GRAMMAR = [
    _form(
        rf"remember that (?P<text>.+) for agent {_A}",
        lambda m: Remember(agent=m["agent"], text=m["text"]),
    ),
    _form(
        rf"recall (?P<query>.+?){_OF} for agent {_A}",
        lambda m: Recall(agent=m["agent"], query=m["query"], bank=m["other"]),
    ),
    _form(
        rf"what does agent {_A} (?:know|remember) about (?P<query>.+?)\??",
        lambda m: Recall(agent=m["agent"], query=m["query"]),
    ),
    _form(
        rf"forget note (?P<note>\S+) for agent {_A}",
        lambda m: Forget(agent=m["agent"], note=m["note"]),
    ),
    _form(
        rf"(?:store|write) (?P<text>.+) in (?P<path>\S+){_OF} for agent {_A}",
        lambda m: Store(agent=m["agent"], path=m["path"], text=m["text"], owner=m["other"]),
    ),
    _form(
        rf"(?:load|read) (?P<path>\S+){_OF} for agent {_A}",
        lambda m: Load(agent=m["agent"], path=m["path"], owner=m["other"]),
    ),
    _form(
        rf"list (?:the )?files{_OF} for agent {_A}",
        lambda m: ListFiles(agent=m["agent"], owner=m["other"]),
    ),
    _form(
        rf"find (?P<query>.+) in (?:the )?files of agent {_A}",
        lambda m: Find(agent=m["agent"], query=m["query"]),
    ),
    _form(
        rf"roll (?P<path>\S+) back (?P<steps>\d+) steps? for agent {_A}",
        lambda m: Rollback(agent=m["agent"], path=m["path"], steps=int(m["steps"])),
    ),
    _form(
        rf"delete (?P<path>\S+) for agent {_A}",
        lambda m: Delete(agent=m["agent"], path=m["path"]),
    ),
    _form(
        rf"share with group (?P<group>\S+) for agent {_A}",
        lambda m: Share(agent=m["agent"], group=m["group"]),
    ),
    _form(
        rf"send (?P<text>.+) to agent (?P<to>[\w.-]+) from agent {_A}",
        lambda m: Send(agent=m["agent"], to=m["to"], text=m["text"]),
    ),
    _form(rf"receive (?:the )?messages for agent {_A}", lambda m: Receive(agent=m["agent"])),
]


class Spoken(msgspec.Struct, frozen=True):
    """A sentence as a model reads it; only the fields that its kind of call has are filled.

    Attributes:
        call: The kind of call, or "none" when the sentence is no such request.
        agent: For which agent.
        text: What to remember, store or send.
        query: What to recall or find.
        path: The file.
        other: The other agent: whose memory or files, or who gets the message.
    """

    call: Literal[
        "remember", "recall", "store", "load", "list-files", "find", "send", "receive", "none"
    ]
    agent: str = ""
    text: str = ""
    query: str = ""
    path: str = ""
    other: str = ""


def parse(sentence: str) -> Call | None:
    """The call that a sentence in one of the common forms stands for; None for any other.

    Args:
        sentence: For example "remember that the door code is 4711 for agent a".
    """
    words = " ".join(sentence.strip().split()).rstrip(".")
    for pattern, make in _GRAMMAR:
        if match := pattern.fullmatch(words):
            return make({name: value or "" for name, value in match.groupdict().items()})
    return None


async def understand(reader: Agent, sentence: str) -> Call:
    """The call that a model takes a sentence for.

    Args:
        reader: The agent whose model reads it.
        sentence: In any form.

    Raises:
        BadInput: The model found no request in it, or left out what the call needs.
    """
    reply = await reader.ask(
        "Which call of the system does this request stand for? Copy its words; add none.\n"
        f"Request: {sentence}",
        output=Spoken,
        temperature=0.0,
        max_tokens=200,
    )
    spoken = reply.data
    if isinstance(spoken, Unparsed) or not isinstance(spoken, Spoken) or spoken.call == "none":
        raise not_understood(sentence)
    return _typed(spoken, sentence)


def _typed(spoken: Spoken, sentence: str) -> Call:
    """The typed call; what it needs must have been said, nothing is guessed."""
    needs = {
        "remember": ("text",),
        "recall": ("query",),
        "store": ("text", "path"),
        "load": ("path",),
        "find": ("query",),
        "send": ("text", "other"),
    }
    for name in ("agent", *needs.get(spoken.call, ())):
        value = getattr(spoken, name)
        if not value.strip() or value.casefold() not in sentence.casefold():
            raise BadInput(f"{sentence!r} does not say the {name} of the call {spoken.call!r}.")
    agent, other = spoken.agent, spoken.other
    match spoken.call:
        case "remember":
            return Remember(agent=agent, text=spoken.text)
        case "recall":
            return Recall(agent=agent, query=spoken.query, bank=other)
        case "store":
            return Store(agent=agent, path=spoken.path, text=spoken.text, owner=other)
        case "load":
            return Load(agent=agent, path=spoken.path, owner=other)
        case "list-files":
            return ListFiles(agent=agent, owner=other)
        case "find":
            return Find(agent=agent, query=spoken.query)
        case "send":
            return Send(agent=agent, to=other, text=spoken.text)
        case _:
            return Receive(agent=agent)


async def say(kernel: Kernel, sentence: str, *, reader: Agent | None = None) -> Any:
    """Run the call a sentence stands for; the trace holds the same record as for the typed call.

    Args:
        kernel: Where to run it.
        sentence: The request.
        reader: Agent whose model reads what the grammar cannot; None: the grammar alone.

    Returns:
        What the call returns.

    Raises:
        BadInput: Nobody could read the sentence.
        Denied: The agent may not do it.
    """
    call = parse(sentence)
    if call is None:
        if reader is None:
            raise not_understood(sentence)
        call = await understand(reader, sentence)
    return await kernel.call(call)


def not_understood(sentence: str) -> BadInput:
    """The error for a sentence that nobody could read."""
    forms = "; ".join(FORMS)
    return BadInput(f"{sentence!r} is no request the kernel knows. Its forms: {forms}.")
