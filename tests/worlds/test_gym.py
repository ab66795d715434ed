"""Gymnasium and PettingZoo, in and out, judged by their own checkers."""

import warnings
from functools import partial
from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.models import ScriptedModel
from collegium.worlds import World, opened
from collegium.worlds.gym import GymWorld, world_env
from collegium.worlds.play import Playable, play_idle, play_random, playable
from collegium.worlds.text import text_world
from collegium.worlds.zoo import ZooWorld, text_of, world_aec

gymnasium = pytest.importorskip("gymnasium")
pettingzoo = pytest.importorskip("pettingzoo")

LAKE = partial(
    gymnasium.make, "FrozenLake-v1", is_slippery=False, render_mode="ansi", map_name="4x4"
)
WAY = (1, 1, 2, 1, 2, 2)
"""Down, down, right, down, right, right."""


async def test_a_gymnasium_environment_is_a_world() -> None:
    async with opened(lambda: GymWorld(LAKE), 1) as (world, seen):
        assert isinstance(world, Playable)
        assert "SFFF" in seen.replace("\x1b[41mS\x1b[0m", "S")
        (step,) = world.tools
        assert "a whole number from 0 to 3" in step.spec.description
        agent = Kernel(ScriptedModel(lambda r: ""), tools=world.tools).agent("a", tools=["step"])
        for action in WAY[:3]:
            await agent.use("step", action=action)
        kept = await world.snapshot()
        for action in WAY[3:]:
            last = await agent.use("step", action=action)
        assert last.endswith("Reward: 1\n(It is over.)")
        score = await world.judge(None)
        assert (score.correct, score.facts) == (True, {"return": 1.0})
        with pytest.raises(BadInput, match="the play is over"):
            await agent.use("step", action=1)
        await world.restore(kept)
        assert not (await world.judge(None)).correct
        for action in WAY[3:]:
            await agent.use("step", action=action)
        assert (await world.judge(None)).correct
        assert world.snapshots == "replay"


async def test_actions_that_an_environment_does_not_have_are_refused() -> None:
    async with opened(lambda: GymWorld(LAKE), 1) as (world, _):
        assert isinstance(world, GymWorld)
        for action in (7, -1, "left", None, [1], 10**30):
            with pytest.raises(BadInput, match="one is a whole number from 0 to 3"):
                await world.tools[0].run({"action": action})
        with pytest.raises(BadInput, match="is not JSON"):
            await world.step("down")
        assert (await world.step("1")).reward == 0.0
        assert world.actions() == ("0", "1", "2", "3")


async def test_boxes_and_continuous_actions_too() -> None:
    make = partial(gymnasium.make, "Pendulum-v1")
    async with opened(lambda: GymWorld(make), 3) as (world, seen):
        assert isinstance(world, GymWorld)
        assert seen.startswith("[")
        turn = await world.step("[0.5]")
        kept = await world.snapshot()
        after = await world.step("[-0.25]")
        await world.restore(kept)
        assert world.last == turn
        assert await world.step("[-0.25]") == after
        with pytest.raises(BadInput, match="shape \\[1\\]"):
            await world.step("[1, 2]")


async def test_trivial_players_play_a_gymnasium_environment() -> None:
    world = GymWorld(LAKE)
    assert not (await play_idle(world, 1)).correct
    solved = [(await play_random(world, seed, 100)).correct for seed in range(200)]
    assert 0 < sum(solved) < 40  # about 1.4 % in theory
    await world.close()


