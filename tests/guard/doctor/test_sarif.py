"""SARIF 2.1.0: the structure that its specification asks for (OASIS, sections 3.13 to 3.58)."""

import json
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from collegium.guard.doctor import KINDS, sarif, scan

LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {
                        "uri": {"type": "string", "pattern": "^[^/\\\\ ][^\\\\ ]*$"},
                        "uriBaseId": {"const": "PROJECT"},
                    },
                },
                "region": {
                    "type": "object",
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                    "required": ["startLine"],
                },
            },
        },
        "logicalLocations": {"type": "array"},
        "message": {"$ref": "#/$defs/message"},
    },
    "additionalProperties": False,
}
MESSAGE = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "required": ["ruleId", "message", "level", "locations"],
    "properties": {
        "ruleId": {"enum": list(KINDS)},
        "ruleIndex": {"type": "integer", "minimum": 0, "maximum": 7},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": {"$ref": "#/$defs/message"},
        "locations": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/location"}},
        "codeFlows": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["threadFlows"],
                "properties": {
                    "threadFlows": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["locations"],
                            "properties": {
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "required": ["location"],
                                        "properties": {"location": {"$ref": "#/$defs/location"}},
                                    },
                                }
                            },
                        },
                    }
                },
            },
        },
        "suppressions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["kind", "justification"],
                "properties": {
                    "kind": {"enum": ["inSource", "external"]},
                    "status": {"enum": ["accepted", "underReview", "rejected"]},
                    "justification": {"type": "string", "minLength": 1},
                },
                "additionalProperties": False,
            },
        },
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "properties": {"type": "object"},
    },
    "additionalProperties": False,
}
LOG = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {"location": LOCATION, "message": MESSAGE, "result": RESULT},
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {"driver": {"type": "object", "required": ["name", "rules"]}},
                    },
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                    "invocations": {
                        "type": "array",
                        "items": {"type": "object", "required": ["executionSuccessful"]},
                    },
                },
            },
        },
    },
    "additionalProperties": False,
}


@pytest.fixture
def validator():
    return jsonschema_rs.validator_for(LOG)


def test_a_report_is_valid_sarif(seed: Path, validator):
    (seed / "broken.py").write_text("def f(:\n")
    (seed / "doctor.toml").write_text('[[waive]]\ntype = "EPDD"\nreason = "a demonstration"\n')
    report = scan(seed)
    log = json.loads(msgspec.json.encode(sarif(report, "1")))
    validator.validate(log)
    (run,) = log["runs"]
    assert [r["id"] for r in run["tool"]["driver"]["rules"]] == list(KINDS)
    assert len(run["results"]) == len(report.findings)
    assert {r["ruleId"] for r in run["results"] if "suppressions" in r} == {"EPDD"}
    (skipped,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "syntax error" in skipped["message"]["text"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["codeFlows"]


def test_the_check_can_fail(seed: Path, validator):
    log = json.loads(msgspec.json.encode(sarif(scan(seed), "1")))
    del log["runs"][0]["results"][0]["message"]
    assert not validator.is_valid(log)


def test_fingerprints_do_not_move_with_lines(seed: Path):
    def prints() -> set[str]:
        results = sarif(scan(seed), "1")["runs"][0]["results"]
        return {r["partialFingerprints"]["doctor/v1"] for r in results}

    before = prints()
    file = seed / "llm_agents" / "agent.py"
    file.write_text("\n\n\n" + file.read_text())
    assert prints() == before
