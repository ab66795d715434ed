"""The paper's base project, and mutants of it."""

from pathlib import Path

import pytest

from collegium.guard.doctor import Report, scan
from collegium.guard.doctor.detectors.als import stop_strings
from collegium.guard.doctor.scan import graph


def found(report: Report, kind: str) -> dict[str, str]:
    """Messages of the findings of a type, by symbol."""
    return {f.symbol: f.message for f in report.findings if f.type == kind}


def change(project: Path, file: str, old: str, new: str) -> None:
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.must_show("agentable", 1)
def test_the_base_project(seed: Path):
    report = scan(seed)
    assert len(report.roles.tools) == 5
    assert report.roles.agents == ("Agent",)
    assert report.roles.llms == ("ChatLLM",)
    stops = {v.text for v in stop_strings(graph(seed))}
    assert stops == {"\nObservation:", "\n\tObservation:"}
    assert found(report, "ALS") == {}
    assert found(report, "TRE") == {}
    told = found(report, "IETI")
    assert set(told) == {"GoogleSearchTool", "SerpAPITool", "SearxSearchTool"}
    assert "same name 'Google Search'" in told["SerpAPITool"]
    assert "same name" not in told["SearxSearchTool"]
    assert all("same description, white space aside" in m for m in told.values())
    assert list(found(report, "MNFT")) == ["Agent.run"]
    assert "handles an error" in found(report, "MNFT")["Agent.run"]
    parsed = [f for f in report.findings if f.type == "LOPE" and f.symbol == "Agent._parse"]
    assert "raises ValueError" in parsed[0].message
    assert [h.says for h in parsed[0].evidence][:2] == [
        "Agent.decide_next_action asks the model",
        "passes it to Agent._parse",
    ]
    assert "OPENAI_API_KEY" in found(report, "LARD")["ChatLLM"]
    needs = found(report, "EPDD")
    assert "not declared" in needs["bs4"]
    assert "ChatCompletion" in needs["openai"]
    assert "all requirements have no upper end" in needs["requirements.txt"]


@pytest.mark.must_show("agentable", 2)
def test_a_stop_string_that_tool_names_contain(seed: Path):
    change(
        seed,
        "llm_agents/agent.py",
        'OBSERVATION_TOKEN = "Observation:"',
        'OBSERVATION_TOKEN = "Search"',
    )
    flagged = found(scan(seed), "ALS")
    assert set(flagged) == {"GoogleSearchTool", "SerpAPITool", "SearxSearchTool"}


@pytest.mark.must_show("agentable", 2)
def test_a_stop_string_behind_two_variables(seed: Path):
    hidden = 'FIRST = "Sea" + "rch"\nSECOND = FIRST\nOBSERVATION_TOKEN = SECOND'
    change(seed, "llm_agents/agent.py", 'OBSERVATION_TOKEN = "Observation:"', hidden)
    report = scan(seed)
    assert set(found(report, "ALS")) == {"GoogleSearchTool", "SerpAPITool", "SearxSearchTool"}
    path = next(f for f in report.findings if f.type == "ALS").evidence
    assert any("FIRST" in h.says for h in path)
    assert any("SECOND" in h.says for h in path)


@pytest.mark.must_show("agentable", 2)
def test_circular_definitions_end(seed: Path):
    circle = "FIRST = OBSERVATION_TOKEN\nSECOND = FIRST\nOBSERVATION_TOKEN = SECOND"
    change(seed, "llm_agents/agent.py", 'OBSERVATION_TOKEN = "Observation:"', circle)
    assert found(scan(seed), "ALS") == {}


@pytest.mark.must_show("agentable", 3)
def test_a_lost_return(seed: Path):
    change(
        seed, "llm_agents/tools/searx.py",
        "        return search(input_text)\n", "        search(input_text)\n",
    )  # fmt: skip
    assert list(found(scan(seed), "TRE")) == ["SearxSearchTool"]


@pytest.mark.must_show("agentable", 3)
def test_a_constructor_needs_no_return(seed: Path):
    change(
        seed, "llm_agents/tools/searx.py",
        "    def use(self", "    def __init__(self):\n        self.count = 0\n\n    def use(self",
    )  # fmt: skip
    assert found(scan(seed), "TRE") == {}
