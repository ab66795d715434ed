"""Interactions: records, operations on a live run, observers, actors, plain language."""

import json
from collections import Counter

import msgspec
import numpy as np
import pytest

from collegium.errors import BadInput, UnknownName
from collegium.kernel import AskHuman, Kernel
from collegium.models import HashEmbedder, ScriptedModel
from collegium.society import Society, city, contact_layers, schedule
from collegium.society.covid import Isolation, covid_model, covid_state
from collegium.society.interaction import (
    AskBack,
    Live,
    Record,
    Seats,
    Understood,
    compare,
    contrast,
    coverage,
    find,
    records,
    understand,
)
from collegium.society.interaction.commands import keyword_match
from collegium.society.interaction.grounding import numbers_in
from collegium.society.interaction.records import check as check_record
from collegium.society.interaction.records import counts, dimensions, read_records
from collegium.society.labour import market_model, market_state
from collegium.society.operations import (
    Add,
    Close,
    Edit,
    HandBack,
    Inject,
    Open,
    Remember,
    Remove,
    Set,
    TakeOver,
)
from collegium.society.scene import scene_model, scene_state
from collegium.society.scene.script import PlayerPart, Script
from collegium.society.simulate import SIMULATORS
from collegium.society.social import Platform, make_users, social_model


def covid(seed=0, agents=600, infected=0.02, model=None, **parameters):
    people = city(agents, seed=seed)
    layers = contact_layers(people, seed=seed)
    state = covid_state(people, layers, seed=seed, infected=infected)
    kernel = Kernel(model, seed=seed) if model else None
    return Society(
        covid_model(Isolation("constant")), state, seed=seed, parameters=parameters, kernel=kernel
    )


def talker(request):
    return "I feel well, thank you."


SCENE = Script(
    player=tuple(
        PlayerPart(name=name, place="garden", memories=("It rained.",))
        for name in ("Ann", "Bob", "Cid", "Dan")
    ),
    premise="It is a quiet evening.",
    places=("garden", "cellar"),
)


def game(request):
    """Plays a scene: everybody in turn, and everything succeeds."""
    question = request.agent.partition(".")[2].partition("@")[0]
    if question == "next-acting":
        names = request.schema["properties"]["answer"]["enum"]
        return json.dumps({"answer": names[int(request.agent.partition("@")[2]) % len(names)]})
    if question == "next-action-spec":
        return json.dumps({"call": "What does {name} do?"})
    if question in ("terminate", "success"):
        return json.dumps({"answer": "no" if question == "terminate" else "yes"})
    return talker(request) if request.role == "interview" else f"{question} of {request.agent}"


def begin(simulator):
    if simulator == "covid":
        return covid(model=ScriptedModel(talker))
    if simulator == "market":
        kernel = Kernel(ScriptedModel(talker), seed=1)
        return Society(market_model(), market_state(city(300, seed=1)), seed=1, kernel=kernel)
    if simulator == "scene":
        kernel = Kernel(ScriptedModel(game), seed=1)
        return Society(scene_model(HashEmbedder(64)), scene_state(SCENE), seed=1, kernel=kernel)
    state = make_users(300, seed=1)
    platform = Platform(state)
    platform.create_post(np.array([0]), np.array([platform.text("hello")]))
    kernel = Kernel(ScriptedModel(talker), seed=1)
    return Society(social_model("random"), state, seed=1, kernel=kernel)


CHANGES = {
    "covid": {
        "set": Set("R", 2.0), "close": Close("school"), "open": Open("school", 0.5),
        "edit": Edit(3, "age", 4), "remember": Remember(3, "It rains."), "add": Add(2),
        "remove": Remove(3), "inject": Inject("outbreak", {"count": 5}),
    },
    "market": {
        "set": Set("stimulus", 500.0), "edit": Edit(3, "age", 4),
        "remember": Remember(3, "It rains."), "add": Add(2), "remove": Remove(3),
        "inject": Inject("lose-jobs", {"share": 0.5}),
    },
    "social": {
        "set": Set("activity", 2.0), "edit": Edit(3, "topic", 4),
        "remember": Remember(3, "It rains."), "add": Add(2), "remove": Remove(3),
        "inject": Inject("news", {"text": "Something happened."}),
    },
    "scene": {
        "close": Close("cellar"), "open": Open("cellar", 0.5), "edit": Edit(3, "place", 1),
        "remember": Remember(3, "It rains."), "add": Add(2), "remove": Remove(3),
        "inject": Inject("announce", {"text": "Something happened."}),
    },
}  # fmt: skip


