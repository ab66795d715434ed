"""HALO: refine the query, plan subtask by subtask, search over who speaks (arXiv 2505.13516).

1. *Adaptive prompt refinement*, Eqs. 2-5: task parser -> F = (task type, core intent, key details);
   template generator -> prompt optimizer -> final generator -> the refined prompt.
2. *Planner*, Eq. 6: T_k from the refined prompt, F and the history H_{k-1} of earlier subtasks with
   answer and status; one subtask at a time, or "stop".
3. *Role designer*: the roles for T_k. Each role gets a system prompt phi of its own in three calls
   (template -> optimise -> final), Eq. 7.
4. *Search*, Eq. 9: Monte Carlo tree search over who speaks next; see
   :mod:`collegium.agents.mcts`. A child is sent the answers of its path by those who gave them,
   answers the subtask, is judged success, fail or continue, and is scored knowing the verdict.
5. *Early stop*: with n >= 2 answers, when h/n >= 0.66, h of them agreeing with the most supported.
   Otherwise the planner goes on, and its "stop" makes the last answer the answer of the run.

Cost in generations, repairs of unreadable replies aside. With R roles, depth D, S simulations and
K subtasks, a subtask costs 1 (planner) + 1 (designer) + 3R (prompts) + 3 for every step of the
search. The first expansion has R steps. If nothing succeeds, the whole tree has R + R^2 + ... + R^D
steps, and simulations add at most S * sum_l R^l * (D-l-1), l = 0..D-1. Refinement costs 4, the stop
at the end 1. So the easiest run costs 4 + 2 + 6R + 1 (19 with two roles) and the dearest
4 + K * (2 + 3R + 3 * steps): 100 with the defaults K = 3, D = 2, S = 2, R = 2. The paper's limits
are K = D = S = 5, without a bound on R. The best answer so far is kept from the first turn on (the
13th call with two roles), so a limit after it costs no answer.

Paper vs code vs ours
---------------------
* *Selection* in the authors' code copies the root, so visits below it are lost, and a second child
  judged "continue" makes it run for ever. Here all steps share one tree, and a node without
  anything left to expand is never selected again.
* *End of the search*: the code ends on the first selected terminal node, which can be a failed one
  beside a successful sibling. Here the best-scored success of an expansion ends it; failed nodes
  are not selected; when nothing is left, the best-scored answer comes back as "fail".
* *Backpropagation*: the code's rule is a mean, which UCT divides by n once more; the paper's
  equation was not recovered. Here v is a sum that begins with the score. The code's rule is
  :func:`collegium.agents.mcts.average_with_children`.
* *Simulations* all start at the best child of the expansion, as in the code; among children nobody
  visited that is the best-scored one that may go on. A success ends the search without any.
* *Agreement*: the code skips equal strings when it counts, so letters never agree. Here an answer
  supports itself and all that are equal in normal form; free text and code also agree at
  sentence-BLEU >= 70 (``sacrebleu``, an optional library; without it equality alone counts, and
  ``notes["agreement"]`` says which it was). Unreadable answers are not counted.
* *Stop*: the code stops when the word appears anywhere in the planner's text, even before the first
  subtask. Here it is a field of its own, and the first plan has no such choice.
* *Roles*: unreadable roles fall back to a string in the code, whose letters become roles. Here no
  role means one "assistant". ``roles`` bounds the list; the paper has no bound.
* *Answers* are read by another model call in the code. Here an agent ends its turn with an answer
  of the task's type. A turn without one is a failed node, and nobody is asked to judge it.
* *Failure*: K subtasks with neither stop nor agreement give "C", 0 or ``return None`` in the code.
  Here :class:`Unparsed` with the reason, or, with ``answer_anyway``, the last answer.
* *The question* stands in every prompt but those that write phi, which know the subtask alone, as
  in the code. Elsewhere the code hands on the refined prompt alone, and what the rewriting drops (a
  choice, a signature) is gone for good.
* *Without refinement* the code still calls the task parser. Here the switch takes away all four
  calls of the stage; F is then empty. Without the planner the refined prompt is the one subtask.
* Prompts are ours: those of the paper are written for a far larger model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from collegium.agents import answer_of, worked_type
from collegium.agents.mcts import Judgement, Node, Path, best_node, draw, search
from collegium.errors import BadInput
from collegium.kernel import Agent, Kernel, Reply, Unparsed, gather
from collegium.systems.halo import prompts as say
from collegium.systems.halo.agreement import Agreement, agreement, consensus
from collegium.systems.halo.prompts import Crew, Refined, raw, refine, role_prompt
from collegium.systems.system import Result, system
from collegium.tasks.code import extract_code
from collegium.tasks.task import Task

LABEL_TOKENS = 32
"""Cap on a verdict or a score."""


class Subtask(msgspec.Struct):
    """One subtask T_k and what became of it.

    Attributes:
        text: What is to be done.
        roles: Who was designed for it.
        tree: The search tree.
        status: "unfinished", "success" or "fail".
        best: The node whose answer counts.
        source: Trace id of the plan; -1 without a planner.
    """

    text: str
    roles: tuple[str, ...] = ()
    tree: Node = msgspec.field(default_factory=Node)
    status: str = "unfinished"
    best: Node | None = None
    source: int = -1

    @property
    def answer(self) -> Any:
        return Unparsed("", "no answer") if self.best is None else self.best.answer


class Run(msgspec.Struct):
    """Where a run stands.

    Attributes:
        crew: Makes and asks the agents.
        rule: When two answers agree.
        max_tokens: Cap on an agent's turn.
        refined: What refinement gave.
        subtasks: In order; the last may be unfinished.
        replies: The turns of the agents, in order.
        kept: The best answer so far.
        rank: How good it is: a success (1), not (0), not judged yet (-1); subtask; score.
    """

    crew: Crew
    rule: Agreement
    max_tokens: int
    refined: Refined
    subtasks: list[Subtask] = []
    replies: list[Reply[Any]] = []
    kept: Any = Unparsed("", "no agent gave a readable answer")
    rank: tuple[int, int, float] = (-2, 0, 0.0)

    @property
    def task(self) -> Task:
        return self.crew.task

    def consider(self, answer: Any, rank: tuple[int, int, float]) -> None:
        """Keep the best answer so far, and where the run stands."""
        if isinstance(answer, Unparsed):
            return
        if rank > self.rank:
            self.kept, self.rank = answer, rank
        self.crew.kernel.keep(conclude(self, self.kept, "a limit"))


@system("halo", paper="halo")
async def halo(
    task: Task,
    kernel: Kernel,
    *,
    subtasks: int = 3,
    depth: int = 2,
    simulations: int = 2,
    roles: int = 2,
    refine_prompt: bool = True,
    planner: bool = True,
    answer_anyway: bool = False,
    temperature: float = 0.8,
    max_tokens: int = 256,
    prompt_tokens: int = 160,
) -> Result:
    """Refine the query, plan subtask by subtask, invent roles, and search over who speaks next.

    Args:
        task: What to solve.
        kernel: Runs the calls.
        subtasks: K, subtasks at most (paper: 5).
        depth: D, agents that speak one after the other at most (paper: 5; 3 for MMLU).
        simulations: S, simulations after each expansion (paper: 5; 3 for MMLU).
        roles: R, roles taken from the designer's list at most (paper: no bound).
        refine_prompt: Whether to refine the query (4 calls).
        planner: Whether to plan; without, the refined prompt is the one subtask.
        answer_anyway: Give the last answer when neither a stop nor agreement came.
        temperature: Sampling temperature of every call.
        max_tokens: Cap on an agent's turn (paper: 2048).
        prompt_tokens: Cap on a refined prompt, a template or a plan.

    Returns:
        The answer. ``notes`` hold ``refined``, ``subtasks`` (text, roles, answer, status, tree),
        ``stop_reason``, ``fallbacks`` by role, ``unreadable`` turns and the rule of ``agreement``;
        ``files`` the drawn trees and the same as JSON.

    Raises:
        BadInput: The question is empty, or a limit is below 1.
    """
    if not task.prompt.strip():
        raise BadInput("halo got an empty question; write what is to be solved.")
    if min(subtasks, depth, simulations, roles) < 1:
        raise BadInput(
            "halo needs subtasks, depth, simulations and roles >= 1, not "
            f"{subtasks}, {depth}, {simulations} and {roles}."
        )
    crew = Crew(task, kernel, temperature, prompt_tokens)
    run = Run(crew, agreement(task), max_tokens, await refine(crew) if refine_prompt else raw(task))
    if not planner:
        only = await work_on(run, Subtask(run.refined.prompt), depth, simulations, roles)
        return conclude(run, only.answer, "no planner")
    mind = crew.agent("planner", role="planner")
    while len(run.subtasks) < subtasks:
        subtask = await next_subtask(run, mind)
        if subtask is None:
            return conclude(run, last_answer(run), "stop")
        await work_on(run, subtask, depth, simulations, roles)
        answers = [s.answer for s in run.subtasks if not isinstance(s.answer, Unparsed)]
        agreed = consensus(answers, run.rule)
        if agreed is not None:
            return conclude(run, answers[agreed], "agreement")
    if answer_anyway:
        return conclude(run, last_answer(run), "no more subtasks")
    none = Unparsed("", f"neither stop nor agreement after {subtasks} subtasks")
    return conclude(run, none, "no more subtasks")


async def next_subtask(run: Run, planner: Agent) -> Subtask | None:
    """Step 2, Eq. 6: T_k, or None for "stop". An unreadable plan: the refined prompt."""
    done = [(s.text, s.best.text if s.best else "", s.status) for s in run.subtasks]
    calls = [s.best.call for s in run.subtasks if s.best]
    plan, call = await run.crew.ask(
        planner,
        say.plan(run.task, run.refined, done),
        say.Plan if done else say.FirstPlan,
        [*run.refined.sources, *calls],
    )
    if isinstance(plan, say.Plan) and plan.decision == "stop":
        return None
    text = plan.next_subtask.strip() if plan else ""
    return Subtask(text or run.refined.prompt, source=call)


class Member(msgspec.Struct, frozen=True):
    """A role at work: who speaks, who judges and who scores it, and where phi came from."""

    role: str
    worker: Agent
    judge: Agent
    scorer: Agent
    source: int


async def work_on(run: Run, subtask: Subtask, depth: int, simulations: int, most: int) -> Subtask:
    """Steps 3 and 4: design the roles of a subtask, write their prompts, search."""
    run.subtasks.append(subtask)
    k = len(run.subtasks)
    designer = run.crew.agent(f"role-designer-{k}", role="role-designer")
    prompt = say.design(run.task, run.refined, subtask.text, most)
    listed, call = await run.crew.ask(designer, prompt, say.Roles, [subtask.source])
    names = dict.fromkeys(name.strip() for name in listed.agent_roles) if listed else {}
    subtask.roles = tuple(n for n in names if n)[:most] or ("assistant",)
    members = await gather(
        *(member(run, subtask, role, f"{k}-{i}", call) for i, role in enumerate(subtask.roles, 1))
    )
    team = {m.role: m for m in members}

    async def actions(path: Path) -> Sequence[str]:
        return subtask.roles

    async def act(path: Path, role: str) -> Node:
        return await speak(run, subtask, team, path, role)

    async def judge(path: Path) -> Judgement:
        return await judged(run, subtask, team[path[-1].action], path[-1])

    def report() -> None:
        best = best_node(subtask.tree)
        if best is not None:
            run.consider(best.answer, (int(best.verdict == "success"), k, best.score))

    found = await search(
        subtask.tree,
        actions=actions,
        act=act,
        judge=judge,
        choose=run.crew.kernel.random.choice,
        depth=depth,
        simulations=simulations,
        report=report,
    )
    subtask.status, subtask.best = found.status, found.best
    report()  # once more, for the status
    return subtask


async def member(run: Run, subtask: Subtask, role: str, number: str, source: int) -> Member:
    """Write a role's system prompt phi and make its agents."""
    phi, call = await role_prompt(run.crew, subtask.text, role, number, source)
    return Member(
        role,
        run.crew.agent(f"worker-{number}", role="worker", profile=phi),
        run.crew.agent(f"judge-{number}", role="judge"),
        run.crew.agent(f"scorer-{number}", role="scorer"),
        call,
    )


