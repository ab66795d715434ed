"""The policy of the guide is a policy, and decides as the guide says."""

import re
from pathlib import Path
from typing import Any

import pytest

from collegium.guard import Compiled, parse_policy

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "guarding.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
LANDLORD = "UK12345678901234567890"
OTHER = "UK99999999999999999999"


@pytest.mark.parametrize(
    ("tool", "arguments", "allowed", "fallback"),
    [
        ("list_payments", {}, True, ""),
        ("read_file", {"path": "bills/may.txt"}, True, ""),
        ("read_file", {"path": "../bills/may.txt"}, False, "message"),
        ("read_file", {"path": ["bills/may.txt"]}, False, "message"),
        ("send_money", {"recipient": LANDLORD, "amount": 900}, True, ""),
        ("send_money", {"recipient": LANDLORD, "amount": 1001}, False, "terminate"),
        ("send_money", {"recipient": OTHER, "amount": 100}, True, ""),
        ("send_money", {"recipient": OTHER, "amount": 101}, False, "message"),
        ("send_money", {"recipient": f"x{OTHER}", "amount": 1}, False, "message"),
        ("change_standing_order", {"id": 1}, False, "ask"),
        ("delete_account", {}, False, "message"),
        ("@send", {"to": "a", "text": "b"}, True, ""),
        ("@remember", {"text": "b"}, False, "message"),
    ],
)
def test_the_example(tool: str, arguments: dict[str, Any], allowed: bool, fallback: str) -> None:
    decision = Compiled(parse_policy(BLOCKS[0])).decide(tool, arguments)
    assert decision.allowed == allowed
    if not allowed:
        assert decision.fallback == fallback


def test_the_other_examples_are_policies_too() -> None:
    assert len(BLOCKS) == 2
    assert parse_policy(BLOCKS[1]).tools["login"][0].update[0].tool == "delete_record"


def test_the_message_of_the_guide_is_the_one_that_agents_see() -> None:
    compiled = Compiled(parse_policy(BLOCKS[0]))
    reason = compiled.decide("send_money", {"recipient": OTHER, "amount": 101}).reason
    assert reason in " ".join(GUIDE.replace("\n> ", " ").split())
