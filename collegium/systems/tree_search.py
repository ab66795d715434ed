"""Tree search: try sequences of actions in the real world, go back, commit the best (2407.01476).

At each real step the agent explores a small tree by acting: proposals are the most frequent of many
sampled actions, a model judges the states that were really reached, and going back is a reset to
what was committed and a replay. Then the whole best sequence is made for good. The agent itself is
that of ``tool-calling:form=typed``; with ``budget=0`` this system is that agent, call for call.

Paper vs code vs ours
---------------------
* The paper keeps the newest of equal values (Algorithm 1), the code the first; ``later`` chooses,
  and the code's way is the default.
* The code looks for "success" anywhere in a status, so that "unsuccessful" scores 1. Here the
  status is one of two words of a typed reply, and anything else scores 0.
* The code goes to a page's address instead of replaying what led to it, which is wrong where an
  address does not hold the state. Here it is always replayed, and what a replay shows is compared
  with the first time; where it differs the search is given up, and the result says so.
* Actions that cannot be undone (a tool marked so, or calls that the policy lists under
  ``irreversible``) are not tried. They are judged by what stood before them, and made once if the
  sequence they end is committed.
* Observations are text; pictures are not looked at.
* ``samples`` and ``judgements`` are the paper's 20 and 20. Each lowers the price of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from collegium.agents.react import FINISH, describe_tools, move_type, react
from collegium.agents.tree_search import (
    Action,
    Counts,
    Found,
    Move,
    Node,
    NotRepeatable,
    Path,
    Seen,
    early_stop,
    most_frequent,
    rerank,
    search,
)
from collegium.errors import BadInput, CollegiumError, Denied, LimitReached, ModelError
from collegium.kernel import Agent, Kernel, Message, Unparsed, UseTool
from collegium.systems.system import Result, system
from collegium.tasks.task import Task
from collegium.worlds.world import OVER, Restore, Snapshot

PROFILE = "You are a helpful assistant who acts with tools."
JUDGE = "You judge how far an agent has come with a task."

BEFORE = 4
"""Observations before the last one that the judge is shown."""

TRAJECTORIES = 3
"""Trajectories that are sampled to be ranked."""

RETRIES = 1
"""How often proposals are asked for again when none of them can be read."""

Order = Literal["best", "bfs", "dfs", "rerank"]


class Verdict(msgspec.Struct, frozen=True):
    """What one judgement says of a state."""

    thoughts: str
    status: Literal["success", "failure"]
    on_the_right_track: Literal["yes", "no"]


class Trial:
    """The world of the run as a place to try things out.

    Args:
        agent: Who acts.
        snapshot: The state in which all that was committed is done.
    """

    def __init__(self, agent: Agent, snapshot: bytes) -> None:
        self._agent, self._snapshot = agent, snapshot

    async def reset(self) -> None:
        """Go back."""
        kernel, name = self._agent.kernel, self._agent.name
        await kernel.call(Restore(agent=name, snapshot=self._snapshot))

    async def act(self, action: Action) -> Seen:
        """Try an action, unless it cannot be undone."""
        return await made(self._agent, action, tentative=True)


def lacking(task: Task) -> str:
    """What the search lacks to solve a task."""
    return "" if task.tools else "a task with a world to act in"


@system("tree-search", paper="tree-search", needs=lacking)
async def tree_search(
    task: Task,
    kernel: Kernel,
    *,
    budget: int = 20,
    branching: int = 5,
    depth: int = 4,
    steps: int = 5,
    samples: int = 20,
    judgements: int = 20,
    order: Order = "best",
    later: bool = False,
    temperature: float = 1.0,
    max_tokens: int = 256,
) -> Result:
    """Search among sequences of actions in the real world, and commit the best.

    Args:
        task: What to do, with a world to do it in.
        kernel: Runs the calls; it can take the world back.
        budget: Actions tried at each real step (c); 0: the plain agent. It does not bound
            trajectories that are ranked.
        branching: Actions kept at each state (b).
        depth: How deep children are still proposed (4: states of five actions).
        steps: Real steps at most; for the plain agent and for whole trajectories, their turns.
        samples: Actions sampled at each state, at least twice ``branching``.
        judgements: Verdicts of which a value is the mean.
        order: Best-first, breadth-first, depth-first, or whole trajectories ranked.
        later: Whether of equal values the newest is the best.
        temperature: Sampling temperature of proposals (with a nucleus of 0.95).
        max_tokens: Cap on a proposal and on a verdict.

    Returns:
        The answer the agent stated, if it did; what counts is the world. ``notes`` hold the tree,
        what it cost, the actions that were committed and how many proposals were distinct.

    Raises:
        BadInput: A number is out of range, or the kernel cannot take a world back.
    """
    numbers = {"branching": branching, "steps": steps, "samples": samples, "judgements": judgements}
    for name, number in numbers.items():
        if number < 1:
            raise BadInput(f"{name} must be 1 or more, not {number}.")
    if budget < 0:
        raise BadInput(f"budget must be 0 or more, not {budget}.")
    agent = kernel.agent("actor", profile=task.rules or PROFILE, tools=task.tools)
    if budget == 0:
        done = await react(agent, task.text, form="typed", steps=steps, max_tokens=max_tokens)
        notes = {"steps": msgspec.to_builtins(done.steps), "ended": done.ended}
        return Result(done.answer, notes=notes)
    judge = kernel.agent("judge", profile=JUDGE)
    move = move_type(agent, str)
    distinct: list[int] = []

    async def propose(path: Path) -> Sequence[Action]:
        *history, last = conversation(task, agent, path)
        for _ in range(1 + RETRIES):
            agent.history = [*history]
            replies = await agent.ask(
                last.text,
                output=move,
                n=max(2 * branching, samples),
                temperature=temperature,
                top_p=0.95,
                max_tokens=max_tokens,
                keep=True,
                repair=False,
            )
            read = [action_of(r.data, r.text) for r in replies]
            if kept := most_frequent(read, branching):
                distinct.append(len({a.key for a in read if a}))
                return kept
        return [Action("none")]

    async def value(path: Path) -> float:
        replies = await judge.ask(
            question(task, path),
            output=Verdict,
            n=judgements,
            temperature=1.0,
            max_tokens=max_tokens,
            repair=False,
        )
        return mean_value([r.data for r in replies])

    committed: Path = ()
    counts, trees, problem = Counts(), [], ""

    def result() -> Result:
        notes: dict[str, Any] = {
            "committed": [m.action.key for m in committed],
            "counts": msgspec.to_builtins(counts),
            "distinct_proposals": distinct,
            "trees": trees,
        }
        if problem:
            notes["not_repeatable"] = problem
        return Result(
            answer_of(committed), notes=notes, account=account(committed, counts, problem)
        )

    async def look_ahead() -> Found | None:
        """The best sequence from here; None where the world cannot be taken back."""
        nonlocal problem
        spent, found = Counts(), None
        try:
            start: bytes = await kernel.call(Snapshot(agent=agent.name))
        except Denied as error:
            problem = str(error)
            return None
        trial = Trial(agent, start)
        try:
            if order == "rerank":
                found = await rerank(
                    trial, propose, value, trajectories=TRAJECTORIES, length=steps, counts=spent
                )
            else:
                found = await search(
                    trial,
                    propose,
                    value,
                    history=committed,
                    budget=budget,
                    depth=depth,
                    order=order,
                    later=later,
                    counts=spent,
                )
        except NotRepeatable as error:
            problem = str(error)
        except Denied as error:  # a policy allows no going back, so nothing was tried yet
            problem = str(error)
            return None
        finally:
            add(counts, spent)
        await trial.reset()
        if found is not None:
            trees.append([plain(node) for node in found.nodes])
        return found

    for _ in range(steps):
        found = None if problem else await look_ahead()
        if found is None:
            (first, *_) = await propose(committed)
            found = Found((Move(first, Seen("")),), 0.0, ())
        over = found.value >= 1.0 or not found.path or order == "rerank"
        for tried in found.path:
            seen = await made(agent, tried.action, tentative=False)
            committed = (*committed, Move(tried.action, seen))
            kernel.keep(result())
            if tried.action.ends or seen.over:
                over = True
                break
        if over or early_stop([m.action for m in committed]):
            break
    return result()


async def made(agent: Agent, action: Action, *, tentative: bool) -> Seen:
    """Make an action, or see why it cannot be made."""
    if action.ends:
        return Seen("", over=True)
    if action.value is None:
        return Seen("That was no action.")
    name, arguments = action.value
    call = UseTool(agent=agent.name, tool=name, arguments=arguments, tentative=tentative)
    try:
        shown = await agent.kernel.call(call)
    except (LimitReached, ModelError):
        raise
    except Denied as error:
        return Seen(f"Error: {error}", refused=tentative)
    except CollegiumError as error:
        return Seen(f"Error: {error}")
    text = shown if isinstance(shown, str) else msgspec.json.encode(shown).decode()
    return Seen(text, over=text.endswith(OVER))


def action_of(move: Any, text: str) -> Action | None:
    """The action that a reply holds; None when it could not be read."""
    if isinstance(move, Unparsed):
        return None
    name = str(move.action.__struct_config__.tag)
    if name == FINISH:
        answer = str(move.action.answer)
        return Action(f"{FINISH}({answer})", (FINISH, answer), text, ends=True)
    arguments = msgspec.to_builtins(move.action.arguments)
    shown = msgspec.json.encode(arguments, order="sorted").decode()
    return Action(f"{name}({shown})", (name, arguments), text, typing=name == "type")


def conversation(task: Task, agent: Agent, path: Path) -> list[Message]:
    """A path as the plain agent's own conversation, up to the turn that asks for the next move."""
    first = (
        f"{task.text}\n\n{describe_tools(agent)}\nTake one step at a time: a short thought, then "
        f'one action. The action "{FINISH}" states the answer.'
    )
    turns = [Message("user", first)]
    for move in path:
        turns.append(Message("assistant", move.action.text))
        turns.append(Message("user", f"Observation: {move.seen.text}"))
    return turns


