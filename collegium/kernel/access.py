"""Who may read, write and destroy what: privilege groups, and permission for what can't be undone.

An agent always reaches its own memory and files. It reaches another agent's only through a group
that the other shared them with and that it belongs to (the access manager of AIOS, section 3.8).
Sharing is the owner's call; who belongs to a group is the user's decision, so no call changes it.
Whatever cannot be undone asks for permission first. A refusal is raised where the call is made,
inside the trace, so every denied attempt stands there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput, Denied, unknown_name
from collegium.kernel.atomic import Busy, locked, replace
from collegium.kernel.calls import Call
from collegium.kernel.resources import Share

EVERYONE = "everyone"
"""The group that every agent belongs to."""

GROUP_MARK = "@"
"""``@team`` names what belongs to the group ``team`` rather than to an agent."""

LOCK_SECONDS = 5.0
"""How long to wait for another process that changes who may do what."""

Right = Literal["read", "write"]

PHRASES = {
    "share": "share its memory and files with",
    "share-for-writing": "share its memory and files, for writing too, with",
}
"""How a question for permission says an action; any other is said by its name."""


class Permission(msgspec.Struct, frozen=True):
    """What an agent asks leave to do.

    Attributes:
        agent: Who asks.
        action: What it wants to do: "delete", "overwrite", "forget", "share",
            "share-for-writing", "use" (a tool that cannot be undone), ...
        target: To what: ``owner/path`` of a file, ``@group`` that something is shared with, ...
    """

    agent: str
    action: str
    target: str

    def __str__(self) -> str:
        action = PHRASES.get(self.action, self.action)
        return f"agent {self.agent!r} wants to {action} {self.target}"


Ask = Callable[[Permission], Awaitable[bool]]
"""Answers a request for permission: the person at the terminal or page, or a rule."""


async def always(permission: Permission) -> bool:
    """Permit everything: for what ends with the run."""
    return True


def by_rules(allowed: Collection[str]) -> Ask:
    """Permit what a list allows and refuse the rest, asking nobody.

    Args:
        allowed: Rules, each an action ("delete"), or an action and a pattern that its target must
            match as a whole ("delete ann/drafts/*", "share @team"; ``*`` stands for any text).

    Raises:
        BadInput: A rule is empty, or ``allowed`` is one string rather than several.
    """
    if isinstance(allowed, str) or not all(rule.split() for rule in allowed):
        raise BadInput(
            f"permission rules {allowed!r}: expected a list such as ['delete ann/drafts/*']."
        )
    rules = [(a, pattern.strip() or "*") for a, _, pattern in (r.partition(" ") for r in allowed)]

    async def ask(permission: Permission) -> bool:
        return any(
            permission.action == action and fnmatchcase(permission.target, pattern)
            for action, pattern in rules
        )

    return ask


class Kept(msgspec.Struct):
    """Who belongs to which groups, and who shares with which (True: for writing too)."""

    groups: dict[str, set[str]] = {}
    shared: dict[str, dict[str, bool]] = {}


class Access:
    """Privilege groups and permissions of the agents of one machine or kernel.

    Args:
        groups: Groups of each agent, by agent name; None: those that ``path`` keeps, if any.
        ask: Asked before anything that cannot be undone; None refuses it.
        path: Keeps groups and sharing (JSON that may be edited by hand), for every process that
            works on the same memory and files; None: they end with this object.

    Raises:
        BadInput: The file cannot be read or written, or holds something else.
    """

    def __init__(
        self,
        groups: Mapping[str, Iterable[str]] | None = None,
        *,
        ask: Ask | None = None,
        path: Path | None = None,
    ) -> None:
        self._ask, self._path = ask, path
        self._changing = Lock()
        self._kept, self._seen = Kept(), (0, 0, 0)
        kept = self._now()
        if groups is not None:
            given = {agent: set(names) for agent, names in groups.items()}
            if given != kept.groups:
                self._change(lambda kept: Kept(given, kept.shared))

    @property
    def drivers(self) -> dict[type[Call], Callable[[Any], Awaitable[Any]]]:
        """The driver of :class:`~collegium.kernel.resources.Share`, for a kernel."""
        return {Share: self._share}

    def groups(self, agent: str) -> frozenset[str]:
        """The groups an agent belongs to."""
        return frozenset(self._now().groups.get(agent, ())) | {EVERYONE}

    def known_groups(self) -> frozenset[str]:
        """Every group that somebody belongs to."""
        return frozenset({EVERYONE}.union(*self._now().groups.values()))

    def join(self, agent: str, group: str) -> None:
        """Put an agent into a group: the user's decision, not an agent's."""
        self._regroup(agent, lambda mine: mine | {group})

    def leave(self, agent: str, group: str) -> None:
        """Take an agent out of a group."""
        self._regroup(agent, lambda mine: mine - {group})

    def share(self, owner: str, group: str, *, write: bool = False) -> None:
        """Let a group read, or also write, what an agent owns."""
        self._reshare(owner, lambda now: {**now, group: write})

    def unshare(self, owner: str, group: str) -> None:
        """Take that back."""
        self._reshare(owner, lambda now: {g: write for g, write in now.items() if g != group})

    def allows(self, agent: str, owner: str, right: Right) -> bool:
        """Whether an agent may read or write what an owner (an agent, or ``@group``) has."""
        if agent == owner and not owner.startswith(GROUP_MARK):
            return True
        mine = self.groups(agent)
        if owner.startswith(GROUP_MARK):
            return owner[len(GROUP_MARK) :] in mine
        return any(
            group in mine and (right == "read" or write)
            for group, write in self._now().shared.get(owner, {}).items()
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
            if right == "write" and self.allows(agent, owner, "read"):
                way = f"{owner!r} shares it with {agent!r} for reading alone"
        raise Denied(f"agent {agent!r} may not {right} the {what} of {owner!r}: {way}.")

    async def permit(self, agent: str, action: str, target: str) -> None:
        """Ask for permission to do what cannot be undone.

        Raises:
            Denied: It was refused, or there is nobody to ask.
        """
        wanted = Permission(agent, action, target)
        if self._ask is None:
            raise Denied(
                f"{wanted}, which cannot be undone, and there is nobody to permit it; "
                "give Access(ask=...) a person or rules to ask."
            )
        if not await self._ask(wanted):
            raise Denied(f"{wanted}: permission was refused.")

    async def _share(self, call: Share) -> None:
        """What was read cannot be unread: sharing asks first (AIOS, section 3.8)."""
        group = call.group.removeprefix(GROUP_MARK)
        known = self.known_groups()
        if group not in known:
            raise unknown_name("group", group, known)
        action = "share-for-writing" if call.write else "share"
        await self.permit(call.agent, action, f"{GROUP_MARK}{group}")
        await asyncio.to_thread(self.share, call.agent, group, write=call.write)

    # -- what is kept: never changed in place, so that a thread may read while another writes ----

    def _regroup(self, agent: str, change: Callable[[set[str]], set[str]]) -> None:
        def changed(kept: Kept) -> Kept:
            mine = {agent: change(kept.groups.get(agent, set()))}
            return Kept({**kept.groups, **mine}, kept.shared)

        self._change(changed)

    def _reshare(self, owner: str, change: Callable[[dict[str, bool]], dict[str, bool]]) -> None:
        def changed(kept: Kept) -> Kept:
            mine = {owner: change(kept.shared.get(owner, {}))}
            return Kept(kept.groups, {**kept.shared, **mine})

        self._change(changed)

    def _now(self) -> Kept:
        """What holds at this moment, another process's changes included."""
        if self._path is None:
            return self._kept
        try:
            info = os.stat(self._path)
            seen = (info.st_mtime_ns, info.st_ino, info.st_size)
            if seen != self._seen:
                self._kept = msgspec.json.decode(self._path.read_bytes(), type=Kept)
                self._seen = seen
        except FileNotFoundError:
            self._kept, self._seen = Kept(), (0, 0, 0)
        except OSError as error:
            raise BadInput(f"cannot read {self._path}: {error.strerror}.") from None
        except msgspec.MsgspecError as error:
            raise BadInput(
                f"{self._path} does not say who may do what: {error}; "
                "mend it, or take it away to begin without groups."
            ) from None
        return self._kept

    def _change(self, change: Callable[[Kept], Kept]) -> None:
        if self._path is None:
            with self._changing:
                self._kept = change(self._kept)
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._path.with_name(f".{self._path.name}.lock"), LOCK_SECONDS):
                kept = change(self._now())
                encoded = msgspec.json.encode(kept, order="deterministic")
                replace(self._path, msgspec.json.format(encoded) + b"\n")
        except Busy:
            raise BadInput(
                f"another process has been changing {self._path} for {LOCK_SECONDS:.0f} s."
            ) from None
        except OSError as error:
            raise BadInput(f"cannot write {self._path}: {error.strerror}.") from None
