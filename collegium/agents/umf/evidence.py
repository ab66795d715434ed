"""The code book of profiles: which calls of a trace show which value of which line.

Planning: a *plan* is a reply with worked steps before its answer (in prose, or in the fields of a
typed reply), a list whose items later calls work on, a field that is called a task or a step and
is worked on, or the choice of the tool that is used next. A list of who is to work is none, nor is
one of messages that its writer sends, nor what a tool gives that is read as a whole. Two
candidates for one prompt are two paths, whoever they were told to be. A plan made from an earlier
plan of the same agent, or from what came of it, is iterative.
Memory: going on from one's own turns is short-term memory embedded in the core-agent; notes, files
and SQL are extensions. What a later task reads of an earlier one is long-term.
Profile: a system prompt is hand-crafted unless a model wrote it.
Action: recalled notes are memory recollection, turns of a conversation are not. LLM knowledge is
shown by a task without tools.
Security: an inspection, or a refusal by the kernel's access rules.
No call can show that a profile was aligned to a data set, or that an action explores; these two
values stay absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from collegium.agents.umf.reading import (
    WORTH,
    chooses,
    continues,
    data_in,
    form_of,
    forms_of,
    plan_items,
    quotes,
    remembers,
    requested,
    same_prompt,
    sent,
    strings,
    users_of,
    works_steps,
)
from collegium.agents.umf.security import Inspect
from collegium.kernel import (
    AskHuman,
    Event,
    Find,
    Generate,
    Load,
    Recall,
    Remember,
    Send,
    Store,
    UseTool,
)

Evidence = tuple[str, str, int, int]
"""Line, value, number of the trace, id of the call."""

_SQL = re.compile(r"\s*(select\b.*?\bfrom|insert\s+into|update|delete\s+from)\s+(\w+)", re.I | re.S)


class Reading:
    """Traces as the code book needs them: in the order in which calls began, with their plans."""

    def __init__(self, traces: Sequence[Sequence[Event]]) -> None:
        self.traces = [sorted(trace, key=lambda e: e.id) for trace in traces]
        self.lists: list[dict[int, list[str]]] = []
        self.plans: list[list[Event]] = []
        for trace in self.traces:
            lists = {e.id: items for e in trace if (items := plan_items(e, trace))}
            self.lists.append(lists)
            self.plans.append(
                [e for e in trace if e.id in lists or works_steps(e) or chooses(e, trace)]
            )


def evidence(reading: Reading, writes: frozenset[str]) -> Iterator[Evidence]:
    """Everything that traces show.

    Args:
        reading: The traces.
        writes: Tools that change the environment.
    """
    for number, trace in enumerate(reading.traces):
        for part in (
            _planning(trace, reading.plans[number], reading.lists[number]),
            _conversation(trace),
            _profiles(trace),
            _action(trace, reading.lists[number], writes),
            _security(trace),
        ):
            for line, value, call in part:
                yield line, value, number, call
    yield from _memory(reading.traces)


Found = Iterator[tuple[str, str, int]]


def _planning(trace: list[Event], plans: list[Event], lists: dict[int, list[str]]) -> Found:
    for plan in plans:
        yield "planning.process", "plan generation", plan.id
        how = "LM-powered" if isinstance(plan.call, Generate) else "rule-based"
        yield "planning.technique", how, plan.id
        # One after the other is a decomposition as well as all at once.
        mine = [p for p in plans if p.id in lists and p.call.agent == plan.call.agent]
        parts = {user for p in mine for user in users_of(lists[p.id], p, trace).values()}
        if plan.id in lists and len(parts) > 1:
            yield "planning.process", "task decomposition", plan.id
    several = [
        p
        for p in plans
        if len(p.replies) > 1 or any(same_prompt(p, q) for q in plans if q is not p)
    ]
    for plan in several or plans:
        yield "planning.strategy", "multi-path" if several else "single-path", plan.id
    again = [p for p in plans if any(continues(p, q, trace) for q in plans if q.id < p.id)]
    for plan in again or plans:
        yield "planning.style", "iterative" if again else "one-shot", plan.id
    for plan in plans:
        before = [e for e in trace if e.id < plan.id]
        for event in before:
            mine = event.call.agent == plan.call.agent
            told = event.id in plan.call.sources or quotes(plan, event)
            if isinstance(event.call, UseTool) and mine and told:
                yield "planning.feedback", "tool", plan.id
            elif isinstance(event.call, AskHuman) and mine and told:
                yield "planning.feedback", "human", plan.id
            elif isinstance(event.call, Send) and not mine and event.id in plan.call.sources:
                yield "planning.feedback", "sibling core-agent", plan.id


def _conversation(trace: list[Event]) -> Found:
    """Memory within the core-agent: it goes on from its own turns."""
    for event in trace:
        for earlier in trace:
            if earlier.id < event.id and remembers(event, earlier):
                yield "memory.scope", "short-term", event.id
                yield "memory.location", "embedded", event.id
                yield "memory.format", "natural language", event.id
                yield "memory.operations", "read", event.id
                yield "memory.operations", "write", earlier.id
                yield "action.impact", "internal state change", event.id


class _Kept(msgspec.Struct, frozen=True):
    """Something written to or read from an extension of memory."""

    trace: int
    event: Event
    place: str
    texts: tuple[str, ...]
    reads: bool
    format: str


def _memory(traces: list[list[Event]]) -> Iterator[Evidence]:
    """Memory outside the core-agent: notes, files and tables, within a task and across tasks."""
    kept = [k for number, trace in enumerate(traces) for e in trace for k in _accesses(number, e)]
    for item in kept:
        where = (item.trace, item.event.id)
        yield "memory.location", "extension", *where
        yield "memory.format", item.format, *where
        yield "memory.operations", "read" if item.reads else "write", *where
        call = item.event.call
        # "hybrid" may have been by words alone.
        if isinstance(call, Recall) and call.method == "vector":
            yield "memory.format", "embeddings", *where
        if not item.reads:
            if item.format != "SQL database":  # a table is the environment's
                yield "action.impact", "internal state change", *where
            if _reflects(item, traces[item.trace], kept):
                yield "memory.operations", "reflect", *where
            continue
        for earlier in kept:
            if earlier.reads or earlier.place != item.place or not _shared(earlier, item):
                continue
            if earlier.trace < item.trace:
                yield "memory.scope", "long-term", *where
            elif earlier.trace == item.trace and earlier.event.id < item.event.id:
                yield "memory.scope", "short-term", *where
        for event in traces[item.trace]:
            if event.id > item.event.id and any(
                len(t) > 3 and t in sent(event) for t in item.texts
            ):
                yield "action.production", "memory recollection", item.trace, event.id


def _accesses(number: int, event: Event) -> Iterator[_Kept]:
    call, value = event.call, event.value
    if event.error:
        return
    match call:
        case Remember(text=text):
            yield _Kept(number, event, call.bank or call.agent, (text,), False, form_of(text))
        case Store(text=text):
            place = f"{call.owner or call.agent}/{call.path}"
            yield _Kept(number, event, place, (text,), False, form_of(text))
        case Recall() if value:
            texts = tuple(note["text"] for note in value)
            yield _Kept(number, event, call.bank or call.agent, texts, True, form_of(texts[0]))
        case Load() if value:
            place = f"{call.owner or call.agent}/{call.path}"
            yield _Kept(number, event, place, (value,), True, form_of(value))
        case Find() if value:
            for found in value:
                place = f"{call.owner or call.agent}/{found['path']}"
                yield _Kept(
                    number, event, place, (found["passage"],), True, form_of(found["passage"])
                )
        case UseTool():
            for text in strings(call.arguments):
                sql = _SQL.match(text)
                if sql:
                    reads = sql[1].lower().startswith("select")
                    texts = forms_of(value) if reads else (text,)
                    yield _Kept(number, event, sql[2].lower(), texts, reads, "SQL database")


def _shared(written: _Kept, read: _Kept) -> bool:
    """Whether what was read is what was written; of a table, that it is the same table."""
    if written.format == "SQL database":
        return True
    return any(w in r or r in w for w in written.texts for r in read.texts)


def _reflects(item: _Kept, trace: list[Event], kept: list[_Kept]) -> bool:
    """Whether a model made the note from notes that were read before."""
    for event in trace:
        if event.id < item.event.id and any(item.texts[0] in r.text for r in event.replies):
            for read in kept:
                if read.reads and read.trace == item.trace and read.event.id < event.id:
                    return any(text in sent(event) for text in read.texts)
    return False


def _profiles(trace: list[Event]) -> Found:
    for event in trace:
        if not isinstance(event.call, Generate):
            continue
        for name in event.call.adapters:
            if name:
                yield "profile.method", "fine-tuned pluggable", event.id
        for message in event.call.messages:
            if message.role == "system" and message.text:
                made = any(
                    len(text) >= WORTH and text in message.text
                    for earlier in trace
                    if earlier.id < event.id
                    for reply in earlier.replies
                    for text in (reply.text.strip(), *strings(data_in(reply.text)))
                )
                method = "LLM-generated" if made else "hand-crafted in-context"
                yield "profile.method", method, event.id


def _action(trace: list[Event], lists: dict[int, list[str]], writes: frozenset[str]) -> Found:
    acts = [e for e in trace if isinstance(e.call, Generate | UseTool) and not e.error]
    tools = [e for e in acts if isinstance(e.call, UseTool)]
    if acts:
        # From the last call of a task its result is made.
        yield "action.goal", "task completion", acts[-1].id
        if not tools:
            yield "action.space", "LLM knowledge", acts[-1].id
    for event in trace:
        if isinstance(event.call, Send | AskHuman) and not event.error:
            yield "action.goal", "communication", event.id
    for id, items in lists.items():
        for item in items:
            for event in trace:
                if event.id > id and item in sent(event):
                    yield "action.production", "plan following", event.id
    for used in tools:
        yield "action.space", "tools", used.id
        if used.call.tool in writes:  # pyright: ignore[reportAttributeAccessIssue]
            yield "action.impact", "environment change", used.id
        if requested(used, trace):
            yield "action.production", "API-call request", used.id
        for event in trace:
            if event.id > used.id and (used.id in event.call.sources or quotes(event, used)):
                yield "action.impact", "new action", event.id
                break


def _security(trace: list[Event]) -> Found:
    for event in trace:
        call = event.call
        if isinstance(call, Inspect):
            yield "security.safeguards", call.safeguard, event.id
            yield "security.technique", call.technique, event.id
            for goal in call.goals:
                yield "security.goals", goal, event.id
        elif event.error.startswith(
            (f"agent {call.agent!r} may not ", f"agent {call.agent!r} wants")
        ):
            private = isinstance(call, Recall | Load | Find)
            yield "security.safeguards", "data privacy" if private else "response", event.id
            yield "security.technique", "rule-based", event.id
            yield "security.goals", "confidentiality" if private else "integrity", event.id
