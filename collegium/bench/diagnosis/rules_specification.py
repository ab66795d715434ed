"""Modes 1.3, 1.4 and 1.5: repetition, lost history, no end."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from collegium.bench.diagnosis.facts import Facts, Lack, in_request
from collegium.bench.diagnosis.findings import Finding, quote
from collegium.bench.diagnosis.phrases import DONE, ENDS, FAILS, name_words
from collegium.bench.diagnosis.text import (
    FEWEST_WORDS,
    Said,
    Sayings,
    answer_in,
    said,
    same_answer,
    words,
)
from collegium.bench.diagnosis.view import Turn, Use, View

LONG_RESULT = 40
"""Characters from which the same result of a move says that nothing moved."""

_END_FILLERS = frozenset(("task", "answer", "run", "it"))


def repeated_calls(view: View) -> Iterator[Finding]:
    """1.3: an agent's same tool with the same arguments gives the same result again.

    No repetition: a changed result (polling); a call after something that may have changed what it
    reads (a test after an edit); moves in a world, unless the same long observation or the same
    error comes back; the kernel's own second attempt at a failed call.
    """
    last: dict[tuple[str, str, str], list[Use]] = {}
    changed: dict[tuple[str, str, str], int] = {}
    change = -1
    for use in view.uses:
        key = (use.agent, use.tool, use.arguments)
        before = last.get(key)
        same = before is not None and before[-1].result == use.result
        moved = use.acts and not use.failed and len(use.result) < LONG_RESULT
        # a call is not what changes its own ground: its earlier twin does not count as a change
        stale = before is not None and changed.get(key, -1) == change
        if use.retry:
            continue
        if before is not None and same and stale and not moved:
            before.append(use)
        else:
            if before is not None:
                yield from _calls_finding(before)
            last[key] = [use]
        if use.may_change and not (same and stale):
            change = use.id
        changed[key] = change
    for group in last.values():
        yield from _calls_finding(group)


def _calls_finding(group: list[Use]) -> Iterator[Finding]:
    if len(group) < 2:
        return
    use = group[0]
    what = "fails in the same way" if use.failed else "gives the same result"
    yield Finding(
        code="1.3",
        calls=tuple(u.id for u in group),
        evidence=quote(f"{use.tool} {use.arguments} -> {use.result}"),
        says=f"{use.agent} calls {use.tool} {len(group)} times with the same arguments; it {what}.",
        rule="repeated call",
        confidence=0.9,
    )


def repeated_messages(
    view: View, said_again: Mapping[str, Sequence[tuple[Turn, Turn]]]
) -> Iterator[Finding]:
    """1.3: an agent says what it said before, though it has its earlier words before it.

    No repetition: samples of one prompt, the repair of a form, and what an agent says to something
    that it does not know it said before. A debater who stands by an answer that its peers share
    confirms it; one who stands by it against theirs is a matter of mode 2.5.
    """
    for agent, pairs in said_again.items():
        groups: list[list[Turn]] = []
        group_of: dict[int, list[Turn]] = {}
        for turn, earlier in pairs:
            if turn.answer and any(answer_heard(view, h.call, h.text) for h in turn.heard):
                continue
            group = group_of.get(earlier.id)
            if group is None:
                group = group_of[earlier.id] = [earlier]
                groups.append(group)
            group.append(turn)
            group_of[turn.id] = group
        for group in groups:
            yield Finding(
                code="1.3",
                calls=tuple(t.id for t in group),
                evidence=quote(group[0].text),
                says=f"{agent} gives the same reply {len(group)} times, its earlier ones in view.",
                rule="repeated message",
                confidence=0.85,
            )
    yield from _repeated_sends(view)


def restated(turns: tuple[Turn, ...]) -> Iterator[tuple[Turn, Turn]]:
    """Turns of one agent that say what an earlier one said, each with that earlier one."""
    prepared = [(t, said(t.text)) for t in turns if t.call.n == 1]
    sayings = Sayings(s for _, s in prepared if s is not None)
    by_id: dict[int, Turn] = {}
    for turn, text in prepared:
        if text is None:
            continue
        earlier = _visible(turn, text, sayings, by_id)
        sayings.add(turn.id, text)
        by_id[turn.id] = turn
        if earlier is not None:
            yield turn, earlier


def _visible(turn: Turn, text: Said, sayings: Sayings, by_id: dict[int, Turn]) -> Turn | None:
    number = sayings.earlier(text)
    if number is None:
        return None
    earlier = by_id[number]
    cited = {earlier.id, earlier.repaired} & set(turn.call.sources)
    if earlier.call.messages == turn.call.messages:
        return None
    if turn.answer and earlier.answer and not same_answer(turn.answer, earlier.answer):
        return None
    return earlier if cited or turn.reads(earlier.text) else None


def answer_heard(view: View, call: int, text: str) -> str:
    """The answer that a message from another agent states."""
    turn = view.by_id.get(call)
    return turn.answer if turn is not None else answer_in(text)


def _repeated_sends(view: View) -> Iterator[Finding]:
    own: defaultdict[str, set[str]] = defaultdict(set)
    for turn in view.turns:
        own[turn.agent].update(turn.texts)
    sent: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for event, send in view.sent:
        # what a reply said is judged as a reply, not once more as its delivery
        if send.text not in own[send.agent] and len(words(send.text)) >= FEWEST_WORDS:
            sent[send.agent, send.to, " ".join(send.text.split())].append(event)
    for (agent, to, text), events in sent.items():
        if len(events) > 1:
            yield Finding(
                code="1.3",
                calls=tuple(events),
                evidence=quote(text),
                says=f"{agent} sends {to} the same message {len(events)} times.",
                rule="repeated message",
                confidence=0.85,
            )


def lost_history(view: View, missing: list[Lack], facts: Facts | None) -> Iterator[Finding]:
    """1.4: an agent lacks, or asks the user again for, what it had been told before."""
    for lack in missing if facts is not None else ():
        turn = lack.turn
        told = (f for f in facts.about(lack.wanted) if f.agent == turn.agent and f.told)  # type: ignore[union-attr]
        for fact in told:
            if fact.call < turn.id and not in_request(turn, fact):
                yield Finding(
                    code="1.4",
                    calls=(fact.call, turn.id),
                    evidence=quote(fact.text, lack.text),
                    says=f"{turn.agent} was told this, and later says that it lacks it.",
                    rule="lost fact",
                    confidence=0.75,
                )
                break
    asked: dict[tuple[str, str], int] = {}
    for question in view.questions:
        key = (question.agent, " ".join(words(question.question)))
        if key in asked:
            yield Finding(
                code="1.4",
                calls=(asked[key], question.id),
                evidence=quote(question.question),
                says=f"{question.agent} asks the user what the user has answered already.",
                rule="question asked again",
                confidence=0.9,
            )
        if question.answer:
            asked.setdefault(key, question.id)


def unaware_of_end(view: View) -> Iterator[Finding]:
    """1.5: an agent says that it is done, hears nothing new, and goes on."""
    answered: defaultdict[str, list[int]] = defaultdict(list)
    for question in view.questions:
        answered[question.agent].append(question.id)
    refused: defaultdict[str, list[int]] = defaultdict(list)
    for use in view.uses:
        if ends(use.tool) and (use.failed or FAILS.search(use.result)):
            refused[use.agent].append(use.id)
    for agent, turns in view.by_agent.items():
        known: set[str] = set()
        done: Turn | None = None
        after: list[Turn] = []
        for turn in turns:
            news = bool(turn.heard) or turn.asked not in known
            news = news or bool(
                done and bisect(answered[agent], turn.id) > bisect(answered[agent], done.id)
            )
            known.add(turn.asked)
            if done is not None and news:
                yield from _went_on(done, after)
                done, after = None, []
            if done is None:
                done = turn if _ended(turn, refused) else None
            else:
                after.append(turn)
        if done is not None:
            yield from _went_on(done, after)


def _ended(turn: Turn, refused: Mapping[str, Sequence[int]]) -> bool:
    """Whether a turn declares the end, and no refusal of it came back."""
    if not turn.tool_calls:
        return turn.call.n == 1 and DONE.search(turn.text) is not None
    ids = refused.get(turn.agent, ())
    return any(ends(c.name) for c in turn.tool_calls) and bisect(ids, turn.id) == len(ids)


def ends(tool: str) -> bool:
    """Whether a tool's name says that it ends the work."""
    parts = name_words(tool)
    return bool(parts & ENDS) and parts <= ENDS | _END_FILLERS


