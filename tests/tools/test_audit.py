"""Audits of formulas: a right one passes, and every seeded fault is found, with an example."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.errors import BadInput, UnknownName
from collegium.kernel import Tool, tool
from collegium.tools import sandbox_problem
from collegium.tools.audit import AuditReport, Finding, audit, audit_source
from collegium.tools.sandbox import SandboxLimits

needs_sandbox = pytest.mark.skipif(
    sandbox_problem() is not None, reason="programs cannot be confined here"
)

RANGES = {"weight": (30.0, 200.0), "height": (1.2, 2.2)}
EXPECT: Any = {"weight": "increasing", "height": "decreasing"}
PLAUSIBLE = (5.0, 150.0)


def bmi(weight: float, height: float) -> float:
    """Body-mass index from kilograms and metres."""
    return weight / height**2


def checks(report: AuditReport) -> list[tuple[str, str]]:
    return [(f.check, f.input) for f in report.findings]


def audited(function: Callable[..., Any] | Tool, **changed: Any) -> AuditReport:
    options = {"ranges": RANGES, "expect": EXPECT, "result": PLAUSIBLE, **changed}
    return audit(function, **options)


def test_a_right_formula_passes() -> None:
    report = audited(bmi)
    assert report.passed and report.findings == ()
    assert report.directions == {"weight": "increasing", "height": "decreasing"}
    assert report.lowest == bmi(30, 2.2) and report.highest == bmi(200, 1.2)
    assert str(report) == f"bmi: passed in {report.evaluations} evaluations."


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), samples=st.integers(1, 40))
def test_a_right_formula_passes_whatever_the_seed(seed: int, samples: int) -> None:
    assert audited(bmi, seed=seed, samples=samples).passed


# Each has exactly one fault, as a model makes them, and one check that is to find it.
FAULTS: list[tuple[str, str, str, str]] = [
    ("dead", "weight / 1.75**2", "dead-input", "height"),
    ("cancelled", "weight / 1.75**2 * (height / height)", "dead-input", "height"),
    ("times zero", "weight / 1.75**2 - 0 * height", "dead-input", "height"),
    ("sign", "200 / height**2 - weight / height**2 + 20", "monotonic", "weight"),
    ("inverted", "weight * height**2 / 9", "monotonic", "height"),
    ("centimetres", "weight / (height * 100) ** 2", "range", ""),
    ("pounds", "weight * 2.2046 / height**2", "range", ""),
    ("a table with a gap", "weight / height**2 if weight < 120 else None", "type", ""),
    ("a bound", "weight / (height - 1.2)", "error", ""),
    ("a logarithm", "weight / height**2 + 0 / math.log10(weight / 30)", "error", ""),
    ("overflow", "weight / height**2 + 0 * math.inf * (weight > 199)", "finite", ""),
]


@pytest.mark.parametrize(("fault", "body", "check", "of"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_seeded_fault_is_found_by_the_check_for_it(
    fault: str, body: str, check: str, of: str
) -> None:
    formula = eval(f"lambda weight, height: {body}", {"math": math})
    report = audited(formula)
    assert not report.passed
    (found,) = [f for f in report.findings if (f.check, f.input) == (check, of)]
    assert found.count >= 1 and found.examples
    confirm(formula, found)


def confirm(formula: Callable[..., Any], found: Finding) -> None:
    """Call the formula again as the counter-examples say: they must show the fault."""
    results: list[Any] = []
    for example in found.examples:
        try:
            results.append(formula(**example.arguments))
        except Exception as error:
            results.append(f"{type(error).__name__}: {error}")
        assert results[-1] == example.outcome or found.check in ("type", "finite")
    if found.check == "range":
        assert all(not PLAUSIBLE[0] <= r <= PLAUSIBLE[1] for r in results)
    elif found.check == "monotonic":
        for i in range(0, len(results), 2):
            first, second = (e.arguments for e in found.examples[i : i + 2])
            assert {k for k in first if first[k] != second[k]} == {found.input}
            grew = first[found.input] < second[found.input]
            rose = results[i] < results[i + 1]
            assert grew and rose == (EXPECT[found.input] == "decreasing")
    elif found.check == "dead-input":
        first, second = (e.arguments for e in found.examples)
        assert first[found.input] != second[found.input]
        assert results[0] == pytest.approx(results[1], rel=1e-9)
    elif found.check == "error":
        assert all("Error" in r for r in results)
    elif found.check == "finite":
        assert not any(map(math.isfinite, results))
    elif found.check == "type":
        assert results[0] is None and "NoneType" in found.text


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_faults_are_found_whatever_the_seed(seed: int) -> None:
    for _, body, check, of in FAULTS:
        formula = eval(f"lambda weight, height: {body}", {"math": math})
        assert (check, of) in checks(audited(formula, seed=seed, samples=16))


def test_an_error_at_a_boundary_names_the_boundary() -> None:
    report = audited(lambda weight, height: weight / (height - 1.2))
    error = next(f for f in report.findings if f.check == "error")
    assert "ZeroDivisionError" in error.text and error.text.endswith("always with height = 1.2.")


def test_a_division_by_zero_inside_the_range_is_found() -> None:
    report = audit(lambda x: 1 / x, {"x": (-1.0, 1.0)})
    assert checks(report) == [("error", "")]
    assert report.findings[0].examples[0].arguments == {"x": 0.0}


def test_among_many_inputs_the_end_of_a_single_one_is_tried() -> None:
    names = [f"x{i}" for i in range(12)]
    others = " and ".join(f"0 < {n} < 1" for n in names if n != "x7")
    formula = eval(f"lambda {', '.join(names)}: 1 / (1 - x7) if {others} else {' + '.join(names)}")
    report = audit(formula, dict.fromkeys(names, (0.0, 1.0)), samples=4)
    error = next(f for f in report.findings if f.check == "error")
    assert "ZeroDivisionError" in error.text and "x7 = 1.0" in error.text


def test_a_report_can_be_read() -> None:
    assert str(audit(lambda x, y: 2.0 * y, {"x": (0.0, 1.0), "y": (0.0, 1.0)})).startswith(
        "<lambda>: 1 findings in "
    )
    text = str(audited(lambda weight, height: weight * height, result=None))
    assert "- monotonic: the result rose as 'height' grew, in " in text
    assert "    <lambda>(weight=" in text


def test_the_same_seed_gives_the_same_report() -> None:
    formula = eval("lambda weight, height: weight * height")
    assert audited(formula, seed=3) == audited(formula, seed=3)
    assert audited(formula, seed=3) != audited(formula, seed=4)


def test_without_expectations_the_directions_are_observed() -> None:
    def wave(x: float, y: float, z: float, w: float) -> float:
        return math.sin(10 * x) + y - z + (0 if w < 2 else 1)

    ranges = dict.fromkeys("xyzw", (0.0, 1.0))
    report = audit(wave, ranges)
    assert report.directions == {
        "x": "mixed",
        "y": "increasing",
        "z": "decreasing",
        "w": "constant",
    }
    assert checks(report) == [("dead-input", "w")]


def test_level_stretches_and_thresholds_are_no_faults() -> None:
    def points(age: int) -> int:
        return 0 if age < 40 else 1 if age < 65 else 3

    report = audit(points, {"age": (18, 100)}, expect={"age": "increasing"}, result=(0, 3))
    assert report.passed


def test_a_dip_between_two_steps_is_found() -> None:
    def points(age: int) -> int:
        return 0 if age < 40 else 2 if age < 65 else 1

    report = audit(points, {"age": (18, 100)}, expect={"age": "increasing"})
    assert checks(report) == [("monotonic", "age")]


def test_a_fault_that_only_neighbours_show_is_found() -> None:
    def whole(x: int) -> int:
        return x + 3 * (x % 2)

    def real(x: float) -> float:
        return x + 3 * (math.floor(x) % 2)

    for formula, high in ((whole, 1_000_000), (real, 1000)):
        report = audit(formula, {"x": (0, high)}, expect={"x": "increasing"})
        assert checks(report) == [("monotonic", "x")]


def test_whole_numbers_and_choices_get_only_what_they_may_have() -> None:
    seen: set[tuple[Any, ...]] = set()

    def risk(age: int, sex: Literal["f", "m"], smoker: bool, unit: str) -> float:
        seen.add((type(age), sex, smoker, unit))
        return age + (sex == "m") + 2 * smoker

    report = audit(
        risk,
        {"age": (20, 80), "sex": ("f", "m"), "smoker": (False, True), "unit": ("years",)},
        expect={"age": "increasing", "smoker": "increasing"},
        result=(20, 83),
    )
    assert report.passed
    assert seen == {(int, s, b, "years") for s in "fm" for b in (False, True)}
    assert report.directions["sex"] == "increasing"  # in the order given
    assert report.directions["unit"] == "unknown"


def test_a_choice_that_is_ignored_is_a_dead_input() -> None:
    report = audit(lambda x, sex: x, {"x": (0.0, 1.0), "sex": ("f", "m")})
    assert checks(report) == [("dead-input", "sex")]


def test_a_formula_that_gives_another_result_every_time_is_found() -> None:
    rng = random.Random(1)
    assert ("repeat", "") in checks(audit(lambda x: x + rng.random(), {"x": (0.0, 1.0)}))


def test_a_tool_is_audited_as_its_function() -> None:
    report = audited(tool(bmi))
    assert report.passed and report.name == "bmi"


def test_many_inputs_do_not_make_too_many_corners() -> None:
    def total(**values: float) -> float:
        return sum(values.values())

    names = [f"x{i}" for i in range(20)]
    formula = eval(f"lambda {', '.join(names)}: {' + '.join(names)}")
    report = audit(formula, dict.fromkeys(names, (0.0, 1.0)), result=(0, 20), samples=4)
    assert report.passed and report.highest == 20 and report.evaluations < 600


async def slow(x: float) -> float:
    return x


@pytest.mark.parametrize(
    ("function", "ranges", "options", "problem"),
    [
        (max, {}, {}, "needs the range of every input"),
        (bmi, {"weight": (1.0, 2.0)}, {}, "needs a range for: height"),
        (bmi, {"weight": (2.0, 1.0), "height": (1.0, 2.0)}, {}, "must go up from one"),
        (bmi, {"weight": (1.0, math.inf), "height": (1.0, 2.0)}, {}, "finite numbers"),
        (bmi, {"weight": "1-2", "height": (1.0, 2.0)}, {}, "must be .lowest, highest."),
        (lambda x: x, {"x": ()}, {}, "must be .lowest, highest."),
        (slow, {"x": (0.0, 1.0)}, {}, "is async"),
        (bmi, RANGES, {"samples": 0}, "at least 1 sample"),
        (bmi, RANGES, {"result": (3, 1)}, "the range of the result must rise"),
        (bmi, RANGES, {"expect": {"weight": "up"}}, "'increasing' or 'decreasing'"),
    ],
)
def test_ranges_that_make_no_sense_are_bad_input(
    function: Any, ranges: Any, options: Any, problem: str
) -> None:
    with pytest.raises(BadInput, match=problem):
        audit(function, ranges, **options)


def test_names_that_the_function_does_not_have_are_unknown() -> None:
    with pytest.raises(UnknownName, match="unknown input of 'bmi' 'wieght'; did you mean 'weight'"):
        audit(bmi, {"wieght": (1.0, 2.0), "height": (1.0, 2.0)})
    with pytest.raises(UnknownName, match="'heigth'; did you mean 'height'"):
        audit(bmi, RANGES, expect={"heigth": "increasing"})


def test_whole_numbers_need_room_for_two() -> None:
    def half(n: int) -> float:
        return n / 2

    with pytest.raises(BadInput, match="one to another of whole numbers"):
        audit(half, {"n": (0.2, 1.8)})


# -- code of a model, in the sandbox --------------------------------------------------------

SOURCE = '''
def bmi(weight: float, height: float) -> float:
    """Body-mass index."""
    print("thinking ...")
    return weight / height**2
'''


async def sourced(code: str, name: str = "bmi", **changed: Any) -> AuditReport:
    options = {"ranges": RANGES, "expect": EXPECT, "result": PLAUSIBLE, **changed}
    return await audit_source(code, name, **options)


@needs_sandbox
async def test_in_the_sandbox_the_verdict_is_the_same() -> None:
    assert await sourced(SOURCE, seed=5) == audited(bmi, seed=5)
    wrong = SOURCE.replace("height**2", "(height * 100)**2")
    report = await sourced(wrong, seed=5)
    assert checks(report) == [("range", "")]
    assert report == audited(
        named("bmi", lambda weight, height: weight / (height * 100) ** 2), seed=5
    )


def named(name: str, function: Any) -> Any:
    function.__name__ = name
    return function


@needs_sandbox
@pytest.mark.parametrize(
    ("fault", "body", "check", "of"), FAULTS[::2], ids=[f[0] for f in FAULTS[::2]]
)
async def test_seeded_faults_in_source_are_found(
    fault: str, body: str, check: str, of: str
) -> None:
    code = f"import math\ndef bmi(weight, height):\n    return {body}\n"
    assert (check, of) in checks(await sourced(code, samples=16))


@needs_sandbox
@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("def bmi(:", "SyntaxError"),
        ("def bim(weight, height): return 1", "has no attribute 'bmi'"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("\0", "the code cannot be loaded"),
    ],
)
async def test_code_that_cannot_be_loaded_is_a_finding(code: str, problem: str) -> None:
    report = await sourced(code)
    assert not report.passed and checks(report) == [("load", "")]
    assert problem in report.findings[0].text


@needs_sandbox
async def test_a_model_that_named_its_inputs_otherwise_is_told_so() -> None:
    report = await sourced("def bmi(kg, m): return kg / m**2")
    assert report.findings[0].check == "error"
    assert "unexpected keyword argument 'weight'" in report.findings[0].text


@needs_sandbox
async def test_a_hang_is_found_at_the_point_where_it_hangs() -> None:
    code = "def f(n: int):\n    while n == 7: pass\n    return n\n"
    started = time.monotonic()
    report = await sourced(
        code, "f", ranges={"n": (0, 9)}, expect={}, result=None, limits=SandboxLimits(seconds=1.0)
    )
    assert time.monotonic() - started < 8
    (finding,) = [f for f in report.findings if f.check == "error"]
    assert finding.text == "did not end in time."
    assert finding.examples[0].arguments == {"n": 7}


@needs_sandbox
@pytest.mark.parametrize(
    "trick",
    [
        "import os; os._exit(0)",
        "import os; [os.write(fd, b'[\"value\", 1]\\n') for fd in range(3, 9)]",
        "raise KeyboardInterrupt",
        "[b'x' * 2**30 for _ in range(9)]",
    ],
)
async def test_code_that_breaks_out_of_its_function_does_not_pass(trick: str) -> None:
    code = f"def bmi(weight, height):\n    {trick}\n    return weight / height**2\n"
    assert not (await sourced(code)).passed


@needs_sandbox
async def test_the_code_runs_nowhere_else(tmp_path: Any) -> None:
    mark = tmp_path / "was here"
    code = f"open({str(mark)!r}, 'w').close()\n" + SOURCE
    report = await sourced(code)
    assert checks(report) == [("load", "")] and not mark.exists()


@needs_sandbox
async def test_whole_numbers_are_read_from_the_source() -> None:
    code = "def f(n: int, x: float):\n    return 'abcdefghij'.index('abcdefghij'[n]) + x\n"
    report = await sourced(
        code, "f", ranges={"n": (0, 9), "x": (0, 1)}, expect={"n": "increasing"}, result=(0, 10)
    )
    assert report.passed


@needs_sandbox
async def test_several_audits_at_once() -> None:
    reports = await asyncio.gather(*(sourced(SOURCE, seed=i) for i in range(4)))
    assert all(r.passed for r in reports)
