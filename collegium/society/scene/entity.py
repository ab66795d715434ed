"""Entities: a shell around named components, and the order of phases they go through.

READY -> PRE_ACT -> POST_ACT -> UPDATE -> READY when it acts;
READY -> PRE_OBSERVE -> POST_OBSERVE -> UPDATE -> READY when it observes.
Every other order is a mistake of the program and raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from collegium.errors import BadInput
from collegium.kernel import gather

Phase = Literal["ready", "pre-act", "post-act", "pre-observe", "post-observe", "update"]

_NEXT: dict[Phase, tuple[Phase, ...]] = {
    "ready": ("pre-act", "pre-observe"),
    "pre-act": ("post-act",),
    "post-act": ("update",),
    "pre-observe": ("post-observe",),
    "post-observe": ("update",),
    "update": ("ready",),
}

Answer = Literal["free", "choice", "float"]


class PhaseError(Exception):
    """An entity was asked for something in the middle of something else."""


class ActionSpec(msgspec.Struct, frozen=True):
    """What an entity is asked to do.

    Attributes:
        call: The request; {name} stands for the entity.
        output: What is wanted: free text, one of the options, or a number.
        options: Of a choice.
    """

    call: str
    output: Answer = "free"
    options: tuple[str, ...] = ()

    def check(self) -> None:
        """Make sure that it makes sense.

        Raises:
            BadInput: A choice has no options, or the same twice; or something else has options.
        """
        if self.output == "choice":
            if not self.options or len(set(self.options)) != len(self.options):
                raise BadInput(f"a choice needs distinct options, not {list(self.options)}.")
        elif self.options:
            raise BadInput(f"a {self.output} answer has no options.")


class Component(Protocol):
    """A part of an entity. All methods but ``pre_act`` may do nothing."""

    async def pre_act(self, spec: ActionSpec) -> str:
        """What it contributes to an action."""
        ...

    async def post_act(self, attempt: str) -> None:
        """Hear what was done."""
        ...

    async def pre_observe(self, observation: str) -> None:
        """Take in an observation."""
        ...

    async def update(self) -> None:
        """Finish."""
        ...


class Acting(Protocol):
    """The one component that decides, from what all others contributed.

    Attributes:
        step: Which step of the scene it is; set by the Game Master.
    """

    step: int

    async def act(self, spec: ActionSpec, context: str) -> str:
        """What the entity does."""
        ...


class Entity:
    """A player or a Game Master.

    Args:
        name: Its name.
        components: Its parts by name. One that has two names runs once.
        acting: The component that decides.
        order: Components whose contributions come first, in this order; the rest follows in the
            order of the alphabet.

    Raises:
        BadInput: The order names a component that there is not.
    """

    def __init__(
        self,
        name: str,
        components: Mapping[str, Component],
        acting: Acting,
        order: Sequence[str] = (),
    ) -> None:
        unknown = [n for n in order if n not in components]
        if unknown:
            raise BadInput(f"{name} has no component {unknown[0]!r} to put in order.")
        self.name, self.components, self.acting = name, dict(components), acting
        self._order = [*order, *sorted(set(components) - set(order))]
        self.phase: Phase = "ready"

    async def act(self, spec: ActionSpec) -> str:
        """Decide what to do.

        Raises:
            PhaseError: The entity is in the middle of something else.
            BadInput: The specification makes no sense.
        """
        spec.check()
        self._go("pre-act")
        try:
            once = self._once()
            said = await gather(*(component.pre_act(spec) for component in once.values()))
            by_component = dict(zip(map(id, once.values()), said, strict=True))
            parts, seen = [], set()
            for name in self._order:
                key = id(self.components[name])
                if key not in seen and by_component[key]:
                    parts.append(by_component[key])
                seen.add(key)
            attempt = await self.acting.act(spec, "\n\n".join(parts))
            self._go("post-act")
            await gather(*(component.post_act(attempt) for component in once.values()))
            self._go("update")
            await gather(*(component.update() for component in once.values()))
            return attempt
        finally:
            self.phase = "ready"

    async def observe(self, observation: str) -> None:
        """Take in an observation.

        Raises:
            PhaseError: The entity is in the middle of something else.
        """
        self._go("pre-observe")
        try:
            once = self._once().values()
            await gather(*(component.pre_observe(observation) for component in once))
            self._go("post-observe")
            self._go("update")
            await gather(*(component.update() for component in once))
        finally:
            self.phase = "ready"

    def _once(self) -> dict[int, Component]:
        return {id(component): component for component in self.components.values()}

    def _go(self, phase: Phase) -> None:
        if phase not in _NEXT[self.phase]:
            raise PhaseError(f"{self.name} cannot go from {self.phase} to {phase}.")
        self.phase = phase
