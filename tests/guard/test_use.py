"""Runs and comparisons under a policy, from Python and from the command line."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

import collegium as co
from collegium.bench.compare import plan
from collegium.bench.records import Report
from collegium.bench.summary import blocked_calls
from collegium.errors import BadInput, Blocked, PolicyError
from collegium.guard import Budget, Label, Policy, Rule, SpecEntry, interceptors, run_limits
from collegium.guard.use import holds_at
from collegium.kernel import Limits, RunStore, Send, UseTool, tool
from tests.cli.shell import ROOT, Shell, script

DENY = "tools: {}\n"
MAD = Policy(tools={"@send": (Rule(effect="allow", when={"to": {"const": "debater-1"}}),)})


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.csv"
    file.write_text("question,answer\nWhat is 6 times 7?,42\nWhat is 1 times 42?,42\n")
    return file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path


async def test_a_run_under_a_policy(home: Path) -> None:
    file = home / "policy.yaml"
    file.write_text(DENY)
    options: dict[str, Any] = {"model": script(), "seed": 3, "store": home / "runs.db"}
    free = await co.arun("mad", "2 + 2?", **options)
    held = await co.arun("mad", "2 + 2?", policy=file, **options)
    assert free.blocked == () and not free.limited
    assert len(held.blocked) >= 1 and held.blocked[0].call == "@send"
    assert "the policy has no rules for it" in held.limited
    assert held.calls == 3  # the first round was paid for; the second never came
    again = await co.arun("mad", "2 + 2?", policy=Policy(default="allow"), **options)
    assert again.answer == free.answer and again.blocked == ()


async def test_the_policy_of_a_run_is_kept_in_the_store(home: Path) -> None:
    store = RunStore(home / "runs.db")
    done = await co.arun("direct", "2 + 2?", model=script(), seed=1, policy=MAD, store=store)
    spec = store.run(done.id).spec
    assert msgspec.convert(spec["policy"], Policy) == MAD
    store.close()


def test_the_lower_limit_holds() -> None:
    policy = Policy(limits=Budget(tokens=100, seconds=2.5))
    assert run_limits(policy, Limits(tokens=50)) == Limits(tokens=50, seconds=2.5)
    assert run_limits(policy, Limits(tokens=500, calls=3)) == Limits(100, 3, 2.5)


async def test_limits_of_the_policy_end_a_run(home: Path) -> None:
    policy = Policy(default="allow", limits=Budget(calls=4))
    done = await co.arun(
        "mad", "2 + 2?", model=script(), seed=3, policy=policy, store=home / "runs.db"
    )
    assert done.calls <= 4 and "limit of 4 generations" in done.limited


async def test_a_comparison_holds_every_system_to_the_policy(home: Path, questions: Path) -> None:
    report = await co.acompare(
        ["direct", "mad"], on=str(questions), model=script(), policy=Policy(), workers=2,
        store=home / "runs.db",
    )  # fmt: skip
    direct, mad = report.systems
    assert direct.blocked == {} and direct.errors == mad.errors == 0
    assert mad.blocked["@send: the policy has no rules for it, so it is not allowed."] >= 2
    assert mad.limited == 2
    ended = [o.ended for o in report.outcomes if o.system == "mad"]
    assert all(e.startswith("the policy blocked @send") for e in ended)
    assert report.policy == Policy()
    again = msgspec.json.decode(msgspec.json.encode(report), type=Report)
    assert again.policy == report.policy
    assert [r.blocked for r in again.systems] == [r.blocked for r in report.systems]
    said = blocked_calls(mad.blocked)
    assert said.startswith("the policy blocked ") and "@send" in said


def test_the_policy_is_part_of_what_is_compared(questions: Path) -> None:
    def key(policy: Policy | None) -> str:
        return plan(["direct"], on=str(questions), model=script(), policy=policy).key

    assert len({key(None), key(Policy()), key(MAD), key(MAD)}) == 3


def test_a_broken_policy_is_refused_before_anything_is_paid_for(questions: Path) -> None:
    broken = Policy(tools={"t": (Rule(effect="allow", when={"x": {"pattern": "("}}),)})
    with pytest.raises(PolicyError, match="tool 't', rule 1, argument 'x'"):
        plan(["direct"], on=str(questions), policy=broken)


def test_specifications_go_to_their_checker_or_are_refused() -> None:
    policy = Policy(specs=(SpecEntry(name="s", formula="G !p", labels={}),))
    try:
        from collegium.guard.ltl import spec_guard  # noqa: F401  # pyright: ignore
    except ImportError:
        with pytest.raises(PolicyError, match="specs"):
            interceptors(policy)
    else:
        with pytest.raises(BadInput):  # p has no meaning: there is no label of that name
            interceptors(policy)


def test_what_a_label_means() -> None:
    @tool
    def pay(amount: float, to: str = "bank") -> str:
        """Pay."""
        return ""

    large = Label(tool="pa*", when={"amount": {"minimum": 100}, "to": {"const": "bank"}})
    holds = holds_at(large, {"pay": pay})
    assert holds(UseTool(agent="a", tool="pay", arguments={"amount": "150"}))
    assert not holds(UseTool(agent="a", tool="pay", arguments={"amount": 50}))
    assert not holds(UseTool(agent="a", tool="read", arguments={"amount": 150, "to": "bank"}))
    sent = holds_at(Label(tool="@send", when={"to": {"const": "bob"}}), {})
    assert sent(Send(agent="a", to="bob", text="x")) and not sent(Send(agent="a", to="c", text="x"))
    with pytest.raises(Blocked, match="cannot be checked"):
        holds(UseTool(agent="a", tool="pay", arguments={"amount": float("nan")}))


async def test_concurrent_runs_do_not_share_what_they_count(home: Path) -> None:
    policy = Policy(
        tools={"@send": (Rule(effect="allow"),)}, default="allow", limits=Budget(tools={"*": 1})
    )
    runs = await asyncio.gather(
        *(
            co.arun("mad", "2 + 2?", model=script(), seed=s, policy=policy, store=home / f"{s}.db")
            for s in range(3)
        )
    )
    assert [r.blocked for r in runs] == [()] * 3


# -- the command line -----------------------------------------------------------------------------

POLICY = """\
tools:
  send_money:
    - {effect: forbid, when: {recipient: {pattern: "^SE"}}, why: not to Sweden}
    - {effect: allow, priority: 2, when: {amount: {maximum: 100}}}
