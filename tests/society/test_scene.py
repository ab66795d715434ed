"""Concordia's scenes: the order of calls, phases, memory, privacy, pay-offs, checkpoints."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.models import HashEmbedder, ScriptedModel
from collegium.society.scene import (
    ActionSpec,
    AssociativeMemory,
    Entity,
    Inventory,
    PhaseError,
    Scene,
    player,
    pub_scores,
)
from collegium.society.scene.master import success_and_why, transfer

ROOT = Path(__file__).parents[2]


def script(**answers):
    """A model that answers by the name of the question."""

    def answer(request):
        question = request.agent.partition(".")[2].partition("@")[0]
        wanted = answers.get(question, answers.get(question.partition("-")[0]))
        if callable(wanted):
            wanted = wanted(request)
        if wanted is not None:
            return wanted if isinstance(wanted, str) else json.dumps(wanted)
        if question == "next-acting":
            names = request.schema["properties"]["answer"]["enum"]
            step = int(request.agent.partition("@")[2])
            return json.dumps({"answer": names[step % len(names)]})
        if question == "next-action-spec":
            return json.dumps({"call": "What does {name} do?"})
        if question in ("terminate", "success"):
            return json.dumps({"answer": "no" if question == "terminate" else "yes"})
        return f"{question} of {request.agent}"

    return answer


def scene(model, names=("Ann", "Bob"), **options):
    kernel = Kernel(ScriptedModel(model), seed=1)
    players = {n: player(n, kernel, AssociativeMemory(HashEmbedder(64)), "fun") for n in names}
    own = AssociativeMemory(HashEmbedder(64), distinct=False)
    options.setdefault("premise", "It is a quiet evening.")
    return Scene(kernel, players, own, **options)


def asked(made):
    return [e.call.agent for e in made.kernel.trace.events]


@pytest.mark.must_show("concordia", 1)
@pytest.mark.parametrize("success", ["yes", "no"])
async def test_the_calls_of_a_step_in_their_order(success):
    made = scene(script(success={"answer": success}), batched=False)
    await made.run(1)
    why = ["gm.why@0"] if success == "no" else []
    assert asked(made) == [
        "gm.terminate@0", "gm.observe-Ann@0", "gm.observe-Bob@0", "gm.next-acting@0",
        "gm.next-action-spec@0", "Ann.situation@0", "Ann.self@0", "Ann.person@0", "Ann.act@0",
        "gm.success@0", *why, "gm.effect@0", "gm.rewrite@0",
    ]  # fmt: skip
    prompts = {e.call.agent: e.call.messages[-1].text for e in made.kernel.trace.events}
    assert "situation of Ann.situation@0" in prompts["Ann.self@0"]
    assert "self of Ann.self@0" in prompts["Ann.person@0"]


class Part:
    def __init__(self, text, log=None):
        self.text, self.log = text, [] if log is None else log

    async def pre_act(self, spec):
        self.log.append("pre-act")
        return self.text

    async def post_act(self, attempt):
        self.log.append("post-act")

    async def pre_observe(self, observation):
        self.log.append("pre-observe")

    async def update(self):
        self.log.append("update")


class Saying:
    step = 0

    def __init__(self, inside=None):
        self.inside, self.context = inside, ""

    async def act(self, spec, context):
        self.context = context
        if self.inside:
            await self.inside()
        return "done"


@pytest.mark.must_show("concordia", 2)
async def test_phases_order_and_a_component_with_two_names():
    twice = Part("twice")
    acting = Saying()
    entity = Entity(
        "Ann", {"z": Part("z"), "b": twice, "a": Part("a"), "c": twice, "y": Part("y")}, acting,
        order=["y", "z"],
    )  # fmt: skip
    assert await entity.act(ActionSpec("?")) == "done"
    assert acting.context.split("\n\n") == ["y", "z", "a", "twice"]
    assert twice.log == ["pre-act", "post-act", "update"]
    await entity.observe("rain")
    assert twice.log[3:] == ["pre-observe", "update"]
    acting.inside = lambda: entity.act(ActionSpec("?"))
    with pytest.raises(PhaseError, match="cannot go from pre-act to pre-act"):
        await entity.act(ActionSpec("?"))
    acting.inside = lambda: entity.observe("?")
    with pytest.raises(PhaseError):
        await entity.act(ActionSpec("?"))
    acting.inside = None
    assert await entity.act(ActionSpec("?")) == "done"
    for spec in (ActionSpec("?", "choice"), ActionSpec("?", "choice", ("a", "a")),
                 ActionSpec("?", "free", ("a",))):  # fmt: skip
        with pytest.raises(BadInput):
            await entity.act(spec)


@pytest.mark.must_show("concordia", 3)
def test_the_pay_offs_of_the_pub_game():
    names = ("x", "y", "z")
    friends = {(a, b): 1.0 for a in names for b in names if a != b}
    likes = dict.fromkeys(names, "A")
    assert list(pub_scores(likes, likes, friends).values()) == [1.5, 1.5, 1.5]
    apart = dict(zip(names, "ABA", strict=True))
    assert list(pub_scores(apart, likes, friends).values()) == [1.0, 0.0, 1.0]
    assert list(pub_scores(likes, likes, friends, frozenset("A")).values()) == [0, 0, 0]


class Fixed:
    name, dimensions = "fixed", 2
    vectors = {"q": (1, 0), "m1": (0.6, 0.8), "m2": (0.8, 0.6), "m3": (0, 1)}

    async def embed(self, texts):
        return np.array([self.vectors[t] for t in texts], np.float32)


@pytest.mark.must_show("concordia", 4)
async def test_memory_by_likeness_and_without_duplicates():
    memory, bank = AssociativeMemory(Fixed()), AssociativeMemory(Fixed(), distinct=False)
    for some in (memory, bank):
        for text in ("m1", "m2", "m3", "m2\n"):
            await some.add([text])
    assert await memory.associative("q", 2) == ["m2", "m1"]
    assert memory.texts == ["m1", "m2", "m3"]
    assert bank.texts == ["m1", "m2", "m3", "m2"]
    assert memory.recent(2) == ["m2", "m3"]
    assert memory.scan(lambda text: text.endswith("3")) == ["m3"]


@pytest.mark.must_show("concordia", 5)
async def test_events_reach_those_who_are_there_and_secrets_nobody_else():
    def told(request):
        return request.messages[-1].text.partition("News: ")[2].partition("\n")[0]

    made = scene(
        script(observe=told, rewrite=lambda r: f"an event of {r.agent}"),
        names=("Ann", "Bob", "Cid"),
        places={"Ann": "garden", "Bob": "cellar", "Cid": "garden"},
    )
    made.tell("The treasure is under the oak.", ["Ann"])
    await made.run(4)
    assert made.log[0].observers == ("Ann", "Cid")
    assert made.log[1].observers == ("Bob",)
    prompts = {}
    for event in made.kernel.trace.events:
        who = event.call.agent
        name = who.partition("observe-")[2].partition("@")[0] or who.partition(".")[0]
        prompts.setdefault(name, []).append(event.call.messages[-1].text)
    assert "oak" in "".join(prompts["Ann"])
    assert "oak" not in "".join(prompts["Bob"] + prompts["Cid"])
    assert "event of gm.rewrite@0" in "".join(prompts["Cid"])
    assert "event of gm.rewrite@0" not in "".join(prompts["Bob"])


@pytest.mark.must_show("concordia", 6)
async def test_nothing_is_made_or_lost_by_giving():
    lot = random.Random(3)
    names = ["Ann", "Bob", "Cid"]
    inventory = Inventory({n: {"coin": 5, "egg": 2} for n in names})
    refused = 0
    for _ in range(200):
        source, target = lot.choice(names), lot.choice([*names, "Nobody"])
        reason = inventory.give(source, target, lot.choice(["coin", "egg"]), lot.randint(0, 6))
        refused += bool(reason)
        assert inventory.total("coin") == 15
        assert inventory.total("egg") == 6
        assert min(min(things.values()) for things in inventory.held.values()) >= 0
    assert 20 < refused < 200
    assert inventory.give("Ann", "Bob", "egg", 99).endswith("of egg, not 99")
    gift = {"gifts": [{"target": "Bob", "thing": "coin", "count": 99}]}
    made = scene(
        script(transfer=gift), inventory=Inventory({n: {"coin": 5} for n in ("Ann", "Bob")}),
        chain=(success_and_why, transfer),
    )  # fmt: skip
    await made.run(1)
    assert made.log[0].event.endswith("But Ann has 5 of coin, not 99.")


PROGRAM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_scene import scene, script
async def main():
    made = scene(script())
    await made.load(Path({file!r}))
    await made.run(6)
    print(*(f"{{h.actor}}|{{h.attempt}}|{{h.event}}" for h in made.log), sep="\\n")
    new = await made.players["Ann"].components["memory"].memory.add(["It is a known text."])
    print(new)
asyncio.run(main())
"""


