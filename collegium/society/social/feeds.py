"""What users are shown: posts of those they follow, and posts that a recommender found.

Only users who are awake are recommended anything. The others' lists would be made anew before they
are ever read, so leaving them out changes nothing but the time it takes.

Paper vs code vs ours
---------------------
* X: score = R * F * S, with R = ln((271.8 - age) / 100), F = max(1, log_1000(followers + 1)) and S
  the cosine of user and post. The released code drops F. Where R is negative a negative cosine
  would make the score positive; the score then stays negative, so that a post past its time is
  never shown above one that is not. From age 271.8 on R does not exist, nor is the post shown.
* Reddit: the code's formula; the paper's printed one is there as ``form="paper"``.
* S is the cosine of MiniLM vectors. The paper found TWHIN-BERT better.
* A feed holds posts of followees whatever their age in the code. Here the latest of each
  (``LOOK_BACK``) are looked at.
* Everybody in the code draws from its own list; two of X's are made for every user. Here lists are
  made for those who are awake.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from collegium.society.chance import uniform
from collegium.society.compiled import compiled, spread
from collegium.society.engine import Society
from collegium.society.social.platform import Platform
from collegium.society.social.relations import look_up
from collegium.society.social.tables import REPOST
from collegium.society.state import Array

Recommender = Literal["x", "reddit", "random", "trace", "none"]

CANDIDATES = 4000
"""Posts that are scored in a step, drawn at random where there are more."""

LOOK_BACK = 20
"""Latest posts of each followee that a feed considers."""

EPOCH = 1134028003
"""Where hot scores begin to count, in seconds."""


def hot(ups: Any, downs: Any, seconds: Any, form: Literal["code", "paper"] = "code") -> Any:
    """Reddit's hot score.

    Args:
        ups: Likes.
        downs: Dislikes.
        seconds: When it was posted, in seconds since 1970.
        form: The code's, sign(s) log10(max(|s|, 1)) + (t - t0) / 45000; or as the paper prints it,
            log10(max(|s|, 1)) + sign(s) (t - t0) / 45000.
    """
    score = np.asarray(ups, float) - np.asarray(downs, float)
    order = np.log10(np.maximum(np.abs(score), 1))
    age = (np.asarray(seconds, float) - EPOCH) / 45000
    if form == "paper":
        return np.round(order + np.sign(score) * age, 7)
    return np.round(np.sign(score) * order + age, 7)


def recency(age: Any) -> Any:
    """R of X's score; minus infinity where it does not exist."""
    left = (271.8 - np.asarray(age, float)) / 100
    return np.where(left > 0, np.log(np.maximum(left, 1e-300)), -np.inf)


def popularity(followers: Any) -> Any:
    """F of X's score."""
    return np.maximum(1.0, np.log(np.asarray(followers, float) + 1) / np.log(1000))


def x_score(age: Any, followers: Any, cosine: Any) -> Any:
    """X's score of a post for a user.

    Args:
        age: Of the post, in steps.
        followers: Of its author.
        cosine: Of user and post.
    """
    r, f = recency(age), popularity(followers)
    with np.errstate(invalid="ignore"):
        score = r * f * np.asarray(cosine, float)
    score = np.where(r > 0, score, -np.abs(np.nan_to_num(score, neginf=0.0)))
    return np.where(np.isfinite(r), score, -np.inf)


@compiled
def _best(
    first: int,
    last: int,
    users: Any,
    which: Any,
    scores: Any,
    posts: Any,
    author: Any,
    mute_keys: Any,
    mute_rows: Any,
    mute_value: Any,
    out: Any,
) -> None:
    """The best posts for each user, without its own and those of the muted; ties: the earlier."""
    room = out.shape[1]
    top = np.empty(room)
    for a in range(first, last):
        held = 0
        for c in range(len(posts)):
            score = scores[which[a], c]
            if score == -np.inf or (held == room and score <= top[room - 1]):
                continue
            by = author[posts[c]]
            if by == users[a] or look_up(mute_keys, mute_rows, mute_value, users[a], by):
                continue
            at = held if held < room else room - 1
            while at > 0 and top[at - 1] < score:
                top[at] = top[at - 1]
                out[a, at] = out[a, at - 1]
                at -= 1
            top[at] = score
            out[a, at] = posts[c]
            held = min(held + 1, room)


def best_posts(platform: Platform, users: Array, which: Array, scores: Array, posts: Array,
               room: int) -> Array:  # fmt: skip
    """For every user the best of some posts.

    Args:
        platform: Whose.
        users: For whom.
        which: Row of ``scores`` of each user.
        scores: One row per kind of user, one column per post; minus infinity hides a post.
        posts: The posts.
        room: How many each gets at most.

    Returns:
        Numbers of posts, best first; -1 where there are no more.
    """
    out = np.full((len(users), room), -1, np.int64)
    mutes = platform.mutes
    spread(
        _best, len(users), users, which, scores, posts, platform.posts["author"],
        mutes.keys, mutes.rows, mutes.table["value"], out,
    )  # fmt: skip
    return out