"""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


def test_run_says_what_was_blocked_and_why(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "deny.yaml").write_text(DENY)
    words = ("run", "mad", "2 + 2?", "--model", script(), "--seed", 3, "--policy", "deny.yaml")
    done = shell(*words)
    assert done.returncode == 0, done.stderr
    assert "Ended early: the policy blocked @send" in done.stdout
    assert "The policy blocked 1 call: 1 × @send: the policy has no rules for it" in done.stdout
    data = shell.json(*words)
    assert data["blocked"][0]["call"] == "@send" and data["policy_changes"] == []


def test_compare_says_what_was_blocked_and_why(
    shell: Shell, tmp_path: Path, questions: Path
) -> None:
    (tmp_path / "deny.yaml").write_text(DENY)
    done = shell("compare", "direct", "mad", "--on", questions.name, "--model", script(),
                 "--policy", "deny.yaml", "--out", "out")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "mad: the policy blocked 2 calls: 2 × @send" in done.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert "the policy blocked 2 calls" in page


@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_policy_with_a_mistake_is_one_line_and_exit_code_2(
    shell: Shell, tmp_path: Path, questions: Path, command: str
) -> None:
    (tmp_path / "bad.yaml").write_text("tools:\n  t: allow\n")
    rest = ("direct", "2 + 2?") if command == "run" else ("direct", "--on", questions.name)
    done = shell(command, *rest, "--model", script(), "--policy", "bad.yaml")
    assert done.returncode == 2
    assert done.stderr.strip().startswith("error: bad.yaml, line 2, tool 't': expected a list")
    assert shell.calls == 0


def test_check(shell: Shell, policy_file: Path) -> None:
    done = shell("guard", "check", policy_file)
    assert done.returncode == 0, done.stderr
    assert "2 rules for 1 tools" in done.stdout
    assert shell.json("guard", "check", policy_file)["rules"] == 2
    policy_file.write_text(POLICY.replace("maximum", "maximun"))
    done = shell("guard", "check", policy_file)
    assert done.returncode == 2 and "line 4" in done.stderr and "did you mean" in done.stderr


def test_explain(shell: Shell, policy_file: Path) -> None:
    def told(**arguments: Any) -> dict[str, Any]:
        return shell.json("guard", "explain", policy_file, f"send_money {json.dumps(arguments)}")

    good = told(recipient="UK1", amount=50)
    assert (good["allowed"], good["rule"]) == (True, 2)
    sweden = told(recipient="SE1", amount=10)
    assert (sweden["allowed"], sweden["rule"]) == (False, 1) and "not to Sweden" in sweden["reason"]
    much = told(recipient="UK1", amount=500)
    assert (much["allowed"], much["rule"], much["fallback"]) == (False, 0, "message")
    assert [r["conditions"] for r in much["rules"]] == [{"recipient": "fails"}, {"amount": "fails"}]
    assert told(amount=5)["rules"][0]["conditions"] == {"recipient": "missing"}
    shown = shell("guard", "explain", policy_file, 'send_money {"amount": 5}').stdout
    assert "rule 2: allow, priority 2: it decides" in shown and "left out, which fails" in shown
    assert "There are no rules for read" in shell("guard", "explain", policy_file, "read").stdout
    for wrong in ("send_money [1]", "send_money {x", ""):
        assert shell("guard", "explain", policy_file, wrong).returncode == 2


def test_schema(shell: Shell) -> None:
    assert "Policy" in json.loads(shell("guard", "schema").stdout)["$defs"]


WRITER = """
import json

def rules(request):
    condition = {"enum": ["ann@co.com", "eve@evil.com"]}
    restriction = {"argument": "to", "condition": condition}
    return json.dumps({"answer": [{"name": "send_email", "restrictions": [restriction]}]})
