"""Modes 2.1, 2.4, 2.5 and 2.6: what goes wrong between agents, and between word and deed."""

from __future__ import annotations

import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from collegium.bench.diagnosis.facts import Facts, Lack
from collegium.bench.diagnosis.findings import Finding, quote
from collegium.bench.diagnosis.phrases import (
    CLAIMS,
    DISCHARGES,
    DONE,
    INTENT,
    LOOSE_SEARCH,
    OUTPUT_FENCES,
    REFUSED,
    RESET,
    name_words,
)
from collegium.bench.diagnosis.rules_specification import answer_heard
from collegium.bench.diagnosis.text import (
    around,
    content,
    fences,
    has_value,
    same_answer,
)
from collegium.bench.diagnosis.view import Turn, View

_IS_NUMBER = re.compile(
    r"(?: (?:is|was|are|were|equals)| ?[=:])(?: (?:now|only|exactly|about))?"
    r" ?[$€£]?(-?\d[\d,]*(?:\.\d+)?)"
)
_NAMING = re.compile(r"(?:[A-Za-z][\w-]* ){0,5}[A-Za-z][\w-]*$")
"""The words right before: what the number is said of."""

LOOKED_INTO = 8
"""In so many of an agent's next requests a message that it did not fetch is looked for."""

Restated = Mapping[str, Sequence[tuple[Turn, Turn]]]
"""Turns that say again what an earlier one said, with that earlier one, by agent."""


def reset(view: View) -> Iterator[Finding]:
    """2.1: a conversation under way is dropped, and begins again with its own first message.

    No reset: a request that cites the dropped turns, or says that it starts anew; a conversation
    that had come to an answer; one that goes on later, beside the new one.
    """
    for agent, turns in view.by_agent.items():
        goes_on: dict[str, int] = {}
        for turn in turns:
            if replied := _last_reply(turn):
                goes_on[replied] = turn.id
        under_way: dict[str, Turn] = {}
        for turn in turns:
            first = next((m.text for m in turn.call.messages if m.role == "user"), "")
            if _last_reply(turn):
                under_way[first] = turn
                continue
            old = under_way.get(first)
            if old is None or old.answer or DONE.search(old.text) or turn.call.n > 1:
                continue
            declared = any(RESET.search(m.text) for m in turn.call.messages)
            if declared or turn.call.sources or goes_on.get(old.text, -1) > turn.id:
                continue
            del under_way[first]
            yield Finding(
                code="2.1",
                calls=(old.id, turn.id),
                evidence=quote(old.text, first),
                says=f"{agent} had a conversation of {len(old.call.messages) + 1} messages; this "
                f"request is back at {len(turn.call.messages)}.",
                rule="history dropped",
                confidence=0.75,
            )


def _last_reply(turn: Turn) -> str:
    """The newest reply of its own that an agent's request carries."""
    return next((m.text for m in reversed(turn.call.messages) if m.role == "assistant"), "")


def withheld(view: View, missing: list[Lack], facts: Facts | None) -> Iterator[Finding]:
    """2.4: an agent says that it lacks what another one knew and never told it."""
    for lack in missing if facts is not None else ():
        agent = lack.turn.agent
        for fact in facts.about(lack.wanted):  # type: ignore[union-attr]
            own = fact.agent == agent
            if own or fact.call > lack.turn.id or facts.ever_told(agent, fact):  # type: ignore[union-attr]
                continue
            yield Finding(
                code="2.4",
                calls=(fact.call, lack.turn.id),
                evidence=quote(fact.text, lack.text),
                says=f"{fact.agent} knew this; it never reached {agent}, who lacked it.",
                rule="fact not passed on",
                confidence=0.75,
            )
            break


def withheld_answer(view: View, reference: str) -> Iterator[Finding]:
    """2.4: a tool gave the right answer to an agent that wrote to the one who answered wrong.

    Args:
        view: The trace of a run whose answer was wrong.
        reference: The right answer; one of less than two characters stands everywhere by chance.
    """
    if len(reference) < 2 or not view.final:
        return
    last = view.final[-1]
    sent = {(s.agent, s.to) for _, s in view.sent}
    told = any(has_value(m.text, reference) for m in last.call.messages)
    for use in view.uses if not told else ():
        channel = (use.agent, last.agent) in sent
        if channel and use.id < last.id and has_value(use.result, reference):
            yield Finding(
                code="2.4",
                calls=(use.id, last.id),
                evidence=quote(f"{use.tool} -> {use.result}", last.text),
                says=f"{use.agent} had the right answer from {use.tool}; {last.agent}, who "
                "answered, never saw it.",
                rule="answer not passed on",
                confidence=0.75,
            )
            return


