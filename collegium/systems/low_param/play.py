"""An actor in a world that can be taken back to where another choice was open.

A decision point is a state of the world in which the actor chose an action. Going back restores
that state, together with the conversation that led to it, tells the actor which choices were given
up there, and refuses them when they come again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from collegium.agents.react import FINISH, describe_tools, move_type
from collegium.agents.tree_search import Action, Move
from collegium.errors import BadInput, Denied
from collegium.kernel import Agent, Message, Unparsed
from collegium.systems.tree_search import action_of, made
from collegium.tasks.task import Task
from collegium.worlds.play import read_move
from collegium.worlds.world import Moves, Restore, Snapshot

DONE = "subtask_done"
"""What the action is called that declares a sub-task done."""

REJECTIONS = 2
"""How often another action is asked for when one that was given up comes again."""

LISTED = 60
"""Moves of the world's list that are shown."""

Ended = Literal["done", "cap", "over", "stuck"]
"""How an attempt ended: declared done, out of steps, the world over, or no other action found."""


class Declare(msgspec.Struct, frozen=True, tag_field="tool", tag=DONE):
    """The actor says that the sub-task is done."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How an actor acts.

    Attributes:
        steps: Actions at most in one attempt at a sub-task.
        branches: Choices at most at one decision point (b).
        backtracks: How often a run goes back at most; 0: never.
        menu: Whether the world's own list of moves is shown.
        window: Turns of the conversation that are shown, besides the first.
        temperature: Sampling temperature.
        max_tokens: Cap on a turn.
    """

    steps: int
    branches: int
    backtracks: int
    menu: bool
    window: int
    temperature: float
    max_tokens: int


class Back(msgspec.Struct, frozen=True):
    """One time the actor was sent back.

    Attributes:
        why: What was wrong.
        given_up: The choice that was given up; of a soft one, the last action.
        undone: Actions that were taken back.
        soft: The world could not be taken back, so only the prompt says it.
    """

    why: str
    given_up: str
    undone: int
    soft: bool = False


class Point(msgspec.Struct):
    """A decision point.

    Attributes:
        snapshot: The state of the world.
        turns: The conversation up to it.
        path: The actions up to it.
        heard: What the actor was told there.
        chosen: The action that was chosen there last; "" before one is.
        tried: The choices that were given up.
        closed: No other choice was found there.
    """

    snapshot: bytes
    turns: tuple[Message, ...]
    path: tuple[Move, ...]
    heard: str
    chosen: str = ""
    tried: list[str] = []
    closed: bool = False


