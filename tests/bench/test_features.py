"""The row of a system in the comparison of frameworks, from what its run shows."""

from collegium.bench.features import features
from collegium.kernel import Kernel, Reply, ToolCall
from collegium.systems.solve import solve
from collegium.systems.system import get_system
from collegium.tasks.task import Task
from tests.kernel.support import Scripted, worked

TASK = Task(id="t", prompt="What is 5 + 7?", answer="number")


async def row(name: str, kernel: Kernel, **parameters):
    system = get_system(name)
    await solve(system, TASK, kernel, system.bind(parameters))
    return features(system, kernel.trace.events)


async def test_a_debate_has_agents_that_send_messages() -> None:
    found = await row("mad", Kernel(Scripted(worked(12), name="local")), agents=3, rounds=2)
    assert (found.name, found.year) == ("mad", 2025)
    assert found.multi_agent.startswith("3 agents, ")
    assert found.memory == "earlier turns of the conversation"
    assert (found.tools, found.human, found.local) == ("no", "no", "yes: local")
    assert found.planning == "multi-path"


async def test_a_baseline_has_none_of_it() -> None:
    found = await row("cot", Kernel(Scripted(worked(12), name="openai:x")))
    assert (found.multi_agent, found.memory, found.tools) == ("no", "no", "no")
    assert found.local == "ran with openai:x"
    assert found.idea == get_system("cot").summary


async def test_tools_memory_and_people_are_seen_when_they_are_used() -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    async def person(question: str) -> str:
        return "yes"

    from collegium.kernel import tool

    wants = Reply("", tool_calls=(ToolCall(id="1", name="add", arguments={"a": 5, "b": 7}),),
                  finish="tool")  # fmt: skip
    kernel = Kernel(Scripted(wants, name="local"), tools=[tool(add)], human=person)
    agent = kernel.agent("solver", tools=["add"])
    await agent.ask("5 + 7?")
    await agent.use("add", a=5, b=7)
    await agent.ask_human("Right?")
    found = features(get_system("cot"), kernel.trace.events)
    assert (found.tools, found.human) == ("add", "asked")