def ignored(view: View, said_again: Restated) -> Iterator[Finding]:
    """2.5: what another agent said reached an agent, and left no mark on what it did."""
    yield from _stood_unmoved(view, said_again)
    yield from _contradicted(view)
    yield from _unread(view)


def _stood_unmoved(view: View, said_again: Restated) -> Iterator[Finding]:
    """The same reply word for word although others answered differently, and no word on theirs."""
    for agent, pairs in said_again.items():
        for turn, earlier in pairs:
            if not turn.answer:
                continue
            for heard in turn.heard:
                theirs = answer_heard(view, heard.call, heard.text)
                if not theirs or same_answer(theirs, turn.answer) or theirs in turn.text:
                    continue
                yield Finding(
                    code="2.5",
                    calls=(earlier.id, heard.call, turn.id),
                    evidence=quote(f"{heard.sender}: {theirs}", f"{agent}: {turn.answer}"),
                    says=f"{heard.sender} had answered otherwise; {agent} gives its earlier reply "
                    "again, nearly word for word, without a word on that.",
                    rule="stood unmoved",
                    confidence=0.8,
                )
                break


def _contradicted(view: View) -> Iterator[Finding]:
    """Another agent passed on a value that a tool had given it; this one states another value."""
    by_agent: defaultdict[str, list[str]] = defaultdict(list)
    for use in view.uses:
        by_agent[use.agent].append(use.result)
    results = {agent: "\n".join(found) for agent, found in by_agent.items()}
    for turn in view.turns:
        if turn.fix or not turn.heard:
            continue
        given = [
            (key, value, heard)
            for heard in turn.heard
            if heard.sender in results
            for key, value in _assertions(heard.text).items()
            if has_value(results[heard.sender], value)
        ]
        stated = _assertions(turn.text) if given else {}
        for key, value, heard in given:
            own = stated.get(key, value)
            if own == value or has_value(turn.text, value) or _knew(turn, own, results):
                continue
            yield Finding(
                code="2.5",
                calls=(heard.call, turn.id),
                evidence=quote(
                    around(heard.text, heard.text.find(value)),
                    around(turn.text, turn.text.find(own)),
                ),
                says=f"{heard.sender} passed on {value}; {turn.agent} states {own}, which stands "
                "nowhere in its input.",
                rule="contradicted",
                confidence=0.8,
            )
            break


def _knew(turn: Turn, value: str, results: Mapping[str, str]) -> bool:
    """Whether an agent has a value from its own input or tools."""
    told = any(has_value(m.text, value) for m in turn.call.messages)
    return told or has_value(results.get(turn.agent, ""), value)


def _assertions(text: str) -> dict[frozenset[str], str]:
    """What a text says is which number: the words that name it, and the number as written."""
    found: dict[frozenset[str], str] = {}
    for match in _IS_NUMBER.finditer(text):
        naming = _NAMING.search(text[max(0, match.start() - 80) : match.start()])
        if naming and (key := content(naming[0])):
            found.setdefault(key, match[1])
    return found


def _unread(view: View) -> Iterator[Finding]:
    """A message that its receiver never took out of the mailbox, though it went on working."""
    unread: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for event, send in view.sent:
        turns, looks = view.by_agent.get(send.to, ()), view.received.get(send.to, ())
        if not turns or turns[-1].id < event or bisect(looks, event) < len(looks):
            continue
        after = turns[bisect(turns, event, key=lambda t: t.id) :]
        if not any(event in t.call.sources or t.reads(send.text) for t in after[:LOOKED_INTO]):
            unread[send.to].append((event, send.agent, send.text))
    for agent, messages in unread.items():
        event, sender, text = messages[0]
        number = f", {len(messages)} messages in all" if len(messages) > 1 else ""
        yield Finding(
            code="2.5",
            calls=(*(e for e, _, _ in messages), view.by_agent[agent][-1].id),
            evidence=quote(text),
            says=f"{sender} wrote to {agent}, who went on and never read it{number}.",
            rule="unread message",
            confidence=0.85,
        )


