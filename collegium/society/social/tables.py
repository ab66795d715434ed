"""The tables of a platform, its actions by number, and why they may be refused."""

from __future__ import annotations

import numpy as np

from collegium.society.state import State, Table

ACTIONS = (
    "sign_up", "refresh", "trend", "search_posts", "search_user", "create_post", "repost",
    "quote_post", "follow", "unfollow", "mute", "unmute", "like_post", "unlike_post",
    "dislike_post", "undo_dislike_post", "create_comment", "like_comment", "unlike_comment",
    "dislike_comment", "undo_dislike_comment", "report_post", "do_nothing",
)  # fmt: skip
"""What users can do; the number of an action is its place here."""

REASONS = (
    "",
    "there is no such target",
    "you have done that already",
    "you have not done that before",
    "you cannot do that to yourself",
    "you have rated it the other way; undo that first",
    "a text is needed",
)
"""Why an action was refused; 0 is for those that were not."""

OK, MISSING, ALREADY, NOT_DONE, OWN, OTHER_WAY, NO_TEXT = range(len(REASONS))

POST, REPOST, QUOTE = range(3)
"""Kinds of posts."""

USER_COLUMNS = {
    "age": np.uint8, "sex": np.uint8, "topic": np.uint16, "core": np.uint8, "profile": np.uint8,
    "bio": np.int32, "followers": np.int32, "followees": np.int32, "last post": np.int32,
    "recent text": np.int32, "thinks": np.uint8, "present": np.uint8, "joined": np.int32,
}  # fmt: skip

POST_COLUMNS = {
    "author": np.int32, "kind": np.uint8, "parent": np.int32, "original": np.int32,
    "previous": np.int32, "step": np.int32, "topic": np.uint16, "text": np.int32,
    "likes": np.int32, "dislikes": np.int32, "reposts": np.int32, "comments": np.int32,
    "reports": np.int32,
}  # fmt: skip

COMMENT_COLUMNS = {
    "author": np.int32, "post": np.int32, "step": np.int32, "text": np.int32,
    "likes": np.int32, "dislikes": np.int32,
}  # fmt: skip

TRACE_COLUMNS = {"step": np.int32, "user": np.int32, "action": np.uint8, "target": np.int32}

RELATIONS = ("follow", "mute", "rating", "comment rating", "reposted", "reported")


def empty_state() -> State:
    """A platform that nobody has signed up to."""
    tables = {
        "agent": USER_COLUMNS,
        "post": POST_COLUMNS,
        "comment": COMMENT_COLUMNS,
        "trace": TRACE_COLUMNS,
    }
    return State(
        {
            t: Table({c: np.zeros(0, k) for c, k in columns.items()})
            for t, columns in tables.items()
        },
        texts={"text": [], "bio": []},
        values={"refused": {}, "self rating": False},
    )
