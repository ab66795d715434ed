"""What two runs did differently: parameters, answers, cost, and call by call.

The events of both traces are aligned in two steps. Calls that are the same in agent, kind, what was
asked and what was answered are matched first, by longest common blocks; what lies between them is
then matched by agent and kind alone: the same step of the method, taken differently. What is left
was done by one of the two alone.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal

import msgspec

from collegium.bench.said import said
from collegium.bench.words import listed
from collegium.kernel.calls import Generate
from collegium.kernel.store import Totals
from collegium.kernel.trace import Event

WHOLE = 3_000
"""Events up to which a trace is aligned exactly; of longer ones, frequent steps are no anchors."""

MOST_WORDS = 3_000
"""Words up to which two texts are compared word by word."""

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")

State = Literal["same", "changed", "only-a", "only-b"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two runs.

    Attributes:
        run: Its id.
        spec: What was asked for: system, parameters, task, model, seed ...
        status: How far it came.
        totals: What it came to, if that is known.
        events: Its trace.
    """

    run: str
    spec: dict[str, Any]
    status: str = "done"
    totals: Totals | None = None
    events: Sequence[Event] = ()


class Change(msgspec.Struct, frozen=True):
    """Something that was asked for, or came out, differently; "" stands for nothing."""

    name: str
    a: str
    b: str


class Step(msgspec.Struct, frozen=True):
    """A row of the alignment.

    Attributes:
        state: "same", "changed", "only-a" or "only-b".
        a: Place of the event in the first trace, None for none.
        b: Place of the event in the second.
        what: What changed: any of "asked", "settings" and "answered".
    """

    state: State
    a: int | None
    b: int | None
    what: tuple[str, ...] = ()


class RunDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs held against each other.

    Attributes:
        a: Id of the first.
        b: Id of the second.
        asked: What was asked for differently.
        result: What came out differently: status, answer, limit.
        bill: Calls, tokens, seconds and money of both, the same ones too.
        steps: The alignment of their calls.
        first: Place among the steps where they first part; None where they never do.
    """

    a: str
    b: str
    asked: tuple[Change, ...]
    result: tuple[Change, ...]
    bill: tuple[Change, ...]
    steps: tuple[Step, ...]
    first: int | None

    @property
    def verdict(self) -> str:
        """Where they part, in a sentence."""
        if self.first is None:
            return f"Both runs made the same {len(self.steps):,} calls, with the same answers."
        alike = f"The first {self.first:,} calls are the same." if self.first > 1 else ""
        alike = "The first call is the same." if self.first == 1 else alike
        step = self.steps[self.first]
        only = {"only-a": "the first run alone", "only-b": "the second run alone"}
        what = {
            "asked": "what was asked",
            "settings": "how it was asked",
            "answered": "what was answered",
        }
        how = (
            f"is made by {only[step.state]}"
            if step.state in only
            else f"differs in {listed([what[w] for w in step.what])}"
        )
        return " ".join(filter(None, (alike, f"Call {self.first + 1:,} {how}.")))


def diff(a: Side, b: Side) -> RunDiff:
    """Hold two runs against each other.

    Args:
        a: The first run.
        b: The second run.
    """
    steps = align(a.events, b.events)
    first = next((i for i, step in enumerate(steps) if step.state != "same"), None)
    return RunDiff(
        a=a.run,
        b=b.run,
        asked=tuple(_changes(a.spec, b.spec)),
        result=tuple(_differing(_result(a), _result(b))),
        bill=tuple(_bill(a.totals or Totals(), b.totals or Totals())),
        steps=steps,
        first=first,
    )


def align(a: Sequence[Event], b: Sequence[Event]) -> tuple[Step, ...]:
    """Align the events of two traces, each taken in the order recorded.

    Args:
        a: The first trace.
        b: The second trace.
    """
    left, right = [_key(e) for e in a], [_key(e) for e in b]
    # Two runs of one method begin alike as a rule, and often end alike: that costs nothing.
    head = next((i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), None)
    head = min(len(a), len(b)) if head is None else head
    tail = 0
    while tail < min(len(a), len(b)) - head and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    steps = [Step("same", i, i) for i in range(head)]
    steps += _middle(left, right, head, tail)
    steps += [Step("same", len(a) - i, len(b) - i) for i in range(tail, 0, -1)]
    return tuple(steps)


def words_changed(a: str, b: str) -> list[tuple[Literal["same", "del", "ins"], str]]:
    """What of a text changed, word by word; of long texts, only that they are others.

    Args:
        a: The text before.
        b: The text after.
    """
    before, after = _WORDS.findall(a), _WORDS.findall(b)
    if max(len(before), len(after)) > MOST_WORDS:
        return [("del", a), ("ins", b)]
    pieces: list[tuple[Literal["same", "del", "ins"], str]] = []
    for tag, i, i_end, j, j_end in _blocks(before, after):
        if tag == "equal":
            pieces.append(("same", "".join(before[i:i_end])))
            continue
        if i < i_end:
            pieces.append(("del", "".join(before[i:i_end])))
        if j < j_end:
            pieces.append(("ins", "".join(after[j:j_end])))
    return pieces


class _Key(msgspec.Struct, frozen=True):
    """What makes two events the same; ``step`` is what makes them the same step."""

    step: tuple[str, str, str]
    asked: Hashable
    settings: Hashable
    answered: Hashable


def _middle(left: Sequence[_Key], right: Sequence[_Key], head: int, tail: int) -> list[Step]:
    """Align what two traces do not have in common at their ends."""
    stop_a, stop_b = len(left) - tail, len(right) - tail
    steps: list[Step] = []
    for tag, i, i_end, j, j_end in _blocks(left[head:stop_a], right[head:stop_b]):
        i, i_end, j, j_end = i + head, i_end + head, j + head, j_end + head
        if tag == "equal":
            steps += [Step("same", i + n, j + n) for n in range(i_end - i)]
            continue
        own, other = [k.step for k in left[i:i_end]], [k.step for k in right[j:j_end]]
        for inner, p, p_end, q, q_end in _blocks(own, other):
            if inner == "equal":
                for n in range(p_end - p):
                    at, to = i + p + n, j + q + n
                    what = _what(left[at], right[to])
                    steps.append(Step("changed" if what else "same", at, to, what))
            else:
                steps += [Step("only-a", n, None) for n in range(i + p, i + p_end)]
                steps += [Step("only-b", None, n) for n in range(j + q, j + q_end)]
    return steps


def _blocks(
    a: Sequence[Hashable], b: Sequence[Hashable]
) -> Sequence[tuple[str, int, int, int, int]]:
    long = max(len(a), len(b)) > WHOLE
    return SequenceMatcher(None, a, b, autojunk=long).get_opcodes()


def _key(event: Event) -> _Key:
    words = said(event)
    call = event.call
    settings = ""
    if isinstance(call, Generate):
        kept = (call.n, call.temperature, call.top_p, call.max_tokens, call.stop, call.seed)
        settings = repr(
            (*kept, call.grammar, call.schema, [t.name for t in call.tools], event.model)
        )
    act = "" if isinstance(call, Generate) else words.act
    return _Key(
        step=(words.agent, words.kind, act),
        asked=words.asked,
        settings=settings,
        answered=(words.answered, words.error),
    )


def _what(a: _Key, b: _Key) -> tuple[str, ...]:
    return tuple(
        name for name in ("asked", "settings", "answered") if getattr(a, name) != getattr(b, name)
    )


def _changes(a: dict[str, Any], b: dict[str, Any]) -> list[Change]:
    """What was asked for differently, parameters one by one."""
    return _differing(_flat(a), _flat(b))


def _flat(spec: dict[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in spec.items():
        if isinstance(value, dict) and name in ("parameters", "roles", "origin"):
            flat |= {f"{name}: {inner}": _text(v) for inner, v in value.items()}
        else:
            flat[name] = _text(value)
    return flat


def _result(side: Side) -> dict[str, str]:
    known = side.totals or Totals()
    return {"status": side.status, "answer": known.answer, "ended by": known.limited}


def _differing(a: dict[str, str], b: dict[str, str]) -> list[Change]:
    names = [*a, *(name for name in b if name not in a)]
    return [
        Change(name, a.get(name, ""), b.get(name, ""))
        for name in names
        if a.get(name, "") != b.get(name, "")
    ]


def _bill(a: Totals, b: Totals) -> list[Change]:
    rows = (
        ("calls", a.calls, b.calls, "{:,}"),
        ("prompt tokens", a.usage.prompt, b.usage.prompt, "{:,}"),
        ("of them cached", a.usage.cached, b.usage.cached, "{:,}"),
        ("completion tokens", a.usage.completion, b.usage.completion, "{:,}"),
        ("seconds", a.seconds, b.seconds, "{:,.2f}"),
        ("US dollars", a.usage.money, b.usage.money, "{:.4g}"),
    )
    return [Change(name, form.format(x), form.format(y)) for name, x, y, form in rows]


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=repr).decode()
