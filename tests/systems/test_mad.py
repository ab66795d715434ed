"""Debate: cost, depth, who reads what, the vote, and bad input."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from collegium.agents import closing
from collegium.errors import BadInput
from collegium.kernel import Event, Generate, Kernel, Limits, Reply, Send, Unparsed
from collegium.kernel.trace import generations
from collegium.systems.cot import PROFILE, question
from collegium.systems.mad import mad
from collegium.systems.self_consistency import self_consistency
from collegium.systems.self_refine import self_refine
from collegium.systems.solve import solve
from collegium.systems.system import get_system
from collegium.tasks.task import Task
from tests.kernel.support import Scripted, worked

TASK = Task(id="t", prompt="What is 5 + 7?", rules="Count in tens.", answer="number")


def telling(request: Generate, i: int) -> str:
    """Each reply names its agent, its sample and how many turns it has heard."""
    return worked(12, f"{request.agent}, sample {i}, after {len(request.messages)} turns")


def depth(events: Iterable[Event]) -> int:
    """Length of the longest chain of generations, each made from the one before."""
    known: dict[int, int] = {}
    for event in sorted(events, key=lambda e: e.id):
        above = max((known[s] for s in event.call.sources), default=0)
        known[event.id] = above + isinstance(event.call, Generate)
    return max(known.values())


def conversation(model: Scripted, agent: str, number: int) -> list[tuple[str, str]]:
    """The turns of an agent's n-th request."""
    request = [r for r in model.requests if r.agent == agent][number]
    return [(m.role, m.text) for m in request.messages]


@pytest.mark.must_show("mad", 1)
@pytest.mark.parametrize(
    ("method", "parameters", "wanted"),
    [
        (self_consistency, {"samples": 16}, 1),
        (self_refine, {"turns": 16}, 16),
        (mad, {"agents": 4, "rounds": 4}, 4),
        (mad, {"agents": 2, "rounds": 8}, 8),
        (mad, {"agents": 8, "rounds": 2}, 2),
    ],
)
async def test_sixteen_generations_at_every_depth(
    method: Callable[..., Any], parameters: dict[str, int], wanted: int
) -> None:
    model = Scripted(telling)
    kernel = Kernel(model)
    await method(TASK, kernel, **parameters)
    assert sum(r.n for r in model.requests) == 16
    assert generations(kernel.trace.events) == kernel.meter.calls == 16
    assert depth(kernel.trace.events) == wanted


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("direct", {}),
        ("cot", {}),
        ("self-consistency", {"samples": 6}),
        ("self-refine", {"turns": 3}),
        ("mad", {"agents": 4, "rounds": 3}),
    ],
)
async def test_a_stated_cost_is_the_cost(name: str, parameters: dict[str, Any]) -> None:
    system = get_system(name)
    bound = system.bind(parameters)
    kernel = Kernel(Scripted(telling))
    if name == "direct":
        kernel = Kernel(Scripted('{"answer": 12}'))
    await system.solve(TASK, kernel, **bound)
    assert system.cost is not None
    assert kernel.meter.calls == system.cost(bound)


@pytest.mark.must_show("mad", 2)
async def test_a_debater_reads_its_peers_and_itself_and_nobody_else() -> None:
    model = Scripted(telling)
    kernel = Kernel(model)
    result = await mad(TASK, kernel, agents=3, rounds=2)
    one, two, three = result.notes["texts"][0]
    assert len({one, two, three}) == 3
    first = [("system", f"{PROFILE} Count in tens."), ("user", question(TASK))]
    assert conversation(model, "debater-2", 0) == first
    *own, (role, prompt) = conversation(model, "debater-2", 1)
    assert own == [*first, ("assistant", two)]
    assert role == "user"
    quoted = f"One agent's solution:\n{one}\n\nOne agent's solution:\n{three}\n\n"
    before, after = prompt.split(quoted)
    assert before == "Other agents solved the same problem.\n\n"
    assert after.endswith(closing(TASK))
    assert "debater" not in before + after  # nothing else of what was said
    # The trace says so too: agent 2's second turn was made from what agents 1 and 3 sent.
    events = {e.id: e for e in kernel.trace.events}
    second = [e for e in events.values() if e.call.agent == "debater-2" and e.replies][1]
    sent = [events[s].call for s in second.call.sources]
    assert [(c.agent, c.to, c.text) for c in sent if isinstance(c, Send)] == [
        ("debater-1", "debater-2", one),
        ("debater-3", "debater-2", three),
    ]
    assert sum(e.kind == "send" for e in events.values()) == 6


