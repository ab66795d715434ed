"""A run that was started from a page: it goes on by itself, whoever looks at it."""

from __future__ import annotations

import asyncio
import secrets
from typing import Literal

import msgspec

from collegium.api import Run, arun
from collegium.bench.diagnosis import Finding, diagnose
from collegium.errors import BadInput, CollegiumError
from collegium.guard import Policy
from collegium.kernel import Event, Generate, Kernel, Limits
from collegium.models.weights import EMBEDDED, weights_file
from collegium.protocols.hub import log_bug
from collegium.studio.state import Studio
from collegium.systems import Result
from collegium.systems.system import System
from collegium.tasks.task import Item, Task

State = Literal["fetching", "running", "done", "stopped", "failed"]

FROM_FILES = ("script:", "replay:")
"""Models that run or read a file of this machine."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run.

    Attributes:
        system: The method.
        params: Its parameters, as the form gives them.
        task: The task, or an item with a world to act in.
        model: The default model.
        roles: Models of particular agents or roles.
        limits: What it may spend.
        seed: Makes it repeatable.
        policy: What its agents may do.
    """

    system: System
    params: dict[str, object]
    task: Task | Item
    model: str
    roles: dict[str, str] = {}
    limits: Limits = Limits()
    seed: int | None = None
    policy: Policy | None = None


class Session:
    """One run and everything that pages show of it.

    Args:
        studio: What the pages share.
        asked: What is to be run.

    Raises:
        BadInput: A parameter is wrong, the system cannot solve the task, or the model is one that
            only whoever started the studio may choose.
    """

    def __init__(self, studio: Studio, asked: Asked) -> None:
        chosen = {studio.model, *studio.roles.values()}
        for name in (asked.model, *asked.roles.values()):
            if name.startswith(FROM_FILES) and name not in chosen:
                raise BadInput(
                    f"model {name!r} reads a file of this machine, so it is chosen when the studio "
                    "is started: collegium studio --model ..."
                )
        asked.system.bind(asked.params)
        asked.system.require(self._task_of(asked))
        self.id = secrets.token_urlsafe(9)
        self.asked = asked
        self.state: State = "running"
        self.run = ""
        self.events: list[Event] = []
        self.live: dict[tuple[str, int], str] = {}
        self.question = ""
        self.error = ""
        self.progress = ""
        self.result: Run | None = None
        self.findings: tuple[Finding, ...] = ()
        self.kernel: Kernel | None = None
        self.version = 0
        self._studio = studio
        self._told: asyncio.Future[str] | None = None

    @staticmethod
    def _task_of(asked: Asked) -> Task:
        return asked.task.task if isinstance(asked.task, Item) else asked.task

    @property
    def task(self) -> Task:
        """The task."""
        return self._task_of(self.asked)

    @property
    def over(self) -> bool:
        """Whether it does not go on."""
        return self.state in ("done", "stopped", "failed")

    @property
    def can_resume(self) -> bool:
        """Whether it was cut off and can be gone on with."""
        stopped = self.state in ("stopped", "failed") and bool(self.run)
        return stopped and isinstance(self.asked.task, Task)

    @property
    def found(self) -> Result | None:
        """What the method has come to, while it still works too."""
        if self.result is not None:
            return self.result.result
        kept = self.kernel.kept if self.kernel is not None else None
        return kept if isinstance(kept, Result) else None

    def start(self, *, resume: bool = False) -> None:
        """Begin, or go on where it was cut off."""
        self.state, self.error, self.result, self.findings = "running", "", None, ()
        self.events, self.live = [], {}
        self._changed()
        key = f"run {self.id}"
        self._studio.jobs.start(key, self._work(self.run if resume else ""))

    def stop(self) -> None:
        """Stop it; what was paid for stays in the run store."""
        self._studio.jobs.stop(f"run {self.id}")

    def tell(self, answer: str) -> None:
        """Answer the question it asks."""
        if self._told is not None and not self._told.done():
            self._told.set_result(answer)

    async def _work(self, resume: str) -> None:
        asked = self.asked
        try:
            await self._fetch_weights()
            self.result = await arun(
                asked.system.name,
                asked.task,
                params=asked.params,
                model=asked.model,
                roles=asked.roles,
                limits=asked.limits,
                seed=asked.seed,
                policy=asked.policy,
                store=self._studio.store_path,
                on_text=self._on_text,
                on_event=self._on_event,
                on_begin=self._on_begin,
                human=self._ask,
                resume=resume,
                screens=True,
            )
            self.state = "done"
        except asyncio.CancelledError:
            self.state = "stopped"
            raise
        except CollegiumError as error:
            self.state, self.error = "failed", str(error)
        except Exception as error:
            log_bug(error)
            self.state, self.error = "failed", "something went wrong inside the program."
        finally:
            self.live.clear()
            self.question = ""
            if self.events:
                self.findings = diagnose(self.events, task=self.task)
            self._changed()

    async def _fetch_weights(self) -> None:
        """Fetch the weights of embedded models that are not here."""
        from collegium.models.fetch import pull

        for name in dict.fromkeys((self.asked.model, *self.asked.roles.values())):
            if name not in EMBEDDED or weights_file(EMBEDDED[name]).is_file():
                continue
            self.state = "fetching"

            def told(done: int, total: int, what: str, name: str = name) -> None:
                self.progress = f"{name}: {what}, {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
                self._changed()

            await asyncio.to_thread(pull, name, on_progress=told)
        self.state = "running"

    def _changed(self) -> None:
        self.version += 1

    def _on_begin(self, run: str, kernel: Kernel) -> None:
        self.run, self.kernel = run, kernel
        self._changed()

    def _on_text(self, agent: str, sample: int, piece: str) -> None:
        self.live[agent, sample] = self.live.get((agent, sample), "") + piece
        self._changed()

    def _on_event(self, event: Event) -> None:
        if isinstance(event.call, Generate):
            for sample in range(event.call.n):
                self.live.pop((event.call.agent, sample), None)
        self.events.append(event)
        self._changed()

    async def _ask(self, question: str) -> str:
        self._told = asyncio.get_running_loop().create_future()
        self.question = question
        self._changed()
        try:
            return await self._told
        finally:
            self.question, self._told = "", None
            self._changed()
