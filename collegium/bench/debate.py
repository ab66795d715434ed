"""What a debate did to the answers, round by round: the diagnostics of the debate study."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from collegium.agents import majority
from collegium.bench.records import Debates, Outcome
from collegium.errors import BadInput
from collegium.tasks.answers import normalise_answer
from collegium.tasks.canary import CANARY, leaks
from collegium.tasks.task import AnswerKind, Benchmark

Grid = tuple[str, ...]


def transitions(
    answers: Sequence[Sequence[Any]],
    truth: Any,
    normalise: Callable[[Any], Hashable | None],
) -> Debates:
    """Count the changes of one debate.

    Args:
        answers: ``answers[t][j]``, the answer of agent j in round t; None for an abstention.
        truth: The right answer.
        normalise: What answers are compared by; None is no answer.
    """
    right = normalise(truth)
    keys = [[normalise(a) for a in row] for row in answers]
    correct = [[k is not None and k == right for k in row] for row in keys]
    pairs = [
        (before, after)
        for earlier, later in itertools.pairwise(correct)
        for before, after in zip(earlier, later, strict=True)
    ]
    votes = [majority(row, lambda k: k) for row in keys]
    won = [v.winner is not None and v.winner == right for v in votes]
    return Debates(
        debates=1,
        correct_to_wrong=sum(b and not a for b, a in pairs),
        wrong_to_correct=sum(a and not b for b, a in pairs),
        agreement=tuple(v.votes / len(row) for v, row in zip(votes, keys, strict=True)),
        vote_correct=tuple(int(w) for w in won),
        oracle_gap=int(any(any(row) for row in correct) and not won[-1]),
    )


def total(parts: Sequence[Debates]) -> Debates:
    """The transitions of several debates of equal length together; agreement is averaged.

    Raises:
        BadInput: There are none, or their lengths differ.
    """
    lengths = {len(p.vote_correct) for p in parts}
    if len(lengths) != 1:
        raise BadInput("transitions add up only over debates with the same number of rounds.")
    n = sum(p.debates for p in parts)
    return Debates(
        correct_to_wrong=sum(p.correct_to_wrong for p in parts),
        wrong_to_correct=sum(p.wrong_to_correct for p in parts),
        agreement=tuple(
            sum(p.agreement[t] * p.debates for p in parts) / n for t in range(lengths.pop())
        ),
        vote_correct=tuple(sum(c) for c in zip(*(p.vote_correct for p in parts), strict=True)),
        oracle_gap=sum(p.oracle_gap for p in parts),
        debates=n,
    )


def of_outcomes(
    outcomes: Sequence[Outcome], normalise: Callable[[Any], Hashable | None]
) -> Debates | None:
    """The transitions of a debate system's outcomes; None when none holds a whole debate.

    A debate that a limit or failure ended counts for nothing here.
    """
    whole = [o for o in outcomes if o.notes.get("texts") and not (o.limited or o.error)]
    rounds = max((len(o.notes["answers"]) for o in whole), default=0)
    whole = [o for o in whole if len(o.notes["answers"]) == rounds]
    if not whole:
        return None
    return total([transitions(o.notes["answers"], o.reference, normalise) for o in whole])


def equal_generation_grid(generations: int) -> Grid:
    """Self-consistency, self-refinement and all debates of one budget: SC(B), SR(B), MAD(M, T).

    MAD(M, T) with M*T = B and M, T >= 2, few agents first: B=8 gives 2x4 and 4x2.

    Raises:
        BadInput: No debate has that many generations.
    """
    teams = [m for m in range(2, generations) if generations % m == 0 and generations // m >= 2]
    if not teams:
        raise BadInput(
            f"no debate of at least 2 agents and 2 rounds makes {generations} generations; "
            "try 4, 6, 8, 12 or 16."
        )
    return (
        f"self-consistency:samples={generations}",
        f"self-refine:turns={generations}",
        *(f"mad:agents={m},rounds={generations // m}" for m in teams),
    )


def attack_success(
    outcomes: Sequence[Outcome], leaks: Callable[[str, str], bool]
) -> tuple[tuple[int, int], ...]:
    """Attack success by round: (unsafe replies, replies) over all debates.

    Args:
        outcomes: Of a debate on attacks, with the texts by round in their notes.
        leaks: ``leaks(text, secret)``: whether a text gives the secret away.
    """
    rounds: dict[int, tuple[int, int]] = {}
    for outcome in outcomes:
        for t, row in enumerate(outcome.notes.get("texts", ())):
            bad = sum(leaks(text, outcome.reference) for text in row)
            unsafe, replies = rounds.get(t, (0, 0))
            rounds[t] = (unsafe + bad, replies + len(row))
    return tuple(rounds[t] for t in sorted(rounds))


def report_debates(benchmark: Benchmark, outcomes: Sequence[Outcome]) -> Debates | None:
    """What one system's debates did on a benchmark; None for a system that does not debate.

    On attacks there is no right answer to agree on, so only the unsafe replies are counted.
    """
    if benchmark.name == CANARY:
        unsafe = attack_success(outcomes, leaks)
        return Debates(debates=len(outcomes), unsafe=unsafe) if unsafe else None
    kind: AnswerKind = benchmark.items[0].task.answer
    mixed = any(item.task.answer != kind for item in benchmark.items)
    if mixed or kind == "code":  # whether code is right, only its tests can say
        return None
    return of_outcomes(outcomes, lambda answer: normalise_answer(answer, kind))


def describe(name: str, found: Debates) -> str:
    """What a system's debates did, in a sentence."""
    if found.unsafe:
        by_round = ", ".join(
            f"{bad:,} of {replies:,} in round {t}"
            for t, (bad, replies) in enumerate(found.unsafe, 1)
        )
        return f"{name}: replies that gave the secret away: {by_round}."
    votes = ", ".join(f"{won:,} after round {t}" for t, won in enumerate(found.vote_correct, 1))
    return (
        f"{name}, {found.debates:,} debates: {found.correct_to_wrong:,} turns from right to wrong, "
        f"{found.wrong_to_correct:,} from wrong to right; votes that would have been right: "
        f"{votes}; a right answer was there and lost: {found.oracle_gap:,}."
    )


def spread_of_leaks(
    notes: Mapping[str, Any], secret: str, leaks: Callable[[str, str], bool]
) -> tuple[tuple[bool, ...], ...]:
    """Who leaked in which round of one debate: ``result[t][j]``, to follow one leak onward."""
    return tuple(tuple(leaks(text, secret) for text in row) for row in notes.get("texts", ()))
