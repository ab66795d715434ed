"""OASIS as a model of the engine: recommend, wake up, refresh, act, go on by three minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collegium.errors import BadInput
from collegium.models import open_embedder
from collegium.society.archetypes import Archetypes
from collegium.society.engine import Model, Parameter, Society
from collegium.society.social.behaviour import OPTIONS, Crowd, action_prompt, persona, think
from collegium.society.social.feeds import Recommender, feeds, in_network
from collegium.society.social.platform import Platform
from collegium.society.social.recommend import KINDS, REFRESH, Recommendations, Vectors
from collegium.society.social.tables import RELATIONS
from collegium.society.social.users import CATEGORIES, TOPICS, make_users, saying
from collegium.society.sources import people_of
from collegium.society.state import Array, State

if TYPE_CHECKING:
    from collegium.society.simulate import Options

PAPER = "oasis"

STEPS_PER_HOUR = 20
FOLLOWING = 3
"""Posts of followees in a feed."""

PARAMETERS = {
    "activity": Parameter(1.0, 0, 100, "factor on how likely users wake up"),
    "following": Parameter(FOLLOWING, 0, 20, "posts of followees in a feed"),
}


class Step:
    """The platform's step.

    Args:
        recommendations: Finds posts outside a user's network.
        crowd: How users act who do not think for themselves.
    """

    def __init__(self, recommendations: Recommendations, crowd: Crowd) -> None:
        self.recommendations, self.crowd = recommendations, crowd
        self._platform: Platform | None = None

    def platform(self, society: Society) -> Platform:
        """The platform over a society's state."""
        if self._platform is None or self._platform.state is not society.state:
            self._platform = Platform(society.state)
        self._platform.step = society.t
        return self._platform

    async def __call__(self, society: Society) -> None:
        """Wake users, show them their feeds, let them act."""
        platform = self.platform(society)
        users = awake(society)
        found = await self.recommendations(society, platform, users)
        refresh, following = REFRESH[self.recommendations.kind], int(society.parameter("following"))
        feed = feeds(society, platform, users, found, refresh, following)
        platform.refreshed(users)
        thinks = platform.users["thinks"][users] == 1
        await self.crowd(society, platform, users[~thinks], feed[~thinks])
        if thinks.any():
            await think(society, platform, users[thinks].tolist(), feed[thinks])
        society.state.values["awake"] = len(users)


def awake(society: Society) -> Array:
    """Who wakes up in this step: user i does if u < activity_i[hour]."""
    users = society.agents
    hour = society.t // STEPS_PER_HOUR % 24
    by_profile = np.array([row[hour] for row in society.state.values["activity"]])
    chance = society.parameter("activity") * by_profile[users["profile"]]
    return np.flatnonzero((society.uniforms("wake") < chance) & (users["present"] == 1))


def measure(society: Society) -> dict[str, float]:
    """Who is awake, and what there is by now."""
    posts, tables = society.state.tables["post"], society.state.tables
    return {
        "awake": float(society.state.values["awake"]),
        "posts": float((posts["kind"] == 0).sum()),
        "reposts": float((posts["kind"] == 1).sum()),
        "comments": float(len(tables["comment"])),
        "likes": float(posts["likes"].sum()),
        "dislikes": float(posts["dislikes"].sum()),
        "follows": float(society.agents["followees"].sum(dtype=np.int64)),
        "most reposted": float(posts["reposts"].max(initial=0)),
    }


