"""What holds for every text world: splits, seeds, snapshots, floors, runs."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from collegium.bench.jobs import Entry, run_job
from collegium.errors import BadInput, UnknownName
from collegium.kernel import Reply, ToolCall, Usage
from collegium.systems import parse_system
from collegium.tasks import benchmarks, load
from collegium.tasks.text_worlds import floors, text_item, world_item
from collegium.worlds.play import Playable, play_idle
from collegium.worlds.text import Kind, Saved, kind, kinds, text_world

NAMES = sorted(kinds())
QUICK = [name for name in NAMES if kind(name).quick]


def here(name: str) -> Kind:
    """The kind, if all it needs is here."""
    of = kind(name)
    if problem := of.missing():
        pytest.skip(f"needs {problem}")
    return of


async def moved(world: Playable, count: int, seed: int = 0) -> list[Any]:
    """The turns of some moves, always the first that can be made after the one before it."""
    turns = []
    for number in range(count):
        ends = ("answer", "done", "finish ", "focus")
        possible = [a for a in world.actions() if not a.startswith(ends)]
        if world.last.done or not possible:
            break
        turns.append(await world.step(possible[(7 * number + seed) % len(possible)]))
    return turns


@pytest.mark.parametrize("name", QUICK)
async def test_the_same_seed_and_moves_give_the_same(name: str) -> None:
    of = here(name)
    seen = []
    for _ in range(2):
        world = of.world("train", 1)
        first = await world.reset(3)
        seen.append((first, await moved(world, 6), await world.judge(None)))
        await world.close()
    assert seen[0] == seen[1]
    assert seen[0][0]
    assert seen[0][1]


@pytest.mark.parametrize("name", QUICK)
async def test_a_snapshot_brings_everything_back(name: str) -> None:
    of = here(name)
    world = of.world("train", 0)
    assert world.snapshots in ("state", "replay")
    game = getattr(world, "game", None)
    if game is not None:
        assert (world.snapshots == "state") == isinstance(game, Saved)
    await world.reset(5)
    await moved(world, 2)
    kept, seen, score = await world.snapshot(), world.last, await world.judge(None)
    after = await moved(world, 4, seed=1)
    assert after
    for _ in range(2):
        await world.restore(kept)
        assert world.last == seen
        assert await world.judge(None) == score
        assert await moved(world, 4, seed=1) == after
    await world.close()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in QUICK])
async def test_worlds_that_take_time_do_the_same_again_and_come_back(name: str) -> None:
    world = here(name).world("train", 0)
    first = await world.reset(5)
    begun = await moved(world, 2)
    kept, seen = await world.snapshot(), world.last
    after = await moved(world, 3, seed=1)
    score = await world.judge(None)
    assert not score.correct
    await world.restore(kept)
    assert world.last == seen
    assert await moved(world, 3, seed=1) == after
    assert await world.judge(None) == score
    assert await world.reset(5) == first
    assert await moved(world, 2) == begun
    assert begun
    assert after
    assert world.snapshots == "replay"
    await world.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_splits_have_tasks_and_share_none(name: str) -> None:
    of = here(name)
    sizes = {split: of.size(split) for split in of.splits}
    assert of.splits == ("train", "validation", "test")
    assert all(size >= 3 for size in sizes.values())
    with pytest.raises(BadInput, match="no split 'dev'"):
        of.world("dev", 0)
    with pytest.raises(BadInput, match=f"tasks 0 to {sizes['test'] - 1} in its split 'test'"):
        of.world("test", sizes["test"])


@pytest.mark.parametrize("name", QUICK)
async def test_a_move_after_the_end_is_refused_and_rounds_are_counted(name: str) -> None:
    of = here(name)
    world = of.world("train", 2, rounds=2)
    await world.reset(0)
    await world.step("dance wildly")
    turn = world.last if world.last.done else await world.step("dance wildly")
    assert turn.done
    with pytest.raises(BadInput, match="over; reset it"):
        await world.step("dance wildly")
    assert not (await world.judge(None)).correct
    await world.close()


@pytest.mark.parametrize("name", QUICK)
async def test_doing_nothing_solves_nothing(name: str) -> None:
    of = here(name)
    for number in range(3):
        world = of.world("test", number)
        assert not (await play_idle(world, 1)).correct
        await world.close()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_benchmark_with_its_floors(name: str) -> None:
    of = here(name)
    whole = load(name, limit=4)
    again = load(name, limit=3)
    assert [i.task.id for i in again.items] == [i.task.id for i in whole.items[:3]]
    assert load(name, limit=4).fingerprint == whole.fingerprint
    assert whole.items[0].task.tools == of.tools
    assert pickle.loads(pickle.dumps(whole.items[0])).task == whole.items[0].task
    if of.quick:
        assert whole.controls["doing nothing"] == 0.0
        assert 0 <= whole.controls["random"] <= 1
        assert floors(of, "test", [0, 1]) == floors(of, "test", [0, 1])
    train = load(name, split="train", limit=2)
    assert not {i.task.id for i in train.items} & {i.task.id for i in whole.items}
    (listed,) = [b for b in benchmarks() if b.name == name]
    assert listed.available
    assert listed.size == of.size("test")


class Player:
    """A model that makes given moves by the tool act, and then stops."""

    name, fingerprint, context = "player", "player-1", 0

    def __init__(self, moves: list[str]) -> None:
        self.moves = moves

    async def generate(self, request: Any, on_text: Any = None) -> tuple[Reply[Any], ...]:
        turn = sum(m.role == "tool" for m in request.messages)
        if turn < len(self.moves):
            call = ToolCall(str(turn), "act", {"action": self.moves[turn]})
            return (Reply("", tool_calls=(call,), usage=Usage(1, 0, 1), finish="tool"),)
        return (Reply("done", usage=Usage(1, 0, 1)),)

    async def aclose(self) -> None: ...


async def test_a_system_plays_and_the_state_is_judged() -> None:
    from collegium.worlds.text.textcraft import TextCraft, plan

    item = world_item("textcraft-small:4")
    game = text_world("textcraft-small", "test", 4).game  # type: ignore[attr-defined]
    assert isinstance(game, TextCraft)
    entry = Entry("tool-calling:steps=25", *parse_system("tool-calling:steps=25"))
    moves = plan(game.book, game.goal)
    solved = await run_job(entry, item, {"": Player(moves)}, seed=1, budget=None)
    assert solved.correct
    assert "Crafting commands:" in solved.prompt
    lazy = await run_job(entry, item, {"": Player(moves[:-1])}, seed=1, budget=None)
    assert not lazy.correct


def test_worlds_are_named_with_their_tasks() -> None:
    assert world_item("maze").task.id == "maze/test/0"
    assert world_item("maze:7").task.id == "maze/test/7"
    assert world_item("maze:7", "train").task.id == "maze/train/7"
    assert text_item(kind("wordle"), "validation", 3).task.id == "wordle/validation/3"
    for wrong, message in (
        ("mazes:1", "unknown benchmark 'mazes'; did you mean 'maze'"),
        ("maze:x", "the task is a number, such as maze:3"),
        ("maze:9999", "has the tasks 0 to"),
    ):
        with pytest.raises(BadInput, match=message):
            world_item(wrong)
    with pytest.raises(UnknownName, match="did you mean 'wordle'"):
        kind("wordl")
    with pytest.raises(UnknownName, match="unknown benchmark 'maze:1'"):
        load("maze:1")


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("COLLEGIUM_DATA", str(tmp_path))
    listed = {b.name: b for b in benchmarks()}
    assert listed["maze"].available
    assert not listed["dbbench"].available
    assert "agentbench/dbbench_standard.jsonl" in listed["dbbench"].missing
    with pytest.raises(BadInput, match="dbbench cannot be played here: it needs agentbench"):
        load("dbbench")
    assert json.dumps(listed["shop"].missing)


async def test_the_text_world_in_the_documentation_works() -> None:
    page = Path(__file__).parents[3] / "docs" / "rooms" / "worlds.md"
    (block,) = [b for b in page.read_text().split("```python\n") if "class Stairs" in b]
    there: dict[str, Any] = {}
    exec(block.split("```")[0], there)
    (stairs,) = there["KINDS"]
    world = stairs.world("test", 0)
    assert world.snapshots == "state"
    assert (await world.reset(0)).startswith("The stairs have 3 steps.")
    assert [(await world.step("up")).reward for _ in range(3)] == [0.0, 0.0, 1.0]
    assert (await world.judge(None)).correct
