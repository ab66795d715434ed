"""What was wrong with the actions of a run: format errors, invalid actions, repetitions.

The claims of arXiv 2403.19962 are about these: tuning is to cut actions that do not exist and
turns that do not keep the form. A run's actions are made again in a world of the same task, in the
order of the trace, so that an action is judged in the very state in which it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from collegium.kernel import Event, Generate, UseTool
from collegium.worlds.play import Playable
from collegium.worlds.world import OVER, Restore


class Form(msgspec.Struct, frozen=True):
    """What a turn has to hold: a thought, and an action that names a tool."""

    thought: str
    action: dict[str, Any]


class Audit(msgspec.Struct, frozen=True):
    """Rates of faults.

    Attributes:
        turns: Replies of the actor.
        format_errors: Of them, those that are no thought with an action.
        actions: Actions in the world, those that were taken back included.
        invalid: Of them, those that the world did not take: not among its moves, or refused.
        repeats: Of them, those that were made before with the same result.
    """

    turns: int = 0
    format_errors: int = 0
    actions: int = 0
    invalid: int = 0
    repeats: int = 0

    @property
    def format_error_rate(self) -> float:
        """Share of turns that do not keep the form; 0 where there is none."""
        return self.format_errors / self.turns if self.turns else 0.0

    @property
    def invalid_action_rate(self) -> float:
        """Share of actions that the world did not take."""
        return self.invalid / self.actions if self.actions else 0.0

    @property
    def repeat_rate(self) -> float:
        """Share of actions that were made before with the same result."""
        return self.repeats / self.actions if self.actions else 0.0


async def audit(
    events: Iterable[Event], world: Playable, *, actor: str = "actor", closed: bool = True
) -> Audit:
    """Judge the actions of a trace by making them again.

    Args:
        events: The trace.
        world: A world of the same task, reset with the same seed.
        actor: Who acts.
        closed: Whether the world lists every move that is possible; where it lists some alone,
            only what it refuses is invalid.
    """
    turns = errors = actions = invalid = repeats = 0
    done: set[tuple[str, str]] = set()
    for event in sorted(events, key=lambda e: e.id):
        call = event.call
        if isinstance(call, Generate) and call.agent == actor:
            turns += len(event.replies)
            errors += sum(not well_formed(r.text) for r in event.replies)
        elif isinstance(call, Restore) and not event.error:
            await world.restore(call.snapshot)
        elif isinstance(call, UseTool) and call.agent == actor:
            move = str(call.arguments.get("action", "")) if call.tool == "act" else _written(call)
            listed = closed and move.strip() not in world.actions()
            shown = await _again(world, event, move)
            actions += 1
            invalid += listed or bool(event.error) or shown.startswith("Error:")
            repeats += (move, shown) in done
            done.add((move, shown))
    return Audit(turns, errors, actions, invalid, repeats)


def well_formed(text: str) -> bool:
    """Whether a reply is a thought with an action that names a tool."""
    try:
        return "tool" in msgspec.json.decode(text, type=Form).action
    except msgspec.DecodeError:
        return False


def _written(call: UseTool) -> str:
    return f"{call.tool} {msgspec.json.encode(call.arguments).decode()}"


async def _again(world: Playable, event: Event, move: str) -> str:
    """Make a move again; what was to be seen, as the trace has it."""
    if event.error or world.last.done:
        return event.error
    await world.step(move)
    return str(event.value).removesuffix(OVER).strip()
