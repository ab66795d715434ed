"""The data of OASIS's own repository, read from the user's checkout of it (Apache-2.0).

The files hold numbers and bios of real accounts. Neither leaves this process: accounts are known by
their row alone, and bios go into vectors and prompts, never into results.
"""

from __future__ import annotations

import csv
import io
import json
import pickle
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput

CASCADE = "False_Business_0"


class Rumour(msgspec.Struct, frozen=True):
    """A real cascade and the users around it.

    Attributes:
        bios: Of every user, by row.
        follows: Pairs of rows: who follows whom.
        source: Row of the user who posted it.
        text: What was posted.
        real: By curve ("scale", "depth", "breadth") its value in every minute.
    """

    bios: tuple[str, ...]
    follows: tuple[tuple[int, int], ...]
    source: int
    text: str
    real: dict[str, tuple[int, ...]]


class Rated(msgspec.Struct, frozen=True):
    """A post with a comment, and how the comment was rated at first: up, down or control."""

    post: str
    comment: str
    group: str


def rumour(folder: Path) -> Rumour:
    """The cascade that is there in full.

    Args:
        folder: ``data`` of a checkout of camel-ai/oasis.

    Raises:
        BadInput: A file is missing, or is not what it was.
    """
    base = folder / "twitter_dataset"
    try:
        text = (base / "anonymous_topic_200_1h" / f"{CASCADE}.csv").read_text(encoding="utf-8")
        rows = list(csv.DictReader(io.StringIO(text)))
        follows = [
            (i, other)
            for i, row in enumerate(rows)
            for other in json.loads(row["following_agentid_list"])
        ]
        said = [(i, row["previous_tweets"]) for i, row in enumerate(rows)]
        source, tweet = next((i, t) for i, t in said if t != "[]")
        curves = {"scale": "scale", "depth": "depth", "breadth": "max_breadth"}
        real = {
            name: _numbers(base / "real_world_prop_data" / f"real_data_{part}" / f"{CASCADE}.pkl")
            for name, part in curves.items()
        }
    except OSError as error:
        raise BadInput(_missing(folder, error)) from None
    except (KeyError, ValueError, StopIteration) as error:
        raise BadInput(f"{base} does not hold what OASIS's data does: {error!r}.") from None
    bios = tuple(row["user_char"] for row in rows)
    return Rumour(bios, tuple(follows), source, tweet.strip("[]'\""), real)


class Group(msgspec.Struct, frozen=True):
    """Users with an opinion to form, and who follows whom among them, by row."""

    personas: tuple[str, ...]
    follows: tuple[tuple[int, int], ...]


def group(folder: Path, users: int) -> Group:
    """The first users of the group whose opinions drift apart, or do not.

    Args:
        folder: ``data`` of a checkout of camel-ai/oasis.
        users: How many.

    Raises:
        BadInput: The file is missing, is not what it was, or holds fewer users.
    """
    file = folder / "twitter_dataset" / "group_polarization" / "197_progressive.csv"
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
        if not 2 <= users <= len(rows):
            raise BadInput(f"between 2 and {len(rows)} users take part, not {users}.")
        follows = [
            (i, other)
            for i, row in enumerate(rows[:users])
            for other in dict.fromkeys(json.loads(row["following_agentid_list"]))
            if other < users and other != i
        ]
        return Group(tuple(row["user_char"] for row in rows[:users]), tuple(follows))
    except OSError as error:
        raise BadInput(_missing(folder, error)) from None
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{file} does not hold what OASIS's data does: {error!r}.") from None


def rated(folder: Path) -> tuple[list[Rated], list[str]]:
    """The comments whose first rating was set, and the personas that rate them.

    Raises:
        BadInput: A file is missing, or is not what it was.
    """
    base = folder / "reddit"
    try:
        items = json.loads((base / "counterfactual_36.json").read_bytes())
        users = json.loads((base / "user_data_36.json").read_bytes())
        found = [Rated(i["RS"]["selftext"], i["RC_1"]["body"], i["RC_1"]["group"]) for i in items]
        personas = [str(user["persona"]) for user in users]
    except OSError as error:
        raise BadInput(_missing(folder, error)) from None
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{base} does not hold what OASIS's data does: {error!r}.") from None
    return found, personas


def _missing(folder: Path, error: OSError) -> str:
    return (
        f"cannot read {error.filename}: {error.strerror}; clone https://github.com/camel-ai/oasis "
        f"and name its folder data with --data (not {folder})."
    )


class _Plain(pickle.Unpickler):
    """Opens lists of numbers and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a list of numbers")


def _numbers(file: Path) -> tuple[int, ...]:
    try:
        kept = _Plain(io.BytesIO(file.read_bytes())).load()
        return tuple(int(n) for n in kept)
    except (pickle.UnpicklingError, EOFError, TypeError) as error:
        raise BadInput(f"{file} is not a list of numbers: {error}.") from None
