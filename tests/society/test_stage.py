"""Scenes as simulators, at the command line, under direction, and inside a society."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from collegium.cli import app
from collegium.errors import BadInput, UnknownName
from collegium.kernel import AskHuman, Kernel
from collegium.models import HashEmbedder, ScriptedModel
from collegium.society import Society, city, contact_layers, schedule
from collegium.society.covid import covid_model, covid_state
from collegium.society.interaction import Live, Seats
from collegium.society.operations import Close, Edit, HandBack, Inject, Open, Remove, TakeOver
from collegium.society.scene import (
    log_of,
    put_inside,
    read_script,
    scene_model,
    scene_state,
    with_scene,
)
from collegium.society.simulate import Options, resume, simulate, start

ROOT = Path(__file__).parents[2]

FILE = """
premise = "It is a quiet evening."
places = ["garden", "cellar"]
chain = ["success", "effect", "movement"]

[[player]]
name = "Ann"
goal = "fun"
place = "garden"
memories = ["Ann hid a coin under the oak."]

[[player]]
name = "Bob"
place = "cellar"

[[player]]
name = "Cid"
place = "garden"
"""


def script(request, **answers):
    """Answers by the name of the question; everybody stays where it is."""
    question = request.agent.partition(".")[2].partition("@")[0]
    if question in answers:
        return answers[question]
    if question in ("next-acting", "movement"):
        names = request.schema["properties"]["answer"]["enum"]
        step = int(request.agent.partition("@")[2]) + (question == "movement")
        return json.dumps({"answer": names[step % len(names)]})
    if question == "next-action-spec":
        return json.dumps({"call": "What does {name} do?"})
    if question in ("terminate", "success") or question.startswith("decide"):
        return json.dumps({"answer": "no" if question == "terminate" else "yes"})
    if question.startswith("episodes"):
        past = [{"age": 20, "text": "learned to swim."}, {"age": 7, "text": "lost a dog."}]
        return json.dumps({"episodes": past})
    if request.role == "interview":
        return "I am well."
    return f"{question} of {request.agent}"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "evening.toml"
    path.write_text(FILE)
    return path


def society(file, seed=1, human=None, seats=None):
    kernel = Kernel(
        ScriptedModel(script), seed=seed, human=human, interceptors=[seats] if seats else []
    )
    model = scene_model(HashEmbedder(64))
    return Society(model, scene_state(read_script(file)), seed=seed, kernel=kernel)


def prompts(made):
    return {e.call.agent: e.call.messages[-1].text for e in made.kernel.trace.events
            if hasattr(e.call, "messages")}  # fmt: skip


async def test_a_scene_is_a_society_of_its_players(file):
    made = await society(file).run(3)
    lines = log_of(made.state)
    assert [line["actor"] for line in lines] == ["Ann", "Bob", "Cid"]
    assert lines[0]["event"] == "rewrite of gm.rewrite@0"
    assert lines[0]["observers"] == ["Ann", "Cid"]  # Bob is in the cellar
    assert made.curves["turns"] == [1, 2, 3]
    assert made.curves["players who acted"] == [1, 2, 3]
    said = prompts(made)
    assert "under the oak" in said["Ann.situation@0"]
    assert not any("oak" in text for who, text in said.items() if not who.startswith("Ann"))


async def test_a_closed_place_is_no_option_and_is_empty(file):
    made = society(file)
    live = Live(made)
    live.plan(1, Close("cellar"))
    await live.advance(1)
    assert made.agents["place"].tolist() == [0, 1, 0]
    await live.advance(1)
    asked = [e.call for e in made.kernel.trace.events if "movement" in e.call.agent]
    assert [c.schema["properties"]["answer"]["enum"] for c in asked] == [["cellar", "garden"]]
    assert made.agents["place"].tolist() == [0, 0, 0]
    assert "The cellar is closed." in "".join(prompts(made).values())
    assert live.undo()
    await live.advance(1)
    assert "gm.movement@2" in prompts(made)
    live.do(Close("cellar"))
    live.do(Close("garden"))
    with pytest.raises(BadInput, match="every place"):
        await live.advance(1)


async def test_what_is_announced_reaches_those_it_is_for(file):
    made = society(file)
    live = Live(made)
    live.do(Inject("announce", {"text": "A thunderstorm begins.", "place": "garden"}))
    live.do(Inject("announce", {"text": "The key is in the clock.", "to": "Bob"}))
    live.do(Inject("goal", {"player": "Cid", "goal": "to win"}))
    await live.advance(3)
    said = prompts(made)
    told = {n: said[f"gm.observe-{n}@0"] for n in ("Ann", "Bob")}
    assert "thunderstorm" in told["Ann"] and "thunderstorm" not in told["Bob"]
    assert "clock" in told["Bob"] and "clock" not in told["Ann"]
    assert "wants this: to win" in said["Cid.act@2"]
    for wrong in ({"text": " "}, {"text": "x", "to": "Zoe"}, {"text": "x", "place": "pub"}):
        with pytest.raises(BadInput):
            live.do(Inject("announce", wrong))


@pytest.mark.must_show("abm-interaction", 3)
async def test_a_branch_of_a_scene_is_equal_until_the_changed_player_acts(file):
    live = Live(society(file))
    await live.advance(1)
    same, other = live.branch(), live.branch()
    other.do(Edit(1, "place", 0))
    await live.advance(5)
    await same.advance(5)
    await other.advance(5)
    assert same.society.digest() == live.society.digest()
    assert [line["observers"] for line in log_of(other.society.state)] != [
        line["observers"] for line in log_of(live.society.state)
    ]
    assert log_of(other.society.state)[0] == log_of(live.society.state)[0]


@pytest.mark.must_show("abm-interaction", 2)
async def test_an_interview_with_a_player_changes_nothing(file):
    watched, alone = Live(society(file)), Live(society(file))
    await watched.advance(2)
    await alone.advance(2)
    before = watched.society.digest()
    assert await watched.interview(0, "How are you?") == "I am well."
    asked = watched.society.kernel.trace.events[-1].call.messages
    assert "under the oak" in asked[0].text
    assert watched.society.digest() == before
    await watched.advance(4)
    await alone.advance(4)
    assert watched.society.digest() == alone.society.digest()


@pytest.mark.must_show("abm-interaction", 4)
async def test_a_person_plays_a_player_and_hands_back(file):
    async def human(question):
        return "Ann opens the old chest."

    seats = Seats()
    made = society(file, human=human, seats=seats)
    seats.bind(made.kernel)
    live = Live(made, seats)
    live.do(TakeOver(0, {}), who="actor", how="first-person")
    await live.advance(3)
    live.do(HandBack(0), who="actor", how="first-person")
    await live.advance(3)
    acted = [e.call.agent for e in made.kernel.trace.events if e.call.agent.startswith("Ann.")]
    # a person is asked what it does and nothing before that; the model is asked all four
    assert acted == ["Ann.act@0", "Ann.act@0", "Ann.situation@3", "Ann.self@3", "Ann.person@3",
                     "Ann.act@3"]  # fmt: skip
    assert sum(isinstance(e.call, AskHuman) for e in made.kernel.trace.events) == 1
    lines = log_of(made.state)
    assert lines[0]["attempt"] == "Ann opens the old chest."
    assert "Ann attempts: Ann opens the old chest." in prompts(made)["gm.success@0"]
    assert "Ann attempts: Ann: act of Ann.act@3" in prompts(made)["gm.success@3"]


async def test_a_turn_in_which_all_act_has_a_line_for_each(file):
    apart = FILE.replace('"effect", "movement"', '"effect"')
    file.write_text(apart.replace("premise", "together = true\npremise", 1))
    made = await society(file).run(2)
    lines = log_of(made.state)
    assert [(line["turn"], line["actor"]) for line in lines] == [
        (t, n) for t in (0, 1) for n in ("Ann", "Cid", "Bob")
    ]
    assert lines[0]["observers"] == ["Ann", "Cid"] and lines[2]["observers"] == ["Bob"]
    assert made.curves["turns"] == [1, 2]


async def test_one_who_left_is_asked_nothing_and_notices_nothing(file):
    made = society(file)
    live = Live(made)
    live.do(Remove(2))
    await live.advance(4)
    assert {line["actor"] for line in log_of(made.state)} == {"Ann", "Bob"}
    assert not any(who.startswith("Cid") for who in prompts(made))


async def test_a_past_is_invented_once_and_comes_first(file):
    file.write_text(FILE.replace("premise", "formative = 2\npremise", 1))
    made = await society(file).run(2)
    memory = made.state.values["memory"]["0"]
    assert memory[:3] == ["When Ann was 7: lost a dog.", "When Ann was 20: learned to swim.",
                          "Ann hid a coin under the oak."]  # fmt: skip
    asked = [e.call.agent for e in made.kernel.trace.events]
    assert asked.count("gm.episodes-Ann@0") == 1
    assert "When Ann was 7" in prompts(made)["Ann.self@0"]


async def test_a_scene_is_resumed_to_the_same_log(file, tmp_path, monkeypatch):
    monkeypatch.setattr("collegium.society.scene.model.open_embedder", lambda n: HashEmbedder(64))
    options = Options(simulator="scene", scene=str(file), model="scripted", seed=3)

    def kernel():
        return Kernel(ScriptedModel(script), seed=3)

    whole = await simulate(start(options, kernel()), 7)
    await simulate(start(options, kernel()), 4, options=options, folder=tmp_path / "kept", every=2)
    made, kept = resume(tmp_path / "kept", kernel())
    assert kept == options
    await simulate(made, 7)
    assert made.digest() == whole.digest()
    assert len(log_of(made.state)) == 7


async def test_a_run_ends_when_the_scene_does(file):
    made = society(file)
    made.kernel = Kernel(
        ScriptedModel(
            lambda r: script(
                r, terminate=json.dumps({"answer": "yes" if "@2" in r.agent else "no"})
            )
        ),
        seed=1,
    )
    await simulate(made, 50)
    assert made.t == 3
    assert made.model.told(made) == ["The scene is over."]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[[player]]", "[[gamer]]"), "is not a scene"),
        (('name = "Bob"', 'name = "Ann"'), "two players called 'Ann'"),
        (('place = "cellar"', 'place = "attic"'), "unknown place of Bob"),
        (('"movement"', '"movment"'), "did you mean 'movement'"),
        (('name = "Bob"', 'name = "B.ob"'), "without . or @"),
        (("places =", "formative = 99\nplaces ="), "formative"),
        (("premise", "[inside]\nevery = 0\n[x]\npremise"), "is not a scene"),
    ],
)
def test_a_wrong_file_is_named(file, change, says):
    file.write_text(FILE.replace(*change, 1))
    with pytest.raises(BadInput, match=re.escape(says)):
        read_script(file)


def test_the_scenes_among_the_examples_can_be_played():
    for path in sorted((ROOT / "examples" / "scenes").glob("*.toml")):
        made = read_script(path)
        assert scene_state(made).agents["present"].all()


# -- inside a society -----------------------------------------------------------------------------

MEETING = """
premise = "Neighbours meet."

