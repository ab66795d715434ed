"""Five small agents for profiles, each with one trait of the paper's table, and how to run them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from collegium.agents.umf import GuardRule, RuleSecurity, guards
from collegium.agents.umf.parts import Stock, stock_tools
from collegium.kernel import Event, Generate, Kernel, Reply
from collegium.kernel.memory import Memory
from collegium.models import ScriptedModel
from collegium.systems.system import get_system
from collegium.tasks.task import Task


class Turn(msgspec.Struct):
    """One turn of the agent that reasons and acts."""

    thought: str
    act: Literal["calculate", "finish"]
    text: str


class Steps(msgspec.Struct):
    """A list of steps."""

    steps: list[str]


class Sum(msgspec.Struct):
    """What a step comes to."""

    expression: str


async def react(kernel: Kernel) -> str:
    """Think, act, look, until it is finished."""
    agent = kernel.agent("react", profile="Think, then act.", tools=["calculate"])
    said = "What is (5 + 7) * 3?"
    while True:
        turn: Any = await agent.ask(said, output=Turn, keep=True)
        if turn.data.act == "finish":
            return turn.data.text
        said = f"Result: {await agent.use('calculate', expression=turn.data.text)}"


async def notes(kernel: Kernel, *, later: bool) -> str:
    """Keep a fact in one task and answer from it in another."""
    agent = kernel.agent("notes", profile="You remember what you are told.")
    if not later:
        await agent.remember("The blue crate holds 17 bolts.")
        return (await agent.ask("Say that you noted it.")).text
    found = await agent.recall("crate", method="text")
    listed = "\n".join(note.text for note in found)
    return (await agent.ask(f"{listed}\nHow many bolts does the blue crate hold?")).text


async def recruiter(kernel: Kernel) -> str:
    """One model call writes the profile of the next."""
    written = await kernel.agent("recruiter").ask("Whom should I ask about bolts?")
    expert = kernel.agent("expert", profile=f"{written.text} Be brief.")
    return (await expert.ask("How long is an M6 bolt?")).text


def secret(text: str) -> str:
    return "it asks for the code" if "door code" in text else ""


def short(text: str) -> str:
    return "it is too long" if len(text) > 200 else ""


GUARDS = (
    GuardRule("no codes", "prompt", secret, goals=("confidentiality",)),
    GuardRule("short replies", "response", short, goals=("integrity",)),
)


async def guarded(kernel: Kernel, question: str = "When do you open?") -> str:
    """Every prompt and every reply is inspected."""
    agent = kernel.agent("desk", profile="You answer visitors.")
    security = RuleSecurity(GUARDS)
    await security.inspect(agent, "prompt", question)
    reply = await agent.ask(question)
    await security.inspect(agent, "response", reply.text, [reply.call])
    return reply.text


async def planner(kernel: Kernel) -> str:
    """One agent makes a list of steps, another works on each, the first concludes."""
    lead = kernel.agent("lead", profile="You make plans.")
    plan: Any = await lead.ask("What do 12 crates of 7 cost at 3 each?", output=Steps)
    results = []
    for i, step in enumerate(plan.data.steps):
        worker = kernel.agent(f"worker-{i + 1}", profile="You calculate.", tools=["calculate"])
        wanted: Any = await worker.ask(step, output=Sum, sources=[plan.call])
        results.append(str(await worker.use("calculate", expression=wanted.data.expression)))
    return (await lead.ask(f"Results: {'; '.join(results)}. What is the answer?")).text


def replies(request: Generate) -> str | Sequence[str | Reply]:
    """What the model says to whom."""
    match request.agent:
        case "react" if len(request.messages) == 2:
            return json.dumps({"thought": "First the sum.", "act": "calculate", "text": "5 + 7"})
        case "react" if len(request.messages) == 4:
            return json.dumps({"thought": "Now times 3.", "act": "calculate", "text": "12 * 3"})
        case "react":
            return json.dumps({"thought": "That is it.", "act": "finish", "text": "36"})
        case "recruiter":
            return "You are a mechanic with thirty years of practice."
        case "lead" if request.schema:
            return json.dumps({"steps": ["Multiply 12 crates by 7.", "Multiply that by 3."]})
        case "worker-1":
            return json.dumps({"expression": "12 * 7"})
        case "worker-2":
            return json.dumps({"expression": "84 * 3"})
        case "solver" if request.schema:
            return json.dumps({"answer": 12})
        case "solver" | "debater-1" | "debater-2" | "debater-3":
            text = f"Count on from 5, turn {len(request.messages)}.\nThat gives 12.\nAnswer: 12"
            return [text] * request.n
        case _:
            return "Noted."


def kernel(**options: Any) -> Kernel:
    """A kernel with the scripted replies and the calculator."""
    return Kernel(ScriptedModel(replies), tools=stock_tools(Stock({})), seed=1, **options)


TASK = Task(id="sum", prompt="What is 5 + 7?", answer="number")


async def traces(name: str) -> list[list[Event]]:
    """Run one of the ten systems; one trace per task."""
    if name == "notes":
        bank = Memory(None)
        first, second = kernel(drivers=bank.drivers), kernel(drivers=bank.drivers)
        await notes(first, later=False)
        await notes(second, later=True)
        return [first.trace.events, second.trace.events]
    one = kernel(drivers=guards(GUARDS))
    own = {"react": react, "recruiter": recruiter, "guarded": guarded, "planner": planner}
    if name in own:
        await own[name](one)
    else:
        await get_system(name).solve(TASK, one)
    return [one.trace.events]
