"""The users of a platform: who they are, whom they follow, what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from collegium.errors import BadInput
from collegium.society.chance import generator, uniform, uniforms
from collegium.society.compiled import compiled, spread
from collegium.society.population import AGES, SEXES, Categories, city
from collegium.society.social.platform import Platform
from collegium.society.social.tables import empty_state
from collegium.society.state import Array, State, Table

TOPICS = (
    "politics", "health", "science", "football", "music", "film", "cooking", "travel", "money",
    "gaming", "fashion", "gardening", "climate", "technology", "books", "pets",
)  # fmt: skip

SAYINGS = (
    "Has anybody else been following the news about {topic} today?",
    "I have changed my mind about {topic}, and here is why.",
    "The best thing about {topic} is the people one meets.",
    "Nobody told me that {topic} would take up all my evenings.",
    "An honest question about {topic}: where does one begin?",
    "What they say about {topic} on television is only half the story.",
    "Ten years of {topic}, and still something new every week.",
    "I am tired of all the quarrels about {topic}.",
)
"""What archetypes say; users with a language model say what they like."""

ORDINARY, CORE = range(2)

ACTIVATION = {ORDINARY: 0.01, CORE: 0.1}
"""How likely a user wakes up in a step, at any hour, in the study of a million users."""

FOLLOWS = 0.2
"""How likely an ordinary user follows a core user of its topic."""

CATEGORIES = (Categories("age", AGES), Categories("sex", SEXES), Categories("topic", TOPICS))


def make_users(
    count: int,
    *,
    seed: int = 0,
    follows: float = 7.0,
    activity: Sequence[Sequence[float]] | None = None,
    people: Table | None = None,
) -> State:
    """A platform with users and a network of follows, and nothing posted yet.

    A core user stands out in one topic. An ordinary user follows each core user of its topic with
    probability 0.2, so a few are followed by very many. There are as many core users as give
    everyone ``follows`` followees in the mean.

    Args:
        count: Number of users.
        seed: Fixes them.
        follows: Mean number of followees.
        activity: Rows of 24 probabilities of waking up, by hour: of ordinary and of core users.
        people: Their age and sex; None: like a city's.

    Raises:
        BadInput: There are too few users, or the activities are not what they must be.
    """
    if count < 2:
        raise BadInput(f"a platform needs two users or more, not {count}.")
    rows = [[ACTIVATION[k]] * 24 for k in (ORDINARY, CORE)] if activity is None else activity
    table = np.array(rows, float)
    if table.ndim != 2 or table.shape[1] != 24 or table.min() < 0 or table.max() > 1:
        raise BadInput("activities are rows of 24 probabilities, one per hour of the day.")
    people = city(count, seed=seed) if people is None else people
    state = empty_state()
    state.values["activity"] = table.tolist()
    state.texts["bio"] = [f"Interested in {topic}." for topic in TOPICS]
    platform = Platform(state)
    topic = generator(seed, "topics").integers(0, len(TOPICS), count).astype(np.uint16)
    topic_of = people["topic"].astype(np.uint16) if "topic" in people else topic
    core = chosen_cores(count, topic_of, follows, seed)
    sex = people["sex"] if "sex" in people else np.zeros(count, np.uint8)
    platform.sign_up(
        count, age=people["age"], sex=sex, topic=topic_of,
        core=core, profile=core if len(table) > 1 else 0, bio=topic_of.astype(np.int32),
    )  # fmt: skip
    left, right = network(platform.users, seed)
    platform.follow(left, right)
    return state


def chosen_cores(count: int, topic: Array, follows: float, seed: int) -> Array:
    """Who stands out: as many in each topic as give the wanted mean of followees."""
    lot = uniforms(seed, "core", 0, count)
    core = np.zeros(count, np.uint8)
    wanted = max(1, round(follows / FOLLOWS))
    for t in range(len(TOPICS)):
        members = np.flatnonzero(topic == t)
        core[members[np.argsort(lot[members], kind="stable")[:wanted]]] = 1
    return core


@compiled
def _count_follows(
    first: int, last: int, topic: Any, begin: Any, cores: Any, p: float, key: Any, counts: Any
) -> None:
    for i in range(first, last):
        found = 0
        for c in range(begin[topic[i]], begin[topic[i] + 1]):
            if cores[c] != i and uniform(key, 0, i, c) < p:
                found += 1
        counts[i + 1] = found


@compiled
def _list_follows(
    first: int, last: int, topic: Any, begin: Any, cores: Any, p: float, key: Any, starts: Any,
    left: Any, right: Any,
) -> None:  # fmt: skip
    for i in range(first, last):
        at = starts[i]
        for c in range(begin[topic[i]], begin[topic[i] + 1]):
            if cores[c] != i and uniform(key, 0, i, c) < p:
                left[at], right[at] = i, cores[c]
                at += 1


def network(users: Table, seed: int) -> tuple[Array, Array]:
    """Who follows whom at first: the two sides of all pairs."""
    topic, count = users["topic"], len(users)
    cores = np.flatnonzero(users["core"])
    cores = cores[np.argsort(topic[cores], kind="stable")]
    begin = np.searchsorted(topic[cores], np.arange(int(topic.max()) + 2))
    key = np.array(generator(seed, "network").integers(0, 2**32, 2), np.uint64)
    starts = np.zeros(count + 1, np.int64)
    spread(_count_follows, count, topic, begin, cores, FOLLOWS, key, starts)
    np.cumsum(starts, out=starts)
    left, right = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.int32)
    spread(_list_follows, count, topic, begin, cores, FOLLOWS, key, starts, left, right)
    return left, right


def saying(platform: Platform, topics: Array, lot: Array) -> Array:
    """What users of these topics say, as numbers of texts."""
    which = (lot * len(SAYINGS)).astype(np.int64)
    numbers = np.array(
        [[platform.text(s.format(topic=TOPICS[t])) for s in SAYINGS] for t in range(len(TOPICS))]
    )
    return numbers[topics, which]
