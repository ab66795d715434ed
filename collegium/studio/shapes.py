"""What a method has to show: its argument graph, tree, votes or steps, its files, its account."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from collegium.bench.jobs import answer_text
from collegium.kernel.trace import plain
from collegium.studio.graphs import (
    Drawn,
    argument_graph,
    flat,
    framework_of,
    nested,
    tree_graph,
)
from collegium.studio.safe import said, shown, tag
from collegium.systems import Result

MOST_FILE = 60_000
MOST_CELL = 160


def show_shape(result: Result) -> bool:
    """Draw what the notes of a run describe; False when they describe nothing that is drawn."""
    notes = result.notes
    drawn = False
    if (found := framework_of(notes)) is not None:
        with tag("section", cls="section"):
            tag("h2", "Argument graph")
            argument_graph(*found)
        drawn = True
    for number, root in enumerate(trees_of(notes), 1):
        with tag("section", cls="section"):
            tag("h2", f"Search tree {number}")
            tree_graph(root, f"Search tree {number}")
        drawn = True
    if (rows := _rounds(notes)) is not None:
        with tag("section", cls="section"):
            tag("h2", "Answers by round")
            _round_table(rows, notes)
        drawn = True
    if steps := _steps(notes):
        with tag("section", cls="section"):
            tag("h2", "Steps")
            with tag("ol", cls="steps"):
                for step in steps:
                    tag("li", shown(step, 300))
        drawn = True
    return drawn


def trees_of(notes: Mapping[str, Any]) -> list[Drawn]:
    """The trees in the notes of a run, in the two forms in which methods keep them."""
    found: list[Drawn] = []
    for subtask in _list(notes.get("subtasks")):
        if isinstance(subtask, dict) and isinstance(subtask.get("tree"), dict):
            found.append(nested(subtask["tree"], _turn))
    for nodes in _list(notes.get("trees")):
        if isinstance(nodes, list) and nodes and all(isinstance(n, dict) for n in nodes):
            found.append(flat(nodes, _action))
    return found


def _turn(node: Mapping[str, Any]) -> Drawn:
    """A turn of an agent in a Monte Carlo tree search."""
    role = str(node.get("role") or "question")
    score = node.get("score")
    answer = node.get("answer")
    label = role if answer is None else f"{role}: {answer_text(answer)}"
    full = f"{label} · judge: {node.get('judge')} · score {score} · visits {node.get('n')}"
    mark = {"success": "good", "fail": "bad"}.get(str(node.get("judge")), "")
    return Drawn(label, full, mark)


def _action(node: Mapping[str, Any]) -> Drawn:
    """An action that a search tried in a world."""
    value = node.get("value")
    worth = "" if value is None else f" {value:.2f}"
    full = (
        f"{node.get('action')} · value {value} · tried {node.get('expansion')} · {node.get('seen')}"
    )
    mark = "bad" if node.get("refused") else "good" if node.get("expansion") else "dim"
    return Drawn(f"{node.get('action')}{worth}", full, mark)


def _rounds(notes: Mapping[str, Any]) -> list[list[Any]] | None:
    """Answers by round and agent, where a debate kept them."""
    rows = notes.get("answers")
    if isinstance(rows, list) and rows and all(isinstance(row, list) and row for row in rows):
        return rows
    return None


def _round_table(rows: Sequence[Sequence[Any]], notes: Mapping[str, Any]) -> None:
    names = [str(n) for n in _list(notes.get("roles"))]
    width = max(map(len, rows))
    with tag("div", cls="wide", tabindex="0"), tag("table", cls="plain rounds"):
        with tag("thead"), tag("tr"):
            tag("th", "Round", scope="col")
            for i in range(width):
                tag("th", names[i] if i < len(names) else f"Agent {i + 1}", scope="col")
        with tag("tbody"):
            for number, row in enumerate(rows, 1):
                with tag("tr"):
                    tag("th", number, scope="row")
                    for answer in row:
                        text = answer_text(plain(answer)) if answer is not None else ""
                        tag("td", shown(text or "–", MOST_CELL))
    votes = notes.get("votes")
    if isinstance(votes, int):
        tag("p", f"{votes} of {len(rows[-1])} in the last round gave the answer.", cls="dim small")


def _steps(notes: Mapping[str, Any]) -> list[str]:
    """The steps of a plan that was followed."""
    for name in ("path", "committed"):
        steps = notes.get(name)
        if isinstance(steps, list) and steps and all(isinstance(s, str) for s in steps):
            return steps
    return []


def show_account(result: Result) -> None:
    """Why this answer, in the method's own words."""
    if result.account:
        with tag("section", cls="section"):
            tag("h2", "Account")
            said(result.account, cls="card mono account")


def show_files(files: Mapping[str, str]) -> None:
    """What a method made; pictures are shown as pictures, in which nothing can run."""
    if not files:
        return
    with tag("section", cls="section"):
        tag("h2", "Files")
        for name, text in files.items():
            with tag("details", cls="file"):
                with tag("summary"):
                    tag("span", shown(name, 200), cls="mono")
                    tag("span", f"{len(text):,} characters", cls="dim small")
                if name.endswith(".svg") and len(text) < 2_000_000:
                    _image(name, text)
                else:
                    said(text, cls="mono card", most=MOST_FILE)


def _image(name: str, text: str) -> None:
    """A drawing as a picture: a browser runs no script in one and fetches nothing for it."""
    packed = base64.b64encode(text.encode("utf-8", "replace")).decode()
    made = tag("img", alt=f"Picture {shown(name, 100)}", cls="file-picture")
    made.props["src"] = f"data:image/svg+xml;base64,{packed}"


def show_notes(notes: Mapping[str, Any]) -> None:
    """All the notes as data, for whoever wants them."""
    if not notes:
        return
    written = msgspec.json.format(msgspec.json.encode(notes, enc_hook=repr), indent=2).decode()
    with tag("details", cls="file"):
        tag("summary", "Notes of the method")
        said(written, cls="mono card", most=MOST_FILE)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