def mismatch(view: View) -> Iterator[Finding]:
    """2.6: the thought names one tool, the call another."""
    names = {u.tool for u in view.uses} | view.offered.keys()
    patterns = {n: re.compile(INTENT.format(name=re.escape(n)), re.IGNORECASE) for n in names}
    for turn in view.turns:
        called = {c.name for c in turn.tool_calls} or _next_uses(view, turn)
        if not called or turn.call.n > 1:
            continue
        meant = {
            name: match
            for name, pattern in patterns.items()
            if (match := pattern.search(turn.text))
            and not REFUSED.search(turn.text, 0, match.start())
        }
        if not meant or called & meant.keys():
            continue
        match = next(iter(meant.values()))
        yield Finding(
            code="2.6",
            calls=(turn.id, *_ids_of(view, turn, called)),
            evidence=quote(around(turn.text, match.start())),
            says=f"{turn.agent} means to use {', '.join(sorted(meant))}, and calls "
            f"{', '.join(sorted(called))}.",
            rule="other tool",
            confidence=0.85,
        )


def _next_uses(view: View, turn: Turn) -> set[str]:
    """Tools that an agent uses between a turn and its next one."""
    return {u.tool for u in _between(view, turn)}


def _ids_of(view: View, turn: Turn, called: set[str]) -> list[int]:
    return [u.id for u in _between(view, turn) if u.tool in called]


def _between(view: View, turn: Turn):
    turns = view.by_agent.get(turn.agent, ())
    place = bisect(turns, turn.id, key=lambda t: t.id)
    end = turns[place].id if place < len(turns) else view.last + 1
    start = bisect(view.uses, turn.id, key=lambda u: u.id)
    stop = bisect(view.uses, end, key=lambda u: u.id)
    return [u for u in view.uses[start:stop] if u.agent == turn.agent]


def ghost_actions(view: View) -> Iterator[Finding]:
    """2.6: a text claims an action, or shows a program's output, that no call of the run made.

    Such "ghost actions" are counted under 2.6: what the agent says of its acts is not what it did.
    """
    first: dict[str, int] = {}
    for use in view.uses:
        first.setdefault(use.tool, use.id)
    if view.sent:
        first.setdefault("send", view.sent[0][0])
    if view.questions:
        first.setdefault("ask", view.questions[0].id)
    known = {name: name_words(name) for name in first}
    ghosts: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for turn in view.turns:
        if turn.fix:
            continue
        made = {n for n, event in first.items() if event < turn.id}
        acts = [known[n] for n in made] + [name_words(c.name) for c in turn.tool_calls]
        for text in turn.texts:
            if claim := _ghost(text, acts, tools=bool(turn.call.tools or view.uses)):
                ghosts[turn.agent].append((turn.id, claim))
                break
    for agent, found in ghosts.items():
        yield Finding(
            code="2.6",
            calls=tuple(event for event, _ in found),
            evidence=quote(found[0][1]),
            says=f"{agent} tells of an action that no call of the run made.",
            rule="ghost action",
            confidence=0.85,
        )


_TELLING = frozenset().union(*DISCHARGES.values())


def _ghost(text: str, acts: Sequence[frozenset[str]], *, tools: bool) -> str:
    """The claim of an action that nothing makes good; "" for none."""
    for kind, pattern in CLAIMS:
        if (match := pattern.search(text)) and not _made(kind, acts):
            return around(text, match.start())
    if tools and (match := LOOSE_SEARCH.search(text)) and not _made("search", acts):
        return around(text, match.start())
    blocks = fences(text)
    for before, (language, body) in pairwise(blocks):
        printed = language in OUTPUT_FENCES and before[0] not in OUTPUT_FENCES
        if printed and body.strip() and not _made("run", acts):
            code = before[1].strip().splitlines() or [before[0]]
            return f"{code[-1]} output: {body.strip()}"
    return ""


def _made(kind: str, acts: Sequence[frozenset[str]]) -> bool:
    """Whether a call of that kind was made; a tool whose name says nothing may have been it."""
    wanted = DISCHARGES[kind]
    return any(not wanted or act & wanted or not act & _TELLING for act in acts)
