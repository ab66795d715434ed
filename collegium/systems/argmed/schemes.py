"""Argumentation schemes, their critical questions, and the record of a dialogue (section II)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from collegium.agents.argumentation import Attack

Premise = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Form(msgspec.Struct, frozen=True):
    """A scheme <P, c, V>: what the Generator fills in, and how it reads.

    Attributes:
        premises: P: name and what is to be said.
        says: Premises and conclusion as one line; {option} is the decision it is about.
    """

    scheme: Literal["ASDM", "ASSE", "ASDA"]
    kind: Literal["decision", "belief"]
    premises: dict[str, str]
    says: str


FORMS = {
    "decision": Form(
        "ASDM",
        "decision",
        {
            "facts": "the facts of the case that matter",
            "goal": "what is to be achieved or found out",
            "reason": "why the option serves this goal",
        },
        "{option}: {reason}. Facts: {facts}. Goal: {goal}.",
    ),
    "side effect": Form(
        "ASSE",
        "belief",
        {"effect": "the unwanted effect it has", "unwanted": "why that must not happen here"},
        "Side effect of {option}: {effect}. {unwanted}. So not {option}.",
    ),
    "danger": Form(
        "ASDA",
        "belief",
        {"goal": "another goal that must be kept", "danger": "how the decision endangers it"},
        "{option} endangers this goal: {goal}. {danger}. So not {option}.",
    ),
    "denial": Form(
        "ASDM",
        "belief",
        {"fault": "which fact or evidence is wrong or missing"},
        "{fault}. So {option} is not supported.",
    ),
    # A belief is answered by a belief of its scheme, or by a decision (whose attack is deleted).
    "rebuttal": Form(
        "ASSE",
        "belief",
        {"reason": "why the attacked argument does not hold or weighs less"},
        "{reason}. So {target} does not hold.",
    ),
    "counter": Form("ASDM", "decision", {"reason": ""}, "{option}: {reason}."),
}


class Question(msgspec.Struct, frozen=True):
    """A critical question.

    Attributes:
        id: As in the paper's lists.
        topic: A word for it: the name of its field in the Verifier's reply.
        text: Its wording; "yes" accepts. {option} is the decision in question, {id} the argument.
        opens: The form of the argument that must answer its rejection.
    """

    id: str
    topic: str
    text: str
    opens: str

    @property
    def field(self) -> str:
        """Name of its field in the Verifier's reply."""
        return f"{self.id}_{self.topic}"


DECISION_QUESTIONS = (
    Question("CQ1", "facts", "Are the facts of {id} true and complete?", "denial"),
    Question("CQ2", "evidence", "Is there evidence that {option} reaches the goal?", "denial"),
    Question("CQ3", "side_effect", "Is {option} free of harmful side effects here?", "side effect"),
    Question("CQ4", "other_goal", "Does {option} leave other goals unharmed?", "danger"),
    Question("CQ5", "alternative", "Is {option} a better answer than the others?", "decision"),
)
BELIEF_QUESTIONS = (
    Question("CQ1", "real", "Is what {id} says real, true of this case?", "rebuttal"),
    Question("CQ2", "weight", "Does it outweigh what it attacks?", "rebuttal"),
)


class Verdict(msgspec.Struct, frozen=True):
    """The Verifier's answer to one critical question."""

    # The verdict comes first: small models asked for the reason first repeat one for all questions.

    verdict: Literal["accept", "reject"]
    reason: Premise


class Stated(msgspec.Struct, frozen=True, omit_defaults=True):
    """An argument as the Generator stated it, in its scheme.

    Attributes:
        option: What a decision argues for; "" for a belief.
        about: The decision that it is about, for templates: its own, or the one under attack.
        responds_to: Id of the argument it answers; "" for the opening.
        via_cq: The critical question whose rejection it answers.
    """

    id: str
    kind: Literal["decision", "belief"]
    scheme: Literal["ASDM", "ASSE", "ASDA"]
    premises: dict[str, str]
    text: str
    option: str = ""
    about: str = ""
    responds_to: str = ""
    via_cq: str = ""


class Move(msgspec.Struct, frozen=True, omit_defaults=True):
    """A move s_i: <generator, argument> or <verifier, cq, verdict, reason>."""

    role: Literal["generator", "verifier"]
    argument: str
    cq: str = ""
    verdict: str = ""
    reason: str = ""


class Rejection(msgspec.Struct, frozen=True):
    """A critical question that an argument failed, why, and the calls that said so."""

    argument: Stated
    question: Question
    reason: str
    sources: tuple[int, ...] = ()


class Dialogue(msgspec.Struct):
    """D: what was said so far.

    Attributes:
        supports: Further arguments for an option: id of the argument they merged into.
        attacks: As they were made, by Definition 1.
        bound: What ended it: "no open argument", "exchanges", "decisions"; "" while it goes on.
        left: Rejections that a limit left unanswered.
    """

    arguments: list[Stated] = []
    supports: list[tuple[str, Stated]] = []
    attacks: list[Attack] = []
    moves: list[Move] = []
    exchanges: int = 0
    bound: str = ""
    left: int = 0

    @property
    def options(self) -> list[str]:
        """Options argued for, in order."""
        return [a.option for a in self.arguments if a.option]
