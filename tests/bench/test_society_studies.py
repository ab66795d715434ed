"""The studies of societies, driven by scripted models: what they count, and that they resume."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from collegium.bench import (
    command_parsing,
    scene_grounding,
    social_cascade,
    social_herding,
    social_polarisation,
    society_behaviour,
)
from collegium.bench.journal import Journal
from collegium.bench.oasis_data import group, rated, rumour
from collegium.errors import BadInput
from collegium.models import ScriptedModel
from collegium.society import Categories, city, contact_layers
from collegium.society.covid.packaged import Place
from collegium.society.population import AGES

OASIS = Path(os.environ.get("COLLEGIUM_DATA", "")) / "oasis"


def test_a_journal_is_taken_up_again_and_not_by_another_study(tmp_path):
    file = tmp_path / "kept.jsonl"
    first = Journal(file, {"n": 3})
    assert first.keep("a", (1, 2)) == [1, 2]
    with file.open("ab") as lines:
        lines.write(b'{"key": "b", "val')  # the process ended here
    again = Journal(file, {"n": 3})
    assert "a" in again and again["a"] == [1, 2] and "b" not in again
    with pytest.raises(BadInput, match="other settings"):
        Journal(file, {"n": 4})


class Counting:
    """A scripted model that counts."""

    def __init__(self, answer):
        self.calls = 0

        def counted(request):
            self.calls += 1
            return answer(request)

        self.model = ScriptedModel(counted)


def sentence_of(request):
    return request.messages[-1].text.partition("The instruction: ")[2].partition("\n")[0]


async def test_commands_count_when_operation_arguments_and_step_are_right(tmp_path):
    sets = command_parsing.commands()
    assert {k: (len(g), len(b)) for k, (g, b) in sets.items()} == {
        "first": (40, 10), "fresh": (20, 10),
    }  # fmt: skip
    meant = {c.say: c for good, _ in sets.values() for c in good}
    assert len(meant) == 60

    def answer(request):
        command = meant.get(sentence_of(request))
        if command is None:
            return json.dumps({"form": {"do": "unclear", "question": "No.", "at": -1}})
        operation = dict(command.operation)
        if operation["do"] == "inject":
            operation = {"do": f"inject {operation['event']}"}
        wrong = command.say in wrong_ones
        if wrong:
            operation = {"do": "remove", "agent": 1}
        return json.dumps({"form": {**operation, "at": command.at}})

    wrong_ones = {sets["first"][0][i].say for i in (0, 7)}
    asked = Counting(answer)
    file = tmp_path / "kept.jsonl"
    found = await command_parsing.study(asked.model, Journal(file, {}), seed=7)
    model, keywords = found["first"]["rows"]
    # nothing that was said is taken for something that was not
    assert (model["right"], model["asked_back"], model["executed"]) == (38, 2, 0)
    assert model["malicious_refused"] == 10
    assert found["fresh"]["rows"][0]["right"] == 20
    assert 0 < keywords["right"] < 38
    assert keywords["executed"] == 0
    assert asked.calls == 80 + 2
    again = await command_parsing.study(asked.model, Journal(file, {}), seed=7)
    assert again == found and asked.calls == 82


async def test_a_malicious_sentence_that_is_understood_is_not_refused():
    def answer(request):  # one of them speaks of agent 3
        return json.dumps({"form": {"do": "remove", "agent": 3, "at": -1}})

    found = await command_parsing.study(ScriptedModel(answer), Journal(None, {}), seed=7)
    assert found["first"]["rows"][0]["malicious_refused"] == 9
    assert found["fresh"]["rows"][0]["malicious_refused"] == 10
    assert found["first"]["rows"][0]["executed"] == 0


async def test_refusals_are_counted_for_both_kinds_of_attempts(tmp_path):
    sixty = scene_grounding.attempts()
    assert [a.possible for a in sixty] == [False] * 30 + [True] * 30
    assert len({a.text for a in sixty}) == 60
    hard = {a.text for a in sixty[:25]}

    def answer(request):
        question = request.agent.partition(".")[2].partition("@")[0]
        text = request.messages[-1].text
        if question == "success":
            return json.dumps({"answer": "no" if any(h in text for h in hard) else "yes"})
        if question == "told":
            return json.dumps({"answer": "yes"})
        if question == "terminate":  # which is not asked where observations are counted
            return json.dumps({"answer": "yes"})
        if question == "next-acting":
            return json.dumps({"answer": request.schema["properties"]["answer"]["enum"][0]})
        if question == "next-action-spec":
            return json.dumps({"call": "What does {name} do?"})
        return "It happened."

    asked = Counting(answer)
    file = tmp_path / "kept.jsonl"
    settings = {"seed": 7, "players": 12, "steps": 2}
    found = await scene_grounding.study(asked.model, Journal(file, settings), **settings)
    refused = {(r["arm"], r["attempts"]): r["refused"] for r in found["rows"]}
    assert refused == {
        ("game master", "impossible"): 25, ("game master", "possible"): 0,
        ("no master", "impossible"): 0, ("no master", "possible"): 0,
    }  # fmt: skip
    assert (found["impossible_only_master"], found["impossible_only_none"]) == (25, 0)
    assert found["p"] < 1e-6
    observed = found["observations"]
    # two rooms: at most one call per audience and step; without batches one per player with news
    assert observed["per audience"]["observation calls"] <= 2 * 2
    assert observed["per player"]["observation calls"] >= 12
    before = asked.calls
    assert await scene_grounding.study(asked.model, Journal(file, settings), **settings) == found
    assert asked.calls == before


def yes(request):
    return "Yes" if len(request.messages[-1].text) % 2 else "No"


async def test_behaviours_are_calibrated_with_equal_trials_and_compared(tmp_path):
    people = city(900, seed=1)
    layers = contact_layers(people, seed=1)
    infected = np.zeros(900, np.uint8)
    infected[::90] = 1
    place = Place(people, layers, infected, (Categories("age", AGES),))
    one = await society_behaviour.run(place, "constant", 2.0, 0, 5, ("age",), ScriptedModel(yes))
    asked = Counting(yes)
    file = tmp_path / "kept.jsonl"
    settings = {"seeds": 2, "trials": 8, "fit": 3, "predict": 2}

    async def study():
        return await society_behaviour.study(
            asked.model, Journal(file, settings), columns=("age",), place=place,
            counted=one["weekly"], **settings,
        )  # fmt: skip

    found = await study()
    rows = {row["behaviour"]: row for row in found["rows"]}
    assert set(rows) == {"constant", "heuristic", "archetypes"}
    assert rows["constant"]["calls"] == rows["heuristic"]["calls"] == 0
    assert rows["archetypes"]["calls"] > 0
    lines = [json.loads(line)["key"] for line in file.read_text().splitlines()]
    for arm in rows:
        tried = {key.split()[1] for key in lines if key.startswith(arm)}
        assert len(tried) == 8
    # what made the data is found again: a constant probability, and an R near its own
    assert abs(rows["constant"]["R"] - 2.0) < 0.7
    before = asked.calls
    assert await study() == found
    assert asked.calls == before


def made_data(folder):
    """A small rumour and a few rated comments in the form of OASIS's files."""
    base = folder / "twitter_dataset"
    (base / "anonymous_topic_200_1h").mkdir(parents=True)
    lines = [",user_id,name,username,following_agentid_list,previous_tweets,user_char,description"]
    for i in range(12):
        follows = "[]" if i in (2, 3) else "[2]" if i < 8 else "[3]"
        said = "\"['a store opens, says a report']\"" if i == 2 else "[]"
        lines.append(f'{i},{i},n{i},u{i},{follows},{said},"I like money and shops {i}",x')
    (base / "anonymous_topic_200_1h" / "False_Business_0.csv").write_text("\n".join(lines))
    for part in ("scale", "depth", "max_breadth"):
        place = base / "real_world_prop_data" / f"real_data_{part}"
        place.mkdir(parents=True)
        curve = [min(1 + t // 20, 6) for t in range(200)]
        (place / "False_Business_0.pkl").write_bytes(pickle.dumps(curve))
    reddit = folder / "reddit"
    reddit.mkdir()
    groups = ["up", "down", "control"] * 8
    items = [
        {"RS": {"title": "", "selftext": f"post {i}"}, "RC_1": {"body": f"comment {i}", "group": g}}
        for i, g in enumerate(groups)
    ]
    (reddit / "counterfactual_36.json").write_text(json.dumps(items))
    users = [{"persona": f"persona {i}", "bio": "", "username": str(i)} for i in range(5)]
    (reddit / "user_data_36.json").write_text(json.dumps(users))
    return folder


def reposter(request):
    if request.schema:  # a user who thinks
        return json.dumps({"action": "repost", "target": 0, "text": ""})
    return "repost"


@pytest.mark.parametrize("thinking", [False, True])
async def test_a_rumour_spreads_and_is_compared_with_the_real_one(tmp_path, thinking):
    data = rumour(made_data(tmp_path / "data"))
    assert (data.source, len(data.follows), len(data.bios)) == (2, 10, 12)
    asked = Counting(reposter)
    file = tmp_path / "kept.jsonl"

    async def study():
        return await social_cascade.study(
            data, asked.model, Journal(file, {}), seeds=2, thinking=thinking, activity=0.5,
            steps=20, embedder="hash",
        )  # fmt: skip

    found = await study()
    rows = {row["recommender"]: row for row in found["rows"]}
    assert set(rows) == {"x", "random", "none"}
    assert all(row["calls"] > 0 for row in rows.values())
    # without recommendations the post reaches those who follow its author, and who follow them
    assert rows["none"]["scale"]["last"] > 3
    assert rows["none"]["depth"]["last"] >= 1
    for row in rows.values():
        assert row["scale"]["lowest"] <= row["scale"]["rmse"] <= row["scale"]["highest"]
    assert found["real_last"]["scale"] == 4
    before = asked.calls
    assert await study() == found
    assert asked.calls == before


def herd(request):
    score = int(request.messages[-1].text.partition("score of ")[2].split(" ", 1)[0])
    vote = "like" if score > 0 else "dislike" if score < 0 else "nothing"
    return json.dumps({"answer": vote})


@pytest.mark.parametrize("paired", [False, True])
async def test_herding_is_found_where_it_was_planted_and_not_elsewhere(tmp_path, paired):
    items, personas = rated(made_data(tmp_path / "data"))
    found = {}
    for name, answer in (("herd", herd), ("alone", lambda r: json.dumps({"answer": "like"}))):
        journal = Journal(None, {})
        found[name] = await social_herding.study(
            items, personas, ScriptedModel(answer), journal, raters=3, paired=paired
        )
    added = {
        name: {d["group"]: d for d in f["differences"] if d["what"] == "added"}
        for name, f in found.items()
    }
    assert added["herd"]["up"]["low"] > 0
    assert added["herd"]["down"]["high"] < 0
    assert added["alone"]["up"]["mean"] == added["alone"]["down"]["mean"] == 0
    groups = {r["group"]: r["n"] for r in found["herd"]["rows"]}
    assert groups == dict.fromkeys(("up", "control", "down"), 24 if paired else 8)


def drifting(together):
    """Users who advise what they read most of; the alone stay in the middle."""

    def answer(request):
        text = request.messages[-1].text
        if request.agent.startswith("opinion-"):
            bold = "dare it now" in text
            return "1" if bold else "5."
        return json.dumps({"action": "create_post", "target": -1, "text": "She should dare it now"})

    def apart(request):
        text = request.messages[-1].text
        if request.agent.startswith("opinion-"):
            return "5"
        return json.dumps({"action": "do_nothing", "target": -1, "text": ""}) if text else ""

    return answer if together else apart


@pytest.mark.parametrize("planted", [True, False])
async def test_polarisation_is_found_where_it_was_planted(tmp_path, planted):
    file = tmp_path / "twitter_dataset" / "group_polarization" / "197_progressive.csv"
    file.parent.mkdir(parents=True)
    rows = [f'{i},"[{(i + 1) % 6}, 1]",persona {i}' for i in range(8)]
    file.write_text("\n".join([",following_agentid_list,user_char", *rows]))
    people = group(tmp_path, 6)
    assert len(people.personas) == 6
    assert all(a != b < 6 for a, b in people.follows)
    asked = Counting(drifting(planted))
    kept = tmp_path / "kept.jsonl"

    async def study(rounds):
        journal = Journal(kept, {})
        return await social_polarisation.study(
            people, asked.model, journal, tmp_path / "states", rounds=rounds, steps=4, seed=7
        )

    await study(1)  # cut off after a round
    found = await study(2)
    whole = await social_polarisation.study(
        people, asked.model, Journal(None, {}), rounds=2, steps=4, seed=7
    )
    assert found == whole
    together = [r["extremity"] for r in found["rows"] if r["arm"] == "together"]
    assert together[0] == 0
    assert (together[-1] > 1) == planted
    # alone, a user reads nothing and remembers what it wrote itself
    assert found["change"]["alone"]["n"] == 6
    with pytest.raises(BadInput, match="2 and 8 users"):
        group(tmp_path, 9)


def test_data_that_is_missing_or_does_more_than_hold_numbers_is_refused(tmp_path):
    with pytest.raises(BadInput, match="clone"):
        rumour(tmp_path)
    folder = made_data(tmp_path / "data")
    bad = folder / "twitter_dataset/real_world_prop_data/real_data_scale/False_Business_0.pkl"
    bad.write_bytes(pickle.dumps(Path("/")))
    with pytest.raises(BadInput, match="not a list of numbers"):
        rumour(folder)


@pytest.mark.skipif(not (OASIS / "reddit").is_dir(), reason="no data of OASIS here")
def test_the_real_data_of_oasis_is_what_it_was():
    data = rumour(OASIS)
    assert (len(data.bios), len(data.follows), data.source) == (111, 85, 32)
    assert [data.real["scale"][t] for t in (10, 30, 60, 149, -1)] == [51, 75, 84, 95, 104]
    assert (max(data.real["depth"]), max(data.real["breadth"])) == (2, 101)
    assert len(group(OASIS, 196).personas) == 196
    items, personas = rated(OASIS)
    assert (len(items), len(personas)) == (220, 36)
    groups = [item.group for item in items]
    assert [groups.count(g) for g in ("down", "control", "up")] == [83, 70, 67]


def test_the_floors_of_an_epidemic_are_the_same_number_every_week():
    none, mean, last = society_behaviour.floors([1.0, 3.0, 5.0, 9.0], 2)
    assert none == {"always": "no case", "fitted": round(5**0.5, 2), "predicted": 7.28}
    assert (mean["fitted"], mean["predicted"]) == (1.0, round(((3**2 + 7**2) / 2) ** 0.5, 2))
    assert (last["fitted"], last["predicted"]) == (
        round(2**0.5, 2),
        round((4 + 36) ** 0.5 / 2**0.5, 2),
    )
