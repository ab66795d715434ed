"""Contact networks of a population: household, school, work, and random meetings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collegium.society.chance import generator
from collegium.society.network import Layer, cliques, group_rings, index_type, shuffled_rings
from collegium.society.state import Array, Table

SCHOOL_AGES, WORK_AGES = (0,), (1, 2, 3, 4)
"""Age groups that go to school, and those that go to work."""

CLASS_SIZE, COMPANY_SIZE = 25, 40

FACTORS = {"household": 2.0, "school": 1.0, "work": 1.0, "random": 0.25}
"""B of each layer."""


def contact_layers(
    people: Table,
    *,
    seed: int = 0,
    school: int = 6,
    work: int = 6,
    random: int = 2,
    factors: Mapping[str, float] = FACTORS,
) -> dict[str, Layer]:
    """The layers of a city: everyone lives, most go to school or work, all meet strangers.

    Classes and companies are of one area. The households are cliques; in a class or company one
    is in contact with a few.

    Args:
        people: Columns age, area and household.
        seed: Fixes the networks.
        school: Contacts at school; even.
        work: Contacts at work; even.
        random: Contacts with strangers; even.
        factors: B by layer.

    Returns:
        "household", "school", "work" and "random".

    Raises:
        BadInput: A number of contacts is odd, or there are too few people.
    """
    age, area = people["age"], people["area"]
    at_school, at_work = np.isin(age, SCHOOL_AGES), np.isin(age, WORK_AGES)
    return {
        "household": cliques(people["household"], factor=factors["household"]),
        "school": group_rings(
            groups(area, at_school, CLASS_SIZE, generator(seed, "classes")),
            school,
            generator(seed, "school"),
            factor=factors["school"],
        ),
        "work": group_rings(
            groups(area, at_work, COMPANY_SIZE, generator(seed, "companies")),
            work,
            generator(seed, "work"),
            factor=factors["work"],
        ),
        "random": shuffled_rings(
            len(people), random, generator(seed, "random"), factor=factors["random"]
        ),
    }


def groups(area: Array, member: Array, size: int, random: np.random.Generator) -> Array:
    """Divide members of each area into groups of about one size.

    Args:
        area: The area of each person.
        member: Who belongs to a group at all.
        size: Size of a group.
        random: Draws who is in which.

    Returns:
        Number of each person's group; -1 for those who have none.
    """
    found = np.full(len(area), -1, np.int32)
    members = random.permutation(np.flatnonzero(member)).astype(index_type(len(area)))
    members = members[np.argsort(area[members], kind="stable")]
    if not len(members):
        return found
    place = area[members].astype(np.int32)
    begins = np.flatnonzero(np.diff(place, prepend=-1))
    inside = np.arange(len(members)) - np.repeat(begins, np.diff(np.append(begins, len(members))))
    number = np.cumsum(inside % size == 0) - 1
    found[members] = number
    return found
