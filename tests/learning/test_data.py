"""Filters in order, pairs of one task, uses of bad samples, and which tokens are learnt."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from collegium.errors import BadInput, UnknownName
from collegium.kernel import Message
from collegium.learning.capture import Step, Trajectory, marked
from collegium.learning.data import (
    Filtered,
    build,
    environment,
    judge,
    rule,
    run_filters,
    same_task_pairs,
    unrepaired,
    write_built,
)
from collegium.learning.masking import (
    Conversation,
    Piece,
    Segment,
    conversations,
    loss_mask,
    record_of,
    tokenised,
)


def said(text: str, *, asked: str = "Go.", bad: bool = False) -> Step:
    return Step(
        agent="a", prompt=(Message("user", asked),), reply=Message("assistant", text), bad=bad
    )


def six() -> list[Trajectory]:
    """Six trajectories with (success, rule, judge); the first three are of task p."""
    signals = [(1, 1, 0.9), (1, 0, 0.8), (0, 1, 0.7), (1, 1, 0.4), (0, 0, 0.2), (1, 1, 0.6)]
    return [
        Trajectory(
            name=f"t{i}",
            task="p" if i <= 3 else "q",
            steps=(said(f"reply {i}"),),
            reward=float(success),
            rule_ok=bool(ok),
            judge=score,
        )
        for i, (success, ok, score) in enumerate(signals, 1)
    ]


def filtered() -> Filtered:
    return run_filters(six(), [environment(), rule(), judge(0.5)])


def counted(of: Filtered) -> list[tuple[str, int, int, int]]:
    return [(c.name, c.came, c.kept, c.dropped) for c in of.counts]


@pytest.mark.must_show("optimization-survey", 3)
def test_environment_rule_and_judge_in_order() -> None:
    found = filtered()
    assert counted(found) == [("environment", 6, 4, 2), ("rule", 4, 3, 1), ("judge", 3, 2, 1)]
    assert [t.name for t in found.kept] == ["t1", "t6"]
    assert [(d.trajectory.name, d.by) for d in found.dropped] == [
        ("t2", "rule"), ("t3", "environment"), ("t4", "judge"), ("t5", "environment"),
    ]  # fmt: skip
    assert [c.source for c in found.counts] == ["environment", "rule", "model"]


@pytest.mark.must_show("optimization-survey", 3)
def test_one_filter_after_another() -> None:
    assert counted(run_filters(six(), [environment()]))[0][2] == 4
    assert counted(run_filters(six(), [environment(), rule()]))[1][2] == 3
    # In another order the same are kept, and other filters drop them.
    other = run_filters(six(), [judge(0.5), rule(), environment()])
    assert counted(other) == [("judge", 6, 4, 2), ("rule", 4, 3, 1), ("environment", 3, 2, 1)]
    assert other.kept == filtered().kept
    assert run_filters(six(), []).kept == tuple(six())


@pytest.mark.must_show("optimization-survey", 3)
def test_what_was_dropped_goes_to_pairs_of_the_same_task() -> None:
    pairs = same_task_pairs(filtered())
    assert [(p.task, p.chosen.name, p.rejected.name, p.by) for p in pairs] == [
        ("p", "t1", "t2", "rule"),
        ("p", "t1", "t3", "environment"),
        ("q", "t6", "t4", "judge"),
        ("q", "t6", "t5", "environment"),
    ]
    assert all(p.same_prompt for p in pairs)
    failures = same_task_pairs(filtered(), by=["environment"])
    assert [p.rejected.name for p in failures] == ["t3", "t5"]
    with pytest.raises(UnknownName, match="unknown filter"):
        same_task_pairs(filtered(), by=["environments"])


def test_pairs_with_other_prompts_are_told_and_equal_replies_make_none() -> None:
    def run(name: str, reward: float, step: Step) -> Trajectory:
        return Trajectory(name=name, task="p", steps=(step,), reward=reward)

    runs = [
        run("good", 1, said("yes")),
        run("same", 0, said("yes")),
        run("other", 0, said("no", asked="Now.")),
        run("plain", 0, said("no")),
    ]
    pairs = same_task_pairs(run_filters(runs, [environment()]))
    assert [(p.rejected.name, p.same_prompt) for p in pairs] == [("other", False), ("plain", True)]


def test_a_missing_signal_and_a_name_twice_are_refused() -> None:
    bare = Trajectory(name="bare", task="p")
    for sieve, what in ((environment(), "reward"), (rule(), "rule_ok"), (judge(), "judge")):
        with pytest.raises(BadInput, match=f"'bare' has no {what}"):
            run_filters([bare], [sieve])
    with pytest.raises(BadInput, match="two trajectories are called 't1'"):
        run_filters([six()[0], six()[0]], [environment()])
    with pytest.raises(BadInput, match="two filters are called 'judge'"):
        run_filters(six(), [judge(0.1), judge(0.5)])


# -- what becomes of the dropped ----------------------------------------------------------------


def learnt(records: Any) -> list[str]:
    return [r.name for r in records]


def test_discarding_keeps_the_good_alone() -> None:
    built = build(filtered())
    assert built.uses == ("discard",)
    assert learnt(built.records) == ["t1", "t6"]
    assert built.pairs == ()
    assert built.counts == {"kept": 2, "used though dropped": 0, "not used": 4}


def test_contrast_makes_pairs() -> None:
    built = build(filtered(), "contrastive")
    assert learnt(built.records) == ["t1", "t6"]
    assert len(built.pairs) == 4
    assert built.counts == {"kept": 2, "used though dropped": 4, "not used": 0}


def test_corrections_pass_the_same_filters() -> None:
    third, fifth = six()[2], six()[4]
    repairs = {
        "t3": msgspec.structs.replace(third, reward=1.0),
        "t5": msgspec.structs.replace(fifth, reward=1.0, rule_ok=True),  # the judge still says 0.2
    }
    built = build(filtered(), "correction", repairs=repairs)
    assert learnt(built.records) == ["t1", "t6", "t3"]
    assert built.counts == {"kept": 2, "used though dropped": 1, "not used": 3}
    with pytest.raises(UnknownName, match="dropped trajectory"):
        build(filtered(), "correction", repairs={"t1": third})
    with pytest.raises(BadInput, match="is of task 'q', not of 'p'"):
        build(filtered(), "correction", repairs={"t3": fifth})
    with pytest.raises(BadInput, match="no part in masking"):
        build(filtered(), "masking", repairs=repairs)
    with pytest.raises(UnknownName, match="did you mean 'discard'"):
        build(filtered(), "discrad")  # type: ignore[arg-type]


def test_masking_learns_the_good_steps_of_failures() -> None:
    failed = Trajectory(
        name="failed", task="p", steps=(said("wrong", bad=True), said("mended")), reward=0.0
    )
    hopeless = Trajectory(name="hopeless", task="p", steps=(said("no", bad=True),), reward=0.0)
    unmarked = Trajectory(name="unmarked", task="p", steps=(said("hm"),), reward=0.0)
    done = Trajectory(
        name="done", task="p", steps=(said("slip", bad=True), said("right")), reward=1.0
    )
    found = run_filters([failed, hopeless, unmarked, done], [environment()])
    masked = build(found, "masking")
    assert [(r.name, r.loss) for r in masked.records] == [
        ("done", (False, False, False, True)), ("failed", (False, False, False, True)),
    ]  # fmt: skip
    assert masked.counts == {"kept": 1, "used though dropped": 1, "not used": 2}
    (plain,) = build(found).records
    assert plain.loss == (False, True, False, True)
    both = build(found, "correction", "masking", repairs={"failed": done})
    assert learnt(both.records) == ["done", "done"]
    assert unrepaired().keep(unmarked) and not unrepaired().keep(done)


def test_data_is_written_as_lines(tmp_path) -> None:
    files = write_built(build(filtered(), "contrastive"), tmp_path / "out")
    assert [f.name for f in files] == ["records.jsonl", "pairs.jsonl"]
    records = [json.loads(line) for line in files[0].read_text().splitlines()]
    assert [r["name"] for r in records] == ["t1", "t6"]
    assert records[0]["loss"] == [False, True]
    pairs = [json.loads(line) for line in files[1].read_text().splitlines()]
    assert [(p["chosen"]["name"], p["rejected"]["name"]) for p in pairs] == [
        ("t1", "t2"), ("t1", "t3"), ("t6", "t4"), ("t6", "t5"),
    ]  # fmt: skip
    assert not (tmp_path / "none" / "pairs.jsonl").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot write to"):
        write_built(build(filtered()), tmp_path / "file")


# -- which tokens are learnt --------------------------------------------------------------------


def numbered(*sizes: int) -> list[tuple[int, ...]]:
    return [tuple(range(size)) for size in sizes]


@pytest.mark.must_show("optimization-survey", 4)
def test_the_loss_is_on_the_agents_own_tokens() -> None:
    prompt, first, seen, second = numbered(5, 4, 6, 3)
    pieces = [
        Piece("prompt", prompt),
        Piece("agent", first),
        Piece("observation", seen),
        Piece("agent", second, bad=True),
    ]
    mask = loss_mask(pieces)
    assert len(mask) == 18
    assert [i for i, on in enumerate(mask) if on] == [*range(5, 9), *range(15, 18)]
    assert sum(mask) == 7
    masked = loss_mask(pieces, masking=True)
    assert [i for i, on in enumerate(masked) if on] == [*range(5, 9)]
    assert sum(masked) == 4


@pytest.mark.must_show("optimization-survey", 4)
def test_the_same_from_a_trajectory() -> None:
    """Five words of prompt, four of the agent, six seen, three of the agent."""
    opening = Message("user", "you are in a room")
    act = Message("assistant", "go to the door")
    seen = Message("user", "the door is shut and locked")
    again = Message("assistant", "kick the door")
    steps = (
        Step(agent="a", prompt=(opening,), reply=act),
        Step(agent="a", prompt=(opening, act, seen), reply=again),
    )
    trajectory = marked(Trajectory(name="t", task="p", steps=steps), [1])
    (whole,) = conversations(trajectory)
    assert [s.kind for s in whole.segments] == ["prompt", "agent", "observation", "agent"]
    pieces = tokenised(whole, lambda m: [len(word) for word in m.text.split()])
    assert [len(p.tokens) for p in pieces] == [5, 4, 6, 3]
    assert sum(loss_mask(pieces)) == 7
    assert sum(loss_mask(pieces, masking=True)) == 4
    assert record_of(trajectory).loss == (False, True, False, False, False, True)
    assert record_of(trajectory, masking=True).loss == (False, True, False, False, False, False)


def test_conversations_are_told_apart() -> None:
    ask, one, two = Message("user", "q"), Message("assistant", "x"), Message("assistant", "y")
    more = Message("user", "and?")

    def step(agent: str, prompt: tuple[Message, ...], reply: Message) -> Step:
        return Step(agent=agent, prompt=prompt, reply=reply)

    trajectory = Trajectory(
        name="t",
        task="p",
        steps=(
            step("a", (ask,), one),
            step("a", (ask,), two),  # a second sample of the same prompt
            step("b", (ask, one), two),  # another agent, which was shown what a said
            step("a", (ask, two, more), one),  # goes on from the second sample
            step("a", (more,), one),  # a prompt of its own
        ),
    )
    assert conversations(trajectory) == (
        Conversation("t#0", "a", (Segment("prompt", ask), Segment("agent", one))),
        Conversation(
            "t#1",
            "a",
            (
                Segment("prompt", ask), Segment("agent", two),
                Segment("observation", more), Segment("agent", one),
            ),
        ),
        Conversation(
            "t#2",
            "b",
            (Segment("prompt", ask), Segment("prompt", one), Segment("agent", two)),
        ),
        Conversation("t#3", "a", (Segment("prompt", more), Segment("agent", one))),
    )  # fmt: skip


def test_marks_name_steps_that_exist() -> None:
    trajectory = six()[0]
    assert not trajectory.steps[0].bad
    assert marked(trajectory, [0]).steps[0].bad
    with pytest.raises(BadInput, match="there is no step 1"):
        marked(trajectory, [0, 1])
