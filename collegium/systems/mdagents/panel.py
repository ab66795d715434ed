"""The multidisciplinary team (MDT) of the system "mdagents": a panel that talks, step 3b.

Opinions, a summary, the test for consensus, turns in which experts write to each other, the
moderator's review, and updated opinions, round after round until the panel agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from collegium.agents import answer_of, closing, worked_type
from collegium.kernel import Agent, Mail, Reply, Unparsed, gather
from collegium.systems.mdagents.case import (
    NOTE_TOKENS,
    Case,
    Finding,
    agreed,
    in_time,
    listing,
    majority_answer,
    plain_answer,
    shown,
    wording,
)
from collegium.systems.mdagents.recruiting import Panel, experts_as_data, recruit

MESSAGE_TOKENS = 64
"""Room for one message, and for one critique."""

Said = dict[int, dict[int, str]]
"""The messages of a turn: text by speaker and addressee, numbers from 1."""


@lru_cache(maxsize=64)
def talk_type(speaker: int, experts: int) -> Any:
    """Whether an expert wants to talk, and at most one message to each of the others by number."""
    others = [k for k in range(1, experts + 1) if k != speaker]
    addressee = Annotated[int, msgspec.Meta(extra_json_schema={"enum": others})]
    message = msgspec.defstruct("Message", [("to", addressee), ("text", wording(200))])
    messages = listing(message, len(others))
    return msgspec.defstruct("Talk", [("talk", bool), ("messages", messages, [])], frozen=True)


@lru_cache(maxsize=32)
def review_type(experts: int) -> Any:
    """One critique per expert, in order."""
    critiques = listing(wording(200, least=20), experts, least=experts)
    return msgspec.defstruct("Review", [("critiques", critiques)], frozen=True)


class Round(msgspec.Struct, frozen=True):
    """One round of the panel: log, report and critiques belong to its opinions.

    Attributes:
        opinions: The experts' replies.
        answers: Their answers.
        report: The summary: key knowledge and total analysis.
        turns: What was said in each turn.
        critiques: The moderator's, one per expert; empty without a review.
        ignored: Messages to nobody, to oneself, or a second one to the same expert.
        unreadable: Replies other than opinions that could not be read.
        calls: Trace ids of report, messages and review.
    """

    opinions: tuple[Reply[Any], ...]
    answers: tuple[Any, ...]
    report: str = ""
    turns: tuple[Said, ...] = ()
    critiques: tuple[str, ...] = ()
    ignored: int = 0
    unreadable: int = 0
    calls: tuple[int, ...] = ()


async def multidisciplinary_team(
    case: Case,
    moderator: Agent,
    *,
    experts: int,
    rounds: int,
    turns: int,
    review: bool,
    keep: Callable[[Finding], None],
) -> Finding:
    """Let a panel of specialists come to an answer.

    Args:
        case: The case.
        moderator: The general practitioner who reviews opinions.
        experts: N, the experts to recruit.
        rounds: R, the most rounds of discussion.
        turns: T, the most turns of messages in a round.
        review: Whether the moderator reviews the opinions of a round without consensus.
        keep: Told of every state that has an answer.
    """
    panel = await recruit(case, experts)
    seats = [case.staff(f"expert-{k}", "expert") for k in range(1, len(panel.experts) + 1)]
    summariser = case.staff("summariser")
    done: list[Round] = []
    replies = await gather(*(first_opinion(case, panel, s) for s in seats))
    for _ in range(rounds):
        now = Round(tuple(replies), tuple(answer_of(r) for r in replies))
        keep(finding(case, panel, [*done, now]))
        summary = await summarise(case, panel, now, summariser)
        now = msgspec.structs.replace(now, report=summary.text, calls=(summary.call,))
        if agreed(case.task, now.answers):
            done.append(now)
            break
        now, heard = await converse(case, panel, seats, now, turns)
        if review:
            now = await review_opinions(case, panel, seats, now, moderator)
        done.append(now)
        replies = await gather(
            *(update(case, panel, s, now, heard[k]) for k, s in enumerate(seats, 1))
        )
    else:
        done.append(Round(tuple(replies), tuple(answer_of(r) for r in replies)))
    found = finding(case, panel, done)
    keep(found)
    return found


async def first_opinion(case: Case, panel: Panel, seat: Agent) -> Reply[Any]:
    """(i) An expert's own answer with its reason."""
    return await seat.ask(
        f"{case.task.text}\n\nYou are {identity(panel, seat)}. Answer from your specialty, "
        f"in at most 3 steps. {closing(case.task)}",
        output=worked_type(case.task),
        temperature=case.temperature,
        max_tokens=case.max_tokens,
        images=case.images,
    )


