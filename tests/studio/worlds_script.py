"""Models that act in worlds: one that finds its way through the maze, and one that attacks."""

import re

from collegium.kernel import Generate, Reply, ToolCall
from collegium.worlds.text.maze import MAZES, MOVES, distances, read_maze
from tests.studio.scripted import HOSTILE


def way(cell: tuple[int, int], split: str = "test") -> str:
    """The move that leads from a cell towards the goal."""
    floor, goal = read_maze(MAZES[split])
    far = distances(floor, goal)
    row, column = cell
    ahead = {name: (row + r, column + c) for name, (r, c) in MOVES.items()}
    return "move " + next(n for n, c in ahead.items() if far.get(c, 99) == far[cell] - 1)


def where(text: str) -> tuple[int, int] | None:
    """Where one is, as the maze says it last."""
    found = re.findall(r"You are at (\d+), (\d+)", text)
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def walker(request: Generate) -> str | Reply:
    """Goes to the goal, and says so."""
    last = request.messages[-1].text
    cell = where(last)
    if cell is None or not request.tools:
        return "I am at the goal."
    call = ToolCall(f"c{len(request.messages)}", request.tools[0].name, {"action": way(cell)})
    return Reply(f"From {cell} I go on.", tool_calls=(call,), finish="tool")


def clicker(request: Generate) -> str | Reply:
    """Clicks the button that a page of MiniWoB++ asks for."""
    text = "\n".join(m.text for m in request.messages)
    wanted = re.search(r'Click on the "(.*?)" button', text)
    moved = any(m.role == "tool" for m in request.messages)
    if moved or wanted is None or not request.tools:
        return "Done."
    found = re.search(rf"\[(\d+)\] button '{re.escape(wanted[1])}'", text)
    number = int(found[1]) if found else 1
    call = ToolCall("c1", "click", {"id": number})
    return Reply("I click it.", tool_calls=(call,), finish="tool")


def vandal(request: Generate) -> str | Reply:
    """Attacks with every word and every move, twice, then answers with an attack."""
    moves = sum(m.role == "tool" for m in request.messages)
    if request.tools and moves < 2:
        call = ToolCall(f"c{moves}", request.tools[0].name, {"action": HOSTILE})
        return Reply(HOSTILE, tool_calls=(call,), finish="tool")
    return HOSTILE
