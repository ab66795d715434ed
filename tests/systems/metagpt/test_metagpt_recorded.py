"""The company on real text: replies of the embedded model, recorded once and replayed."""

import json
from collections.abc import Callable

import msgspec

from collegium.kernel import Generate, Kernel, UseTool
from collegium.models.model import Model
from collegium.systems import get_system
from collegium.systems.metagpt.documents import PRD, Design, Tasks
from collegium.systems.solve import solve
from collegium.tasks.task import Task


async def test_a_company_of_the_embedded_model(recorded: Callable[[str], Model]) -> None:
    kernel = Kernel(recorded("local-small"), seed=11)
    system = get_system("metagpt")
    task = Task(id="tip", prompt="Make a tip calculator: from a bill and a percentage, the tip.")
    # Three rounds: three documents, each read by the next role.
    solved = await solve(system, task, kernel, system.bind({"n_round": 3}))
    result = solved.result
    assert not solved.limited
    prd = msgspec.json.decode(result.files["docs/prd.json"], type=PRD)
    assert "tip" in prd.project_name
    design = msgspec.json.decode(result.files["docs/system_design.json"], type=Design)
    tasks = msgspec.json.decode(result.files["docs/task.json"], type=Tasks)
    assert sorted(design.file_list) == sorted(tasks.task_list)
    assert {line[0] for line in tasks.logic_analysis} <= set(design.file_list)
    assert result.notes["design"]["classes"]
    assert result.notes["design"]["unread"] == 0
    causes = [m["cause_by"] for m in result.notes["messages"]]
    assert causes == ["UserRequirement", "WritePRD", "WriteDesign", "WriteTasks"]
    turns = [e for e in kernel.trace.events if isinstance(e.call, Generate)]
    assert all(e.call.schema for e in turns if isinstance(e.call, Generate))
    assert [e.outcome for e in turns] == ["ok", "ok", "ok"]  # the grammar leaves nothing to mend
    made_from = json.loads(result.files["dependencies.json"])
    assert made_from["docs/task.json"] == ["docs/system_design.json"]


async def test_a_function_of_the_embedded_model(recorded: Callable[[str], Model]) -> None:
    kernel = Kernel(recorded("local-small"), seed=11)
    system = get_system("metagpt")
    task = Task(
        id="vowels",
        prompt="Write a function that counts the vowels in a text.\n\nWrite it in Python. "
        "This test must pass:\n\n```python\nassert count_vowels('tree')==2\n```",
        answer="code",
        entry_point="count_vowels",
    )
    solved = await solve(system, task, kernel, system.bind({"code_review": 1, "test_rounds": 1}))
    result = solved.result
    assert "def count_vowels" in result.answer
    passed, total = (result.notes["self_tests"][k] for k in ("passed", "total"))
    assert 0 < passed <= total
    runs = [e.call for e in kernel.trace.events if isinstance(e.call, UseTool)]
    assert runs[0].arguments["tests"][0] == "assert count_vowels('tree') == 2"
    turns = [e for e in kernel.trace.events if isinstance(e.call, Generate)]
    assert [e.call.agent for e in turns][:2] == ["engineer", "engineer"]