async def speak(run: Run, subtask: Subtask, team: dict[str, Member], path: Path, role: str) -> Node:
    """Step 4b: whoever spoke on the path sends its answer, then the role answers the subtask."""
    speaker = team[role]
    for before in path[1:]:
        said = say.quoted(before.action, before.text)
        await team[before.action].worker.send(speaker.worker, said, sources=[before.call])
    # A mailbox is ordered by sender; the path is the order in which they were sent.
    heard = sorted(await speaker.worker.receive(), key=lambda m: m.call) if path[1:] else []
    reply = await speaker.worker.ask(
        say.work(run.task, run.refined, subtask.text, [m.text for m in heard], role),
        output=worked_type(run.task),
        temperature=run.crew.temperature,
        max_tokens=run.max_tokens,
        sources=[speaker.source, *(m.call for m in heard)],
    )
    run.replies.append(reply)
    answer = read(run.task, reply)
    run.consider(answer, (-1, 0, 0.0))
    return Node(action=role, text=reply.text, answer=answer, call=reply.call)


def read(task: Task, reply: Reply[Any]) -> Any:
    """Step 5: the answer in a turn; of code the block that defines what is asked for."""
    answer = answer_of(reply)
    if task.answer == "code" and isinstance(answer, str):
        return extract_code(answer, task.entry_point) or Unparsed(answer, "there is no code")
    return answer


