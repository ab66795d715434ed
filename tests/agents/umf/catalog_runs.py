"""A scripted run of each system of the catalog that takes it through its characteristic stages."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from collegium.kernel import Event, Generate
from collegium.models.scripted import ScriptedModel
from collegium.systems.argmed.schemes import BELIEF_QUESTIONS, DECISION_QUESTIONS
from collegium.tasks.task import Task
from tests.bench.taxonomy.runs import (
    CHOICE,
    NUMBER,
    PANEL,
    dylan_run,
    form_filler,
    last_prompt,
    metagpt_run,
    run,
)

ADD = Task(id="add", prompt="Write add(a, b): the sum.", answer="code", entry_point="add")
SEVEN = Task(id="seven", prompt="What is 3 + 4?", answer="number")


def counted(answer: int) -> str:
    """Two steps and an answer."""
    return f"Count on from the first number.\nThat gives {answer}.\nAnswer: {answer}"


def solver(request: Generate) -> str | list[str]:
    """Worked answers; of several samples one differs, and so does one debater at first."""
    if request.schema is not None:
        return json.dumps({"answer": 12})
    if request.n > 1:
        return [counted(13), *[counted(12)] * (request.n - 1)]
    return counted(13 if request.agent == "debater-3" and len(request.messages) == 2 else 12)


def program(sign: str) -> str:
    """The function asked for, in a block."""
    return f"```python\ndef add(a, b):\n    return a {sign} b\n```"


TESTS = "```python\nfrom solution import add\nassert add(1, 2) == 3\nassert add(0, 5) == 5\n```"


async def one(name: str, task: Task, model: ScriptedModel, **parameters: Any) -> list[Event]:
    """The events of one run."""
    return (await run(name, task, model, **parameters))[0]


def baseline(name: str) -> Callable[[], Awaitable[list[list[Event]]]]:
    """A run of a system whose agents give worked answers."""

    async def runs() -> list[list[Event]]:
        return [await one(name, NUMBER, ScriptedModel(solver))]

    return runs


def twice(name: str) -> Callable[[], Awaitable[list[list[Event]]]]:
    """Two tasks one after the other, for a system whose agents keep turns within a task."""

    async def runs() -> list[list[Event]]:
        return [await one(name, task, ScriptedModel(solver)) for task in (NUMBER, SEVEN)]

    return runs


def verdicts(*rejected: str, belief: bool = False) -> str:
    """What argmed's Verifier says."""
    return json.dumps(
        {
            q.field: {
                "verdict": "reject" if q.id in rejected else "accept",
                "reason": f"look at the {q.topic}",
            }
            for q in (BELIEF_QUESTIONS if belief else DECISION_QUESTIONS)
        }
    )


def decision(option: str) -> str:
    """What its Generator says for an option."""
    said = {"facts": "Pain moves to the back", "goal": "Find the cause", "reason": "It fits"}
    return json.dumps(said | {"option": option})


async def argmed() -> list[list[Event]]:
    """A side effect that is rebutted, then a rival: two options stand, and one is chosen."""
    effect = {"effect": "a scan takes time", "unwanted": "He is unstable"}
    rebuttal = {"reason": "A scan takes ten minutes", "option": "none"}
    lines: dict[str, Iterator[str]] = {
        "generator": iter([decision("A"), json.dumps(effect), json.dumps(rebuttal), decision("B")]),
        "verifier": iter(
            [
                verdicts("CQ3", "CQ5"),
                verdicts("CQ2", belief=True),
                verdicts(belief=True),
                verdicts(),
            ]
        ),
        "decider": iter(["Both fit.\nThe pain moves.\nAnswer: A"]),
    }
    return [await one("argmed", CHOICE, ScriptedModel(lambda r: next(lines[r.agent])))]


async def halo() -> list[list[Event]]:
    """Two subtasks; in the first nobody succeeds at once, so that one role goes on from another.

    A judge's first words cannot be read, and are asked for again.
    """
    garbled = iter(["well, fine"])
    plans = iter(
        [
            json.dumps({"next_subtask": "Add 5 and 7."}),
            json.dumps({"decision": "go on", "next_subtask": "Check the sum of 5 and 7."}),
            json.dumps({"decision": "stop"}),
        ]
    )

    def say(request: Generate) -> str | None:
        if request.role == "planner":
            return next(plans)
        prompt = last_prompt(request)
        if request.agent == "judge-1-1" and (garble := next(garbled, "")):
            return garble
        if request.role == "judge":
            return json.dumps({"status": "success" if "It is 12" in prompt else "continue"})
        if request.role == "worker":
            number = 12 if "answered:" in prompt or "Subtask: Check" in prompt else 11
            return f"I add 5 and 7.\nIt is {number}.\nAnswer: {number}"
        return None

    model = form_filler(say, agent_roles=["adder", "checker"], score=0.6)
    return [await one("halo", NUMBER, model)]


