"""MiniWoB++ as worlds: small pages with a task of words and a true reward (Liu et al., 2018).

The pages are those of the package ``miniwob``, served to the browser from its folder; nothing else
of the package is used. An episode's randomness is that of its number, so it is the same for
everybody. The reward is what the page itself says, without the part that shrinks with time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from collegium.errors import BadInput, CollegiumError, missing_extra, unknown_name
from collegium.tasks.task import Score
from collegium.worlds.web.acting import LIMIT, BrowserWorld, Form
from collegium.worlds.web.session import Session, begin
from collegium.worlds.web.task import Mode

ROUNDS = 10
"""Actions after which an episode is over."""

NAME = "http://miniwob.test"

RULES = """You act on a small web page. An observation is a list of its elements, one on a line: \
[number] role 'name'. Actions name elements by these numbers. Do what the task says and nothing \
else; it is over as soon as the page takes it as done, right or wrong."""

_QUIET = "#reward-display, #click-canvas, #sync-task-cover { display: none !important; }"

_START = """([seed, style]) => {
  const look = document.createElement('style');
  look.textContent = style;
  document.head.append(look);
  core.EPISODE_MAX_TIME = 3600 * 1000;
  Math.seedrandom(seed);
  core.startEpisodeReal();
}"""

_SAID = """() => {
  const said = core.getUtterance();
  return typeof said === 'string' ? said : said.utterance;
}"""

_END = """() => ({
  done: Boolean(WOB_DONE_GLOBAL),
  reward: Number(WOB_RAW_REWARD_GLOBAL || 0),
})"""


def pages() -> Path | None:
    """The folder of the package's pages, if it is installed."""
    found = find_spec("miniwob")
    if found is None or not found.origin:
        return None
    folder = Path(found.origin).parent / "html"
    return folder if (folder / "miniwob").is_dir() else None


def missing() -> str:
    """What is needed and not here, "" when nothing is."""
    if pages() is None or find_spec("playwright") is None:
        return "pip install 'collegium[web]'"
    return ""


@cache
def tasks() -> tuple[str, ...]:
    """The names of all tasks, in alphabetical order.

    Raises:
        MissingExtra: The package is not installed.
    """
    folder = pages()
    if folder is None:
        raise missing_extra("web", "MiniWoB++")
    found = sorted(file.stem for file in (folder / "miniwob").glob("*.html"))
    return tuple(name for name in found if name != "index")


AREA = 160, 210
"""Width and height of a task on its page, in pixels."""


class MiniwobWorld(BrowserWorld):
    """An episode of a task.

    Args:
        task: Name of the task.
        number: Of the episode: which of the many that a task has.
        mode: "fixed" or "compat".
        form: How actions are given.
        rounds: Actions after which it is over.
        patience: Seconds that a page may take.

    Raises:
        UnknownName: There is no such task.
        MissingExtra: A package is not installed.
    """

    def __init__(
        self,
        task: str,
        number: int = 0,
        mode: Mode = "fixed",
        *,
        form: Form = "typed",
        rounds: int = ROUNDS,
        patience: float = 10.0,
    ) -> None:
        if task not in tasks():
            raise unknown_name("task of MiniWoB++", task, tasks())
        super().__init__(mode, form=form, rounds=rounds, stops=False, patience=patience)
        self.task, self.number = task, number
        if "." not in task:  # those of flights take the window
            self.area = AREA

    async def _begin(self, seed: int | None) -> Session:
        address = serve()
        session = await begin(
            self._browser, self.mode, {address: NAME}, patience=self.patience, limit=LIMIT
        )
        try:
            problem = await session.goto(f"{address}/miniwob/{self.task}.html")
            if problem:
                raise BadInput(f"{self.task}: {problem}")
            await session.forget()
            page = session.tab.page
            await page.evaluate(_START, [f"{self.task}/{self.number}", _QUIET])
            await page.wait_for_function("() => WOB_TASK_READY", timeout=self.patience * 1000)
            self.intro = f"Task: {await page.evaluate(_SAID)}\n\n"
        except BaseException as error:
            await session.close()
            if isinstance(error, CollegiumError) or not isinstance(error, Exception):
                raise
            reason = str(error).partition("\n")[0]
            raise BadInput(f"{self.task}: the page did not begin ({reason}).") from None
        return session

    async def _over(self, session: Session) -> bool:
        return bool((await self._end(session))["done"])

    async def _score(self, session: Session, answer: str) -> Score:
        end = await self._end(session)
        reward = float(end["reward"]) if end["done"] else 0.0
        value = min(max(reward, 0.0), 1.0)
        return Score(value, value == 1.0, "", {"done": bool(end["done"]), "reward": reward})

    async def _end(self, session: Session) -> dict[str, Any]:
        """What the page says of the end; it says nothing once it has been left."""
        try:
            return await session.tab.page.evaluate(_END)
        except Exception:
            return {"done": False, "reward": 0.0}


def miniwob_world(
    task: str, number: int = 0, mode: Mode = "fixed", form: Form = "typed"
) -> MiniwobWorld:
    """The world of an episode.

    Raises:
        UnknownName: There is no such task.
        MissingExtra: A package is not installed.
    """
    return MiniwobWorld(task, number, mode, form=form)


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


_serving = threading.Lock()
_server: ThreadingHTTPServer | None = None


def serve() -> str:
    """The address of the pages, served from the package's folder to this machine alone.

    Raises:
        MissingExtra: The package is not installed.
    """
    global _server
    folder = pages()
    if folder is None:
        raise missing_extra("web", "MiniWoB++")
    with _serving:
        if _server is None:
            handler = partial(_Quiet, directory=str(folder))
            _server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            _server.daemon_threads = True
            threading.Thread(target=_server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{_server.server_address[1]}"


def episodes(count: int, split: str) -> Iterator[tuple[str, int]]:
    """Episodes that go through all tasks before any comes again; no two splits share one.

    Args:
        count: How many episodes of each task.
        split: "test", "validation" or "train".
    """
    first = {"test": 0, "validation": 1_000_000, "train": 2_000_000}[split]
    for number in range(first, first + count):
        for task in tasks():
            yield task, number
