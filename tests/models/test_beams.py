"""Beam search: the arithmetic of a step, and a search that is cut and goes on."""

from __future__ import annotations

from math import log

import pytest

from collegium.errors import BadInput
from collegium.kernel import Kernel, Limits
from collegium.kernel.scheduler import Scheduler
from collegium.models import LocalModel, ScriptedModel
from collegium.models.beams import Beam, BeamGeneration, Beams, step
from tests.models.conftest import need
from tests.models.support import ask

END = 0
A, B, C, D = 1, 2, 3, 4


def test_a_step_flattens_beams_and_tokens_and_keeps_the_best() -> None:
    first = step(Beams(), [[(A, log(0.6)), (B, log(0.3)), (C, log(0.1))]], 2, {END})
    assert [b.tokens for b in first.open] == [(A,), (B,)]
    # A goes on evenly, B surely: B C (0.3 * 0.9) beats A C (0.6 * 0.4) and A D (0.6 * 0.35).
    second = step(
        first,
        [[(C, log(0.4)), (D, log(0.35))], [(C, log(0.9)), (D, log(0.1))]],
        2,
        {END},
    )
    assert second.step == 2
    assert [b.tokens for b in second.open] == [(B, C), (A, C)]
    assert [b.score for b in second.open] == pytest.approx([log(0.27), log(0.24)])


def test_a_beam_that_ends_leaves_room_for_others_and_wins_when_none_can_catch_up() -> None:
    state = Beams(1, (Beam((A,), log(0.6)), Beam((B,), log(0.4))))
    after = step(
        state,
        [[(END, log(0.9)), (C, log(0.1))], [(C, log(0.5)), (END, log(0.5))]],
        2,
        {END},
    )
    assert [b.tokens for b in after.ended] == [(A, END), (B, END)]
    assert [b.tokens for b in after.open] == [(B, C), (A, C)]
    assert after.best.tokens == (A, END)
    # the second ended beam ties with the best open one, whose score can only fall
    assert after.over(2)
    assert not step(state, [[(C, -1.0)], [(C, -1.0)]], 2, {END}).over(2)


async def test_what_does_not_go_with_a_search_is_refused() -> None:
    need("local-tiny")
    model = LocalModel("local-tiny", exact=False, slots=4)
    for fields in ({"n": 2}, {"stop": ("x",)}, {"beams": 9}):
        with pytest.raises(BadInput, match="beam"):
            await model.generate(ask("Hello", **{"beams": 2, **fields}))
    with pytest.raises(BadInput, match="--fast"):
        await LocalModel("local-tiny").generate(ask("Hello", beams=2))


async def test_every_beam_is_reserved_and_capped() -> None:
    seen = []

    def script(request):
        seen.append(request)
        return "yes"

    kernel = Kernel(ScriptedModel(script), limits=Limits(tokens=1000))
    await kernel.agent("a").ask("Hello", beams=4, max_tokens=500)
    assert seen[0].max_tokens <= 250


@pytest.mark.model
async def test_a_search_that_is_cut_takes_the_same_steps() -> None:
    need("local-tiny")
    model = LocalModel("local-tiny", exact=False, slots=4)
    request = ask("Name three colours.", temperature=0.0, max_tokens=12, beams=3)
    try:
        whole = await model.start(request)
        assert isinstance(whole, BeamGeneration)
        await whole.advance(12, 0)
        assert whole.done

        part = await model.start(request)
        assert isinstance(part, BeamGeneration)
        assert await part.advance(5, 0) == 5
        assert part.state.step == 5
        # another process goes on from the state alone, after the engine has done something else
        await model.generate(ask("Something else entirely.", max_tokens=4))
        rest = BeamGeneration(model, request, part._prompt, part._ends, part.state)
        assert await rest.advance(100, 0) == whole.state.step - 5
        assert [b.tokens for b in rest.state.open] == [b.tokens for b in whole.state.open]
        assert rest.reply().text == whole.reply().text

        # and so does the scheduler, four steps at a time
        told: list[str] = []
        (cut,) = await Scheduler("rr", quantum=4).generate(
            request, model, on_text=lambda sample, text: told.append(text)
        )
        assert told == [cut.text]
        assert cut.text == whole.reply().text
        assert cut.usage.completion >= whole.state.step
    finally:
        await model.aclose()
