"""TextCraft: recipes by hand, circles, and an exact planner that solves every task."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from collegium.tasks.sources import data_file
from collegium.worlds.text.textcraft import BOOKS, TextCraft, goals, listed, plan, read_book

original = pytest.mark.skipif(
    data_file("textcraft/recipes/lead.json") is None, reason="the recipes are not here"
)


@pytest.mark.must_show("agentgym", 1)
@original
def test_a_lead_by_hand() -> None:
    game = TextCraft(BOOKS["textcraft"](), "lead")
    assert "craft 2 lead using 4 string, 1 slime ball" in game.begin(0)
    assert game.begin(0).endswith("Goal: craft lead.")
    assert game.step("get 4 string").observation == "Got 4 string."
    assert game.step("get 1 slime ball").observation == "Got 1 slime ball."
    before = dict(game.state.inventory)
    assert game.step("get 1 leather").observation == "Could not find leather."
    refused = game.step("craft 1 lead using 3 string, 1 slime ball")
    assert refused.observation.startswith("There is no recipe for 1 lead")
    assert game.step("craft 2 lead using 4 string").observation.startswith("There is no recipe")
    assert game.state.inventory == before == {"string": 4, "slime ball": 1}
    made = game.step("craft 2 lead using 1 slime ball, 4 string")
    assert (made.reward, made.done) == (1.0, True)
    assert game.state.inventory == {"lead": 2}
    assert game.judge(None).correct


def test_what_one_does_not_have_is_not_used() -> None:
    game = TextCraft(BOOKS["textcraft-small"](), "cloth")
    game.begin(0)
    assert game.step("craft 1 cloth using 6 thread").observation == (
        "Not enough thread to craft cloth."
    )
    assert game.step("get 1 wool").observation == "Got 1 wool."
    assert game.step("get 0 wool").observation == "Could not find wool."
    assert game.step("craft 3 thread using 1 wool").reward == 0.0
    assert game.step("inventory").observation == "Inventory: 3 thread"
    assert game.step("sing").observation.startswith("That is no move")
    assert not game.judge(None).correct


def nuggets() -> dict[str, dict]:
    def recipe(result: str, count: int, needed: str, of: int) -> dict:
        return {
            "type": "x:crafting_shapeless",
            "ingredients": [{"item": f"x:{needed}"}] * of,
            "result": {"item": f"x:{result}", "count": count},
        }

    return {
        "ingot_from_nuggets": recipe("ingot", 1, "nugget", 9),
        "nugget": recipe("nugget", 9, "ingot", 1),
        "block": recipe("block", 1, "ingot", 9),
        "ingot_from_block": recipe("ingot", 9, "block", 1),
        "ring": recipe("ring", 1, "ingot", 2),
    }


@pytest.mark.must_show("agentgym", 2)
def test_circles_are_broken_the_same_way_whatever_the_order_of_files() -> None:
    raw = nuggets()
    books = set()
    for seed in range(20):
        names = list(raw)
        random.Random(seed).shuffle(names)
        book = read_book({name: raw[name] for name in names})
        books.add((repr(sorted(book.recipes.items())), book.base, book.dropped))
    assert len(books) == 1
    book = read_book(raw)
    assert book.dropped == ("ingot_from_block", "nugget")
    assert book.base == {"nugget"}
    assert book.depth == {"nugget": 0, "ingot": 1, "block": 2, "ring": 2}


@pytest.mark.must_show("agentgym", 2)
@original
def test_the_tree_is_the_same_on_every_machine_and_tells_what_it_dropped(tmp_path: Path) -> None:
    book = BOOKS["textcraft"]()
    assert {"gold_nugget", "gold_ingot_from_gold_block", "slime_ball"} <= set(book.dropped)
    assert "gold nugget" in book.base
    assert "gold ingot" not in book.base
    # Another process, another hash seed, files written in another order.
    source = data_file("textcraft/recipes/lead.json")
    assert source is not None
    copied = tmp_path / "textcraft" / "recipes"
    copied.mkdir(parents=True)
    for file in sorted(source.parent.glob("*.json"), reverse=True):
        (copied / file.name).write_bytes(file.read_bytes())
    program = (
        "import collegium.tasks, json\n"
        "from collegium.worlds.text.textcraft import BOOKS, goals\n"
        "book = BOOKS['textcraft']()\n"
        "print(json.dumps([book.dropped, sorted(book.base), sorted(book.depth.items()),\n"
        "      goals('textcraft', 'test')]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "COLLEGIUM_DATA": str(tmp_path), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [
        list(book.dropped), sorted(book.base), [list(i) for i in sorted(book.depth.items())],
        goals("textcraft", "test"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(BOOKS))
def test_a_planner_solves_every_task(name: str) -> None:
    if name == "textcraft" and data_file("textcraft/recipes/lead.json") is None:
        pytest.skip("the recipes are not here")
    book = BOOKS[name]()
    solved = 0
    for split in ("train", "validation", "test"):
        for goal in goals(name, split):
            game = TextCraft(book, goal)
            game.begin(1)
            turns = [game.step(move) for move in plan(book, goal)]
            assert turns[-1].done, goal
            solved += game.judge(None).correct
    assert solved == sum(len(goals(name, s)) for s in ("train", "validation", "test"))


def test_a_tag_is_met_by_anything_that_belongs_to_it() -> None:
    book = BOOKS["textcraft-small"]()
    for boards in ("4 oak board", "2 oak board, 2 pine board", "4 boards"):
        game = TextCraft(book, "bench")
        game.begin(0)
        game.state.inventory = {"oak board": 3, "pine board": 3, "dowel": 2}
        game.state.inventory["oak board"] = 4 if boards == "4 oak board" else 3
        turn = game.step(f"craft 1 bench using {boards}, 2 dowel")
        assert turn.done, (boards, turn)
        left = sum(n for item, n in game.state.inventory.items() if item.endswith("board"))
        assert left == (3 if boards == "4 oak board" else 2)


def test_commands_that_do_not_help_are_listed_too() -> None:
    book = BOOKS["textcraft-small"]()
    needed = {str(r) for r in listed(book, "cloth")}
    assert "craft 1 cloth using 6 thread" in needed
    assert len(needed) == 12
    game = TextCraft(book, "cloth")
    assert game.begin(1) != game.begin(2)  # the seed mixes them
    assert sorted(game.begin(1).splitlines()) == sorted(game.begin(2).splitlines())