async def judged(run: Run, subtask: Subtask, who: Member, node: Node) -> Judgement:
    """Step 4b: verdict, then score; "continue" and 0.5 where they cannot be read."""
    if isinstance(node.answer, Unparsed):
        return Judgement("fail", 0.0)
    task, text = run.task, subtask.text
    prompt = say.judge(task, text, who.role, node.text)
    told, call = await run.crew.ask(who.judge, prompt, say.Judged, [node.call], LABEL_TOKENS)
    verdict = told.status if told else "continue"
    prompt = say.score(task, text, who.role, node.text, verdict)
    scored, _ = await run.crew.ask(who.scorer, prompt, say.Scored, [node.call, call], LABEL_TOKENS)
    return Judgement(verdict, scored.score if scored else 0.5)


def last_answer(run: Run) -> Any:
    """The last subtask's answer; where that cannot be read, the last one that can."""
    readable = [s.answer for s in run.subtasks if not isinstance(s.answer, Unparsed)]
    return readable[-1] if readable else Unparsed("", "no subtask has a readable answer")


def conclude(run: Run, answer: Any, reason: str) -> Result:
    """The result, with all that led to it."""
    trees = "\n\n".join(
        f"Subtask {k}: {s.text}\n{draw(s.tree)}" for k, s in enumerate(run.subtasks, 1)
    )
    nodes = [tree_data(s.tree, texts=True) for s in run.subtasks]
    return Result(
        answer,
        tuple(run.replies),
        {
            "refined": {
                "task_type": run.refined.task_type,
                "core_intent": run.refined.core_intent,
                "key_details": run.refined.key_details,
                "prompt": run.refined.prompt,
            },
            "subtasks": [
                {
                    "text": s.text,
                    "roles": list(s.roles),
                    "answer": plain(s.answer),
                    "status": s.status,
                    "tree": tree_data(s.tree),
                }
                for s in run.subtasks
            ],
            "stop_reason": reason,
            "fallbacks": dict(run.crew.fallbacks),
            "unreadable": sum(isinstance(read(run.task, r), Unparsed) for r in run.replies),
            "agreement": run.rule.name,
        },
        account(run, reason),
        {
            "search-tree.txt": f"{trees}\n",
            "search-tree.json": msgspec.json.format(msgspec.json.encode(nodes)).decode() + "\n",
        },
    )


def account(run: Run, reason: str) -> str:
    """Why this answer: the refined prompt, every subtask with its tree, and what ended the run."""
    lines = [f"Refined prompt: {run.refined.prompt}"]
    for k, s in enumerate(run.subtasks, 1):
        said = plain(s.answer)
        lines += [
            f"Subtask {k} ({s.status}): {s.text}",
            f"Roles: {', '.join(s.roles) or 'none yet'}",
            f"Answer: {'none' if said is None else said}",
            draw(s.tree),
        ]
    return "\n".join([*lines, f"Ended by: {reason}."])


def plain(answer: Any) -> Any:
    """An answer as plain data; None where there is none."""
    return None if isinstance(answer, Unparsed) else answer


def tree_data(node: Node, *, texts: bool = False) -> dict[str, Any]:
    """A tree as plain data, with the texts of the turns if wanted."""
    return {
        "role": node.action,
        "answer": plain(node.answer),
        **({"text": node.text} if texts else {}),
        "judge": node.verdict,
        "score": node.score,
        "n": node.n,
        "v": node.v,
        "children": [tree_data(c, texts=texts) for c in node.children],
    }