@pytest.mark.must_show("concordia", 7)
async def test_a_scene_goes_on_in_another_process(tmp_path):
    file = tmp_path / "scene.json"
    whole = scene(script())
    await whole.run(6)
    half = scene(script())
    await half.run(3)
    await half.players["Ann"].components["memory"].memory.add(["It is a known text."])
    half.save(file)
    code = PROGRAM.format(tests=str(Path(__file__).parent), file=str(file))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "PYTHONHASHSEED": "5"},
    )  # fmt: skip
    *lines, new = done.stdout.splitlines()
    assert lines == [f"{h.actor}|{h.attempt}|{h.event}" for h in whole.log]
    assert new == "0"
    with pytest.raises(BadInput, match="of the players Ann, Bob"):
        await scene(script(), names=("Cid",)).load(file)


@pytest.mark.must_show("concordia", 8)
async def test_forty_players_and_a_master_that_talks_nonsense():
    names = tuple(f"P{i}" for i in range(40))
    made = scene(script(), names=names)
    await made.run(40)
    assert {h.actor for h in made.log} == set(names)
    nonsense = scene(
        script(next="Who knows?", terminate="Perhaps.", success="{", observe=""), names=names
    )
    await nonsense.run(3)
    assert len(nonsense.log) == 3
    assert nonsense.repaired == 6
    stranger = scene(script(**{"next-acting": {"answer": "Zoe"}}), names=names)
    await stranger.run(1)
    assert stranger.log[0].actor == "P0"
    assert stranger.repaired == 1
    options = scene(script(**{"next-action-spec": {"call": "?", "output": "choice"}}))
    await options.run(1)
    assert options.repaired == 1