@pytest.mark.must_show("abm-interaction", 1)
def test_every_simulator_has_its_roles():
    for simulator in SIMULATORS:
        for who in ("observer", "director", "scriptwriter"):
            assert find(system=simulator, who=who)


@pytest.mark.must_show("abm-interaction", 1)
@pytest.mark.parametrize("simulator", list(SIMULATORS))
async def test_what_a_director_may_do_during_a_run_is_what_can_be_done(simulator):
    offered = {r.operation for r in find(system=simulator, who="director", when="during")}
    live = Live(begin(simulator))
    await live.advance(2)
    done = set()
    for name, operation in CHANGES[simulator].items():
        before = live.society.digest()
        live.do(operation)
        assert live.society.digest() != before
        done.add(name)
    live.snapshot("here")
    here = live.society.digest()
    await live.advance(1)
    live.restore("here")
    assert live.society.digest() == here
    assert live.branch().society.digest() == here
    assert offered == done | {"advance", "snapshot", "restore", "branch"}
    live.pause()
    with pytest.raises(BadInput, match="paused"):
        await live.advance()
    live.resume()
    await live.advance()
    assert [act.who for act in live.log] == ["director"] * len(live.log)


@pytest.mark.must_show("abm-interaction", 1)
@pytest.mark.parametrize("simulator", list(SIMULATORS))
def test_an_operation_that_is_not_offered_cannot_be_done(simulator):
    offered = {r.operation for r in find(system=simulator, who="director")}
    society = begin(simulator)
    if "close" not in offered:
        with pytest.raises(UnknownName, match="place"):
            Live(society).do(Close("school"))


@pytest.mark.must_show("abm-interaction", 2)
@pytest.mark.parametrize("simulator", list(SIMULATORS))
async def test_an_observer_changes_nothing(simulator, tmp_path):
    watched, alone = Live(begin(simulator)), Live(begin(simulator))
    await watched.advance(3)
    await alone.advance(3)
    before = watched.society.digest()
    assert await watched.interview(2, "How are you?") == "I feel well, thank you."
    watched.query(next(iter(watched.society.curves)))
    watched.inspect(2)
    assert watched.export(tmp_path)
    assert watched.society.digest() == before
    await watched.advance(5)
    await alone.advance(5)
    assert watched.society.digest() == alone.society.digest()
    await watched.interview(2, "How are you?", write=True)
    assert watched.society.digest() != alone.society.digest()


@pytest.mark.must_show("abm-interaction", 3)
async def test_branches_without_a_change_are_equal_to_the_bit():
    live = Live(covid(3, 2000))
    await live.advance(4)
    same = live.branch()
    await live.advance(12)
    await same.advance(12)
    assert same.society.digest() == live.society.digest()


@pytest.mark.must_show("abm-interaction", 3)
async def test_a_branch_is_equal_until_the_changed_agent_does_something_else():
    plain = covid(3, 2000, isolation=0.0)
    await plain.run(4)
    start, history = plain.branch(), []
    for _ in range(12):
        await plain.step()
        history.append({c: plain.agents[c].copy() for c in ("stage", "day", "isolates")})
    caught = plain.state.tables["event"]
    later = [int(a) for a, t in zip(caught["agent"], caught["step"], strict=True) if t > 5]
    firsts = []
    for agent in later[:60]:
        # an adult becomes a child: it may escape the infection that it would have caught
        if start.agents["age"][agent] == 0:
            continue
        branch = Live(start.branch())
        branch.do(Edit(agent, "age", 0))
        for t, before in enumerate(history):
            await branch.advance(1)
            changed = np.zeros(2000, bool)
            for column, values in before.items():
                changed |= branch.society.agents[column] != values
            if changed.any():
                assert np.flatnonzero(changed).tolist() == [agent]
                assert before["stage"][agent] == 1  # then and there it would have been infected
                assert before["day"][agent] == 0
                firsts.append(t)
                break
    assert len(firsts) >= 3