"""
TOOLS = [
    {
        "name": "send_email",
        "description": "Send an e-mail.",
        "parameters": {"type": "object", "properties": {"to": {"type": "string"}}},
    }
]


def test_generate(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "writer.py").write_text(WRITER)
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS))
    words = ("guard", "generate", "Mail the plan to ann@co.com.", "--tools", "tools.json",
             "--model", "script:writer.py:rules")  # fmt: skip
    done = shell(*words)
    assert done.returncode == 0, done.stderr
    assert 'send_email, to: "ann@co.com" is named in the request' in done.stdout
    assert 'send_email, to: "eve@evil.com" is INVENTED BY THE MODEL' in done.stdout
    data = shell.json(*words)
    assert [v["source"] for v in data["provenance"]] == ["request", "model"]
    unconfirmed = shell(*words, "--out", "made.yaml")
    assert unconfirmed.returncode == 2 and not (tmp_path / "made.yaml").exists()
    assert shell(*words, "--out", "made.yaml", "--yes").returncode == 0
    text = (tmp_path / "made.yaml").read_text()
    assert "#   Mail the plan to ann@co.com." in text
    assert '#   send_email, to: "eve@evil.com" is INVENTED BY THE MODEL' in text
    checked = shell.json("guard", "check", "made.yaml", "--tools", "tools.json")
    assert (checked["rules"], checked["findings"]) == (1, [])
    call = 'send_email {"to": "ann@co.com"}'
    assert shell.json("guard", "explain", "made.yaml", call)["allowed"]
    assert not shell.json("guard", "explain", "made.yaml", 'send_email {"to": "x"}')["allowed"]
    for tools in ("none.json", "writer.py"):
        wrong = shell("guard", "generate", "x", "--tools", tools)
        assert wrong.returncode == 2 and "tools" in wrong.stderr


LOOSE = """
import json

def rules(request):
    loose = {"argument": "to", "condition": {"pattern": "UK12345678901234567890"}}
    return json.dumps({"answer": [{"name": "send_email", "restrictions": [loose]}]})
"""


def test_generate_says_what_is_doubtful(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "loose.py").write_text(LOOSE)
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS))
    words = ("guard", "generate", "Mail UK12345678901234567890.", "--tools", "tools.json",
             "--model", "script:loose.py:rules")  # fmt: skip
    data = shell.json(*words)
    assert data["analysed"]
    assert any("unanchored" in f["kind"] or "pin" in f["message"] for f in data["findings"])
    (said,) = [f["message"] for f in data["findings"]]
    assert said in " ".join(shell(*words).stdout.split("\n"))


def test_generate_refuses_what_it_cannot_use(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "never.py").write_text("def rules(request):\n    return 'no'\n")
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS))
    (tmp_path / "twice.json").write_text(json.dumps(TOOLS * 2))
    (tmp_path / "none.json").write_text("[]")
    for request, tools, said in (
        ("x", "twice.json", "two tools are called 'send_email'"),
        ("x", "none.json", "there are no tools"),
        (" ", "tools.json", "the request is empty"),
        ("x", "tools.json", "no usable policy in 6 attempts"),
    ):
        done = shell("guard", "generate", request, "--tools", tools,
                     "--model", "script:never.py:rules")  # fmt: skip
        assert done.returncode == 2 and said in done.stderr
    done = shell("guard", "generate", "x", "--tools", "tools.json", "--out", "no/such/p.yaml",
                 "--yes", "--model", "script:never.py:rules")  # fmt: skip
    assert done.returncode == 2 and "there is no folder" in done.stderr


def test_a_request_cannot_write_into_the_file_beside_its_comment(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "mailer.py").write_text(WRITER)
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS))
    request = "Mail ann@co.com.\u2028default: allow\x85default: allow\rdefault: allow"
    done = shell("guard", "generate", request, "--tools", "tools.json", "--out", "made.yaml",
                 "--yes", "--model", "script:mailer.py:rules")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not shell.json("guard", "explain", "made.yaml", "other_tool")["allowed"]


def test_a_question_that_nobody_answers_does_not_keep_the_program(tmp_path: Path) -> None:
    """At a real terminal: the time-out passes, the call is blocked, and the program ends."""
    (tmp_path / "ask.yaml").write_text(
        'tools: {"@send": [{effect: forbid, fallback: ask}]}\nask: {seconds: 0.5}\n'
    )
    own, child = pty.openpty()
    command = [sys.executable, "-m", "collegium.cli", "run", "mad", "2 + 2?", "--model", script(),
               "--seed", "3", "--policy", "ask.yaml"]  # fmt: skip
    env = os.environ | {
        "COLLEGIUM_HOME": str(tmp_path), "CALLS": str(tmp_path / "calls"), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=tmp_path, env=env, stdin=child, capture_output=True, text=True, timeout=120
    )
    os.close(own), os.close(child)
    assert done.returncode == 0, done.stderr
    assert "Let it through, this once? [y/N]" in done.stdout
    assert "did not answer within 0.5 seconds" in done.stdout
    assert time.monotonic() - began < 100
