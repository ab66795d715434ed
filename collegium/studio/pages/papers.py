"""The front page: the papers as a feed, found by meaning and by facet, each with Run."""

from __future__ import annotations

from typing import Any

import msgspec
from nicegui import background_tasks, ui
from nicegui.element import Element

from collegium.catalog import facets, kinds
from collegium.errors import CollegiumError
from collegium.studio.early import show_early
from collegium.studio.frame import chosen_dark, frame, tell, untell
from collegium.studio.library import (
    MEANS,
    ORDER,
    WORDS,
    Card,
    Query,
    best_figure,
    cards,
    read_query,
    search,
)
from collegium.studio.safe import Tag, tag
from collegium.studio.state import Studio

FACETS = ("domain", "acts-on", "paradigm", "structure", "artefact", "optimisation")
"""The facets that the page offers; the address takes all of them."""

FIRST = 14
"""Papers that the first reply holds; the others follow once the page is there."""

VALUE = "(event) => emit(event.target.value)"


def register(studio: Studio) -> None:
    """Declare the front page."""

    @ui.page("/")
    async def front() -> None:
        request = ui.context.client.request
        with frame("Papers", active="papers"):
            wrong: CollegiumError | None = None
            query = Query()
            try:
                query = read_query(request.query_params)
            except CollegiumError as error:
                wrong = error
            feed = Feed(studio, query)
            feed.show_form()
            await feed.renew()
            if wrong is not None:
                tell(wrong)
        show_early(chosen_dark())
        await ui.context.client.connected()  # the page is there: now what is further down
        feed.show_rest()


class Feed:
    """The list and what it is asked for.

    Args:
        studio: What the pages share.
        query: What the address asks for.
    """

    def __init__(self, studio: Studio, query: Query) -> None:
        self._studio, self._query = studio, query
        self._chips: Tag | None = None
        self._list: Tag | None = None
        self._count: Tag | None = None
        self._asked = 0
        self._rest: list[Card] = []

    def show_form(self) -> None:
        """The title, the search field, the filters, and room for what is found."""
        known = cards()
        runs = sum(bool(c.systems) for c in known.values())
        tag("h1", "Papers on agents that run")
        tag(
            "p",
            f"{len(known)} published papers on agents made of language models. "
            f"{runs} are systems to try on a question of your own.",
            cls="lead",
        )
        with tag("form", cls="search", role="search", action="/", method="get", data_search=""):
            field = tag(
                "input",
                cls="text",
                type="search",
                name="q",
                value=self._query.q,
                placeholder="Search by meaning: who argues, who forgets, medical advice …",
                aria_label="Search the papers",
                autocomplete="off",
                maxlength=300,
            )
            field.on("input", lambda e: self._ask(q=str(e.args)[:300]), js_handler=VALUE)
            field.on("keydown.enter.prevent", js_handler="() => {}")
        self._chips = tag("div", cls="row-of kinds", role="group", aria_label="Kinds of paper")
        self._show_kinds()
        with tag("details", cls="filters", open=bool(self._query.facets) or None):
            tag("summary", "More filters")
            with tag("div", cls="grid"):
                self._choice("Status", "status", {s: WORDS[s] for s in ORDER}, self._query.status)
                for name in FACETS:
                    values = {v: v.replace("-", " ") for v in facets()[name].values}
                    label = name.replace("-", " ").capitalize()
                    self._choice(label, name, values, self._query.facets.get(name, ""))
        with tag("div", cls="spread found"):
            self._count = tag("p", cls="dim small", role="status")
        self._list = tag("div", cls="feed")

    def _choice(self, label: str, name: str, values: dict[str, str], chosen: str) -> None:
        with tag("label", cls="field"):
            tag("span", label)
            with tag("select", cls="text", name=name) as field:
                tag("option", "any", value="")
                for value, shown in values.items():
                    tag("option", shown, value=value, selected=(value == chosen) or None)
        field.on("change", lambda e: self._choose(name, str(e.args)), js_handler=VALUE)

    def _choose(self, name: str, value: str) -> None:
        if name == "status":
            self._ask(status=value)
        else:
            held = {k: v for k, v in self._query.facets.items() if k != name}
            self._ask(facets={**held, name: value} if value else held)

    def _show_kinds(self) -> None:
        assert self._chips is not None
        self._chips.clear()
        counts = {k: sum(k in c.paper.kinds for c in cards().values()) for k in kinds()}
        with self._chips:
            self._kind("", "all", len(cards()))
            for name, number in counts.items():
                self._kind(name, name, number)

    def _kind(self, name: str, label: str, number: int) -> None:
        here = name == self._query.kind
        address = msgspec.structs.replace(self._query, kind=name).address
        chip = tag("a", label, href=address, cls="chip", aria_current="true" if here else None)
        with chip:
            tag("span", number, cls="nums number")
        chip.on("click.prevent", lambda: self._ask(kind=name))

    def _ask(self, **changes: Any) -> None:
        """Another query: the address follows, and the list."""
        self._query = msgspec.structs.replace(self._query, **changes)
        ui.navigate.history.replace(self._query.address)
        if "kind" in changes:
            self._show_kinds()
        background_tasks.create(self.renew(), name="papers", context=ui.context.client)

    async def renew(self) -> None:
        """Find again; of several searches at once only the last is shown."""
        assert self._list is not None
        assert self._count is not None
        self._asked = mine = self._asked + 1
        try:
            query = read_query(
                {
                    "q": self._query.q,
                    "kind": self._query.kind,
                    "status": self._query.status,
                    **self._query.facets,
                }
            )
            found, remark = await search(query, self._studio.meaning)
        except CollegiumError as error:
            tell(error)
            return
        if mine != self._asked or self._list.is_deleted:
            return
        if mine > 1:
            untell()
        number = len(found)
        how = f" for “{query.q.strip()}”" if query.q.strip() else ""
        self._count.text = f"{number} paper{'s' * (number != 1)}{how}"
        self._list.clear()
        with self._list:
            if remark:
                tag("p", remark, cls="note")
            if not found:
                tag("p", "No paper fits. Try other words, or take a filter away.", cls="empty")
            at_once = FIRST if mine == 1 else len(found)
            for card in found[:at_once]:
                show_card(card)
            self._rest = found[at_once:]

    def show_rest(self) -> None:
        """Show what the first reply left out, so that it came sooner."""
        rest, self._rest = self._rest, []
        if rest and self._list is not None and not self._list.is_deleted:
            with self._list:
                for card in rest:
                    show_card(card)