@pytest.mark.must_show("abm-interaction", 4)
async def test_a_person_plays_a_user_and_hands_back():
    prompts = {}

    def script(request):
        prompts.setdefault(request.agent, request.messages[-1].text)
        return json.dumps({"action": "create_post", "target": -1, "text": f"by {request.agent}"})

    async def human(question):
        return "I say: bring your own cup!"

    def wrap(text):
        return json.dumps({"action": "create_post", "target": -1, "text": text})

    seats = Seats(wrap)
    kernel = Kernel(ScriptedModel(script), seed=1, interceptors=[seats], human=human)
    seats.bind(kernel)
    state = make_users(5, seed=1)
    state.agents["thinks"][:] = 1
    state.values["activity"] = [[1.0] * 24] * 2
    platform = Platform(state)
    platform.follow(np.array([0, 1, 3]), np.array([2, 2, 2]))
    live = Live(Society(social_model("none"), state, seed=1, kernel=kernel), seats)
    await live.advance(1)
    live.do(TakeOver(2, {}), who="actor", how="form")
    await live.advance(2)
    live.do(HandBack(2), who="actor", how="form")
    await live.advance(2)
    said = state.texts["text"]
    assert said.count("I say: bring your own cup!") == 1
    assert "user-2@0" in prompts and "user-2@3" in prompts
    assert "user-2@1" not in prompts and "user-2@2" not in prompts
    # what the person typed stands in the others' prompts the way a model's words do
    for follower in (0, 1, 3):
        assert '"text":"I say: bring your own cup!"' in prompts[f"user-{follower}@2"]
        assert '"text":"by user-2@0"' in prompts[f"user-{follower}@1"]
    asked = [e.call.agent for e in kernel.trace.events if isinstance(e.call, AskHuman)]
    assert asked == ["user-2@1", "user-2@2"]


@pytest.mark.must_show("abm-interaction", 5)
async def test_a_place_closes_at_its_step_and_opens_when_undone():
    seen = []

    def look(society):
        seen.append(society.state.layers["school"].factor)

    society = covid(1)
    society.model = msgspec.structs.replace(society.model, steps=(look, *society.model.steps))
    live = Live(society)
    live.plan(10, Close("school"))
    await live.advance(12)
    assert seen == [1.0] * 10 + [0.0] * 2
    assert live.undo()
    await live.advance(2)
    assert seen[-2:] == [1.0, 1.0]
    live.plan(20, Close("work"))
    assert live.undo()
    await live.advance(10)
    assert society.state.layers["work"].factor == 1.0
    assert not live.undo()


async def test_what_was_planned_and_done_is_undone_to_what_it_was():
    live = Live(covid(1, R=2.0))
    live.do(Open("school", 0.5))
    live.plan(1, Set("R", 3.0))
    live.plan(1, Close("school"))
    live.plan(2, Inject("outbreak", {"count": 3}))
    await live.advance(2)
    assert live.undo()  # it was still waiting
    assert live.society.parameters["R"] == 3.0
    assert live.undo()
    assert live.society.state.layers["school"].factor == 0.5
    assert live.undo()
    assert live.society.parameters["R"] == 2.0
    live.plan(3, Inject("outbreak", {"count": 3}))
    await live.advance(2)
    with pytest.raises(BadInput, match="restore a snapshot"):
        live.undo()


async def test_the_difference_of_pairs_needs_two():
    society = await covid().run(2)
    with pytest.raises(BadInput, match="two seeds"):
        contrast([(society, society)])


async def test_what_joins_can_be_undone_only_at_once():
    live = Live(covid(1))
    live.do(Add(5))
    assert live.undo()
    assert len(live.society.agents) == 600
    live.do(Add(5))
    await live.advance()
    with pytest.raises(BadInput, match="restore a snapshot"):
        live.undo()


