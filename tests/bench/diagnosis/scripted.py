"""Small scripted systems that fail in one way each, or do not fail; all run through a kernel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from collegium.bench.diagnosis import diagnose
from collegium.bench.records import Outcome
from collegium.errors import BadInput
from collegium.kernel import Event, Kernel, Reply, ToolCall, Worked, tool
from collegium.systems.mad import mad
from collegium.systems.self_consistency import self_consistency
from collegium.tasks.task import Task
from tests.kernel.support import Answer, Scripted, inorder, worked

SUM = Task(id="sum", prompt="A train of 9 cars carries 12 people a car. How many?", answer="number")
Run = Callable[[], Awaitable[Sequence[Event]]]


def kernel(*answers: Answer, tools: Sequence[Any] = (), human: Any = None) -> Kernel:
    """A kernel whose model gives these answers in turn."""
    return Kernel(Scripted(inorder(*answers)), tools=[tool(t) for t in tools], human=human, seed=1)


def wants(name: str, text: str = "", **arguments: Any) -> Reply[Any]:
    """A reply that asks for a tool."""
    call = ToolCall(id="1", name=name, arguments=arguments)
    return Reply(text, tool_calls=(call,), finish="tool")


def wrong(answer: str = "7", reference: str = "108") -> Outcome:
    """A run judged wrong."""
    return Outcome(system="s", task="t", answer=answer, reference=reference)


def right(answer: str = "108") -> Outcome:
    """A run judged right."""
    return Outcome(system="s", task="t", answer=answer, reference=answer, correct=True, value=1.0)


def search(query: str) -> str:
    """Search."""
    return f"The page on {query} says that it has 40 rooms."


def edit(path: str, text: str) -> str:
    """Edit a file."""
    return f"{path} written, {len(text)} characters"


class Results:
    """A tool whose results come in turn."""

    def __init__(self, *results: Any) -> None:
        self._results = iter(results)

    def run_tests(self) -> Any:
        """Run the tests."""
        return next(self._results)


LONG = "Nine cars carry twelve people a car, and so I multiply nine by twelve to get the sum."


def rules(events, **about):
    """(code, rule, calls) of all findings."""
    return [(f.code, f.rule, f.calls) for f in diagnose(events, **about)]


async def uses(*calls, tools):
    """The trace of an agent that makes these tool calls."""
    k = kernel(tools=tools)
    a = k.agent("a", tools=list(k.tools))
    for name, arguments in calls:
        with suppress(BadInput):
            await a.use(name, **arguments)
    return k.trace.events


# -- one mode each ---------------------------------------------------------------------------


async def breaks_the_task() -> Sequence[Event]:
    """1.1: a form that has to be asked for again."""
    k = kernel("About a hundred people, I should say.", '{"answer": 108}')
    await k.agent("solver").ask("How many people? Give a number.", output=float)
    return k.trace.events


async def leaves_its_role() -> Sequence[Event]:
    """1.2: the reviewer writes what the coder would say."""
    k = kernel(
        "I will write a parser.", "Coder: here is the parser, done.\nReviewer: I approve it."
    )
    first = await k.agent("coder", profile="You write code.").ask("Write a parser.")
    reviewer = k.agent("critic", profile="You review code, and write none.")
    await reviewer.ask("Review the plan: I will write a parser.", sources=[first.call])
    return k.trace.events


async def repeats_a_call() -> Sequence[Event]:
    """1.3: the same search twice, to the same result."""
    k = kernel("I look it up.", "Once more.", "It has 40 rooms. Answer: 40", tools=[search])
    a = k.agent("finder", tools=["search"])
    for prompt in ("How many rooms has the inn?", "Go on with what you have."):
        await a.ask(prompt, keep=True)
        await a.use("search", query="inn")
    await a.ask("So how many?", keep=True)
    return k.trace.events


async def loses_history() -> Sequence[Event]:
    """1.4: told the code in its first turn, without it in the third."""
    k = kernel("Noted.", "The door is locked.", "I do not know the access code of the vault.")
    guard = k.agent("guard")
    await guard.ask("The access code of the vault is 7315. Remember it.")
    await guard.ask("Describe the door in front of you.")
    await guard.ask("Open the vault now.")
    return k.trace.events


async def does_not_stop() -> Sequence[Event]:
    """1.5: says that the task is complete, and goes on."""
    k = kernel("I sort the list.", "The task is complete.", "I sort the list in another way.")
    worker = k.agent("worker")
    await worker.ask("Sort the list.", keep=True)
    for _ in range(2):
        await worker.ask("Continue.", keep=True)
    # the second "Continue." brings nothing new
    return k.trace.events


async def resets() -> Sequence[Event]:
    """2.1: after three turns the request is the bare first message again."""
    k = kernel(
        "Which city do you start from?",
        "On which day do you want to leave?",
        "Which city do you start from?",
    )
    planner = k.agent("planner")
    await planner.ask("Plan a journey to Rome for me.", keep=True)
    await planner.ask("From Vienna.", keep=True)
    planner.history.clear()
    await planner.ask("Plan a journey to Rome for me.", keep=True)
    return k.trace.events


async def does_not_ask() -> Sequence[Event]:
    """2.2: the date is missing, and the agent makes one up."""
    k = kernel("The day of travel is not specified, so I assume it is tomorrow. Booked.")
    await k.agent("clerk").ask("Book a train to Graz.")
    return k.trace.events


async def derails() -> Sequence[Event]:
    """2.3: asked for a sorting routine, the agent talks about cheese."""
    k = kernel(
        "Mountain cheese ripens slowly because cool cellars keep humidity high while friendly "
        "bacteria build flavour, aroma, texture, colour, rind, holes, saltiness, sweetness, "
        "nuttiness, depth, warmth, length, finish, character and plenty of regional pride."
    )
    await k.agent("coder").ask("Write a routine that sorts integers ascending, stable, in place.")
    return k.trace.events


async def withholds() -> Sequence[Event]:
    """2.4: the buyer knows the budget and writes about the weather; the planner lacks it."""
    k = kernel("It is a fine day for planning.", "I do not have the budget of the trip. I give up.")
    buyer, planner = k.agent("buyer"), k.agent("planner")
    said = await buyer.ask("The budget of the trip is 1450 euros. Write to the planner.")
    await buyer.send(planner, said.text, sources=[said.call])
    mails = await planner.receive()
    await planner.ask(f"You read: {mails[0].text} Plan it.", sources=[m.call for m in mails])
    return k.trace.events


async def ignores_a_peer() -> Sequence[Event]:
    """2.5: a debater repeats itself word for word against a peer's other answer."""
    mine = worked(96, "Nine cars carry twelve people a car, and eight times twelve makes the sum.")
    yours = worked(108, "Nine cars with twelve people each give nine times twelve people.")
    by_agent = {"debater-1": [mine, mine], "debater-2": [yours, worked(108, "I still say so.")]}
    k = Kernel(Scripted(lambda r, i: by_agent[r.agent].pop(0)), seed=1)
    await mad(SUM, k, agents=2, rounds=2)
    return k.trace.events


