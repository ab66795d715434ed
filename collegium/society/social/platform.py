"""The platform of OASIS (arXiv 2411.11581, section 2): users, posts, and what users can do.

Every action comes in two forms. A bulk form takes arrays of users and targets, one action each,
carried out in their order. The single form, :meth:`Platform.act`, takes one user and answers as the
platform's interface does: ``{"success": ...}`` with a reason where it refused. Both are the same
code. An action that succeeds leaves one row in the trace; one that is refused leaves none, and is
counted by reason.

Paper vs code vs ours
---------------------
* The paper has 21 actions; all are here, with ``report_post`` and the interview of the released
  code. Its later group chats and purchases are not.
* In the code a mute is stored and never looks at a feed. Here it hides the muted from feeds,
  recommendations and searches.
* The code has one flag for both directions of following; here each user has both counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from collegium.errors import BadInput, unknown_name
from collegium.society.social.relations import Relation
from collegium.society.social.tables import (
    ACTIONS,
    ALREADY,
    MISSING,
    NO_TEXT,
    NOT_DONE,
    OK,
    OTHER_WAY,
    OWN,
    POST,
    QUOTE,
    REASONS,
    RELATIONS,
    REPOST,
)
from collegium.society.state import Array, State, Table


class Platform:
    """A platform over its state.

    Args:
        state: Made by :func:`empty_state`, or as a checkpoint kept it.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.users, self.posts = state.tables["agent"], state.tables["post"]
        self.comments, self.trace = state.tables["comment"], state.tables["trace"]
        (
            self.follows,
            self.mutes,
            self.ratings,
            self.comment_ratings,
            self.reposted,
            self.reported,
        ) = (Relation(state, name) for name in RELATIONS)
        self._texts = {text: i for i, text in enumerate(state.texts["text"])}
        self.step = 0

    # -- users ----------------------------------------------------------------------------

    def sign_up(self, count: int, **columns: Any) -> Array:
        """Let users join.

        Args:
            count: How many.
            columns: Values of their columns.

        Returns:
            Their numbers.
        """
        new = {c: -1 for c in self.users if c.startswith("first ")}
        new |= {"last post": -1, "recent text": -1, "bio": -1, "present": 1, "joined": self.step}
        rows = self.users.append(count, **(new | columns))
        users = np.arange(rows.start, rows.stop)
        self._note("sign_up", users, users)
        return users

    def follow(self, users: Array, others: Array) -> Array:
        """Follow; says per pair why it was refused (0: it was not)."""
        reasons = self._relate(self.follows, users, others, len(self.users), own=users)
        self._count_follows(users, others, reasons, 1, "follow")
        return reasons

    def unfollow(self, users: Array, others: Array) -> Array:
        """Unfollow."""
        reasons = self._unrelate(self.follows, users, others, len(self.users))
        self._count_follows(users, others, reasons, -1, "unfollow")
        return reasons

    def mute(self, users: Array, others: Array) -> Array:
        """Mute: nothing of the other is shown any more."""
        reasons = self._relate(self.mutes, users, others, len(self.users), own=users)
        return self._done("mute", users, others, reasons)

    def unmute(self, users: Array, others: Array) -> Array:
        """Unmute."""
        reasons = self._unrelate(self.mutes, users, others, len(self.users))
        return self._done("unmute", users, others, reasons)

    # -- posts ----------------------------------------------------------------------------

    def create_post(self, users: Array, texts: Array, topics: Array | int = 0) -> Array:
        """Post; texts are numbers that :meth:`text` gave. Returns the numbers of the posts."""
        made = self._add_posts(users, POST, np.full(len(users), -1), texts, topics)
        self._note("create_post", users, made)
        return made

    def repost(self, users: Array, targets: Array) -> Array:
        """Repost. A repost of a repost points to the original; nobody reposts one twice."""
        there = self._there(targets, len(self.posts))
        original = self._root(targets)
        reasons = self._relate(self.reposted, users, original, len(self.posts), valid=there)
        good = reasons == OK
        chosen, parents, roots = users[good], targets[good], original[good]
        made = self._add_posts(
            chosen, REPOST, parents, self.posts["text"][roots], self.posts["topic"][roots]
        )
        np.add.at(self.posts["reposts"], roots, 1)
        self._note("repost", chosen, made)
        self._refuse(reasons)
        return reasons

    def quote_post(self, users: Array, targets: Array, texts: Array) -> Array:
        """Repost with words of one's own, as often as one likes."""
        reasons = np.where(self._there(targets, len(self.posts)), OK, MISSING).astype(np.int8)
        good = reasons == OK
        roots = self._root(targets[good])
        made = self._add_posts(
            users[good], QUOTE, targets[good], texts[good], self.posts["topic"][roots]
        )
        np.add.at(self.posts["reposts"], roots, 1)
        self._note("quote_post", users[good], made)
        self._refuse(reasons)
        return reasons

    def like_post(self, users: Array, targets: Array) -> Array:
        """Like a post; of a repost, the original."""
        return self._rate("like_post", users, targets, 1)

    def unlike_post(self, users: Array, targets: Array) -> Array:
        """Take a like back."""
        return self._unrate("unlike_post", users, targets, 1)

    def dislike_post(self, users: Array, targets: Array) -> Array:
        """Dislike a post."""
        return self._rate("dislike_post", users, targets, -1)

    def undo_dislike_post(self, users: Array, targets: Array) -> Array:
        """Take a dislike back."""
        return self._unrate("undo_dislike_post", users, targets, -1)

    def report_post(self, users: Array, targets: Array) -> Array:
        """Report a post."""
        there = self._there(targets, len(self.posts))
        roots = self._root(targets)
        reasons = self._relate(self.reported, users, roots, len(self.posts), valid=there)
        np.add.at(self.posts["reports"], roots[reasons == OK], 1)
        return self._done("report_post", users, targets, reasons)

    def create_comment(self, users: Array, targets: Array, texts: Array) -> Array:
        """Comment on a post; on a repost, on the original."""
        reasons = np.where(self._there(targets, len(self.posts)), OK, MISSING).astype(np.int8)
        good = reasons == OK
        roots = self._root(targets[good])
        self.comments.append(
            int(good.sum()), author=users[good], post=roots, step=self.step, text=texts[good]
        )
        np.add.at(self.posts["comments"], roots, 1)
        return self._done("create_comment", users, targets, reasons)

    def like_comment(self, users: Array, targets: Array) -> Array:
        """Like a comment."""
        return self._rate("like_comment", users, targets, 1)

    def unlike_comment(self, users: Array, targets: Array) -> Array:
        """Take a like of a comment back."""
        return self._unrate("unlike_comment", users, targets, 1)

    def dislike_comment(self, users: Array, targets: Array) -> Array:
        """Dislike a comment."""
        return self._rate("dislike_comment", users, targets, -1)

    def undo_dislike_comment(self, users: Array, targets: Array) -> Array:
        """Take a dislike of a comment back."""
        return self._unrate("undo_dislike_comment", users, targets, -1)

    def do_nothing(self, users: Array) -> None:
        """Do nothing, which is an action too."""
        self._note("do_nothing", users, np.full(len(users), -1))

    # -- looking ---------------------------------------------------------------------------

    def trend(self, count: int = 5, *, days: int = 7, steps_per_day: int = 480) -> Array:
        """The posts of the last days with most likes, newest first among equals."""
        posts = self.posts
        recent = posts["step"] > self.step - days * steps_per_day
        found = np.flatnonzero(recent & (posts["kind"] != REPOST))
        return found[np.lexsort((-found, -posts["likes"][found]))][:count]

    def search_posts(self, user: int, words: str, count: int = 5) -> Array:
        """Posts whose text holds the words, or whose number it is, newest first."""
        wanted = words.casefold().strip()
        texts = self.state.texts["text"]
        said = np.array([wanted in text.casefold() for text in texts] or [False])
        number = self.posts["text"]
        match = (number >= 0) & said[np.maximum(number, 0)] & (self.posts["kind"] != REPOST)
        if wanted.isdigit() and int(wanted) < len(self.posts):
            match[int(wanted)] = True
        found = np.flatnonzero(match)[::-1]
        muted = self.mutes.value(np.full(len(found), user), self.posts["author"][found])
        return found[muted == 0][:count]

    def search_user(self, words: str, count: int = 5) -> Array:
        """Users whose number it is, or whose bio holds the words."""
        wanted = words.casefold().strip()
        if wanted.isdigit():
            return np.array([int(wanted)] if int(wanted) < len(self.users) else [], np.int64)
        bios = [wanted in bio.casefold() for bio in self.state.texts["bio"]]
        number = self.users["bio"]
        return np.flatnonzero((number >= 0) & np.array([*bios, False])[number])[:count]

    def refreshed(self, users: Array) -> None:
        """Write down that users looked at their feeds, which are made elsewhere."""
        self._note("refresh", users, np.full(len(users), -1))

    # -- one user ---------------------------------------------------------------------------

    def act(self, user: int, action: str, target: int = -1, text: str = "") -> dict[str, Any]:
        """One action of one user.

        Args:
            user: Who.
            action: One of :data:`ACTIONS` but sign_up and refresh.
            target: The user, post or comment it is about.
            text: What is said, or looked for.

        Returns:
            ``{"success": True}``, with "post" where one was made and "posts" or "users" where some
            were found, or ``{"success": False, "reason": ...}``.

        Raises:
            UnknownName: There is no such action.
            BadInput: There is no such user.
        """
        if action not in ACTIONS[2:]:
            raise unknown_name("action", action, ACTIONS[2:])
        if not 0 <= user < len(self.users) or not self.users["present"][user]:
            raise BadInput(f"there is no user {user}.")
        who, what = np.array([user]), np.array([target])
        if action == "do_nothing":
            self.do_nothing(who)
            return {"success": True}
        if action in ("trend", "search_posts", "search_user"):
            return self._look(user, action, text)
        if action in ("create_post", "quote_post", "create_comment"):
            if not text.strip():
                self._refuse(np.array([NO_TEXT]))
                return {"success": False, "reason": REASONS[NO_TEXT]}
            said = np.array([self.text(text)])
            if action == "create_post":
                made = self.create_post(who, said, int(self.users["topic"][user]))
                return {"success": True, "post": int(made[0])}
            reason = int(getattr(self, action)(who, what, said)[0])
        else:
            reason = int(getattr(self, action)(who, what)[0])
        if reason != OK:
            return {"success": False, "reason": REASONS[reason]}
        made_post = {"post": len(self.posts) - 1} if action in ("repost", "quote_post") else {}
        return {"success": True, **made_post}

    def _look(self, user: int, action: str, text: str) -> dict[str, Any]:
        if action == "trend":
            kind, found = "posts", self.trend()
        elif action == "search_posts":
            kind, found = "posts", self.search_posts(user, text)
        else:
            kind, found = "users", self.search_user(text)
        self._note(action, np.array([user]), np.array([-1]))
        return {"success": True, kind: found.tolist()}

    def text(self, text: str) -> int:
        """The number of a text; equal texts have one."""
        number = self._texts.setdefault(text, len(self._texts))
        if number == len(self.state.texts["text"]):
            self.state.texts["text"].append(text)
        return number

    # -- how ----------------------------------------------------------------------------------

    def _there(self, targets: Array, count: int) -> Array:
        return (targets >= 0) & (targets < count)

    def _root(self, posts: Array) -> Array:
        """The posts themselves; of reposts, the originals. Missing posts are left as they are."""
        if not len(self.posts):
            return posts
        known = np.clip(posts, 0, len(self.posts) - 1)
        roots = np.where(self.posts["kind"][known] == REPOST, self.posts["original"][known], posts)
        return np.where(self._there(posts, len(self.posts)), roots, posts)

    def _relate(
        self,
        relation: Relation,
        users: Array,
        others: Array,
        count: int,
        *,
        own: Array | None = None,
        valid: Array | None = None,
    ) -> Array:
        reasons = np.zeros(len(users), np.int8)
        reasons[~(self._there(others, count) if valid is None else valid)] = MISSING
        if own is not None:
            reasons[(reasons == OK) & (own == others)] = OWN
        good = reasons == OK
        before = relation.assign(users[good], others[good], 1, self.step)
        reasons[np.flatnonzero(good)[before != 0]] = ALREADY
        return reasons

    def _unrelate(self, relation: Relation, users: Array, others: Array, count: int) -> Array:
        reasons = np.where(self._there(others, count), OK, MISSING).astype(np.int8)
        good = reasons == OK
        before = relation.assign(users[good], others[good], 0, self.step)
        reasons[np.flatnonzero(good)[before == 0]] = NOT_DONE
        return reasons

    def _count_follows(
        self, users: Array, others: Array, reasons: Array, by: int, action: str
    ) -> None:
        good = reasons == OK
        np.add.at(self.users["followees"], users[good], by)
        np.add.at(self.users["followers"], others[good], by)
        self._done(action, users, others, reasons)

    def _rate(self, action: str, users: Array, targets: Array, sign: int) -> Array:
        relation, table, targets = self._rated(action, targets)
        reasons = np.where(self._there(targets, len(table)), OK, MISSING).astype(np.int8)
        if not self.state.values["self rating"]:
            good = np.flatnonzero(reasons == OK)
            reasons[good[table["author"][targets[good]] == users[good]]] = OWN
        good = np.flatnonzero(reasons == OK)
        held = relation.value(users[good], targets[good])
        reasons[good[held == -sign]] = OTHER_WAY
        good = np.flatnonzero(reasons == OK)
        before = relation.assign(users[good], targets[good], sign, self.step)
        reasons[good[before == sign]] = ALREADY
        counted = targets[good[before != sign]]
        np.add.at(table["likes" if sign > 0 else "dislikes"], counted, 1)
        return self._done(action, users, targets, reasons)

    def _unrate(self, action: str, users: Array, targets: Array, sign: int) -> Array:
        relation, table, targets = self._rated(action, targets)
        reasons = np.where(self._there(targets, len(table)), OK, MISSING).astype(np.int8)
        good = np.flatnonzero(reasons == OK)
        held = relation.value(users[good], targets[good])
        reasons[good[held != sign]] = NOT_DONE
        good = np.flatnonzero(reasons == OK)
        before = relation.assign(users[good], targets[good], 0, self.step)
        reasons[good[before != sign]] = NOT_DONE
        counted = targets[good[before == sign]]
        np.add.at(table["likes" if sign > 0 else "dislikes"], counted, -1)
        return self._done(action, users, targets, reasons)

    def _rated(self, action: str, targets: Array) -> tuple[Relation, Table, Array]:
        if "comment" in action:
            return self.comment_ratings, self.comments, targets
        return self.ratings, self.posts, self._root(targets)

    def _add_posts(
        self, users: Array, kind: int, parents: Array, texts: Array, topics: Array | int
    ) -> Array:
        first, last = len(self.posts), len(self.posts) + len(users)
        made = np.arange(first, last)
        self.posts.append(
            len(users), author=users, kind=kind, parent=parents, step=self.step, topic=topics,
            text=texts, original=self._root(parents) if kind == REPOST else made,
        )  # fmt: skip
        previous, latest = self.posts["previous"], self.users["last post"]
        if len(np.unique(users)) == len(users):
            previous[made], latest[users] = latest[users], made
        else:
            for post, user in zip(made.tolist(), users.tolist(), strict=True):
                previous[post], latest[user] = latest[user], post
        if kind != REPOST:
            self.users["recent text"][users] = texts
        return made

    def _done(self, action: str, users: Array, targets: Array, reasons: Array) -> Array:
        good = reasons == OK
        self._note(action, users[good], targets[good])
        self._refuse(reasons)
        return reasons

    def _refuse(self, reasons: Array) -> None:
        refused = self.state.values["refused"]
        for reason, count in enumerate(np.bincount(reasons, minlength=1).tolist()):
            if reason and count:
                refused[REASONS[reason]] = refused.get(REASONS[reason], 0) + count

    def _note(self, action: str, users: Array, targets: Array) -> None:
        self.trace.append(
            len(users), step=self.step, user=users, action=ACTIONS.index(action), target=targets
        )
