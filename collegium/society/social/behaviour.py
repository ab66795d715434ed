"""What users do with their feed: by archetypes where they are many, each by itself where few.

Paper vs code vs ours
---------------------
* In the paper every user is a language model. Above a thousand that are awake in a step ours act by
  archetypes (see :mod:`collegium.society.archetypes`): the model is asked once per group, for posts
  on a topic of the user's own and on others, what such a user does; each user draws from that.
* A reply of a thinking user that names what is not there, or asks for two things, or is prose,
  becomes one valid action or none, and is written into the log.
"""

from __future__ import annotations

import msgspec
import numpy as np

from collegium.kernel import Reply, Unparsed, gather
from collegium.society.archetypes import Archetypes
from collegium.society.engine import Society
from collegium.society.social.platform import Platform
from collegium.society.social.tables import ACTIONS
from collegium.society.social.users import TOPICS, saying
from collegium.society.state import Array

OPTIONS = ("ignore", "like", "repost", "comment", "dislike", "follow", "write")
"""What an archetype may do with a post."""

USUAL = {
    True: (0.45, 0.25, 0.12, 0.08, 0.02, 0.03, 0.05),
    False: (0.78, 0.08, 0.03, 0.03, 0.03, 0.01, 0.04),
}
"""Without a model: what users do with posts on their own topic, and on others."""

SIGHT = {True: "a topic that interests you", False: "a topic that does not interest you much"}

SHOWN_COMMENTS = 3
MEMORY = 5


def action_prompt(attributes: tuple[str, ...]) -> str:
    """The question put to each group."""
    who = ", ".join(f"{a} {{{a}}}" for a in attributes)
    return (
        f"You use a social network. About you: {who}.\n"
        "In your feed you see a post on {sight}. What do you do: ignore it, like it, repost it, "
        "comment on it, dislike it, follow its author, or write a post of your own?"
    )


class Crowd:
    """Users who act by archetypes.

    Args:
        archetypes: The groups; None: everybody does as :data:`USUAL` says.
    """

    def __init__(self, archetypes: Archetypes | None = None) -> None:
        self.archetypes = archetypes

    async def distributions(self, society: Society, users: Array) -> tuple[Array, Array]:
        """Each user's group, and per group what it does with posts on other topics and its own."""
        if self.archetypes is None:
            table = np.array([[USUAL[False], USUAL[True]]])
            return np.zeros(len(users), np.int64), table
        group = self.archetypes.group_of(society.agents)
        tables = [
            await self.archetypes.ask(society, group, {"sight": SIGHT[own]})
            for own in (False, True)
        ]
        return group[users].astype(np.int64), np.stack(tables, axis=1)

    async def __call__(
        self, society: Society, platform: Platform, users: Array, feed: Array
    ) -> None:
        """Let users act on what they see: each looks at one post and does one thing."""
        if not len(users):
            return
        group, table = await self.distributions(society, users)
        length = (feed >= 0).sum(1)
        pick = (society.uniforms("look", users) * length).astype(np.int64)
        seen = np.where(length > 0, feed[np.arange(len(users)), np.minimum(pick, length - 1)], -1)
        own = platform.users["topic"][users]
        known = np.maximum(seen, 0)
        topics = platform.posts["topic"]
        alike = (topics[known] == own) & (seen >= 0) if len(topics) else np.zeros(len(users), bool)
        chances = table[group, alike.astype(np.int64)].cumsum(1)
        lot = society.uniforms("act", users)
        does = np.minimum((lot[:, None] >= chances).sum(1), len(OPTIONS) - 1)
        does[(seen < 0) & (does != OPTIONS.index("write"))] = OPTIONS.index("ignore")
        lots = society.uniforms("say", users)
        apply(platform, users, seen, does, lots)


def apply(platform: Platform, users: Array, seen: Array, does: Array, lots: Array) -> None:
    """Carry out what users decided, kind by kind, within a kind in the order of users."""

    def of(option: str) -> Array:
        return np.flatnonzero(does == OPTIONS.index(option))

    for option, action in (
        ("like", platform.like_post),
        ("dislike", platform.dislike_post),
        ("repost", platform.repost),
    ):
        rows = of(option)
        action(users[rows], seen[rows])
    rows = of("follow")
    platform.follow(users[rows], platform.posts["author"][seen[rows]] if len(rows) else seen[rows])
    rows = of("comment")
    said = saying(platform, platform.posts["topic"][seen[rows]] if len(rows) else rows, lots[rows])
    platform.create_comment(users[rows], seen[rows], said)
    rows = of("write")
    topics = platform.users["topic"][users[rows]]
    platform.create_post(users[rows], saying(platform, topics, lots[rows]), topics)
    platform.do_nothing(users[of("ignore")])


