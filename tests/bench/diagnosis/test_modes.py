"""Each mode on a scripted trace of its own; nothing on clean runs; evidence for everything."""

import json
from pathlib import Path

import pytest

from collegium.bench.diagnosis import MODES, Finding, candidates, count_modes, diagnose, judge, mode
from collegium.bench.diagnosis.judge import stands_in
from collegium.errors import UnknownName
from collegium.kernel import Kernel
from tests.bench.diagnosis.scripted import CLEAN, FAILING, JUDGED, polls, repeats_a_call
from tests.kernel.support import Scripted


def judging(quotes):
    """An agent that finds what it is asked about present, with these quotations by mode name."""

    def answer(request, sample):
        prompt = request.messages[-1].text
        name = next(m.name for m in MODES if f"this failure: {m.name}." in prompt)
        said = quotes.get(name)
        return json.dumps({"present": said is not None, "quote": said or "", "reason": "So."})

    return Kernel(Scripted(answer)).agent("judge")


def test_the_fourteen_modes():
    assert [m.code for m in MODES] == [
        *(f"1.{i}" for i in range(1, 6)),
        *(f"2.{i}" for i in range(1, 7)),
        *(f"3.{i}" for i in range(1, 4)),
    ]
    assert {m.code for m in MODES if m.means == "judge"} == JUDGED.keys()
    assert len({m.category for m in MODES}) == 3
    assert mode("2.6").name == "reasoning-action mismatch"
    with pytest.raises(UnknownName, match="failure mode"):
        mode("4.1")


def test_the_guide_lists_them():
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "diagnosis.md").read_text()
    for m in MODES:
        assert f"| {m.code} | {m.name} | {m.means} |" in guide


@pytest.mark.must_show("agents-review", 4)
@pytest.mark.parametrize("code", [m.code for m in MODES if m.means == "rules"])
async def test_rules_find_each_mode_and_no_other(code):
    run, outcome = FAILING[code]
    events = await run()
    found = diagnose(events, outcome=outcome)
    assert [f.code for f in found] == [code]
    ids = {e.id for e in events}
    for finding in found:
        assert finding.calls
        assert set(finding.calls) <= ids
        assert list(finding.calls) == sorted(finding.calls)
        assert finding.evidence
        assert finding.says
        assert 0 < finding.confidence <= 1


@pytest.mark.must_show("agents-review", 4)
@pytest.mark.parametrize("code", JUDGED)
async def test_rules_pick_candidates_and_a_judge_decides(code):
    run, outcome = FAILING[code]
    events = await run()
    assert diagnose(events, outcome=outcome) == ()
    picked = candidates(events)
    assert [c.code for c in picked] == [code]
    (finding,) = await judge(picked, judging({mode(code).name: JUDGED[code]}))
    assert (finding.code, finding.rule, finding.evidence) == (code, "judge", JUDGED[code])
    assert set(finding.calls) <= {e.id for e in events}


@pytest.mark.must_show("agents-review", 4)
@pytest.mark.parametrize("name", CLEAN)
async def test_clean_runs_give_no_finding(name):
    run, outcome = CLEAN[name]
    assert diagnose(await run(), outcome=outcome) == ()


@pytest.mark.must_show("agents-review", 5)
async def test_same_call_same_result_is_repetition_and_polling_is_not():
    (finding,) = diagnose(await repeats_a_call())
    assert (finding.code, finding.calls, finding.rule) == ("1.3", (1, 3), "repeated call")
    assert "inn" in finding.evidence
    assert diagnose(await polls()) == ()


async def test_a_judge_that_quotes_what_is_not_there_is_not_believed():
    run, _ = FAILING["2.2"]
    picked = candidates(await run())
    name = mode("2.2").name
    assert await judge(picked, judging({name: "I assume that it is next week"})) == ()
    assert await judge(picked, judging({name: "so I"})) == ()
    assert await judge(picked, judging({})) == ()
    assert len(await judge(picked, judging({name: "so  i\nASSUME it is"}))) == 1


async def test_an_unreadable_verdict_gives_no_finding():
    run, _ = FAILING["2.3"]
    agent = Kernel(Scripted("Perhaps.")).agent("judge")
    assert await judge(candidates(await run()), agent) == ()


def test_quotations_are_looked_up_word_for_word():
    assert stands_in("the  budget\nof", "All of THE budget of the trip")
    assert not stands_in("the budget for", "All of the budget of the trip")
    assert not stands_in("   ", "All of the budget")


def test_counts_are_of_runs_not_of_findings():
    def found(code):
        return Finding(code=code, calls=(0,), evidence="x", says="x", rule="x", confidence=1)

    assert count_modes([[found("3.1"), found("1.3"), found("1.3")], [], [found("3.1")]]) == {
        "1.3": 1,
        "3.1": 2,
    }
