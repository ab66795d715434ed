"""TextCraft (Prasad et al., 2023): craft an item by recipes, starting with nothing.

``craft N THING using N THING, N THING`` makes an item by a recipe, ``get N THING`` fetches what no
recipe makes, ``inventory`` tells what there is. Recipes come from the folder of data, which holds
those of a well-known game; ``textcraft-small`` needs no data and has recipes of ours.

Paper vs code vs ours
---------------------
* Recipes make circles: nine nuggets make an ingot, an ingot makes nine nuggets. The authors break
  them in the order in which the file system lists the files, so that two machines have two trees.
  Here recipes are taken in a fixed order, those that make less at once first (so that blocks are
  made of their parts and not the other way round), then by the names of their files. One that would
  close a circle is dropped and named in :attr:`Book.dropped`.
* An ingredient may be a tag ("planks"): any item that its recipes put into the group of that name
  will do, or the tag itself, which is fetched if nothing belongs to it.
"""

from __future__ import annotations

import functools
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.tasks.sources import data_file
from collegium.tasks.task import Score
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import Kind, Stateful, mixed, part

FOLDER = "textcraft/recipes"
ROUNDS = 20
DISTRACTORS = 10
"""Commands listed that do not help, as in the paper."""

RULES = """You craft items. Moves:
get N ITEM - fetch an item that no command makes
craft N ITEM using N ITEM, N ITEM - as one of the commands listed, with exactly its numbers
inventory - see what you have
Make the goal item."""

_CRAFT = re.compile(r"craft (\d+) (.+?) using (.+)")
_GET = re.compile(r"get (\d+) (.+)")
_PART = re.compile(r"(\d+) (.+)")


class Ingredient(msgspec.Struct, frozen=True):
    """So many of any of some items; ``name`` is what a recipe calls them."""

    count: int
    name: str
    items: tuple[str, ...]


class Recipe(msgspec.Struct, frozen=True):
    """How so many of an item are made."""

    item: str
    count: int
    ingredients: tuple[Ingredient, ...]

    def __str__(self) -> str:
        using = ", ".join(f"{i.count} {i.name}" for i in self.ingredients)
        return f"craft {self.count} {self.item} using {using}"


class Book(msgspec.Struct, frozen=True):
    """Recipes without circles.

    Attributes:
        recipes: By the item that they make.
        base: What is fetched: ingredients that no recipe makes.
        depth: How many recipes deep an item is.
        dropped: Files whose recipe would have closed a circle.
    """

    recipes: dict[str, tuple[Recipe, ...]]
    base: frozenset[str]
    depth: dict[str, int]
    dropped: tuple[str, ...]


def read_book(raw: Mapping[str, Any]) -> Book:
    """Make a book of recipe files.

    Args:
        raw: The content of each file by its name; only recipes of the crafting table count.
    """
    read = {name: _recipe(raw[name]) for name in sorted(raw)}
    able = {name: recipe for name, recipe in read.items() if recipe is not None}
    known = dict(sorted(able.items(), key=lambda pair: (pair[1].count, pair[0])))
    tags: dict[str, set[str]] = {}
    for name, recipe in known.items():
        if group := raw[name].get("group"):
            tags.setdefault(_words(group), set()).add(recipe.item)
    kept: dict[str, list[Recipe]] = {}
    dropped = []
    for name, recipe in known.items():
        recipe = msgspec.structs.replace(
            recipe,
            ingredients=tuple(
                msgspec.structs.replace(i, items=_members(i, tags)) for i in recipe.ingredients
            ),
        )
        if _reaches(kept, (n for i in recipe.ingredients for n in i.items), recipe.item):
            dropped.append(name)
        else:
            kept.setdefault(recipe.item, []).append(recipe)
    used = {n for rs in kept.values() for r in rs for i in r.ingredients for n in i.items}
    depth: dict[str, int] = {}
    for item in sorted({*kept, *used}):
        _depth(item, kept, depth)
    recipes = {item: tuple(of) for item, of in kept.items()}
    return Book(recipes, frozenset(used - set(kept)), depth, tuple(dropped))


class State(msgspec.Struct):
    """What one has, and whether the goal was made."""

    inventory: dict[str, int] = {}
    made: bool = False


