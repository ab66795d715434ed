"""Worlds over HTTP: a real server, many worlds at once, requests that are wrong."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import httpx

from collegium.errors import BadInput
from collegium.tasks.task import Score
from collegium.worlds.client import WorldClient, WorldFailed, read_action
from collegium.worlds.play import Turn
from collegium.worlds.server import ServeLimits, WorldServer
from collegium.worlds.serving import read_token, require_token, serve, world_app
from collegium.worlds.text import Kind, Stateful, kind
from collegium.worlds.text.textcraft import BOOKS, goals, plan

ROOT = Path(__file__).parents[2]


class Count(msgspec.Struct):
    at: int = 0


class Counter(Stateful[Count]):
    """Count up to three; the move ``crash`` breaks it."""

    def __init__(self) -> None:
        self.state = Count()

    def begin(self, seed: int | None) -> str:
        self.state = Count()
        return "at 0"

    def step(self, action: str) -> Turn:
        if action == "crash":
            raise RuntimeError("a fault in the world")
        self.state.at += 1
        return Turn(f"at {self.state.at}", self.state.at / 3, self.state.at == 3)

    def actions(self) -> list[str]:
        return ["up", "crash"]

    def judge(self, answer: Any) -> Score:
        return Score(self.state.at / 3, self.state.at == 3)


COUNTER = Kind(
    name="counter", description="count", rules="Count.", rounds=5,
    size=lambda split: 4, make=lambda split, number: Counter(), source="", licence="",
)  # fmt: skip


@contextlib.asynccontextmanager
async def served(of: Kind, **options: Any) -> AsyncIterator[str]:
    """A real server on a port of its own."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.ensure_future(serve(of, port=0, on_start=port.set_result, **options))
    try:
        yield f"http://127.0.0.1:{await port}"
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, SystemExit, KeyboardInterrupt):
            await running


async def transcript(client: WorldClient, number: int) -> list[Any]:
    """A whole play of a task of textcraft-small: wrong moves first, then the plan."""
    tasks = goals("textcraft-small", "train")
    short = [i for i, goal in enumerate(tasks) if len(plan(BOOK(), goal)) <= 5]
    task = short[number % len(short)]
    goal = tasks[task]
    seen: list[Any] = [await client.reset(task, seed=number)]
    texts = ["think", "Action: sing", *(f"Thought. Action: {m}" for m in plan(BOOK(), goal))]
    for text in texts:
        turn = await client.step(text)
        seen.append(turn)
        await asyncio.sleep(0)
        if turn.done:
            break
    seen.append(await client.observe())
    return seen


def BOOK() -> Any:  # noqa: N802
    return BOOKS["textcraft-small"]()


@pytest.mark.must_show("agentgym", 6)
async def test_32_worlds_at_once_give_the_same_as_one_after_another() -> None:
    async def play(url: str, together: bool) -> tuple[list[Any], dict[str, Any]]:
        async with httpx.AsyncClient(timeout=60) as http:
            clients = [await WorldClient(url, http=http).open() for _ in range(32)]
            plays = [transcript(c, n) for n, c in enumerate(clients)]
            seen = list(await asyncio.gather(*plays)) if together else [await p for p in plays]
            metrics = (await http.get(f"{url}/metrics")).json()
            for client in clients:
                await client.close()
        return seen, metrics

    async with served(kind("textcraft-small"), split="train") as url:
        first, once = await play(url, together=False)
    async with served(kind("textcraft-small"), split="train") as url:
        second, twice = await play(url, together=True)
    assert first == second
    assert once == twice
    assert once["created"] == once["live"] == 32
    assert once["steps"] == sum(len(s) - 3 for s in first)
    solved = [s for s in first if s[-2].reward == 1.0]
    assert len(solved) == 32
    assert once["rewards"] == len(solved)


@pytest.mark.must_show("agentgym", 6)
async def test_a_world_that_crashes_takes_no_other_down() -> None:
    async with served(COUNTER) as url, httpx.AsyncClient() as http:
        clients = [await WorldClient(url, http=http).open() for _ in range(8)]

        async def play(number: int) -> list[Any]:
            seen: list[Any] = []
            for turn in range(3):
                text = "crash" if (number, turn) == (3, 1) else "up"
                try:
                    seen.append(await clients[number].step(f"Action: {text}"))
                except (WorldFailed, BadInput) as error:
                    seen.append(str(error))
            return seen

        plays = await asyncio.gather(*(play(n) for n in range(8)))
        whole = [Turn("at 1", 1 / 3), Turn("at 2", 2 / 3), Turn("at 3", 1.0, True)]
        assert [p == whole for p in plays] == [n != 3 for n in range(8)]
        assert plays[3][1] == "the world failed: RuntimeError: a fault in the world"
        assert plays[3][2].startswith("the server refused (409): this world failed")
        metrics = (await http.get(f"{url}/metrics")).json()
        assert (metrics["failed"], metrics["refused"], metrics["ended"]) == (1, 1, 7)
        assert await clients[3].reset(0) == "at 0"
        assert await clients[3].step("Action: up") == Turn("at 1", 1 / 3)


