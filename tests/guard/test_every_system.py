"""Every call of every system passes the guard: what is denied never happens."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import pytest

from collegium.guard import Guarding, Policy
from collegium.guard.check import READS, name_of
from collegium.kernel import Call, Event, Kernel
from collegium.kernel.toolbox import Toolbox
from collegium.systems import systems
from collegium.tools import sandbox_problem
from tests.agents.umf.catalog_runs import RUNS
from tests.bench.taxonomy import runs

pytestmark = [
    pytest.mark.skipif(sandbox_problem() is not None, reason="no sandbox here"),
    pytest.mark.skipif(importlib.util.find_spec("clingo") is None, reason="no solver here"),
]

SENDERS = {"argmed", "dylan", "halo", "mad", "mas-tts", "mdagents", "metagpt"}
TOOL_USERS = {"codecor", "mas-tts", "metagpt"}


class Watched:
    """What acting calls a run makes, and which of them came as far as a driver or a tool."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.bodies: list[str] = []
        self.policy: Policy | None = None

    @property
    def kernel(self) -> type[Kernel]:
        """A kernel that tells of its drivers, under the policy there is."""
        watched = self

        class WatchedKernel(Kernel):
            def __init__(self, models: Any, **options: Any) -> None:
                box = Toolbox()
                guarding = Guarding(watched.policy, tools=box) if watched.policy else None
                chain = guarding.interceptors if guarding else ()
                super().__init__(models, tools=box, interceptors=chain, **options)

            async def _drive(self, call: Call) -> Any:
                if type(call) not in READS:
                    watched.done.append(name_of(call))
                return await super()._drive(call)

        return WatchedKernel


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    watching = Watched()
    run_tool = Toolbox.run

    async def noted(self: Toolbox, name: str, *args: Any, **options: Any) -> Any:
        watching.bodies.append(name)
        return await run_tool(self, name, *args, **options)

    monkeypatch.setattr(Toolbox, "run", noted)
    monkeypatch.setattr(runs, "Kernel", watching.kernel)
    return watching


def acting(traces: Sequence[Sequence[Event]]) -> list[str]:
    """The acting calls that were attempted."""
    return [name_of(e.call) for events in traces for e in events if type(e.call) not in READS]


def test_the_runs_are_of_every_system() -> None:
    assert RUNS.keys() == systems().keys()
    assert {n for n, s in systems().items() if s.tools} <= TOOL_USERS | {"dylan"}


@pytest.mark.must_show("progent", 6)
@pytest.mark.parametrize("name", sorted(RUNS))
async def test_nothing_denied_ever_happens(name: str, watched: Watched) -> None:
    free = acting(await RUNS[name]())
    assert sorted(free) == sorted(watched.done)
    assert ("@send" in free) == (name in SENDERS)
    assert any(not n.startswith("@") for n in free) == (name in TOOL_USERS)
    for denied in (None, *sorted(set(free))):
        # all at once, then each kind of call alone, so that a run comes to the later ones too
        rules = Policy() if denied is None else Policy(tools={denied: ()}, default="allow")
        watched.done, watched.bodies, watched.policy = [], [], rules
        traces = await RUNS[name]()
        stopped = [e for events in traces for e in events if e.failure == "Blocked"]
        if free:
            assert stopped
        if denied is None:
            assert watched.done == [] and watched.bodies == []
            assert all(e.outcome == "error" for e in stopped)
        else:
            assert denied not in watched.done + watched.bodies
            assert {name_of(e.call) for e in stopped} == {denied}