@pytest.mark.must_show("mad", 2)
async def test_a_third_round_reads_the_second_alone() -> None:
    model = Scripted(telling)
    result = await mad(TASK, Kernel(model), agents=2, rounds=3)
    (first, _), (second, _), _ = result.notes["texts"]
    last = conversation(model, "debater-2", 2)[-1][1]
    assert second in last
    assert first not in last


@pytest.mark.must_show("mad", 2)
async def test_samples_do_not_read_each_other_and_self_refinement_reads_no_peer() -> None:
    model = Scripted(telling)
    result = await self_consistency(TASK, Kernel(model), samples=4)
    (request,) = model.requests
    assert [m.role for m in request.messages] == ["system", "user"]
    prompt = " ".join(m.text for m in request.messages)
    assert len(result.candidates) == 4
    assert not any(r.text in prompt for r in result.candidates)

    model = Scripted(telling)
    kernel = Kernel(model)
    result = await self_refine(TASK, kernel, turns=4)
    assert {r.agent for r in model.requests} == {"solver"}
    assert not any(isinstance(e.call, Send) for e in kernel.trace.events)
    own = [r.text for r in result.candidates]
    heard = [t for role, t in conversation(model, "solver", 3) if role == "assistant"]
    assert heard == own[:3]


def answering(*rounds: list[Any]) -> Callable[[Generate, int], str]:
    """Each debater answers as listed per round; None is a reply that cannot be read."""

    def answer(request: Generate, i: int) -> str:
        turn = sum(
            m.role == "assistant" and m.text.startswith("Because.") for m in request.messages
        )
        value = rounds[turn][int(request.agent[-1]) - 1]
        return "no idea" if value is None else worked(value)

    return answer


@pytest.mark.must_show("mad", 3)
@pytest.mark.parametrize(
    ("given", "winner", "votes"),
    [([12, 12.0, 12.00, 7], 12, 3), ([4, None, None], 4, 1), ([5, 9, 5, 9], 5, 2)],
)
async def test_the_majority_of_the_last_round_wins(
    given: list[Any], winner: float, votes: int
) -> None:
    model = Scripted(answering(given))
    result = await mad(TASK, Kernel(model), agents=len(given), rounds=1)
    assert (result.answer, result.notes["votes"]) == (winner, votes)
    assert result.notes["answers"] == [given]


async def test_only_the_last_round_votes() -> None:
    model = Scripted(answering([8, 8, 8], [8, 3, 3]))
    result = await mad(TASK, Kernel(model), agents=3, rounds=2)
    assert (result.answer, result.notes["votes"]) == (3, 2)
    assert result.notes["answers"] == [[8, 8, 8], [8, 3, 3]]


@pytest.mark.must_show("mad", 7)
@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"agents": 0}, "agents >= 1 and rounds >= 1, not 0 and 2"),
        ({"rounds": 0}, "agents >= 1 and rounds >= 1, not 3 and 0"),
        ({"agents": -1}, "not -1 and 2"),
        ({"personas": ("Be bold.", "Be shy.")}, "2 personas for 3 agents"),
        ({"agents": 1, "personas": ("a", "b")}, "2 personas for 1 agents"),
    ],
)
async def test_bad_input(parameters: dict[str, Any], problem: str) -> None:
    model = Scripted(telling)
    with pytest.raises(BadInput, match=problem):
        await mad(TASK, Kernel(model), **parameters)
    assert model.requests == []


