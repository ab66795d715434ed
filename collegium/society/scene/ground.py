"""What actions are grounded in: things that can be owned, and pay-offs."""

from __future__ import annotations

from collections.abc import Mapping

from collegium.errors import BadInput


class Inventory:
    """Who has how many of what. Nothing is made or lost by giving.

    Args:
        held: Counts by owner and thing.

    Raises:
        BadInput: A count is negative.
    """

    def __init__(self, held: Mapping[str, Mapping[str, int]]) -> None:
        self.held = {owner: dict(things) for owner, things in held.items()}
        if any(count < 0 for things in self.held.values() for count in things.values()):
            raise BadInput("nobody can have fewer than none of a thing.")

    def give(self, source: str, target: str, thing: str, count: int) -> str:
        """Hand things over.

        Returns:
            "" when it was done, else the reason why not.
        """
        for name in (source, target):
            if name not in self.held:
                return f"there is nobody called {name}"
        if count < 1:
            return "at least one has to be given"
        have = self.held[source].get(thing, 0)
        if have < count:
            return f"{source} has {have} of {thing}, not {count}"
        self.held[source][thing] = have - count
        self.held[target][thing] = self.held[target].get(thing, 0) + count
        return ""

    def total(self, thing: str) -> int:
        """How many of a thing there are."""
        return sum(things.get(thing, 0) for things in self.held.values())


def pub_scores(
    choices: Mapping[str, str],
    preferences: Mapping[str, str],
    friendship: Mapping[tuple[str, str], float],
    closed: frozenset[str] = frozenset(),
) -> dict[str, float]:
    """Pay-offs of the game of choosing a pub.

    Nothing for a closed pub; else half a point for one's own preference, and the share of one's
    friendship that goes to those who are there too.

    Args:
        choices: Where everybody goes.
        preferences: Where everybody would like to go.
        friendship: How much one cares for another, by (one, other).
        closed: Pubs that are closed.
    """
    scores = {}
    for one, pub in choices.items():
        cares = {other: friendship.get((one, other), 0.0) for other in choices if other != one}
        there = sum(weight for other, weight in cares.items() if choices[other] == pub)
        whole = sum(cares.values())
        own = 0.5 * (pub == preferences[one])
        scores[one] = 0.0 if pub in closed else own + (there / whole if whole else 0.0)
    return scores