async def summarise(case: Case, panel: Panel, now: Round, summariser: Agent) -> Reply[str]:
    """(ii) The report of a round: key knowledge, then total analysis."""
    return await summariser.ask(
        f"{case.task.text}\n\n{opinions_block(panel, now)}\n\n"
        "You keep the minutes and have no opinion. Which medical facts did the experts use? Write "
        "them after 'Key knowledge:' in one or two sentences. On what do the experts agree, and "
        "where do they differ? Write that after 'Total analysis:' in one or two sentences.",
        temperature=case.temperature,
        max_tokens=NOTE_TOKENS,
        images=case.images,
        sources=[r.call for r in now.opinions],
    )


async def converse(
    case: Case, panel: Panel, seats: Sequence[Agent], now: Round, turns: int
) -> tuple[Round, dict[int, tuple[Mail, ...]]]:
    """The turns of a round: who wants to, writes to whom it wants; a silent turn ends them.

    All experts of a turn are asked side by side; a message is read before the next thing its
    addressee writes.

    Args:
        case: The case.
        panel: The panel.
        seats: Its agents, in order.
        now: The round, with its report.
        turns: T.

    Returns:
        The round with its messages, and what each expert heard in it.
    """
    heard: dict[int, tuple[Mail, ...]] = dict.fromkeys(range(1, len(seats) + 1), ())
    said: list[Said] = []
    calls: list[int] = []
    ignored = unreadable = 0
    for _ in range(turns if len(seats) > 1 else 0):
        talks = await gather(
            *(ask_to_talk(case, panel, s, now, heard[k]) for k, s in enumerate(seats, 1))
        )
        turn: Said = {}
        for k, reply in enumerate(talks, 1):
            turn[k], wrong = addressed(reply.data, k, len(seats))
            ignored += wrong
            unreadable += isinstance(reply.data, Unparsed)
        said.append(turn)
        if not any(turn.values()):
            break
        for k, reply in enumerate(talks, 1):
            calls += [reply.call] * bool(turn[k])
            for target, text in turn[k].items():
                await seats[k - 1].send(seats[target - 1], text, sources=[reply.call])
        for k, seat in enumerate(seats, 1):
            heard[k] = (*heard[k], *in_time(await seat.receive()))
    changed = msgspec.structs.replace(
        now,
        turns=tuple(said),
        ignored=ignored,
        unreadable=now.unreadable + unreadable,
        calls=(*now.calls, *calls),
    )
    return changed, heard


async def ask_to_talk(
    case: Case, panel: Panel, seat: Agent, now: Round, heard: Sequence[Mail]
) -> Reply[Any]:
    """Ask an expert whether it wants to talk, to whom, and for a message to each."""
    k = number(seat)
    others = len(panel.experts) - 1
    return await seat.ask(
        f"{report_block(case, panel, now)}\n\n{heard_block(panel, heard)}"
        f"You are {identity(panel, seat)}, expert {k}; your answer is {shown(now.answers[k - 1])}. "
        "Do you have a correction, a fact or a question for another expert? If not, talk is false "
        "and there are no messages. If so, talk is true: write one short sentence to each expert "
        "that needs it, with that expert's number in 'to'. Do not repeat the question.",
        output=talk_type(k, others + 1),
        temperature=case.temperature,
        max_tokens=MESSAGE_TOKENS * (others + 1),
        images=case.images,
        sources=[now.calls[0], now.opinions[k - 1].call, *(m.call for m in heard)],
    )