def _went_on(done: Turn, after: list[Turn]) -> Iterator[Finding]:
    if after:
        match = DONE.search(done.text)
        said_so = match[0] if match else ", ".join(c.name for c in done.tool_calls)
        yield Finding(
            code="1.5",
            calls=(done.id, *(t.id for t in after)),
            evidence=quote(said_so, after[0].text),
            says=f"{done.agent} says that it is done, and goes on for {len(after)} more "
            f"turn{'s' * (len(after) > 1)}.",
            rule="went on when done",
            confidence=0.8,
        )


def lost_right_answer(
    view: View, reference: str, same: Callable[[str, str], bool] = same_answer
) -> Iterator[Finding]:
    """1.5: all agents had the right answer, the run went on, and ended wrong.

    Args:
        view: The trace of a run whose answer was wrong.
        reference: The right answer.
        same: Says whether two answers are the same.
    """
    stating = {t.agent for t in view.turns if t.answer and not t.fix}
    latest: dict[str, int] = {}
    wrong: set[str] = set()
    agreed: tuple[int, ...] = ()
    for turn in view.turns:
        if turn.fix or not turn.answer or turn.call.n > 1:
            continue
        right = same(turn.answer, reference)
        if agreed and not right:
            yield Finding(
                code="1.5",
                calls=(*agreed, turn.id),
                evidence=quote(f"right: {reference}", f"then: {turn.answer}"),
                says="The right answer stood, the run went on, and ended with a wrong one.",
                rule="right answer lost",
                confidence=0.9,
            )
            return
        latest[turn.agent] = turn.id
        (wrong.discard if right else wrong.add)(turn.agent)
        if not wrong and len(latest) == len(stating):
            agreed = tuple(sorted(latest.values()))