class TextCraft(Stateful[State]):
    """Make one item.

    Args:
        book: The recipes.
        goal: The item.
    """

    def __init__(self, book: Book, goal: str) -> None:
        self.book, self.goal, self.state = book, goal, State()
        self._listed: tuple[str, ...] = ()

    def begin(self, seed: int | None) -> str:
        """List the commands that are needed among others; the seed mixes them."""
        self.state = State({})
        self._listed = tuple(map(str, listed(self.book, self.goal)))
        order = list(self._listed)
        random.Random(seed).shuffle(order)
        commands = "\n".join(order)
        return f"Crafting commands:\n{commands}\n\nGoal: craft {self.goal}."

    def step(self, action: str) -> Turn:
        """Craft, get or look."""
        action = " ".join(action.lower().split())
        if match := _CRAFT.fullmatch(action):
            return self._craft(int(match[1]), match[2], match[3])
        if match := _GET.fullmatch(action):
            return self._get(int(match[1]), match[2])
        if action == "inventory":
            held = ", ".join(f"{n} {item}" for item, n in sorted(self.state.inventory.items()))
            return Turn(f"Inventory: {held or 'nothing'}")
        return Turn("That is no move; use get, craft or inventory.")

    def actions(self) -> list[str]:
        """The commands listed, and what they need from outside."""
        gets = {
            f"get {i.count} {name}"
            for recipe in listed(self.book, self.goal)
            for i in recipe.ingredients
            for name in i.items
            if name in self.book.base
        }
        return [*self._listed, *sorted(gets), "inventory"]

    def judge(self, answer: Any) -> Score:
        """Right when the goal was made."""
        return Score(float(self.state.made), self.state.made)

    def _get(self, count: int, item: str) -> Turn:
        if item not in self.book.base or count < 1:
            return Turn(f"Could not find {item}.")
        held = self.state.inventory
        held[item] = held.get(item, 0) + count
        return Turn(f"Got {count} {item}.")

    def _craft(self, count: int, item: str, using: str) -> Turn:
        parts = [_PART.fullmatch(p.strip()) for p in using.split(",")]
        if None in parts:
            return Turn("Ingredients are written as N ITEM, N ITEM.")
        given: Counter[str] = Counter()
        for match in filter(None, parts):
            given[match[2]] += int(match[1])
        for recipe in self.book.recipes.get(item, ()):
            if recipe.count == count and (needed := self._taken(recipe, given)) is not None:
                break
        else:
            return Turn(f"There is no recipe for {count} {item} using {using}.")
        held = Counter(self.state.inventory)
        if short := sorted(n for n in needed if held[n] < needed[n]):
            return Turn(f"Not enough {', '.join(short)} to craft {item}.")
        held.subtract(needed)
        held[item] += count
        self.state.inventory = {n: c for n, c in held.items() if c}
        self.state.made = self.state.made or item == self.goal
        return Turn(f"Crafted {count} {item}.", float(item == self.goal), item == self.goal)

    def _taken(self, recipe: Recipe, given: Counter[str]) -> Counter[str] | None:
        """The items that ingredients as given stand for; None if the recipe takes others."""
        left, taken = Counter(given), Counter[str]()
        for ingredient in sorted(recipe.ingredients, key=lambda i: len(i.items)):
            wanted = ingredient.count
            for name in (ingredient.name, *ingredient.items):
                used = min(wanted, left[name])
                left[name] -= used
                wanted -= used
                if name in ingredient.items:
                    taken[name] += used
                else:  # a tag is paid with what belongs to it
                    for member in ingredient.items:
                        here = min(used, self.state.inventory.get(member, 0) - taken[member])
                        taken[member] += max(0, here)
                        used -= max(0, here)
                    taken[name] += used
            if wanted:
                return None
        return None if any(left.values()) else +taken


def plan(book: Book, goal: str) -> list[str]:
    """The moves that make an item, by its first recipes: what an expert would do."""
    moves: list[str] = []
    spare: Counter[str] = Counter()

    def have(item: str, count: int) -> None:
        missing = count - spare[item]
        if missing > 0 and item in book.base:
            moves.append(f"get {missing} {item}")
            spare[item] += missing
        while spare[item] < count:
            make(item)

    def make(item: str) -> None:
        recipe = _first(book, item)
        names = [(i.count, _easiest(book, i)) for i in recipe.ingredients]
        total: Counter[str] = Counter()
        for count, name in names:
            total[name] += count
        for name, count in total.items():
            have(name, count)
            spare[name] -= count  # set aside before another ingredient uses it up
        using = ", ".join(f"{count} {name}" for name, count in total.items())
        moves.append(f"craft {recipe.count} {item} using {using}")
        spare[item] += recipe.count

    make(goal)
    return moves


@functools.lru_cache(maxsize=2048)
def _plan_length(name: str, goal: str) -> int:
    return len(plan(BOOKS[name](), goal))


def listed(book: Book, goal: str) -> list[Recipe]:
    """The recipes a goal needs and some that it does not, the same for every seed."""
    needed: dict[str, Recipe] = {}
    waiting = [goal]
    for item in waiting:
        if item in book.recipes and item not in needed:
            needed[item] = recipe = _first(book, item)
            waiting += [_easiest(book, i) for i in recipe.ingredients]
    others = sorted(item for item in book.recipes if item not in needed)
    drawn = random.Random(mixed("distractors", goal)).sample(others, min(DISTRACTORS, len(others)))
    return [*needed.values(), *(_first(book, item) for item in drawn)]


