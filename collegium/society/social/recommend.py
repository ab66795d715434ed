"""The recommenders of OASIS: X, Reddit, random, and the one that reads traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collegium.errors import unknown_name
from collegium.society.engine import Society
from collegium.society.social.feeds import (
    CANDIDATES,
    Recommender,
    best_posts,
    candidates,
    hot,
    popularity,
    recency,
)
from collegium.society.social.platform import Platform
from collegium.society.state import Array

if TYPE_CHECKING:
    from collegium.models import Embedder

KINDS = ("x", "reddit", "random", "trace", "none")

BUFFERS = {"x": 2, "reddit": 100, "random": 2, "trace": 2, "none": 0}
"""Posts that are recommended to each user, from which the feed draws."""

REFRESH = {"x": 2, "reddit": 5, "random": 2, "trace": 2, "none": 0}
"""How many of them are shown."""

EXACT = 1000
"""Up to so many users who are awake, profile and latest post are embedded as one text."""

SWAPPED = 0.1
"""Share of slots that the trace recommender gives to a random post."""

DAWN, SECONDS_PER_STEP = 1_700_000_000, 180
"""When step 0 is for the hot score, and how long a step takes."""


class Vectors:
    """Vectors of texts, each computed once.

    Args:
        embedder: What turns texts into vectors.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._place: dict[str, int] = {}
        self._rows = np.zeros((0, embedder.dimensions), np.float32)

    async def of(self, texts: list[str]) -> Array:
        """One row of unit length per text."""
        new = [t for t in dict.fromkeys(texts) if t not in self._place]
        if new:
            for text in new:
                self._place[text] = len(self._place)
            self._rows = np.concatenate([self._rows, await self._embedder.embed(new)])
        return self._rows[[self._place[t] for t in texts]]


