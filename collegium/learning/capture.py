"""From kernel traces to trajectories: prompt, reply, tool results, tokens, and perhaps a reward.

Step 2 of the pipeline of arXiv 2503.12434 as it is put to use here. A trajectory is one run of one
system on one task. Everything in it is read from the kernel's record of calls, and its reward from
the scorer's verdict; nothing is taken from what an agent says of itself.

Paper vs code vs ours
---------------------
* The survey speaks of trajectories of one agent. A run of a team is one trajectory here, whose
  steps name their agents; :mod:`collegium.learning.masking` parts it into conversations.
* A turn that had to be repaired is a bad step: the kernel records the repair and what it repairs.
  Other bad steps are named by whoever judges steps, with :func:`marked`.
* The reward is the run's. Every step carries it, also a sample that was outvoted.
* The split is by task, never by trajectory: no task is in both parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from collegium.bench.compare import traces_of
from collegium.bench.records import Outcome
from collegium.errors import BadInput
from collegium.kernel import Event, Generate, Message, RunStore, ToolCall, UseTool


class ToolResult(msgspec.Struct, frozen=True):
    """What a tool gave back: a value as plain data, or an error in one sentence."""

    tool: str
    arguments: dict[str, Any]
    value: Any = None
    error: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One reply of an agent.

    Attributes:
        agent: Who spoke.
        prompt: What it was given, whole.
        reply: What it wrote, with the tools it asked for.
        results: What the tools gave that it used after this reply and before its next.
        tokens_prompt: Tokens of the prompt; 0 for all but the first sample of one call.
        tokens_reply: Tokens of the reply.
        call: Id of the event; several samples of one call share it.
        bad: Not to be learnt: it had to be repaired, or was marked.
    """

    agent: str
    prompt: tuple[Message, ...]
    reply: Message
    results: tuple[ToolResult, ...] = ()
    tokens_prompt: int = 0
    tokens_reply: int = 0
    call: int = -1
    bad: bool = False


