"""What all pages share: where runs are kept, what they run on, and the work that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collegium.guard import Policy
from collegium.kernel import Limits
from collegium.kernel.store import default_path
from collegium.protocols.clients import Clients
from collegium.studio.meaning import Meaning

if TYPE_CHECKING:
    from collegium.studio.sessions import Session


class Jobs:
    """Work that goes on when the page that began it is closed, and ends with the program."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def start(self, key: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin some work.

        Args:
            key: Its name; work of the same name that still goes on is stopped.
            work: What to do. What it raises stays in the task that comes back.
        """
        self.stop(key)
        task = asyncio.create_task(work, name=f"studio {key}")
        task.add_done_callback(lambda t: None if t.cancelled() else t.exception())
        self._tasks[key] = task
        return task

    def get(self, key: str) -> asyncio.Task[Any] | None:
        """The work of this name, going on or done; None when there was none."""
        return self._tasks.get(key)

    def stop(self, key: str) -> bool:
        """Ask the work of this name to end; False when it does not go on."""
        task = self._tasks.get(key)
        return task is not None and not task.done() and task.cancel()

    @property
    def going(self) -> tuple[str, ...]:
        """The names of the work that goes on."""
        return tuple(key for key, task in self._tasks.items() if not task.done())

    async def aclose(self) -> None:
        """Stop everything, and wait until it has ended."""
        going = [task for task in self._tasks.values() if not task.done()]
        for task in going:
            task.cancel()
        if going:
            await asyncio.wait(going, timeout=5)


class Sessions:
    """The runs that were started from pages since the program began, the newest last.

    Args:
        most: How many to keep; the oldest that are over go first.
    """

    def __init__(self, most: int = 40) -> None:
        self._most = most
        self._by_id: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        """Keep a session."""
        self._by_id[session.id] = session
        for key in [k for k, s in self._by_id.items() if s.over][: max(0, len(self) - self._most)]:
            del self._by_id[key]

    def get(self, key: str) -> Session | None:
        """The session of this id."""
        return self._by_id.get(key)

    def of(self, system: str) -> list[Session]:
        """The sessions of a system, newest first."""
        return [s for s in reversed(self._by_id.values()) if s.asked.system.name == system]

    def __len__(self) -> int:
        return len(self._by_id)


class Studio:
    """The state behind the pages.

    Args:
        store_path: The run store; None: the user's own.
        model: The model that forms begin with.
        roles: Models of particular agents or roles.
        policy: What agents of all runs may do; None: everything.
        limits: What a run may spend at most.
        token: Who may come; without one, whoever is on this machine.
        policies: The folder that policies are opened from and saved to; None: there is none.

    Attributes:
        jobs: Work that goes on when its page is closed.
        meaning: The papers by meaning.
        sessions: The runs that were started from pages.
    """

    def __init__(
        self,
        *,
        store_path: Path | None = None,
        model: str = "local",
        roles: Mapping[str, str] | None = None,
        policy: Policy | None = None,
        limits: Limits = Limits(),
        token: Clients | None = None,
        policies: Path | None = None,
    ) -> None:
        self.store_path = store_path or default_path()
        self.model, self.roles = model, dict(roles or {})
        self.policy, self.limits = policy, limits
        self.token = token or Clients()
        self.policies = policies
        self.jobs = Jobs()
        self.sessions = Sessions()
        self.meaning = Meaning(self.store_path.with_name("studio"))
