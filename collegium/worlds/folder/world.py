"""A work folder as a world (MLAgentBench, arXiv 2310.03302): files, scripts, a hidden scorer.

The actions are the paper's low-level ones, and the inspection of lines. After so many steps or
seconds, or the final answer, every action says that the environment is closed. The folder as it was
after every step is kept byte by byte: a run can be looked at, or taken up again, from any step.

Paper vs code vs ours
---------------------
* In the official code a path is guarded by the beginning of its text, so that a folder beside the
  work folder of a longer name passes; read-only files are guarded by one spelling; the REPL runs in
  the process of the harness. Here the folder lies in memory (see
  :mod:`collegium.worlds.folder.files`), and all code runs in the sandbox, on a copy. What it does
  to read-only files is undone and told.
* A REPL has no memory between commands: each is a program of its own. Files are what lasts.
* Running a script gives its output, or its errors when the exit code is not 0 or nothing was
  printed, as in the paper. Long output loses its middle.
* The score is measured from the files alone. What an agent says of its result counts for nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from collegium.errors import Denied
from collegium.kernel.tool import Tool, tool
from collegium.tasks.task import Score
from collegium.worlds.folder.files import Folder, Refused, inside
from collegium.worlds.folder.run import Ran, run_in
from collegium.worlds.folder.scoring import FolderTask, baseline, improvement, succeeded

STEPS = 50
SECONDS = 5 * 3600.0
LINES = 100
"""Lines that one inspection shows."""
CLOSED = "The environment is closed: nothing can be done any more."


class Closed(Denied):
    """An action after the end."""


class Step(msgspec.Struct, frozen=True):
    """One step: the action, what was seen, when, and the folder after it by digests."""

    action: str
    arguments: dict[str, Any]
    observation: str
    seconds: float
    files: dict[str, str]


class State(msgspec.Struct):
    """All that changes.

    Attributes:
        steps: Every step, in order.
        blobs: Every content there was, by digest.
        undo: For each file that was edited, the digests of what it held before; "" for nothing.
        final: The final answer; None before it.
    """

    steps: list[Step] = []
    blobs: dict[str, bytes] = {}
    undo: dict[str, list[str]] = {}
    final: str | None = None


class WorkFolder:
    """A task in a work folder.

    Args:
        task: The task.
        steps: Steps after which it is closed.
        seconds: Seconds after which it is closed.
        clock: Seconds that go on.
    """

    snapshots: Literal["state"] = "state"

    def __init__(
        self,
        task: FolderTask,
        *,
        steps: int = STEPS,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.task, self.limit, self.seconds = task, steps, seconds
        self._clock, self._began, self._spent = clock, clock(), 0.0
        self._lock = asyncio.Lock()
        self._start = task.files()
        self.folder = Folder(self._start, task.read_only)
        self.state = State()
        self._tools = self._make_tools()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The actions."""
        return self._tools

    @property
    def closed(self) -> bool:
        """Whether no action is possible any more."""
        over = self._elapsed() >= self.seconds or len(self.state.steps) >= self.limit
        return over or self.state.final is not None

    async def reset(self, seed: int | None = None) -> str:
        """The folder as it was at first."""
        self.folder = Folder(self._start, self.task.read_only)
        self.state = State([], {}, {}, None)
        self._began, self._spent = self._clock(), 0.0
        held = ", ".join(self.folder.listed(""))
        return f"{self.task.problem}\n\nThe work folder holds: {held}."

    async def snapshot(self) -> bytes:
        """Everything: files, steps, what can be undone, and the time spent."""
        held = (self.folder.files, self.state, self._elapsed())
        return msgspec.msgpack.encode(held)

    async def restore(self, snapshot: bytes) -> None:
        """Go back to a snapshot."""
        held = msgspec.msgpack.decode(snapshot, type=tuple[dict[str, bytes], State, float])
        files, self.state, self._spent = held
        self.folder = Folder(files, self.task.read_only)
        self._began = self._clock()

    def files_after(self, step: int) -> dict[str, bytes]:
        """The folder as it was after a step, byte by byte; 0 is the beginning.

        Raises:
            Refused: There was no such step.
        """
        if not 0 <= step <= len(self.state.steps):
            raise Refused(f"there were steps 1 to {len(self.state.steps)}, not {step}.")
        if step == 0:
            return dict(self._start)
        held = self.state.steps[step - 1].files
        return {name: self.state.blobs[digest] for name, digest in held.items()}

    async def resume(self, step: int) -> None:
        """Go back to the end of a step, and on from there; later steps are gone.

        Raises:
            Refused: There was no such step.
        """
        files = self.files_after(step)
        self.state.steps = self.state.steps[:step]
        self.state.undo, self.state.final = {}, None
        self._spent = self.state.steps[-1].seconds if step else 0.0
        self._began = self._clock()
        self.folder = Folder(files, self.task.read_only)

    def trace(self) -> dict[str, Any]:
        """The steps as plain data."""
        return {"task": self.task.name, "steps": msgspec.to_builtins(self.state.steps)}

    async def judge(self, answer: Any) -> Score:
        """Measure the folder and compare it with the starter code."""
        measured = await self.task.score(dict(self.folder.files))
        if measured.value is None:
            return Score(0.0, False, measured.problem, {"valid": False})
        start = await baseline(self.task)
        gain = improvement(measured.value, start, self.task.better)
        right = succeeded(gain)
        facts: dict[str, bool | float] = {
            "valid": True,
            "baseline": start,
            "improvement": gain,
            self.task.metric: measured.value,
        }
        return Score(float(right), right, f"{gain:+.1%} over the starter code", facts)

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _make_tools(self) -> tuple[Tool, ...]:
        async def list_files(folder: str = ".") -> str:
            """List what a folder holds."""
            return await self._do("list_files", {"folder": folder}, lambda: self._listing(folder))

        async def read_file(file: str) -> str:
            """Read a whole file."""
            return await self._do("read_file", {"file": file}, lambda: self._text(file))

        async def inspect_script_lines(file: str, first: int, last: int) -> str:
            """Read some lines of a file, at most 100, counted from 1."""
            given = {"file": file, "first": first, "last": last}
            look = lambda: self._inspect(file, first, last)  # noqa: E731
            return await self._do("inspect_script_lines", given, look)

        async def write_file(file: str, content: str) -> str:
            """Write a file, in place of what is there."""
            given = {"file": file, "content": content}
            return await self._do("write_file", given, lambda: self._write(file, content))

        async def append_file(file: str, content: str) -> str:
            """Write on at the end of a file."""
            given = {"file": file, "content": content}
            return await self._do("append_file", given, lambda: self._append(file, content))

        async def copy_file(source: str, destination: str) -> str:
            """Copy a file."""
            given = {"source": source, "destination": destination}
            return await self._do("copy_file", given, lambda: self._copy(source, destination))

        async def undo_edit_script(file: str) -> str:
            """Undo the last edit of a file."""
            return await self._do("undo_edit_script", {"file": file}, lambda: self._undo(file))

        async def execute_script(script: str) -> str:
            """Run a Python script of the folder."""
            return await self._do("execute_script", {"script": script}, self._script(script))

        async def python_repl(command: str) -> str:
            """Run Python code in the folder; nothing but files is kept for the next time."""
            return await self._do("python_repl", {"command": command}, self._repl(command))

        async def final_answer(text: str) -> str:
            """Say that the work is done; nothing can be done afterwards."""
            return await self._do("final_answer", {"text": text}, lambda: self._finish(text))

        actions = (
            list_files, read_file, inspect_script_lines, write_file, append_file, copy_file,
            undo_edit_script, execute_script, python_repl, final_answer,
        )  # fmt: skip
        seconds = self.task.limits.seconds + 60
        return tuple(tool(action, seconds=seconds) for action in actions)

    async def _do(
        self, action: str, given: dict[str, Any], work: Callable[[], str | Awaitable[str]]
    ) -> str:
        """Do one step: the action, the record of it, and the folder after it."""
        async with self._lock:
            if self.closed:
                raise Closed(CLOSED)
            try:
                seen = work()
                seen = seen if isinstance(seen, str) else await seen
            except Refused as refusal:
                seen = f"Error: {refusal}"
            files = {name: self._kept(content) for name, content in self.folder.files.items()}
            self.state.steps.append(Step(action, given, seen, self._elapsed(), files))
            return seen

    def _listing(self, folder: str) -> str:
        return "\n".join(self.folder.listed(folder))

    def _text(self, file: str) -> str:
        return self.folder.read(file).decode(errors="replace")

    def _inspect(self, file: str, first: int, last: int) -> str:
        lines = self._text(file).splitlines()
        if first < 1 or last < first:
            raise Refused(f"lines go from 1 on, and the last is not before the first, {first}.")
        if last - first >= LINES:
            raise Refused(f"at most {LINES} lines are shown at once.")
        return "\n".join(lines[first - 1 : last])

    def _write(self, file: str, content: str) -> str:
        self._edit(file, content.encode("utf-8", "surrogatepass"))
        return f"{inside(file)} was written."

    def _append(self, file: str, content: str) -> str:
        before = self.folder.read(file)
        self._edit(file, before + content.encode("utf-8", "surrogatepass"))
        return f"{inside(file)} was written on."

    def _copy(self, source: str, destination: str) -> str:
        self._edit(destination, self.folder.read(source))
        return f"{inside(source)} was copied to {inside(destination)}."

    def _edit(self, file: str, content: bytes) -> None:
        name = inside(file)
        before = self.folder.files.get(name)
        self.folder.write(file, content)
        digest = "" if before is None else self._kept(before)
        self.state.undo.setdefault(name, []).append(digest)

    def _undo(self, file: str) -> str:
        name = inside(file)
        edits = self.state.undo.get(name, [])
        if not edits:
            raise Refused(f"there is no edit of {file!r} to undo.")
        digest = edits[-1]
        if digest:
            self.folder.write(name, self.state.blobs[digest])
        else:
            self.folder.files = {n: c for n, c in self.folder.files.items() if n != name}
        edits.pop()
        return f"The last edit of {name} was undone.\n{self._text(name) if digest else ''}".strip()

    def _script(self, script: str) -> Callable[[], Awaitable[str]]:
        async def run() -> str:
            self.folder.read(script)
            return await self._run(["python", inside(script)])

        return run

    def _repl(self, command: str) -> Callable[[], Awaitable[str]]:
        return lambda: self._run(["python", "-c", command])

    def _finish(self, text: str) -> str:
        self.state.final = text
        return "Noted. The environment is closed."

    async def _run(self, command: list[str]) -> str:
        if any("\0" in word for word in command):
            raise Refused("code holds no NUL character.")
        hidden = self.task.hidden()
        ran = await run_in(self.folder.files, command, limits=self.task.limits, hidden=hidden)
        notes = self.folder.take(ran.files) if ran.files is not None else []
        notes += [f"{name} is no plain file and was not kept." for name in ran.skipped]
        return "\n".join([shown(ran), *notes]).strip()

    def _kept(self, content: bytes) -> str:
        digest = blake2b(content, digest_size=16).hexdigest()
        self.state.blobs.setdefault(digest, content)
        return digest

    def _elapsed(self) -> float:
        return self._spent + self._clock() - self._began


def shown(ran: Ran) -> str:
    """What an agent sees of a program that ran."""
    if ran.problem:
        lost = "" if ran.files is not None else " Its changes are lost."
        return f"Error: the program was stopped: {ran.problem}.{lost}\n{ran.out}{ran.err}".strip()
    if ran.code or not ran.out:
        return ran.err if ran.err or not ran.code else f"Error: exit code {ran.code}."
    return ran.out