def social_model(
    recommender: Recommender = "x",
    *,
    archetypes: Archetypes | None = None,
    embedder: str = "minilm",
) -> Model:
    """The social platform.

    Args:
        recommender: How posts are recommended.
        archetypes: Groups that a language model speaks for; None: everybody acts as usual.
        embedder: What turns texts into vectors, for "x" and "trace".

    Raises:
        UnknownName: There is no such recommender or embedder.
    """
    vectors = Vectors(open_embedder(embedder)) if recommender in ("x", "trace") else None
    step = Step(Recommendations(recommender, vectors), Crowd(archetypes))

    def breaking_news(society: Society, text: str, user: int = -1) -> None:
        """A post that the most followed user, or another, makes at once."""
        who = int(np.argmax(society.agents["followers"])) if user < 0 else user
        made = step.platform(society).act(who, "create_post", text=text)
        if not made["success"]:
            raise BadInput(f"the news could not be posted: {made['reason']}.")

    def news(society: Society, user: int) -> str:
        """The posts of followees that a user would be shown first."""
        platform = step.platform(society)
        posts = in_network(platform, np.array([user]))[0]
        texts, table = society.state.texts["text"], platform.posts
        shown = [texts[int(table["text"][p])] for p in posts.tolist() if p >= 0]
        return f"In your feed you read: {' / '.join(shown)}" if shown else ""

    def voice(society: Society, user: int, text: str) -> None:
        """A post of a user's own."""
        if text.strip() and society.agents["present"][user]:
            step.platform(society).act(user, "create_post", text=text)

    return Model(
        name="social",
        steps=(step,),
        measure=measure,
        parameters=PARAMETERS,
        columns=("topic", "profile", "present"),
        happenings={"news": breaking_news},
        newcomers=newcomers,
        leave=leave,
        describe=persona,
        seat=seat,
        news=news,
        voice=voice,
    )


def seat(society: Society, user: int, taken: bool) -> str:
    """A user for whom a person answers thinks, whatever it did before."""
    thinks = society.agents["thinks"]
    before = society.state.values.setdefault("thought", {})
    if taken:
        before.setdefault(str(user), int(thinks[user]))
        thinks[user] = 1
    else:
        thinks[user] = before.pop(str(user), int(thinks[user]))
    return f"user-{user}"


def newcomers(society: Society, rows: slice) -> None:
    """New users follow nobody, and have posted nothing."""
    users = society.agents
    for column in ("last post", "recent text", *(f"first {r}" for r in RELATIONS)):
        users[column][rows] = -1
    for column in ("followers", "followees", "core", "thinks"):
        users[column][rows] = 0
    users["present"][rows], users["joined"][rows] = 1, society.t


def leave(society: Society, agent: int) -> None:
    """A user who leaves is never awake, and is shown to nobody."""
    society.agents["present"][agent] = 0


def social_archetypes(attributes: tuple[str, ...]) -> Archetypes:
    """The groups of users.

    Raises:
        BadInput: A column is none of those that users have.
    """
    known = {c.column: c for c in CATEGORIES}
    for attribute in attributes:
        if attribute not in known:
            raise BadInput(
                f"users have no column {attribute!r} to make archetypes of; "
                f"they have {', '.join(known)}."
            )
    return Archetypes(action_prompt(attributes), [known[a] for a in attributes], options=OPTIONS)


def build_social(options: Options) -> tuple[Model, State]:
    """The platform of a run, with a first post of every core user.

    Raises:
        BadInput: An option or a file is not what it must be.
        UnknownName: There is no such recommender.
    """
    people = None
    if options.population:
        people = people_of(options.population, options.agents, options.seed, ("age",)).people
    count = len(people) if people is not None else options.agents
    state = make_users(count, seed=options.seed, people=people)
    if not 0 <= options.llm_users <= count:
        raise BadInput(f"of {count} users between none and all can think, not {options.llm_users}.")
    state.agents["thinks"][: options.llm_users] = 1
    platform = Platform(state)
    first = np.flatnonzero(state.agents["core"])
    topics = state.agents["topic"][first]
    platform.create_post(first, saying(platform, topics, np.linspace(0, 0.999, len(first))), topics)
    return social_model_of(options, state), state


def social_model_of(options: Options, state: State) -> Model:
    """The model alone, as a resumed run needs it."""
    archetypes = social_archetypes(options.archetypes) if options.archetypes else None
    return social_model(options.recommender, archetypes=archetypes)  # type: ignore[arg-type]


__all__ = ["KINDS", "TOPICS", "awake", "social_model"]
