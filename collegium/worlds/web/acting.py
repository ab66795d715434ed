"""What all worlds in the browser share: actions as tools and in words, going back, the end.

A snapshot holds the moves. Restoring begins a new episode and makes them again, as long as the page
does the same for the same moves; a world whose sites can be put back does that first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

import msgspec

from collegium.errors import BadInput, CollegiumError
from collegium.kernel.calls import Unparsed
from collegium.kernel.tool import Tool, tool
from collegium.tasks.task import Score
from collegium.worlds.play import Turn, require_going
from collegium.worlds.web.actions import FORMS, STEPS, Action, early_stop, parse, written
from collegium.worlds.web.browser import Shared, shared
from collegium.worlds.web.session import Area, Session
from collegium.worlds.web.task import Mode
from collegium.worlds.world import OVER

T = TypeVar("T")

Form = Literal["typed", "text"]
"""How actions are given: a typed tool for each, or one tool that takes them as they are written."""

TOOLS: dict[Form, tuple[str, ...]] = {"typed": tuple(FORMS), "text": ("act",)}
"""Names of the tools by the form of actions."""

LIMIT = 4000
"""Characters of an observation. The original cuts it to 1,920 tokens and shows the last one alone;
most systems here keep all of them in their conversation."""

NOT_READ = "That is no action: {!r}. Actions are: {}."


class Move(msgspec.Struct, frozen=True):
    """A move that was made, and what its element was in the observation before it.

    Attributes:
        action: The action.
        place: Place of the element among those that were shown, for numbers that the browser
            chooses anew each time; -1 for none.
    """

    action: Action
    place: int = -1


class BrowserWorld:
    """A world in the browser; :class:`collegium.worlds.World` and ``Playable``.

    What an episode is about, a subclass says: :meth:`_begin` opens it, :meth:`_score` judges it.

    Args:
        mode: "fixed" or "compat": observations and actions with or without the original's faults.
        form: How actions are given.
        rounds: Actions after which it is over.
        stops: Whether it ends early when actions repeat or cannot be read.
        patience: Seconds that a page may take.

    Attributes:
        moves: The moves that were made.
        problem: Why there is nothing to act on; "" where there is.
        intro: What is said before the first observation.
        last: The last turn.
    """

    snapshots: Literal["replay"] = "replay"

    area: Area | None = None
    """The part of the window that pictures show, from its upper left; None: all of it."""

    def __init__(
        self,
        mode: Mode = "fixed",
        *,
        form: Form = "typed",
        rounds: int = STEPS,
        stops: bool = True,
        patience: float = 10.0,
    ) -> None:
        self.mode: Mode = mode
        self.patience = patience
        self._rounds, self._stops = rounds, stops
        self._browser: Shared = shared()
        self._session: Session | None = None
        self._turning: asyncio.Lock | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._seed: int | None = None
        self._answer: str | None = None
        self.moves: list[Move] = []
        self.problem = ""
        self.intro = ""
        self.last = Turn("")
        self._tools = _typed_tools(self) if form == "typed" else _text_tools(self)

    # What an episode is about.

    async def _begin(self, seed: int | None) -> Session:
        """Open the browser where the episode begins. Runs in the browser's thread.

        Raises:
            CollegiumError: It cannot begin; the message becomes :attr:`problem`.
        """
        raise NotImplementedError

    async def _score(self, session: Session, answer: str) -> Score:
        """Judge. Runs in the browser's thread."""
        raise NotImplementedError

    async def _over(self, session: Session) -> bool:
        """Whether the page itself says that it is over. Runs in the browser's thread."""
        return False

    # The interface of worlds.

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The actions."""
        return self._tools

    async def reset(self, seed: int | None = None) -> str:
        """Begin anew, in a new browser context."""
        self._seed, self.moves, self._answer, self.problem = seed, [], None, ""
        self.last = Turn(await self._in(self._reset(seed)), done=bool(self.problem))
        return self.last.observation

    def actions(self) -> tuple[str, ...]:
        """Clicks on all that is shown, and scrolling; what is typed is without end."""
        if self.last.done or self._session is None:
            return ()
        shown = self._session.seen.elements
        clicks = [written(Action("click", number)) for number, node in shown.items() if node.box]
        return (*clicks, "scroll [down]", "scroll [up]")

    async def step(self, action: str) -> Turn:
        """Make a move that is written as in the paper, and get its reward.

        Raises:
            BadInput: It is over.
        """
        turn = await self.make(parse(action, self.mode))
        if turn.done:
            self.last = msgspec.structs.replace(turn, reward=(await self.judge(None)).value)
        return self.last

    async def make(self, action: Action) -> Turn:
        """Make a move.

        Raises:
            BadInput: It is over, or never began.
        """
        if self.problem:
            raise BadInput(self.problem)
        require_going(self.last)
        seen, over = await self._in(self._turn(action))
        reason = ""
        if action.verb == "stop":
            self._answer, over = action.text, True
        elif not over and self._stops:
            reason = early_stop([m.action for m in self.moves], self.mode, self._rounds)
        elif not over and len(self.moves) >= self._rounds:
            reason = f"{self._rounds} actions were made"
        if reason:
            self._answer, over = f"Early stop: {reason}", True
            seen = f"{seen}\nStopped: {reason}."
        self.last = Turn(seen, 0.0, over)
        return self.last

    async def snapshot(self) -> bytes:
        """The moves that were made so far."""
        return msgspec.msgpack.encode((self._seed, self.moves))

    async def restore(self, snapshot: bytes) -> None:
        """Begin anew and make the moves of a snapshot again."""
        seed, moves = msgspec.msgpack.decode(snapshot, type=tuple[int | None, list[Move]])
        if (seed, moves) == (self._seed, self.moves) and self._session is not None:
            return
        await self.reset(seed)
        for move in moves:
            if self.last.done:
                break
            await self.make(self._again(move))

    async def judge(self, answer: Any) -> Score:
        """Judge the state there is, and the answer of the action "stop", else the one given."""
        if self._session is None or self.problem:
            reason = self.problem or "it was not begun"
            return Score(0.0, False, reason, {"not_run": True})
        said = "" if answer is None or isinstance(answer, Unparsed) else str(answer)
        said = self._answer if self._answer is not None else said
        try:
            return await self._in(self._score(self._session, said))
        except CollegiumError as error:
            return Score(0.0, False, str(error), {"unjudged": True})

    async def screenshot(self, *, small: bool = False) -> bytes:
        """The window as a PNG picture, or as a smaller JPEG.

        Raises:
            BadInput: There is nothing to be seen.
        """
        if self._session is None:
            raise BadInput(self.problem or "the world was not begun; reset it first.")
        return await self._in(self._session.screenshot(small=small, area=self.area))

    async def close(self) -> None:
        """Close its pages; cookies and storage are gone."""
        session, self._session = self._session, None
        if session is not None:
            await self._browser.run(session.close())

    # In the browser's thread.

    async def _in(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the browser's thread, one thing at a time."""
        self._home = asyncio.get_running_loop()

        async def alone() -> T:
            if self._turning is None:
                self._turning = asyncio.Lock()
            async with self._turning:
                return await work

        return await self._browser.run(alone())

    async def _at_home(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something, from the browser's thread, in the event loop that uses this world."""
        assert self._home is not None
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))

    async def _reset(self, seed: int | None) -> str:
        if self._session is not None:
            await self._session.close()
            self._session = None
        try:
            self._session = await self._begin(seed)
        except CollegiumError as error:
            self.problem = str(error)
            return f"There is nothing to act on: {error}"
        return self.intro + await self._session.observe(rest=True)

    async def _turn(self, action: Action) -> tuple[str, bool]:
        """Make an action; gives what is to be seen, and whether the page says that it is over."""
        assert self._session is not None
        place = _place(self._session, action)
        if action.verb in ("stop", "none"):
            forms = ", ".join(FORMS.values())
            self.moves.append(Move(action))
            return NOT_READ.format(action.text, forms) if action.verb == "none" else "", False
        try:
            seen = await self._made(action)
        except Exception as error:
            if self._session.alive:
                raise
            seen = await self._recovered(action, error)
        self.moves.append(Move(action, place))
        return seen, await self._over(self._session)

    async def _made(self, action: Action) -> str:
        assert self._session is not None
        problem = await self._session.act(action)
        return await self._session.observe(problem)

    async def _recovered(self, action: Action, error: Exception) -> str:
        """Begin anew in a new browser, since the old one died, and come back to where it was."""
        self._session = None
        try:
            self._session = await self._begin(self._seed)
        except CollegiumError:
            raise error from None
        await self._session.observe(rest=True)
        for move in self.moves:
            if move.action.verb not in ("stop", "none"):
                await self._made(self._again(move))
        return await self._made(action)

    def _again(self, move: Move) -> Action:
        """A move as it is made again: in ``compat`` its element has another number now."""
        if self.mode == "fixed" or move.place < 0 or self._session is None:
            return move.action
        shown = list(self._session.seen.elements)
        if move.place >= len(shown):
            return move.action
        return msgspec.structs.replace(move.action, element=shown[move.place])