@pytest.mark.must_show("abm-interaction", 7)
def test_values_outside_the_lists_are_refused_with_the_allowed_ones(tmp_path):
    good = records()[0]
    for dimension, value in (("who", "king"), ("when", "never"), ("how", ("telepathy",))):
        with pytest.raises(UnknownName) as error:
            check_record(msgspec.structs.replace(good, **{dimension: value}))
        for allowed in dimensions()[dimension]:
            assert allowed in str(error.value)
    file = tmp_path / "records.toml"
    file.write_text('[[record]]\nid = "x"\n')
    with pytest.raises(BadInput, match="cannot be read"):
        read_records(file)


@pytest.mark.must_show("abm-interaction", 7)
def test_the_coverage_agrees_with_a_recount():
    recount = Counter()
    for record in records():
        for why in record.why:
            recount[record.who, why, record.when] += len(record.systems)
    assert counts() == recount
    cells = coverage()
    lists = dimensions()
    assert len(cells) == len(lists["who"]) * len(lists["why"]) * len(lists["when"])
    assert {(c.who, c.why, c.when) for c in cells if not c.missing} == set(recount)
    assert any(c.missing for c in cells)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"who": "scriptwriter", "when": "after"}, "before the run"),
        ({"who": "director", "when": "before"}, "during the run"),
        ({"who": "actor", "how": ("code",)}, "dialogue, form"),
        ({"who": "observer", "operation": "set"}, "never changes"),
        ({"who": "prototype"}, "consent"),
    ],
)
def test_records_that_contradict_their_role_are_refused(changes, says):
    record = Record(
        id="x", systems=("covid",), why=("scenarios",), when="during", what="agent.profile",
        who="director", how=("code",), reversible=True,
    )  # fmt: skip
    with pytest.raises(BadInput, match=says):
        check_record(msgspec.structs.replace(record, **changes))


@pytest.mark.must_show("abm-interaction", 8)
async def test_common_random_numbers_find_what_independent_seeds_miss():
    def start(seed):
        return covid(seed, 150, 0.02, isolation=0.0)

    found = {}
    for common in (True, False):
        made = await compare(
            start, 3, Set("R", 4.75 / 2), steps=25, seeds=range(20), curves=["cases"], common=common
        )
        found[common] = made
    right = {c: sum(d < 0 for d in f.differences[0].sum.by_seed) for c, f in found.items()}
    assert right[True] == 20
    assert right[False] < 20
    width = {c: f.differences[0].sum.high - f.differences[0].sum.low for c, f in found.items()}
    assert width[True] < width[False]
    assert found[True].differences[0].sum.high < 0
    assert min(found[True].first) >= 3


@pytest.mark.parametrize(
    ("sentence", "said", "operation", "at"),
    [
        (
            "Close schools from day ten on",
            {"do": "close", "place": "school", "at": 10}, Close("school"), 10,
        ),
        ("R is 2,5", {"do": "set", "parameter": "R", "value": 2.5, "at": -1}, Set("R", 2.5), 0),
        ("An outbreak on day 3.", {"do": "inject outbreak", "at": 3}, Inject("outbreak"), 3),
        (
            "On day 3 an outbreak of 40 cases",
            {"do": "inject outbreak", "count": 40, "at": 3}, Inject("outbreak", {"count": 40}), 3,
        ),
    ],
)  # fmt: skip
async def test_a_sentence_becomes_an_operation_and_changes_nothing(sentence, said, operation, at):
    society = covid(model=ScriptedModel(lambda r: json.dumps({"form": said})))
    before = society.digest()
    found = await understand(society, sentence)
    assert isinstance(found, Understood)
    assert (found.operation, found.at) == (operation, at)
    assert f"before step {at}" in found.preview
    assert society.digest() == before
    schedule(society, found.at, found.operation)


