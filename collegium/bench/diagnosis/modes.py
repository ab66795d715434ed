"""The 14 failure modes of multi-agent runs (MAST taxonomy), as data."""

from __future__ import annotations

from typing import Literal

import msgspec

from collegium.errors import unknown_name

Category = Literal["specification", "inter-agent", "verification"]
Means = Literal["rules", "judge"]


class Mode(msgspec.Struct, frozen=True):
    """A way in which a run can fail.

    Attributes:
        code: Its number in the taxonomy.
        name: Its name.
        category: The stage it belongs to.
        means: Whether rules over the trace can find it, or a judge has to read the passage.
        about: What it is, in one sentence.
    """

    code: str
    name: str
    category: Category
    means: Means
    about: str


MODES: tuple[Mode, ...] = (
    Mode(
        "1.1",
        "disobey task specification",
        "specification",
        "judge",
        "A result breaks a constraint or the form that the task laid down.",
    ),
    Mode(
        "1.2",
        "disobey role specification",
        "specification",
        "judge",
        "An agent does the work of another role, or what its own role forbids.",
    ),
    Mode(
        "1.3",
        "step repetition",
        "specification",
        "rules",
        "An agent does or says once more what it has already done or said, to no new effect.",
    ),
    Mode(
        "1.4",
        "loss of conversation history",
        "specification",
        "rules",
        "An agent was told something, needs it later, and no longer has it in its input.",
    ),
    Mode(
        "1.5",
        "unaware of termination conditions",
        "specification",
        "rules",
        "A run goes on although it was finished or had its answer.",
    ),
    Mode(
        "2.1",
        "conversation reset",
        "inter-agent",
        "rules",
        "A conversation that was under way starts again from its first message.",
    ),
    Mode(
        "2.2",
        "fail to ask for clarification",
        "inter-agent",
        "judge",
        "An agent meets something unclear or missing, asks nobody, and guesses.",
    ),
    Mode(
        "2.3",
        "task derailment",
        "inter-agent",
        "judge",
        "An agent drifts away from what was asked.",
    ),
    Mode(
        "2.4",
        "information withholding",
        "inter-agent",
        "rules",
        "An agent has what another one needs, and it never reaches the other.",
    ),
    Mode(
        "2.5",
        "ignored other agent's input",
        "inter-agent",
        "rules",
        "An agent was told something by another and goes on as if it had not been.",
    ),
    Mode(
        "2.6",
        "reasoning-action mismatch",
        "inter-agent",
        "rules",
        "What an agent says it does, or has done, is not what the record says it did.",
    ),
    Mode(
        "3.1",
        "premature termination",
        "verification",
        "rules",
        "A run ends while something it had set out to do is still open.",
    ),
    Mode(
        "3.2",
        "no or incomplete verification",
        "verification",
        "rules",
        "A result goes out unchecked although there was a way to check it.",
    ),
    Mode(
        "3.3",
        "incorrect verification",
        "verification",
        "rules",
        "A check passes a result that is wrong.",
    ),
)

_BY_CODE = {m.code: m for m in MODES}


def mode(code: str) -> Mode:
    """The mode with a code.

    Raises:
        UnknownName: There is none.
    """
    if code not in _BY_CODE:
        raise unknown_name("failure mode", code, _BY_CODE)
    return _BY_CODE[code]
