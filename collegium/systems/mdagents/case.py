"""The case in hand and what a team hands on: shared by the stages of the system "mdagents"."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec

from collegium.agents import vote
from collegium.errors import BadInput
from collegium.kernel import Agent, Image, Kernel, Mail, Reply, Unparsed
from collegium.tasks.answers import as_text, normalise_answer
from collegium.tasks.task import Task

PROFILE = "You belong to the medical staff of a hospital."
"""The same for every agent; who it is stands at the end of its prompts, so prefixes are shared."""

NOTE_TOKENS = 160
"""Cap on what is not a worked answer: a report, an assignment, an investigation."""


class Case(msgspec.Struct, frozen=True):
    """What every stage is given.

    Attributes:
        task: The question.
        kernel: Runs the calls.
        temperature: Sampling temperature of experts and teams.
        max_tokens: Cap on a worked answer.
        images: The picture that belongs to the question, if there is one.
    """

    task: Task
    kernel: Kernel
    temperature: float
    max_tokens: int
    images: tuple[Image, ...] = ()

    def staff(self, name: str, role: str | None = None) -> Agent:
        """Make an agent; ``role`` chooses its model."""
        profile = f"{PROFILE} {self.task.rules}".strip()
        return self.kernel.agent(name, profile=profile, role=role)


class Finding(msgspec.Struct, frozen=True):
    """What a structure (MDT or ICT) hands to the decision maker.

    Attributes:
        material: All that the decision maker reads.
        answer: The structure's own answer so far; :class:`Unparsed` when it has none.
        replies: What the answer stands in.
        notes: What happened, as plain data.
        account: What happened, in lines for a reader.
        sources: Trace ids of the calls that the material comes from.
    """

    material: str
    answer: Any
    replies: tuple[Reply[Any], ...]
    notes: dict[str, Any]
    account: tuple[str, ...]
    sources: tuple[int, ...] = ()


def listing(item: Any, most: int, least: int = 0) -> Any:
    """A list whose length models are held to where a grammar binds them; readers take any."""
    bounds = {"minItems": least, "maxItems": most}
    return Annotated[list[item], msgspec.Meta(extra_json_schema=bounds)]


def wording(most: int, least: int = 1) -> Any:
    """A text of so many characters, held to in the same way: small models find no end."""
    bounds = {"minLength": least, "maxLength": most}
    return Annotated[str, msgspec.Meta(extra_json_schema=bounds)]


def shown(answer: Any) -> str:
    """An answer as people read it; "unreadable" for none."""
    return "unreadable" if answer is None or isinstance(answer, Unparsed) else as_text(answer)


def plain_answer(answer: Any) -> Any:
    """An answer as plain data: None for one that could not be read."""
    return None if isinstance(answer, Unparsed) else answer


def agreed(task: Task, answers: Iterable[Any]) -> bool:
    """Whether all gave the same readable answer: who cannot be read has not agreed."""
    forms = {normalise_answer(a, task.answer) for a in answers}
    return len(forms) == 1 and None not in forms


def majority_answer(task: Task, answers: Iterable[Any]) -> Any:
    """The most frequent answer, ties to the first; :class:`Unparsed` when nobody gave one."""
    tally = vote(task, list(answers))
    return tally.winner if tally.cast else Unparsed("", "nobody gave a readable answer")


def in_time(mail: Iterable[Mail]) -> list[Mail]:
    """Messages in the order in which they were sent, whoever sent them."""
    return sorted(mail, key=lambda m: m.call)


def read_image(path: str) -> tuple[Image, ...]:
    """The picture of a question.

    Args:
        path: Where it is; "" for none.

    Raises:
        BadInput: It cannot be read, or its name is not that of a picture.
    """
    if not path:
        return ()
    kind = mimetypes.guess_type(path)[0] or ""
    if not kind.startswith("image/"):
        raise BadInput(f"image_ref must name a picture such as scan.png, not {path!r}.")
    try:
        return (Image(Path(path).expanduser().read_bytes(), kind),)
    except OSError as error:
        raise BadInput(f"cannot read the picture {path}: {error.strerror}.") from None