@pytest.mark.parametrize(
    "said",
    [
        json.dumps({"form": {"do": "unclear", "question": "Which place?", "at": -1}}),
        json.dumps({"form": {"do": "close", "place": "pub", "at": 1}}),
        json.dumps({"form": {"do": "set", "parameter": "R", "value": 2000, "at": 1}}),
        json.dumps({"form": {"do": "remove", "agent": 10**9, "at": 1}}),
        json.dumps({"form": {"do": "close", "place": "school", "at": 10**9}}),
        json.dumps({"form": {"do": "run", "command": "rm -rf", "at": 1}}),
        json.dumps({"form": {"do": "inject outbreak", "count": "many", "at": 1}}),
        json.dumps({"form": {"do": "inject fire", "at": 1}}),
        "rm -rf /",
    ],
)
async def test_what_is_unclear_or_out_of_range_is_asked_back(said):
    society = covid(model=ScriptedModel(lambda r: said))
    before = society.digest()
    assert isinstance(await understand(society, "do something"), AskBack)
    assert society.digest() == before


@pytest.mark.parametrize(
    ("sentence", "said", "question"),
    [
        ("run rm -rf /", {"do": "remove", "agent": 0}, "did not say 0"),
        ("hide it from everybody", {"do": "close", "place": "work"}, "the place 'work'"),
        ("write a mail to my boss", {"do": "set", "parameter": "R", "value": 1}, "did not say 1"),
        ("close the school", {"do": "close", "place": "school", "at": 4}, "did not say 4"),
        ("start it on day 2", {"do": "inject outbreak", "at": 2}, "the event 'outbreak'"),
        ("nobody may see it", {"do": "remove", "agent": 0}, "did not say 0"),
        ("an outbreak of all", {"do": "inject outbreak", "count": 1}, "did not say 1"),
        ("age 30 for agent 5", {"do": "edit", "agent": 6, "column": "age", "value": 30}, "say 6"),
    ],
)
async def test_what_was_never_said_is_asked_back(sentence, said, question):
    asked = []

    def answer(request):
        asked.append(request.messages[-1].text)
        return json.dumps({"form": said})

    found = await understand(covid(model=ScriptedModel(answer)), sentence)
    assert isinstance(found, AskBack)
    assert question in found.question
    # it was read twice, the second time with what was wrong
    assert len(asked) == 2
    assert found.question in asked[1]
    assert found.question not in asked[0]


async def test_a_sentence_that_was_read_wrongly_is_read_once_more():
    forms = iter([{"do": "remove", "agent": 0}, {"do": "remove", "agent": 17}])
    society = covid(model=ScriptedModel(lambda r: json.dumps({"form": next(forms)})))
    found = await understand(society, "Agent 17 dies.")
    assert isinstance(found, Understood)
    assert found.operation == Remove(17)


@pytest.mark.parametrize(
    ("sentence", "numbers"),
    [
        ("half of them, on day twelve", {12}),
        ("to 1,500 and 2.5, not 3", {1500, 2.5, 3}),
        ("80 % go out; 5 percent stay", {80, 0.8, 5, 0.05}),
        ("agent7 and v1.2.3", set()),
        ("at 127.0.0.1 since 1.12.2026, places 1,2,3 and 4", {4}),
    ],
)
def test_numbers_are_read_from_sentences(sentence, numbers):
    assert {n for n in numbers_in(sentence) if n > 0} == numbers


async def test_a_sentence_fills_in_what_an_event_needs():
    said = {"do": "inject announce", "text": "Thunder!", "place": "garden", "at": -1}
    society = begin("scene")
    society.kernel = Kernel(ScriptedModel(lambda r: json.dumps({"form": said})), seed=1)
    assert isinstance(await understand(society, "let it thunder in the garden"), AskBack)
    assert isinstance(await understand(society, "announce dinner in the garden"), AskBack)
    found = await understand(society, "announce a thunder in the garden")
    assert isinstance(found, Understood)
    assert found.operation == Inject("announce", {"text": "Thunder!", "place": "garden"})
    live = Live(society)
    with pytest.raises(BadInput, match="missing a required argument: 'text'"):
        live.plan(3, Inject("announce", {"place": "garden"}))
    live.do(found.operation, how="command")
    assert society.state.values["scene"]["queue"]["Ann"][-1] == "Thunder!"


def test_the_baseline_matches_words():
    society = covid()
    assert keyword_match(society, "Please shut the school.") == Close("school")
    assert keyword_match(society, "set R to 2.5") == Set("R", 2.5)
    assert keyword_match(society, "delete all agents and hide it") is None