def _place(session: Session, action: Action) -> int:
    shown = list(session.seen.elements)
    return shown.index(action.element) if action.element in shown else -1


def _said(turn: Turn) -> str:
    return f"{turn.observation}\n{OVER}".strip() if turn.done else turn.observation


def _text_tools(world: BrowserWorld) -> tuple[Tool, ...]:
    async def act(action: str) -> str:
        """Make one action as it is written: click [id], type [id] [text] [0|1], hover [id], press
        [keys], scroll [up|down], new_tab, tab_focus [number], close_tab, goto [url], go_back,
        go_forward, stop [answer].
        """
        return _said(await world.step(action))

    return (tool(act),)


def _typed_tools(world: BrowserWorld) -> tuple[Tool, ...]:
    async def make(action: Action) -> str:
        return _said(await world.make(action))

    async def click(id: int) -> str:
        """Click an element, by the number before it in the observation."""
        return await make(Action("click", id))

    async def type_(id: int, text: str, enter: bool = True) -> str:
        """Type a text into a field or choose it from a list; Enter is pressed afterwards."""
        return await make(Action("type", id, text, enter))

    async def hover(id: int) -> str:
        """Move the mouse over an element."""
        return await make(Action("hover", id))

    async def press(keys: str) -> str:
        """Press keys, such as Enter, ArrowDown or Control+a."""
        return await make(Action("press", text=keys))

    async def scroll(direction: Literal["up", "down"]) -> str:
        """Scroll the page by a window."""
        return await make(Action("scroll", text=direction))

    async def new_tab() -> str:
        """Open an empty tab."""
        return await make(Action("new_tab"))

    async def tab_focus(number: int) -> str:
        """Go to another tab, by its number."""
        return await make(Action("tab_focus", tab=number))

    async def close_tab() -> str:
        """Close the tab."""
        return await make(Action("close_tab"))

    async def goto(url: str) -> str:
        """Go to an address."""
        return await make(Action("goto", text=url))

    async def go_back() -> str:
        """Go back to the page before."""
        return await make(Action("go_back"))

    async def go_forward() -> str:
        """Go forward again."""
        return await make(Action("go_forward"))

    async def stop(answer: str = "") -> str:
        """End the task, with the answer if one is asked for, or N/A if it cannot be done."""
        return await make(Action("stop", text=answer))

    type_.__name__ = "type"
    made: tuple[Callable[..., Any], ...] = (
        *(click, type_, hover, press, scroll, new_tab, tab_focus, close_tab),
        *(goto, go_back, go_forward, stop),
    )
    return tuple(map(tool, made))
