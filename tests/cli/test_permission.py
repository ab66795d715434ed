"""The question for permission at a real terminal."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from collegium.commands.permission import ask_at_terminal, question
from collegium.kernel import Permission

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, sys, time
from collegium.commands.permission import ask_at_terminal
from collegium.kernel import Permission

async def main():
    beats = 0
    async def beat():
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1
    beating = asyncio.create_task(beat())
    print("started", flush=True)
    time.sleep(float(sys.argv[2]))
    wanted = [Permission(f"a{i}", "delete", f"f{i}") for i in range(int(sys.argv[1]))]
    asked = map(ask_at_terminal, wanted)
    try:
        print("said", await asyncio.wait_for(asyncio.gather(*asked), float(sys.argv[3])))
    except TimeoutError:
        print("gave up")
    print("went on" if beats > 2 else "stood still", flush=True)

asyncio.run(main())
"""


class Terminal:
    """A program at a terminal: what it shows, and what is typed."""

    def __init__(self, questions: int, sleep: float, patience: float) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(questions), str(sleep), str(patience)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "COLUMNS": "200"},
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def until(self, text: str, seconds: float = 30) -> str:
        """Wait until a text is shown; returns what was shown up to it and takes it away."""
        end = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self.ours], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.ours, 4096).decode()
                except OSError:
                    pytest.fail(f"it ended after showing {self.shown!r}")
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())


At = Callable[..., Terminal]


@pytest.fixture
def terminal() -> Iterator[At]:
    opened: list[Terminal] = []

    def at(questions: int = 1, sleep: float = 0.0, patience: float = 60.0) -> Terminal:
        opened.append(Terminal(questions, sleep, patience))
        return opened[-1]

    yield at
    for one in opened:
        one.process.kill()
        one.process.wait()
        os.close(one.ours)


@pytest.mark.parametrize(
    ("typed", "permitted"),
    [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("\x04", False)],
)
def test_yes_is_yes_and_all_else_is_no(terminal: At, typed: str, permitted: bool) -> None:
    screen = terminal()
    shown = screen.until("[y/N] ")
    assert "agent 'a0' wants to delete f0. It cannot be undone. Permit it? [y/N] " in shown
    time.sleep(0.1)
    screen.type(typed)
    screen.until(f"said [{permitted}]")
    screen.until("went on")  # other agents did, while the question stood there
    assert screen.process.wait(10) == 0


def test_it_asks_again_and_then_takes_no(terminal: At) -> None:
    screen = terminal()
    for _ in range(3):
        screen.until("[y/N] ")
        screen.type("perhaps\n")
        screen.until("Please answer yes or no.")
    screen.until("said [False]")


def test_questions_come_one_after_the_other(terminal: At) -> None:
    screen = terminal(questions=3)
    for i, answer in enumerate(("y\n", "n\n", "y\n")):
        shown = screen.until("[y/N] ")
        assert f"agent 'a{i}' wants to delete f{i}" in shown
        screen.type(answer)
    screen.until("said [True, False, True]")


def test_what_was_typed_before_does_not_answer(terminal: At) -> None:
    screen = terminal(sleep=0.5)
    screen.until("started")
    screen.type("y\n")
    screen.until("[y/N] ")
    time.sleep(0.3)
    assert "said" not in screen.shown
    screen.type("\n")
    screen.until("said [False]")


def test_a_run_that_ends_meanwhile_does_not_wait_for_an_answer(terminal: At) -> None:
    screen = terminal(patience=0.3)
    screen.until("gave up")
    assert screen.process.wait(10) == 0


@pytest.fixture
def nothing() -> IO[str]:
    return open(os.devnull)


async def test_without_a_terminal_it_is_no(
    monkeypatch: pytest.MonkeyPatch, nothing: IO[str]
) -> None:
    wanted = Permission("ann", "delete", "a")
    with nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert await ask_at_terminal(wanted) is False
    assert await ask_at_terminal(wanted) is False  # closed
    monkeypatch.setattr("sys.stdin", None)
    assert await ask_at_terminal(wanted) is False


def test_an_agents_words_cannot_steer_the_terminal() -> None:
    wanted = Permission("a", "delete", "x\x1b[2K\rnothing\nPermit it? [y/N] y\u202e [red]")
    assert question(wanted).plain == (
        "agent 'a' wants to delete x[2K nothing Permit it? [y/N] y [red]. "
        "It cannot be undone. Permit it? [y/N] "
    )
