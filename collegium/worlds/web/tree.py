"""The accessibility tree of a page as text: what an agent sees (section 3.2 of WebArena).

``compat`` prints what the original prints. ``fixed`` mends this:

* **In the viewport**: the original multiplies by the height where it should divide, so that hardly
  anything is ever left out. Here it is the share of the element, or of the window if that is
  smaller, that can be seen.
* **Repeated text** is left out where an element around it has it in its name. The original leaves
  it out when it occurs anywhere in the three lines before: a "6" after a line with number 16 is
  gone.
* **Choices** of a closed list have no place on the page, so the original loses them. They are shown
  and can be clicked.
* **Numbers** of elements count up through an episode, so that one that has gone is never another
  one, and the same moves give the same numbers. The original shows the browser's own.
* What can be clicked but has no name is shown; values of fields are shown; properties that say
  nothing are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from collegium.worlds.web.task import Mode

Box = tuple[float, float, float, float]
"""Left, top, width and height, in pixels of the window."""

VISIBLE = 0.6
"""The share of an element that has to be in the window."""

CHOICES = 50
"""Choices of one list that are shown."""

NAME = 400
"""Characters of a name that are shown (``fixed``)."""

_UNSAID = {"focusable", "editable", "readonly", "level", "settable", "multiline", "invalid"}
_NEWER = {"url", "labelledby", "describedby"}
"""Properties that browsers did not have when the original was written."""
_NAMELESS = {
    "generic",
    "img",
    "list",
    "strong",
    "paragraph",
    "banner",
    "navigation",
    "Section",
    "LabelText",
    "Legend",
    "listitem",
}
_NAMED_BY_CONTENT = {
    "button",
    "cell",
    "columnheader",
    "gridcell",
    "heading",
    "LayoutTableCell",
    "link",
    "menuitem",
    "option",
    "rowheader",
    "tab",
    "treeitem",
}
_INSIDE = {"InlineTextBox", "ListMarker", "MenuListPopup"}
"""Roles that say nothing which the element around them does not say."""
_SAID = ("checked", "selected", "pressed", "expanded", "disabled", "required", "focused")
_ALWAYS = ("checked", "pressed", "expanded")
"""Properties that say something when they are false, too."""


class AxNode(msgspec.Struct, eq=False):
    """A node of the tree.

    Attributes:
        key: Unique among all frames of the page.
        backend: The browser's number of its element; None for what is no element.
        role: What it is.
        name: What it is called; None where the browser leaves it out of the tree.
        value: What a field holds.
        properties: Its properties by name.
        children: Keys of its children.
        box: Where it is; None where nothing is drawn.
        clickable: Whether a click does something.
    """

    key: str
    backend: int | None
    role: str
    name: str | None
    value: str
    properties: dict[str, Any]
    children: list[str]
    box: Box | None = None
    clickable: bool = False


class Line(msgspec.Struct, frozen=True):
    """An element as it is printed."""

    depth: int
    number: int
    node: AxNode
    text: str


class Tree(msgspec.Struct, frozen=True):
    """A page as it is printed.

    Attributes:
        text: The lines.
        elements: The elements by their numbers.
    """

    text: str
    elements: dict[int, AxNode]


Numbers = Callable[[AxNode], int]
"""Gives the number of an element."""


def read_tree(
    root: Sequence[Mapping[str, Any]],
    snapshot: Mapping[str, Any],
    frames: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> dict[str, AxNode]:
    """Make one tree of what the browser tells; the first node is the root.

    Args:
        root: Nodes of the main frame (``Accessibility.getFullAXTree``).
        snapshot: Where elements are (``DOMSnapshot.captureSnapshot``), without styles.
        frames: Nodes of further frames by frame id; they are put below the frame's element.
    """
    placed = _placed(snapshot)
    nodes: dict[str, AxNode] = {}
    _read_frame("", root, placed, nodes)
    for frame, listed in (frames or {}).items():
        owner = placed.owners.get(frame)
        if listed and owner is not None:
            _read_frame(frame, listed, placed, nodes)
            for node in nodes.values():
                if node.backend == owner:
                    node.children.append(f"{frame}:{listed[0]['nodeId']}")
                    break
    return nodes


class _Placed(msgspec.Struct):
    """Where elements are: boxes and clickable ones by backend number, and who owns a frame."""

    boxes: dict[int, Box] = {}
    clickable: set[int] = set()
    owners: dict[str, int] = {}


def _placed(snapshot: Mapping[str, Any]) -> _Placed:
    found = _Placed({}, set(), {})
    documents, strings = snapshot["documents"], snapshot["strings"]
    waiting: list[tuple[int, float, float]] = [(0, 0.0, 0.0)]
    while waiting:
        index, left, top = waiting.pop()
        document = documents[index]
        left -= document.get("scrollOffsetX", 0)
        top -= document.get("scrollOffsetY", 0)
        backend = document["nodes"]["backendNodeId"]
        layout = document["layout"]
        for node, (x, y, width, height) in zip(layout["nodeIndex"], layout["bounds"], strict=True):
            found.boxes.setdefault(backend[node], (x + left, y + top, width, height))
        found.clickable |= {backend[n] for n in document["nodes"]["isClickable"]["index"]}
        inner = document["nodes"]["contentDocumentIndex"]
        for node, child in zip(inner["index"], inner["value"], strict=True):
            box = found.boxes.get(backend[node])
            found.owners[strings[documents[child]["frameId"]]] = backend[node]
            if box:
                waiting.append((child, box[0], box[1]))
    return found


def _read_frame(
    frame: str,
    listed: Sequence[Mapping[str, Any]],
    placed: _Placed,
    nodes: dict[str, AxNode],
) -> None:
    for raw in listed:
        key = f"{frame}:{raw['nodeId']}"
        if key in nodes:  # the browser sometimes tells of a node twice
            continue
        backend = raw.get("backendDOMNodeId")
        name = raw.get("name", {}).get("value")
        nodes[key] = AxNode(
            key=key,
            backend=backend,
            role=str(raw.get("role", {}).get("value", "")),
            name=None if raw.get("ignored") or name is None else str(name),
            value=str(raw.get("value", {}).get("value", "")),
            properties={
                p["name"]: p.get("value", {}).get("value") for p in raw.get("properties", ())
            },
            children=[f"{frame}:{child}" for child in raw.get("childIds", ())],
            box=placed.boxes.get(backend) if backend is not None else None,
            clickable=backend in placed.clickable,
        )


def print_tree(
    nodes: Mapping[str, AxNode],
    window: tuple[int, int] | None,
    mode: Mode,
    numbers: Numbers,
    limit: int | None = None,
) -> Tree:
    """Print a tree, one element a line, a tab for each level.

    Args:
        nodes: The tree; its first node is the root.
        window: Width and height of the window, outside of which nothing is shown; None: all is.
        mode: "fixed" or "compat".
        numbers: Gives the number of an element.
        limit: Characters at most; what is left out is said in a last line.
    """
    lines = list(_lines(nodes, window, mode, numbers))
    kept = _without_repeats_compat(lines) if mode == "compat" else lines
    text: list[str] = []
    length = 0
    for place, line in enumerate(kept):
        written = "\t" * line.depth + line.text
        length += len(written) + 1
        if limit is not None and length > limit:
            text.append(f"... {len(kept) - place} more elements are not shown; scroll to see them.")
            break
        text.append(written)
    return Tree("\n".join(text), {line.number: line.node for line in kept})


def _lines(
    nodes: Mapping[str, AxNode], window: tuple[int, int] | None, mode: Mode, numbers: Numbers
) -> Iterator[Line]:
    """The elements that are shown, before repeated text is left out in ``compat``."""
    if not nodes:
        return
    root = next(iter(nodes))
    seen: set[str] = set()
    stack: list[tuple[str, int, str, bool]] = [(root, 0, "", False)]
    while stack:
        key, depth, around, chosen = stack.pop()
        node = nodes.get(key)
        if node is None or key in seen:
            continue
        seen.add(key)
        shown = key == root or chosen or window is None or in_window(node.box, window, mode)
        text = ""
        if shown and node.role not in _INSIDE:
            text = _compat(node) if mode == "compat" else _fixed(node, around)
        inner, below = around, depth
        if text:
            number = numbers(node)
            yield Line(depth, number, node, f"[{number}] {text}")
            below = depth + 1
            if node.role in _NAMED_BY_CONTENT:
                inner = " ".join((node.name or "").split())
        children = node.children
        of_list = chosen or (mode == "fixed" and node.role in ("combobox", "listbox") and shown)
        if of_list and node.role == "MenuListPopup":
            children = children[:CHOICES]
        closed = of_list and node.role in ("combobox", "MenuListPopup", "group", "listbox")
        stack.extend((child, below, inner, closed) for child in reversed(children))


def in_window(box: Box | None, window: tuple[int, int], mode: Mode) -> bool:
    """Whether an element counts as visible.

    Args:
        box: Where it is, if anywhere.
        window: Width and height of the window.
        mode: In ``compat`` the share is computed with the original's slip.
    """
    if box is None or box[2] <= 0 or box[3] <= 0:
        return False
    left, top, width, height = box
    across = max(0.0, min(left + width, window[0]) - max(left, 0.0))
    down = max(0.0, min(top + height, window[1]) - max(top, 0.0))
    if mode == "compat":
        return across * down / width * height >= VISIBLE
    most = min(width, window[0]) * min(height, window[1])
    return across * down / most >= VISIBLE


def _compat(node: AxNode) -> str:
    """An element as the original prints it; "" when it does not."""
    if node.name is None:
        return ""
    said = [
        f"{key}: {_said(value)}"
        for key, value in node.properties.items()
        if key not in _UNSAID | _NEWER and value is not None
    ]
    if not node.name.strip() and (
        (not said and node.role in _NAMELESS) or (said and node.role == "listitem")
    ):
        return ""
    return " ".join([node.role, repr(node.name), *said])


def _fixed(node: AxNode, around: str) -> str:
    """An element as it should be printed; "" when it says nothing.

    Args:
        node: The element.
        around: The name of the element around it whose text it may be.
    """
    if node.name is None:
        return ""
    name = " ".join(node.name.split())
    if node.role == "StaticText":
        return "" if not name or name in around else f"StaticText {_short(name)!r}"
    said = []
    for key in _SAID:
        value = node.properties.get(key)
        if value in (True, "true", "mixed") or (key in _ALWAYS and value in (False, "false")):
            said.append(f"{key}: {_said(value)}")
    value = " ".join(node.value.split())
    if value and value != name:
        said.append(f"value: {_short(value)!r}")
    acts = node.clickable or bool(node.properties.get("focusable"))
    if not name and (not acts or node.role in ("LabelText", "RootWebArea", "Iframe")):
        return ""
    if not name and node.properties.get("editable") and node.role == "generic":
        return ""  # the inside of a field
    if node.clickable and node.role in ("generic", "SvgRoot", "graphics-symbol", "image"):
        said.append("clickable")
    return " ".join([node.role, repr(_short(name)), *said])


def _said(value: Any) -> str:
    return {"true": "True", "false": "False"}.get(str(value), str(value))


def _short(text: str) -> str:
    return text if len(text) <= NAME else text[:NAME] + "..."


def _without_repeats_compat(lines: Sequence[Line]) -> list[Line]:
    """Leave out text that occurs anywhere in the three lines kept before it."""
    kept: list[Line] = []
    for line in lines:
        if "statictext" in line.text.lower():
            if line.node.role != "StaticText" or not line.node.name:
                continue
            inner = repr(line.node.name)[1:-1]
            if any(inner in before.text for before in kept[-3:]):
                continue
        kept.append(line)
    return kept