[inside]
start = 1
every = 3
turns = 2

[[player]]
name = "Ann"
agent = 5

[[player]]
name = "Bob"

[[player]]
name = "Cid"
"""


def answer(request):
    if request.role == "archetype":
        words = request.messages[-1].text.rpartition("one word: ")[2].rstrip(".").split(" or ")
        return words[min(2, len(words) - 1)]
    return script(request)


@pytest.fixture
def meeting(tmp_path, monkeypatch):
    monkeypatch.setattr("collegium.society.scene.inside.open_embedder", lambda n: HashEmbedder(64))
    path = tmp_path / "meeting.toml"
    path.write_text(MEETING)
    return path


def inside(simulator, meeting, **options):
    chosen = Options(
        simulator=simulator, agents=2000, seed=2, recommender="random", scene=str(meeting),
        model="scripted", **options,
    )  # fmt: skip
    return chosen, lambda: Kernel(ScriptedModel(answer), seed=2)


async def test_a_scene_goes_on_inside_a_platform_whose_users_act_by_archetypes(meeting):
    options, kernel = inside("social", meeting, archetypes=("age",), parameters={"activity": 20.0})
    made = await simulate(start(options, kernel()), 9)
    lines = log_of(made.state)
    assert [line["step"] for line in lines] == [1, 1, 4, 4, 7, 7]
    players = dict(zip(made.state.texts["name"], made.state.tables["player"]["agent"], strict=True))
    assert players["Ann"] == 5
    assert len(set(players.values())) == 3
    posts, said = made.state.tables["post"], made.state.texts["text"]
    for line in lines:
        (post,) = np.flatnonzero(
            (posts["author"] == players[line["actor"]]) & (posts["step"] == line["step"])
            & (posts["text"] == said.index(line["event"]))
        )  # fmt: skip
        assert posts["kind"][post] == 0
    # others see what was said in the scene, and pass it on or like it
    told = np.isin(posts["text"], [said.index(line["event"]) for line in lines])
    assert int(posts["likes"][told].sum() + posts["reposts"][told].sum()) > 0
    # what is posted outside reaches the players
    asked = [e.call for e in made.kernel.trace.events]
    heard = [c.messages[-1].text for c in asked if c.agent.startswith("gm.observe")]
    assert any("In your feed you read: " in text for text in heard)
    # and both kinds of thinking are there: one prompt per group and sight, and the scene's own
    groups = [c.messages[-1].text for c in asked if c.role == "archetype"]
    assert len(groups) == len(set(groups)) == made.state.values["archetypes"]["prompts"] == 2 * 6
    assert any(c.agent == "Ann.act@0" for c in asked)
    assert made.curves["scene: turns"][-1] == 6


async def test_what_is_decided_in_a_scene_holds_until_the_next(meeting):
    options, kernel = inside("covid", meeting, behaviour="none")
    made = start(options, kernel())
    seen = []
    await simulate(made, 6, on_step=lambda s: seen.append(int(s.agents["isolates"].sum())))
    # the first meeting is in step 1, after that day's isolation was drawn
    assert seen == [0, 0, 3, 3, 3, 3]
    players = made.state.tables["player"]["agent"]
    assert set(np.flatnonzero(made.agents["isolates"])) == set(players.tolist())
    told = [e.call.messages[-1].text for e in made.kernel.trace.events if "observe" in e.call.agent]
    assert "The epidemic began 0 weeks ago" in told[0]
    said = await Live(made).interview(5, "How are you?")
    profile = made.kernel.trace.events[-1].call.messages[0].text
    assert said == "I am well."
    assert "In the scene you are Ann." in profile and "observe-Ann" in profile


@pytest.mark.parametrize("simulator", ["covid", "social", "market"])
async def test_a_society_with_a_scene_is_resumed_branched_and_directed(
    simulator, meeting, tmp_path
):
    options, kernel = inside(simulator, meeting)
    whole = await simulate(start(options, kernel()), 8)
    kept = tmp_path / "kept"
    await simulate(start(options, kernel()), 5, options=options, folder=kept, every=2)
    made, _ = resume(kept, kernel())
    live = Live(made)
    same = live.branch()
    await live.advance(3)
    await same.advance(3)
    assert made.digest() == same.society.digest() == whole.digest()
    live.do(Inject("scene-announce", {"text": "The hall is on fire."}))
    live.do(Edit(5, "age", 1))
    await live.advance(3)
    assert any("on fire" in text for text in prompts(made).values())


async def test_a_person_plays_in_a_scene_inside_a_society(meeting):
    async def human(question):
        return "Ann bars the door."

    seats = Seats()
    options, _ = inside("covid", meeting)
    kernel = Kernel(ScriptedModel(answer), seed=2, interceptors=[seats], human=human)
    seats.bind(kernel)
    live = Live(start(options, kernel), seats)
    live.do(TakeOver(5, {}), who="actor", how="first-person")
    await live.advance(2)
    assert log_of(live.society.state)[0]["attempt"] == "Ann bars the door."
    live.do(TakeOver(5, {"isolates": 1}), who="actor", how="form")
    live.do(HandBack(5), who="actor", how="form")
    live.do(HandBack(5), who="actor", how="form")
    with pytest.raises(BadInput, match="does not play"):
        live.do(TakeOver(6, {}), who="actor", how="form")


def test_a_scene_that_does_not_fit_its_society_is_named(meeting):
    def put(text, agents=100):
        meeting.write_text(text)
        people = city(agents, seed=1)
        state = covid_state(people, contact_layers(people, seed=1), seed=1)
        put_inside(state, read_script(meeting), seed=1)
        return state

    with pytest.raises(BadInput, match="no agent 500"):
        put(MEETING.replace("agent = 5", "agent = 500"))
    with pytest.raises(BadInput, match="one player alone"):
        put(MEETING.replace('name = "Bob"', 'name = "Bob"\nagent = 5'))
    with pytest.raises(BadInput, match="layer called 'school'"):
        put(MEETING.replace("[inside]", 'places = ["school", "hall"]\n[inside]'))
    state = put(MEETING)
    made = Society(with_scene(covid_model(), state, HashEmbedder(64)), state)
    schedule(made, 3, Inject("scene-announce", {"text": "x"}))
    with pytest.raises(UnknownName):
        schedule(made, 3, Open("hall"))


# -- the command ----------------------------------------------------------------------------------

MODEL = """
import json
def say(request):
    question = request.agent.partition(".")[2].partition("@")[0]
    if request.role == "command":
        return json.dumps({"form": {"do": "close", "place": "cellar", "at": -1}})
    if request.role == "interview":
        return "Quite well."
    if "answer" in ((request.schema or {}).get("properties") or {}):
        kind = request.schema["properties"]["answer"]
        if question == "terminate":
            return json.dumps({"answer": "no"})
        return json.dumps({"answer": kind["enum"][0] if "enum" in kind else "yes"})
    if question == "next-action-spec":
        return json.dumps({"call": "What does {name} do?"})
    return f"{question} by {request.agent}"
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evening.toml").write_text(FILE)
    (tmp_path / "say.py").write_text(MODEL)

    def run(*arguments):
        model = ("--model", "script:say.py:say")
        return CliRunner().invoke(app, ["simulate", *map(str, arguments), *model])

    return run