@pytest.mark.must_show("agentgym", 8)
async def test_wrong_requests_are_answered_and_the_server_stays_up() -> None:
    async with served(COUNTER) as url, httpx.AsyncClient() as http:
        made = (await http.post(f"{url}/create")).json()
        assert made == {"id": 0, "observation": "at 0", "done": False, "reward": 0.0}
        for path, body, status, message in (
            ("step", {"id": 99, "action": "up"}, 404, "no world with the id 99"),
            ("step", {"id": "0", "action": "up"}, 422, "id is the whole number"),
            ("step", {"id": True, "action": "up"}, 422, "id is the whole number"),
            ("step", {"action": "up"}, 422, "id is the whole number"),
            ("step", {"id": 0}, 422, "step needs the action"),
            ("step", {"id": 0, "action": 3}, 422, "step needs the action"),
            ("reset", {"id": 0, "data_idx": 4}, 404, "data_idx is 0 to 3, not 4"),
            ("reset", {"id": 0, "data_idx": -1}, 404, "data_idx is 0 to 3"),
            ("reset", {"id": 0, "data_idx": "x"}, 422, "data_idx is a whole number"),
            ("reset", {"id": 7, "data_idx": 0}, 404, "no world with the id 7"),
            ("close", {"id": 7}, 404, "no world with the id 7"),
            ("create", {"data_idx": 9}, 404, "data_idx is 0 to 3"),
        ):
            answer = await http.post(f"{url}/{path}", json=body)
            assert (answer.status_code, path) == (status, path)
            assert message in answer.json()["error"]
        for raw in (
            b"",
            b"not json",
            b"[1]",
            b'"text"',
            b"\xff\xfe",
            b"{" * 2000,
            b'{"id": 1e999}',
        ):
            answer = await http.post(f"{url}/step", content=raw)
            assert 400 <= answer.status_code < 500, raw
            assert answer.json()["error"]
        big = await http.post(f"{url}/step", content=b" " * 1_000_001)
        assert big.status_code == 413
        for query in ("", "?id=x", "?id=-1", "?id=5", "?id=" + "9" * 40):
            answer = await http.get(f"{url}/observation{query}")
            assert answer.status_code in (404, 422)
        assert (await http.get(f"{url}/step")).status_code == 405
        # The play goes on, up to its end and not further.
        for _ in range(3):
            last = (await http.post(f"{url}/step", json={"id": 0, "action": "up"})).json()
        assert last == {"observation": "at 3", "reward": 1.0, "done": True}
        over = await http.post(f"{url}/step", json={"id": 0, "action": "up"})
        assert over.status_code == 409
        assert over.json()["error"] == "the play is over; reset it to play again."
        assert (await http.get(f"{url}/observation?id=0")).json() == "at 3"
        again = (await http.post(f"{url}/reset", json={"id": 0, "data_idx": 3})).json()
        assert again == {"id": 0, "observation": "at 0", "done": False, "reward": 0.0}
        assert (await http.get(f"{url}/available_actions?id=0")).json() == ["up", "crash"]


async def test_ids_are_never_used_again_and_worlds_are_limited_in_number_and_time() -> None:
    now = [0.0]
    server = WorldServer(COUNTER, "test", ServeLimits(worlds=2, idle=10.0), clock=lambda: now[0])
    transport = httpx.ASGITransport(world_app(server))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:

        async def create() -> Any:
            return (await http.post("/create")).json()

        assert [(await create())["id"] for _ in range(2)] == [0, 1]
        assert "2 worlds are open" in (await create())["error"]
        assert (await http.post("/close", json={"id": 1})).json() == {"closed": True}
        assert (await http.post("/close", json={"id": 1})).status_code == 404
        assert (await create())["id"] == 2
        now[0] = 6.0
        await http.get("/observation?id=0")  # so this one is not idle
        now[0] = 12.0
        assert (await create())["id"] == 3
        assert (await http.get("/observation?id=2")).status_code == 404
        assert (await http.get("/observation?id=0")).status_code == 200
        assert server.counted().expired == 1
        assert server.counted().live == 2


async def test_idle_worlds_end_when_nobody_asks_for_new_ones() -> None:
    async with served(COUNTER, limits=ServeLimits(idle=0.2)) as url, httpx.AsyncClient() as http:
        await http.post(f"{url}/create")
        for _ in range(100):
            metrics = (await http.get(f"{url}/metrics")).json()
            if metrics["expired"]:
                break
            await asyncio.sleep(0.1)
        assert (metrics["expired"], metrics["live"]) == (1, 0)


