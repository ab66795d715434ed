"""ArgMed-Agents: one model argues with itself, a solver decides (arXiv 2403.06294, BIBM 2024).

Notation of the paper (sections II and III): D dialogue, s_i its i-th move, ASDM, ASSE and ASDA the
argumentation schemes (decision making, side effect, danger appeal), CQ their critical questions,
AF = <A, R> with A = Args_d ∪ Args_b, decision and belief arguments; E an explanation set.

1. The Generator opens with an ASDM argument. 2. The Verifier answers the critical questions of an
argument's scheme. 3. Every rejection goes back to the Generator, which must answer with one
argument in the scheme that the question opens; it attacks the rejected one (Definition 1) and is
verified in turn. 4. The dialogue ends when no rejection is open, or at one of two limits. 5. The
Reasoner builds the framework (Definitions 2 and 3) and solves it: no model call. 6. A decision is
optional if it is in a preferred set; no optional decision means no answer: the system abstains.

The Verifier answers all questions of one argument in one typed list, so an exchange (an argument
and its verification) costs two generations. Question by question it would cost up to six, each
reading the case anew: eight exchanges would be out of reach of 4,000 tokens a question, and with an
abstract to read even two would. The list keeps the method: each question is asked and answered by
itself, with a reason. Rejections are taken up in the order of the questions, one at a time; the
thread that a counter-argument opens is finished before the next rejection.

Paper vs code vs ours
---------------------
* There is no official code. The wording of the critical questions stands in a figure that could not
  be read: the questions are ours, each put so that "yes" accepts.
* What ASDM-CQ1 and CQ2 (facts, evidence) open is not stated: a belief that denies the premise, for
  the answer must attack (Definition 1). A rejected belief is answered by a belief that denies it,
  or by a decision.
* The limit 8 is read as exchanges. Which bound ended a dialogue is in ``notes["bound"]``.
* With several optional decisions and an answer by letter, one model call restricted to them
  chooses; elsewhere it is the one proposed first. All stay in the notes.
* R ⊆ Args_d x Args_b of the paper is a slip, for its own examples let beliefs attack decisions.
  Here R ⊆ A x A, with attacks of decisions on beliefs deleted and logged.
* Labels are taken over all preferred sets: a rival that survives in some is undecided.
* A decision for an option that is there already is kept as support of it and not verified again.
* An argument is read as a typed output; one that cannot be read twice, or names an option that is
  not there, is an error that names role and move, and of no other question than this.
* The paper's few-shot role prompts are not public. Here roles get instructions and no examples:
  small models copied an example's content into their own arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from collegium.agents.argumentation import clingo
from collegium.errors import BadInput
from collegium.kernel import Kernel, Reply, Worked
from collegium.systems.argmed.moves import BadMove, propose, read, verify
from collegium.systems.argmed.schemes import Dialogue, Rejection
from collegium.systems.argmed.showing import conclude, foretell
from collegium.systems.system import Result, system
from collegium.tasks.task import Task

__all__ = ["BadMove", "argmed", "foretell"]

PROFILE = "You reason about clinical decisions, carefully and in few words."


def needs(task: Task) -> str:
    """A question with options, or one that is answered in words."""
    fine = task.answer == "text" or (task.answer == "choice" and bool(task.choices))
    return "" if fine else "a question with options, or one that is answered in words"


@system("argmed", paper="argmed", needs=needs)
async def argmed(
    task: Task,
    kernel: Kernel,
    *,
    exchanges: int = 8,
    decisions: int = 4,
    temperature: float = 0.0,
    max_tokens: int = 384,
) -> Result:
    """Argue about a decision, let a solver find what survives, and abstain when nothing does.

    Args:
        task: A question with options, or one answered in words (a free decision).
        kernel: Runs the calls.
        exchanges: Most arguments with their verification.
        decisions: Most different decisions.
        temperature: Sampling temperature of every role.
        max_tokens: Cap per generation.

    Returns:
        The optional decision, or None when there is none. ``notes`` hold the decisions, sets,
        labels, attacks and moves; ``files`` the graph as a picture and as data.

    Raises:
        BadInput: A limit is below 1.
        MissingExtra: The solver is not installed.
        BadMove: A move could not be read twice, or names an option that is not there.
    """
    if exchanges < 1 or decisions < 1:
        raise BadInput(
            f"argmed needs exchanges >= 1 and decisions >= 1, not {exchanges} and {decisions}."
        )
    clingo()  # without it the whole dialogue would be for nothing
    profile = f"{PROFILE} {task.rules}".strip()
    generator = kernel.agent("generator", profile=profile)
    verifier = kernel.agent("verifier", profile=profile)
    settings = {"temperature": temperature, "max_tokens": max_tokens}
    dialogue = Dialogue()
    replies: list[Reply[Any]] = []
    waiting: list[Rejection] = []  # the innermost thread's next rejection is the last
    rejection: Rejection | None = None
    result = Result(None)
    while not dialogue.bound:
        dialogue.exchanges += 1
        reply, stated = await propose(generator, task, dialogue, rejection, settings)
        replies.append(reply)
        if rejection is None:
            kernel.keep(conclude(task, dialogue, replies))
        if stated is not None:
            await generator.send(verifier, stated.text, sources=[reply.call])
            rejected = await verify(verifier, task, dialogue, stated, settings)
            waiting += reversed(rejected)
        dialogue.bound, dialogue.left = _ended(dialogue, waiting, exchanges, decisions)
        result = conclude(task, dialogue, replies)
        kernel.keep(result)
        if not dialogue.bound:
            rejection = waiting.pop()
            await verifier.send(generator, rejection.reason, sources=rejection.sources)
    if len(result.notes["optional"]) > 1 and task.answer == "choice":
        chosen = await decide(task, kernel, result, settings)
        result = conclude(task, dialogue, replies, chosen)
    return result


def _ended(
    dialogue: Dialogue, waiting: Sequence[Rejection], exchanges: int, decisions: int
) -> tuple[str, int]:
    """Which bound ends the dialogue now ("" for none), and what it leaves unanswered."""
    if not waiting:
        return "no open argument", 0
    if len(dialogue.options) >= decisions:
        return "decisions", len(waiting)
    if dialogue.exchanges >= exchanges:
        return "exchanges", len(waiting)
    return "", 0


async def decide(
    task: Task, kernel: Kernel, result: Result, settings: dict[str, Any]
) -> tuple[Reply[Any], str]:
    """Choose among the optional decisions: one model call that sees them and what they rest on.

    Raises:
        BadMove: It names none of them.
    """
    tied: tuple[str, ...] = tuple(result.notes["optional"])
    said = [a["text"] for a in result.notes["arguments"] if a.get("option") in tied]
    decider = kernel.agent("decider", profile=f"{PROFILE} {task.rules}".strip())
    prompt = "\n\n".join(
        [
            task.text,
            *said,
            f"These arguments all stand. Which of {', '.join(tied)} is best? Write one or two "
            "short steps, then a last line 'Answer: ' and its letter.",
        ]
    )
    sources = [r.call for r in result.candidates]
    reply = await decider.ask(prompt, output=Worked[Literal[tied]], sources=sources, **settings)
    return reply, read(reply, decider, "choice among the optional decisions").answer
