"""Reports as SARIF 2.1.0, which code hosts and editors show beside the code."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from collegium.guard.doctor.findings import KINDS, NAMES, Finding, Hop, Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
PAPER_URL = "https://arxiv.org/abs/2412.18371"


def sarif(report: Report, version: str) -> dict[str, Any]:
    """A report as a SARIF log.

    Args:
        report: From a scan.
        version: Of the doctor.

    Returns:
        The log as plain data. A finding's path through the graph is its code flow; a waived one is
        suppressed, with its reason; skipped files are notifications.
    """
    run = {
        "tool": {
            "driver": {
                "name": "collegium doctor",
                "version": version,
                "informationUri": PAPER_URL,
                "rules": [
                    {
                        "id": kind,
                        "name": kind,
                        "shortDescription": {"text": NAMES[kind]},
                        "helpUri": PAPER_URL,
                        "defaultConfiguration": {"level": "warning"},
                    }
                    for kind in KINDS
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"PROJECT": {"description": {"text": report.project}}},
        "results": [_result(f) for f in report.findings],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {
                        "level": "note",
                        "message": {"text": f"skipped: {s.reason}"},
                        "locations": [_location(Hop(s.file, 1, ""))],
                    }
                    for s in report.skipped
                ],
            }
        ],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding) -> dict[str, Any]:
    digest = blake2b(
        f"{finding.type}\0{finding.file}\0{finding.symbol}".encode(), digest_size=16
    ).hexdigest()
    made: dict[str, Any] = {
        "ruleId": finding.type,
        "ruleIndex": KINDS.index(finding.type),
        "level": "warning",
        "message": {"text": f"{finding.message} {finding.hint}"},
        "locations": [_location(Hop(finding.file, finding.line, ""), finding.symbol)],
        "partialFingerprints": {"doctor/v1": digest},
        "properties": {"rule": finding.rule, "symbol": finding.symbol},
    }
    path = [h for h in finding.evidence if h.file]
    if path:
        steps = [{"location": {**_location(h), "message": {"text": h.says}}} for h in path]
        made["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    if finding.llm_verdict is not None:
        made["properties"]["llmVerdict"] = finding.llm_verdict
    if finding.waived:
        made["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": finding.waived}
        ]
    return made


def _location(where: Hop, symbol: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": where.file.replace(" ", "%20"), "uriBaseId": "PROJECT"},
            "region": {"startLine": max(1, where.line)},
        }
    }
    if symbol:
        found["logicalLocations"] = [{"fullyQualifiedName": symbol}]
    return found