async def test_a_token_is_asked_for() -> None:
    server = WorldServer(COUNTER)
    transport = httpx.ASGITransport(world_app(server, token="secret"))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        assert (await http.post("/create")).status_code == 401
        wrong = {"Authorization": "Bearer secre"}
        assert (await http.get("/", headers=wrong)).status_code == 401
        client = await WorldClient("http://localhost", token="secret", http=http).open()
        assert len(client) == 4
        with pytest.raises(BadInput, match="refused \\(401\\)"):
            await WorldClient("http://localhost", http=http).open()
    with pytest.raises(BadInput, match="a token is needed"):
        require_token("0.0.0.0", None)
    require_token("0.0.0.0", "secret")
    require_token("127.0.0.1", None)


@pytest.mark.must_show("agentgym", 3)
async def test_two_actions_are_an_error_the_state_stays_and_the_round_counts() -> None:
    transport = httpx.ASGITransport(world_app(WorldServer(COUNTER)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        client = await WorldClient("http://localhost", http=http).open()
        await client.step("Thought: go.\nAction: up")
        turn = await client.step("Action: up\nObservation: at 2\nAction: up")
        assert turn.observation == (
            "Error: write exactly one line with Action: - there was 2 moves; nothing was done."
        )
        assert (turn.reward, turn.done) == (0.0, False)
        assert await client.observe() == "at 1"
        assert client.rounds == 2
        assert (await client.step("I do nothing.")).observation.startswith("Error: ")
        assert (await client.step("Action:")).observation.startswith("Error: ")
        assert await client.observe() == "at 1"
        last = await client.step("Action: up")
        assert (client.rounds, last.done) == (5, True)  # the rounds are used up
        assert client.opening[1].loss is False


def test_what_a_client_reads_of_a_text() -> None:
    assert read_action("Thought: x\nAction: craft 1 a_b using [2 c], 3 d!\nmore", letters=True) == (
        "craft 1 ab using 2 c, 3 d", "",
    )  # fmt: skip
    assert read_action("Action: sql SELECT *\nFROM t;") == ("sql SELECT *\nFROM t;", "")


async def test_a_world_of_tools_is_served_too() -> None:
    transport = httpx.ASGITransport(world_app(WorldServer(kind("todo"))))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        client = await WorldClient("http://localhost", http=http).open()
        assert "finish_thing {number} - Mark a thing as done." in client.about.rules
        assert (await client.step("Action: lists")).observation.startswith('["')
        assert 'things {"name": "' in " ".join(await client.actions())
        end = await client.step('Action: finish {"answer": "nothing of this kind"}')
        assert (end.reward, end.done) == (0.0, True)


async def test_no_web_page_of_another_site_reaches_it() -> None:
    async with served(COUNTER) as url, httpx.AsyncClient() as http:
        port = url.rpartition(":")[2]
        for headers, status in (
            ({}, 200),
            ({"Origin": f"http://localhost:{port}"}, 200),
            ({"Host": f"localhost:{port}"}, 200),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Host": "rebound.example"}, 403),
            ({"Host": f"127.0.0.1.evil.example:{port}"}, 403),
        ):
            answer = await http.post(f"{url}/create", headers=headers)
            assert answer.status_code == status, headers
            if status == 403:
                assert "this machine alone" in answer.json()["error"]
        metrics = (await http.get(f"{url}/metrics")).json()
        assert (metrics["created"], metrics["refused"]) == (3, 4)
    async with served(COUNTER, token="a-token-nobody-guesses") as url, httpx.AsyncClient() as http:
        known = {"Authorization": "Bearer a-token-nobody-guesses", "Host": "worlds.example"}
        assert (await http.post(f"{url}/create", headers=known)).status_code == 200


def test_a_token_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for text, said in (("", "holds 0"), ("one two", "holds 2"), ("short", "shorter than 16")):
        file.write_text(text)
        with pytest.raises(BadInput, match=said):
            read_token(file)
    with pytest.raises(BadInput, match="cannot read the token file"):
        read_token(tmp_path / "nowhere")
    file.write_text("a-token-nobody-guesses # of the lab\n")
    assert read_token(file) == "a-token-nobody-guesses"


def test_the_command_serves_and_refuses(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("# for the lab\na-token-nobody-guesses\n")
    program = [sys.executable, "-m", "collegium.cli", "world", "serve", "maze"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    refused = subprocess.run(
        [*program, "--host", "0.0.0.0"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 2
    assert "a token is needed" in refused.stderr
    running = subprocess.Popen(
        [*program, "--port", "0", "--token-file", str(file)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        said = running.stdout.readline()
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+", said)
        assert httpx.get(url, timeout=20).status_code == 401
        known = {"Authorization": "Bearer a-token-nobody-guesses"}
        about = httpx.get(url, headers=known, timeout=20).json()
        assert (about["name"], about["split"]) == ("maze", "test")
        assert httpx.post(f"{url}/create", headers=known, timeout=20).json()["id"] == 0
    finally:
        running.terminate()
        running.wait(20)
