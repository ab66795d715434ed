"""The studio as it is in use: a process of its own, and Chromium that looks at it."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nicegui", reason="the studio needs collegium[studio]")

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPTED = HERE / "scripted.py"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
WAIT_MS = 15_000


class Studio:
    """A studio in a process of its own.

    Attributes:
        address: Where it answers.
        home: Where its runs are kept.
        lines: What it printed.
    """

    def __init__(self, home: Path, *arguments: str, model: str = "panel") -> None:
        self.home, self.lines, self.address = home, [], ""
        self._ready = threading.Event()
        script = f"script:{SCRIPTED.relative_to(ROOT)}:{model}"
        command = ["studio", "--no-browser", "--port", "0", "--model", script]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "collegium.cli", *command, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "COLLEGIUM_HOME": str(home), "COLUMNS": "200"},
        )
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._ready.wait(60) or not self.address:
            self.stop()
            raise RuntimeError("the studio did not start: " + "\n".join(self.lines))

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line.rstrip())
            if line.startswith("studio") and "http://" in line:
                self.address = "http://" + line.rpartition("http://")[2].strip()
                self._ready.set()
        self._ready.set()

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Watched:
    """A page of the browser, and what happened in it that must not.

    Attributes:
        page: Playwright's page.
        dialogs: Alerts that were shown: code of somebody else ran.
        errors: Errors of scripts, and what the content policy stopped.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        page.on("dialog", self._on_dialog)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._on_console)
        page.set_default_timeout(WAIT_MS)

    def _on_dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def open(self, path: str) -> Any:
        """Go to a page of the studio, and wait until it talks to the server."""
        self.page.goto(self.address + path)
        self.page.wait_for_function("window.did_handshake === true")
        return self.page

    def clean(self) -> bool:
        """Nothing ran that should not, and no script of ours failed."""
        assert self.dialogs == [] and self.errors == []
        return True


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The studio, on the model ``scripted.py:panel``."""
    made = Studio(tmp_path_factory.mktemp("studio"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def studio_with(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Studio]]:
    """Starts further studios with other arguments; they are stopped at the end."""
    made: list[Studio] = []

    def start(*arguments: str, model: str = "panel", home: Path | None = None) -> Studio:
        made.append(Studio(home or tmp_path_factory.mktemp("other"), *arguments, model=model))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Within a file, coroutines come first: the browser's driver keeps an event loop running."""
    files = list(dict.fromkeys(item.path for item in items))
    items.sort(
        key=lambda item: (
            files.index(item.path),
            item.path.parent == HERE
            and not inspect.iscoroutinefunction(getattr(item, "obj", None)),
        )
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium. It is closed after each file, and with it the loop of its driver."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def watch(browser: Any, studio: Studio) -> Iterator[Callable[..., Watched]]:
    """Opens pages: ``watch()``, ``watch(dark=True)``, ``watch(phone=True)``, ``watch(at=...)``."""
    contexts: list[Any] = []

    def start(
        *, at: Studio | None = None, dark: bool = False, phone: bool = False, **options: Any
    ) -> Watched:
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        options = {"viewport": size, "color_scheme": "dark" if dark else "light", **options}
        contexts.append(browser.new_context(**options))
        return Watched(contexts[-1].new_page(), (at or studio).address)

    yield start
    for context in contexts:
        context.close()


def serious(page: Any) -> list[str]:
    """What axe finds wrong on a page that keeps people out: serious and critical findings."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for v in found
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]


def too_wide(page: Any) -> int:
    """Pixels by which a page is wider than its window."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
