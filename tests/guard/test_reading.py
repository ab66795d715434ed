"""Policy files: what is read, and what the messages say of the rest."""

import json
from pathlib import Path

import msgspec
import pytest

from collegium.errors import PolicyError
from collegium.guard import Loops, Policy, Rule, load_policy, parse_policy
from collegium.guard.schema import FILE, editor_schema, text

GOOD = """\
# who may be paid
default: block
tools:
  send_money:
    - effect: forbid
      when: {recipient: {pattern: "^SE"}}
    - effect: allow
      priority: 2
      when:
        amount: {maximum: 100}
  "@send": [{effect: allow}]
limits: {tokens: 1000, tools: {send_money: 2}}
loops: {}
specs:
  - name: read first
    formula: "!pay U read"
    labels:
      pay: {tool: send_money, when: {amount: {minimum: 1}}}
      read: {tool: "read_*"}
"""


def test_a_policy_file() -> None:
    policy = parse_policy(GOOD)
    first, second = policy.tools["send_money"]
    assert first == Rule(effect="forbid", when={"recipient": {"pattern": "^SE"}})
    assert second == Rule(effect="allow", priority=2, when={"amount": {"maximum": 100}})
    assert policy.tools["@send"] == (Rule(effect="allow"),)
    assert policy.limits.tokens == 1000 and policy.limits.tools == {"send_money": 2}
    assert policy.loops == Loops()
    assert policy.specs[0].labels["pay"].when == {"amount": {"minimum": 1}}


def test_json_is_read_too_and_gives_the_same(tmp_path: Path) -> None:
    policy = parse_policy(GOOD)
    encoded = msgspec.json.encode(policy)
    file = tmp_path / "policy.json"
    file.write_bytes(encoded)
    assert load_policy(file) == policy
    file.write_text(json.dumps(json.loads(encoded), indent="\t"))  # YAML takes no tabs
    assert load_policy(file) == policy


def test_an_empty_policy_allows_nothing() -> None:
    assert parse_policy("# nothing yet\n") == Policy()


def test_words_are_texts_unless_json_says_otherwise() -> None:
    policy = parse_policy(
        "tools:\n  t:\n    - {effect: allow, when: {x: {enum: "
        "[no, On, 2024-01-31, 0123, 1:30, .5, 12, 1.5e3, true, null, '7']}}}\n"
    )
    assert policy.tools["t"][0].when["x"] == {
        "enum": ["no", "On", "2024-01-31", "0123", "1:30", ".5", 12, 1500.0, True, None, "7"]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("pattern:", "patern:", "line 6, tool 'send_money', rule 1: argument 'recipient'"),
        ("pattern:", "patern:", "did you mean 'pattern'"),
        ('"^SE"', '"^SE("', "line 6, tool 'send_money', rule 1: argument 'recipient'"),
        ('{pattern: "^SE"}', "^SE", "write {pattern: ...}"),
        ("effect: forbid", "effect: deny", "line 5, tool 'send_money', rule 1, effect"),
        ("effect: forbid", "efect: forbid", "did you mean 'effect'"),
        ("effect: forbid", "when: {}", "'when' is given twice"),
        ("priority: 2", "priority: two", "line 8, tool 'send_money', rule 2, priority"),
        ("maximum: 100", "maximum: ten", "line 10, tool 'send_money', rule 2: argument 'amount'"),
        ("[{effect: allow}]", "allow", "line 11, tool '@send': expected a list of rules"),
        ("limits:", "limit:", "line 12, limit: unknown key 'limit'; did you mean 'limits'"),
        ("tokens: 1000", "tokens: 0", "line 12, limits"),
        ("tokens: 1000", "tokns: 1", "line 12, limits"),
        ("loops: {}", "loops: {repeats: many}", "line 13, loops"),
        ("default: block", "default: maybe", "line 2, default"),
        ("default: block", "default: block\ndefault: allow", "line 3: 'default' is given twice"),
        ("  - name", "  - nmae", "line 15, specification 1"),
        ("{minimum: 1}", "{min: 1}", "line 18, specification 1: argument 'amount'"),
        ("- effect: forbid", "- &a\n      effect: forbid", "line 5: a policy has no anchors"),
        ('"^SE"', "!!python/name:os.system x", "line 6: a policy has no tags"),
        ("tools:\n", "tools:\n\tx", "line 4: found character"),
        (GOOD, "[]", "a policy is a mapping"),
        (GOOD, '{"tools": {}, "tools": {}}', "'tools' is given twice"),
        (GOOD, '{"tools": {"a": [{"effect": "allow", "when": {"x": {"const": NaN}}}]}}', "NaN"),
        (GOOD, "[" * 400, "nested too deep"),
        (GOOD, "{" * 400, "nested too deep"),
        (GOOD, "{", "line 1"),
    ],
)
def test_a_mistake_is_named_with_its_place(before: str, after: str, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(GOOD.replace(before, after, 1), "my.yaml")
    assert said in str(caught.value) and "my.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot read the policy"):
        load_policy(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"# \xff")
    with pytest.raises(PolicyError, match="not UTF-8"):
        load_policy(tmp_path / "latin.yaml")
    (tmp_path / "huge.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(PolicyError, match="at most"):
        load_policy(tmp_path / "huge.yaml")


def test_the_schema_for_editors_is_up_to_date() -> None:
    assert FILE.read_text() == text(), "renew it with: python -m collegium.guard.schema"


def test_the_schema_for_editors_takes_policies_and_finds_mistakes() -> None:
    import jsonschema_rs

    takes = jsonschema_rs.Draft202012Validator(editor_schema()).is_valid
    data = json.loads(msgspec.json.encode(parse_policy(GOOD)))
    assert takes(data)
    data["tools"]["send_money"][0]["when"]["recipient"] = {"patern": "^SE"}
    assert not takes(data)
    assert not takes({"tool": {}})


def test_a_formula_is_checked_when_the_file_is_read() -> None:
    text = 'specs:\n  - {name: order, formula: "!D W Q", labels: {D: {tool: "delete_*"}}}\n'
    with pytest.raises(PolicyError, match=r"line 2.*'?Q"):
        parse_policy(text)
    assert parse_policy(text.replace("W Q", "W D")).specs[0].name == "order"