def test_the_command_plays_a_scene_and_reports_it(command, tmp_path):
    done = command("scene", "--scene", "evening.toml", "--steps", 3, "--out", "out")
    assert done.exit_code == 0, done.output
    assert "2. [cellar] Ann: act by Ann.act@1\n   rewrite by gm.rewrite@1" in done.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<li value=") == 3
    assert "rewrite by gm.rewrite@2" in page and "Noticed by" in page
    assert "<script" not in page
    texts = pl.read_parquet(tmp_path / "out" / "texts.parquet")
    happened = pl.read_parquet(tmp_path / "out" / "happened.parquet")
    events = happened.join(
        texts.filter(pl.col("list") == "said"), left_on="event", right_on="number"
    )
    assert events["text"].to_list() == [f"rewrite by gm.rewrite@{i}" for i in range(3)]
    short = command("evening.toml", "--steps", 2, "--json")
    assert json.loads(short.stdout)["curves"]["turns"] == [[1, 2]]


def test_a_scene_is_gone_on_with_at_the_command_line(command, tmp_path):
    scene = ("scene", "--scene", "evening.toml", "--seed", 3, "--json")
    whole = command(*scene, "--steps", 5, "--out", "whole")
    first = command(*scene, "--steps", 2, "--checkpoint", "kept", "--every", 1)
    (tmp_path / "evening.toml").unlink()  # the checkpoint knows the scene
    rest = command(*scene, "--steps", 5, "--checkpoint", "kept", "--resume", "--out", "rest")
    assert first.exit_code == whole.exit_code == 0
    assert rest.exit_code == 0, rest.output
    assert json.loads(rest.stdout)["curves"] == json.loads(whole.stdout)["curves"]
    assert (
        pl.read_parquet(tmp_path / "rest" / "texts.parquet").rows()
        == pl.read_parquet(tmp_path / "whole" / "texts.parquet").rows()
    )


