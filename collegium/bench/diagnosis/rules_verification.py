"""Modes 3.1, 3.2 and 3.3: ended too soon, unchecked, or checked wrongly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from collegium.bench.diagnosis.findings import Finding, quote
from collegium.bench.diagnosis.phrases import (
    CHECK_ASKED,
    CHECKS,
    FAILS,
    OPEN,
    PASSES,
    TICKED,
    UNTICKED,
    name_words,
)
from collegium.bench.diagnosis.rules_specification import ends
from collegium.bench.diagnosis.text import around
from collegium.bench.diagnosis.view import Turn, Use, View, checker

_PASSED = re.compile(
    r"\bpass(?:ed|es)?\b|\bok\b|\bsuccess(?:ful(?:ly)?)?\b|\b(?:correct|valid|approved)\b"
    r"|\bno (?:errors?|failures?|problems?|issues?)\b",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"\b(?!0\b)\d+ (?:failed|failures?|errors?)\b|\b(?<!0 )(?:failed|failure|failing)\b"
    r"|\btraceback\b|\b\w*error:|\b(?:incorrect|invalid|rejected|not (?:ok|correct|valid))\b",
    re.IGNORECASE,
)

ENDING = 200
"""Characters at the end of a reply; what it says before that it may have done since."""

_OPEN_QUESTION = re.compile(
    r"\b(?:verify|check|ensure|confirm|make sure|whether|if)\b[^.:;,\n]{0,40}$", re.IGNORECASE
)
"""Before a verdict: it is only announced or asked for."""


def premature(view: View) -> Iterator[Finding]:
    """3.1: the run ends with something open."""
    yield from _unmade_calls(view)
    yield from _open_items(view)
    yield from _open_words(view)
    yield from _cut_off(view)
    yield from _failing_check(view)


def _premature(calls: tuple[int, ...], evidence: str, says: str, rule: str, sure: float) -> Finding:
    return Finding(
        code="3.1", calls=calls, evidence=evidence, says=says, rule=rule, confidence=sure
    )


def _unmade_calls(view: View) -> Iterator[Finding]:
    """The last reply asks for a tool that is never run."""
    for turn in view.final:
        asked = [c for c in turn.tool_calls if not ends(c.name)]
        later = {u.tool for u in view.uses if u.id > turn.id} if asked else set()
        unmade = [c for c in asked if c.name not in later]
        if unmade:
            yield _premature(
                (turn.id,),
                quote(f"{unmade[0].name} {unmade[0].arguments}"),
                f"{turn.agent} asks for {unmade[0].name}, and the run ends before it is called.",
                "call not made",
                0.85,
            )


def _open_items(view: View) -> Iterator[Finding]:
    """A check list that the run kept, or ended with, has items that are not ticked."""
    final = {t.id for t in view.final}
    for agent, turns in view.by_agent.items():
        lists = [t for t in turns if "[ ]" in t.text or "[x]" in t.text.lower()]
        lists = [t for t in lists if UNTICKED.search(t.text) or TICKED.search(t.text)]
        if not lists:
            continue
        last = lists[-1]
        left = UNTICKED.findall(last.text)
        kept = any(TICKED.search(t.text) for t in lists)
        if left and (kept or last.id in final):
            yield _premature(
                (last.id,),
                quote(*left[:3]),
                f"The last check list of {agent} has {len(left)} item{'s' * (len(left) > 1)} open.",
                "open items",
                0.8,
            )


def _open_words(view: View) -> Iterator[Finding]:
    """The last reply ends with what is still to be done, and states no answer."""
    for turn in view.final[-1:]:
        match = OPEN.search(turn.text, max(0, len(turn.text) - ENDING))
        if turn.cut:  # that is found as such; what it was about to do says nothing more
            continue
        if match and not turn.answer and not turn.tool_calls and turn.call.n == 1:
            yield _premature(
                (turn.id,),
                quote(around(turn.text, match.start())),
                f"The last reply of {turn.agent} ends with what is still to be done.",
                "unfinished by its own words",
                0.7,
            )


def _cut_off(view: View) -> Iterator[Finding]:
    """Everything that the run ended with was cut off at its token cap."""
    final = view.final
    if final and all(t.cut for t in final):
        forced = any(t.repaired is not None for t in final)
        answer = "an answer was asked for all the same" if forced else "no answer was asked for"
        yield _premature(
            tuple(sorted(i for t in final for i in (t.id, t.repaired) if i is not None)),
            quote(final[-1].text[-80:]),
            f"The last reasoning was cut off at its token cap; {answer}.",
            "cut off",
            0.8,
        )


def _failing_check(view: View) -> Iterator[Finding]:
    """The last check failed, nothing was changed after it, and the run ended."""
    checks = [u for u in view.uses if u.checks]
    if not checks or verdict(checks[-1]) is not False:
        return
    last = checks[-1]
    if not any(u.id > last.id and u.may_change for u in view.uses):
        yield _premature(
            (last.id,),
            quote(f"{last.tool} -> {last.result}"),
            f"The last {last.tool} failed, and the run ended without mending it.",
            "ended on a failed check",
            0.8,
        )


def unchecked(view: View) -> Iterator[Finding]:
    """3.2: no check after the last change, or a tool that checks was there and never used.

    Silent on systems that have no check by design: without a check in the trace or among the
    tools offered, nothing was left out. A file written for the first time after the check (saving
    what was checked) is no change of it.
    """
    checks = [(u.id, u.tool) for u in view.uses if u.checks]
    checks += [(t.id, t.agent) for t in view.turns if checker(t.agent) and not t.fix]
    if checks:
        at, name = max(checks)
        before = {u.tool for u in view.uses if u.changes and u.id < at}
        after = [u for u in view.uses if u.changes and u.id > at and u.tool in before]
        if after:
            yield Finding(
                code="3.2",
                calls=(at, *(u.id for u in after)),
                evidence=quote(f"{after[-1].tool} {after[-1].arguments}"),
                says=f"{after[-1].tool} changed the result after the last check ({name}).",
                rule="changed after the last check",
                confidence=0.85,
            )
        return
    for tool, turn in view.offered.items():
        if name_words(tool) & CHECKS and view.final:
            yield Finding(
                code="3.2",
                calls=tuple(sorted({turn.id, view.final[-1].id})),
                evidence=quote(f"tool offered: {tool}", view.final[-1].text),
                says=f"{turn.agent} had {tool} and never used it.",
                rule="check never used",
                confidence=0.75,
            )
            return


def passed_wrong(view: View) -> Iterator[Finding]:
    """3.3: the last check passed what turned out wrong.

    Args:
        view: The trace of a run whose answer was wrong.
    """
    checks = [u for u in view.uses if u.checks]
    if checks and verdict(checks[-1]):
        last = checks[-1]
        yield Finding(
            code="3.3",
            calls=(last.id,),
            evidence=quote(f"{last.tool} -> {last.result}"),
            says=f"{last.tool} passed, and the answer was wrong.",
            rule="check passed",
            confidence=0.85,
        )
        return
    verdicts = [t for t in view.turns if not t.fix and _asked_to_check(t)]
    if verdicts and (match := _passing(verdicts[-1])):
        turn = verdicts[-1]
        yield Finding(
            code="3.3",
            calls=(turn.id,),
            evidence=quote(around(turn.text, match.start())),
            says=f"{turn.agent} was asked to check, and passed what was wrong.",
            rule="verdict passed",
            confidence=0.75,
        )


def _asked_to_check(turn: Turn) -> bool:
    return turn.call.n == 1 and (checker(turn.agent) or bool(CHECK_ASKED.search(turn.asked[:200])))


def _passing(turn: Turn) -> re.Match[str] | None:
    """Where a verdict says that all is well, unless it also says what is not."""
    if FAILS.search(turn.text):
        return None
    found = PASSES.finditer(turn.text)
    return next((m for m in found if not _OPEN_QUESTION.search(turn.text, 0, m.start())), None)


def verdict(use: Use) -> bool | None:
    """Whether a check passed; None when its result does not say."""
    if use.failed:
        return False
    value: Any = use.value
    if isinstance(value, dict):
        for name in ("passed", "ok", "success", "valid", "correct"):
            if isinstance(value.get(name), bool):
                return value[name]
    if isinstance(value, bool):
        return value
    if _FAILED.search(use.result):
        return False
    return True if _PASSED.search(use.result) else None
