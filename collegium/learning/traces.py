"""From the traces of a team under a CEO to training records (arXiv 2504.09772, section 3: M500).

A run of ``mas-tts`` becomes a record only if the team came to a consensus inside the allowed
critic rounds, every role kept its form, and the final answer is right by the ground truth. All
three are read from the kernel's record of calls and the scorer's verdict, never from what the
team says of itself.

Paper vs code vs ours
---------------------
* The form of a reply is its typed output. A reply that had to be repaired or asked for again has
  not kept it, even where the run went on; so has a test file that tests nothing.
* Consensus is that of the last round: its last solution was reviewed, a critic agreed, none
  disagreed. Earlier rounds may have failed, as the paper keeps traces of several rounds.
* The published set was made with DeepSeek-R1 from chosen hard questions. Which model plays the
  roles and which questions are asked is the caller's choice here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from collegium.bench.records import Outcome
from collegium.errors import BadInput
from collegium.kernel import Event, Generate, RunStore, Unparsed, output_of
from collegium.kernel.atomic import replace
from collegium.kernel.calls import Role
from collegium.systems.mas_tts.roles import FORMATS, Verdict, read, written_tests

Rule = Literal["no consensus", "a role's format was not kept", "the answer is wrong"]
RULES: tuple[Rule, ...] = ("no consensus", "a role's format was not kept", "the answer is wrong")
"""Why a run is dropped, in the order of the paper's rules (i) to (iii)."""


class Labelled(msgspec.Struct, frozen=True):
    """A run with the ground truth's verdict.

    Attributes:
        name: What it is called in the list of what was dropped.
        events: Its trace.
        correct: Whether its answer is right, by the benchmark's scorer.
    """

    name: str
    events: tuple[Event, ...]
    correct: bool


class Turn(msgspec.Struct, frozen=True):
    """One message of a record.

    Attributes:
        role: "system", "user" or "assistant".
        content: Its text.
        agent: Whose conversation it belongs to.
        turn: Which generation it belongs to, from 0 in speaking order: the messages of one turn
            before its reply are the reply's own context.
    """

    role: Role
    content: str
    agent: str
    turn: int


class Record(msgspec.Struct, frozen=True):
    """A kept run as a training example.

    Attributes:
        name: The run.
        messages: Every turn with its context, in speaking order.
        loss: For each message whether it is learnt: true for the replies of the team alone.
    """

    name: str
    messages: tuple[Turn, ...]
    loss: tuple[bool, ...]


class Collection(msgspec.Struct, frozen=True):
    """What came of some runs.

    Attributes:
        records: The runs that were kept.
        dropped: By run, every rule that it breaks.
        counts: By rule, how many runs break it.
    """

    records: tuple[Record, ...]
    dropped: dict[str, tuple[Rule, ...]]
    counts: dict[Rule, int]


def collect(runs: Iterable[Labelled], *, critic_rounds: int = 3) -> Collection:
    """Keep the runs worth learning from.

    Args:
        runs: Runs of ``mas-tts`` with their verdicts.
        critic_rounds: Reviews of the last round's solutions within which consensus must come.

    Raises:
        BadInput: ``critic_rounds`` is below 1, or a run holds no turn of a solver.
    """
    if critic_rounds < 1:
        raise BadInput(f"consensus takes at least one critic round, not {critic_rounds}.")
    records: list[Record] = []
    dropped: dict[str, tuple[Rule, ...]] = {}
    for run in runs:
        turns = generated(run.events)
        if not any(e.call.agent == "solver" for e in turns):
            raise BadInput(f"run {run.name!r} is no trace of mas-tts: no solver speaks in it.")
        kept = (consensus(turns, critic_rounds), all(map(well_formed, turns)), run.correct)
        broken: tuple[Rule, ...] = tuple(
            rule for rule, good in zip(RULES, kept, strict=True) if not good
        )
        if broken:
            dropped[run.name] = broken
        else:
            records.append(record(run.name, turns))
    counts: dict[Rule, int] = {
        rule: sum(rule in broken for broken in dropped.values()) for rule in RULES
    }
    return Collection(tuple(records), dropped, counts)


def generated(events: Iterable[Event]) -> list[Event]:
    """The model calls of a trace that were answered, in speaking order: that of their beginning."""
    turns = [e for e in events if isinstance(e.call, Generate) and e.replies]
    return sorted(turns, key=lambda e: e.id)


def consensus(turns: list[Event], critic_rounds: int) -> bool:
    """Rule (i): the last solution was reviewed and agreed on, within the allowed reviews."""
    reviews: list[list[str]] = []
    for event in turns:
        agent = event.call.agent
        if agent == "recruiter":  # a round begins
            reviews = []
        elif agent == "solver" and event.outcome == "ok":
            reviews.append([])
        elif agent.startswith("critic") and reviews:
            reviews[-1].append(verdict(event))
    last = reviews[-1] if reviews else []
    return "Agree" in last and "Disagree" not in last and len(reviews) <= critic_rounds


def verdict(event: Event) -> str:
    """What a critic's turn says, "" for nothing readable; a repair is the bare verdict."""
    text = event.replies[0].text
    if event.outcome == "fix":
        alone = output_of(Verdict).decode(text)
        return "" if isinstance(alone, Unparsed) else alone
    worked = read("critic", text)
    return "" if isinstance(worked, Unparsed) else worked.answer


def well_formed(event: Event) -> bool:
    """Rule (ii): a turn is no repair, and reads as what its role must write."""
    call = event.call
    if not isinstance(call, Generate) or event.outcome != "ok":
        return False
    text = event.replies[0].text
    if call.role == "executor":
        return written_tests(text, "") != ""
    return call.role not in FORMATS or not isinstance(read(call.role, text), Unparsed)


def record(name: str, turns: list[Event]) -> Record:
    """A run as one example: each turn's own context, then its reply, which is what is learnt."""
    messages: list[Turn] = []
    loss: list[bool] = []
    for number, event in enumerate(turns):
        call = event.call
        assert isinstance(call, Generate)
        for message in call.messages:
            messages.append(Turn(message.role, message.text, call.agent, number))
            loss.append(False)
        messages.append(Turn("assistant", event.replies[0].text, call.agent, number))
        loss.append(True)
    return Record(name, tuple(messages), tuple(loss))


def runs_of(store: RunStore, run: str) -> list[Labelled]:
    """The runs of ``mas-tts`` in a stored comparison, with the verdicts of its benchmark.

    Args:
        store: The run store.
        run: Id of the comparison.
    """
    events: dict[tuple[str, str], list[Event]] = {}
    for system, task, event in store.events(run):
        events.setdefault((system, task), []).append(event)
    outcomes = [msgspec.json.decode(data, type=Outcome) for data in store.results(run).values()]
    return [
        Labelled(f"{o.system}/{o.task}", tuple(events[o.system, o.task]), o.correct)
        for o in outcomes
        if o.system.partition(":")[0] == "mas-tts" and (o.system, o.task) in events
    ]


def write_records(records: Iterable[Record], path: Path) -> None:
    """Write records as JSON lines; the file is whole or as it was before.

    Raises:
        BadInput: It cannot be written.
    """
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    try:
        replace(path, lines)
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror or error}.") from None
