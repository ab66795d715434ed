"""Rows, pairs, ranking and the verdict in words."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.bench.records import Outcome, SystemRow
from collegium.bench.statistics import mcnemar_exact, wilson
from collegium.bench.summary import (
    decided_by_own_tests,
    facts_told,
    pair,
    pareto,
    rank,
    score,
    system_row,
    unequal_generations,
)
from collegium.bench.words import p_value, points, short_names


def scored(system: str, marks: str, **fields) -> list[Outcome]:
    """Outcomes from marks: "1" right, "0" wrong, "h" half right."""
    values = {"1": 1.0, "0": 0.0, "h": 0.5}
    return [
        Outcome(system=system, task=f"t{i}", correct=m == "1", value=values[m], **fields)
        for i, m in enumerate(marks)
    ]


def row(name: str, correct: int, n: int, tokens: float, *, paper=None, calls=1) -> SystemRow:
    """A row with a given accuracy and spend."""
    made = system_row(name, paper, {}, scored(name, "1" * correct + "0" * (n - correct)))
    return msgspec.structs.replace(made, tokens_per_task=tokens, calls=calls * n)


def test_system_row_adds_up():
    outcomes = [
        Outcome(
            system="mad", task="a", stratum="hard", correct=True, value=1.0, calls=6,
            tokens_prompt=600, tokens_cached=200, tokens_completion=300, seconds=4.0, money=0.25,
        ),
        Outcome(
            system="mad", task="b", stratum="easy", unparsed=True, limited=True, calls=4,
            tokens_prompt=100, tokens_completion=50, seconds=1.5,
        ),
        Outcome(system="mad", task="c", stratum="hard", error="The server is gone."),
        Outcome(system="mad", task="d", correct=True, value=1.0),
    ]  # fmt: skip
    made = system_row("mad", "mad", {"agents": 3}, outcomes)
    low, high = wilson(2, 4)
    assert made == SystemRow(
        name="mad", paper="mad", parameters={"agents": 3}, n=4, correct=2, accuracy=0.5,
        ci_low=low, ci_high=high, tokens_prompt=700, tokens_cached=200, tokens_completion=350,
        tokens_per_task=262.5, calls=10, seconds=5.5, money=0.25, unparsed=1, limited=1, errors=1,
        strata={"easy": (0, 1), "hard": (1, 2)},
    )  # fmt: skip


def test_what_self_written_tests_are_worth():
    def outcome(name: str, correct: bool, notes: dict) -> Outcome:
        return Outcome(system="s", task=name, correct=correct, value=float(correct), notes=notes)

    def passed(p: int, t: int) -> dict:
        return {"self_tests": {"passed": p, "total": t}}

    outcomes = [
        outcome("a", True, passed(3, 3)),
        outcome("b", False, passed(2, 2)),  # its tests were wrong
        outcome("c", True, passed(2, 3)),
        outcome("d", False, passed(0, 0)),  # untested is not tested
        outcome("e", True, {}),
    ]
    made = system_row("s", None, {}, outcomes)
    assert (made.self_tested, made.self_tested_correct) == (2, 1)
    said = decided_by_own_tests(made)
    assert said.startswith("2 of 5 answers passed") and "1 of these 2 are right" in said
    assert decided_by_own_tests(system_row("s", None, {}, outcomes[3:])) == ""


def test_what_was_judged_besides_is_added_up_with_intervals():
    made = [
        Outcome(system="s", task=str(i), facts={"attack_success": i < 2, "steps": float(i)})
        for i in range(4)
    ]
    made.append(Outcome(system="s", task="4"))  # where it was not judged it does not count
    row = system_row("s", None, {}, made)
    attack, steps = row.facts["attack_success"], row.facts["steps"]
    assert (attack.yes, attack.n, attack.mean) == (2, 4, 0.5)
    assert (attack.ci_low, attack.ci_high) == wilson(2, 4)
    assert (steps.yes, steps.n, steps.mean) == (None, 4, 1.5)
    assert steps.ci_low < 1.5 < steps.ci_high
    assert facts_told(row).startswith("attack success 2 of 4 (50.0%), 95% interval 15.0% to 85.0%")
    assert facts_told(system_row("s", None, {}, made[4:])) == ""
    again = msgspec.json.decode(msgspec.json.encode(row), type=SystemRow)
    assert again == row
    kept = msgspec.json.decode(msgspec.json.encode(made[0]), type=Outcome)
    assert kept.facts == {"attack_success": True, "steps": 0.0}
    assert kept.facts["attack_success"] is True


def test_system_row_of_nothing():
    made = system_row("mad", None, {}, [])
    assert (made.n, made.accuracy, made.ci_low, made.ci_high) == (0, 0.0, 0.0, 1.0)
    assert made.tokens_per_task == 0


def test_pair_of_right_and_wrong_is_mcnemar():
    made = pair("a", "b", scored("a", "11110000"), scored("b", "10001000"), 7)
    assert made.test == "exact McNemar"
    assert (made.only_a, made.only_b, made.difference) == (3, 1, 0.25)
    assert made.p == mcnemar_exact(3, 1) == 0.625
    assert made.ci_low < 0.25 < made.ci_high


def test_pair_with_partial_scores_is_bootstrap():
    a, b = scored("a", "1h1h1h1111"), scored("b", "0h00hh0h00")
    made = pair("a", "b", a, b, 7)
    assert made.test == "paired bootstrap"
    assert made.difference == pytest.approx((8.5 - 2.0) / 10)
    assert made.ci_low > 0
    assert made.p < 0.05
    assert pair("a", "b", a, b, 7) == made


def test_a_few_hundredths_for_form_are_no_partial_score():
    a = [msgspec.structs.replace(o, value=max(o.value, 0.01)) for o in scored("a", "1110000")]
    b = [msgspec.structs.replace(o, value=min(o.value, 0.99)) for o in scored("b", "1001000")]
    assert [score(o) for o in a] == [1, 1, 1, 0, 0, 0, 0]
    assert [score(o) for o in b] == [1, 0, 0, 1, 0, 0, 0]
    assert score(scored("a", "h")[0]) == 0.5
    assert pair("a", "b", a, b, 7) == pair("a", "b", scored("a", "1110000"), scored("b", "1001000"), 7)  # noqa: E501  # fmt: skip


def test_pair_takes_shared_questions_by_task():
    a = scored("a", "1101")[1:]
    b = list(reversed(scored("b", "101")))
    made = pair("a", "b", a, b, 7)  # t1: 1 and 0, t2: 0 and 1
    assert (made.only_a, made.only_b, made.difference) == (1, 1, 0.0)
    none = pair("a", "b", scored("a", "1"), [], 7)
    assert (none.p, none.ci_low, none.ci_high, none.difference) == (1.0, -1.0, 1.0, 0.0)


@given(st.text("01", min_size=1, max_size=25), st.data())
def test_pair_is_antisymmetric(marks, data):
    other = data.draw(st.text("01", min_size=len(marks), max_size=len(marks)))
    a, b = scored("a", marks), scored("b", other)
    there, back = pair("a", "b", a, b, 1), pair("b", "a", b, a, 1)
    assert there.p == back.p
    assert (there.difference, there.only_a) == (-back.difference, back.only_b)
    assert (there.ci_low, there.ci_high) == pytest.approx((-back.ci_high, -back.ci_low))


def test_no_ranking_when_spends_differ():
    rows = [row("direct", 12, 30, 210), row("mad:agents=3", 18, 30, 1840, paper="mad")]
    ranking, verdict, spend = rank(rows)
    assert ranking is None
    assert spend == pytest.approx(1840 / 210)
    assert verdict.startswith(
        "Not ranked: mad spent 1,840 tokens per task and direct 210, a factor of 8.8 where a fair "
        "ranking allows 2."
    )
    assert "--curve" in verdict
    assert "parameters" in verdict
    assert rank(rows, factor=9)[0] == ("mad:agents=3", "direct")


def test_a_curve_ranks_whatever_the_spends():
    rows = [row("direct", 12, 30, 210), row("sc", 11, 30, 900), row("mad", 18, 30, 1840)]
    ranking, verdict, _ = rank(rows, curve=True)
    assert ranking == ("mad", "direct", "sc")
    assert verdict == (
        "Spends differ by a factor of 8.8, so read accuracy against cost. On the front: direct "
        "(40.0% at 210 tokens) and mad (60.0% at 1,840 tokens); off the front: sc."
    )


def compared(a: str, b: str, tokens=(1000, 1000), paper=None, seed=7, **options):
    """Verdict on two systems given by their marks; the first is the method."""
    outcomes = {"mad": scored("mad", a), "direct": scored("direct", b)}
    rows = [
        msgspec.structs.replace(
            system_row(n, paper if n == "mad" else None, {}, o), tokens_per_task=float(t)
        )
        for (n, o), t in zip(outcomes.items(), tokens, strict=True)
    ]
    tested = pair("direct", "mad", outcomes["direct"], outcomes["mad"], seed)
    return rank(rows, [tested], **options)


def test_the_best_is_named_with_its_lead():
    ranking, verdict, _ = compared("1" * 20 + "0" * 10, "1" * 8 + "0" * 22)
    assert ranking == ("mad", "direct")
    assert verdict == (
        "mad is best with 20 of 30 right (66.7%, 95% interval 48.8% to 80.8%), ahead of direct by "
        "more than chance (+40.0 points, 95% interval +23.3 to +56.7, p < 0.001)."
    )


def test_a_lead_within_chance_is_said_to_be_one():
    _, verdict, _ = compared("1101" * 5, "1011" * 4 + "0111", paper="mad", tokens=(1500, 1000))
    assert "level" in verdict
    _, verdict, _ = compared("1101" * 4 + "1111", "1011" * 5, paper="mad", tokens=(1500, 1000))
    assert "mad is best" in verdict
    assert "these 20 questions cannot tell it apart from direct" in verdict
    assert "mad did not help here: 1.5 times the tokens of direct for +5.0 points." in verdict


def test_a_method_that_harms_is_named():
    _, verdict, _ = compared("0" * 25 + "1" * 5, "1" * 20 + "0" * 10, paper="mad")
    assert "direct is best" in verdict
    assert "mad made it worse here: about the tokens of direct for" in verdict


def test_did_not_help_stands_beside_a_refusal():
    _, verdict, _ = compared("1101" * 5, "1011" * 5, paper="mad", tokens=(3000, 300))
    assert verdict.startswith("Not ranked")
    assert "mad did not help here: 10.0 times the tokens of direct for 0.0 points" in verdict


def test_a_cheaper_method_that_is_no_worse_is_no_failure():
    _, verdict, _ = compared("1101" * 4 + "1111", "1011" * 5, paper="mad", tokens=(600, 1000))
    assert "did not help" not in verdict


def test_many_tests_are_corrected():
    outcomes = {
        "a": scored("a", "1" * 14 + "0" * 6),
        "b": scored("b", "1" * 8 + "0" * 12),
        "c": scored("c", "1" * 7 + "0" * 13),
    }
    rows = [system_row(n, None, {}, o) for n, o in outcomes.items()]
    one = [pair("a", "b", outcomes["a"], outcomes["b"], 7)]
    assert one[0].p == 0.03125
    assert "by more than chance" in rank(rows, one)[1]
    several = [
        *one,
        pair("a", "c", outcomes["a"], outcomes["c"], 7),
        pair("b", "c", outcomes["b"], outcomes["c"], 7),
    ]
    verdict = rank(rows, several)[1]
    assert "cannot tell it apart" in verdict
    assert "Holm-adjusted p = 0.062" in verdict


def test_floors_failures_and_empty_ends():
    _, verdict, _ = compared("1100", "1000", controls={"majority": 0.25, "closed-book": 0.0})
    assert "Even mad is not clearly above the majority control (25.0%)." in verdict
    assert "closed-book" not in verdict
    assert rank([])[:2] == (None, "Nothing was measured: no question was run.")
    assert rank([row("mad", 0, 0, 0)])[0] is None
    alone = rank([row("mad", 3, 4, 10)])
    assert alone[0] == ("mad",)
    assert alone[1].startswith("mad: 3 of 4 right (75.0%")
    assert "No system got any" in compared("000", "000")[1]
    failing = msgspec.structs.replace(row("mad", 3, 4, 10), errors=1)
    assert "Runs failed and count as wrong: mad on 1 of 4." in rank([failing])[1]


def test_zero_spend_stays_finite():
    rows = [row("rules", 3, 9, 0), row("mad", 4, 9, 500)]
    assert rank(rows)[2] == 500
    assert rank([row("a", 1, 9, 0), row("b", 1, 9, 0)])[2] == 1


def test_partial_scores_may_disagree_with_accuracy():
    a, b = scored("a", "1" * 4 + "0" * 16), scored("b", "1" * 3 + "h" * 17)
    rows = [system_row("a", None, {}, a), system_row("b", None, {}, b)]
    verdict = rank(rows, [pair("a", "b", a, b, 7)])[1]
    assert "a is best with 4 of 20 right" in verdict
    assert "yet b has the higher mean score (−37.5 points" in verdict


def test_pareto():
    rows = [
        row("cheap", 5, 10, 100), row("good", 8, 10, 900), row("worse", 4, 10, 500),
        row("same", 5, 10, 100), row("dear", 8, 10, 901), row("none", 0, 0, 0),
    ]  # fmt: skip
    assert pareto(rows) == {"cheap", "good", "same"}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=8))
def test_every_system_is_on_the_front_or_beaten_by_one_that_is(points_of):
    rows = [row(str(i), c, 9, t) for i, (c, t) in enumerate(points_of)]
    on = pareto(rows)
    assert on
    front = [r for r in rows if r.name in on]
    for r in rows:
        assert any(
            f.accuracy >= r.accuracy and f.tokens_per_task <= r.tokens_per_task for f in front
        )


def test_unequal_generations():
    rows = [row("direct", 1, 9, 1, calls=1), row("sc", 1, 9, 1, calls=6), row("mad", 1, 9, 1)]
    rows[2] = msgspec.structs.replace(rows[2], calls=6 * 9 + 2)  # two repairs
    assert unequal_generations(rows) == ("direct",)
    assert unequal_generations(rows[1:]) == ()
    assert unequal_generations(rows[:2]) == ("direct",)
    assert unequal_generations([]) == ()


def test_short_names():
    assert short_names(["mad:agents=3", "direct"]) == {"mad:agents=3": "mad", "direct": "direct"}
    assert short_names(["mad", "mad:rounds=3,agents=2", "mad:agents=2"]) == {
        "mad": "mad",
        "mad:rounds=3,agents=2": "mad:rounds=3,agents=2",
        "mad:agents=2": "mad:agents=2",
    }
    assert list(short_names(["mad:a=1,b=2", "mad:a=1,b=3"]).values()) == ["mad:b=2", "mad:b=3"]


@given(st.lists(st.text("ab:,=1", min_size=1, max_size=8), unique=True, max_size=5))
def test_short_names_stay_unique(names):
    assert len(set(short_names(names).values())) == len(names)


def test_words_for_numbers():
    assert [points(x) for x in (0.0333, -0.1, -0.0001)] == ["+3.3 points", "−10.0 points", "0.0 points"]  # noqa: E501  # fmt: skip
    assert [p_value(x) for x in (0.0004, 0.0312, 0.75)] == ["p < 0.001", "p = 0.031", "p = 0.75"]
    assert p_value(0.0004, "") == "< 0.001"
    assert p_value(0.5, "") == "0.50"
