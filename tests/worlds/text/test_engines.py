"""Worlds that other packages play: somebody who knows the way reaches the goal."""

from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.worlds.text import kind
from collegium.worlds.text.kind import TextWorld


def needs(name: str) -> Any:
    of = kind(name)
    return pytest.mark.skipif(bool(of.missing()), reason=f"needs {of.missing()}")


@needs("babyai")
def test_the_packages_own_expert_solves_the_grid_in_time() -> None:
    from minigrid.utils.baby_ai_bot import BabyAIBot

    of = kind("babyai")
    words = {0: "turn left", 1: "turn right", 3: "pick up", 4: "drop", 5: "toggle"}
    late = []
    for number in range(of.size("test")):
        game: Any = of.make("test", number)
        game.begin(0)
        bot = BabyAIBot(game.env)
        moves, steps, turn, action = 0, 0, None, None
        while moves < 40:
            action = int(bot.replan(action))
            ahead = action == 2
            moves += not (ahead and steps)  # a walk straight on is one move
            steps = steps + 1 if ahead else 0
            turn = game.step("move forward 1" if ahead else words[action])
            if turn.done:
                break
        assert turn is not None
        assert turn.done
        assert turn.reward > 0
        assert game.judge(None).correct
        if moves > of.rounds:
            late.append((number, moves))
        game.close()
    assert late == []


@needs("babyai")
def test_the_grid_by_hand() -> None:
    game: Any = kind("babyai").make("test", 0)
    seen = game.begin(0)
    assert seen.startswith("Mission: go to the red ball.\nYou see: ")
    assert game.begin(5) == seen
    assert game.step("jump").observation.startswith("That is no move. You see: ")
    lines = {game.step("turn right").observation for _ in range(4)}
    assert len(lines) == 4
    assert game.step("turn left").reward == 0.0
    wall = game.step("move forward 30")
    assert "Free cells in front of you: 0." in wall.observation
    game.close()


@needs("alfworld")
def test_a_household_task_is_done_by_the_planner_of_its_engine() -> None:
    import textworld

    from collegium.worlds.text.alfworld import AlfWorld, games

    game = AlfWorld(games("train")[0])
    seen = game.begin(0)
    assert "Your task is to: " in seen
    assert "_bar_" not in seen
    assert all("_bar_" not in action for action in game.actions())
    assert "drawer 1" in seen
    places = [a for a in game.actions() if a.startswith("go to ")]
    assert all(place[-1].isdigit() for place in places)
    assert len(places) == len(set(places)) > 8
    assert game.step("eat the fridge").observation == "Nothing happens."
    assert not game.judge("done").correct
    wanted = textworld.EnvInfos(policy_commands=True)
    planner: Any = textworld.start(str(games("train")[0]), wanted)
    way = planner.reset()["policy_commands"]
    turns = [game.step(game._tell(command)) for command in way]
    assert (turns[-1].reward, turns[-1].done) == (1.0, True)
    assert game.judge(None).correct
    assert len(way) <= kind("alfworld").rounds
    game.close()


@needs("alfworld")
def test_a_game_that_cannot_be_loaded_says_so() -> None:
    from collegium.worlds.text import alfworld

    (lost,) = [
        file
        for file in alfworld.games("validation")[0].parents[2].glob("*/*/game.tw-pddl")
        if file.parent.name in alfworld.OUT_OF_REACH
    ]
    with pytest.raises(BadInput, match="its goal is out of reach"):
        alfworld.AlfWorld(lost)


@needs("scienceworld")
async def test_an_experiment_is_done_by_the_engines_own_way() -> None:
    of = kind("scienceworld")
    numbers = range(of.size("test"))
    first: Any = of.make("test", 0)
    tasks = sorted(first._env.get_task_names())
    first.close()
    number = next(n for n in numbers if tasks[n % len(tasks)].startswith("find-living"))
    game: Any = of.make("test", number)
    world = TextWorld(game)
    assert "find" in (await world.reset(0)).lower()
    game._env.load(game._task, game._variation, "easy", generateGoldPath=True)
    way = game._env.get_gold_action_sequence()
    await world.reset(0)
    for move in way:
        turn = await world.step(move)
        if turn.done:
            break
    assert turn.done
    score = await world.judge(None)
    assert (score.correct, score.value) == (True, 1.0)
    await world.close()


@needs("textworld")
def test_a_generated_game_is_solved_by_its_expert() -> None:
    game: Any = kind("textworld").make("test", 18)
    seen = game.begin(0)
    assert "Bedroom" in seen
    way = game.expert()
    assert (len(way), game.points) == (12, 10)
    assert all(len(game.actions()) > 3 for _ in range(1))
    assert game.step("dance on the roof").reward == 0.0
    turns = []
    for move in way:
        assert move in game.actions()
        turns.append(game.step(move))
    assert (turns[-1].reward, turns[-1].done) == (1.0, True)
    assert not any(turn.done for turn in turns[:-1])
    rewards = [turn.reward for turn in turns]
    assert rewards == sorted(rewards)
    assert game.judge(None).correct
    assert len(way) <= kind("textworld").rounds
    game.close()


@needs("textworld")
def test_eating_the_food_loses_a_generated_game() -> None:
    game: Any = kind("textworld").make("test", 18)
    game.begin(0)
    *way, last = game.expert()
    for move in way:
        game.step(move)
    food = last.removeprefix("put ").removesuffix(" on stove")
    turn = game.step(f"eat {food}")
    assert turn.done
    assert not game.judge(None).correct
    assert game.judge(None).value < 1
    game.close()


@needs("textworld")
def test_no_seed_is_in_two_splits() -> None:
    from collegium.worlds.text.cooking import COUNTS, FIRST

    seeds = [set(range(FIRST[s], FIRST[s] + COUNTS[s])) for s in COUNTS]
    assert sum(map(len, seeds)) == len(set().union(*seeds))
