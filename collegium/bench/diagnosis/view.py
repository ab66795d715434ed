"""A trace as the rules read it: turns, uses of tools and messages, each with who knew what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from collegium.bench.diagnosis.phrases import (
    ACTS,
    CHANGES,
    CHECKERS,
    CHECKS,
    READS,
    name_words,
)
from collegium.bench.diagnosis.text import answer_in
from collegium.kernel.calls import AskHuman, Call, Generate, Receive, Send, ToolCall, UseTool
from collegium.kernel.trace import Event
from collegium.worlds.world import Moves, Restore, Snapshot

READING_CALLS = frozenset(("recall", "load", "find", "list-files"))
CHANGING_CALLS = frozenset(("store", "rollback", "delete"))


class Heard(msgspec.Struct, frozen=True):
    """What another agent said to this one: who, what, and in which event."""

    sender: str
    text: str
    call: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One model call that was answered.

    Attributes:
        id: Its event.
        agent: Who asked.
        call: The request.
        texts: The replies, one per sample.
        tool_calls: Tools asked for, over all samples.
        cut: Every sample ended at its token cap before it stated an answer.
        fix: It repairs an earlier turn.
        heard: What other agents said that reached it since the agent's turn before.
        answer: The answer it states, that of its repair if it needed one; "" for none.
        repaired: Id of its last repair; None when it needed none.
    """

    id: int
    agent: str
    call: Generate
    texts: tuple[str, ...]
    tool_calls: tuple[ToolCall, ...]
    cut: bool
    fix: bool
    heard: tuple[Heard, ...]
    answer: str
    repaired: int | None

    @property
    def text(self) -> str:
        """The first sample."""
        return self.texts[0] if self.texts else ""

    @property
    def asked(self) -> str:
        """The last user message of the request."""
        return next((m.text for m in reversed(self.call.messages) if m.role == "user"), "")

    def reads(self, text: str) -> bool:
        """Whether a text stands in the request."""
        return any(text in m.text for m in self.call.messages)


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a tool, of memory or of storage.

    Attributes:
        id: Its event.
        agent: Who used it.
        tool: Name of the tool; the kind of call for memory and storage.
        words: The words of that name.
        arguments: What it was given, in one normal form.
        result: What came back, or the error, in one normal form.
        value: What came back, as plain data.
        failed: It raised an error.
        retry: The kernel itself tried a failed call again.
    """

    id: int
    agent: str
    tool: str
    words: frozenset[str]
    arguments: str
    result: str
    value: Any
    failed: bool
    retry: bool

    @property
    def checks(self) -> bool:
        """It checks something."""
        return bool(self.words & CHECKS)

    @property
    def changes(self) -> bool:
        """By its name it changes something."""
        return self.tool in CHANGING_CALLS or bool(self.words & CHANGES and not self.checks)

    @property
    def may_change(self) -> bool:
        """It is not clear from its name that it only reads or checks."""
        reads = self.tool in READING_CALLS or self.words & READS
        return self.changes or not (reads or self.checks)

    @property
    def acts(self) -> bool:
        """It acts on a world, where doing the same twice is usual."""
        return bool(self.words & ACTS) and not self.words & READS


class Question(msgspec.Struct, frozen=True):
    """A question to the user, and the answer ("" when there was none)."""

    id: int
    agent: str
    question: str
    answer: str


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A whole trace, in the order in which its calls began.

    Attributes:
        turns: Answered model calls, repairs included.
        uses: Uses of tools, memory and storage.
        sent: Messages sent, as (event id, call).
        received: Ids of the looks into its mailbox, by agent.
        questions: Questions to the user.
        by_agent: Turns of each agent, repairs left out.
        by_id: Turns by event id.
        offered: First turn in which each tool was offered to a model, by tool.
        last: The largest event id, -1 for an empty trace.
    """

    turns: tuple[Turn, ...]
    uses: tuple[Use, ...]
    sent: tuple[tuple[int, Send], ...]
    received: Mapping[str, tuple[int, ...]]
    questions: tuple[Question, ...]
    by_agent: Mapping[str, tuple[Turn, ...]]
    by_id: Mapping[int, Turn]
    offered: Mapping[str, Turn]
    last: int

    @property
    def final(self) -> tuple[Turn, ...]:
        """The last turn of every agent that nobody was told of: what the run ended with."""
        told = {s for t in self.turns for s in t.call.sources if not t.fix}
        told |= {s for _, send in self.sent for s in send.sources}
        ends = [turns[-1] for turns in self.by_agent.values()]
        return tuple(sorted((t for t in ends if t.id not in told), key=lambda t: t.id))


