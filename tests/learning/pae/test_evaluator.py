"""The evaluator: how its words are read, when it is asked, and how right it is."""

from __future__ import annotations

import pytest

from collegium.errors import LimitReached, ModelError
from collegium.kernel import Generate, Kernel, Limits
from collegium.learning.pae import Verdict, evaluate, read_verdict
from collegium.learning.pae.evaluator import Agreement, agreement
from collegium.models import ScriptedModel


@pytest.mark.must_show("pae", 3)
@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("All three hold.\nSUCCESS", 1),
        ("The price is wrong.\nNOT SUCCESS", 0),
        ("NOT SUCCESS at first, then SUCCESS", 0),
        ("Success", 0),
        ("", 0),
    ],
)
def test_the_words_of_a_verdict(text: str, reward: int) -> None:
    assert read_verdict(text) == reward


async def judged(
    answer: str | None, *replies: str | Exception, limits: Limits = Limits()
) -> tuple[Verdict, list[Generate]]:
    asked: list[Generate] = []
    said = iter(replies)

    def script(request: Generate) -> str:
        asked.append(request)
        reply = next(said)
        if isinstance(reply, Exception):
            raise reply
        return reply

    kernel = Kernel(ScriptedModel(script), seed=1, limits=limits)
    seen = [f"screen {i}" for i in range(5)]
    agent = kernel.agent("evaluator")
    return await evaluate(agent, "Count the lists.", answer, seen, place="todo"), asked


@pytest.mark.must_show("pae", 3)
async def test_without_an_answer_nobody_is_asked() -> None:
    verdict, asked = await judged(None)
    assert verdict == Verdict(0)
    assert asked == []


async def test_the_last_three_observations_are_shown() -> None:
    verdict, (request,) = await judged("4", "So it is. SUCCESS")
    prompt = request.messages[-1].text
    assert [f"screen {i}" in prompt for i in range(5)] == [False, False, True, True, True]
    assert "Count the lists." in prompt and "The agent's answer:\n4" in prompt
    assert request.temperature == 0.0
    assert verdict == Verdict(1, "So it is. SUCCESS", 1)


async def test_after_two_retries_it_is_a_zero() -> None:
    verdict, asked = await judged("4", ModelError("gone"), ModelError("gone"), "SUCCESS")
    assert (verdict.reward, verdict.asked, len(asked)) == (1, 3, 3)
    verdict, asked = await judged("4", *[ModelError("gone")] * 3)
    assert (verdict, len(asked)) == (Verdict(0, "", 3), 3)


async def test_a_limit_is_not_a_verdict() -> None:
    with pytest.raises(LimitReached):
        await judged("4", "SUCCESS", limits=Limits(tokens=1))


def test_agreement_with_the_true_reward() -> None:
    found = agreement([(True, True), (True, False), (True, False), (False, True), (False, False)])
    assert found == Agreement(both=1, evaluator=2, truth=1, neither=1)
    assert (found.precision, found.recall, found.accuracy) == (1 / 3, 1 / 2, 2 / 5)
    assert (Agreement().precision, Agreement().recall, Agreement().accuracy) == (None, None, None)
