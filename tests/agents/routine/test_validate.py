"""The validator names the step and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.agents.routine import (
    Guard,
    Routine,
    Step,
    problems,
    read_library,
    read_routine,
    text_of,
    validated,
    walked,
)
from collegium.errors import BadInput
from collegium.kernel import tool


async def look(name: str) -> dict[str, Any]:
    """Look something up."""
    return {"name": name}


async def note(of: str, text: str = "") -> str:
    """Write a note."""
    return of + text


TOOLS = {t.spec.name: t.spec for t in (tool(look), tool(note))}


def step(number: str, **fields: Any) -> Step:
    return Step(number=number, name=f"s{number}", description=f"do {number}", **fields)


def routine(*steps: Step) -> Routine:
    return Routine("r", "A routine", "for tests", steps)


FIND = step("1", tool="look", inputs={"name": "user"}, outputs=("thing",))
CHOICE = step("2", type="branch", branches=(Guard("yes", "2-1-1"), Guard("no", "2-2-1")))
YES = step("2-1-1", tool="note", inputs={"of": "thing.name"}, outputs=("noted",))
NO = step("2-2-1", type="end")
END = step("3", type="end")
SOUND = routine(FIND, CHOICE, YES, NO, END)


def test_a_sound_one_has_no_problems() -> None:
    assert problems(SOUND, TOOLS) == ()
    assert validated(SOUND, TOOLS) is SOUND
    assert read_routine(msgspec.json.encode(SOUND)) == SOUND


@pytest.mark.must_show("routine", 4)
@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((FIND, FIND, END), "step 1: the number is there twice."),
        (
            (FIND, step("2", tool="fly"), END),
            "step 2: there is no tool 'fly'.",
        ),
        (
            (
                FIND,
                step("2", tool="look", inputs={"name": "user"}),
                step("3", tool="look", inputs={"name": "user"}),
                step("4", tool="note", inputs={"of": "late.name"}),
                step("5", tool="look", inputs={"name": "user"}),
                step("6", tool="look", inputs={"name": "user"}, outputs=("late",)),
                step("7", type="end"),
            ),
            "step 4: its input 'of' needs 'late', which is first given by step 6.",
        ),
        ((FIND, CHOICE, YES, NO), "step 2-1-1: its path stops here, without an end step."),
    ],
)
def test_the_four_faults_are_named(steps: tuple[Step, ...], said: str) -> None:
    assert problems(routine(*steps), TOOLS) == (said,)
    with pytest.raises(BadInput, match="not valid: step"):
        validated(routine(*steps), TOOLS)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((), "no steps"),
        ((step("x", type="end"),), "step 'x': a number is like"),
        ((step("2"), step("1", type="end")), "step 1: it comes after"),
        ((FIND, step("2-1-1", type="end")), "step 2-1-1: step 2 is no branch step."),
        ((FIND, CHOICE, YES, NO, step("2-3-1"), END), "step 2-3-1: step 2 has no branch 3."),
        ((step("1", branches=CHOICE.branches), END), "step 1: only a branch step"),
        ((step("1", type="branch", branches=(Guard("a", "3"),)), END), "needs two branches"),
        ((FIND, step("2", type="branch", branches=(Guard("", "3"), Guard("b", "3"))), END),
         "step 2: the branch to step 3 has no guard."),
        ((FIND, step("2", type="branch", branches=(Guard("a", "9"), Guard("b", "3"))), END),
         "step 2: a branch leads to step 9"),
        ((FIND, step("2", type="branch", branches=(Guard("a", "1"), Guard("b", "3"))), END),
         "step 2: a branch leads back to step 1."),
        ((step("1", inputs={"a": "user"}), END), "step 1: it has inputs, but no tool."),
        ((step("1", tool="look", inputs={"name": "user", "age": "user"}), END),
         "step 1: the tool 'look' takes no 'age'."),
        ((step("1", tool="look"), END), "step 1: nothing says where 'name'"),
        ((step("1", tool="look", inputs={"name": "nobody"}), END), "which no step gives"),
        ((FIND, END, step("4", type="end")), "step 4: no path leads to it."),
        ((FIND, CHOICE, YES, step("2-2-1"),
          step("3", tool="note", inputs={"of": "noted"}), step("4", type="end")),
         "step 3: its input 'of' needs 'noted', which step 2-1-1 gives, but not on every path."),
    ],
)  # fmt: skip
def test_other_faults(steps: tuple[Step, ...], said: str) -> None:
    (found, *_) = problems(routine(*steps), TOOLS)
    assert said in found


def test_the_path_of_a_run_holds_the_branches_it_went_through() -> None:
    assert walked(SOUND, ["1", "1", "2-1-1", "3"]) == (("1", "2", "2-1-1", "3"), ())
    assert walked(SOUND, ["1", "2-2-1"]) == (("1", "2", "2-2-1"), ())
    assert walked(SOUND, ["2-1-1", "1"]) == (("2-1-1", "1"), ("2-1-1", "1"))


def test_the_only_step_of_a_branch_needs_no_third_number() -> None:
    short = routine(
        FIND,
        step("2", type="branch", branches=(Guard("yes", "2-1"), Guard("no", "2-2"))),
        step("2-1", tool="note", inputs={"of": "thing"}),
        step("2-2"),
        END,
    )
    assert problems(short, TOOLS) == ()
    assert walked(short, ["1", "2-2", "3"]) == (("1", "2", "2-2", "3"), ())


def test_text_and_its_ablation() -> None:
    whole, blank = text_of(SOUND), text_of(SOUND, blank=True)
    assert "do 2-1-1" in whole and "if no: go to step 2-2-1" in whole
    assert "do 2-1-1" not in blank and "if no: go to step 2-2-1" in blank and "tool: note" in blank


def test_libraries(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no Routine"):
        read_library(tmp_path)
    (tmp_path / "a.json").write_bytes(msgspec.json.encode(SOUND))
    assert read_library(tmp_path) == read_library(tmp_path / "a.json") == (SOUND,)
    (tmp_path / "b.json").write_bytes(msgspec.json.encode(SOUND))
    with pytest.raises(BadInput, match="two Routines with the id 'r'"):
        read_library(tmp_path)
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(BadInput, match=r"b\.json is no Routine"):
        read_library(tmp_path)
    with pytest.raises(BadInput, match="cannot read"):
        read_library(tmp_path / "c.json")
