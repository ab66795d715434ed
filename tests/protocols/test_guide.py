"""The guide to the bridges: its examples run as they stand, with models that are at hand."""

import re
from pathlib import Path

import pytest

from collegium.kernel import RunStore

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "bridges.md"


def example(number: int, model: str) -> str:
    """An example of the guide, with a scripted model and pydantic-ai's own model for tests."""
    code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[number]
    assert 'model="local"' in code
    return code.replace('"local"', repr(model)).replace('"openai:gpt-5-mini"', '"test"')


@pytest.mark.parametrize(
    ("number", "package", "protocol"),
    [(0, "langgraph", "langgraph"), (1, "pydantic_ai", "pydantic-ai")],
)
def test_the_examples_run(number, package, protocol, scripts, tmp_path, monkeypatch, capsys):
    pytest.importorskip(package)
    monkeypatch.setenv("COLLEGIUM_HOME", str(tmp_path))
    exec(compile(example(number, f"script:{scripts}:words"), str(GUIDE), "exec"), {"__name__": "x"})
    assert capsys.readouterr().out.strip()
    store = RunStore(tmp_path / "runs.db")
    (row,) = store.runs()
    store.close()
    assert row.status == "done" and row.spec["origin"]["protocol"] == protocol