async def acts_otherwise() -> Sequence[Event]:
    """2.6: means to use the calculator, and calls the search."""

    def calculator(expression: str) -> float:
        """Compute."""
        return 0.0

    k = kernel(
        wants("search", "I will use calculator for this.", query="9 * 12"),
        "Answer: 108",
        tools=[search, calculator],
    )
    a = k.agent("solver", tools=["search", "calculator"])
    asked = await a.ask("What is 9 times 12?", tools=True, keep=True)
    found = await a.use("search", **asked.tool_calls[0].arguments)
    await a.ask(f"It says: {found}", keep=True)
    return k.trace.events


async def stops_early() -> Sequence[Event]:
    """3.1: the plan's last item is open when the run ends."""
    k = kernel(
        "- [ ] read the file\n- [ ] count the lines", "- [x] read the file\n- [ ] count them"
    )
    worker = k.agent("worker")
    await worker.ask("Count the lines. Keep a list of what is to be done.", keep=True)
    await worker.ask("The file has been read.", keep=True)
    return k.trace.events


async def does_not_check() -> Sequence[Event]:
    """3.2: the code is edited once more after its last test."""
    tests = Results("1 failed", "all passed")
    k = kernel(
        "First version.", "Second version.", "One more touch.", tools=[edit, tests.run_tests]
    )
    coder = k.agent("coder", tools=["edit", "run_tests"])
    for number, prompt in enumerate(("Write a parser.", "A test failed.", "All tests passed.")):
        reply = await coder.ask(prompt, keep=True)
        await coder.use("edit", path="parser.py", text=reply.text)
        if number < 2:
            await coder.use("run_tests")
    return k.trace.events


async def checks_wrongly() -> Sequence[Event]:
    """3.3: the tests pass, the grader does not agree."""
    k = kernel("def total(): return 96", tools=[edit, Results("2 passed").run_tests])
    coder = k.agent("coder", tools=["edit", "run_tests"])
    reply = await coder.ask("Write total().")
    await coder.use("edit", path="total.py", text=reply.text)
    await coder.use("run_tests")
    return k.trace.events