class Recommendations:
    """Finds posts for users.

    Args:
        kind: Which recommender.
        vectors: For "x" and "trace".

    Raises:
        UnknownName: There is no such recommender.
    """

    def __init__(self, kind: Recommender, vectors: Vectors | None = None) -> None:
        if kind not in KINDS:
            raise unknown_name("recommender", kind, KINDS)
        self.kind, self.vectors = kind, vectors

    async def __call__(self, society: Society, platform: Platform, users: Array) -> Array:
        """What is recommended to each of these users, best first; -1 where there is no more."""
        room = BUFFERS[self.kind]
        every = self.kind in ("reddit", "random")  # what costs little is not sampled first
        posts = candidates(society, platform, len(platform.posts) if every else CANDIDATES)
        if not room or not len(posts) or not len(users):
            return np.full((len(users), max(room, 1)), -1, np.int64)
        same = np.zeros(len(users), np.int64)
        if self.kind == "random":
            return self._at_random(society, platform, users, posts, room)
        if self.kind == "reddit":
            ups, downs = platform.posts["likes"][posts], platform.posts["dislikes"][posts]
            when = DAWN + platform.posts["step"][posts] * SECONDS_PER_STEP
            scores = hot(ups, downs, when)
            # one list for all, but for what a reader may not see: some more than are needed
            best = np.argsort(-scores, kind="stable")[: 4 * room]
            return best_posts(platform, users, same, scores[best][None], posts[best], room)
        which, mine, theirs = await self._alike(platform, users, posts)
        cosine = mine @ theirs.T
        if self.kind == "trace":
            found = self._by_trace(platform, users, which, cosine, theirs, posts)
            chosen = best_posts(platform, users, np.arange(len(users)), found, posts, room)
            return self._swapped(society, platform, users, chosen, posts)
        age = society.t - platform.posts["step"][posts]
        followers = platform.users["followers"][platform.posts["author"][posts]]
        r, f = recency(age), popularity(followers)
        with np.errstate(invalid="ignore"):
            scores = cosine * (r * f).astype(np.float32)[None]
        past = r <= 0
        scores[:, past] = -np.abs(np.nan_to_num(scores[:, past], neginf=0.0))
        scores[:, ~np.isfinite(r)] = -np.inf
        return best_posts(platform, users, which, scores, posts, room)

    async def _alike(
        self, platform: Platform, users: Array, posts: Array
    ) -> tuple[Array, Array, Array]:
        """Row of each user, vectors of these rows, vectors of the posts."""
        assert self.vectors is not None
        said, bios = platform.state.texts["text"], platform.state.texts["bio"]
        bio, recent = platform.users["bio"][users], platform.users["recent text"][users]
        pairs, which = np.unique(np.stack([bio, recent], 1), axis=0, return_inverse=True)
        profile = [bios[b] if b >= 0 else "A user." for b in pairs[:, 0].tolist()]
        latest = [said[r] if r >= 0 else "" for r in pairs[:, 1].tolist()]
        if len(pairs) <= EXACT:
            whole = [
                f"{p} # Recent post: {r}" if r else p for p, r in zip(profile, latest, strict=True)
            ]
            mine = await self.vectors.of(whole)
        else:  # too many pairs to read one by one: the mean of both vectors stands for the pair
            mine = await self.vectors.of(profile)
            mine = mine + (pairs[:, 1] >= 0)[:, None] * await self.vectors.of(latest)
            mine = mine / np.maximum(np.linalg.norm(mine, axis=1, keepdims=True), 1e-9)
        theirs = await self.vectors.of([said[t] for t in platform.posts["text"][posts].tolist()])
        return which.ravel(), mine.astype(np.float32), theirs

    def _at_random(
        self, society: Society, platform: Platform, users: Array, posts: Array, room: int
    ) -> Array:
        """Posts drawn at random; twice as many are drawn as are needed, for what is hidden."""
        draws = np.stack(
            [society.uniforms("recommend", users, k) for k in range(2 * room + 2)], axis=1
        )
        found = posts[(draws * len(posts)).astype(np.int64)]
        return first_visible(platform, users, found, room)

    def _by_trace(
        self,
        platform: Platform,
        users: Array,
        which: Array,
        cosine: Array,
        theirs: Array,
        posts: Array,
    ) -> Array:
        """Score by cosine + (similarity to liked - similarity to disliked) * range / 2."""
        place = {int(p): i for i, p in enumerate(posts)}
        alike = theirs @ theirs.T
        scores = cosine[which].astype(np.float64)
        span = float(cosine.max() - cosine.min()) / 2
        rating = platform.ratings
        for row, user in enumerate(users.tolist()):
            rated = rating.of(user)
            if not len(rated):
                continue
            values = rating.value(np.full(len(rated), user), rated)
            for sign in (1, -1):
                known = [place[p] for p in rated[values == sign].tolist() if p in place]
                if known:
                    scores[row] += sign * alike[known].mean(0) * span
        return scores

    def _swapped(
        self, society: Society, platform: Platform, users: Array, chosen: Array, posts: Array
    ) -> Array:
        """A tenth of the slots goes to random posts that may be shown."""
        room = chosen.shape[1]
        for k in range(room):
            lot = society.uniforms("swap", users, k)
            pick = posts[(society.uniforms("swapped", users, k) * len(posts)).astype(np.int64)]
            visible = first_visible(platform, users, pick[:, None], 1)[:, 0]
            new = (lot < SWAPPED) & (visible >= 0) & ~(chosen == visible[:, None]).any(1)
            chosen[new, k] = visible[new]
        return chosen


def first_visible(platform: Platform, users: Array, found: Array, room: int) -> Array:
    """Of each user's posts the first that it may see: others' posts, of authors not muted."""
    author = platform.posts["author"][found]
    wide = np.repeat(users, found.shape[1])
    muted = platform.mutes.value(wide, author.ravel()).reshape(found.shape) != 0
    hidden = muted | (author == users[:, None])
    for k in range(1, found.shape[1]):
        hidden[:, k] |= (found[:, :k] == found[:, k : k + 1]).any(1)
    order = np.argsort(hidden, axis=1, kind="stable")[:, :room]
    shown = np.take_along_axis(found, order, 1)
    shown[np.take_along_axis(hidden, order, 1)] = -1
    return shown
