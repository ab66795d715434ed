"""MDAgents: a team as large as a medical question needs (arXiv 2404.15155, NeurIPS 2024).

A moderator in the role of a general practitioner judges the complexity of the question (step 1).
Low: one primary care clinician answers (PCC, 3a). Moderate: a recruiter names a panel of experts
(2) that gives opinions, talks and is reviewed by the moderator until it agrees (MDT, 3b). High:
teams work in a chain from an initial assessment to a final review (ICT, 3c). A decision maker
reads what the structure produced and answers, by majority over several temperatures (4).

Generations, repairs aside: low 2 (check, answer); moderate 1 + 1 + N + 1 + 1 when N experts agree
at once (check, recruitment, opinions, summary, decision); every round without consensus costs N
for each turn of talk, 1 for the review and N for the updated answers, and the next round's
summary; high 1 + 1 + G*(M + 1) + 1 with G teams of M clinicians. The ensemble adds one answer for
each temperature after the first; a fixed complexity saves the check.

Paper vs code vs ours
---------------------
* Opinions: the code stores them for the first round only, so later rounds debate an empty report.
  Here every round's report is made from that round's opinions.
* Silence: in the code a first round in which nobody talks leaves the final answer empty. Here a
  silent turn ends the talk; review, updated answers and decision follow all the same.
* High complexity: the code computes the final team's report and decides from the initial one.
  The final team has not read any. Here the decision maker is sent all reports, and so is every
  member of every later team.
* Labels: the code looks for a label anywhere in a text ("not basic, rather high" is low there),
  may find none, and then fails. Here the label is typed, asked for once more when it does not fit,
  and moderate then; the notes flag that. What keeps to no form counts if it is one word, a label.
* Every agent of the code first makes a warm-up call; ours make none.
* Typed outputs stand for the paper's lines (label, experts with hierarchy, teams with a lead, yes
  or no, numbers of addressees). An expert says in one reply whether it talks, to whom and what:
  the code asks three times. The moderator writes the critiques of all experts in one reply too,
  and sends each expert its own.
* Consensus: all experts gave the same readable answer; one who cannot be read has not agreed. The
  code has no such test: a silent turn ends everything.
* Turns: all experts of a turn are asked side by side; a message is read before the next thing its
  addressee writes. The order of experts therefore gives nobody the first word.
* Hierarchy: stands in the list of the panel that experts and decision maker read. The code draws it
  as a tree and does not use it further. Models that a grammar binds name colleagues by number.
* The team report ends with the team's answer, as in the code: a run that a limit ends after a team
  has an answer. In a panel it is the majority of the last opinions.
* Sizes: 3 experts are the paper's best; the code has 5 experts, 5 rounds, 5 turns. Here 3 experts,
  2 rounds and 1 turn, and 3 teams of 3: a local model's budget.
* Few-shot: the paper gives the lone clinician 3 solved questions (the code 5, to panels too). A
  system cannot see the other questions of a benchmark, so there are none unless given
  (``exemplars``), or drawn from the examples that come with the medical subjects of MMLU
  (``shots=3``).
* Low: the clinician's answer is the decision, so that a simple question costs two calls; with
  several temperatures the clinician is asked at each.
* Temperatures: the code decides at 0, an ablation compares 0.3 with 1.2. Check, recruitment and,
  by default, decision are at 0; what experts and teams write is sampled at ``temperature``.
* Retrieved passages (MedRAG) are not part of this: there is no corpus to retrieve from.
* Pictures (``image_ref``) go to models that see; the embedded ones do not, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from collegium.agents import answer_of, closing, vote, worked_type
from collegium.agents.voting import Vote
from collegium.errors import BadInput
from collegium.kernel import Agent, Kernel, Reply, Unparsed, gather
from collegium.systems.mdagents.case import Case, Finding, read_image, shown
from collegium.systems.mdagents.exemplars import Exemplar, example_text, mmlu_exemplars
from collegium.systems.mdagents.panel import multidisciplinary_team
from collegium.systems.mdagents.teams import integrated_care_teams
from collegium.systems.system import Result, system
from collegium.tasks.task import Task

Level = Literal["low", "moderate", "high"]
Structure = Literal["PCC", "MDT", "ICT"]

STRUCTURES: dict[Level, Structure] = {"low": "PCC", "moderate": "MDT", "high": "ICT"}

WORDS: dict[str, Level] = {
    "low": "low",
    "moderate": "moderate",
    "high": "high",
    "basic": "low",
    "intermediate": "moderate",
    "advanced": "high",
}
"""The labels of the paper, and the words that the code has for them."""


class Label(msgspec.Struct, frozen=True):
    """The moderator's judgement: the reason first, so that the label follows from it."""

    reason: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 160})]
    complexity: Level


