"""A shop told in words: search, look, choose options, buy (after WebShop, Yao et al., 2022).

The products are those of tau-bench's retail store, with their variants, prices and stock; what a
customer wants is made by code from one variant.

Paper vs code vs ours
---------------------
* WebShop has a million products and pages of a browser, and wishes in people's words; this one has
  50 products, pages of text, and wishes in fixed words. It is named after neither.
* The reward is WebShop's: of the wanted options and the price limit, the share that the thing
  bought meets, and nothing if it is another product. Only a full reward counts as right.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.tasks.sources import data_file
from collegium.tasks.task import Score
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import Kind, Stateful, part

FILE = "taubench/retail/products.json"
PAGE = 8

RULES = """You shop online. Moves:
search[WORDS] - search the shop
click[THING] - click a product, an option, or one of: next, back, buy now
On a product's page choose one value of every option, then buy. Buy what the customer wants."""

_MOVE = re.compile(r"(search|click)\[(.*)\]", re.DOTALL)


class Variant(msgspec.Struct, frozen=True):
    """One form of a product."""

    item_id: str
    options: dict[str, str]
    available: bool
    price: float


class Product(msgspec.Struct, frozen=True):
    """A product with its variants by number."""

    name: str
    product_id: str
    variants: dict[str, Variant]


class State(msgspec.Struct):
    """Where one is in the shop: a search and its page, or a product with the options chosen."""

    found: list[str] = []
    page: int = 0
    product: str = ""
    chosen: dict[str, str] = {}
    bought: str = ""


