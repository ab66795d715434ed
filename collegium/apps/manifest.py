"""What an app is: a manifest in plain text.

The parts are those the paper's apps have (arXiv 2312.03815, section 3): a role in words,
inputs and outputs, tools, memory, and steps in order. Budget and permissions are there because the
kernel keeps an app to them, whatever its model says.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from collegium.errors import BadInput
from collegium.kernel import Limits, atomic

MANIFEST_FILE = "app.toml"
END = "end"
RESERVED = {"item", "key", "value", END}

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
"""What authors, apps and tools of packages are called."""

WORD = re.compile(r"[a-z][a-z0-9_]*")
"""What steps, inputs and outputs are called."""

REFERENCE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A place in a text where a value goes."""

Do = Literal["ask", "use", "branch", "remember", "recall"]
Test = Literal["contains", "equals", "empty"]
Selection = Literal["last-n", "summary", "retrieval"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a manifest: a wrong field is an error, a default need not be written."""


class Input(_Part, frozen=True):
    """What an app is given: a sentence about it, and the value it has when nothing is given."""

    about: str = ""
    default: str | None = None


class Memory(_Part, frozen=True):
    """What an app remembers.

    Attributes:
        keeps: "none"; "run": notes until it ends; "lasting": notes that the next run finds.
        window: Tokens of conversation its model sees; 0: every question stands alone.
        selection: Which turns those are (see :mod:`collegium.agents.context`).
    """

    keeps: Literal["none", "run", "lasting"] = "none"
    window: int = 0
    selection: Selection = "last-n"


class Budget(_Part, frozen=True):
    """What one run may spend: tokens, model calls, seconds, US dollars; None is unlimited."""

    tokens: int | None = None
    calls: int | None = 50
    seconds: float | None = None
    money: float | None = None


class Permissions(_Part, frozen=True):
    """What an app may reach.

    Attributes:
        read: Folders it may read, relative to the folder it is run in.
        write: Folders it may read and write.
        tools: Tools it may use.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class Step(_Part, frozen=True):
    """One step. In its texts ``{name}`` stands for an input, or for what a step gave.

    Attributes:
        id: Its name.
        do: "ask" the model, "use" a tool, "remember" or "recall" a note, or "branch".
        text: What to ask, to remember, or to look for; for a branch, what is tested.
        tool: The tool to use.
        arguments: Its arguments.
        each: Name of a list; the step is done once for every ``{item}`` of it, whose ``{key}``
            names where it came from.
        items: The longest list it takes.
        keep: What is kept of each result: ``{value}`` is the result itself.
        choices: The only answers a question may have.
        max_tokens: Longest answer.
        test: How a branch decides: whether its text contains or equals ``of``, or is empty.
        of: What it is tested against; case does not count.
        then: Where a branch goes when the test holds.
        otherwise: Where it goes when it does not.
        next: The step after this one; "" is the one below, "end" ends the app.
        most: How often the step may be taken in one run; needed in a loop.
    """

    id: str
    do: Do
    text: str = ""
    tool: str = ""
    arguments: dict[str, str | int | float | bool] = {}
    each: str = ""
    items: int = 100
    keep: str = "{value}"
    choices: tuple[str, ...] = ()
    max_tokens: int = 512
    test: Test = "contains"
    of: str = ""
    then: str = ""
    otherwise: str = ""
    next: str = ""
    most: int | None = None


class Manifest(_Part, frozen=True):
    """An app.

    Attributes:
        name: Its name, unique per author.
        author: Who publishes it.
        version: Semantic version, such as "0.1.0".
        role: One paragraph: what it is and does; the system prompt of its agent.
        licence: Under which it may be passed on.
        tools: Tools it uses: built-in ones by name, those of packages as "author/name".
        inputs: What it is given, by name.
        outputs: What it gives back, by name: a text with references.
        memory: What it remembers.
        budget: What a run may spend.
        permissions: What it may reach.
        steps: What it does, in order; it begins with the first.
    """

    name: str
    author: str
    version: str
    role: str
    steps: tuple[Step, ...]
    licence: str = ""
    tools: tuple[str, ...] = ()
    inputs: dict[str, Input] = {}
    outputs: dict[str, str] = {}
    memory: Memory = Memory()
    budget: Budget = Budget()
    permissions: Permissions = Permissions()

    @property
    def id(self) -> str:
        """``author/name``."""
        return f"{self.author}/{self.name}"

    @property
    def limits(self) -> Limits:
        """The budget as the kernel takes it."""
        b = self.budget
        return Limits(b.tokens, b.calls, b.seconds, b.money)


def references(text: object) -> list[str]:
    """Names that a text refers to, in order."""
    return REFERENCE.findall(text) if isinstance(text, str) else []


def parse_manifest(text: str, name: str = "manifest") -> Manifest:
    """Read a manifest from its text.

    Args:
        text: TOML.
        name: What to call it in an error.

    Raises:
        BadInput: It is no TOML, lacks a part, or has one that does not exist.
    """
    try:
        return msgspec.convert(tomllib.loads(text), Manifest)
    except (ValueError, msgspec.ValidationError) as error:
        raise BadInput(f"{name} is no manifest of an app: {error}.") from None


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of an app.

    Args:
        path: The file, or the folder that holds ``app.toml``.

    Raises:
        BadInput: It cannot be read, or is no manifest.
    """
    file = path / MANIFEST_FILE if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadInput(f"cannot read the app {file}: {reason}.") from None
    return parse_manifest(text, str(file))


def manifest_text(manifest: Manifest) -> str:
    """A manifest as the text of its file; the same manifest gives the same text."""
    import tomli_w

    return tomli_w.dumps(msgspec.to_builtins(manifest), multiline_strings=True)


def write_manifest(manifest: Manifest, file: Path) -> None:
    """Write a manifest, whole or not at all.

    Raises:
        BadInput: The file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(file, manifest_text(manifest).encode())
    except OSError as error:
        raise BadInput(f"cannot write the app {file}: {error.strerror}.") from None
