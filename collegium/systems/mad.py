"""Multi-agent debate as test-time scaling (arXiv 2505.22960, ICML 2025 MAS workshop).

Notation of the paper (sections 2 and 3): p model, q question, I_j instruction of agent j, o_{j,t}
its output in round t, O_t all outputs of round t.

MAD(M, T): round 1, o_{j,1} = p(q, I_j), independent. Round t > 1, o_{j,t} = p(q, O_{t-1}, I_j):
every agent sees all outputs of the previous round, its own as its turn in its own conversation and
those of its peers quoted one by one, and answers again in the fixed form. The final answer is the
majority vote of round T. Cost M*T generations, depth T.

The decentralised exchange is real: peers *send* their outputs and each agent reads its mailbox, so
guards and attacks on messages act here as everywhere.

Paper vs code vs ours
---------------------
* The authors' repository could not be read; the flow is that of the base algorithm it builds on
  (Du et al., 2023). There, a peer's answer is the last number anywhere in the text, so a wordy
  wrong text can win by its form, and an unreadable answer is scored as right. Here answers are
  typed fields, and an unreadable one is no vote.
* Votes are taken on normalised answers; ties go to the answer seen first in agent order. An agent
  whose reply stays unreadable after one repair abstains, and abstentions are counted.
* A whole peer reply is quoted, reasoning and answer. The paper's exact prompts are not public: the
  wording is ours.
* Diversity: ``personas`` gives each debater its own instruction I_j; different models per debater
  are a matter of the kernel's roles (``--role debater-2=local-small``), so homogeneous and mixed
  teams are the same code.
* Defaults (3 agents, 2 rounds) are those of Du et al. for grade-school maths, temperature 1 as
  their model default.
"""

from __future__ import annotations

from typing import Any

from collegium.agents import answer_of, closing, vote, worked_type
from collegium.errors import BadInput
from collegium.kernel import Agent, Kernel, Mail, Reply, Unparsed, gather
from collegium.systems.cot import PROFILE, question
from collegium.systems.system import Result, system
from collegium.tasks.task import Task


@system(
    "mad",
    paper="mad",
    cost=lambda p: None if p["early_stop"] else p["agents"] * p["rounds"],
)
async def mad(
    task: Task,
    kernel: Kernel,
    *,
    agents: int = 3,
    rounds: int = 2,
    personas: tuple[str, ...] = (),
    early_stop: bool = False,
    temperature: float = 1.0,
    max_tokens: int = 384,
) -> Result:
    """Let agents debate over rounds, each seeing all answers of the round before; then vote.

    Args:
        task: What to solve.
        kernel: Runs the calls.
        agents: M, the number of debaters.
        rounds: T, the number of rounds.
        personas: One instruction I_j per debater (diversity); empty for a uniform team.
        early_stop: End when all agents agree (the cost then varies: off in fair comparisons).
        temperature: Sampling temperature of every debater.
        max_tokens: Cap per generation.

    Returns:
        The majority of the last round. ``notes`` hold ``answers`` and ``texts`` by round and
        agent, ``votes`` and the number of ``abstentions`` over all rounds.

    Raises:
        BadInput: M or T is below 1, or the number of personas is not M.
    """
    if agents < 1 or rounds < 1:
        raise BadInput(f"mad needs agents >= 1 and rounds >= 1, not {agents} and {rounds}.")
    if personas and len(personas) != agents:
        raise BadInput(f"mad got {len(personas)} personas for {agents} agents; give one each.")
    debaters = [
        kernel.agent(f"debater-{j + 1}", profile=instruction(task, personas[j] if personas else ""))
        for j in range(agents)
    ]
    answers: list[list[Any]] = []
    texts: list[list[str]] = []
    result = Result(Unparsed())
    replies: list[Reply[Any]] = []
    for t in range(rounds):
        own = [r.call for r in replies] or [None] * agents
        replies = await gather(
            *(
                speak(d, task, last, temperature=temperature, max_tokens=max_tokens)
                for d, last in zip(debaters, own, strict=True)
            )
        )
        answers.append([answer_of(r) for r in replies])
        texts.append([r.text for r in replies])
        result = conclude(task, replies, answers, texts)
        kernel.keep(result)
        if t + 1 == rounds or (early_stop and result.notes["votes"] == agents):
            break
        for speaker, reply in zip(debaters, replies, strict=True):
            for peer in debaters:
                if peer is not speaker:
                    await speaker.send(peer, reply.text, sources=[reply.call])
    return result


def instruction(task: Task, persona: str) -> str:
    """I_j: persona, way of working, and the task's standing rules."""
    return " ".join(part for part in (persona, PROFILE, task.rules) if part)


async def speak(
    debater: Agent, task: Task, last: int | None, *, temperature: float, max_tokens: int
) -> Reply[Any]:
    """o_{j,t}: the first answer, or the answer after reading O_{t-1}.

    Args:
        debater: Agent j.
        task: The question q.
        last: Trace id of o_{j,t-1}; None in round 1.
        temperature: Sampling temperature.
        max_tokens: Cap on the reply.
    """
    heard = () if last is None else await debater.receive()
    return await debater.ask(
        question(task) if last is None else debate_prompt(task, heard),
        output=worked_type(task),
        temperature=temperature,
        max_tokens=max_tokens,
        keep=True,
        sources=[] if last is None else [last, *(m.call for m in heard)],
    )


def debate_prompt(task: Task, heard: tuple[Mail, ...]) -> str:
    """The prompt of a round t > 1: the peers' outputs one by one, then the request to answer."""
    if not heard:  # a debate of one: self-refinement
        said = "Check your last answer for mistakes."
    else:
        quoted = "\n\n".join(f"One agent's solution:\n{m.text}" for m in heard)
        said = f"Other agents solved the same problem.\n\n{quoted}\n\nWeigh them against your own."
    return f"{said} Then solve the problem again. {closing(task)}"


def conclude(
    task: Task, replies: list[Reply[Any]], answers: list[list[Any]], texts: list[list[str]]
) -> Result:
    """The majority vote of the last round so far, with the whole debate beside it."""
    tally = vote(task, answers[-1])
    return Result(
        tally.winner if tally.cast else Unparsed("", "no debater gave a readable answer"),
        tuple(replies),
        {
            "answers": [[None if isinstance(a, Unparsed) else a for a in row] for row in answers],
            "texts": [list(row) for row in texts],
            "votes": tally.votes,
            "cast": tally.cast,
            "abstentions": sum(isinstance(a, Unparsed) for row in answers for a in row),
        },
    )
