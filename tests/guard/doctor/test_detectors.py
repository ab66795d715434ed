"""Single rules, each with what it must see and what it must leave alone."""

import pytest

from collegium.bench.doctor_projects import BASES, HELD_OUT, base
from collegium.guard.doctor import scan_project
from collegium.guard.doctor.mutate import edited

TOOLS = """
class BaseTool:
    name = ""
    description = ""
    def run(self, text):
        raise NotImplementedError

class Lookup(BaseTool):
    name = "lookup"
    description = "Looks a word up."
    def run(self, text):
        return text.lower()
"""

LLM = """
from openai import OpenAI

class ChatLLM:
    def generate(self, prompt):
        client = OpenAI()
        asked = [{"role": "user", "content": prompt}]
        reply = client.chat.completions.create(model=MODEL, messages=asked)
        return reply.choices[0].message.content
"""


def rules(project, kind: str) -> list[tuple[str, str]]:
    return [(f.rule, f.symbol) for f in scan_project(project).findings if f.type == kind]


@pytest.mark.parametrize("name", [*BASES, *HELD_OUT])
def test_clean_projects_are_clean(name: str):
    report = scan_project(base(name))
    assert report.findings == ()
    assert report.roles.tools


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ('"gpt-4o"', []),
        ('"text-embedding-" + "3-large"', [("not-a-chat-model", "ChatLLM")]),
        ('"bigcode/starcoder2-15b"', [("not-a-chat-model", "ChatLLM")]),
        ('""', [("empty-model", "ChatLLM")]),
        ("None", [("empty-model", "ChatLLM")]),
        ("undefined_here()", []),
    ],
)
def test_models(code, model: str, wanted: list):
    assert rules(code(llm=LLM + f"\nMODEL = {model}\n"), "ADAL") == wanted


def test_a_model_that_no_table_knows_is_a_question(code):
    report = scan_project(code(llm=LLM + '\nMODEL = "acme/nightingale-7b"\n'))
    assert [q.finding.type for q in report.unknown if "nightingale" in q.ask] == ["ADAL"]


def test_a_handler_that_takes_another_error_is_none(code):
    agent = """
import json
from llm import ChatLLM

class TalkAgent:
    def __init__(self, llm: ChatLLM):
        self.llm = llm

    def step(self, prompt):
        text = self.llm.generate(prompt)
        try:
            return json.loads(text)
        except {error}:
            return {{}}
"""
    files = {"llm": LLM + '\nMODEL = "gpt-4o"\n'}
    assert rules(code(**files, agent=agent.format(error="ValueError")), "LOPE") == []
    assert rules(code(**files, agent=agent.format(error="Exception")), "LOPE") == []
    assert rules(code(**files, agent=agent.format(error="KeyError")), "LOPE") == [
        ("unhandled-output", "TalkAgent.step")
    ]


def test_a_caller_may_handle_what_a_tool_raises(code):
    agent = """
from tools import BaseTool, Lookup

class TalkAgent:
    tools: dict[str, BaseTool]

    def act(self, name, text):
        if name not in self.tools:
            return "no such tool"
        return self.tools[name].run(text)

    def step(self, name, text):
        {body}
"""
    safe = (
        "try:\n            return self.act(name, text)\n"
        "        except Exception:\n            return 'failed'"
    )
    assert rules(code(tools=TOOLS, agent=agent.format(body=safe)), "MNFT") == []
    bare = "return self.act(name, text)"
    assert rules(code(tools=TOOLS, agent=agent.format(body=bare)), "MNFT") == [
        ("no-error-handling", "TalkAgent.act")
    ]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("openai>=1.0,<2", []),
        ("openai<1", [("missing-attribute", "openai")]),
        ("openai>=1.0", [("unbounded", "requirements.txt")]),
        ("openai>=2,<1", [("unsatisfiable", "openai")]),
        ("requests==2.31.0", [("undeclared", "openai")]),
    ],
)
def test_dependencies(code, line: str, wanted: list):
    project = code(manifest=line + "\n", llm=LLM + '\nMODEL = "gpt-4o"\n')
    assert rules(project, "EPDD") == wanted


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("messages=messages,", "", "missing-messages"),
        ("messages=messages,", "messages=[],", "empty-messages"),
        ("max_tokens=800,", "", "missing-max_tokens"),
        ('os.environ["ANTHROPIC_API_KEY"]', '""', "empty-key"),
    ],
)
def test_api_calls(old: str, new: str, wanted: str):
    project = base("courier")
    text = project.sources["courier/model.py"]
    assert old in text
    changed = edited(project, {"courier/model.py": text.replace(old, new)})
    assert [rule for rule, _ in rules(changed, "LARD")] == [wanted]


def test_a_described_argument_that_is_not_there(code):
    source = '''
from kit import tool

@tool
def weigh(item: str) -> str:
    """Weigh an item.

    Args:
        item: What to weigh.
        unit: In which unit.
    """
    return item
'''
    assert rules(code(tools=source), "IETI") == [("unknown-argument", "weigh")]


def test_every_finding_has_a_line_a_path_and_a_hint(seed):
    from collegium.guard.doctor import scan

    for finding in scan(seed).findings:
        assert finding.line >= 1
        assert finding.evidence
        assert finding.hint
        for hop in finding.evidence:
            assert (seed / hop.file).is_file()
            assert 1 <= hop.line <= len((seed / hop.file).read_text().splitlines())
