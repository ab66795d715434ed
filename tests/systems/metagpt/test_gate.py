"""The schema gate and bad input: what is asked for again, what is refused, what is never run."""

import json
from typing import Any

import pytest

from collegium.bench.jobs import Entry, run_job
from collegium.errors import BadInput, ModelError
from collegium.kernel import Kernel
from collegium.systems import get_system
from collegium.systems.metagpt import DocumentRejected
from collegium.tasks.task import Item, Score, Task
from tests.kernel.support import Scripted
from tests.systems.metagpt.script import (
    ALL_GOOD,
    BUILT,
    CODE_FREE,
    DESIGN,
    FULL_DESIGN,
    FULL_PRD,
    PRD,
    TASK,
    TASKS,
    TEST,
    Office,
    block,
    build,
    commands_of,
)

WRONG = [
    ("design", {**DESIGN, "File list": "main.py"}, DESIGN, "Expected `array`, got `str`"),
    ("design", {**DESIGN, "File list": ["../x.py"]}, DESIGN, "File list"),
    ("design", {**DESIGN, "File list": ["random.py"]}, DESIGN, "hides a module"),
    ("design", {k: v for k, v in DESIGN.items() if k != "File list"}, DESIGN, "File list"),
    (
        "tasks",
        {**TASKS, "Task list": ["game.py", "main.py"]},
        TASKS,
        "Invalid enum value 'game.py'",
    ),
    ("tasks", {**TASKS, "Task list": ["main.py"]}, TASKS, "of length >= 2"),
    ("tasks", {**TASKS, "Task list": ["main.py", "main.py"]}, TASKS, "'machine.py' of the design"),
    ("prd", {**PRD, "User Stories": []}, PRD, "User Stories"),
    ("prd", {**PRD, "Project Name": "tests"}, PRD, "the name of another folder"),
    ("prd", {**PRD, "Project Name": "My Game!"}, PRD, "Project Name"),
    ("prd", "I would rather chat.", PRD, "JSON"),
]


@pytest.mark.must_show("metagpt", 5)
@pytest.mark.parametrize(("step", "wrong", "right", "why"), WRONG)
async def test_a_document_that_does_not_fit_is_asked_for_once_more(
    step: str, wrong: Any, right: Any, why: str
) -> None:
    office = Office({**BUILT, step: wrong, "mend": right})
    solved, _ = await build(office, **CODE_FREE)
    steps = ["prd", "design", "tasks", "code machine.py", "code main.py"]
    at = steps.index(step)
    assert office.steps == [*steps[: at + 1], "mend", *steps[at + 1 :]]
    assert why in office.prompts[at + 1]
    assert solved.result.files["docs/task.json"]


@pytest.mark.must_show("metagpt", 5)
@pytest.mark.parametrize(("step", "wrong", "right", "why"), WRONG)
async def test_a_document_that_does_not_fit_twice_is_a_typed_failure(
    step: str, wrong: Any, right: Any, why: str
) -> None:
    office = Office({**BUILT, step: wrong, "mend": wrong})
    with pytest.raises(DocumentRejected, match="was refused twice") as failure:
        await build(office, **CODE_FREE)
    assert office.steps[-2:] == [step, "mend"]
    # A comparison notes it as the error of this question and goes on.
    assert isinstance(failure.value, ModelError)
    assert not isinstance(failure.value, BadInput)


@pytest.mark.must_show("metagpt", 5)
@pytest.mark.parametrize("form", ["full", "text"])
async def test_the_gate_of_the_whole_schemas(form: str) -> None:
    def tagged(data: Any) -> Any:
        return f"[CONTENT]\n{json.dumps(data)}\n[/CONTENT]" if form == "text" else data

    office = Office(
        {
            "prd": [tagged({**FULL_PRD, "Requirement Pool": [["P7", "add"]]}), tagged(FULL_PRD)],
            "design": tagged({**FULL_DESIGN, "File list": "main.py"}),
            "mend": [tagged(FULL_PRD), tagged({**FULL_DESIGN, "File list": ["notes.txt"]})],
        }
    )
    with pytest.raises(DocumentRejected, match=r"docs/system_design\.json of the architect"):
        await build(office, documents=form)
    again = "mend" if form == "full" else "prd"
    assert office.steps[:3] == ["prd", again, "design"]
    assert len(office.steps) == 4
    assert "['P7', 'add'] is not a pair" in office.prompts[1]


