"""What each rule takes for a failure, and what it must not."""

import pytest

from collegium.bench.diagnosis import diagnose
from collegium.errors import ModelError, Transient
from collegium.kernel import Kernel, UseTool, tool
from collegium.kernel.retry import Retry
from collegium.systems.mad import mad
from collegium.systems.self_refine import self_refine
from collegium.tasks.task import Task
from tests.bench.diagnosis.scripted import (
    LONG,
    SUM,
    Results,
    edit,
    kernel,
    right,
    rules,
    search,
    uses,
    wrong,
)
from tests.kernel.support import Scripted, worked

# -- 1.3 -------------------------------------------------------------------------------------


async def test_arguments_count_in_their_normal_form():
    async def typed(text: str, number: float) -> str:
        """Look."""
        return "same"

    k = kernel(tools=[typed])
    k.agent("a", tools=["typed"])
    for arguments in ({"text": "a  b", "number": 1}, {"number": 1.0, "text": " a b"}):
        await k.call(UseTool(agent="a", tool="typed", arguments=arguments))
    assert rules(k.trace.events) == [("1.3", "repeated call", (0, 1))]


async def test_other_agents_and_other_arguments_are_no_repetition():
    k = kernel(tools=[search])
    a, b = k.agent("a", tools=["search"]), k.agent("b", tools=["search"])
    await a.use("search", query="inn")
    await b.use("search", query="inn")
    await a.use("search", query="Inn of the Sea")
    assert rules(k.trace.events) == []


async def test_a_failing_call_made_again_is_repetition():
    events = await uses(("search", {"wrong": 1}), ("search", {"wrong": 1}), tools=[search])
    assert rules(events) == [("1.3", "repeated call", (0, 1))]


async def test_the_kernels_own_second_attempt_is_none():
    def weather(town: str) -> str:
        """Weather."""
        raise Transient("busy")

    k = Kernel(Scripted("x"), tools=[tool(weather)], retry=Retry(3, base=0.0))
    with pytest.raises(ModelError, match="gave up"):
        await k.agent("a", tools=["weather"]).use("weather", town="Graz")
    assert len(k.trace.events) == 3
    assert rules(k.trace.events) == []


async def test_moves_may_repeat_until_nothing_moves():
    def move(way: str) -> str:
        """Move."""
        return "You moved."

    wall = "A stone wall, grey and high, stands right in front of you; you have not moved."

    def step(way: str) -> str:
        """Step."""
        return wall

    assert rules(await uses(*[("move", {"way": "north"})] * 3, tools=[move])) == []
    found = rules(await uses(*[("step", {"way": "north"})] * 3, tools=[step]))
    assert found == [("1.3", "repeated call", (0, 1, 2))]


async def test_the_same_test_result_after_an_edit_is_news():
    tests = Results("1 failed", "1 failed", "1 failed")
    events = await uses(
        ("run_tests", {}),
        ("edit", {"path": "a", "text": "b"}),
        ("run_tests", {}),
        ("run_tests", {}),
        tools=[tests.run_tests, edit],
    )
    assert ("1.3", "repeated call", (2, 3)) in rules(events)


async def test_restating_word_for_word_is_repetition_once_per_agent():
    k = Kernel(Scripted(worked(108, LONG)), seed=1)
    await self_refine(SUM, k, turns=4)
    (finding,) = diagnose(k.trace.events)
    assert (finding.code, finding.calls) == ("1.3", (0, 1, 2, 3))


async def test_another_number_or_other_code_is_no_repetition():
    k = kernel(worked(108, LONG), worked(117, LONG))
    await self_refine(SUM, k, turns=2)
    assert rules(k.trace.events) == []
    code = "Here is the function as you asked, with the loop and its bound:\n```python\n{}\n```"
    k = kernel(code.format("while i < n: i += 1"), code.format("while i <= n: i += 1"))
    a = k.agent("coder")
    await a.ask("Write it.", keep=True)
    await a.ask("The bound is off by one.", keep=True)
    assert rules(k.trace.events) == []


async def test_samples_of_one_prompt_are_no_repetition():
    k = kernel(*[LONG] * 3)
    a = k.agent("a")
    for _ in range(3):
        await a.ask("The same question.")
    assert rules(k.trace.events) == []
    # nor is an agent that judges one thing after the other, each by itself
    k = kernel(*[LONG] * 2)
    a = k.agent("a")
    await a.ask("Is the first right?")
    await a.ask("Is the second right?")
    assert rules(k.trace.events) == []


async def test_the_same_message_sent_twice():
    k = kernel()
    a, b = k.agent("a"), k.agent("b")
    for _ in range(2):
        await a.send(b, LONG)
    await b.send(a, "ok")
    await b.send(a, "ok")
    assert rules(k.trace.events) == [("1.3", "repeated message", (0, 1))]


# -- 1.4, 1.5 --------------------------------------------------------------------------------


async def test_what_is_in_the_request_is_not_lost():
    k = kernel("Noted.", "I do not know the access code of the vault.")
    guard = k.agent("guard")
    await guard.ask("The access code of the vault is 7315. Remember it.", keep=True)
    await guard.ask("Open the vault now.", keep=True)
    assert rules(k.trace.events) == []


