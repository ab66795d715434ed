"""Plays a written solution in a world: finds what a step names among what the agent is shown."""

from __future__ import annotations

import re

from collegium.worlds.play import Turn
from collegium.worlds.sites.world import SiteWorld
from collegium.worlds.web.actions import Action

LINE = re.compile(r"^\t*\[(\d+)\] (\S+) (.*)$", re.MULTILINE)
ICON = re.compile(r"\\u[0-9a-f]{4}")


def find(observation: str, role: str, name: str, place: int = 1) -> int:
    """The number of an element.

    Args:
        observation: What the agent is shown.
        role: Of the element.
        name: Of the element; "...": the rest does not matter.
        place: The first, the second ... of them.
    """
    found = []
    for number, of, rest in LINE.findall(observation):
        shown = rest[1:].partition(rest[:1])[0] if rest[:1] in "'\"" else ""
        # Icons are characters of a font, and style sheets write some names in capitals.
        shown = ICON.sub("", shown).strip().lower()
        same = (
            shown.startswith(name[:-3].lower()) if name.endswith("...") else shown == name.lower()
        )
        if of == role and same:
            found.append(int(number))
    shown = observation if len(observation) < 6000 else observation[:6000] + " ..."
    assert len(found) >= place, f"no {role} {name!r} ({place}) in:\n{shown}"
    return found[place - 1]


async def play(world: SiteWorld, steps: list[str]) -> Turn:
    """Make the steps of a solution."""
    for step in steps:
        verb, _, rest = step.partition(" ")
        parts = [part.strip(" ") for part in rest.split("|")]
        seen = world.last.observation
        match verb:
            case "go":
                site, _, path = rest.partition(" ")
                await world.make(Action("goto", text=world.servers[site].url + path))
            case "click":
                place = int(parts[2]) if len(parts) > 2 else 1
                await world.make(Action("click", find(seen, parts[0], parts[1], place)))
            case "type" | "enter":
                text = "|".join(parts[2:])
                role, _, place = parts[0].partition("#")
                at = find(seen, role, parts[1], int(place or 1))
                await world.make(Action("type", at, text, verb == "enter"))
            case "press":
                await world.make(Action("press", text=rest))
            case "see":
                assert rest in seen, f"{rest!r} is not in:\n{seen[:6000]}"
            case "stop":
                await world.make(Action("stop", text=rest))
            case _:
                raise ValueError(step)
    return world.last
