"""What all tests share: a run store of their own, published data, recordings, record of checks.

A test that shows one numbered check of a paper is marked ``@pytest.mark.must_show(paper, check)``.
With ``--write-must-show`` a run of the whole suite writes ``results/must_show.json``, from which
the status of every paper is computed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collegium.models.model import Model

# How long one example takes says more about the machine than about the code.
settings.register_profile("collegium", deadline=None)
settings.load_profile("collegium")

Check = tuple[str, int]

RECORDINGS = Path(__file__).with_name("recordings")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-must-show",
        action="store_true",
        help="write results/must_show.json from the outcomes of this run of the whole suite",
    )
    parser.addoption(
        "--record",
        action="store_true",
        help="run only the tests that replay recorded replies, and record these anew",
    )
    parser.addoption(
        "--write-screenshots",
        action="store_true",
        help="write the pictures of the studio that the documentation shows",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--record"):
        others = [i for i in items if "recorded" not in getattr(i, "fixturenames", ())]
        items[:] = [i for i in items if i not in others]
        config.hook.pytest_deselected(items=others)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(MustShow(config), "must-show")


class MustShow:
    """Collects what became of the tests that show a check of a paper."""

    def __init__(self, config: pytest.Config) -> None:
        self.write = config.getoption("--write-must-show")
        self.checks: dict[str, list[Check]] = {}
        self.passed: set[str] = set()
        self.broken: set[str] = set()
        if self.write and config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
            raise pytest.UsageError(
                "--write-must-show notes the checks of the whole suite: give no paths."
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        # Before -k and -m take tests away: a test that was not run shows nothing.
        for item in items:
            found = [checked(item, mark) for mark in item.iter_markers("must_show")]
            if found:
                self.checks[item.nodeid] = found

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed" or hasattr(report, "wasxfail"):
            self.broken.add(report.nodeid)
        elif report.when == "call":
            self.passed.add(report.nodeid)

    def outcomes(self) -> dict[str, dict[str, str]]:
        """By paper and check: "passed" when every test of the check passed, else "failed"."""
        shown: dict[Check, bool] = {}
        for test, checks in self.checks.items():
            good = test in self.passed and test not in self.broken
            for check in checks:
                shown[check] = shown.get(check, True) and good
        found: dict[str, dict[str, str]] = {}
        for (paper, number), good in sorted(shown.items()):
            found.setdefault(paper, {})[str(number)] = "passed" if good else "failed"
        return found

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if not self.write or not ended or session.config.option.collectonly or session.shouldstop:
            return
        file = session.config.rootpath / "results" / "must_show.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(self.outcomes(), indent=2) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.write:
            papers = self.outcomes()
            good = sum(o == "passed" for checks in papers.values() for o in checks.values())
            terminalreporter.write_line(f"must show: {good} checks of {len(papers)} papers passed")


def checked(item: pytest.Item, mark: pytest.Mark) -> Check:
    """The paper and number a mark names; a mark that names nothing is an error."""
    from collegium.catalog import paper
    from collegium.errors import UnknownName

    try:
        slug, number = (lambda paper, check: (paper, check))(*mark.args, **mark.kwargs)
        most = paper(slug).must_show
    except (TypeError, UnknownName) as error:
        raise pytest.UsageError(f"{item.nodeid}: must_show(paper, check): {error}") from None
    if not isinstance(number, int) or not 1 <= number <= most:
        raise pytest.UsageError(
            f"{item.nodeid}: {slug} has the checks 1 to {most}, not {number!r}."
        )
    return slug, number


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Every run of a test goes to a store of its own, never to the user's."""
    before = os.environ.get("COLLEGIUM_HOME")
    os.environ["COLLEGIUM_HOME"] = str(tmp_path_factory.mktemp("collegium-home"))
    yield
    if before is None:
        del os.environ["COLLEGIUM_HOME"]
    else:
        os.environ["COLLEGIUM_HOME"] = before


@pytest.fixture
def collegium_data() -> Path:
    """The folder of published data sets."""
    root = os.environ.get("COLLEGIUM_DATA")
    if not root:
        pytest.skip("COLLEGIUM_DATA is not set: no published data sets here")
    return Path(root)


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Callable[[str], Model]:
    """A model by name with the replies that were recorded for this test; see ``make record``."""
    from collegium.models import open_model
    from collegium.models.replay import RecordingModel, ReplayModel

    folder = RECORDINGS / Path(request.node.path).stem.removeprefix("test_")
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in request.node.name).strip("-")

    def model(name: str) -> Model:
        file = folder / f"{stem.removeprefix('test_')}.{name.replace(':', '-')}.jsonl"
        if request.config.getoption("--record"):
            file.unlink(missing_ok=True)
            return RecordingModel(open_model(name), file)
        if not file.is_file():
            pytest.fail(f"no recording {file.name}; make it with: make record")
        return ReplayModel(file, name)

    return model
