"""OASIS: the platform, feeds, recommenders, cascades, users who think."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.errors import BadInput, UnknownName
from collegium.kernel import Kernel, Reply, TokenLogprob, ToolCall
from collegium.models import ScriptedModel
from collegium.society import Society, load, save, with_threads
from collegium.society.social import Platform, cascade_of, make_users, over_time, social_model
from collegium.society.social.behaviour import OPTIONS, saying
from collegium.society.social.build import social_archetypes
from collegium.society.social.cascades import largest, normalised_rmse
from collegium.society.social.feeds import best_posts, feeds, hot, in_network, x_score
from collegium.society.social.relations import Relation
from collegium.society.social.tables import REASONS, empty_state


def platform_of(users=4):
    platform = Platform(empty_state())
    platform.sign_up(users)
    return platform


def crowd(count=2000, seed=0, recommender="x", **settings):
    state = make_users(count, seed=seed)
    platform = Platform(state)
    first = np.flatnonzero(state.agents["core"])
    topics = state.agents["topic"][first]
    platform.create_post(first, saying(platform, topics, np.zeros(len(first))), topics)
    model = social_model(recommender, embedder="hash", **settings)
    return Society(model, state, seed=seed, parameters={"activity": 5})


@pytest.mark.must_show("oasis", 1)
def test_the_hot_score_of_reddit():
    then = datetime(2024, 8, 6, 8, tzinfo=UTC).timestamp()
    assert float(hot(100, 0, then)) == 13088.7377111
    assert float(hot(0, 100, then)) == 13084.7377111
    assert float(hot(0, 0, then + 25 * 3600)) == 13088.7377111
    assert float(hot(0, 100, then, form="paper")) == pytest.approx(2 - 13086.7377111)


@pytest.mark.must_show("oasis", 2)
def test_the_score_of_x():
    assert float(x_score(30, 10**6, 0.5)) == pytest.approx(0.88294, abs=5e-6)
    assert float(x_score(0, 100, 0.6)) == pytest.approx(0.59994, abs=5e-6)
    assert float(x_score(180, 100, 0.6)) < 0
    # past its time a post stays below the others whatever the cosine
    assert float(x_score(180, 100, -0.6)) < 0 < float(x_score(170, 1, 0.01))
    assert float(x_score(300, 10**6, 1.0)) == -np.inf


@pytest.mark.must_show("oasis", 2)
async def test_a_post_past_its_time_is_never_recommended_above_another():
    state = make_users(60, seed=1)
    platform = Platform(state)
    texts = np.array([platform.text("about chess"), platform.text("nothing alike at all")])
    platform.create_post(np.array([50, 51]), texts)
    society = Society(social_model("x", embedder="hash"), state, seed=1, t=180)
    state.tables["post"]["step"][1] = 100
    state.texts["bio"][:] = ["about chess"] * len(state.texts["bio"])
    recommend = society.model.steps[0].recommendations
    found = await recommend(society, platform, np.arange(10))
    assert (found[:, 0] == 1).all()
    assert (found[:, 1] == 0).all()


@pytest.mark.must_show("oasis", 3)
def test_the_measures_of_a_cascade():
    platform = platform_of(5)
    first = platform.act(0, "create_post", text="news")["post"]
    platform.step = 1
    at_b = platform.act(1, "repost", first)["post"]
    platform.act(2, "repost", first)
    platform.step = 3
    platform.act(3, "repost", at_b)
    cascade = cascade_of(platform.state, first)
    assert (cascade.scale, cascade.depth, cascade.breadth) == (4, 2, 2)
    assert cascade.virality == pytest.approx(10 / 6)
    assert platform.posts["original"].tolist() == [first] * 4
    assert platform.posts["reposts"][first] == 3
    curves = over_time(cascade, 4)
    assert curves["scale"] == [1, 3, 3, 4, 4]
    assert curves["depth"] == [0, 1, 1, 2, 2]
    assert largest(platform.state, 5) == [cascade]
    assert normalised_rmse([1, 2, 4], [1, 2, 4]) == 0


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_virality_is_the_mean_distance(choices):
    from collegium.society.social.cascades import structural_virality

    parents = [-1, *(min(c, i) for i, c in enumerate(choices))]
    count = len(parents)
    distance = np.full((count, count), 99)
    np.fill_diagonal(distance, 0)
    for child, parent in enumerate(parents[1:], 1):
        distance[child, parent] = distance[parent, child] = 1
    for k in range(count):
        distance = np.minimum(distance, distance[:, k : k + 1] + distance[k : k + 1])
    mean = distance.sum() / (count * (count - 1))
    assert structural_virality(parents) == pytest.approx(mean)


@pytest.mark.must_show("oasis", 4)
@pytest.mark.parametrize("recommender", ["x", "reddit", "random", "trace"])
async def test_feeds_keep_the_muted_and_one_s_own_out(recommender):
    society = crowd(300, recommender=recommender)
    platform = society.model.steps[0].platform(society)
    users = np.arange(0, 300, 3)
    authors = np.unique(platform.posts["author"])
    platform.create_post(users, saying(platform, society.agents["topic"][users], users * 0.0))
    quiet = np.concatenate([np.repeat(users, 8), users[:-1]])
    muted = np.concatenate([np.tile(authors[:8], len(users)), users[1:]])
    platform.mute(quiet, muted)
    recommend = society.model.steps[0].recommendations
    for t in range(5):
        society.t = t
        found = await recommend(society, platform, users)
        feed = feeds(society, platform, users, found, 5, 3)
        assert (feed >= 0).any()
        for row, user in enumerate(users):
            shown = platform.posts["author"][[*found[row][found[row] >= 0]]]
            assert user not in shown
            shown = platform.posts["author"][[*feed[row][feed[row] >= 0]]]
            assert user not in shown
            assert not platform.mutes.value(np.full(len(shown), user), shown).any()


@pytest.mark.must_show("oasis", 4)
def test_duplicates_are_refused_with_a_reason_and_leave_no_trace():
    platform = platform_of()
    post = platform.act(0, "create_post", text="hello")["post"]
    refused = []
    for user, action, target in (
        (1, "like_post", post), (1, "like_post", post), (1, "dislike_post", post),
        (1, "repost", post), (1, "repost", post), (1, "follow", 0), (1, "follow", 0),
        (1, "follow", 1), (0, "like_post", post), (1, "like_post", 99), (2, "unlike_post", post),
        (2, "mute", 2), (2, "unfollow", 0),
    ):  # fmt: skip
        before = len(platform.trace)
        outcome = platform.act(user, action, target)
        assert len(platform.trace) == before + outcome["success"]
        if not outcome["success"]:
            refused.append(outcome["reason"])
            assert outcome["reason"] in REASONS[1:]
    assert len(refused) == 10
    assert sum(platform.state.values["refused"].values()) == 10
    assert platform.posts["likes"][post] == 1
    assert platform.users["followers"][0] == 1
    with pytest.raises(UnknownName, match="did you mean 'like_post'"):
        platform.act(1, "like_pst", post)


def test_every_action_can_be_done_and_undone():
    platform = platform_of()
    post = platform.act(0, "create_post", text="hello world")["post"]
    for do, undo, table, count in (
        ("like_post", "unlike_post", platform.posts, "likes"),
        ("dislike_post", "undo_dislike_post", platform.posts, "dislikes"),
    ):
        assert platform.act(1, do, post)["success"]
        assert table[count][post] == 1
        assert platform.act(1, undo, post)["success"]
        assert table[count][post] == 0
    assert platform.act(1, "create_comment", post, "well said")["success"]
    for do, undo, count in (
        ("like_comment", "unlike_comment", "likes"),
        ("dislike_comment", "undo_dislike_comment", "dislikes"),
    ):
        assert platform.act(2, do, 0)["success"]
        assert platform.comments[count][0] == 1
        assert platform.act(2, undo, 0)["success"]
        assert platform.comments[count][0] == 0
    assert platform.act(1, "quote_post", post, "look")["success"]
    assert platform.act(2, "report_post", post)["success"]
    assert platform.act(1, "follow", 0)["success"]
    assert platform.act(1, "unfollow", 0)["success"]
    assert platform.act(1, "mute", 0)["success"]
    assert platform.search_posts(1, "hello").tolist() == []
    assert platform.act(1, "unmute", 0)["success"]
    assert platform.search_posts(1, "hello").tolist() == [post]
    assert platform.trend().tolist()[0] == 1
    assert platform.search_user("2").tolist() == [2]
    assert platform.act(3, "trend")["posts"][0] == 1
    assert platform.act(3, "search_posts", text="hello")["posts"] == [post]
    assert platform.act(3, "search_user", text="2")["users"] == [2]
    assert platform.act(3, "do_nothing")["success"]
    assert not platform.act(3, "create_post", text="  ")["success"]


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(-1, 1)), min_size=1, max_size=80
    ),
    st.integers(1, 5),
)
def test_a_relation_is_a_dictionary(changes, batch):
    state = empty_state()
    Platform(state).sign_up(7)
    relation, known = Relation(state, "anything"), {}
    for start in range(0, len(changes), batch):
        some = changes[start : start + batch]
        left, right, value = (np.array(c) for c in zip(*some, strict=True))
        before = relation.assign(left, right, value.astype(np.int8), 0)
        for (a, b, v), was in zip(some, before.tolist(), strict=True):
            assert was == known.get((a, b), 0)
            known[a, b] = v
    again = Relation(state, "anything")
    for made in (relation, again):
        for left in range(7):
            wanted = sorted(b for (a, b), v in known.items() if a == left and v)
            assert sorted(made.of(left).tolist()) == wanted


def test_followees_posts_come_by_likes():
    platform = platform_of(6)
    platform.follow(np.array([5, 5]), np.array([0, 1]))
    posts = [platform.act(u, "create_post", text=f"{u}")["post"] for u in (0, 0, 1, 2, 1)]
    for user in (2, 3, 4):
        platform.act(user, "like_post", posts[2])
    platform.act(2, "like_post", posts[0])
    found = in_network(platform, np.array([5, 4]))
    assert found.tolist() == [[posts[2], posts[0], posts[4]], [-1, -1, -1]]
    platform.act(3, "repost", posts[2])
    platform.follow(np.array([5]), np.array([3]))
    assert sorted(in_network(platform, np.array([5]))[0].tolist())[0] == posts[0]


def test_the_best_posts_are_sorted():
    platform = platform_of(10)
    posts = platform.create_post(np.arange(10), np.array([platform.text("a")] * 10))
    scores = np.random.default_rng(0).random((1, 10))
    found = best_posts(platform, np.array([3]), np.array([0]), scores, posts, 4)[0]
    wanted = [p for p in np.argsort(-scores[0]).tolist() if p != 3][:4]
    assert found.tolist() == wanted


@pytest.mark.parametrize("recommender", ["x", "reddit", "random", "trace", "none"])
async def test_a_run_is_the_same_for_a_seed_and_any_number_of_threads(recommender, tmp_path):
    digests = []
    for count in (1, 2):
        with with_threads(count):
            digests.append((await crowd(2000, 3, recommender).run(6)).digest())
    assert digests[0] == digests[1]
    half = await crowd(2000, 3, recommender).run(3)
    save(half, tmp_path, {})
    saved, state = load(tmp_path)
    model = social_model(recommender, embedder="hash")
    again = Society(model, state, seed=3, t=3, curves=saved.curves, parameters=saved.parameters)
    assert (await again.run(3)).digest() == digests[0]


async def test_the_counts_agree_with_the_relations():
    society = await crowd(3000, 1).run(10)
    users, posts, tables = society.agents, society.state.tables["post"], society.state.tables
    follows, rating = tables["follow"], tables["rating"]
    held = follows["value"] == 1
    assert (np.bincount(follows["right"][held], minlength=3000) == users["followers"]).all()
    assert (np.bincount(follows["left"][held], minlength=3000) == users["followees"]).all()
    likes = np.bincount(rating["right"][rating["value"] == 1], minlength=len(posts))
    assert (likes == posts["likes"]).all()
    reposts = np.bincount(posts["original"][posts["kind"] == 1], minlength=len(posts))
    assert (reposts == posts["reposts"]).all()
    assert posts["likes"].sum() > 0
    assert (posts["kind"] == 1).sum() > 0
    assert society.curves["awake"][0] > 0


def test_the_network_is_scale_free_in_shape():
    users = make_users(20_000, seed=1).agents
    assert users["followees"].mean() == pytest.approx(7, rel=0.1)
    followers = np.sort(users["followers"])[::-1]
    assert followers[: len(followers) // 20].sum() > 0.9 * followers.sum()
    assert not users["followers"][users["core"] == 0].any()


async def test_archetypes_decide_what_the_crowd_does():
    calls = []

    def script(request):
        text = request.messages[-1].text
        calls.append(text)
        word = "like" if "topic that interests you" in text else "ignore"
        top = {w: float(np.log(0.94 if w == word else 0.01)) for w in OPTIONS}
        return Reply(word, logprobs=(TokenLogprob(word, top[word], top),))

    state_of = crowd(3000, 2)
    model = social_model("random", archetypes=social_archetypes(("age", "sex")))
    kernel = Kernel(ScriptedModel(script), seed=2)
    society = Society(model, state_of.state, seed=2, kernel=kernel, parameters={"activity": 5})
    await society.run(6)
    assert len(calls) == kernel.meter.calls == 2 * 12
    assert society.curves["likes"][-1] > 5 * society.curves["dislikes"][-1]


def thinking(script, users=5):
    state = make_users(max(users, 2), seed=1)
    state.agents["thinks"][:] = 1
    state.values["activity"] = [[1.0] * 24] * 2
    platform = Platform(state)
    platform.create_post(np.array([0]), np.array([platform.text("the first post")]))
    kernel = Kernel(ScriptedModel(script), seed=1)
    return Society(social_model("random"), state, seed=1, kernel=kernel)


@pytest.mark.must_show("oasis", 8)
@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ('{"action": "like_post", "target": 4711}', "missing target"),
        ("I would rather have a cup of tea.", "prose"),
        ('{"action": "fly", "target": 0}', "unknown action"),
        ('{"action": "create_post", "text": " "}', "no text"),
    ],
)
async def test_a_reply_that_cannot_be_done_becomes_nothing_and_is_logged(said, problem):
    society = thinking(lambda request: said)
    await society.step()
    trace = society.state.tables["trace"]
    assert (trace["action"][-5:] == 22).all()
    assert society.state.texts["event"] == [f"corrected: {problem}"]
    assert len(society.state.tables["event"]) == 5
    assert len(society.state.tables["post"]) == 1


@pytest.mark.must_show("oasis", 8)
async def test_of_two_tool_calls_the_first_is_done_and_it_is_logged():
    def script(request):
        calls = (
            ToolCall("1", "like_post", {"target": 0}),
            ToolCall("2", "repost", {"target": 0}),
        )
        return Reply("", tool_calls=calls, finish="tool")

    society = thinking(script)
    await society.step()
    posts = society.state.tables["post"]
    assert posts["likes"][0] == 4  # nobody likes its own
    assert posts["reposts"][0] == 0
    assert "corrected: more than one action" in society.state.texts["event"]


async def test_users_who_think_read_what_others_wrote():
    prompts = []

    def script(request):
        prompts.append(request.messages[-1].text)
        move = {"action": "create_post", "target": -1, "text": f"thought {len(prompts)}"}
        return msgspec.json.encode(move).decode()

    society = thinking(script, 6)
    await society.run(2)
    assert len(prompts) == 12
    assert "the first post" in "".join(prompts[:6])
    assert "thought 1" in "".join(prompts[6:])
    assert "You remember: You wrote: thought" in prompts[-1]


def test_bad_users_are_refused():
    with pytest.raises(BadInput, match="two users"):
        make_users(1)
    with pytest.raises(BadInput, match="24 probabilities"):
        make_users(10, activity=[[0.5]])
    with pytest.raises(UnknownName, match="did you mean 'reddit'"):
        social_model("redit")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no column 'height'"):
        social_archetypes(("height",))
