"""Each text world by hand: its rules, its rewards, and that its tasks can be solved."""

from typing import Any

import pytest

from collegium.tasks.sources import data_file
from collegium.worlds.play import Turn, playable
from collegium.worlds.text import kind
from collegium.worlds.text.dbbench import (
    Database,
    _case,
    left_out,
    run_statement,
    same_values,
)
from collegium.worlds.text.maze import MAZES, MOVES, Maze, distances, read_maze, starts
from collegium.worlds.text.shop import Shop, _products, _wishes
from collegium.worlds.text.todo import case
from collegium.worlds.text.wordle import Wordle, marked, words

SPLITS = ("train", "validation", "test")
with_tables = pytest.mark.skipif(
    data_file("agentbench/dbbench_standard.jsonl") is None, reason="the tables are not here"
)
with_products = pytest.mark.skipif(
    data_file("taubench/retail/products.json") is None, reason="the products are not here"
)


@pytest.mark.parametrize(
    ("guess", "word", "signs"),
    [
        ("crane", "crane", "ggggg"),
        ("speed", "abide", "bbyby"),
        ("eerie", "there", "ybybg"),
        ("allow", "label", "yyybb"),
        ("robot", "floor", "yybgb"),
    ],
)
def test_letters_are_marked_as_often_as_the_word_has_them(guess, word, signs) -> None:
    assert marked(guess, word) == signs


def test_wordle_by_hand() -> None:
    game = Wordle("crane")
    game.begin(0)
    assert game.step("xxxxx") == Turn("'xxxxx' is no word of the list; guess another.", -1.0)
    assert game.step("t r a c e").observation == "b g g y g (trace): 5 guesses left."
    assert game.step("CRANE") == Turn("g g g g g (crane): that is the word.", 0.0, True)
    assert game.judge(None).facts == {"guesses": 2.0}
    lost = Wordle("crane")
    lost.begin(0)
    turns = [lost.step(word) for word in words() if word != "crane"][:6]
    assert [t.done for t in turns] == [False] * 5 + [True]
    assert not lost.judge("crane").correct
    assert len(set(words())) == len(words()) > 500


def test_the_maze_by_hand() -> None:
    game = Maze(MAZES["train"], (5, 4))
    assert game.begin(0) == "The goal is at 5, 6. You are at 5, 4. Walls: up, down."
    assert game.step("move up") == Turn(
        "There is a wall. The goal is at 5, 6. You are at 5, 4. Walls: up, down.", -4.0
    )
    assert game.step("fly").reward == -1.0
    assert game.step("move right").reward == -1.0
    assert game.step("right") == Turn("You are at the goal.", 0.0, True)
    assert game.judge(None).correct
    walker = Maze(MAZES["train"], (5, 4))
    walker.begin(0)
    turns = [walker.step("up") for _ in range(50)]
    assert [t.done for t in turns] == [False] * 49 + [True]


@pytest.mark.parametrize("split", SPLITS)
def test_every_start_of_the_maze_reaches_the_goal_in_time(split: str) -> None:
    floor, goal = read_maze(MAZES[split])
    rows = MAZES[split].strip().splitlines()
    assert (len(rows), {len(row) for row in rows}) == (10, {13})
    far = distances(floor, goal)
    assert set(far) == floor
    for start in starts(split):
        game = Maze(MAZES[split], start)
        game.begin(0)
        turn = Turn("")
        for _ in range(kind("maze").rounds):
            row, column = game.state.at
            best = min(MOVES, key=lambda m: far.get((row + MOVES[m][0], column + MOVES[m][1]), 99))
            turn = game.step(f"move {best}")
            if turn.done:
                break
        assert turn == Turn("You are at the goal.", 0.0, True)


@with_products
@pytest.mark.parametrize("split", SPLITS)
def test_every_wish_of_the_shop_can_be_met(split: str) -> None:
    for product, variant in _wishes(split):
        game = Shop(_products(), product, variant)
        wish = game.begin(0)
        name = _products()[product].name.lower()
        assert wish.startswith(f"The customer wants: {name} with ")
        moves = [f"search[{name}]", f"click[{name}]"]
        moves += [f"click[{k} {v}]" for k, v in game.wanted.options.items()] + ["click[buy now]"]
        turns = [game.step(move) for move in moves]
        assert turns[-1].done, (wish, turns)
        assert turns[-1].reward == 1.0
        assert len(moves) <= kind("shop").rounds
        assert game.judge(None).correct


@with_products
def test_part_of_a_wish_is_part_of_a_reward_and_not_right() -> None:
    kettle = next(n for n, p in _products().items() if p.name == "Electric Kettle")
    wishes = [w for s in SPLITS for w in _wishes(s) if w[0] == kettle]
    game = Shop(_products(), *wishes[0])
    game.begin(0)
    other = next(
        v for v in _products()[kettle].variants.values()
        if v.available and 0 < sum(v.options[k] == o for k, o in game.wanted.options.items()) < 3
    )  # fmt: skip
    assert game.step("click[buy now]").observation.startswith("There is no 'buy now'")
    game.step("search[electric kettle]")
    game.step("click[electric kettle]")
    assert game.step("click[buy now]").observation.startswith("Choose first: ")
    for option, value in other.options.items():
        game.step(f"click[{option} {value}]")
    turn = game.step("click[buy now]")
    assert turn.done
    assert 0 < turn.reward < 1
    score = game.judge(None)
    assert (score.correct, score.value) == (False, turn.reward)
    wrong = Shop(_products(), *wishes[0])
    wrong.begin(0)
    assert "- Tea Kettle" in wrong.step("search[kettle]").observation
    assert wrong.step("buy") == Turn("A move is search[WORDS] or click[THING].")