class Trajectory(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one system on one task.

    Attributes:
        name: What it is called; no two of a set share it.
        task: The task; pairs and splits go by it.
        system: What ran.
        steps: Replies, in the order in which their calls began.
        opening: Results of tools that an agent used before its first reply.
        reward: What the environment or the scorer gave, None where nobody judged.
        rule_ok: Whether rules or people accept it, None where none was asked.
        judge: The score of a judging model, None where none was asked.
    """

    name: str
    task: str
    system: str = ""
    steps: tuple[Step, ...] = ()
    opening: tuple[ToolResult, ...] = ()
    reward: float | None = None
    rule_ok: bool | None = None
    judge: float | None = None

    @property
    def tokens(self) -> int:
        """Tokens of all prompts and replies."""
        return sum(s.tokens_prompt + s.tokens_reply for s in self.steps)


def captured(
    name: str, task: str, events: Iterable[Event], *, system: str = "", reward: float | None = None
) -> Trajectory:
    """Make a trajectory of the events of one run.

    Args:
        name: What to call it.
        task: The task.
        events: The run's events, in any order. Calls that no model answered are passed over.
        system: What ran.
        reward: What the run earned.
    """
    ordered = sorted(events, key=lambda e: e.id)
    repaired = {_repaired(e) for e in ordered if _is_repair(e)}
    steps: list[Step] = []
    results: list[list[ToolResult]] = []
    opening: list[ToolResult] = []
    last: dict[str, int] = {}
    for event in ordered:
        call = event.call
        if isinstance(call, Generate) and event.replies:
            for reply in event.replies:
                steps.append(
                    Step(
                        agent=call.agent,
                        prompt=call.messages,
                        reply=_said(reply.text, reply.tool_calls),
                        tokens_prompt=reply.usage.prompt,
                        tokens_reply=reply.usage.completion,
                        call=event.id,
                        bad=(event.id, reply.text) in repaired,
                    )
                )
                results.append([])
            last[call.agent] = len(steps) - 1
        elif isinstance(call, UseTool):
            found = ToolResult(call.tool, call.arguments, event.value, event.error)
            at = last.get(call.agent)
            (opening if at is None else results[at]).append(found)
    filled = (
        msgspec.structs.replace(step, results=tuple(found)) if found else step
        for step, found in zip(steps, results, strict=True)
    )
    return Trajectory(
        name=name,
        task=task,
        system=system,
        steps=tuple(filled),
        opening=tuple(opening),
        reward=reward,
    )


def _said(text: str, calls: tuple[ToolCall, ...]) -> Message:
    return Message("assistant", text, tool_calls=calls)


def _is_repair(event: Event) -> bool:
    call = event.call
    return isinstance(call, Generate) and call.outcome == "fix" and call.parent is not None


def _repaired(event: Event) -> tuple[int, str]:
    """The call that a repair repairs, and the reply: the last one that its prompt quotes."""
    call = event.call
    assert isinstance(call, Generate)
    assert call.parent is not None
    quoted = [m.text for m in call.messages if m.role == "assistant"]
    return call.parent, quoted[-1] if quoted else ""


def captured_runs(store: RunStore, run: str) -> list[Trajectory]:
    """The trajectories of a stored run, with the scorer's values as rewards.

    A run that ended in an error is left out: that a model could not be reached, say, is no fault
    of its trajectory. A limit is: what the system had by then was scored.

    Args:
        store: The run store.
        run: Id of the run.

    Returns:
        One for each system and task with at least one reply, named ``system/task``.
    """
    results = store.results(run)
    outcomes = {place: msgspec.json.decode(data, type=Outcome) for place, data in results.items()}
    found: list[Trajectory] = []
    for (system, task), events in traces_of(store, run).items():
        outcome = outcomes.get((system, task))
        if outcome is not None and outcome.error:
            continue
        reward = None if outcome is None else outcome.value
        made = captured(f"{system}/{task}", task, events, system=system, reward=reward)
        if made.steps:
            found.append(made)
    return found


def marked(trajectory: Trajectory, bad: Collection[int]) -> Trajectory:
    """Mark steps as bad, besides those that are.

    Args:
        trajectory: A trajectory.
        bad: Places of steps, from 0.

    Raises:
        BadInput: There is no such step.
    """
    if wrong := sorted(set(bad) - set(range(len(trajectory.steps)))):
        raise BadInput(
            f"{trajectory.name!r} has {len(trajectory.steps)} steps, counted from 0; "
            f"there is no step {wrong[0]}."
        )
    steps = (
        msgspec.structs.replace(step, bad=step.bad or i in bad)
        for i, step in enumerate(trajectory.steps)
    )
    return msgspec.structs.replace(trajectory, steps=tuple(steps))


def split_by_task(
    trajectories: Sequence[Trajectory], *, test: float = 0.2, seed: int = 0
) -> tuple[list[Trajectory], list[Trajectory]]:
    """Part trajectories into training and test, whole tasks at a time.

    Which tasks are tested depends on their names and the seed, not on the order of the
    trajectories.

    Args:
        trajectories: What to part.
        test: Share of the tasks to test on, 0 to 1; rounded, and at least one task on each side
            where the share is neither 0 nor 1 and there are two tasks.
        seed: Another one draws other tasks.

    Returns:
        Training and test, each in the order given.

    Raises:
        BadInput: ``test`` is no share.
    """
    if not 0 <= test <= 1:
        raise BadInput(f"the share of tasks to test on lies between 0 and 1, not at {test}.")
    tasks = sorted({t.task for t in trajectories}, key=lambda name: _drawn(name, seed))
    size = round(test * len(tasks))
    if 0 < test < 1 and len(tasks) > 1:
        size = min(max(size, 1), len(tasks) - 1)
    held = set(tasks[:size])
    return (
        [t for t in trajectories if t.task not in held],
        [t for t in trajectories if t.task in held],
    )


def _drawn(task: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{task}".encode()).digest()
