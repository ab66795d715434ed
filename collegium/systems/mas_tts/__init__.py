"""A team of experts under a CEO agent (arXiv 2504.09772: M500, M1-32B and the CEO agent).

One model plays every role. A round, at most ``max_turn`` of them:

a. The CEO reads task, latest solution, the evaluator's advice and the current resources, and sets
   four things: Stop or Continue, K experts, a direction, and the token budget of every reply.
b. Its fields are brought into their ranges. Stop ends the run with the current solution.
c. The recruiter names K experts: a solver and K - 1 critics.
d. The solver and the critics may write at most the CEO's budget; its direction is broadcast.
e. Vertical, solver first: the solver writes a solution; then up to ``max_inner_turns`` times all
   critics review it side by side. If nobody disagrees the inner loop ends; else the disagreeing
   reviews, and they alone, are broadcast and the solver writes again.
f. Code only: the executor writes a file of tests, once, and runs it against the solution.
g. The evaluator says whether the solution is correct, which ends the run, and gives advice.

Direction, advice, solutions and objections are messages, so guards and attacks act on them.

Paper vs code vs ours
---------------------
* The code parses the CEO's decision and never looks at it. Here Stop is honoured, as the paper
  says; before there is a solution there is nothing to stop with, so such a Stop is overruled and
  counted.
* In the code the CEO's direction takes the place of the evaluator's advice, so that from round 2
  solver and critics never see that advice. Here they see both, and the last solution too.
* In the code "[Agree]" anywhere in a critic's text counts, even beside "[Disagree]". Here a critic
  thinks in plain text and ends with one typed verdict. One that stays unreadable is an abstention:
  neither an objection nor an agreement. Consensus takes one agreement and no objection.
* The headed fields of CEO, recruiter and evaluator are typed fields with the same content. As in
  the code a reply is asked for three times. Then the paper's standing values hold (CEO), names are
  made up (recruiter), or the solution counts as not correct (evaluator), each counted.
* The code bounds the CEO's number of experts from below alone; here also by the most that its own
  guidance names (4, for code 3), since no budget bears forty critics.
* Budgets are the paper's lattice divided by ``scale`` (16, for small models and contexts). What a
  reply may be quoted at is divided likewise. Asking once more for a verdict or an answer that
  worked reasoning left out takes up to 64 tokens: the least budget is kept no lower than that.
* The executor's reply is a thought and the file's code. Path and command, which it names in the
  code, are fixed here. Of the code, what repeats the solution is taken out, and a file that asserts
  nothing is not run but asked for again in the next round.
* The evaluator decides, with the tests' outcome in sight; the tests themselves do not.
* Solver and critics are told about how many words their budget gives them; in the code they are cut
  off without a warning.
* Other roles than solver and critics have small fixed caps; the paper leaves them open.
* CommonGen-hard, a text that must hold given concepts, is not among the kinds of task here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from collegium.agents import answer_of, worked_type
from collegium.errors import BadInput
from collegium.kernel import Agent, Kernel, Mail, Reply, Unparsed, Worked, gather
from collegium.systems.mas_tts.roles import (
    MOST_EXPERTS,
    NO_ADVICE,
    NO_RESOURCES,
    NO_SOLUTION,
    QUOTED,
    After,
    Decision,
    Evaluation,
    Member,
    Order,
    Round,
    Verdict,
    account,
    ceo_prompt,
    critic_prompt,
    distinct,
    evaluator_prompt,
    executor_prompt,
    experts_type,
    quoted,
    recruiter_prompt,
    settle,
    solver_prompt,
    written_tests,
)
from collegium.systems.system import Result, system
from collegium.tasks import extract_code
from collegium.tasks.task import Task
from collegium.tools.programs import run_project

T = TypeVar("T")

PROFILE = "You work in a team of experts that solves a task together."

TRIES = 3
"""How often a reply of CEO, recruiter or evaluator is asked for, as in the code."""

LARGEST_SCALE = 32
"""So that the least budget is no smaller than what stating a left-out answer may take."""

CEO_TOKENS, EVALUATOR_TOKENS, TESTS_TOKENS, EXPERT_TOKENS = 192, 192, 384, 48
"""Caps on replies of roles whose length the CEO does not set; the recruiter's is per expert."""

KINDS = {"number": "maths", "latex": "maths", "code": "code", "choice": "qa", "text": "qa"}


