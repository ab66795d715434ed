"""What a comparison records: one outcome per system and question, one report per comparison."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from collegium.bench.diagnosis.findings import Finding
from collegium.guard.policy import Policy
from collegium.kernel.waiting import ScheduleReport


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one system did on one task.

    Attributes:
        system: Name as given, parameters included ("mad:agents=4,rounds=2").
        task: Id of the task.
        stratum: Its group, "" for none.
        prompt: The question as put to the system.
        reference: The right answer ("" where a verifier or tests judge).
        answer: What the system answered, as text.
        correct: Whether that counts as correct.
        value: The score in 0..1.
        reason: Why, when it is not plain.
        facts: What was judged besides, by name.
        unparsed: The system abstained: no readable answer.
        limited: A limit or a guard ended the run; what it had by then was scored.
        ended: The sentence that says which, "" for none.
        blocked: Calls that the policy did not let through: how often, by call and reason.
        error: The run failed (a model that cannot be reached, say); it counts as wrong.
        calls: Generations.
        tokens_prompt: Prompt tokens, cached ones included.
        tokens_cached: Prompt tokens served from a cache.
        tokens_completion: Tokens written.
        money: US dollars.
        seconds: Wall-clock time of the run.
        notes: What the method has to show besides.
        findings: Failure modes found in its trace; None where the run was not diagnosed.
    """

    system: str
    task: str
    stratum: str = ""
    prompt: str = ""
    reference: str = ""
    answer: str = ""
    correct: bool = False
    value: float = 0.0
    reason: str = ""
    facts: dict[str, bool | float] = {}
    unparsed: bool = False
    limited: bool = False
    ended: str = ""
    blocked: dict[str, int] = {}
    error: str = ""
    calls: int = 0
    tokens_prompt: int = 0
    tokens_cached: int = 0
    tokens_completion: int = 0
    money: float = 0.0
    seconds: float = 0.0
    notes: dict[str, Any] = {}
    findings: tuple[Finding, ...] | None = None

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.tokens_prompt + self.tokens_completion


class FactRow(msgspec.Struct, frozen=True):
    """A further judgement, added up over the questions that have it.

    Attributes:
        n: Questions on which it was judged.
        yes: How many of them it holds for; None where it is a number.
        mean: The share of them, or the mean of the numbers.
        ci_low: Lower end of the 95% interval: Wilson's for a share, the bootstrap's for a mean.
        ci_high: Upper end.
    """

    n: int
    yes: int | None
    mean: float
    ci_low: float
    ci_high: float


class SystemRow(msgspec.Struct, frozen=True, kw_only=True):
    """One system in a report; counts and tokens are totals over its ``n`` questions.

    ``modes`` counts, by code, the runs in which each failure mode was found, of those that were
    ``diagnosed``. ``self_tested`` counts the answers that passed every test their own system wrote,
    and ``self_tested_correct`` those of them that are right: what self-written tests are worth.
    ``facts`` holds what was judged besides, such as attack success, by name.
    ``blocked`` counts, by call and reason, the calls that the policy did not let through.
    """

    name: str
    paper: str | None
    parameters: dict[str, Any]
    n: int
    correct: int
    accuracy: float
    ci_low: float
    ci_high: float
    tokens_prompt: int
    tokens_cached: int
    tokens_completion: int
    tokens_per_task: float
    calls: int
    seconds: float
    money: float
    unparsed: int
    limited: int
    errors: int
    strata: dict[str, tuple[int, int]] = {}
    diagnosed: int = 0
    modes: dict[str, int] = {}
    self_tested: int = 0
    self_tested_correct: int = 0
    facts: dict[str, FactRow] = {}
    blocked: dict[str, int] = {}


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two systems on the same questions: accuracy of a minus accuracy of b.

    Attributes:
        test: How ``p`` was computed ("exact McNemar" or "paired bootstrap").
        only_a: Questions only ``a`` got right.
        only_b: Questions only ``b`` got right.
        ci_low: Lower end of the 95% paired-bootstrap interval of the difference.
        ci_high: Upper end.
    """

    a: str
    b: str
    test: Literal["exact McNemar", "paired bootstrap"]
    p: float
    difference: float
    ci_low: float
    ci_high: float
    only_a: int
    only_b: int


class Debates(msgspec.Struct, frozen=True, kw_only=True):
    """How answers changed over the rounds of a system's debates, all together.

    Attributes:
        debates: How many debates these are (those that came to their last round).
        correct_to_wrong: Agents that were right in a round and not in the next.
        wrong_to_correct: Agents that were not right in a round and right in the next.
        agreement: Per round, the mean share of agents that gave the winning answer.
        vote_correct: Per round, debates whose vote would have been right had they ended there.
        oracle_gap: Debates in which some agent was right at some time but the final vote was not.
        unsafe: Per round, replies that gave the secret away (attacks only).
    """

    debates: int
    correct_to_wrong: int = 0
    wrong_to_correct: int = 0
    agreement: tuple[float, ...] = ()
    vote_correct: tuple[int, ...] = ()
    oracle_gap: int = 0
    unsafe: tuple[tuple[int, int], ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison, complete enough to be read, ranked and repeated.

    Attributes:
        ranking: Names from best to worst, or None when spends differ too much to rank fairly.
        verdict: One or two plain sentences on what the comparison says, or why it ranks nothing.
        spend_factor: Largest spend over smallest, in tokens per task.
        controls: Floors such as {"majority": 0.25}: what no method at all would score.
        exact: Whether the embedded engine served one request at a time (bit-identical reruns).
        debates: What happened to answers round by round, for every system that debates; for
            attacks, how many replies of each round were unsafe.
        policy: What the agents were allowed to do; None: everything.
        schedule: What the scheduler did to the model calls of this run, when there was one.
        outcomes: Every outcome, in the order of systems and questions.
    """

    run: str
    created: str
    command: str
    benchmark: str
    split: str
    source: str
    fingerprint: str
    model: str
    roles: dict[str, str]
    seed: int
    limit: int | None
    budget: int | None
    exact: bool
    systems: tuple[SystemRow, ...]
    pairs: tuple[Pair, ...]
    controls: dict[str, float]
    ranking: tuple[str, ...] | None
    verdict: str
    spend_factor: float
    curve: bool
    machine: str
    version: str
    seconds: float
    debates: dict[str, Debates] = {}
    policy: Policy | None = None
    schedule: ScheduleReport | None = None
    outcomes: tuple[Outcome, ...] = ()

    def _repr_html_(self) -> str:
        from collegium.bench.html import report_snippet

        return report_snippet(self)