def view_of(events: Iterable[Event]) -> View:
    """Read a trace. Of an id that occurs twice (a resumed run) the last event counts."""
    latest = {e.id: e for e in events}
    ordered = [latest[i] for i in sorted(latest)]
    sends = {e.id: e.call for e in ordered if isinstance(e.call, Send) and not e.error}
    spoken = {
        e.id: e for e in ordered if isinstance(e.call, Generate) and e.replies and not e.error
    }
    repairs = _repairs(spoken)
    turns: list[Turn] = []
    uses: list[Use] = []
    questions: list[Question] = []
    received: defaultdict[str, list[int]] = defaultdict(list)
    waiting: defaultdict[str, list[Heard]] = defaultdict(list)
    offered: dict[str, Turn] = {}
    for event in ordered:
        call = event.call
        if isinstance(call, Generate):
            if event.id not in spoken:
                continue
            turn = _turn(event, call, sends, spoken, waiting.pop(call.agent, []), repairs)
            turns.append(turn)
            for spec in call.tools:
                offered.setdefault(spec.name, turn)
        elif isinstance(call, Receive):
            received[call.agent].append(event.id)
            waiting[call.agent] += _mails(event.value)
        elif isinstance(call, AskHuman):
            answer = event.value if isinstance(event.value, str) else ""
            questions.append(Question(event.id, call.agent, call.question, answer))
        elif not isinstance(call, Send | Snapshot | Restore | Moves) and not tried_out(call):
            uses.append(_use(event, latest))
    by_agent: defaultdict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        if not turn.fix:
            by_agent[turn.agent].append(turn)
    return View(
        turns=tuple(turns),
        uses=tuple(uses),
        sent=tuple(sends.items()),
        received={agent: tuple(ids) for agent, ids in received.items()},
        questions=tuple(questions),
        by_agent={agent: tuple(found) for agent, found in by_agent.items()},
        by_id={t.id: t for t in turns},
        offered=offered,
        last=ordered[-1].id if ordered else -1,
    )


def checker(agent: str) -> bool:
    """Whether an agent's name says that it checks the work of others."""
    return bool(name_words(agent) & CHECKERS)


def _turn(
    event: Event,
    call: Generate,
    sends: Mapping[int, Send],
    spoken: Mapping[int, Event],
    mails: list[Heard],
    repairs: Mapping[int, Event],
) -> Turn:
    heard = {m.call: m for m in mails if m.sender != call.agent}
    for source in call.sources:
        send, reply = sends.get(source), spoken.get(source)
        if send is not None and send.agent != call.agent:
            heard.setdefault(source, Heard(send.agent, send.text, source))
        elif reply is not None and reply.call.agent != call.agent:
            heard.setdefault(source, Heard(reply.call.agent, reply.replies[0].text, source))
    texts = tuple(r.text for r in event.replies)
    repair = repairs.get(event.id)
    stated = answer_in(repair.replies[0].text) if repair is not None else ""
    return Turn(
        id=event.id,
        agent=call.agent,
        call=call,
        texts=texts,
        tool_calls=tuple(c for r in event.replies for c in r.tool_calls),
        cut=all(r.finish == "length" and not answer_in(r.text) for r in event.replies),
        fix=event.outcome == "fix",
        heard=tuple(heard.values()),
        answer=stated or answer_in(texts[0]),
        repaired=repair.id if repair is not None else None,
    )


def _repairs(spoken: Mapping[int, Event]) -> dict[int, Event]:
    """The last repair of every turn that needed one."""
    found: dict[int, Event] = {}
    for event in spoken.values():
        if event.outcome == "fix" and event.call.parent is not None:
            found[event.call.parent] = event
    return found


def tried_out(call: Call) -> bool:
    """Whether it was a search's move that was taken back: making it again is how a search works."""
    return isinstance(call, UseTool) and call.tentative


def _use(event: Event, events: Mapping[int, Event]) -> Use:
    call = event.call
    if isinstance(call, UseTool):
        name, arguments = call.tool, _normal(call.arguments)
    else:
        name, arguments = event.kind, _normal(_fields(call))
    parent = events.get(call.parent) if call.parent is not None else None
    return Use(
        id=event.id,
        agent=call.agent,
        tool=name,
        words=name_words(name),
        arguments=arguments,
        result=event.error or _normal(event.value),
        value=event.value,
        failed=bool(event.error),
        retry=parent is not None and bool(parent.error),
    )


def _fields(call: Call) -> dict[str, Any]:
    common = ("agent", "parent", "sources")
    return {n: getattr(call, n) for n in call.__struct_fields__ if n not in common}


def _normal(value: Any) -> str:
    """A value in one form: keys in order, blanks collapsed, whole floats as whole numbers."""
    try:
        return msgspec.json.encode(_collapsed(value), order="sorted", enc_hook=repr).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return repr(value)


def _collapsed(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {k: _collapsed(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_collapsed(v) for v in value]
    return value


def _mails(value: Any) -> list[Heard]:
    """The messages that a look into the mailbox brought; what is no message is passed over."""
    if not isinstance(value, list | tuple):
        return []
    mails = [m for m in value if isinstance(m, dict)]
    return [
        Heard(str(m.get("sender", "")), str(m.get("text", "")), call)
        for m in mails
        if isinstance(call := m.get("call", -1), int)
    ]