async def test_all_act_at_once_and_are_resolved_place_by_place():
    names = ("x", "y", "z")
    made = scene(
        script(**{"next-action-spec": {"call": "Where to?", "output": "choice",
                                       "options": ["A", "B"]},
                  "act": lambda r: {"answer": "B" if r.agent.startswith("y") else "A"}}),
        names=names, together=True, places={"x": "inn", "y": "inn", "z": "mill"},
    )  # fmt: skip
    await made.run(1)
    asked_for = asked(made)
    assert asked_for.count("gm.next-action-spec@0") == 1
    assert "gm.next-acting@0" not in asked_for
    assert asked_for.count("gm.rewrite@0") == 2  # one per place
    choices = {h.actor: h.attempt for h in made.log}
    assert choices == {"x": "A", "y": "B", "z": "A"}
    assert [h.observers for h in made.log] == [("x", "y"), ("x", "y"), ("z",)]
    prompts = {e.call.agent: e.call.messages[-1].text for e in made.kernel.trace.events}
    assert "x attempts: A" not in prompts["y.act@0"]  # nobody knows what the others do
    friends = {(a, b): 1.0 for a in names for b in names if a != b}
    likes = dict.fromkeys(names, "A")
    assert list(pub_scores(choices, likes, friends).values()) == [1.0, 0.0, 1.0]
    assert made.step == 1


async def test_players_with_the_same_news_are_told_in_one_call():
    names = tuple(f"P{i}" for i in range(50))
    logs = {}
    calls = {}
    for batched in (True, False):
        made = scene(script(observe="It is late."), names=names, batched=batched)
        await made.run(3)
        logs[batched] = made.log
        calls[batched] = sum(".observe-" in a for a in asked(made))
    assert calls == {True: 3, False: 150}
    assert logs[True] == logs[False]