class Triage(msgspec.Struct, frozen=True):
    """The complexity that was settled on.

    Attributes:
        complexity: The label.
        reason: Why.
        flagged: It is the default, for no label could be read.
    """

    complexity: Level
    reason: str
    flagged: bool = False


def needs(task: Task) -> str:
    """Opinions are compared and voted on: programs cannot be."""
    return "a task answered with a letter, a number or words, not code" * (task.answer == "code")


@system(
    "mdagents",
    paper="mdagents",
    cost=lambda p: len(p["temperatures"]) if p["complexity"] == "low" else None,
    needs=needs,
)
async def mdagents(
    task: Task,
    kernel: Kernel,
    *,
    complexity: Literal["adaptive", "low", "moderate", "high"] = "adaptive",
    experts: int = 3,
    rounds: int = 2,
    turns: int = 1,
    teams: int = 3,
    members: int = 3,
    review: bool = True,
    exemplars: tuple[Exemplar, ...] = (),
    shots: int = 0,
    temperatures: tuple[float, ...] = (0.0,),
    temperature: float = 0.7,
    max_tokens: int = 192,
    image_ref: str = "",
) -> Result:
    """Judge how complex a medical question is, then ask one clinician, a panel or a chain of teams.

    Args:
        task: The question; with or without choices.
        kernel: Runs the calls.
        complexity: "adaptive" asks the moderator; a label skips the check.
        experts: N, the experts of a panel.
        rounds: R, the most rounds of discussion.
        turns: T, the most turns of messages in a round.
        teams: How many teams work in a chain, the first and the last included.
        members: Clinicians of a team, its lead included.
        review: Whether the moderator reviews the opinions of a panel that does not agree.
        exemplars: Solved questions for the lone clinician.
        shots: How many more to draw from the examples of MMLU's medical subjects.
        temperatures: The decision is asked for at each; the majority answers.
        temperature: Sampling temperature of experts and teams.
        max_tokens: Cap on a worked answer.
        image_ref: Path of a picture that belongs to the question.

    Returns:
        The decision. ``notes`` hold ``complexity``, ``reason``, ``flagged``, ``structure`` and the
        ``votes`` of the decision maker by answer; of a panel its ``experts``, ``opinions`` by round
        and expert, ``log`` by round, turn, sender and addressee, ``reviews`` and ``consensus``; of
        teams their ``reports``; ``warnings`` of what had to be put right.

    Raises:
        BadInput: The question is empty, a number is out of range, or the picture or the solved
            questions cannot be read.
    """
    check_numbers(task, experts, rounds, turns, teams, members, shots, temperatures)
    case = Case(task, kernel, temperature, max_tokens, read_image(image_ref))
    solved = (*exemplars, *mmlu_exemplars(task, shots, kernel.random))
    moderator = case.staff("moderator")
    if complexity == "adaptive":
        triage = await check_complexity(case, moderator)
    else:
        triage = Triage(complexity, "given by the user")

    if triage.complexity == "low":
        replies = await primary_care(case, solved, temperatures)
        return conclude(task, triage, replies)

    def keep(found: Finding) -> None:
        kernel.keep(conclude(task, triage, (), found))

    decision_maker = case.staff("decision-maker")
    if triage.complexity == "moderate":
        found = await multidisciplinary_team(
            case, moderator, experts=experts, rounds=rounds, turns=turns, review=review, keep=keep
        )
    else:
        found = await integrated_care_teams(
            case, decision_maker, teams=teams, members=members, keep=keep
        )
    replies = await decide(case, decision_maker, found, temperatures)
    return conclude(task, triage, replies, found)


def check_numbers(
    task: Task,
    experts: int,
    rounds: int,
    turns: int,
    teams: int,
    members: int,
    shots: int,
    temperatures: Sequence[float],
) -> None:
    """Refuse what no team can work with, before anything is spent.

    Raises:
        BadInput: The question is empty, or a number is out of range.
    """
    if not task.prompt.strip():
        raise BadInput("mdagents needs a question; the task is empty.")
    least = {
        "experts": (experts, 1),
        "rounds": (rounds, 1),
        "turns": (turns, 1),
        "teams": (teams, 2),  # an initial assessment and a final review
        "members": (members, 1),
        "shots": (shots, 0),
    }
    for name, (value, lowest) in least.items():
        if value < lowest:
            raise BadInput(f"mdagents needs {name} >= {lowest}, not {value}.")
    if not temperatures or min(temperatures) < 0:
        raise BadInput(
            "mdagents needs at least one temperature for the decision, none below 0; "
            f"not {list(temperatures)}."
        )