def addressed(talk: Any, speaker: int, experts: int) -> tuple[dict[int, str], int]:
    """The messages of a talk that reach somebody, and how many do not.

    Args:
        talk: What the expert wants; what could not be read is silence.
        speaker: Its number: nobody writes to oneself.
        experts: N: there is nobody outside 1..N.
    """
    if isinstance(talk, Unparsed) or not talk.talk:
        return {}, 0
    reached: dict[int, str] = {}
    for message in talk.messages:
        if 1 <= message.to <= experts and message.to != speaker and message.text.strip():
            reached.setdefault(message.to, message.text.strip())
    return dict(sorted(reached.items())), len(talk.messages) - len(reached)


async def review_opinions(
    case: Case, panel: Panel, seats: Sequence[Agent], now: Round, moderator: Agent
) -> Round:
    """(iii) The moderator's review: one critique per expert, sent to it."""
    reply = await moderator.ask(
        f"{case.task.text}\n\n{opinions_block(panel, now)}\n\n"
        "You are a general practitioner and moderate this panel, which does not agree. Review "
        f"its opinions in {len(seats)} critiques: one whole sentence for each expert, in this "
        "order, that says which medical fact in the opinion is wrong, missing or unsupported.",
        output=review_type(len(seats)),
        temperature=case.temperature,
        max_tokens=MESSAGE_TOKENS * (len(seats) + 1),
        images=case.images,
        sources=[r.call for r in now.opinions],
    )
    if reply.data is None or isinstance(reply.data, Unparsed):
        return msgspec.structs.replace(now, unreadable=now.unreadable + 1)
    critiques = tuple(reply.data.critiques[: len(seats)])
    for seat, critique in zip(seats, critiques, strict=False):
        await moderator.send(seat, critique, sources=[reply.call])
    return msgspec.structs.replace(now, critiques=critiques, calls=(*now.calls, reply.call))


async def update(
    case: Case, panel: Panel, seat: Agent, now: Round, heard: Sequence[Mail]
) -> Reply[Any]:
    """An expert's updated answer, from the report, its messages and the moderator's critique."""
    own = now.opinions[number(seat) - 1]
    mail = (*heard, *in_time(await seat.receive()))
    return await seat.ask(
        f"{report_block(case, panel, now)}\n\n{heard_block(panel, mail)}"
        f"You are {identity(panel, seat)}, expert {number(seat)}. Your last opinion was:\n"
        f"{own.text}\n\nWeigh all this and answer the question again, in at most 3 steps. "
        f"{closing(case.task)}",
        output=worked_type(case.task),
        temperature=case.temperature,
        max_tokens=case.max_tokens,
        images=case.images,
        sources=[now.calls[0], own.call, *(m.call for m in mail)],
    )


def number(seat: Agent) -> int:
    """The number of an expert's agent."""
    return int(seat.name.rpartition("-")[2])


def identity(panel: Panel, seat: Agent) -> str:
    """Who an expert is."""
    expert = panel.experts[number(seat) - 1]
    return f"a medical expert, {expert.role} ({expert.expertise})"


def opinions_block(panel: Panel, now: Round) -> str:
    """The opinions of a round as the summariser, the moderator and the decision maker read them."""
    said = [
        f"Expert {k}, {e.role}:\n{o.text}"
        for k, (e, o) in enumerate(zip(panel.experts, now.opinions, strict=True), 1)
    ]
    return "\n\n".join(["Opinions of the panel", *said])


def report_block(case: Case, panel: Panel, now: Round) -> str:
    """What all experts of a round read: the question, the panel and the report."""
    return f"{case.task.text}\n\n{panel.roster}\n\nReport on their opinions:\n{now.report}"


