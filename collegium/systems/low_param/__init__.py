"""Small agents helped by a plan, a judge and other branches (arXiv 2403.19962).

The paper has two levers. This system is the second one, at inference: a planner M_p takes the task
apart into at most k sub-tasks, an actor works on them one by one with ReAct steps, and a judge
M_jdg says of each whether it is done and whether the way taken was good. Where it was not, the
actor goes back and takes another branch. One model plays all three unless roles say otherwise. The
first lever, tuning on agent data mixed with general data, has its parts in
:mod:`collegium.learning`: expert trajectories, and the mixed objective.

Paper vs code vs ours
---------------------
* The official repository holds scripts that train, and no loop of an agent. Prompts are ours.
* The judge answers twice: whether the sub-task is done, and whether the way taken can still lead
  there. Only a bad way is gone back on. An actor that declared a sub-task done too early is told
  so, and goes on from where it is; otherwise a good last action would be undone.
* Going back restores the world, and the actor is asked again with the list of the choices that
  were given up there; they are refused when they come again. Where a world cannot be taken back
  (a policy, a tool that cannot be undone), the prompt alone says so: ``soft``.
* Besides the judge, an action that was made before with the same result, and two actions in a row
  that failed or changed nothing, send the actor back at once.
* A sub-task that is not done on a good way gets one more attempt; after a second no the sub-tasks
  that are left are planned anew, once in a run. A plan with more than k sub-tasks is cut, and the
  result says so.
* If all fails, the world is taken back to the best way: most sub-tasks done, then one the judge
  did not call bad.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from collegium.agents.tree_search import Move
from collegium.errors import BadInput
from collegium.kernel import Agent, Kernel, Unparsed
from collegium.systems.low_param.play import Actor, Ended, Settings
from collegium.systems.system import Result, system
from collegium.tasks.task import Task

PROFILE = "You are a helpful assistant who acts with tools."
PLANNER = "You plan. You take a task apart into a few sub-tasks that are done one after the other."
JUDGE = "You judge whether an assistant has done what it was to do. You are strict."

JUDGED = 8
"""Actions of the trajectory that the judge is shown."""

PLANNED = 6
"""Actions that the planner is shown when it plans anew."""


class Plan(msgspec.Struct, frozen=True):
    """What M_p says: sub-tasks in order, one line each."""

    subtasks: list[str]


class Verdict(msgspec.Struct, frozen=True):
    """What M_jdg says of a sub-task: why, whether it is done, and whether the way is a good one."""

    reason: str
    done: Literal["yes", "no"]
    way: Literal["good", "bad"]


def lacking(task: Task) -> str:
    """What the system lacks to solve a task."""
    return "" if task.tools else "a task with a world to act in"


@system("low-param", paper="low-param", needs=lacking)
async def low_param(
    task: Task,
    kernel: Kernel,
    *,
    subtasks: int = 3,
    steps: int = 10,
    branches: int = 3,
    backtracks: int = 6,
    plan: bool = True,
    judge: bool = True,
    menu: bool = False,
    window: int = 12,
    temperature: float = 0.0,
    max_tokens: int = 192,
) -> Result:
    """Act on a plan of sub-tasks that a judge looks at, and go back where a way was not good.

    Args:
        task: What to do, with a world to do it in.
        kernel: Runs the calls; it can take the world back.
        subtasks: Sub-tasks at most (k).
        steps: Actions at most in one attempt at a sub-task.
        branches: Choices at most at one decision point (b).
        backtracks: How often a run goes back at most; 0 leaves backtracking out.
        plan: Whether the task is taken apart; else it is its own only sub-task.
        judge: Whether sub-tasks are judged; else the actor's word is taken, and the world's end.
        menu: Whether the world's own list of moves is shown, where it has one. Plain agents do
            not see it, so a comparison with them is fair only without.
        window: Turns of the conversation that are shown to the actor, besides the first.
        temperature: Sampling temperature of the actor.
        max_tokens: Cap on every reply.

    Returns:
        The answer the actor stated, if it did; what counts is the world. ``notes`` hold the plan,
        the verdicts, and every time the actor was sent back.

    Raises:
        BadInput: A number is out of range.
    """
    for name, number in {"subtasks": subtasks, "steps": steps, "branches": branches}.items():
        if number < 1:
            raise BadInput(f"{name} must be 1 or more, not {number}.")
    if backtracks < 0:
        raise BadInput(f"backtracks must be 0 or more, not {backtracks}.")
    actor = Actor(
        kernel.agent("actor", profile=task.rules or PROFILE, tools=task.tools),
        task,
        Settings(
            steps=steps, branches=branches, backtracks=backtracks, menu=menu, window=window,
            temperature=temperature, max_tokens=max_tokens,
        ),
    )  # fmt: skip
    planner = kernel.agent("planner", profile=PLANNER) if plan else None
    critic = kernel.agent("judge", profile=JUDGE) if judge else None
    log: dict[str, Any] = {"plans": [], "cut": [], "verdicts": [], "retries": 0, "replans": 0}
    leaves: list[tuple[float, bytes, str | None]] = []
    done: list[str] = []

    async def planned(so_far: tuple[Move, ...]) -> list[str]:
        """M_p: the sub-tasks that are left, k at most; the whole task where there is no plan."""
        lines = [task.text] if planner is None else await make_plan(planner, so_far)
        if len(lines) > subtasks:
            log["cut"] += lines[subtasks:]
        log["plans"].append(lines[:subtasks])
        return lines[:subtasks]

    async def make_plan(agent: Agent, so_far: tuple[Move, ...]) -> list[str]:
        reply = await agent.ask(
            planning(task, done, so_far, subtasks),
            output=Plan,
            temperature=0.0,
            max_tokens=max_tokens,
        )
        if isinstance(reply.data, Unparsed) or reply.data is None:
            return [task.text]
        return [line.strip() for line in reply.data.subtasks if line.strip()] or [task.text]

    async def judged(subtask: str, ended: Ended) -> Verdict:
        """M_jdg: whether it is done, and whether the way was a good one."""
        if critic is None:
            good = ended in ("done", "over")
            return Verdict("", "yes" if good else "no", "good" if good else "bad")
        reply = await critic.ask(
            judging(task, subtask, actor, ended),
            output=Verdict,
            temperature=0.0,
            max_tokens=max_tokens,
            sources=actor.calls[-JUDGED:],
        )
        if isinstance(reply.data, Unparsed) or reply.data is None:
            # An unreadable judge says nothing against the way, and nothing for it.
            return Verdict("the verdict could not be read", "no", "good")
        return reply.data

    def result(ended: str = "limit") -> Result:
        notes = {
            **log,
            "done": list(done),
            "ended": ended,
            "backtracks": msgspec.to_builtins(actor.backs),
            "steps": [{"action": m.action.key, "seen": m.seen.text} for m in actor.path],
            "made": actor.steps,
            "unreadable": actor.unreadable,
            "rejected": actor.rejected,
            **({"soft": actor.soft} if actor.soft else {}),
        }
        return Result(actor.answer, notes=notes, account=account(notes))

    async def keep_leaf(score: float) -> None:
        """Remember how good the way to this state was."""
        kept = await actor.snapshot()
        if kept is not None:
            leaves.append((score, kept, actor.answer))

    async def work_on(subtask: str, place: str, *, last: bool) -> bool:
        """One sub-task: whether it was done, after other branches and a second attempt."""
        actor.begin(subtask, place, last=last)
        tried_again = False
        while True:
            verdict = await judged(subtask, await actor.attempt())
            log["verdicts"].append({"subtask": subtask, **msgspec.to_builtins(verdict)})
            kernel.keep(result())
            if verdict.done == "yes":
                return True
            if backtracks:
                await keep_leaf(len(done) + 0.5 * (verdict.way == "good"))
            # Nothing but going back can help where the world is over.
            bad = verdict.way == "bad" or actor.over
            back = bad and await actor.back(verdict.reason)
            if back and not actor.soft:
                continue  # another branch of the same attempt
            if tried_again:
                return False
            tried_again = True
            log["retries"] += 1
            if not back:
                actor.tell(f"The sub-task is not done: {verdict.reason}")

    async def best() -> Result:
        """All failed: the best way of those that were taken; of equals the last."""
        if leaves and not actor.soft:
            score, state, answer = max(reversed(leaves), key=lambda leaf: leaf[0])
            if score > len(done) and await actor.restore(state):
                actor.answer = answer
                return result("failed; back at the best way")
        return result("failed")

    left = await planned(actor.path)
    while left:
        number = len(done) + 1
        place = f"{number} of {len(done) + len(left)}" if planner else ""
        if await work_on(left[0], place, last=len(left) == 1):
            done.append(left.pop(0))
            if actor.over:
                break
        elif planner is not None and not log["replans"] and not actor.over:
            log["replans"] = 1
            left = await planned(actor.path)
        else:
            return await best()
    return result("the world is over" if left else "done")


def planning(task: Task, done: list[str], so_far: tuple[Move, ...], most: int) -> str:
    """What the planner is asked: at first the whole task, later what is left of it."""
    parts = [f"Task:\n{task.text}"]
    if done:
        parts.append("Done already:\n" + "\n".join(f"- {line}" for line in done))
    if so_far:
        parts.append(f"The last actions:\n{trajectory(so_far[-PLANNED:])}")
        parts.append("The plan so far did not work.")
    parts.append(
        f"List the sub-tasks that {'are left' if done or so_far else 'lead there'}, in order: at "
        f"most {most}, one short line each. The last one completes the task."
    )
    return "\n\n".join(parts)


def judging(task: Task, subtask: str, actor: Actor, ended: Ended) -> str:
    """What the judge is asked about a sub-task."""
    said = {
        "done": "The assistant says that it is done.",
        "cap": "The assistant used up its actions.",
        "over": "The world takes no further action.",
        "stuck": "The assistant found nothing else to do.",
    }[ended]
    if actor.answer is not None:
        said += f" Its answer: {actor.answer}"
    shown = trajectory(actor.path[-JUDGED:]) or "none"
    return (
        f"The whole task:\n{task.text}\n\nThe sub-task:\n{subtask}\n\nThe last actions and what "
        f"was seen after each:\n{shown}\n\n{said}\n\nGive a short reason. Then say whether the "
        "sub-task is done (yes or no): only what was seen counts. Then say whether the way is good "
        "or bad: bad if the last action was a mistake that has to be taken back."
    )


def trajectory(path: tuple[Move, ...]) -> str:
    """Actions with what they came to, as planner and judge read them."""
    return "\n".join(f"{i}. {m.action.key}\n   {m.seen.text}" for i, m in enumerate(path, 1))


def account(notes: dict[str, Any]) -> str:
    """The run in a few lines, for a reader."""
    lines = [
        f"{len(notes['done'])} sub-tasks were done, {notes['retries']} tried again, "
        f"{notes['replans']} times planned anew; {notes['made']} actions were made; "
        f"{notes['ended']}."
    ]
    lines += [f"Plan: {'; '.join(plan)}." for plan in notes["plans"]]
    if notes["cut"]:
        lines.append(f"Cut from the plan: {'; '.join(notes['cut'])}.")
    lines += [
        f"{'Told' if b['soft'] else 'Went back'}: {b['given_up']} was given up, since {b['why']}."
        for b in notes["backtracks"]
    ]
    return "\n".join(lines)
