"""Who may read, write and destroy what: privilege groups, and permission for what can't be undone.

An agent always reaches its own memory and files. It reaches another agent's only through a group
that the other shared them with and that it belongs to (the access manager of AIOS, section 3.8).
Whatever cannot be undone asks for permission first. A refusal is raised where the call is made,
inside the trace, so every denied attempt stands there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal

import msgspec

from collegium.errors import Denied

EVERYONE = "everyone"
"""The group that every agent belongs to."""

GROUP_MARK = "@"
"""``@team`` names what belongs to the group ``team`` rather than to an agent."""

Right = Literal["read", "write"]


class Permission(msgspec.Struct, frozen=True):
    """What an agent asks leave to do.

    Attributes:
        agent: Who asks.
        action: What it wants to do: "delete", "overwrite", "forget", "share", "use" (a tool that
            cannot be undone), ...
        target: To what.
    """

    agent: str
    action: str
    target: str

    def __str__(self) -> str:
        return f"agent {self.agent!r} wants to {self.action} {self.target}"


Ask = Callable[[Permission], Awaitable[bool]]
"""Answers a request for permission: the person at the terminal or page, or a rule."""


async def always(permission: Permission) -> bool:
    """Permit everything: for what ends with the run."""
    return True


class Access:
    """Privilege groups and permissions of the agents of one machine or kernel.

    Args:
        groups: Groups of each agent, by agent name.
        ask: Asked before anything that cannot be undone; None refuses it.
    """

    def __init__(
        self, groups: Mapping[str, Iterable[str]] | None = None, *, ask: Ask | None = None
    ) -> None:
        self._groups = {agent: set(names) for agent, names in (groups or {}).items()}
        self._shared: defaultdict[str, dict[str, bool]] = defaultdict(dict)
        self._ask = ask

    def groups(self, agent: str) -> frozenset[str]:
        """The groups an agent belongs to."""
        return frozenset(self._groups.get(agent, ())) | {EVERYONE}

    def join(self, agent: str, group: str) -> None:
        """Put an agent into a group: the user's decision, not an agent's."""
        self._groups.setdefault(agent, set()).add(group)

    def leave(self, agent: str, group: str) -> None:
        """Take an agent out of a group."""
        self._groups.get(agent, set()).discard(group)

    def share(self, owner: str, group: str, *, write: bool = False) -> None:
        """Let a group read, or also write, what an agent owns."""
        self._shared[owner][group] = write

    def unshare(self, owner: str, group: str) -> None:
        """Take that back."""
        self._shared[owner].pop(group, None)

    def allows(self, agent: str, owner: str, right: Right) -> bool:
        """Whether an agent may read or write what an owner (an agent, or ``@group``) has."""
        if agent == owner:
            return True
        mine = self.groups(agent)
        if owner.startswith(GROUP_MARK):
            return owner[len(GROUP_MARK) :] in mine
        return any(
            group in mine and (right == "read" or write)
            for group, write in self._shared.get(owner, {}).items()
        )

    def check(self, agent: str, owner: str, right: Right, what: str) -> None:
        """Make sure of :meth:`allows`.

        Args:
            agent: Who wants to.
            owner: Whose it is.
            right: What it wants to do.
            what: What it is, for the message: "memory", "file notes.md".

        Raises:
            Denied: It may not.
        """
        if self.allows(agent, owner, right):
            return
        if owner.startswith(GROUP_MARK):
            way = f"it is not a member of the group {owner[len(GROUP_MARK) :]!r}"
        else:
            way = f"{owner!r} shares it with no group that {agent!r} belongs to"
        raise Denied(f"agent {agent!r} may not {right} the {what} of {owner!r}: {way}.")

    async def permit(self, agent: str, action: str, target: str) -> None:
        """Ask for permission to do what cannot be undone.

        Raises:
            Denied: It was refused, or there is nobody to ask.
        """
        wanted = Permission(agent, action, target)
        if self._ask is None:
            raise Denied(f"{wanted}, which cannot be undone, and there is nobody to permit it.")
        if not await self._ask(wanted):
            raise Denied(f"{wanted}: permission was refused.")
