"""How well the rules of diagnosis agree with a person who read the same runs.

Labels are lines of JSON, one for each run that was read::

    {"run": "20261122-201028-3bd3", "system": "mad", "task": "gsm8k/test/7", "codes": ["1.3"]}

``codes`` are the modes the person sees in the run, ``[]`` for none, and ``null`` in a line that
waits for its label; ``by`` and ``note`` are free. Lines to be filled in are drawn from the run
store, evenly over systems, and the findings of the rules are not in them: whoever labels must not
know them::

    python -m collegium.bench.diagnosis.agreement --draw 30 > labels.jsonl
    collegium trace 20261122-201028-3bd3 --system mad --task gsm8k/test/7
    python -m collegium.bench.diagnosis.agreement labels.jsonl
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from collegium.bench.diagnosis.diagnose import diagnose
from collegium.bench.diagnosis.modes import MODES, mode
from collegium.bench.records import Outcome
from collegium.errors import BadInput, CollegiumError
from collegium.kernel import RunStore
from collegium.kernel.store import default_path

RULED = tuple(m.code for m in MODES if m.means == "rules")
"""The modes that rules can find; of the others a label says nothing about the rules."""

LAST_RUNS = 1_000
"""How many runs of the store are looked through for lines to draw."""


class Label(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person sees in one system's run on one task.

    Attributes:
        run: Id of the run in the store.
        system: The system, as the run names it; "" for a run of one system.
        task: Id of the task; "" for a run of one task.
        codes: Modes that are there; None: not labelled yet.
        by: Who read it.
        note: What is worth saying.
    """

    run: str
    system: str = ""
    task: str = ""
    codes: tuple[str, ...] | None
    by: str = ""
    note: str = ""


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two judges on one mode, or on all of them together.

    Attributes:
        code: The mode; "" for all.
        both: Runs in which both see it.
        only_rules: Runs in which the rules alone see it.
        only_hand: Runs in which the person alone does.
        neither: Runs in which neither does.
        kappa: Cohen's kappa; None where chance alone explains everything, as when neither ever
            sees the mode.
    """

    code: str
    both: int
    only_rules: int
    only_hand: int
    neither: int
    kappa: float | None


def kappa(both: int, only_one: int, only_other: int, neither: int) -> float | None:
    """Cohen's kappa of two judges who each say yes or no.

    Args:
        both: Cases in which both say yes.
        only_one: Cases in which only the first does.
        only_other: Cases in which only the second does.
        neither: Cases in which both say no.

    Returns:
        (agreement seen - agreement by chance) / (1 - agreement by chance); None when chance alone
        gives agreement in every case.

    Raises:
        BadInput: There are no cases.

    Source: J. Cohen (1960), "A coefficient of agreement for nominal scales", Educ. Psychol. Meas.
    20, 37-46.
    """
    n = both + only_one + only_other + neither
    if n == 0 or min(both, only_one, only_other, neither) < 0:
        raise BadInput("an agreement needs at least one case that both have judged.")
    one, other = both + only_one, both + only_other
    by_chance = one * other + (n - one) * (n - other)
    if by_chance == n * n:
        return None
    return ((both + neither) * n - by_chance) / (n * n - by_chance)


def read_labels(file: Path) -> list[Label]:
    """Read a file of labels.

    Raises:
        BadInput: It cannot be read, a line is not a label or waits for one, or a run comes twice.
        UnknownName: A label names a mode that does not exist.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInput(f"cannot read the labels {file}: {error.strerror}.") from None
    found: dict[tuple[str, str, str], Label] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            label = msgspec.json.decode(line, type=Label)
        except msgspec.DecodeError as error:
            raise BadInput(f"{file}, line {number} is no label: {error}.") from None
        if label.codes is None:
            raise BadInput(f"{file}, line {number} waits for its label: codes is null; put a list.")
        for code in label.codes:
            mode(code)
        place = (label.run, label.system, label.task)
        if place in found:
            raise BadInput(f"{file}, line {number} labels a run a second time.")
        found[place] = label
    if not found:
        raise BadInput(f"{file} holds no labels.")
    return list(found.values())