async def mdagents() -> list[list[Event]]:
    """A panel that disagrees, talks, is reviewed, and answers again, twice."""

    def say(request: Generate) -> str | None:
        if request.schema is None:
            letter = "B" if request.agent.endswith("3") else "A"
            return f"The pain moves to the back.\nThat fits best.\nAnswer: {letter}"
        if "expertise" in repr(request.schema):
            return json.dumps({"answer": PANEL})
        if "messages" in repr(request.schema):
            said = {"to": 1 + int(request.agent[-1]) % 3, "text": f"As {request.agent} I see more."}
            return json.dumps({"talk": True, "messages": [said]})
        if "critiques" in repr(request.schema):
            return json.dumps(
                {"critiques": [f"Opinion {k} leaves out the age." for k in (1, 2, 3)]}
            )
        return None

    model = form_filler(say, complexity="moderate")
    return [await one("mdagents", CHOICE, model)]


async def mas_tts() -> list[list[Event]]:
    """Two rounds: an objection and a failed test, then a program that is accepted."""
    order = {"decision": "Continue", "recruit_number": 3, "maximum_tokens": 256}
    experts = [f"a programmer specialised in part {i}" for i in (1, 2, 3)]

    def judged(correctness: int) -> str:
        need = "Nobody new."
        said = {"correctness": correctness, "advice": "Mind 0.", "recruiting_suggestion": need}
        return json.dumps(said)

    agree = "I add 1 and 2.\nIt is 3.\nAnswer: Agree"
    against = "I add 1 and 2.\nIt gives -1.\nAnswer: Disagree"
    lines: dict[str, Iterator[str]] = {
        "ceo": iter(json.dumps(order | {"direction": d}) for d in ("Mind signs.", "Mind 0.")),
        "recruiter": iter([json.dumps({"answer": experts})] * 2),
        "solver": iter([program("-"), program("or"), program("+")]),
        "critic-1": iter([agree] * 3),
        "critic-2": iter([against, agree, agree]),
        "executor": iter([f"Test small numbers.\n{TESTS}"]),
        "evaluator": iter([judged(0), judged(1)]),
    }
    return [await one("mas-tts", ADD, ScriptedModel(lambda r: next(lines[r.agent])))]


async def metagpt() -> list[list[Event]]:
    """Two files; a mistake that a test finds and the Engineer mends."""
    return [await metagpt_run()]


async def codecor() -> list[list[Event]]:
    """Two plans and two programs; one of them fails its tests and is rewritten twice."""
    plans = [["Take a and b.", "Add them."], ["Count on from a, b times.", "Mind 0."]]
    rewrites = iter([program("or"), program("+")])

    def say(request: Generate) -> str | list[str]:
        text = last_prompt(request)
        if request.role == "prompt-agent" and request.n > 1:
            return [json.dumps({"steps": steps}) for steps in plans]
        if "clarity" in repr(request.schema):
            return json.dumps(dict.fromkeys(MARKS, 1))
        if request.schema is not None:
            return json.dumps({"reason": "It is the sum.", "right": True})
        match request.role:
            case "test-agent":
                return "```python\nassert add(1, 2) == 3\nassert add(0, 5) == 5\n```"
            case "repair-agent":
                return ["It does not add. Add the two.", "Change the sign."][: request.n]
            case "coding-agent" if "fail" in text:
                return next(rewrites)
            case _:
                return [program("-" if "Count on" in text else "+")] * request.n

    model = ScriptedModel(say)
    return [await one("codecor", ADD, model, max_cot_prompts=2, max_code_snippets=2)]


MARKS = ("clarity", "relevance", "conciseness", "context")


async def dylan() -> list[list[Event]]:
    """Four roles that never agree, and a ranker that drops two of them."""
    return [await dylan_run()]


RUNS: dict[str, Callable[[], Awaitable[list[list[Event]]]]] = {
    "direct": baseline("direct"),
    "cot": baseline("cot"),
    "self-consistency": baseline("self-consistency"),
    "self-refine": twice("self-refine"),
    "mad": twice("mad"),
    "argmed": argmed,
    "halo": halo,
    "mdagents": mdagents,
    "mas-tts": mas_tts,
    "metagpt": metagpt,
    "codecor": codecor,
    "dylan": dylan,
}
"""By system: what runs it, and gives one trace per task."""
