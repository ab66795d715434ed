"""The loop guard: ends an agent that goes in circles, by what it does and what comes of it.

The answer to the infinite-loop attack of *Breaking Agents* (arXiv 2407.20859), which makes an agent
repeat one action until its budget is gone. It looks at no text of a model, only at the record of
calls. A step is a call of a tool, or of a kind that others added, such as a move in a world. Three
rules, each for every agent on its own:

1. The same call occurs for the third time with the same observation, adjacent or not.
2. A cycle of two to four steps, at least two of them distinct, is completed for the third time,
   whatever was observed.
3. Five steps in a row bring nothing that the agent had not observed before.

Two calls are the same when tool and arguments are, whatever the order of the arguments and however
white space is laid out. Asking the same thing again and again is not a loop as long as the answers
differ (polling). A refusal is an observation as well: an agent that runs against the same wall
three times is stopped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any

import msgspec

from collegium.errors import CollegiumError, LimitReached, Stopped
from collegium.guard.check import arguments_of, name_of
from collegium.guard.policy import Loops
from collegium.kernel import AskHuman, Call, Generate, Receive, Send, UseTool
from collegium.kernel.resources import RESOURCE_CALLS
from collegium.worlds.world import Moves, Restore, Snapshot

NO_STEPS: frozenset[type[Call]] = RESOURCE_CALLS | frozenset(
    (Generate, Send, Receive, AskHuman, Snapshot, Restore, Moves)
)
"""Kinds of calls that are no steps: their answers say nothing of whether the agent gets on. Neither
do moves that are only tried out: a search makes the same ones again and again."""


class Trip(msgspec.Struct, frozen=True):
    """A loop that was found.

    Attributes:
        rule: 1, 2 or 3.
        step: The agent's step at which it was found, from 1.
        reason: What was seen.
    """

    rule: int
    step: int
    reason: str


class Walk:
    """The steps of one agent.

    Args:
        loops: When they count as a loop; a number of 0 turns its rule off.
    """

    def __init__(self, loops: Loops = Loops()) -> None:
        self._loops = loops
        self._calls: list[str] = []
        self._seen: set[str] = set()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._stale = 0

    def begin(self, call: str) -> None:
        """Note a step that is about to be made."""
        self._calls.append(call)

    def end(self, call: str, observation: str, name: str = "") -> Trip | None:
        """Note what came of a step; says whether that closes a loop.

        Args:
            call: The call, in canonical form.
            observation: Its digest.
            name: What to call it in the reason.
        """
        loops, step = self._loops, len(self._calls)
        self._pairs[call, observation] += 1
        self._stale = self._stale + 1 if observation in self._seen else 0
        self._seen.add(observation)
        if loops.repeats and self._pairs[call, observation] >= loops.repeats:
            reason = f"{name or 'the same call'} gave the same result {loops.repeats} times"
            return Trip(1, step, reason)
        if period := self._cycle():
            reason = f"a cycle of {period} steps was repeated {loops.cycles} times"
            return Trip(2, step, reason)
        if loops.stale and self._stale >= loops.stale:
            return Trip(3, step, f"{loops.stale} steps in a row brought nothing new")
        return None

    def _cycle(self) -> int:
        """The period of the cycle that the last steps complete, 0 for none."""
        calls, times = self._calls, self._loops.cycles
        if not times:
            return 0
        for period in range(2, self._loops.period + 1):
            last = calls[-period * times :]
            whole = len(last) == period * times
            if whole and last == last[:period] * times and len(set(last)) > 1:
                return period
        return 0


class LoopGuard:
    """Interceptor that ends the run of an agent that goes in circles.

    It stands outside the guard, so that refused calls count as steps. Steps that an agent makes
    side by side count in the order in which they begin.

    Args:
        loops: When it does.

    Attributes:
        trips: The loops that were found, by agent.
    """

    def __init__(self, loops: Loops = Loops()) -> None:
        self._walks: defaultdict[str, Walk] = defaultdict(lambda: Walk(loops))
        self._ended = ""
        self.trips: dict[str, Trip] = {}

    async def __call__(self, call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        """Hand a call on, and look at what came of it.

        Raises:
            Stopped: It closes a loop, or a loop was closed before.
        """
        if self._ended:
            raise Stopped(self._ended)
        if type(call) in NO_STEPS or (isinstance(call, UseTool) and call.tentative):
            return await proceed(call)
        walk, step = self._walks[call.agent], canonical(call)
        walk.begin(step)
        try:
            result = await proceed(call)
        except LimitReached:
            raise
        except CollegiumError as error:
            self._note(walk, call, step, f"{type(error).__name__}: {error}")
            raise
        self._note(walk, call, step, result)
        return result

    def _note(self, walk: Walk, call: Call, step: str, result: Any) -> None:
        trip = walk.end(step, digest(result), name_of(call))
        if trip is None:
            return
        self.trips.setdefault(call.agent, trip)
        self._ended = (
            f"the loop guard ended the run: agent {call.agent!r} goes in circles "
            f"(rule {trip.rule}: {trip.reason})."
        )
        raise Stopped(self._ended)


def canonical(call: Call) -> str:
    """A call as it is compared: name and arguments, sorted, with white space normalised."""
    arguments = _tidy(msgspec.to_builtins(arguments_of(call), enc_hook=repr))
    return msgspec.json.encode([name_of(call), arguments], order="sorted").decode()


def _tidy(value: Any) -> Any:
    """A value whose texts have single spaces."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, dict):
        return {key: _tidy(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_tidy(part) for part in value]
    return value


def digest(observation: Any) -> str:
    """Digest of what a step gave."""
    encoded = msgspec.json.encode(observation, enc_hook=repr, order="sorted")
    return blake2b(encoded, digest_size=16).hexdigest()
