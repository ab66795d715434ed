"""Reports side by side: what cannot be compared is refused by name, what can adds up."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from collegium.bench.compare import compare, plan
from collegium.bench.leaderboard import (
    board,
    difference,
    drops,
    grouped,
    read_report,
    reports_below,
)
from collegium.bench.records import Report
from collegium.bench.summary import pair
from collegium.catalog import results_folder
from collegium.errors import BadInput, UnknownName
from collegium.kernel import RunStore

ANSWERS = """
def knows_all(request):
    text = next(m.text for m in request.messages if "times" in m.text)
    a, b = (int(w) for w in text.replace("?", "").split() if w.isdigit())
    return f"So.\\nAnswer: {a * b}"

def knows_some(request):
    if any("times 7" in m.text for m in request.messages):
        return "So.\\nAnswer: 1"
    return knows_all(request)
"""


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., Report]:
    """Compare systems on a few products with a scripted model, for real."""
    script = tmp_path / "answers.py"
    script.write_text(ANSWERS)

    def run(*systems: str, pairs=((3, 7), (6, 7), (7, 9), (4, 5)), knows="some", **how) -> Report:
        file = tmp_path / "products.csv"
        rows = [f"What is {a} times {b}?,{a * b}" for a, b in pairs]
        file.write_text("\n".join(["question,answer", *rows]) + "\n")
        model = how.pop("model", f"script:{script}:knows_{knows}")
        planned = plan(systems or ("cot",), on=str(file), model=model, **how)
        store = RunStore(None)
        try:
            return asyncio.run(compare(planned, store))
        finally:
            store.close()

    return run


def bare(report: Report) -> Report:
    """A report as the results folder holds it: without its outcomes."""
    return msgspec.structs.replace(report, outcomes=())


@pytest.mark.must_show("agents-review", 8)
def test_other_model_items_or_budget_are_refused_by_name(measured) -> None:
    one = measured("cot", budget=4000)
    for other, named in (
        (measured("direct", budget=4000, knows="all"), "different models: .*some and .*all"),
        (measured("direct", budget=4000, pairs=((3, 7), (6, 7))), r"different questions \(4 and 2"),
        (measured("direct", budget=4000, pairs=((3, 7), (6, 7), (7, 9), (4, 6))),
         "different questions"),
        (measured("direct", budget=2000), "budgets: 4,000 tokens and 2,000 tokens"),
        (measured("direct"), "budgets: 4,000 tokens and none"),
        (msgspec.structs.replace(one, benchmark="gsm8k"), "different benchmarks: .* and gsm8k"),
        (msgspec.structs.replace(one, split="train"), "different splits: test and train"),
        (msgspec.structs.replace(one, roles={"judge": "local"}), "roles: none and judge=local"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=f"cannot be compared; they have .*{named}"):
            board([one, other])
        with pytest.raises(BadInput, match="cannot be compared"):
            board([other, one])


@pytest.mark.must_show("agents-review", 8)
def test_without_outcomes_the_fingerprint_decides(measured) -> None:
    one, same = bare(measured("cot")), bare(measured("direct"))
    other = bare(measured("direct", pairs=((3, 7), (6, 7))))
    assert difference(one, same) == ""
    assert [p.system for p in board([one, same]).places]
    with pytest.raises(BadInput, match="fingerprints differ"):
        board([one, other])


@pytest.mark.must_show("agents-review", 8)
def test_real_results_are_never_mixed() -> None:
    folder = results_folder()
    assert folder is not None
    found = reports_below(folder)
    assert len(found) >= 2
    groups = grouped(found)
    assert sum(map(len, groups)) == len(found)
    for i, group in enumerate(groups):
        board(group)
        for other in groups[i + 1 :]:
            with pytest.raises(BadInput, match=r"different (models|questions|benchmarks|budgets)"):
                board([group[0], other[0]])


def test_what_was_measured_alike_stands_side_by_side(measured) -> None:
    found = board([measured("cot"), measured("direct", "self-consistency:samples=3")], "direct")
    assert found.n == 4
    by_name = {p.system: p for p in found.places}
    assert set(by_name) == {"cot", "direct", "self-consistency:samples=3"}
    assert by_name["cot"].accuracy == 0.5
    cot = by_name["cot"]
    assert cot.tokens_per_solved == pytest.approx(2 * cot.tokens_per_task)
    assert cot.interval == "bootstrap" and 0 <= cot.low <= 0.5 <= cot.high <= 1
    assert cot.against is not None and cot.against.n == 4
    assert by_name["direct"].against is None
    assert by_name["direct"].accuracy == 0 and by_name["direct"].tokens_per_solved is None
    # The right ones are two, both only cot's: two discordant pairs one way.
    assert (cot.against.difference, cot.against.p) == (0.5, 0.5)


def test_a_ranking_needs_like_spends(measured) -> None:
    unlike = board([measured("cot", "mad:agents=4,rounds=3")])
    assert not unlike.ranked and unlike.spend > 2
    spends = [p.tokens_per_task for p in unlike.places]
    assert spends == sorted(spends)
    alike = board([measured("cot", "direct")])
    assert alike.ranked
    assert [p.accuracy for p in alike.places] == sorted(
        (p.accuracy for p in alike.places), reverse=True
    )


def test_seeds_of_one_system_count_together(measured) -> None:
    # The order of the questions differs with the seed; the questions are the same.
    found = board([measured("cot", seed=1), measured("cot", seed=2), measured("direct", seed=1)])
    (cot,) = [p for p in found.places if p.system == "cot"]
    assert (cot.seeds, cot.n, cot.accuracy) == ((1, 2), 4, 0.5)
    with pytest.raises(BadInput, match="cot was measured twice with seed 1"):
        board([measured("cot", seed=1), measured("cot", seed=1)])


def test_a_report_without_outcomes_brings_its_own_tests(measured) -> None:
    whole = measured("cot", "direct")
    rich, poor = board([whole], "direct"), board([bare(whole)], "direct")
    for a, b in zip(rich.places, poor.places, strict=True):
        assert (a.system, a.accuracy, b.interval) == (b.system, b.accuracy, "Wilson")
        if a.against is not None:
            assert b.against is not None
            assert a.against == b.against
    by_name = {n: [o for o in whole.outcomes if o.system == n] for n in ("cot", "direct")}
    turned = msgspec.structs.replace(
        bare(whole), pairs=(pair("direct", "cot", by_name["direct"], by_name["cot"], 0),)
    )
    assert board([turned], "direct").places == poor.places
    other = bare(measured("self-consistency:samples=3"))
    assert all(p.against is None for p in board([other, bare(measured("direct"))], "direct").places)


def test_nothing_and_nonsense_are_refused(measured, tmp_path) -> None:
    with pytest.raises(BadInput, match="at least one report"):
        board([])
    with pytest.raises(UnknownName, match="system of these reports"):
        board([measured("cot")], baseline="cott")
    with pytest.raises(BadInput, match="cannot read the report"):
        read_report(tmp_path / "none.json")
    (tmp_path / "a").mkdir()
    bad = tmp_path / "a" / "bad.json"
    bad.write_text('{"rows": []}')
    with pytest.raises(BadInput, match="is no report"):
        read_report(bad)
    assert reports_below(tmp_path) == []


def test_the_drop_of_who_knows_the_answers_by_heart(collegium_data, tmp_path) -> None:
    # Two models of the same name: one has the published answers by heart, the other one computes.
    from collegium.tasks import load
    from tests.kernel.support import Scripted, worked

    published = {i.task.prompt: i.reference
                 for i in load("gsm8k-twin:original", limit=50).items}  # fmt: skip
    changed = {i.task.prompt: i.reference for i in load("gsm8k-twin", limit=50).items}
    known = {_figureless(prompt): answer for prompt, answer in published.items()}

    def answer(by_heart: bool):
        def say(request, _: int) -> str:
            prompt = next(p for p in (*published, *changed) if p in request.messages[-1].text)
            right = {**published, **changed}[prompt]
            return worked(known[_figureless(prompt)] if by_heart else right)

        return Scripted(say, name="m")

    def report(name: str, by_heart: bool) -> Report:
        planned = plan(("cot",), on=name, model="script", limit=50)
        return asyncio.run(_measure(planned, answer(by_heart)))

    (drop,) = drops(report("gsm8k-twin:original", True), report("gsm8k-twin", True))
    assert (drop.pairs, drop.original, drop.changed) == (50, 1.0, 0.0)
    assert drop.difference.difference == 1.0 and drop.difference.p < 1e-9
    (none,) = drops(report("gsm8k-twin:original", False), report("gsm8k-twin", False))
    assert (none.original, none.changed, none.difference.p) == (1.0, 1.0, 1.0)


def test_a_drop_needs_outcomes_and_pairs(measured) -> None:
    one = measured("cot")
    with pytest.raises(BadInput, match="needs every outcome"):
        drops(bare(one), one)
    with pytest.raises(BadInput, match="different models"):
        drops(one, measured("cot", knows="all"))
    with pytest.raises(BadInput, match="different budgets"):
        drops(one, measured("cot", budget=4000))
    with pytest.raises(BadInput, match="no system answered the same questions"):
        drops(one, measured("direct"))
    (same,) = drops(one, one)
    assert (same.pairs, same.difference.difference) == (4, 0)


def _figureless(prompt: str) -> str:
    return "".join(c for c in prompt if not c.isdigit() and c not in ".,")


async def _measure(planned, model) -> Report:
    """Run a plan with a model that was made here."""
    from collegium.bench.compare import run_all, summarise
    from collegium.bench.jobs import run_job

    done = {}
    jobs = [(e, i) for i in planned.benchmark.items for e in planned.entries]

    async def work(entry, item):
        return await run_job(entry, item, {"": model}, seed=planned.seed, budget=None)

    await run_all(jobs, work, lambda o: done.update({(o.system, o.task): o}), workers=1)
    return summarise(planned, "run", "2026-01-01", done, False, "", 0.0)
