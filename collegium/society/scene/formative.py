"""Formative memories: dated episodes of each player's past, invented before a scene begins."""

from __future__ import annotations

import msgspec

from collegium.kernel import Agent, Unparsed, gather
from collegium.society.engine import Society
from collegium.society.scene.script import PlayerPart, Script

BACKSTORY_TOKENS = 220
EPISODES_TOKENS = 400


class Episode(msgspec.Struct, frozen=True):
    """Something that happened to a player at an age."""

    age: int
    text: str


class Episodes(msgspec.Struct, frozen=True):
    """The episodes of a life."""

    episodes: tuple[Episode, ...]


async def form(society: Society) -> None:
    """Give every player its past, once: a back-story first, then episodes that follow from it.

    The back-story stays with the Game Master; the player remembers the episodes. A reply that
    cannot be read leaves a player without, and is counted among what was repaired.

    Args:
        society: With a scene set up in it.
    """
    from collegium.society.scene.stage import cast, kernel_of, script_of

    state = society.state
    kept = state.values["scene"]
    if kept["formed"]:
        return
    kernel_of(society)
    script = script_of(state)
    found = await gather(*(_past(society, script, part) for part in script.player))
    memory, table = state.values["memory"], cast(state)
    for row, (story, episodes) in enumerate(found):
        if story:
            kept["own"].append(f"{script.player[row].name}: {story}")
        kept["repaired"] += not episodes
        own = memory[str(int(table["agent"][row]))]
        # the past comes before what the file says of the present
        own[:0] = [e for e in episodes if e not in own]
    kept["formed"] = True


async def _past(society: Society, script: Script, part: PlayerPart) -> tuple[str, list[str]]:
    """A player's back-story and its episodes, oldest first."""
    kernel, name = society.kernel, part.name
    assert kernel is not None
    about = [
        f"Setting: {script.premise}" if script.premise else "",
        " ".join(script.shared),
        f"{name} is: {part.traits}" if part.traits else "",
        f"{name} wants this: {part.goal}" if part.goal else "",
    ]
    known = "\n".join(filter(None, about))
    story = await Agent(kernel, f"gm.story-{name}@0", role="game-master").ask(
        f"{known}\n\nInvent the life of {name} until now, in a few sentences that fit all this.",
        max_tokens=BACKSTORY_TOKENS,
    )
    reply = await Agent(kernel, f"gm.episodes-{name}@0", role="game-master").ask(
        f"{known}\n\nThe life of {name}: {story.text.strip()}\n\n"
        f"Tell {script.formative} episodes of it that made {name} who it is, each in one sentence, "
        f"with {name}'s age at the time.",
        output=Episodes,
        max_tokens=EPISODES_TOKENS,
    )
    if isinstance(reply.data, Unparsed) or not isinstance(reply.data, Episodes):
        return story.text.strip(), []
    told = sorted(reply.data.episodes, key=lambda e: e.age)[: script.formative]
    lines = [f"When {name} was {e.age}: {' '.join(e.text.split())}" for e in told]
    return story.text.strip(), lines