class Move(msgspec.Struct, frozen=True):
    """What a thinking user does: an action, its target, and what it says."""

    action: str
    target: int = -1
    text: str = ""


GUIDE = """You can do one thing. Give its name, and the number of a post or user where it needs one:
create_post (text), repost (post), quote_post (post, text), like_post (post), dislike_post (post),
create_comment (post, text), follow (user), unfollow (user), mute (user), report_post (post),
do_nothing."""

OFFERED = (
    "create_post", "repost", "quote_post", "like_post", "unlike_post", "dislike_post",
    "undo_dislike_post", "create_comment", "follow", "unfollow", "mute", "unmute", "report_post",
    "do_nothing",
)  # fmt: skip

SPEAKING = ("create_post", "quote_post", "create_comment")


def persona(society: Society, user: int) -> str:
    """Who a user is, in words."""
    agents, texts = society.agents, society.state.texts
    bio = int(agents["bio"][user])
    about = texts["bio"][bio] if bio >= 0 else ""
    followers = f"{int(agents['followers'][user])} followers"
    return f"You are user {user} of a social network. {about} You have {followers}."


def feed_text(platform: Platform, posts: list[int]) -> str:
    """A feed as JSON, with the comments of each post."""
    texts, table, comments = platform.state.texts["text"], platform.posts, platform.comments
    shown = []
    for post in posts:
        root = int(table["original"][post])
        replies = np.flatnonzero(comments["post"] == root)[-SHOWN_COMMENTS:]
        entry = {
            "post": post,
            "by": int(table["author"][root]),
            "text": texts[int(table["text"][root])],
            "likes": int(table["likes"][root]),
            "reposts": int(table["reposts"][root]),
            "comments": [texts[int(comments["text"][c])] for c in replies],
        }
        if root != post:
            entry["reposted by"] = int(table["author"][post])
        shown.append(entry)
    return msgspec.json.encode(shown).decode()


async def think(society: Society, platform: Platform, users: list[int], feed: Array) -> None:
    """Let users who think read their feeds together and act one after the other."""
    prompts = []
    for row, user in enumerate(users):
        memory = society.state.values.get("memory", {}).get(str(user), [])[-MEMORY:]
        remembered = f"You remember: {' '.join(memory)}\n" if memory else ""
        posts = [int(p) for p in feed[row] if p >= 0]
        prompts.append(f"{remembered}Your feed: {feed_text(platform, posts)}\n\n{GUIDE}")
    replies: list[Reply[Move]] = await gather(
        *(
            society.thinker(f"user-{user}", role="user", profile=persona(society, user)).ask(
                prompt, output=Move, max_tokens=160
            )
            for user, prompt in zip(users, prompts, strict=True)
        )
    )
    for user, reply in zip(users, replies, strict=True):
        move, problem = read_move(platform, reply)
        outcome = platform.act(user, move.action, move.target, move.text)
        if not problem and not outcome["success"]:
            problem = outcome["reason"]
        if problem:
            society.note(f"corrected: {problem}", np.array([user]))
        if move.action in SPEAKING and outcome["success"]:
            memory = society.state.values.setdefault("memory", {}).setdefault(str(user), [])
            memory.append(f"You wrote: {move.text}")


def read_move(platform: Platform, reply: Reply[Move]) -> tuple[Move, str]:
    """The one valid action that a reply stands for, and what was wrong with it ("": nothing)."""
    nothing = Move("do_nothing")
    problem = ""
    if reply.tool_calls:
        first = reply.tool_calls[0]
        arguments = {k: v for k, v in first.arguments.items() if k in ("target", "text")}
        try:
            move = msgspec.convert({"action": first.name, **arguments}, Move, strict=False)
        except msgspec.ValidationError:
            return nothing, "unreadable arguments"
        if len(reply.tool_calls) > 1:
            problem = "more than one action"
    elif isinstance(reply.data, Move):
        move = reply.data
    else:
        cause = "prose" if isinstance(reply.data, Unparsed) else "no action"
        return nothing, cause
    if move.action not in OFFERED:
        return nothing, "unknown action"
    users_too = move.action in ("follow", "unfollow", "mute", "unmute")
    count = len(platform.users if users_too else platform.posts)
    if move.action not in ("create_post", "do_nothing") and not 0 <= move.target < count:
        return nothing, "missing target"
    if move.action in SPEAKING and not move.text.strip():
        return nothing, "no text"
    return move, problem


__all__ = ["ACTIONS", "OPTIONS", "TOPICS", "Crowd", "Move", "persona", "read_move", "think"]
