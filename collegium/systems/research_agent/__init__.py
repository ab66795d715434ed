"""The research agent of MLAgentBench (arXiv 2310.03302, section 3).

Each step the agent is shown its tools, the problem, and its last three steps in full. It writes a
reflection, the research plan and its status, a fact check, a thought, and one action with its input
(:mod:`collegium.systems.research_agent.reply`). What cannot be read is asked for again, and five
unreadable replies in a row end the run. An observation of more than 5,000 characters is summarised,
window by window of 10,000. With ``log`` every step is summarised into a research log, and what is
relevant of the log stands in the prompt of the next step.

Paper vs code vs ours
---------------------
* In the official code summaries of several windows lose their number by a missing mark. Here each
  is told which of how many it is.
* A reply in plain text with fields is the method itself, and what the paper measures, so it is read
  and not asked for as a typed value. The form is shorter for the paper's baselines: ``form=react``
  writes a thought and an action, ``form=act`` an action alone.
* The actions that use a model to understand or edit a file are not here: the agent has the tools of
  its task. Summaries are asked of the agent's role ``reader``, which may have a model of its own.
* An agent without the final answer among its tools ends by ``final_answer`` all the same.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from collegium.errors import BadInput, Denied, ToolError
from collegium.kernel import Agent, Kernel, Unparsed
from collegium.systems.research_agent.reply import (
    ACTION,
    FIELDS,
    INPUT,
    Fields,
    History,
    read_reply,
)
from collegium.systems.system import Result, system
from collegium.tasks.task import Task
from collegium.worlds.folder.world import Closed

FINAL = "final_answer"
LONG, WINDOW = 5_000, 10_000
PROFILE = "You are a careful researcher who runs experiments."

Form = Literal["full", "react", "act"]
FORMS: dict[Form, tuple[str, ...]] = {
    "full": FIELDS,
    "react": ("Thought", ACTION, INPUT),
    "act": (ACTION, INPUT),
}
MEANING = {
    "Reflection": "what the last observation means, and what went wrong if it did",
    "Research Plan and Status": "the whole plan, with what is confirmed to be done; mark updates",
    "Fact Check": "what was observed, and what is only guessed",
    "Thought": "what to do next and why",
    ACTION: "the name of one tool",
    INPUT: "its arguments as JSON",
}


def lacking(task: Task) -> str:
    """What the agent lacks to solve a task."""
    return "" if task.tools else "a task with tools to act with"


@system("research-agent", paper="mlagentbench", needs=lacking)
async def research_agent(
    task: Task,
    kernel: Kernel,
    *,
    form: Form = "full",
    log: bool = False,
    steps: int = 50,
    recent: int = 3,
    temperature: float = 0.0,
    max_tokens: int = 768,
) -> Result:
    """Experiment step by step, with a plan that is kept and facts that are checked.

    Args:
        task: What to do, with the names of the tools to do it with.
        kernel: Runs the calls.
        form: What is written at each step: "full", "react" or "act".
        log: Whether to keep a research log and to look things up in it.
        steps: Actions at most.
        recent: Steps that are shown in full.
        temperature: Sampling temperature.
        max_tokens: Cap on a step.

    Returns:
        The final answer. ``notes`` hold the number of steps, how it ended ("answer", "steps",
        "closed" or "unreadable") and how many replies were unreadable; ``files`` the log.

    Raises:
        BadInput: ``steps`` or ``recent`` is below 1.
    """
    if steps < 1 or recent < 1:
        raise BadInput(f"research-agent needs steps and recent from 1, not {steps} and {recent}.")
    agent = kernel.agent("researcher", profile=f"{PROFILE} {task.rules}".strip(), tools=task.tools)
    reader = kernel.agent("reader", profile="You summarise what others need to know.")
    asked, actions = instructions(agent, task, form), arguments(agent)
    history, entries = History(recent), list[str]()
    done = unreadable = 0
    answer: Any = Unparsed("", "no final answer")
    ended = "steps"
    while done < steps:
        looked = await look_up(reader, task, entries) if log and entries else ""
        reply = await agent.ask(
            prompt(asked, looked, history), temperature=temperature, max_tokens=max_tokens
        )
        read = read_reply(reply.text, actions, FORMS[form])
        if not isinstance(read, Fields):
            unreadable += 1
            history.add(reply.text, read.retry, readable=False)
            if history.stopped:
                ended = "unreadable"
                break
            continue
        done += 1
        seen, ended_here = await act(agent, read)
        seen = await shortened(reader, seen)
        history.add(reply.text, seen, readable=True)
        if log:
            entries.append(await summary_of_step(reader, read, seen))
        if read.action == FINAL:
            answer = str(read.arguments.get("text", "")) or answer
        kernel.keep(conclude(answer, done, "steps", unreadable, entries))
        if ended_here:
            ended = "answer" if read.action == FINAL else "closed"
            break
    return conclude(answer, done, ended, unreadable, entries)


def instructions(agent: Agent, task: Task, form: Form) -> str:
    """Tools, problem, and the form of a step."""
    tools = []
    for name in agent.tools:
        spec = agent.kernel.tools[name].spec
        given = ", ".join(f'"{p}": ...' for p in spec.parameters.get("properties", {}))
        tools.append(f"- {name} {{{given}}}: {spec.description}")
    fields = "\n".join(f"{field}: {MEANING[field]}" for field in FORMS[form])
    return (
        f"Tools:\n{chr(10).join(tools)}\n\nProblem:\n{task.text}\n\n"
        f"Make one step at a time. Write all of these, in this order:\n{fields}"
    )


def arguments(agent: Agent) -> dict[str, tuple[str, ...]]:
    """The names of the arguments of each tool."""
    specs = {name: agent.kernel.tools[name].spec.parameters for name in agent.tools}
    return {name: tuple(spec.get("properties", {})) for name, spec in specs.items()}


def prompt(asked: str, looked: str, history: History) -> str:
    """What a step begins from."""
    parts = [asked]
    if looked:
        parts.append(f"From your research log:\n{looked}")
    parts += [f"{reply}\nObservation: {seen}" for reply, seen in history.shown()]
    return "\n\n".join([*parts, "Your next step:"])


async def act(agent: Agent, read: Fields) -> tuple[str, bool]:
    """Do the action of a step; what was seen, and whether nothing more can be done."""
    if read.action == FINAL and FINAL not in agent.tools:
        return "Noted.", True
    if read.action not in agent.tools:
        return f"There is no tool {read.action!r}; there are {', '.join(agent.tools)}.", False
    try:
        seen = await agent.use(read.action, **read.arguments)
    except Closed as error:
        return str(error), True
    except (ToolError, BadInput, Denied) as error:
        return f"Error: {error}", False
    text = seen if isinstance(seen, str) else msgspec.json.encode(seen).decode()
    return text, read.action == FINAL


async def shortened(reader: Agent, text: str) -> str:
    """An observation, or the summary of one that is too long: window by window, then of them."""
    if len(text) <= LONG:
        return text
    windows = [text[i : i + WINDOW] for i in range(0, len(text), WINDOW)]
    said = []
    for number, window in enumerate(windows, 1):
        which = f"part {number} of {len(windows)} of " if len(windows) > 1 else ""
        reply = await reader.ask(
            f"Summarise {which}what a program or a file gave. Keep numbers, names and errors.\n\n"
            f"{window}",
            temperature=0.0,
            max_tokens=300,
        )
        said.append(reply.text)
    return "Summary: " + "\n".join(said)


async def summary_of_step(reader: Agent, read: Fields, seen: str) -> str:
    """The entry of a step in the research log: reasoning, action, observation."""
    reply = await reader.ask(
        "Summarise this step of a researcher in three short lines: reasoning, action, "
        f"observation. Keep numbers.\n\n{read.said.get('Thought', '')}\n"
        f"{read.action} {read.arguments}\n{seen}",
        temperature=0.0,
        max_tokens=150,
    )
    return reply.text


async def look_up(reader: Agent, task: Task, entries: list[str]) -> str:
    """What of the research log matters now."""
    listed = "\n\n".join(f"Step {n}: {entry}" for n, entry in enumerate(entries, 1))
    reply = await reader.ask(
        f"Problem:\n{task.text}\n\nResearch log:\n{listed}\n\nSummarise what the researcher has "
        "to know of it for the next step.",
        temperature=0.0,
        max_tokens=300,
    )
    return reply.text


def conclude(answer: Any, done: int, ended: str, unreadable: int, entries: list[str]) -> Result:
    """The result so far."""
    files = {"research_log.txt": "\n\n".join(entries)} if entries else {}
    notes = {"steps": done, "ended": ended, "unreadable": unreadable}
    return Result(answer, notes=notes, files=files)


__all__ = ["FORMS", "research_agent"]