@pytest.mark.parametrize("name", ["maze", "wordle", "textcraft-small", "todo"])
def test_a_world_passes_gymnasiums_checker(name: str) -> None:
    from gymnasium.utils.env_checker import check_env

    env = world_env(partial(text_world, name, "test", 1), rounds=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*not having a spec.*|.*render.*|.*Text.*")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        check_env(env, skip_render_check=False)
    env.close()


def test_a_world_is_played_as_a_gymnasium_environment() -> None:
    env = world_env(partial(text_world, "maze", "train", 0))
    seen, info = env.reset(seed=1)
    assert seen.startswith("The goal is at 5, 6.")
    assert info["actions"] == ["move up", "move down", "move left", "move right"]
    turns = [env.step("sing") for _ in range(15)]
    assert [t[2] for t in turns] == [False] * 14 + [True]
    assert turns[0][:2] == (f"That is no move. {seen}", -1.0)
    assert env.render().endswith("No moves are left.")
    with pytest.raises(BadInput, match="the play is over"):
        env.step("move up")
    env.close()
    short = world_env(partial(text_world, "maze", "train", 0), rounds=2)
    short.reset()
    short.step("sing")
    assert short.step("sing")[2:4] == (False, True)
    short.close()


async def test_in_and_out_again_is_the_same_play() -> None:
    inner = partial(text_world, "maze", "train", 3)
    plain, there_and_back = playable(inner()), GymWorld(partial(world_env, inner))
    assert await plain.reset(0) == await there_and_back.reset(0)
    for move in ("move up", "move left", "sing"):
        one, other = await plain.step(move), await there_and_back.step(move)
        assert (one.observation, one.reward) == (other.observation, other.reward)
    await there_and_back.close()


class Pot(pettingzoo.ParallelEnv):
    """Two agents put 0 to 2 coins into a pot, three times; an even pot pays."""

    metadata: Any = {"name": "pot"}

    def __init__(self) -> None:
        self.possible_agents = ["left", "right"]
        self.render_mode = None

    def observation_space(self, agent: str) -> Any:
        return gymnasium.spaces.Discrete(20)

    def action_space(self, agent: str) -> Any:
        return gymnasium.spaces.Discrete(3)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents = list(self.possible_agents)
        self.pot, self.round = 0, 0
        return dict.fromkeys(self.agents, 0), {a: {} for a in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        self.pot += int(sum(actions.values()))
        self.round += 1
        reward = float(self.pot % 2 == 0)
        over = self.round == 3
        agents = list(self.agents)
        if over:
            self.agents = []
        return (
            dict.fromkeys(agents, self.pot),
            dict.fromkeys(agents, reward),
            dict.fromkeys(agents, over),
            dict.fromkeys(agents, False),
            {a: {} for a in agents},
        )


async def test_a_pettingzoo_environment_is_a_world() -> None:
    world: World = ZooWorld(Pot)
    assert await world.reset(1) == "Turn of left. It observes: 0"
    use = world.tools[0]
    assert "Agents: left, right." in use.spec.description
    with pytest.raises(BadInput, match="the turn of 'left', not of 'right'"):
        await use.run({"agent": "right", "action": 1})
    with pytest.raises(BadInput, match="whole number from 0 to 2"):
        await use.run({"agent": "left", "action": 3})
    await use.run({"agent": "left", "action": 1})
    assert await use.run({"agent": "right", "action": 1}) == "Turn of left. It observes: 2"
    kept = await world.snapshot()
    for agent, action in (("left", 1), ("right", 0), ("left", 1)):
        await use.run({"agent": agent, "action": action})
    end = await use.run({"agent": "right", "action": 2})
    assert end == "It is over. Rewards: left 2, right 2."  # pots of 2, 3 and 6
    score = await world.judge(None)
    assert (score.correct, score.facts) == (
        True, {"return of left": 2.0, "return of right": 2.0},
    )  # fmt: skip
    with pytest.raises(BadInput, match="is over"):
        await use.run({"agent": "left", "action": 1})
    await world.restore(kept)
    assert (await world.judge(None)).facts != score.facts
    for agent, action in (("left", 1), ("right", 0), ("left", 1), ("right", 2)):
        await use.run({"agent": agent, "action": action})
    assert await world.judge(None) == score
    await world.close()


async def test_a_game_of_pettingzoo_is_played_to_its_end() -> None:
    from pettingzoo.classic import tictactoe_v3

    world = ZooWorld(tictactoe_v3.env)
    seen = await world.reset(1)
    assert seen.startswith("Turn of player_1. It observes: {")
    use = world.tools[0]
    for turn, cell in enumerate((0, 3, 1, 4)):
        await use.run({"agent": world.turn, "action": cell})
        assert world.turn == ("player_2", "player_1")[turn % 2]
    with pytest.raises(BadInput, match="not possible now"):
        await use.run({"agent": "player_1", "action": 0})
    end = await use.run({"agent": "player_1", "action": 2})
    assert end == "It is over. Rewards: player_1 1, player_2 -1."
    await world.close()


@pytest.mark.parametrize("name", ["maze", "textcraft-small"])
def test_a_world_passes_pettingzoos_tests(name: str) -> None:
    from pettingzoo.test import api_test, seed_test

    def make() -> Any:
        return world_aec(partial(text_world, name, "test", 0), ["one", "two"], rounds=12)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(make(), num_cycles=30, verbose_progress=False)
        seed_test(make, num_cycles=10)


def test_agents_take_turns_in_one_world_and_share_its_rewards() -> None:
    env = world_aec(partial(text_world, "maze", "train", 0), ["one", "two"], rounds=3)
    env.reset(seed=1)
    said = []
    for agent in env.agent_iter(10):
        seen, reward, terminated, truncated, info = env.last()
        assert text_of(seen) == info["text"]
        said.append((agent, reward))
        env.step(None if terminated or truncated else "sing")
    assert [a for a, _ in said][:3] == ["one", "two", "one"]
    assert sum(reward for _, reward in said) == -6.0  # three moves that were none, for both
    env.close()
    with pytest.raises(BadInput, match="a name of its own"):
        world_aec(partial(text_world, "maze"), ["one", "one"])