FAILING: dict[str, tuple[Run, Outcome | None]] = {
    "1.1": (breaks_the_task, None),
    "1.2": (leaves_its_role, None),
    "1.3": (repeats_a_call, None),
    "1.4": (loses_history, None),
    "1.5": (does_not_stop, None),
    "2.1": (resets, None),
    "2.2": (does_not_ask, None),
    "2.3": (derails, None),
    "2.4": (withholds, None),
    "2.5": (ignores_a_peer, wrong("96")),
    "2.6": (acts_otherwise, right()),
    "3.1": (stops_early, None),
    "3.2": (does_not_check, right()),
    "3.3": (checks_wrongly, wrong("96")),
}
"""A trace for each mode, with how it was judged."""

JUDGED = {
    "1.1": "About a hundred people",
    "1.2": "Coder: here is the parser, done.",
    "2.2": "I assume it is tomorrow",
    "2.3": "Mountain cheese ripens slowly",
}
"""For the modes that need a judge: the words a good judge would quote."""


# -- clean runs ------------------------------------------------------------------------------


async def samples_agree() -> Sequence[Event]:
    """Five samples of one prompt are the same text: that is what a vote is for."""
    text = worked(
        108, "Nine cars of twelve people each: nine times twelve is one hundred and eight."
    )
    k = Kernel(Scripted(text), seed=1)
    await self_consistency(SUM, k)
    return k.trace.events


async def debate_agrees() -> Sequence[Event]:
    """Debaters give the same first answer, and stand by it: they confirm each other."""
    text = worked(
        108, "Nine cars of twelve people each: nine times twelve is one hundred and eight."
    )
    k = Kernel(Scripted(text), seed=1)
    await mad(SUM, k, agents=3, rounds=2)
    return k.trace.events


async def refines() -> Sequence[Event]:
    """A first answer, a mistake found, a better one; and a reply whose form is repaired."""
    k = kernel(
        worked(96, "Eight cars times twelve people is the number of all the people on board."),
        "I had miscounted the cars: there are nine of them, and nine times twelve is 108.",
        '{"answer": 108}',
    )
    a = k.agent("solver")
    await a.ask("How many people?", output=Worked[float], keep=True)
    await a.ask("Check your last answer.", output=Worked[float], keep=True)
    return k.trace.events


async def tests_until_green() -> Sequence[Event]:
    """Edits and tests in turn, twice the same failure, the last test after the last edit."""
    tests = Results("1 failed", "1 failed", "3 passed")
    k = kernel("a = 1", "a = 2", "a = 3", tools=[edit, tests.run_tests])
    coder = k.agent("coder", tools=["edit", "run_tests"])
    for number in range(3):
        reply = await coder.ask(f"Version {number}, please.", keep=True)
        await coder.use("edit", path="a.py", text=reply.text)
        await coder.use("run_tests")
    return k.trace.events


async def polls() -> Sequence[Event]:
    """The same call again and again until its result changes, and then an answer."""
    states = iter(("queued", "running", "done: 108"))

    def job_status(job: int) -> str:
        """State of a job."""
        return next(states)

    k = kernel("I wait for the job.", "Answer: 108", tools=[job_status])
    a = k.agent("operator", tools=["job_status"])
    await a.ask("Fetch the result of job 7.", keep=True)
    state = [await a.use("job_status", job=7) for _ in range(3)][-1]
    await a.ask(f"It says: {state}.", keep=True)
    return k.trace.events


async def a_team_works() -> Sequence[Event]:
    """A finder passes on what it found, a writer uses it, a verifier passes what is right."""
    k = kernel(
        wants("search", "I will use search.", query="inn"),
        "I searched the web: the inn has 40 rooms.",
        "The inn has 40 rooms. Answer: 40",
        "The answer is correct.",
        tools=[search],
    )
    finder, writer = k.agent("finder", tools=["search"]), k.agent("writer")
    asked = await finder.ask("How many rooms has the inn?", tools=True, keep=True)
    found = await finder.use("search", **asked.tool_calls[0].arguments)
    said = await finder.ask(f"Found: {found}", keep=True)
    await finder.send(writer, said.text, sources=[said.call])
    mails = await writer.receive()
    text = await writer.ask(f"Write it up: {mails[0].text}", sources=[m.call for m in mails])
    await k.agent("verifier").ask(f"Check: {text.text}", sources=[text.call])
    return k.trace.events


CLEAN: dict[str, tuple[Run, Outcome | None]] = {
    "samples agree": (samples_agree, right()),
    "debate agrees": (debate_agrees, right()),
    "refines": (refines, right()),
    "tests until green": (tests_until_green, right()),
    "polls": (polls, right()),
    "a team works": (a_team_works, right("40")),
}
"""Runs without a failure."""