@compiled
def _following(
    first: int,
    last: int,
    users: Any,
    head: Any,
    right: Any,
    follow_value: Any,
    chain: Any,
    present: Any,
    last_post: Any,
    previous: Any,
    likes: Any,
    original: Any,
    mute_keys: Any,
    mute_rows: Any,
    mute_value: Any,
    author: Any,
    back: int,
    out: Any,
) -> None:
    """The most liked posts of those each user follows; among equals the newer first."""
    room = out.shape[1]
    for a in range(first, last):
        held = 0
        row = head[users[a]]
        while row >= 0:
            other = right[row]
            if (
                follow_value[row]
                and present[other]
                and not look_up(mute_keys, mute_rows, mute_value, users[a], other)
            ):
                post, seen = last_post[other], 0
                while post >= 0 and seen < back:
                    seen += 1
                    shown = original[post]
                    by = author[shown]
                    hidden = by == users[a] or look_up(
                        mute_keys, mute_rows, mute_value, users[a], by
                    )
                    twice = False
                    for k in range(held):
                        if original[out[a, k]] == shown:
                            twice = True
                    if not hidden and not twice:
                        at = held if held < room else room
                        while at > 0 and (
                            likes[original[out[a, at - 1]]] < likes[shown]
                            or (
                                likes[original[out[a, at - 1]]] == likes[shown]
                                and out[a, at - 1] < post
                            )
                        ):
                            if at < room:
                                out[a, at] = out[a, at - 1]
                            at -= 1
                        if at < room:
                            out[a, at] = post
                            held = min(held + 1, room)
                    post = previous[post]
            row = chain[row]


def in_network(platform: Platform, users: Array, room: int = 3, back: int = LOOK_BACK) -> Array:
    """Up to ``room`` posts of the followees of each user, those with most likes.

    Args:
        platform: Whose.
        users: For whom.
        room: How many each gets at most.
        back: Latest posts of each followee that are looked at.

    Returns:
        Numbers of posts (a repost stands for its original), -1 where there are no more.
    """
    out = np.full((len(users), room), -1, np.int64)
    follows, mutes, posts = platform.follows, platform.mutes, platform.posts
    spread(
        _following, len(users), users, follows.head, follows.table["right"],
        follows.table["value"], follows.table["next"], platform.users["present"],
        platform.users["last post"], posts["previous"], posts["likes"], posts["original"],
        mutes.keys, mutes.rows, mutes.table["value"], posts["author"], back, out,
    )  # fmt: skip
    return out


@compiled
def _join(
    first: int, last: int, users: Any, known: Any, found: Any, refresh: int, original: Any,
    key: Any, step: int, out: Any,
) -> None:  # fmt: skip
    """The feed: what followees posted, then a sample of what was recommended; nothing twice."""
    room = found.shape[1]
    order = np.empty(room, np.int64)
    for a in range(first, last):
        held = 0
        for k in range(known.shape[1]):
            if known[a, k] >= 0:
                out[a, held] = known[a, k]
                held += 1
        have = 0
        for k in range(room):
            if found[a, k] >= 0:
                order[have] = found[a, k]
                have += 1
        taken = 0
        for k in range(have):
            if taken == refresh:
                break
            swap = k + int(uniform(key, step, users[a], k) * (have - k))
            order[k], order[swap] = order[swap], order[k]
            twice = False
            for h in range(held):
                if original[out[a, h]] == original[order[k]]:
                    twice = True
            if not twice:
                out[a, held] = order[k]
                held += 1
                taken += 1


def feeds(
    society: Society, platform: Platform, users: Array, found: Array, refresh: int, following: int
) -> Array:
    """The feeds of users who refresh.

    Args:
        society: Whose seed and step draw the samples.
        platform: Whose posts.
        users: Who.
        found: What was recommended to each.
        refresh: How many of those are shown.
        following: Posts of followees that are shown.

    Returns:
        Numbers of posts by user, -1 where there are no more.
    """
    known = in_network(platform, users, following)
    out = np.full((len(users), following + refresh), -1, np.int64)
    spread(
        _join, len(users), users, known, found, refresh, platform.posts["original"],
        society.key("feed"), society.t, out,
    )  # fmt: skip
    return out


def candidates(society: Society, platform: Platform, most: int = CANDIDATES) -> Array:
    """The posts that are scored in this step: all, or a random sample."""
    posts = platform.posts
    there = platform.users["present"][posts["author"]] == 1
    found = np.flatnonzero((posts["kind"] != REPOST) & there)
    if len(found) <= most:
        return found
    lot = society.uniforms("candidates", found)
    return np.sort(found[np.argpartition(lot, most)[:most]])
