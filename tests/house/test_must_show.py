"""The record of checks: which of a paper's numbered checks passed, in the catalog's own format."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collegium.catalog import paper, status_of

CONFTEST = Path(__file__).parents[1] / "conftest.py"

HEAD = """
import pytest

def show(check, paper="mad"):
    return pytest.mark.must_show(paper, check)
"""


@pytest.fixture
def suite(tmp_path: Path):
    """Run a made-up test suite; returns the process and what was written."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\ntestpaths = tests\nmarkers = must_show(paper, check)\n"
    )

    def run(body: str, *args: str):
        (tmp_path / "tests" / "test_it.py").write_text(HEAD + body)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **os.environ,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTHONPATH": str(CONFTEST.parents[1]),
            },
        )
        file = tmp_path / "results" / "must_show.json"
        return done, json.loads(file.read_text()) if file.is_file() else None

    run.results = tmp_path / "results"
    return run


def test_a_check_passes_only_when_all_its_tests_passed(suite) -> None:
    _, written = suite(
        """
@show(1)
def test_good(): pass
@show(2)
def test_also_good(): pass
@show(2)
def test_bad(): assert False
@show(3)
def test_skipped(): pytest.skip("no data")
@show(4)
@pytest.mark.xfail
def test_expected(): assert False
@show(5)
@pytest.mark.parametrize("n", [1, 2])
def test_many(n): assert n == 1
@show(6)
@show(7)
def test_two(): pass
@show(2, paper="dylan")
def test_other(): pass
@pytest.fixture
def broken():
    yield
    raise RuntimeError("on the way out")
@show(3, paper="dylan")
def test_teardown(broken): pass
def test_of_no_paper(): pass
""",
        "--write-must-show",
    )
    assert written == {
        "dylan": {"2": "passed", "3": "failed"},
        "mad": {
            "1": "passed", "2": "failed", "3": "failed", "4": "failed",
            "5": "failed", "6": "passed", "7": "passed",
        },
    }  # fmt: skip


def test_a_test_that_was_left_out_shows_nothing(suite) -> None:
    _, written = suite(
        "@show(1)\ndef test_one(): pass\n@show(2)\ndef test_two(): pass\n",
        "--write-must-show", "-k", "two",
    )  # fmt: skip
    assert written == {"mad": {"1": "failed", "2": "passed"}}


def test_the_catalog_reads_the_record(suite) -> None:
    checks = range(1, paper("mad").must_show + 1)
    body = "".join(f"@show({n})\ndef test_{n}(): pass\n" for n in checks)
    suite(body, "--write-must-show")
    assert status_of("mad", registered={"mad"}, results=suite.results) == "faithful"
    suite(body + "@show(1)\ndef test_worse(): assert False\n", "--write-must-show")
    assert status_of("mad", registered={"mad"}, results=suite.results) == "runs"


def test_nothing_is_written_unasked(suite) -> None:
    done, written = suite("@show(1)\ndef test_one(): pass\n")
    assert done.returncode == 0
    assert written is None


def test_a_part_of_the_suite_is_refused(suite) -> None:
    done, written = suite(
        "@show(1)\ndef test_one(): pass\n", "--write-must-show", "tests/test_it.py"
    )
    assert done.returncode == 4
    assert "give no paths" in done.stderr
    assert written is None


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ("@show(99)", "checks 1 to"),
        ("@show(0)", "checks 1 to"),
        ("@show(1, paper='mat')", "did you mean"),
        ("@pytest.mark.must_show('mad')", "check"),
    ],
)
def test_a_mark_that_names_nothing_is_an_error(suite, mark: str, says: str) -> None:
    done, _ = suite(f"{mark}\ndef test_one(): pass\n")
    assert done.returncode == 4
    assert says in done.stderr + done.stdout