async def test_asking_the_user_twice():
    async def person(question: str) -> str:
        return "Graz"

    k = kernel(human=person)
    a = k.agent("a")
    for question in ("Where do you live?", "Since when?", "where do you live"):
        await a.ask_human(question)
    assert rules(k.trace.events) == [("1.4", "question asked again", (0, 2))]


async def test_a_new_request_after_the_end_is_no_failure():
    k = kernel("The task is complete.", "The task is complete.")
    a = k.agent("a")
    await a.ask("Sort the list.", keep=True)
    await a.ask("Now another one: count it.", keep=True)
    assert rules(k.trace.events) == []


async def test_a_right_answer_lost():
    k = kernel(worked(108, LONG), worked(96, "But one car is empty, so there are eight cars."))
    await self_refine(SUM, k, turns=2)
    found = rules(k.trace.events, task=SUM, outcome=wrong("96", "108"))
    assert found == [("1.5", "right answer lost", (0, 1))]
    assert rules(k.trace.events, task=SUM, outcome=right("96")) == []


async def test_one_debater_who_was_right_is_not_the_run():
    said = {"debater-1": [108, 96], "debater-2": [96, 96], "debater-3": [90, 96]}
    k = Kernel(
        Scripted(lambda r, i: worked(n := said[r.agent].pop(0), f"I count {n} of them, friends.")),
        seed=1,
    )
    await mad(SUM, k, agents=3, rounds=2)
    assert rules(k.trace.events, task=SUM, outcome=wrong("96", "108")) == []


async def test_answers_are_compared_as_the_task_wants():
    pick = Task(id="c", prompt="Which?", answer="choice", choices=("red", "blue"))
    k = kernel("I say\nAnswer: B", "I change my mind, it has to be the first\nAnswer: A")
    a = k.agent("a")
    await a.ask("Which?", keep=True)
    await a.ask("Sure?", keep=True)
    found = rules(k.trace.events, task=pick, outcome=wrong("A", "B. blue"))
    assert found == [("1.5", "right answer lost", (0, 1))]


# -- 2.1, 2.4, 2.5 ---------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["cited", "declared", "answered", "goes on"])
async def test_starting_anew_may_be_meant(why):
    answer = "Answer: Vienna" if why == "answered" else "On which day?"
    k = kernel("From where?", answer, "From where?", "Good.")
    a = k.agent("a")
    await a.ask("Plan a journey.", keep=True)
    old = await a.ask("From Vienna.", keep=True)
    kept, a.history = a.history, []
    prompt = "Plan a journey. Start over."
    await a.ask(
        prompt if why == "declared" else "Plan a journey.",
        sources=[old.call] if why == "cited" else (),
    )
    if why == "goes on":
        a.history = kept
        await a.ask("On Friday.", keep=True)
    assert rules(k.trace.events) == []


async def test_what_reached_the_other_is_not_withheld():
    k = kernel("Fine.", "I do not have the budget of the trip.")
    buyer, planner = k.agent("buyer"), k.agent("planner")
    await buyer.ask("The budget of the trip is 1450 euros.")
    await planner.ask("The buyer has 1450 euros. What is the budget of the trip?")
    assert rules(k.trace.events) == []


async def test_a_right_answer_that_was_not_passed_on():
    k = kernel("I found something.", "I guess. Answer: 12", tools=[search])
    finder, writer = k.agent("finder", tools=["search"]), k.agent("writer")
    await finder.use("search", query="inn")
    said = await finder.ask("Tell the writer.")
    await finder.send(writer, said.text, sources=[said.call])
    mails = await writer.receive()
    await writer.ask(f"How many rooms? {mails[0].text}", sources=[mails[0].call])
    found = rules(k.trace.events, outcome=wrong("12", "40"))
    assert found == [("2.4", "answer not passed on", (0, 4))]


async def test_a_value_from_a_tool_that_is_contradicted():
    def prices(item: str) -> str:
        """Prices."""
        return "ticket 1450"

    def script(own):
        return kernel("The ticket price is 1450 euros.", own, tools=[prices])

    for own, expected in (
        ("The ticket price is 900 euros, so we go.", [("2.5", "contradicted", (2, 4))]),
        ("The ticket price is 1450 euros, so we stay.", []),
    ):
        k = script(own)
        finder, writer = k.agent("finder", tools=["prices"]), k.agent("writer")
        await finder.use("prices", item="ticket")
        said = await finder.ask("Tell the writer.")
        await finder.send(writer, said.text, sources=[said.call])
        mails = await writer.receive()
        await writer.ask(f"Decide. {mails[0].text}", sources=[mails[0].call])
        assert rules(k.trace.events) == expected


async def test_a_message_that_is_never_read():
    k = kernel("I go on.")
    a, b = k.agent("a"), k.agent("b")
    await a.send(b, "The bridge is closed.")
    await a.send(b, "Take the ferry.")
    await b.ask("Where do you go?")
    assert rules(k.trace.events) == [("2.5", "unread message", (0, 1, 2))]


async def test_a_debater_who_answers_its_peers_has_not_ignored_them():
    mine = worked(96, LONG)
    said = {
        "debater-1": [mine, worked(96, f"{LONG} The other says 108, which counts a car twice.")],
        "debater-2": [worked(108, "Nine by twelve."), worked(108, "Still nine by twelve.")],
    }
    k = Kernel(Scripted(lambda r, i: said[r.agent].pop(0)), seed=1)
    await mad(SUM, k, agents=2, rounds=2)
    assert rules(k.trace.events) == []