@pytest.mark.must_show("mad", 7)
async def test_a_debater_that_fails_twice_votes_nothing_and_is_counted() -> None:
    model = Scripted(answering([12, None, None], [12]))
    result = await mad(TASK, Kernel(model), agents=3, rounds=1)
    assert len(model.requests) == 5  # two of them were asked once more
    assert (result.answer, result.notes["votes"], result.notes["cast"]) == (12, 1, 1)
    assert result.notes["abstentions"] == 2
    assert result.notes["answers"] == [[12, None, None]]


async def test_a_debate_without_any_answer_abstains() -> None:
    result = await mad(TASK, Kernel(Scripted("no idea")), agents=2, rounds=2)
    assert isinstance(result.answer, Unparsed)
    assert result.notes["abstentions"] == 4


async def test_a_mixed_team_of_models() -> None:
    default = Scripted(worked(1), name="default")
    other = Scripted(worked(2), name="other")
    kernel = Kernel({"": default, "debater-2": other})
    result = await mad(TASK, kernel, agents=3, rounds=2)
    assert result.notes["answers"] == [[1, 2, 1], [1, 2, 1]]
    assert {r.agent for r in other.requests} == {"debater-2"}
    assert {e.model for e in kernel.trace.events if e.call.agent == "debater-2" and e.model} == {
        "other"
    }
    # All debaters at once go by their role.
    everyone = Kernel({"": default, "debater": other})
    assert (await mad(TASK, everyone, agents=2, rounds=1)).answer == 2


async def test_personas_open_the_instructions() -> None:
    model = Scripted(telling)
    await mad(TASK, Kernel(model), agents=2, rounds=1, personas=("You are bold.", "You are shy."))
    assert [r.messages[0].text for r in model.requests] == [
        f"You are bold. {PROFILE} Count in tens.",
        f"You are shy. {PROFILE} Count in tens.",
    ]


async def test_a_debate_of_one_is_self_refinement() -> None:
    model = Scripted(telling)
    await mad(TASK, Kernel(model), agents=1, rounds=2)
    assert model.prompts[0] == question(TASK)
    assert model.prompts[1].startswith("Check your last answer for mistakes.")
    assert model.prompts[1].endswith(closing(TASK))


@pytest.mark.parametrize(
    ("rounds", "made"),
    [
        (([3, 3],), 2),
        (([3, 4], [4, 4]), 4),
        (([3, 4], [3, 4], [3, 4]), 6),
    ],
)
async def test_an_early_stop_ends_when_all_agree(rounds: Any, made: int) -> None:
    model = Scripted(answering(*rounds, [9, 9]))
    result = await mad(TASK, Kernel(model), agents=2, rounds=len(rounds), early_stop=True)
    assert len(model.requests) == made
    assert result.notes["answers"] == list(rounds)
    long = Scripted(answering([3, 3], [3, 3]))
    await mad(TASK, Kernel(long), agents=2, rounds=2)
    assert len(long.requests) == 4  # off unless asked for


async def test_a_limit_in_the_second_round_leaves_the_vote_of_the_first() -> None:
    kernel = Kernel(Scripted(answering([8, 8, 3], [3, 3, 3])), limits=Limits(calls=5))
    system = get_system("mad")
    solved = await solve(system, TASK, kernel, system.bind({}))
    assert (solved.result.answer, solved.result.notes["votes"]) == (8, 2)
    assert solved.limited == "the limit of 5 generations is used up."


async def test_the_same_seed_gives_the_same_debate_whoever_is_faster() -> None:
    async def debate(speed: list[int], seed: int) -> tuple[Any, list[Any]]:
        class Uneven(Scripted):
            async def generate(self, request: Generate, on_text: Any = None) -> tuple[Reply, ...]:
                for _ in range(speed[int(request.agent[-1]) - 1]):
                    await asyncio.sleep(0)
                return await super().generate(request)

        model = Uneven(lambda r, i: worked(r.seed or 0))
        result = await mad(TASK, Kernel(model, seed=seed), agents=3, rounds=2)
        prompts = sorted((r.agent, r.seed, r.messages[-1].text) for r in model.requests)
        return result.notes, prompts

    first = await debate([0, 5, 9], 1)
    assert first == await debate([9, 1, 0], 1)
    assert first != await debate([0, 5, 9], 2)
