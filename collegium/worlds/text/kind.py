"""What a text world is: a game in words, and the kind it is one of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

import msgspec

from collegium.errors import BadInput
from collegium.kernel.tool import Tool, tool
from collegium.tasks.task import Score
from collegium.worlds.play import Playable, Turn, playable, require_going
from collegium.worlds.world import OVER, Snapshots, World

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_SHARES = (("test", 0.2), ("validation", 0.4))

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


@runtime_checkable
class Game(Protocol):
    """One game, that is: one task of a text world. Nothing in it waits."""

    def begin(self, seed: int | None) -> str:
        """Begin anew and say what is to be seen; the seed decides what the task leaves open."""
        ...

    def step(self, action: str) -> Turn:
        """Make a move. A move that is not understood is a turn that says so."""
        ...

    def actions(self) -> Sequence[str]:
        """Moves that can be made now, or some of them where there is no end of them."""
        ...

    def judge(self, answer: Any) -> Score:
        """Judge the state there is; ``answer`` is what a system said in the end."""
        ...


@runtime_checkable
class Saved(Protocol):
    """A game that can be kept and taken up again; others are played anew up to the same move."""

    def save(self) -> bytes:
        """The whole state."""
        ...

    def load(self, data: bytes) -> None:
        """Go back to a state."""
        ...


class Stateful(Generic[S]):
    """A game all of whose changing state is the struct :attr:`state`."""

    state: S

    def save(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(self.state)

    def load(self, data: bytes) -> None:
        """Take a state up again."""
        self.state = msgspec.msgpack.decode(data, type=type(self.state))


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A text world: what there is to play, and how.

    Attributes:
        name: Its name as a benchmark and a world.
        description: One line for listings.
        rules: What a player is told before the first observation.
        rounds: Moves after which a play is over.
        size: How many tasks a split has.
        make: Makes the game of a task, by split and number; or a world of typed tools.
        source: Where the tasks come from, and the licence.
        licence: The licence alone.
        missing: What is needed and not here; "" when all is.
        tools: Names of the tools of its worlds.
        letters: Whether moves are made of letters, digits, commas and spaces alone, so that a
            client may leave everything else out.
        quick: Whether playing every task at random takes no time worth speaking of.
        stratum: The group of a task, by split and number.
        splits: What can be loaded.
        standing: Whether the rules are standing instructions, apart from the task's own text.
    """

    name: str
    description: str
    rules: str
    rounds: int
    size: Callable[[str], int]
    make: Callable[[str, int], Game | World]
    source: str
    licence: str
    missing: Callable[[], str] = lambda: ""
    tools: tuple[str, ...] = ("act",)
    letters: bool = False
    quick: bool = True
    stratum: Callable[[str, int], str] = lambda split, number: ""
    splits: tuple[str, ...] = SPLITS
    standing: bool = False

    def world(self, split: str, number: int, *, rounds: int | None = None) -> Playable:
        """Make the world of a task.

        Args:
            split: "train", "validation" or "test".
            number: The task, from 0.
            rounds: Moves after which it is over; None: the kind's own number.

        Raises:
            BadInput: There is no such task, or something is missing.
        """
        self.require(split, number)
        made = self.make(split, number)
        if isinstance(made, Game):
            return TextWorld(made, rounds or self.rounds)
        return playable(made, rounds or self.rounds)

    def require(self, split: str, number: int = 0) -> None:
        """Refuse a task that does not exist.

        Raises:
            BadInput: There is no such split or number, or something is missing.
        """
        if split not in SPLITS:
            raise BadInput(f"{self.name} has no split {split!r}; it has: {', '.join(SPLITS)}.")
        if problem := self.missing():
            raise BadInput(f"{self.name} cannot be played here: it needs {problem}.")
        size = self.size(split)
        if not 0 <= number < size:
            raise BadInput(
                f"{self.name} has the tasks 0 to {size - 1} in its split {split!r}, not {number}."
            )


class TextWorld:
    """A game as a :class:`~collegium.worlds.world.World`: its one tool is ``act``.

    Args:
        game: The game.
        rounds: Moves after which it is over; None: the game alone decides.
    """

    def __init__(self, game: Game, rounds: int | None = None) -> None:
        self.game, self.limit = game, rounds
        self.last = Turn("")
        self._moves: list[str] = []
        self._seed: int | None = None

        async def act(action: str) -> str:
            """Make one move in the world, in its own words; gives what is to be seen then."""
            turn = await self.step(action)
            return f"{turn.observation}\n{OVER}" if turn.done else turn.observation

        self._tools = (tool(act),)

    @property
    def snapshots(self) -> Snapshots:
        """The state, where the game can keep it; else the moves."""
        return "state" if isinstance(self.game, Saved) else "replay"

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The one tool."""
        return self._tools

    async def reset(self, seed: int | None = None) -> str:
        """Begin anew."""
        self._seed, self._moves = seed, []
        self.last = Turn(self.game.begin(seed))
        return self.last.observation

    def actions(self) -> tuple[str, ...]:
        """Moves that can be made now."""
        return () if self.last.done else tuple(self.game.actions())

    async def step(self, action: str) -> Turn:
        """Make a move.

        Raises:
            BadInput: The play is over.
        """
        require_going(self.last)
        turn = self.game.step(action.strip())
        self._moves.append(action)
        if self.limit is not None and len(self._moves) >= self.limit and not turn.done:
            seen = f"{turn.observation}\nNo moves are left."
            turn = msgspec.structs.replace(turn, observation=seen, done=True)
        self.last = turn
        return turn

    async def snapshot(self) -> bytes:
        """The state or the moves, as :attr:`snapshots` says."""
        saved = self.game.save() if isinstance(self.game, Saved) else b""
        return msgspec.msgpack.encode((self._seed, self._moves, self.last, saved))

    async def restore(self, snapshot: bytes) -> None:
        """Go back."""
        held = msgspec.msgpack.decode(snapshot, type=tuple[int | None, list[str], Turn, bytes])
        seed, moves, last, saved = held
        if isinstance(self.game, Saved):
            self._seed, self._moves, self.last = seed, moves, last
            self.game.load(saved)
            return
        await self.reset(seed)
        for move in moves:
            await self.step(move)

    async def judge(self, answer: Any) -> Score:
        """Judge the state."""
        return self.game.judge(answer)

    async def close(self) -> None:
        """Let the game go, if it holds something."""
        close = getattr(self.game, "close", None)
        if close is not None:
            close()


def part(things: Iterable[T], split: str, key: Callable[[T], str]) -> list[T]:
    """The things of a split: a fixed fifth to test, one to validate, the rest to train.

    Which is which depends on a hash of the key alone, so it is the same on every machine and stays
    when others are added. The things come in the order of their hashes.
    """
    placed = sorted(((_place(key(thing)), key(thing)), i) for i, thing in enumerate(things))
    whole = list(things)
    return [whole[i] for (place, _), i in placed if _split(place) == split]


def mixed(*parts: Any) -> int:
    """A number that depends on the parts alone, to seed with."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=4).digest(), "big")


def _place(key: str) -> float:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64


def _split(place: float) -> str:
    return next((name for name, below in _SHARES if place < below), "train")