@with_tables
@pytest.mark.parametrize("split", SPLITS)
def test_every_reference_solves_its_case_of_the_database(split: str) -> None:
    for number in range(kind("dbbench").size(split)):
        one = _case(split, number)
        game = Database(one)
        game.begin(0)
        assert not game.judge(None).correct
        if one.changes:
            assert not game.step(f"sql {one.statement}").observation.startswith("Error")
            turn = game.step("done")
        else:
            turn = game.step("answer " + "; ".join(map(str, one.label)))
        assert (turn.reward, turn.done) == (1.0, True), one.description
        assert game.judge("something else").correct  # what was answered in the world counts
        game.close()


@with_tables
def test_cases_left_out_are_named() -> None:
    assert set(left_out()) == {"180", "206"}
    total = sum(kind("dbbench").size(split) for split in SPLITS)
    assert total + len(left_out()) == 300


@with_tables
def test_a_statement_cannot_leave_the_database_nor_run_for_ever(tmp_path: Any) -> None:
    game = Database(_case("train", 0))
    game.begin(0)
    name = game.case.table.table_name
    for statement in (
        f"ATTACH DATABASE '{tmp_path}/x.db' AS x",
        "SELECT load_extension('x')",
        "PRAGMA journal_mode=OFF",
        f"VACUUM INTO '{tmp_path}/y.db'",
        "SELECT 1; SELECT 2",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
        f'DROP TABLE "{name}"',
        "SELECT zeroblob(100000000)",
        "",
    ):
        seen = game.step(f"sql {statement}").observation
        assert seen.startswith("Error") or seen == "0 rows changed.", statement
    assert list(tmp_path.iterdir()) == []
    rows = game.step(f'sql SELECT * FROM "{name}"').observation
    assert rows.startswith("[[")
    assert "more" not in rows or rows.endswith("and more")
    game.close()


def test_a_failed_statement_changes_nothing() -> None:
    import sqlite3

    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (n INT UNIQUE)")
    assert run_statement(database, "INSERT INTO t VALUES (1)") == "1 rows changed."
    assert run_statement(database, "INSERT INTO t VALUES (2), (1)").startswith("Error: UNIQUE")
    assert run_statement(database, "SELECT n FROM t") == "[[1]]"


@pytest.mark.parametrize(
    ("said", "label", "same"),
    [
        ("Women +60kg Bronze", ["Women +60kg Bronze"], True),
        ("women +60KG bronze.", ["Women +60kg Bronze"], True),
        ("b; a", ["a", "b"], True),
        ('["a", "b"]', ["a", "b"], True),
        ("a, b", ["a", "b"], True),
        ("a", ["a", "b"], False),
        ("a; b; c", ["a", "b"], False),
        ("a; a", ["a", "b"], False),
        ("Tokyo, Japan", ["Tokyo, Japan"], True),
        ("12.004", ["12"], True),
        ("12.2", ["12"], False),
        ("1,200", ["1200"], True),
        (7, ["7"], True),
        (None, ["7"], False),
        ("", ["7"], False),
    ],
)
def test_answers_name_the_values_and_nothing_else(said, label, same) -> None:
    assert same_values(said, label) is same


async def test_every_job_of_the_lists_can_be_done_and_nothing_else_will_do() -> None:
    of = kind("todo")
    for number in range(30):
        start, one = case("test", number)
        world = playable(of.world("test", number))
        assert await world.reset(0) == one.text
        moves: list[str] = []
        by_number = {t.number: t for t in start.things}
        for thing in one.end.things:
            before = by_number.get(thing.number)
            if before is None:
                moves.append(
                    f'add {{"title": "{thing.title}", "name": "{thing.name}", "day": {thing.day}}}'
                )
            elif before.name != thing.name:
                moves.append(f'move {{"number": {thing.number}, "name": "{thing.name}"}}')
            elif before.done != thing.done:
                moves.append(f'finish_thing {{"number": {thing.number}}}')
        gone = set(by_number) - {t.number for t in one.end.things}
        moves += [f'delete {{"number": {n}}}' for n in gone]
        for move in moves:
            assert "Error" not in (await world.step(move)).observation
        if one.answer is None:
            assert moves
            assert (await world.judge(None)).correct
        else:
            assert not moves
            assert not (await world.judge("something")).correct
        turn = await world.step(f'finish {{"answer": "{one.answer or "done"}"}}')
        assert (turn.reward, turn.done) == (1.0, True), one.text


async def test_moves_of_tools_that_go_wrong_say_so() -> None:
    world = playable(kind("todo").world("test", 0))
    await world.reset(0)
    for move, said in (
        ("things", "Error: tool 'things'"),
        ('things {"name": "nowhere"}', "Error: there is no list 'nowhere'."),
        ('thing {"name": "x"}', "Error: unknown tool 'thing'; did you mean 'things'?"),
        ('things {"name": ', "Error: the arguments of 'things' are not a JSON object"),
        ('{"name": "x"}', "Error: the move names no tool."),
        ('delete {"number": 99}', "Error: there is no thing with the number 99."),
        ('add {"title": "x", "name": "y", "day": 31}', "Error: a day is 1 to 30, not 31."),
    ):
        assert (await world.step(move)).observation.startswith(said)
