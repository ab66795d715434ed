"""How many transcripts kept to their temporal specification, by system of a comparison.

collegium compare direct cot react:form=free react pass --on gsm8k --limit 100 \
        --model local-small --budget 6000 --out out/ltl
python -m collegium.bench.spec_formats out/ltl/report.json --out results/ltl/local-small.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec

from collegium.bench.leaderboard import read_report
from collegium.bench.records import Outcome, Report
from collegium.bench.statistics import wilson
from collegium.errors import BadInput


class Formats(msgspec.Struct, frozen=True, kw_only=True):
    """One system: whether its transcripts kept to the specification, and what they cost.

    Attributes:
        name: The system.
        n: Questions.
        correct: Right answers.
        judged: Runs that ended by themselves and hold a verdict; 0 for a system without
            specification.
        valid: Of these, how many kept to it.
        ci_low: Lower end of the Wilson interval of ``valid / judged``; None without any.
        ci_high: Upper end.
        limited: Runs that a limit ended; they are judged neither way.
        calls: Generations of all runs.
        tokens: Tokens of all runs.
        corrected: Texts that were finished or replaced in place of the model.
        thrown_away: Tokens that were not kept.
    """

    name: str
    n: int
    correct: int
    judged: int
    valid: int
    ci_low: float | None
    ci_high: float | None
    limited: int
    calls: int
    tokens: int
    corrected: int
    thrown_away: int


def formats(report: Report) -> list[Formats]:
    """Count valid transcripts by system, in the report's order.

    Raises:
        BadInput: The report holds no outcomes.
    """
    if not report.outcomes:
        raise BadInput("formats need every outcome: take report.json of compare --out.")
    by_system: dict[str, list[Outcome]] = {}
    for outcome in report.outcomes:
        by_system.setdefault(outcome.system, []).append(outcome)
    return [_counted(name, outcomes) for name, outcomes in by_system.items()]


def _counted(name: str, outcomes: Sequence[Outcome]) -> Formats:
    whole = [o for o in outcomes if "format_valid" in o.notes and not (o.limited or o.error)]
    valid = sum(bool(o.notes["format_valid"]) for o in whole)
    low, high = wilson(valid, len(whole)) if whole else (None, None)
    return Formats(
        name=name,
        n=len(outcomes),
        correct=sum(o.correct for o in outcomes),
        judged=len(whole),
        valid=valid,
        ci_low=low,
        ci_high=high,
        limited=sum(o.limited for o in outcomes),
        calls=sum(o.calls for o in outcomes),
        tokens=sum(o.tokens for o in outcomes),
        corrected=sum(int(o.notes.get("corrected", 0)) for o in whole),
        thrown_away=sum(int(o.notes.get("thrown_away", 0)) for o in whole),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of a report and, if wished, write it."""
    parser = argparse.ArgumentParser(description="Count transcripts that kept to their spec.")
    parser.add_argument("report", type=Path, help="report.json of compare --out")
    parser.add_argument("--out", type=Path, help="file to write")
    given = parser.parse_args(arguments)
    report = read_report(given.report)
    rows = formats(report)
    for row in rows:
        share = f"{row.valid}/{row.judged} valid" if row.judged else "no specification"
        print(
            f"{row.name:24} {row.correct:3}/{row.n} right  {share:18} {row.limited:3} limited  "
            f"{row.calls:6,} calls  {row.tokens:9,} tokens"
        )
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "command": report.command,
            "benchmark": report.benchmark,
            "model": report.model,
            "seed": report.seed,
            "budget": report.budget,
            "machine": report.machine,
            "rows": rows,
        }
        given.out.write_bytes(msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")
        print(f"written to {given.out}")


if __name__ == "__main__":
    main()