async def check_complexity(case: Case, moderator: Agent) -> Triage:
    """Step 1: the moderator labels the question; no readable label twice means moderate."""
    reply = await moderator.ask(
        f"{case.task.text}\n\n"
        "You are a general practitioner. Do not answer the question: say who should work on it.\n"
        "low: one clinician can answer it alone; it asks for one fact, or the problem is plain.\n"
        "moderate: experts of several specialties should discuss it; several conditions or "
        "findings must be weighed against each other.\n"
        "high: several teams or departments must work on it in turn; the patient is severely ill, "
        "with many organs or stages of care.\n"
        "Give the reason in at most 15 words, then the complexity: low, moderate or high.",
        output=Label,
        temperature=0.0,
        max_tokens=96,
        images=case.images,
    )
    if isinstance(reply.data, Label):
        return Triage(reply.data.complexity, reply.data.reason.strip())
    label = parse_label(reply.text)
    if label is not None:
        return Triage(label, "the moderator gave no reason")
    return Triage("moderate", "the moderator gave no label that can be read", flagged=True)


def parse_label(text: str) -> Level | None:
    """Read a label that stands alone; None for anything else, "not basic, rather high" included.

    Args:
        text: One word, in any case, with or without quotes and a full stop.
    """
    return WORDS.get(text.strip().strip(".!*`'\"").casefold())


async def primary_care(
    case: Case, exemplars: Sequence[Exemplar], temperatures: Sequence[float]
) -> list[Reply[Any]]:
    """Step 3a (PCC): one clinician answers, after solved questions if there are any."""
    clinician = case.staff("clinician")
    examples = "".join(f"{example_text(e, number)}\n\n" for number, e in enumerate(exemplars, 1))
    prompt = (
        f"{examples}{'Now the question to answer:' if examples else ''}\n\n{case.task.text}\n\n"
        f"You are a primary care clinician. {closing(case.task)}"
    ).strip()
    return await ensemble(case, clinician, prompt, temperatures, ())


async def decide(
    case: Case, decision_maker: Agent, found: Finding, temperatures: Sequence[float]
) -> list[Reply[Any]]:
    """Step 4: the decision maker reads the whole history, or all reports, and answers."""
    prompt = (
        f"{case.task.text}\n\n{found.material}\n\nYou are the decision maker. Weigh all of this, "
        f"and decide. {closing(case.task)}"
    )
    return await ensemble(case, decision_maker, prompt, temperatures, found.sources)


async def ensemble(
    case: Case,
    agent: Agent,
    prompt: str,
    temperatures: Sequence[float],
    sources: Sequence[int],
) -> list[Reply[Any]]:
    """The temperature ensemble: the same question at every temperature."""
    return await gather(
        *(
            agent.ask(
                prompt,
                output=worked_type(case.task),
                temperature=t,
                max_tokens=case.max_tokens,
                images=case.images,
                sources=sources,
            )
            for t in temperatures
        )
    )


def conclude(
    task: Task, triage: Triage, decisions: Sequence[Reply[Any]], found: Finding | None = None
) -> Result:
    """The decision by majority; without a readable one, what the structure itself had come to.

    Args:
        task: The question.
        triage: Its complexity.
        decisions: The decision maker's (or the clinician's) replies; none while others still work.
        found: What the structure produced.
    """
    tally = vote(task, [answer_of(r) for r in decisions])
    undecided = found is not None and tally.cast == 0
    if found is not None and undecided:
        answer = found.answer
    else:
        answer = (
            tally.winner if tally.cast else Unparsed("", "the clinician's answer is unreadable")
        )
    structure = STRUCTURES[triage.complexity]
    notes: dict[str, Any] = {
        "complexity": triage.complexity,
        "reason": triage.reason,
        "flagged": triage.flagged,
        "structure": structure,
        **(found.notes if found else {}),
        "votes": {str(form): count for form, count in tally.groups},
        "cast": tally.cast,
        "decided": not undecided,
    }
    lines = [
        f"Complexity: {triage.complexity} ({triage.reason.rstrip('.')}).",
        *(found.account if found else ["One primary care clinician (PCC) answered."]),
        verdict(
            tally, len(decisions), answer, by="clinician" if found is None else "decision maker"
        ),
    ]
    return Result(
        answer, tuple(decisions) or (found.replies if found else ()), notes, "\n".join(lines)
    )


def verdict(tally: Vote, asked: int, answer: Any, *, by: str) -> str:
    """The last line of the account: how the answer was settled."""
    if tally.cast:
        votes = ", ".join(f"{form} {count}" for form, count in tally.groups)
        return f"The {by}'s votes, one per temperature: {votes}."
    if asked:
        return f"The {by}'s answer could not be read; the answer so far stands: {shown(answer)}."
    return f"The {by} was not reached; the answer so far stands: {shown(answer)}."