class Shop(Stateful[State]):
    """Buy what one customer wants.

    Args:
        products: By number.
        product: The product wanted.
        variant: The variant whose options are wanted.
    """

    def __init__(self, products: dict[str, Product], product: str, variant: str) -> None:
        self.products, self.product = products, products[product]
        self.wanted = self.product.variants[variant]
        self.limit = 10.0 * (self.wanted.price // 10 + 1)
        self.state = State()

    def begin(self, seed: int | None) -> str:
        """At the front page, with the wish."""
        self.state = State([], 0, "", {}, "")
        wish = ", ".join(f"{k} {v}" for k, v in self.wanted.options.items())
        name = self.product.name.lower()
        return (
            f"The customer wants: {name} with {wish}, for less than {self.limit:.0f} dollars.\n"
            "Front page. Search for something."
        )

    def step(self, action: str) -> Turn:
        """Search or click."""
        match = _MOVE.fullmatch(action)
        if not match:
            return Turn("A move is search[WORDS] or click[THING].")
        what = " ".join(match[2].lower().split())
        return self._search(what) if match[1] == "search" else self._click(what)

    def actions(self) -> list[str]:
        """What can be clicked, and a search for the product wanted."""
        state = self.state
        clicks = ["back"] if state.product or state.found else []
        if state.product:
            clicks += [f"{k} {v}" for k, values in self._options().items() for v in values]
            clicks.append("buy now")
        else:
            clicks += [self.products[p].name.lower() for p in self._shown()]
            clicks += ["next"] if (state.page + 1) * PAGE < len(state.found) else []
        return [f"search[{self.product.name.lower()}]", *(f"click[{c}]" for c in clicks)]

    def judge(self, answer: Any) -> Score:
        """The reward of what was bought; right when it meets every wish."""
        if not self.state.bought:
            return Score(0.0, False, "nothing was bought")
        reward = self._reward()
        return Score(reward, reward == 1.0, facts={"product": self._same()})

    def _search(self, text: str) -> Turn:
        asked = set(text.split())
        ranked = [
            (-len(asked & set(p.name.lower().split())), p.name, number)
            for number, p in self.products.items()
        ]
        found = [number for hits, _, number in sorted(ranked) if hits]
        self.state = State(found, 0, "", {}, "")
        return Turn(self._list() if found else f"Nothing was found for {text!r}.")

    def _click(self, what: str) -> Turn:
        state = self.state
        if what == "back":
            if state.product:
                state.product, state.chosen = "", {}
                return Turn(self._list())
            self.state = State([], 0, "", {}, "")
            return Turn("Front page. Search for something.")
        if state.product:
            return self._buy() if what == "buy now" else self._choose(what)
        if what == "next" and (state.page + 1) * PAGE < len(state.found):
            state.page += 1
            return Turn(self._list())
        for number in self._shown():
            if what in (self.products[number].name.lower(), number):
                state.product, state.chosen = number, {}
                return Turn(self._page())
        return Turn(f"There is no {what!r} to click here.")

    def _choose(self, what: str) -> Turn:
        # A value may be written with its option, where two options share one.
        for option, values in self._options().items():
            for value in values:
                if what in (value.lower(), f"{option} {value}".lower()):
                    self.state.chosen[option] = value
                    return Turn(self._page())
        return Turn(f"There is no {what!r} to click here.")

    def _buy(self) -> Turn:
        state = self.state
        product = self.products[state.product]
        if left := sorted(set(self._options()) - set(state.chosen)):
            return Turn(f"Choose first: {', '.join(left)}.")
        fits = [v for v in product.variants.values() if v.options == state.chosen and v.available]
        if not fits:
            return Turn("That is not in stock; choose other options.")
        cheapest = min(fits, key=lambda v: (v.price, v.item_id))
        state.bought = cheapest.item_id
        return Turn(f"Bought for {cheapest.price:.2f} dollars.", self._reward(), True)

    def _reward(self) -> float:
        if not self._same():
            return 0.0
        bought = self.products[self.state.product].variants[self.state.bought]
        wished = self.wanted.options.items()
        met = sum(bought.options.get(k) == v for k, v in wished) + (bought.price < self.limit)
        return met / (len(wished) + 1)

    def _same(self) -> bool:
        return self.state.product == self.product.product_id

    def _options(self) -> dict[str, list[str]]:
        product = self.products[self.state.product]
        names = {k for v in product.variants.values() for k in v.options}
        return {
            k: sorted({v.options[k] for v in product.variants.values() if k in v.options})
            for k in sorted(names)
        }

    def _shown(self) -> list[str]:
        return self.state.found[self.state.page * PAGE :][:PAGE]

    def _list(self) -> str:
        names = "\n".join(f"- {self.products[n].name}" for n in self._shown())
        more = (
            "\nThere are more: next."
            if (self.state.page + 1) * PAGE < len(self.state.found)
            else ""
        )
        return f"Found:\n{names}{more}"

    def _page(self) -> str:
        product, chosen = self.products[self.state.product], self.state.chosen
        lines = [f"{k}: {', '.join(values)}" for k, values in self._options().items()]
        picked = ", ".join(f"{k} {v}" for k, v in chosen.items()) or "nothing"
        fits = [
            v.price
            for v in product.variants.values()
            if v.available and all(v.options.get(k) == c for k, c in chosen.items())
        ]
        price = f"{min(fits):.2f} to {max(fits):.2f} dollars" if fits else "not in stock"
        return "\n".join([product.name, *lines, f"Chosen: {picked}. Price: {price}."])


@functools.cache
def _products() -> dict[str, Product]:
    path = data_file(FILE)
    if path is None:
        raise BadInput(f"shop needs {_missing()}.")
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Product])


def _missing() -> str:
    return "" if data_file(FILE) else f"{FILE} in the folder of data"


@functools.cache
def _wishes(split: str) -> list[tuple[str, str]]:
    """Every variant in stock that its options tell apart from the others."""
    wishes = [
        (number, v.item_id)
        for number, product in sorted(_products().items())
        for v in product.variants.values()
        if v.available and sum(w.options == v.options for w in product.variants.values()) == 1
    ]
    return part(wishes, split, lambda wish: f"shop/{wish[1]}")


KINDS = (
    Kind(
        name="shop",
        description="buy what a customer wants in a shop of 50 products",
        rules=RULES,
        rounds=10,
        size=lambda split: len(_wishes(split)),
        make=lambda split, number: Shop(_products(), *_wishes(split)[number]),
        source="products of tau-bench's retail store (MIT), wishes and shop ours",
        licence="MIT",
        missing=_missing,
        stratum=lambda split, number: _products()[_wishes(split)[number][0]].name,
    ),
)