def agreements(labels: Sequence[Label], found: Sequence[Iterable[str]]) -> list[Agreement]:
    """Hold labels against what the rules found.

    Args:
        labels: What a person sees.
        found: The codes the rules found in the same runs, in the same order.

    Returns:
        One for each mode that rules can find, and last the one of all of them together.
    """
    total = [0, 0, 0, 0]
    made = []
    for code in RULED:
        counts = [0, 0, 0, 0]
        for label, codes in zip(labels, found, strict=True):
            hand, rules = code in (label.codes or ()), code in codes
            counts[0 if hand and rules else 1 if rules else 2 if hand else 3] += 1
        total = [a + b for a, b in zip(total, counts, strict=True)]
        made.append(_agreement(code, counts))
    return [*made, _agreement("", total)]


def found_by_rules(label: Label, store: RunStore) -> set[str]:
    """The modes the rules find in the run of a label.

    Raises:
        UnknownName: There is no such run.
        BadInput: It has no events for that system and task.
    """
    row = store.run(label.run)
    place = (label.system, label.task)
    events = [e for system, task, e in store.events(row.id) if (system, task) == place]
    if not events:
        raise BadInput(f"run {label.run} has nothing of {label.system!r} on {label.task!r}.")
    data = store.results(row.id).get(place)
    outcome = None if data is None else msgspec.json.decode(data, type=Outcome)
    return {f.code for f in diagnose(events, outcome=outcome)}


def draw(store: RunStore, number: int, seed: int) -> list[Label]:
    """Draw runs to be labelled, in turn from each system, so that none is read only by chance.

    Args:
        store: Where the runs are.
        number: How many lines.
        seed: Decides which.
    """
    by_system: dict[str, list[Label]] = {}
    for row in store.runs(LAST_RUNS):
        for system, task in dict.fromkeys((s, t) for s, t, _ in store.events(row.id)):
            label = Label(run=row.id, system=system, task=task, codes=None)
            by_system.setdefault(system.partition(":")[0], []).append(label)
    rng = random.Random(seed)
    for lines in by_system.values():
        rng.shuffle(lines)
    drawn: list[Label] = []
    while len(drawn) < number and any(by_system.values()):
        for name in sorted(by_system):
            if by_system[name] and len(drawn) < number:
                drawn.append(by_system[name].pop())
    return drawn


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the agreement of a file of labels, or lines to be labelled."""
    parser = argparse.ArgumentParser(prog="python -m collegium.bench.diagnosis.agreement")
    parser.add_argument("file", nargs="?", type=Path, help="a file of labels")
    parser.add_argument("--draw", type=int, metavar="N", help="print N lines to be labelled")
    parser.add_argument("--seed", type=int, default=0, help="decides which runs are drawn")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    if (given.file is None) == (given.draw is None):
        parser.error("give a file of labels, or --draw N")
    try:
        store = RunStore(default_path())
        try:
            if given.draw is not None:
                for label in draw(store, given.draw, given.seed):
                    print(msgspec.json.encode(label).decode())
                return 0
            labels = read_labels(given.file)
            made = agreements(labels, [found_by_rules(label, store) for label in labels])
        finally:
            store.close()
    except CollegiumError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if given.json:
        print(msgspec.json.encode(made).decode())
        return 0
    print(f"{len(labels)} runs labelled by hand\n")
    print("mode  both  rules only  hand only  neither  kappa")
    for a in made:
        shown = "-" if a.kappa is None else f"{a.kappa:.2f}"
        print(f"{a.code or 'all':4}{a.both:6}{a.only_rules:12}{a.only_hand:11}{a.neither:9}"
              f"{shown:>7}")  # fmt: skip
    return 0


def _agreement(code: str, counts: Sequence[int]) -> Agreement:
    both, rules, hand, neither = counts
    return Agreement(
        code=code,
        both=both,
        only_rules=rules,
        only_hand=hand,
        neither=neither,
        kappa=kappa(both, rules, hand, neither),
    )


if __name__ == "__main__":
    raise SystemExit(main())