@pytest.mark.must_show("metagpt", 8)
@pytest.mark.parametrize("prompt", ["", "   \n"])
async def test_an_empty_requirement_is_refused(prompt: str) -> None:
    office = Office({})
    with pytest.raises(BadInput, match="a requirement that is not empty"):
        await build(office, task=Task(id="t", prompt=prompt))
    system = get_system("metagpt")
    with pytest.raises(BadInput, match="not empty"):
        await system.solve(Task(id="t", prompt=prompt), Kernel(Scripted(office)))
    assert office.steps == []


@pytest.mark.must_show("metagpt", 8)
@pytest.mark.parametrize(
    "path", ["../x.py", "/tmp/x.py", "a/../../x.py", "C:/x.py", "a\\x.py", "./x.py", "x.py\n", ""]
)
@pytest.mark.parametrize("form", ["short", "full"])
async def test_a_path_out_of_the_project_is_refused(path: str, form: str) -> None:
    base, first = (DESIGN, PRD) if form == "short" else (FULL_DESIGN, FULL_PRD)
    design = {**base, "File list": ["main.py", path]}
    office = Office({"prd": first, "design": design, "mend": design})
    with pytest.raises(DocumentRejected, match=r"docs/system_design\.json .* refused twice"):
        await build(office, documents=form)


@pytest.mark.must_show("metagpt", 8)
async def test_a_file_that_is_not_python_is_stored_and_never_run() -> None:
    design = {**FULL_DESIGN, "File list": ["main.py", "start.sh", "data/words.txt"]}
    tasks = {
        "Required packages": ["surely-not-a-package==1.0"],
        "Required Other language third-party packages": [],
        "Logic Analysis": [["start.sh", "starts it"]],
        "Task list": ["start.sh", "data/words.txt", "main.py"],
        "Full API spec": "",
        "Shared Knowledge": "",
        "Anything UNCLEAR": "",
    }
    office = Office(
        {
            "prd": FULL_PRD,
            "design": design,
            "tasks": tasks,
            "code start.sh": "```sh\ntouch /tmp/it-ran; rm -rf ~\n```",
            "code data/words.txt": "```\none two\n```",
            "code main.py": block("def add(a, b):\n    return a + b\n"),
            "review main.py": ALL_GOOD["review main.py"],
            "test main.py": block(TEST.replace("machine", "main")),
        }
    )
    solved, kernel = await build(office, documents="full", test_rounds=0)
    files = solved.result.files
    assert files["adding_machine/start.sh"] == "touch /tmp/it-ran; rm -rf ~\n"
    assert files["adding_machine/data/words.txt"] == "one two\n"
    assert files["requirements.txt"] == "surely-not-a-package==1.0\n"
    assert "review start.sh" not in office.steps
    assert commands_of(kernel) == [["python", "run_tests.py", "test_main.py"]]


@pytest.mark.must_show("metagpt", 8)
@pytest.mark.parametrize("answer", ["number", "choice", "latex"])
async def test_a_question_is_no_requirement(answer: Any) -> None:
    task = Task(id="t", prompt="What is 1 + 1?", answer=answer, choices=("1", "2"))
    with pytest.raises(BadInput, match="it needs a requirement to be built"):
        await build(Office({}), task=task)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_round": 0},
        {"code_review": -1},
        {"test_rounds": -1},
        {"max_auto_summarize_code": -1},
        {"test_seconds": 0.0},
        {"max_tokens": 0},
        {"documents": "long"},
    ],
)
async def test_bad_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="metagpt"):
        await build(Office({}), **parameters)


async def test_a_comparison_notes_a_refused_document_and_goes_on() -> None:
    async def never(answer: Any) -> Score:
        return Score(0.0, False, "not judged")

    system = get_system("metagpt")
    entry = Entry("metagpt", system, system.bind({}))
    model = Scripted(Office({"prd": "chat", "mend": "more chat"}))
    outcome = await run_job(entry, Item(TASK, "", never), {"": model}, seed=1, budget=None)
    assert "docs/prd.json of the product-manager was refused twice" in outcome.error
    assert (outcome.correct, outcome.calls) == (False, 2)
