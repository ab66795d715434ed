"""The actions of WebArena: their written form, when two are the same, and when a run is lost.

Written form (section 3.3 and table 1 of the paper): ``click [id]``, ``type [id] [text] [0|1]`` (1,
the default, presses Enter afterwards), ``hover [id]``, ``press [keys]``, ``scroll [up|down]``,
``new_tab``, ``tab_focus [n]``, ``close_tab``, ``goto [url]``, ``go_back``, ``go_forward``,
``stop [answer]``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from collegium.worlds.web.task import Mode

Verb = Literal[
    "none",
    "click",
    "type",
    "hover",
    "press",
    "scroll",
    "new_tab",
    "tab_focus",
    "close_tab",
    "goto",
    "go_back",
    "go_forward",
    "stop",
]
"""What can be done; "none" is what could not be read."""

FORMS: dict[str, str] = {
    "click": "click [id]",
    "type": "type [id] [text] [0|1]",
    "hover": "hover [id]",
    "press": "press [keys]",
    "scroll": "scroll [up|down]",
    "new_tab": "new_tab",
    "tab_focus": "tab_focus [number]",
    "close_tab": "close_tab",
    "goto": "goto [url]",
    "go_back": "go_back",
    "go_forward": "go_forward",
    "stop": "stop [answer]",
}
"""How each action is written."""

STEPS = 30
"""Actions after which a run is stopped."""

SAME = 3
"""So many equal or unreadable actions end a run."""

_ELEMENT = ("click", "hover", "type")
_BARE = ("new_tab", "close_tab", "go_back", "go_forward")
_TYPE = re.compile(r"\[(\d+)\]\s*\[(.*)\]", re.DOTALL)
_TYPE_FLAGGED = re.compile(r"\[(\d+)\]\s*\[(.*)\]\s*\[([01])\]", re.DOTALL)


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """One action.

    Attributes:
        verb: What is done.
        element: On which element; a number of the observation before it.
        text: What is typed, the keys, the direction, the address, the answer, or what could not be
            read.
        enter: Whether Enter is pressed after typing.
        tab: Which tab.
    """

    verb: Verb
    element: int | None = None
    text: str = ""
    enter: bool = True
    tab: int = 0


def parse(written: str, mode: Mode = "fixed") -> Action:
    """Read an action as it is written; what cannot be read is the action "none".

    Args:
        written: The action alone, without thoughts around it.
        mode: In ``compat`` a text to type cannot be empty, and "[0]" or "[1]" at the very end is
            always the flag.
    """
    written = written.strip()
    verb = written.partition("[")[0].strip() if "[" in written else written.partition(" ")[0]
    unread = Action("none", text=written)
    inside = _inside(written)
    if verb in _BARE and not inside:
        return Action(verb)  # type: ignore[arg-type]  # one of the verbs
    if verb == "stop":
        return Action("stop", text=inside or "")
    if verb in ("scroll", "scroll up", "scroll down"):
        direction = inside or written.removeprefix("scroll").strip()
        return Action("scroll", text=direction) if direction in ("up", "down") else unread
    if verb == "type":
        return _parse_type(written, mode) or unread
    if inside is None:
        return unread
    if verb in ("click", "hover"):
        return Action(verb, int(inside)) if inside.isdecimal() else unread
    if verb == "tab_focus":
        return Action("tab_focus", tab=int(inside)) if inside.isdecimal() else unread
    if verb in ("press", "goto") and inside.strip():
        return Action(verb, text=inside.strip())
    return unread


def _inside(written: str) -> str | None:
    """What stands between the first bracket and the last."""
    found = re.search(r"\[(.*)\]", written, re.DOTALL)
    return found[1] if found else None


def _parse_type(written: str, mode: Mode) -> Action | None:
    rest = written.removeprefix("type").strip()
    if mode == "compat" and not rest.endswith(("[0]", "[1]")):
        rest = f"{rest} [1]"
    if found := _TYPE_FLAGGED.fullmatch(rest):
        element, text, enter = int(found[1]), found[2], found[3] == "1"
    elif mode == "fixed" and (found := _TYPE.fullmatch(rest)):
        element, text, enter = int(found[1]), found[2], True
    else:
        return None
    return None if mode == "compat" and not text else Action("type", element, text, enter)


def written(action: Action) -> str:
    """An action in its written form; :func:`parse` reads it back."""
    match action.verb:
        case "click" | "hover":
            return f"{action.verb} [{action.element}]"
        case "type":
            return f"type [{action.element}] [{action.text}] [{int(action.enter)}]"
        case "tab_focus":
            return f"tab_focus [{action.tab}]"
        case "press" | "scroll" | "goto" | "stop":
            return f"{action.verb} [{action.text}]"
        case "none":
            return action.text
    return action.verb


def equivalent(one: Action, other: Action, mode: Mode = "fixed") -> bool:
    """Whether two actions do the same thing.

    Typing is the same on the same element; in ``fixed`` only if the text is the same as well.
    """
    if one.verb != other.verb or one.verb == "none":
        return one.verb == other.verb
    if one.verb in _ELEMENT:
        same = one.element == other.element
        return same and (mode == "compat" or one.verb != "type" or one.text == other.text)
    return (one.text, one.tab) == (other.text, other.tab)


def early_stop(actions: Sequence[Action], mode: Mode = "fixed", steps: int = STEPS) -> str:
    """Why a run is to be stopped after these actions; "" when it may go on.

    Args:
        actions: All of them, in their order.
        mode: Decides when typing is the same (:func:`equivalent`).
        steps: How many there may be.
    """
    last = actions[-SAME:]
    if len(last) == SAME and all(action.verb == "none" for action in last):
        return f"{SAME} actions in a row could not be read"
    if actions and actions[-1].verb == "type":
        if sum(equivalent(action, actions[-1], mode) for action in actions) >= SAME:
            return f"the same was typed {SAME} times"
    elif len(last) == SAME and all(equivalent(action, actions[-1], mode) for action in last):
        return f"the same action came {SAME} times in a row"
    return f"{steps} actions were made" if len(actions) >= steps else ""
