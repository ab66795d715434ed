"""Registering systems, finding them, and reading the parameters that users give."""

import sys
from types import ModuleType
from typing import Any, Literal

import pytest

from collegium.errors import BadInput, UnknownName
from collegium.kernel import Kernel
from collegium.systems import Result, get_system, parse_system, system, systems
from collegium.tasks.task import Task

MODULE = sys.modules["collegium.systems.system"]


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr(MODULE, "_systems", dict(systems()))


def register(name: str = "mine") -> Any:
    @system(name, paper=None)
    async def mine(
        task: Task,
        kernel: Kernel,
        *,
        rounds: int = 2,
        rate: float = 0.5,
        greedy: bool = False,
        mode: Literal["a", "b"] = "a",
        words: tuple[str, ...] = (),
        cap: int | None = None,
        label: str = "x",
    ) -> Result:
        """Do it my way.

        More about it.
        """
        return Result(None)

    return mine


def test_a_system_knows_its_parameters_and_what_it_does() -> None:
    solve = register()
    known = get_system("mine")
    assert known.solve is solve
    assert known.summary == "Do it my way."
    assert known.parameters["rounds"] == (int, 2)
    assert list(known.parameters) == ["rounds", "rate", "greedy", "mode", "words", "cap", "label"]


def test_defaults_are_filled_in() -> None:
    register()
    assert get_system("mine").bind({}) == {
        "rounds": 2,
        "rate": 0.5,
        "greedy": False,
        "mode": "a",
        "words": (),
        "cap": None,
        "label": "x",
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rounds", "4", 4),
        ("rounds", 4, 4),
        ("rate", "1", 1.0),
        ("rate", "1e-3", 0.001),
        ("greedy", "true", True),
        ("greedy", "False", False),
        ("greedy", "1", True),
        ("mode", "b", "b"),
        ("words", '["x, y", "z"]', ("x, y", "z")),
        ("words", ["x"], ("x",)),
        ("cap", "null", None),
        ("cap", "7", 7),
        ("label", "12", "12"),
        pytest.param("label", "", ""),
        pytest.param("label", "[INST] x", "[INST] x"),
    ],
)
def test_values_are_converted(name: str, text: Any, value: Any) -> None:
    register()
    bound = get_system("mine").bind({name: text})[name]
    assert bound == value
    assert type(bound) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("rounds", "many", "parameter 'rounds' of mine must be int, not 'many'"),
        ("rounds", "1.5", "parameter 'rounds' of mine must be int, not '1.5'"),
        ("rate", "fast", "parameter 'rate' of mine must be float, not 'fast'"),
        ("greedy", "maybe", "parameter 'greedy' of mine must be bool, not 'maybe'"),
        ("mode", "c", "parameter 'mode' of mine must be "),
        ("words", "[x", "parameter 'words' of mine must be tuple"),
    ],
)
def test_an_ill_typed_value_is_bad_input(name: str, value: str, problem: str) -> None:
    register()
    with pytest.raises(BadInput) as caught:
        get_system("mine").bind({name: value})
    assert str(caught.value).startswith(problem)


def test_an_unknown_parameter_names_the_valid_ones() -> None:
    with pytest.raises(BadInput) as caught:
        get_system("mad").bind({"round": "3"})
    message = str(caught.value)
    assert message.startswith("unknown parameter of mad 'round'; did you mean 'rounds'? Valid: ")
    assert "agents=3, rounds=2, personas=(), early_stop=False" in message


def test_a_system_with_parameters_as_users_write_it() -> None:
    chosen, values = parse_system("mad:agents=4,rounds=2")
    assert (chosen.name, values["agents"], values["rounds"]) == ("mad", 4, 2)
    assert values["temperature"] == 1.0  # a default
    chosen, values = parse_system("mad")
    assert values["agents"] == 3
    chosen, values = parse_system("self-consistency: samples = 7 ,")
    assert values["samples"] == 7


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mad:4", "in 'mad:4': expected name=value, not '4'"),
        ("mad:agents=4,rounds", "expected name=value, not 'rounds'"),
        ("mad:agents=", "parameter 'agents' of mad must be int, not ''"),
        ("mad:speed=4", "unknown parameter of mad 'speed'"),
        ("self-refine:turn=4", "did you mean 'turns'"),
    ],
)
def test_a_wrong_form_is_bad_input(text: str, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_system(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [("madd", "mad"), ("self_refine", "self-refine"), ("self-consistent", "self-consistency")],
)
def test_an_unknown_system_suggests_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"unknown system '{name}'; did you mean '{near}'"):
        get_system(name)


@pytest.mark.parametrize("name", ["", "system", "solve", "os.path", "../mad", "zzz"])
def test_what_is_no_system_is_unknown(name: str) -> None:
    with pytest.raises(UnknownName, match="unknown system"):
        get_system(name)


def test_every_baseline_is_there_and_says_what_it_does() -> None:
    known = systems()
    assert {"cot", "direct", "mad", "self-consistency", "self-refine"} <= set(known)
    assert list(known) == sorted(known)
    for name, one in known.items():
        assert one.name == name
        assert one.summary.endswith("."), name


def test_another_package_adds_a_system(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        def load(self) -> None:
            register("theirs")

    def points(*, group: str) -> list[Point]:
        assert group == "collegium.systems"
        return [Point()]

    monkeypatch.setattr(MODULE, "entry_points", points)
    assert get_system("theirs").name == "theirs"
    assert "theirs" in systems()
    assert parse_system("theirs:rounds=9")[1]["rounds"] == 9


def test_a_name_is_taken_once() -> None:
    register()
    with pytest.raises(BadInput, match="already a system named 'mine'"):

        @system("mine", paper=None)
        async def another(task: Task, kernel: Kernel) -> Result:
            return Result(None)


def test_a_module_that_is_loaded_again_may_register_again() -> None:
    register()
    again = register()
    assert get_system("mine").solve is again


def test_a_name_is_taken_once_whatever_the_functions_are_called() -> None:
    source = (
        "from collegium.systems import Result, system\n"
        "@system('shared', paper=None)\n"
        "async def solve(task, kernel) -> Result: ...\n"
    )
    exec(source, ModuleType("one").__dict__)
    with pytest.raises(BadInput, match="already a system named 'shared'"):
        exec(source, ModuleType("two").__dict__)


def test_a_parameter_without_type_or_default_is_refused() -> None:
    async def untyped(task: Task, kernel: Kernel, *, depth=2) -> Result:
        return Result(depth)

    async def bare(task: Task, kernel: Kernel, *, depth: int) -> Result:
        return Result(depth)

    for solve in (untyped, bare):
        with pytest.raises(BadInput, match="'depth' needs a type and a default"):
            system("mine", paper=None)(solve)


def test_a_broken_plug_in_takes_no_other_down(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        value = "broken:module"

        def load(self) -> None:
            raise ImportError("no module named broken")

    monkeypatch.setattr(MODULE, "entry_points", lambda group: [Broken()])
    with pytest.warns(UserWarning, match=r"systems of broken:module are left out.*no module"):
        assert "mad" in systems()
