"""Mask mode on a real engine: whatever the smallest model would like, the specification holds."""

from collections.abc import Iterator

import pytest

from collegium.guard.ltl import run
from collegium.guard.ltl.content import MOST_CHARACTERS, Text, grammar_of
from collegium.guard.ltl.library import pass_, react
from collegium.kernel import Generate, Kernel, Message
from collegium.models.gbnf import grammar
from collegium.models.local import LocalModel
from collegium.models.weights import EMBEDDED, weights_file
from collegium.tools.calculator import calculator
from tests.guard.ltl.support import CUES, NUMBER, SCHEMAS

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def tiny() -> Iterator[LocalModel]:
    if not weights_file(EMBEDDED["local-tiny"]).is_file():
        pytest.skip("the weights of local-tiny are not here: collegium models pull local-tiny")
    yield LocalModel("local-tiny")
    from collegium.models.engine import stop_all

    stop_all()


@pytest.mark.parametrize("make", [react, pass_])
async def test_a_tiny_model_keeps_to_the_specification(make, tiny: LocalModel) -> None:
    kernel = Kernel(tiny, tools=[calculator], seed=5)
    agent = kernel.agent("solver", tools=("calculator",))
    spec = make(SCHEMAS, answer=NUMBER, max_tokens=16)
    transcript = await run(spec, agent, "What is 6 times 7?", steps=9, temperature=1.0)
    assert transcript.verdict.ok, transcript
    for event in kernel.trace.events:
        if isinstance(event.call, Generate):
            rules = grammar(event.call.grammar or "")
            (reply,) = event.replies
            assert rules.after(reply.text)
            assert rules.accepts(reply.text) or reply.finish == "length"


async def test_the_engine_takes_the_longest_text_that_a_grammar_bounds(tiny: LocalModel) -> None:
    rules = grammar_of(Text(), "", tuple(CUES.values()), MOST_CHARACTERS // 4)
    call = Generate(
        agent="a",
        role="a",
        messages=(Message("user", "Say hello."),),
        grammar=rules.text,
        max_tokens=8,
        temperature=0.0,
    )
    (reply,) = await tiny.generate(call)
    assert rules.after(reply.text)