class Run(msgspec.Struct):
    """What all stages share, and the record they write.

    Attributes:
        unreadable: By role, asks that gave nothing readable.
        overruled: Stops of the CEO when there was no solution yet.
    """

    task: Task
    kernel: Kernel
    kind: str
    scale: int
    temperature: float
    rounds: list[Round] = []
    ceo_log: list[Decision] = []
    unreadable: dict[str, int] = {}
    overruled: int = 0
    stopped: bool = False
    success: bool = False
    tests: str = ""

    def unread(self, role: str) -> None:
        """Count an ask that gave nothing readable."""
        self.unreadable[role] = self.unreadable.get(role, 0) + 1

    def shown(self, reply: Reply[Any] | None) -> str:
        """A solution as others are shown it."""
        return quoted(reply.text.strip(), QUOTED // self.scale) if reply else ""


@system("mas-tts", paper="mas-tts", tools=(run_project,))
async def mas_tts(
    task: Task,
    kernel: Kernel,
    *,
    ceo: bool = True,
    recruits: int = 2,
    max_turn: int = 2,
    max_inner_turns: int = 3,
    scale: int = 16,
    kind: str = "",
    temperature: float = 0.7,
    max_tokens: int = 384,
) -> Result:
    """Let a CEO staff, direct, budget and stop a team of a solver and its critics.

    Args:
        task: What to solve.
        kernel: Runs the calls.
        ceo: Whether there is a CEO; without one the team is the plain AgentVerse team.
        recruits: K where there is no CEO to set it.
        max_turn: Rounds at most.
        max_inner_turns: Reviews of the solution in a round at most.
        scale: What the paper's token budgets (2,048 to 32,000) are divided by, 1 to 32.
        kind: "maths", "qa" or "code"; "" goes by the kind of answer.
        temperature: Sampling temperature of every role.
        max_tokens: Cap on replies of solver and critics where there is no CEO to set it.

    Returns:
        The latest readable solution's answer. ``notes`` hold ``solution``, ``success`` (the
        evaluator accepted it), ``stopped`` (the CEO did), ``turns``, ``ceo_log``, the ``rounds``,
        and how often each role was ``unreadable``.

    Raises:
        BadInput: The task is empty, its kind is unknown, or a parameter is out of range.
    """
    run = Run(task, kernel, checked_kind(task, kind), scale, temperature)
    for name, value, least in (
        ("recruits", recruits, 2), ("max_turn", max_turn, 1),
        ("max_inner_turns", max_inner_turns, 1), ("max_tokens", max_tokens, 64),
    ):  # fmt: skip
        if value < least:
            raise BadInput(f"mas-tts needs {name} >= {least}, not {value}.")
    if not 1 <= scale <= LARGEST_SCALE:
        raise BadInput(f"mas-tts needs a scale from 1 to {LARGEST_SCALE}, not {scale}.")

    def agent(name: str, *tools: str) -> Agent:
        return kernel.agent(name, profile=f"{PROFILE} {task.rules}".strip(), tools=tools)

    chief = agent("ceo") if ceo else None
    recruiter, solver, evaluator = agent("recruiter"), agent("solver"), agent("evaluator")
    executor = agent("executor", "run_project") if run.kind == "code" else None
    critics: list[Agent] = []
    solution: Reply[Any] | None = None
    advice: Mail | None = None
    result = Result(Unparsed())
    for turn in range(max_turn):
        decision = Decision("Continue", recruits, "", max_tokens)
        direction: Mail | None = None
        if chief is not None:
            decision, direction = await decide(run, chief, solution, advice, max_turn - turn)
            if decision.decision == "Stop" and solution is not None:
                run.stopped = True
                result = conclude(run, solution)
                break
            run.overruled += decision.decision == "Stop"
        k = decision.recruit_number
        experts = await recruit(run, recruiter, k, advice)
        critics += [agent(f"critic-{i + 1}") for i in range(len(critics), k - 1)]
        named = zip((solver, *critics[: k - 1]), experts, strict=True)
        team = [Member(a, expert) for a, expert in named]  # what was heard before is gone
        run.rounds.append(Round({m.agent.name: m.expert for m in team}, decision.maximum_tokens))
        for member in team:
            if chief is not None and direction is not None:
                made = [direction.call] if direction.call >= 0 else []
                await chief.send(member.agent, direction.text, sources=made)
            if advice is not None:
                await evaluator.send(member.agent, advice.text, sources=[advice.call])
        solution = await deliberate(run, team, solution, max_inner_turns)
        ran = await execute(run, executor, solution) if executor else ""
        advice = await evaluate(run, evaluator, solution, ran)
        result = conclude(run, solution)
        kernel.keep(result)
        if run.success:
            break
    return result


def checked_kind(task: Task, kind: str) -> str:
    """The kind of a task.

    Raises:
        BadInput: There is no such kind, it does not fit the task, or the task is empty.
    """
    if not task.prompt.strip():
        raise BadInput("mas-tts got an empty task; give it something to solve.")
    if kind and kind not in MOST_EXPERTS:
        raise BadInput(f"mas-tts knows the kinds {', '.join(MOST_EXPERTS)}, not {kind!r}.")
    if kind and (kind == "code") != (task.answer == "code"):
        raise BadInput(f"a task answered with {task.answer!r} is not of the kind {kind!r}.")
    return kind or KINDS[task.answer]


async def insist(
    run: Run,
    agent: Agent,
    prompt: str,
    output: type[T],
    *,
    max_tokens: int,
    sources: Sequence[int],
    fits: Callable[[T], bool] = lambda value: True,
) -> tuple[T, int] | None:
    """A value and its call, asked for again where it has not its form; None: it never came."""
    for _ in range(TRIES):
        reply = await agent.ask(
            prompt,
            output=output,
            temperature=run.temperature,
            max_tokens=max_tokens,
            repair=False,
            sources=sources,
        )
        if reply.data is not None and not isinstance(reply.data, Unparsed) and fits(reply.data):
            return reply.data, reply.call
        run.unread(agent.role)
    return None


async def decide(
    run: Run, chief: Agent, solution: Reply[Any] | None, advice: Mail | None, left: int
) -> tuple[Decision, Mail]:
    """Steps a and b: the CEO's decision, and its direction as it is broadcast."""
    resources = NO_RESOURCES
    if run.ceo_log:
        last = run.ceo_log[-1]
        resources = (
            f"recruit_number {last.recruit_number}, maximum_tokens {last.maximum_tokens} in the "
            f"last round; rounds left: {left}"
        )
    prompt = ceo_prompt(
        run.task,
        run.kind,
        run.scale,
        solution=run.shown(solution) or NO_SOLUTION,
        advice=advice.text if advice else NO_ADVICE,
        resources=resources,
    )
    sources = [x.call for x in (solution, advice) if x is not None]
    said = await insist(run, chief, prompt, Order, max_tokens=CEO_TOKENS, sources=sources)
    order, call = said or (None, -1)
    decision = settle(order, run.kind, run.scale)
    run.ceo_log.append(decision)
    return decision, Mail("ceo", decision.direction, call)


async def recruit(run: Run, recruiter: Agent, k: int, advice: Mail | None) -> list[str]:
    """Step c: K different experts, the solver first."""
    said = await insist(
        run,
        recruiter,
        recruiter_prompt(run.task, k, advice=advice.text if advice else ""),
        experts_type(k),
        max_tokens=EXPERT_TOKENS * k + 16,
        sources=[advice.call] if advice else [],
        fits=distinct,
    )
    if said is None:
        return [f"expert {i + 1} in the subject of the task" for i in range(k)]
    return [expert.strip().rstrip(".") for expert in said[0]]


async def deliberate(
    run: Run, team: list[Member], before: Reply[Any] | None, max_inner_turns: int
) -> Reply[Any]:
    """Step e: vertical decision making, solver first. Returns the round's solution.

    Args:
        run: What all stages share.
        team: The solver, then the critics.
        before: The solution of the round before.
        max_inner_turns: Reviews at most.
    """
    (solver, *critics), record = team, run.rounds[-1]
    if before is not None:
        solver.solution = Mail("solver", run.shown(before), before.call)
    solution = await write(run, solver, before, "nothing" if before is None else "advice")
    for inner in range(max_inner_turns):
        for critic in critics:
            await solver.agent.send(critic.agent, run.shown(solution), sources=[solution.call])
        reviews = await gather(*(review(run, critic) for critic in critics))
        verdicts = [verdict for verdict, _ in reviews]
        record.reviews.append(dict(zip([c.agent.name for c in critics], verdicts, strict=True)))
        objections = [
            (critic, mail)
            for critic, (verdict, mail) in zip(critics, reviews, strict=True)
            if verdict == "Disagree"
        ]
        record.consensus = not objections and "Agree" in verdicts
        if not objections:
            break
        # After the last review only the solver goes on.
        hearers = team if inner + 1 < max_inner_turns else [solver]
        for member in team:
            member.objections = ()
        for critic, mail in objections:
            critic.objections = (mail,)
            for member in hearers:
                if member is not critic:
                    await critic.agent.send(member.agent, mail.text, sources=[mail.call])
        solver.solution = Mail("solver", run.shown(solution), solution.call)
        solution = await write(run, solver, solution, "objections")
    return solution


async def write(run: Run, solver: Member, before: Reply[Any] | None, after: After) -> Reply[Any]:
    """The solver's solution; the one before stands where no answer can be read from it."""
    await solver.listen()
    known, sources = solver.knows(run.task, run.scale)
    reply = await solver.agent.ask(
        solver_prompt(run.task, solver.expert, known, run.rounds[-1].budget, after),
        output=worked_type(run.task),
        temperature=run.temperature,
        max_tokens=run.rounds[-1].budget,
        sources=sources,
    )
    if isinstance(answer_of(reply), Unparsed):
        run.unread("solver")
        reply = before or reply
    run.kernel.keep(conclude(run, reply))
    return reply


async def review(run: Run, critic: Member) -> tuple[str, Mail]:
    """A critic's verdict on the solution it was sent, "unreadable" for an abstention; its text."""
    await critic.listen()
    known, sources = critic.knows(run.task, run.scale)
    reply = await critic.agent.ask(
        critic_prompt(critic.expert, known, run.rounds[-1].budget),
        output=Worked[Verdict],
        temperature=run.temperature,
        max_tokens=run.rounds[-1].budget,
        sources=sources,
    )
    mail = Mail(critic.agent.name, reply.text, reply.call)
    if not isinstance(reply.data, Worked):
        run.unread("critic")
        return "unreadable", mail
    return reply.data.answer, mail


async def execute(run: Run, executor: Agent, solution: Reply[Any]) -> str:
    """Step f: run the tests, which are written when there are none yet; says what came of it."""
    program = extract_code(solution.text, run.task.entry_point)
    if not run.tests:
        reply = await executor.ask(
            executor_prompt(run.task, quoted(program, QUOTED // run.scale)),
            temperature=run.temperature,
            max_tokens=TESTS_TOKENS,
            sources=[solution.call],
        )
        run.tests = written_tests(reply.text, program)
        if not run.tests:
            run.unread("executor")
            return ""
    ran = await executor.use(
        "run_project",
        files={"solution.py": program, "test_solution.py": run.tests},
        command=["python", "test_solution.py"],
        seconds=10.0,
    )
    run.rounds[-1].tests = ran["status"]
    said = (ran["errors"] or ran["output"]).strip()[-500:]
    return "all its tests passed." if ran["status"] == "ok" else f"{ran['status']}: {said}"


async def evaluate(run: Run, evaluator: Agent, solution: Reply[Any], ran: str) -> Mail | None:
    """Step g: success or advice."""
    found = await insist(
        run,
        evaluator,
        evaluator_prompt(run.task, run.shown(solution), ran),
        Evaluation,
        max_tokens=EVALUATOR_TOKENS,
        sources=[solution.call],
    )
    if found is None:
        return None
    said, call = found
    run.rounds[-1].evaluation = said
    run.success = said.correctness == 1
    parts = (said.advice.strip(), said.recruiting_suggestion.strip())
    text = " ".join(p for p in parts if p)
    return Mail("evaluator", text, call) if text else None


def conclude(run: Run, solution: Reply[Any]) -> Result:
    """The current solution with all that led to it."""
    return Result(
        answer_of(solution),
        (solution,),
        {
            "solution": solution.text,
            "success": run.success,
            "stopped": run.stopped,
            "turns": len(run.rounds),
            "ceo_log": msgspec.to_builtins(run.ceo_log),
            "rounds": msgspec.to_builtins(run.rounds),
            "overruled": run.overruled,
            "unreadable": dict(run.unreadable),
        },
        account(run.rounds, run.ceo_log),
        {"test_solution.py": run.tests} if run.tests else {},
    )