def test_a_scene_without_a_file_says_what_is_missing(command):
    done = command("scene")
    assert done.exit_code == 2
    assert "--scene FILE" in " ".join(done.output.split())
    none = command("scene", "--scene", "none.toml")
    assert none.exit_code == 2
    assert "cannot read the scene none.toml" in none.output


TYPED = """help
step 2
look
inspect 0
interview 0 How are you?
snapshot before
say close the cellar
y
say close the cellar
n
undo
branch calm
compare calm
do {"do": "remove", "agent": 2}
take 0

Ann goes upstairs.
back 0
switch calm
step 2
switch main
compare calm
restore before
frobnicate
do {"do": "dance"}
take 0 x=1
quit
"""


def test_a_run_is_steered_at_a_prompt(tmp_path):
    (tmp_path / "evening.toml").write_text(FILE)
    (tmp_path / "say.py").write_text(MODEL.replace('kind["enum"][0]', 'kind["enum"][-2]'))
    done = subprocess.run(
        [sys.executable, "-m", "collegium.cli", "simulate", "evening.toml", "--steps", "20",
         "--live", "--model", "script:say.py:say"],
        cwd=tmp_path, input=TYPED, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = done.stderr
    for expected in (
        "interview AGENT QUESTION", "turns: 2", "You are Ann.", "Quite well.",
        "Understood: before step 2: close place cellar (now: factor 1)", "Left out.",
        "Taken back.", "Forked at step 2", "No difference in the first 2 steps.", "You: ",
        "Ann goes upstairs.", "They differ from step 2 on", "players who acted: 2 here, 1 in calm",
        "unknown command 'frobnicate'", "an operation is written as JSON", "unknown action",
    ):  # fmt: skip
        assert expected in shown, expected
    page = (tmp_path / "simulation" / "report.html").read_text()
    assert page.count("<li value=") == 2  # the run went back to its second step