@functools.cache
def goals(name: str, split: str) -> list[str]:
    """The items that are to be made: all that can be within the moves of a play."""
    book = BOOKS[name]()
    able = [i for i in sorted(book.recipes) if _plan_length(name, i) <= ROUNDS]
    return part(able, split, lambda item: f"{name}/{item}")


@functools.cache
def _original() -> Book:
    folder = data_file(f"{FOLDER}/lead.json")
    if folder is None:
        raise BadInput(f"textcraft needs {_missing()}.")
    return read_book(
        {f.stem: msgspec.json.decode(f.read_bytes()) for f in folder.parent.glob("*.json")}
    )


@functools.cache
def _small() -> Book:
    text = files("collegium.worlds.text").joinpath("data/recipes.json").read_bytes()
    return read_book(msgspec.json.decode(text))


def _missing() -> str:
    return "" if data_file(f"{FOLDER}/lead.json") else f"{FOLDER} in the folder of data"


def _recipe(raw: Mapping[str, Any]) -> Recipe | None:
    """The recipe of a file, if it is one of the crafting table."""
    kind = str(raw.get("type", "")).partition(":")[2]
    if kind == "crafting_shaped":
        signs = Counter(c for row in raw["pattern"] for c in row if c != " ")
        parts = [(raw["key"][sign], count) for sign, count in signs.items()]
    elif kind == "crafting_shapeless":
        parts = [(one, 1) for one in raw["ingredients"]]
    else:
        return None
    counts: dict[tuple[str, ...], int] = {}
    for part_, count in parts:
        options = part_ if isinstance(part_, list) else [part_]
        named = tuple(_words(o.get("item") or f"#{o['tag']}") for o in options)
        counts[named] = counts.get(named, 0) + count
    ingredients = tuple(Ingredient(n, names[0].lstrip("#"), names) for names, n in counts.items())
    result = raw["result"]
    return Recipe(_words(result["item"]), result.get("count", 1), ingredients)


def _words(name: str) -> str:
    """``mod:slime_ball`` as a player reads it: "slime ball"; a tag keeps its sign."""
    sign = "#" if name.startswith("#") else ""
    return sign + name.lstrip("#").rpartition(":")[2].replace("_", " ")


def _members(ingredient: Ingredient, tags: Mapping[str, set[str]]) -> tuple[str, ...]:
    """The items that an ingredient may be."""
    found: list[str] = []
    for name in ingredient.items:
        if not name.startswith("#"):
            found.append(name)
            continue
        tag = name[1:]
        found += sorted(tags.get(tag) or tags.get(tag.removesuffix("s")) or {tag})
    return tuple(dict.fromkeys(found))


def _reaches(kept: Mapping[str, Iterable[Recipe]], start: Iterable[str], goal: str) -> bool:
    """Whether some of these items are made, at any depth, with a certain item."""
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        item = waiting.pop()
        if item == goal:
            return True
        if item not in seen:
            seen.add(item)
            waiting += [n for r in kept.get(item, ()) for i in r.ingredients for n in i.items]
    return False


def _depth(item: str, kept: Mapping[str, Iterable[Recipe]], depth: dict[str, int]) -> int:
    """How many recipes deep an item is: by its shallowest recipe, through its deepest part."""
    if item not in depth:
        of = kept.get(item)
        depth[item] = (
            1
            + min(
                max(min(_depth(n, kept, depth) for n in i.items) for i in r.ingredients) for r in of
            )
            if of
            else 0
        )
    return depth[item]


def _first(book: Book, item: str) -> Recipe:
    """The recipe of an item that is the shallowest; of equal ones the first."""
    return min(
        book.recipes[item],
        key=lambda r: max(min(book.depth[n] for n in i.items) for i in r.ingredients),
    )


def _easiest(book: Book, ingredient: Ingredient) -> str:
    return min(ingredient.items, key=lambda n: (book.depth[n], n))


BOOKS = {"textcraft": _original, "textcraft-small": _small}


def _kind(name: str, description: str, source: str, licence: str, missing: Any = None) -> Kind:
    def make(split: str, number: int) -> TextCraft:
        return TextCraft(BOOKS[name](), goals(name, split)[number])

    return Kind(
        name=name,
        description=description,
        rules=RULES,
        rounds=ROUNDS,
        size=lambda split: len(goals(name, split)),
        make=make,
        source=source,
        licence=licence,
        letters=True,
        stratum=lambda split, number: f"depth {BOOKS[name]().depth[goals(name, split)[number]]}",
        **({"missing": missing} if missing else {}),
    )


KINDS = (
    _kind(
        "textcraft",
        "craft an item by the recipes of a well-known game",
        "recipes through WooooDyy/AgentGym (MIT), engine ours",
        "MIT",
        _missing,
    ),
    _kind("textcraft-small", "craft an item by recipes of ours", "recipes of ours", "Apache-2.0"),
)
