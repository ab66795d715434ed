"""Acting on one element: click, hover, type, press.

``compat`` acts at the middle of the box that was observed and types where the click has put the
cursor, as the original does. ``fixed`` scrolls the element into view and looks where it is now,
puts the new text in place of the old, sets fields that have no text cursor, and chooses from lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collegium.worlds.web.actions import Action
from collegium.worlds.web.tree import AxNode

if TYPE_CHECKING:
    from playwright.async_api import Page

    from collegium.worlds.web.tab import Tab
    from collegium.worlds.web.task import Mode

NOT_DRAWN = "The element {} is not drawn anywhere, so that nothing can be done to it."

SCROLL = """([share, inner]) => {
  const all = document.scrollingElement || document.documentElement;
  const by = share * window.innerHeight;
  const before = all.scrollTop;
  all.scrollTop += by;
  if (!inner || all.scrollTop !== before) return;
  let at = document.elementFromPoint(window.innerWidth / 2, window.innerHeight / 2);
  for (; at; at = at.parentElement) {
    const was = at.scrollTop;
    at.scrollTop += share * at.clientHeight;
    if (at.scrollTop !== was) return;
  }
}"""
"""Scrolls the page, or where it does not scroll what does in the middle of the window."""

_CHOOSE = """function (label) {
  const list = this.tagName === 'OPTION' ? this.closest('select') : this;
  if (!list || list.tagName !== 'SELECT') return 'none';
  const wanted = this.tagName === 'OPTION' ? this
    : [...list.options].find(o => o.label.trim() === label.trim())
    || [...list.options].find(o => o.label.trim().toLowerCase() === label.trim().toLowerCase())
    || [...list.options].find(o => o.value === label);
  if (!wanted) return 'missing';
  if (wanted.disabled || list.disabled) return 'disabled';
  if (list.multiple) wanted.selected = label !== null || !wanted.selected;
  else list.value = wanted.value, wanted.selected = true;
  list.dispatchEvent(new Event('input', {bubbles: true}));
  list.dispatchEvent(new Event('change', {bubbles: true}));
  return 'done';
}"""

_SET = """function (text) {
  const kinds = ['date', 'time', 'month', 'week', 'datetime-local', 'range', 'color'];
  if (this.tagName !== 'INPUT' || !kinds.includes(this.type) || this.disabled) return 'none';
  const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
  setter.call(this, text);
  this.dispatchEvent(new Event('input', {bubbles: true}));
  this.dispatchEvent(new Event('change', {bubbles: true}));
  return this.value === text || this.type === 'range' ? 'done' : 'wrong ' + this.type;
}"""
"""Sets a field that is not written in, as its picker would."""

_WRITING = """function () {
  const field = this.ownerDocument.activeElement;
  if (!field || field.readOnly) return false;
  if (field.isContentEditable || field.tagName === 'TEXTAREA') return true;
  const others = ['checkbox', 'radio', 'button', 'submit', 'reset', 'image', 'file'];
  return field.tagName === 'INPUT' && !others.includes(field.type);
}"""
"""Whether the cursor is in a field, after a click on it or on its label."""

_KEYS = {
    "alt": "Alt",
    "arrowdown": "ArrowDown",
    "arrowleft": "ArrowLeft",
    "arrowright": "ArrowRight",
    "arrowup": "ArrowUp",
    "backspace": "Backspace",
    "cmd": "Meta",
    "control": "Control",
    "ctrl": "Control",
    "del": "Delete",
    "delete": "Delete",
    "down": "ArrowDown",
    "end": "End",
    "enter": "Enter",
    "esc": "Escape",
    "escape": "Escape",
    "home": "Home",
    "left": "ArrowLeft",
    "meta": "Meta",
    "pagedown": "PageDown",
    "pageup": "PageUp",
    "return": "Enter",
    "right": "ArrowRight",
    "shift": "Shift",
    "space": "Space",
    "tab": "Tab",
    "up": "ArrowUp",
}


async def act(tab: Tab, action: Action, node: AxNode, mode: Mode) -> str:
    """Click, hover or type.

    Args:
        tab: Where.
        action: What; its element is ``node``.
        node: The element as it was observed.
        mode: "fixed" or "compat".

    Returns:
        What is wrong, or "".
    """
    page = tab.page
    if mode == "fixed" and node.backend is not None:
        if action.verb != "hover":
            done = await _chosen(tab, action, node)
            if done is not None:
                return done
        point = await tab.point(node.backend)
    else:
        point = _middle(node)
    if point is None:
        return NOT_DRAWN.format(action.element)
    if action.verb == "hover":
        await page.mouse.move(*point)
        return ""
    await page.mouse.click(*point)
    if action.verb == "type":
        if mode == "fixed" and node.backend is not None and await _writing(tab, node.backend):
            await page.keyboard.press("Control+A")
            if not action.text:
                await page.keyboard.press("Delete")
        await page.keyboard.type(action.text)
        if action.enter:
            await page.keyboard.press("Enter")
    return ""


async def press(page: Page, keys: str) -> str:
    """Press keys, such as "Enter" or "Control+a"; several combinations are separated by spaces."""
    for combination in keys.split():
        parts = combination.split("+") if combination != "+" else ["+"]
        named = "+".join(_KEYS.get(part.lower(), part) for part in parts)
        try:
            await page.keyboard.press(named)
        except Exception as error:
            if "Unknown key" not in str(error):
                raise
            return f"There is no key {combination!r}; write Enter, Tab, ArrowDown or Control+a."
    return ""


async def _chosen(tab: Tab, action: Action, node: AxNode) -> str | None:
    """Choose from a list or set a field without a cursor; None where it is neither."""
    assert node.backend is not None
    wanted = action.text if action.verb == "type" else None
    if (node.role in ("combobox", "listbox") and wanted is not None) or node.role == "option":
        done = await _called(tab, node.backend, _CHOOSE, wanted)
        if done == "missing":
            return f"The list has no choice {wanted!r}."
        if done == "disabled":
            return "That cannot be chosen: it is disabled."
        if done == "done":
            return ""
    if wanted is not None:
        done = await _called(tab, node.backend, _SET, wanted)
        if done == "done":
            return ""
        if done.startswith("wrong"):
            return (
                f"The field takes a {done.partition(' ')[2]} in the form of HTML, not {wanted!r}."
            )
    return None


async def _writing(tab: Tab, backend: int) -> bool:
    return await _called(tab, backend, _WRITING) == "True"


async def _called(tab: Tab, backend: int, function: str, *values: str | None) -> str:
    """What a function says of an element; "none" where it is gone."""
    try:
        return str(await tab.call(backend, function, *values))
    except Exception:
        return "none"


def _middle(node: AxNode) -> tuple[float, float] | None:
    if node.box is None:
        return None
    left, top, width, height = node.box
    return left + width / 2, top + height / 2