def heard_block(panel: Panel, heard: Sequence[Mail]) -> str:
    """The messages to one agent, in order; nothing when there are none."""
    names = {f"expert-{k}": f"expert {k}, {e.role}" for k, e in enumerate(panel.experts, 1)}
    return "".join(
        f"Message to you from {names.get(m.sender, m.sender)}: {m.text}\n\n" for m in heard
    )


def finding(case: Case, panel: Panel, done: Sequence[Round]) -> Finding:
    """All that the panel has to show: the whole interaction history and its last opinions."""
    last = done[-1]
    history = [
        part for r, now in enumerate(done, 1) for part in history_of(r, now) if now is not last
    ]
    if last.report:
        history.append(f"Report on the last opinions:\n{last.report}")
    consensus = agreed(case.task, last.answers)
    answers = [[plain_answer(a) for a in now.answers] for now in done]
    return Finding(
        "\n\n".join([panel.roster, *history, opinions_block(panel, last)]),
        majority_answer(case.task, last.answers),
        last.opinions,
        {
            "experts": experts_as_data(panel),
            "warnings": list(panel.warnings),
            "opinions": answers,
            "summaries": [now.report for now in done if now.report],
            "log": {str(r): log_of(now) for r, now in enumerate(done, 1) if now.turns},
            "reviews": {
                str(r): list(now.critiques) for r, now in enumerate(done, 1) if now.critiques
            },
            "consensus": consensus,
            "rounds": len(done),
            "abstentions": sum(a is None for row in answers for a in row),
            "ignored_messages": sum(now.ignored for now in done),
            "unreadable": sum(now.unreadable for now in done),
        },
        (
            f"Panel (MDT): {'; '.join(line_of(panel, k) for k in range(len(panel.experts)))}.",
            *(f"Note: {w}." for w in panel.warnings),
            *(account_of(r, now) for r, now in enumerate(done, 1)),
            "The panel agreed." if consensus else "The panel did not agree.",
        ),
        (*(c for now in done for c in now.calls), *(o.call for o in last.opinions)),
    )


def log_of(now: Round) -> dict[str, dict[str, dict[str, str | None]]]:
    """The messages of a round as [turn][from][to]: a text, or None where nothing was said."""
    experts = range(1, len(now.opinions) + 1)
    return {
        str(t): {str(k): {str(to): turn[k].get(to) for to in experts if to != k} for k in experts}
        for t, turn in enumerate(now.turns, 1)
    }


def history_of(number: int, now: Round) -> list[str]:
    """A past round as the decision maker reads it."""
    answers = ", ".join(f"{k}: {shown(a)}" for k, a in enumerate(now.answers, 1))
    said = [
        f"Expert {k} to expert {to}: {text}"
        for turn in now.turns
        for k, messages in turn.items()
        for to, text in messages.items()
    ]
    said += [f"Moderator to expert {k}: {text}" for k, text in enumerate(now.critiques, 1)]
    return [f"Round {number}. Answers of the experts: {answers}\n{now.report}", *said]


def line_of(panel: Panel, index: int) -> str:
    """An expert in the account."""
    expert = experts_as_data(panel)[index]
    return f"{index + 1}. {expert['role']}, {expert['hierarchy']}"


def account_of(number: int, now: Round) -> str:
    """A round for a reader."""
    messages = sum(len(m) for turn in now.turns for m in turn.values())
    parts = [f"Round {number}: answers {', '.join(map(shown, now.answers))}"]
    if now.turns:
        parts.append(f"{counted(messages, 'message')} in {counted(len(now.turns), 'turn')}")
    if now.critiques:
        parts.append(f"{counted(len(now.critiques), 'critique')} by the moderator")
    return "; ".join(parts) + "."


def counted(number: int, what: str) -> str:
    """A number of things: "1 turn", "2 turns"."""
    return f"{number} {what}{'s' * (number != 1)}"