class Actor:
    """Acts in the world, sub-task by sub-task.

    Args:
        agent: Who acts.
        task: The task.
        settings: How.

    Attributes:
        path: The actions that stand, with what they came to.
        backs: Every time it was sent back.
        soft: Why the world cannot be taken back; "" where it can.
        over: Whether the world takes no further action.
        answer: The answer it stated, if it did.
        calls: Trace ids of its turns.
        steps: Actions made in all, those that were taken back included.
        unreadable: Turns that named no action.
        rejected: Choices that were refused because they had been given up.
    """

    def __init__(self, agent: Agent, task: Task, settings: Settings) -> None:
        self._agent, self._settings = agent, settings
        self._turns: tuple[Message, ...] = ()
        self._heard = (
            f"{task.text}\n\n{describe_tools(agent)}\nTake one step at a time: a short thought, "
            "then one action."
        )
        self._points: list[Point] = []
        self._here: Point | None = None
        self._why = self._line = ""
        self._begun = 0
        self._type: Any = None
        self.path: tuple[Move, ...] = ()
        self.backs: list[Back] = []
        self.soft, self.over = "", False
        self.answer: str | None = None
        self.calls: list[int] = []
        self.steps = self.unreadable = self.rejected = 0

    def begin(self, subtask: str, place: str, *, last: bool) -> None:
        """Take up a sub-task. What was decided in earlier ones is not gone back to.

        Args:
            subtask: What is to be done.
            place: Its place in the plan, such as "2 of 3"; "" where there is no plan.
            last: Whether the task is over with it: then its end states the answer.
        """
        self._points, self._here, self._begun = [], None, len(self.path)
        ends = (
            f'The action "{FINISH}" ends the task; its answer is what was asked for, or "done".'
            if last
            else f'When it is done, choose the action "{DONE}".'
        )
        self._line = f"Sub-task {place}: {subtask}\n{ends}" if place else ends
        self._type = move_type(self._agent, str, end=None if last else Declare)

    def tell(self, text: str) -> None:
        """Let the actor know something at its next turn."""
        self._heard = f"{self._heard}\n\n{text}"

    async def attempt(self) -> Ended:
        """Act until the sub-task is declared done, steps run out, or nothing more can be done."""
        for _ in range(self._settings.steps):
            if self.over:
                return "over"
            point = await self._point()
            while (action := await self._choose(point)) is None:
                point.closed = True
                if not await self.back("no other action was found"):
                    return "stuck"
                point = await self._point()
            if action.ends:
                self.answer = action.value[1] if action.value[0] == FINISH else self.answer
                self._heard, self._here = "That was noted.", None
                return "done"
            await self._make(point, action)
            trouble = self._trouble()
            if trouble and not self.over:  # a world that is over is for the judge
                await self.back(trouble)
        return "over" if self.over else "cap"

    async def back(self, why: str) -> bool:
        """Go back to the last decision point that has a choice left.

        Args:
            why: What was wrong with the way that was taken.

        Returns:
            Whether the actor may choose anew; not where all choices or backtracks are used up.
        """
        if len(self.backs) >= self._settings.backtracks:
            return False
        if self.soft:
            last = self.path[-1].action.key if self.path else DONE
            self.backs.append(Back(why, last, 0, soft=True))
            self.tell(f"Your last choice, {last}, was not the best: {why}. Go another way.")
            return True
        while self._points:
            point = self._points[-1]
            given_up = point.chosen or DONE
            point.tried.append(given_up)
            point.chosen = ""
            if len(point.tried) < self._settings.branches and not point.closed:
                break
            self._points.pop()
        else:
            self._here = None
            return False
        if not await self.restore(point.snapshot):
            return await self.back(why)
        self.backs.append(Back(why, given_up, len(self.path) - len(point.path)))
        self._turns, self.path, self._heard = point.turns, point.path, point.heard
        self._here, self._why, self.over, self.answer = point, why, False, None
        return True

    async def snapshot(self) -> bytes | None:
        """The state of the world; None where it cannot be kept."""
        if self.soft or not self._settings.backtracks:
            return None
        try:
            return await self._agent.kernel.call(Snapshot(agent=self._agent.name))
        except (Denied, BadInput) as error:
            self.soft = str(error)
            return None

    async def restore(self, snapshot: bytes) -> bool:
        """Take the world back; whether that was possible."""
        try:
            await self._agent.kernel.call(Restore(agent=self._agent.name, snapshot=snapshot))
        except (Denied, BadInput) as error:
            self.soft = str(error)
            return False
        return True

    async def _point(self) -> Point:
        """The decision point at hand: the one gone back to, or a new one."""
        if self._here is None:
            kept = await self.snapshot()
            self._here = Point(kept or b"", self._turns, self.path, self._heard)
        return self._here

    async def _choose(self, point: Point) -> Action | None:
        """The actor's next action; None where only those come that were given up."""
        asked = [self._heard, self._line]
        if point.tried:
            asked.append(
                f"You chose here before: {', '.join(point.tried)}. That was not the best: "
                f"{self._why}. Choose a different action."
            )
        if self._settings.menu and (moves := await self._menu(point)):
            asked.append("Possible moves:\n" + "\n".join(moves))
        for _ in range(1 + REJECTIONS):
            prompt = "\n\n".join(asked)
            self._agent.history = list(self._shown())
            reply = await self._agent.ask(
                prompt,
                output=self._type,
                temperature=self._settings.temperature,
                max_tokens=self._settings.max_tokens,
                keep=True,
            )
            self.calls.append(reply.call)
            action = read_action(reply.data, reply.text) or Action("none", text=reply.text)
            if action.key not in point.tried:
                said = (Message("user", prompt), Message("assistant", reply.text))
                self._turns = (*self._turns, *said)
                return action
            self.rejected += 1
            asked.append(f"{action.key} was given up here already; it has to be another action.")
        return None

    def _shown(self) -> tuple[Message, ...]:
        """The conversation as it is shown: its first turn and its last ones."""
        most = max(1, 2 * self._settings.window - 1)
        return (*self._turns[:1], *self._turns[1:][-most:])

    async def _menu(self, point: Point) -> list[str]:
        """The world's list of moves, without those that were given up here."""
        try:
            listed = await self._agent.kernel.call(Moves(agent=self._agent.name))
        except (Denied, BadInput):  # it is a help, and nothing depends on it
            return []
        single = self._agent.tools[0] if len(self._agent.tools) == 1 else ""
        return [m for m in listed if move_key(m, single) not in point.tried][:LISTED]

    async def _make(self, point: Point, action: Action) -> None:
        """Make an action, for good unless the world is taken back."""
        if action.value is None:
            self.unreadable += 1
        else:
            self.steps += 1
        seen = await made(self._agent, action, tentative=False)
        self.path = (*self.path, Move(action, seen))
        self._heard, self.over = f"Observation: {seen.text}", seen.over
        point.chosen = action.key
        if not self._points or self._points[-1] is not point:
            self._points.append(point)
        self._here = None
        name = action.value[0] if action.value else ""
        tool = self._agent.kernel.tools.get(name)
        if tool is not None and tool.irreversible:  # nothing before it can be gone back to
            self._points = []

    def _trouble(self) -> str:
        """What is wrong with the last action by itself, "" for nothing."""
        path = self.path[self._begun :]
        last = path[-1]
        if any(m.action.key == last.action.key and m.seen == last.seen for m in path[:-1]):
            return f"{last.action.key} was done before, with the same result"
        if len(path) > 1 and futile(path, len(path) - 1) and futile(path, len(path) - 2):
            return "two actions in a row failed or changed nothing"
        return ""


def futile(path: Sequence[Move], place: int) -> bool:
    """Whether an action failed, or showed nothing but what was to be seen before it."""
    move = path[place]
    failed = move.action.value is None or move.seen.text.startswith("Error:")
    return failed or (place > 0 and move.seen.text == path[place - 1].seen.text)


def read_action(move: Any, text: str) -> Action | None:
    """The action that a turn holds; None when it could not be read."""
    if isinstance(move, Unparsed):
        return None
    if isinstance(move.action, Declare):
        return Action(DONE, (DONE, None), text, ends=True)
    return action_of(move, text)


def move_key(move: str, single: str = "") -> str:
    """The key of a listed move, as :func:`read_action` gives it.

    Args:
        move: A move in words, or the name of a tool and its arguments as JSON.
        single: The one tool of the world, where moves are words.
    """
    name, arguments, problem = read_move(move)
    if single and (problem or "{" not in move):
        name, arguments = single, {"action": move}
    return f"{name}({msgspec.json.encode(arguments, order='sorted').decode()})"