def question(task: Task, path: Path) -> str:
    """What the judge is asked about the state after a path."""
    done = [f"{i}. {move.action.key}" for i, move in enumerate(path, 1)]
    shown = [
        f"After action {i}: {move.seen.text}"
        if not move.seen.refused
        else f"Action {i} was not made yet, since it cannot be undone; suppose that it is made."
        for i, move in enumerate(path, 1)
    ][-BEFORE - 1 :]
    answer = answer_of(path)
    said = f"The agent's answer: {answer}" if answer is not None else "The agent gave no answer."
    return "\n\n".join(
        [
            f"Task:\n{task.text}",
            "Actions so far:\n" + "\n".join(done),
            "What was to be seen:\n" + "\n".join(shown),
            said,
            "Has the task been done? If it asks for information, only the right answer counts. If "
            "it asks to find a place, only where the agent is now counts. If it asks to change "
            "something, only a change that was really made counts. Write short thoughts, the "
            "status (success or failure), and whether the agent is on the right track.",
        ]
    )


def mean_value(verdicts: Sequence[Any]) -> float:
    """The mean of verdicts: success is 1, failure on the right track 0.5, anything else 0."""
    total = 0.0
    for verdict in verdicts:
        if isinstance(verdict, Verdict):
            track = 0.5 if verdict.on_the_right_track == "yes" else 0.0
            total += 1.0 if verdict.status == "success" else track
    return total / len(verdicts)


def answer_of(path: Path) -> str | None:
    """The answer that a path ends with."""
    return path[-1].action.value[1] if path and path[-1].action.ends else None


def add(counts: Counts, more: Counts) -> None:
    """Add up what searches spent."""
    for name in counts.__struct_fields__:
        setattr(counts, name, getattr(counts, name) + getattr(more, name))


def plain(node: Node) -> dict[str, Any]:
    """A node as plain data, without what a model wrote around the action."""
    return {
        "parent": node.parent,
        "action": node.action.key,
        "share": round(node.action.share, 4),
        "priority": node.priority,
        "value": node.value,
        "expansion": node.expansion,
        "seen": node.seen.text if node.seen else None,
        "refused": bool(node.seen and node.seen.refused),
    }


def account(committed: Path, counts: Counts, problem: str) -> str:
    """The search in a few lines, for a reader."""
    lines = [
        f"{counts.expansions} actions were tried ({counts.resets} times back, {counts.env_steps} "
        f"steps in all); {len(committed)} were committed: "
        f"{'; '.join(m.action.key for m in committed) or 'none'}."
    ]
    return "\n".join([*lines, *([f"The search was given up: {problem}"] if problem else [])])
