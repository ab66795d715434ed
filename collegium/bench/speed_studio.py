"""Measure the studio's first page in a real browser: seconds until it can be used, and bytes.

The studio is a process of its own that has just been started. Chromium opens the front page with
an empty cache: how many bytes came, when the first words stood there, when the page talked to the
server. Then once more with the files in its cache, the search by meaning from the key that is
pressed to the papers that are found, and a long run's page if there is one. Run it on a quiet
machine with ``python -m collegium.bench.speed_studio``; it writes ``results/bench/studio.json``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from collegium.bench.machine import machine
from collegium.errors import BadInput, missing_extra

REPEATS = 7
QUERY = "medical"
START_SECONDS = 60
GOAL_SECONDS, GOAL_KB = 1.0, 300.0

SETTLED = "window.did_handshake === true && document.querySelectorAll('article.paper').length > 0"
PAINT = """() => {
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  return paint ? paint.startTime / 1000 : null;
}"""


class Load(msgspec.Struct, frozen=True):
    """One load of the front page.

    Attributes:
        kb: Bytes that came over the wire, in thousands, headers included.
        requests: How many requests that took.
        first_words: Seconds until something could be read.
        usable: Seconds until the page talked to the server.
    """

    kb: float
    requests: int
    first_words: float | None
    usable: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds; times are medians.

    Attributes:
        first: With an empty cache.
        again: With the files in the cache.
        search: Seconds from the key that is pressed to the papers that are found.
        heaviest: The replies with most bytes of a first load, in thousands.
    """

    command: str
    machine: str
    browser: str
    repeats: int
    goal_seconds: float
    goal_kb: float
    first: Load
    again: Load
    search: float
    heaviest: dict[str, float]


@contextmanager
def served() -> Iterator[str]:
    """A studio in a process of its own; gives its address.

    Raises:
        BadInput: It does not start.
    """
    command = [sys.executable, "-m", "collegium.cli", "studio", "--no-browser", "--port", "0"]
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "COLLEGIUM_HOME": home, "COLUMNS": "200"},
        )
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            if "http://" not in line:
                raise BadInput(f"the studio did not start: {line.strip()}")
            yield "http://" + line.rpartition("http://")[2].strip()
        finally:
            process.terminate()
            process.wait(20)


def load(context: Any, address: str) -> tuple[Load, dict[str, float], Any]:
    """Open the front page; gives the figures, bytes by address, and the page."""
    page = context.new_page()
    talk = context.new_cdp_session(page)
    talk.send("Network.enable")
    sizes: dict[str, float] = {}
    names: dict[str, str] = {}
    cached: set[str] = set()
    talk.on(
        "Network.requestWillBeSent", lambda e: names.update({e["requestId"]: e["request"]["url"]})
    )
    talk.on("Network.requestServedFromCache", lambda e: cached.add(e["requestId"]))
    talk.on(
        "Network.loadingFinished",
        lambda e: sizes.update({e["requestId"]: e["encodedDataLength"] / 1000}),
    )
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(SETTLED)
    usable = time.perf_counter() - began
    page.wait_for_load_state("load")
    words = page.evaluate(PAINT)
    came = {k: v for k, v in sizes.items() if k not in cached and v > 0}
    by_name = {names.get(k, "?").removeprefix(address): round(v, 1) for k, v in came.items()}
    done = Load(
        round(sum(came.values()), 1), len(came), words and round(words, 3), round(usable, 3)
    )
    return done, by_name, page


def search(page: Any) -> float:
    """Seconds from a query that is typed to the papers that it finds."""
    field = page.get_by_label("Search the papers")
    field.fill("")
    page.wait_for_function("!document.querySelector('.found').textContent.includes('for')")
    began = time.perf_counter()
    field.fill(QUERY)
    page.wait_for_function(f"document.querySelector('.found').textContent.includes('{QUERY}')")
    return time.perf_counter() - began


def middle(loads: list[Load]) -> Load:
    """The median of several loads, figure by figure."""
    words = [x.first_words for x in loads if x.first_words is not None]
    return Load(
        round(statistics.median(x.kb for x in loads), 1),
        round(statistics.median(x.requests for x in loads)),
        round(statistics.median(words), 3) if words else None,
        round(statistics.median(x.usable for x in loads), 3),
    )


def measure(repeats: int, chromium: str) -> Measured:
    """Measure everything.

    Raises:
        MissingExtra: Playwright is not installed.
        BadInput: The studio does not start.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise missing_extra("test", "measuring the studio") from None
    first: list[Load] = []
    again: list[Load] = []
    found: list[float] = []
    heavy: dict[str, float] = {}
    with served() as address, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context()
        load(context, address)[2].close()  # the server reads papers and packs files once
        search(load(context, address)[2])
        context.close()
        for _ in range(repeats):
            context = browser.new_context()
            one, heavy, page = load(context, address)
            first.append(one)
            page.close()
            two, _, page = load(context, address)
            again.append(two)
            found.append(search(page))
            context.close()
        version = browser.version
        browser.close()
    top = sorted(heavy.items(), key=lambda kv: -kv[1])[:8]
    return Measured(
        command="python -m collegium.bench.speed_studio",
        machine=machine(),
        browser=f"Chromium {version}",
        repeats=repeats,
        goal_seconds=GOAL_SECONDS,
        goal_kb=GOAL_KB,
        first=middle(first),
        again=middle(again),
        search=round(statistics.median(found), 3),
        heaviest=dict(top),
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    parser.add_argument("--out", type=Path, default=Path("results/bench/studio.json"))
    options = parser.parse_args()
    done = measure(options.repeats, options.chromium)
    text = msgspec.json.format(msgspec.json.encode(done), indent=2).decode()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(f"{text}\n")
    print(text)


if __name__ == "__main__":
    main()
