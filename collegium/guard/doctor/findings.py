"""What the doctor reports: findings with the path that shows them, and questions left open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

Kind = Literal["ADAL", "IETI", "LOPE", "TRE", "ALS", "MNFT", "LARD", "EPDD"]
Verdict = Literal["yes", "no", "unknown"]

KINDS: tuple[Kind, ...] = get_args(Kind)

NAMES: dict[Kind, str] = {
    "ADAL": "adaptation defect between agent and LLM",
    "IETI": "insufficient external tool information",
    "LOPE": "LLM output parsing error",
    "TRE": "tool return error",
    "ALS": "action listener setting",
    "MNFT": "missing necessary fault tolerance",
    "LARD": "LLM-API-related defect",
    "EPDD": "external package dependency defect",
}


class Hop(msgspec.Struct, frozen=True):
    """One step of an evidence path.

    Attributes:
        file: Path inside the project.
        line: Line, from 1.
        says: What stands there and why it matters.
    """

    file: str
    line: int
    says: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A defect.

    Attributes:
        type: One of the eight types of the paper.
        rule: Which rule or question found it, such as "duplicate-name".
        file: Where, inside the project.
        line: Where, from 1.
        symbol: The tool, method, class or distribution it is about.
        message: What is wrong.
        hint: How to mend it.
        evidence: The path through the graph that shows it, from the first cause.
        llm_verdict: What a model said, when one was asked.
        waived: The written reason for leaving it as it is; "" when there is none.
    """

    type: Kind
    rule: str
    file: str
    line: int
    symbol: str
    message: str
    hint: str
    evidence: tuple[Hop, ...]
    llm_verdict: Verdict | None = None
    waived: str = ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What rules cannot decide: "unknown", until a model is asked.

    Attributes:
        finding: What is reported if the answer shows a defect.
        ask: A question to be answered with yes or no.
        code: The code that it is about.
        defect: The answer that shows the defect.
    """

    finding: Finding
    ask: str
    code: str
    defect: Verdict = "no"


class Skipped(msgspec.Struct, frozen=True):
    """A file that was not read, and why."""

    file: str
    reason: str


class Roles(msgspec.Struct, frozen=True):
    """What was recognised in a project, by symbol."""

    tools: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    llms: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan came to.

    Attributes:
        project: Name of the folder.
        files: How many files were read.
        roles: The tools, agents and LLMs that were recognised.
        findings: One for each (type, symbol), by file and line.
        unknown: Questions that no model has answered.
        skipped: Files that were left out.
    """

    project: str
    files: int
    roles: Roles
    findings: tuple[Finding, ...]
    unknown: tuple[Question, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def unexplained(self) -> tuple[Finding, ...]:
        """Findings that nobody has waived with a reason."""
        return tuple(f for f in self.findings if not f.waived)


def one_per_symbol(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Join findings of one type about one symbol of one file, and sort them.

    The first one's rule and line stand; what the others say is added to its message and path.
    """
    joined: dict[tuple[str, str, str], Finding] = {}
    for finding in sorted(findings, key=lambda f: (f.file, f.line, f.type, f.symbol)):
        key = (finding.type, finding.file, finding.symbol)
        first = joined.get(key)
        if first is None:
            joined[key] = finding
        elif finding.message not in first.message:
            hint = first.hint if finding.hint in first.hint else f"{first.hint} {finding.hint}"
            joined[key] = msgspec.structs.replace(
                first,
                message=f"{first.message} Also: {finding.message}",
                hint=hint,
                evidence=(
                    *first.evidence,
                    *(h for h in finding.evidence if h not in first.evidence),
                ),
                llm_verdict=first.llm_verdict or finding.llm_verdict,
            )
    return tuple(joined.values())