def show_card(card: Card) -> Element:
    """One paper in the feed."""
    entry = card.paper
    with tag("article", cls="paper", data_row="") as made:
        with tag("div", cls="body"):
            with tag("div", cls="meta"):
                tag("span", entry.kind)
                tag("span", f"{entry.venue or 'arXiv'}"[:60])
                tag(
                    "span",
                    WORDS[card.status],
                    cls=f"status {card.status}",
                    title=MEANS[card.status],
                )
            with tag("h2"):
                tag("a", entry.name, href=f"/paper/{entry.slug}")
            tag("p", entry.title, cls="title")
            tag("p", entry.summary, cls="summary")
            show_figures(card)
        if card.systems:
            name = card.systems[0].name
            tag("a", "Run", href=f"/run/{name}", cls="button run", aria_label=f"Run {entry.name}")
    return made


def show_status(card: Card) -> None:
    """How far a paper is implemented."""
    tag("span", WORDS[card.status], cls=f"status {card.status}", title=MEANS[card.status])


def show_figures(card: Card) -> None:
    """What was published and what was measured here, in a line each."""
    published = next(iter(card.paper.headline), None)
    best = best_figure(card)
    if published is None and best is None:
        return
    with tag("dl", cls="figures"):
        if published is not None:
            tag("dt", "Published")
            tag("dd", f"{published.setting}: {published.figure}")
        if best is not None:
            tag("dt", "Measured here")
            interval = f"{100 * best.ci_low:.0f} to {100 * best.ci_high:.0f}"
            tag(
                "dd",
                f"{best.benchmark}, {best.model}: {100 * best.accuracy:.1f}% [{interval}], "
                f"n = {best.n:,}",
            )
