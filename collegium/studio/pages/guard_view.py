"""How a policy's remarks, overlaps and decisions look."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from collegium.studio.checking import Part
from collegium.studio.safe import Tag, said, tag

MOST_REMARKS = 100
MOST_OVERLAPS = 200

FOLLOWS = {
    "message": "The agent is told why, and goes on.",
    "terminate": "The run ends.",
    "ask": "The user is asked.",
}

_LINE = re.compile(r"\bline (\d{1,7})\b")


def state_line(state: str, form: Part | None, trouble: str) -> None:
    """What the policy is as a whole, and whether the check goes on."""
    with tag("p", cls="summary-line", role="status"):
        if form is not None:
            rules, tools = form["rules"], len(form["tools"])
            rest = "the rest is blocked" if form["default"] == "block" else "the rest is allowed"
            about = (
                f"{rules} rule{'s' * (rules != 1)} for {tools} tool{'s' * (tools != 1)}; {rest}."
            )
            tag("b", "A policy: ", cls="good")
            tag("span", about)
        elif state == "done":
            tag("b", "Not a policy yet", cls="bad")
        if state != "done":
            tag("span", " Looking it over …" if form is not None else "Reading …", cls="dim")
    if trouble:
        said(trouble, cls="note bad" if form is None else "note")


def remarks(found: Sequence[Part], reveal: Callable[[int], None]) -> None:
    """What is doubtful; pressing one shows its line."""
    if not found:
        return
    with tag("ul", cls="list"):
        for one in found[:MOST_REMARKS]:
            with tag("li"):
                tag("span", one["kind"], cls="chip warn")
                for line in one["lines"][:1]:
                    tag("button", f"line {line}", type="button", cls="link").on(
                        "click", lambda _, line=line: reveal(line), []
                    )
                said(one["message"])
    if len(found) > MOST_REMARKS:
        tag("p", f"and {len(found) - MOST_REMARKS:,} more.", cls="dim")


def overlaps(found: Sequence[Part], attempt: Callable[[str, str], None]) -> None:
    """The rules that speak of the same calls, each with a call that shows it."""
    tag("h2", "Overlaps", id="overlaps")
    tag("p", "Rules of a tool that one value can meet together. Where one allows what the other "
        "forbids, their order decides.", cls="dim")  # fmt: skip
    with (
        tag("div", cls="wide", tabindex="0", role="region", aria_labelledby="overlaps"),
        tag("table", cls="plain overlap"),
    ):
        _head("Tool", "Rules", "Argument", "A value that meets both", "")
        with tag("tbody"):
            for one in found[:MOST_OVERLAPS]:
                detail = one["detail"]
                with tag("tr"):
                    tag("td", one["tool"])
                    with tag("td"):
                        for number, effect in zip(one["rules"], detail["effects"], strict=True):
                            cls = "good" if effect == "allow" else "bad"
                            tag("span", f"{number} {effect}", cls=f"chip {cls}")
                    tag("td", detail["argument"])
                    tag("td", detail["reason"] or written(detail["witness"]), cls="mono value")
                    with tag("td"):
                        if one["call"] is not None:
                            call = written(one["call"])
                            tag("button", "Try it", type="button", cls="link").on(
                                "click", lambda _, t=one["tool"], c=call: attempt(t, c), []
                            )
    if len(found) > MOST_OVERLAPS:
        tag("p", f"and {len(found) - MOST_OVERLAPS:,} more.", cls="dim")


def call_form(tool: str, arguments: str, asked: Callable[[Any], Any], script: str) -> None:
    """Fields for a call."""
    with tag("form", cls="call-form").on("submit", asked, js_handler=script):
        with tag("label", cls="field"):
            tag("span", "Tool")
            tag("input", name="tool", cls="text mono", value=tool, placeholder="send_money",
                autocomplete="off", spellcheck="false")  # fmt: skip
        with tag("label", cls="field"):
            tag("span", "Arguments, as JSON")
            tag("input", name="arguments", cls="text mono", value=arguments, autocomplete="off",
                placeholder='{"amount": 5}', spellcheck="false")  # fmt: skip
        tag("button", "Try", type="submit", cls="primary")


def verdict(tool: str, part: Part) -> Tag:
    """What becomes of a call, and how every rule looks at it."""
    with tag("div", cls="card verdict") as card:
        with tag("p", cls="row-of"):
            allowed = part["allowed"]
            tag("b", "Allowed" if allowed else "Blocked", cls="good" if allowed else "bad")
            tag("span", tool, cls="mono")
        if part["reason"]:
            said(part["reason"])
        if not part["known"]:
            tag("p", f"There are no rules for it; default: {part['default']}.", cls="dim")
        elif not allowed:
            tag("p", FOLLOWS.get(part["fallback"], ""), cls="dim")
        for one in part["tried"]:
            _tried(one)
    return card


def _tried(one: Part) -> None:
    how = "it decides" if one["decides"] else "would match" if one["matches"] else "does not match"
    with tag("div", cls="tried on" if one["decides"] else "tried"):
        tag("p", f"rule {one['number']}: {one['effect']}, priority {one['priority']}: {how}")
        if one["conditions"]:
            with tag("ul", cls="conditions"):
                for argument, schema, state in one["conditions"]:
                    with tag("li"):
                        cls = {"holds": "good", "fails": "bad"}.get(state, "warn")
                        tag("span", state, cls=f"chip {cls}")
                        tag("code", f"{argument}: {schema}")


def written(value: Any) -> str:
    """A value as JSON."""
    return msgspec.json.encode(value, enc_hook=repr).decode()


def line_of(message: str) -> int:
    """The line that a message names; 0 for none."""
    found = _LINE.search(message)
    return int(found[1]) if found else 0


def _head(*names: str) -> None:
    with tag("thead"), tag("tr"):
        for name in names:
            tag("th" if name else "td", name, scope="col" if name else None)
