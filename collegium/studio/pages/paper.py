"""One paper: everything that is known of it, and its systems to run."""

from __future__ import annotations

from nicegui import ui

from collegium.catalog import Paper, facets, paper
from collegium.commands.show import type_name
from collegium.errors import CollegiumError
from collegium.studio.frame import frame, tell
from collegium.studio.library import Card, cards, text_of
from collegium.studio.pages.papers import show_status
from collegium.studio.safe import tag
from collegium.studio.state import Studio
from collegium.systems.system import System


def register(studio: Studio) -> None:
    """Declare the page of a paper."""

    @ui.page("/paper/{slug}")
    def one(slug: str) -> None:
        try:
            entry = paper(slug)
        except CollegiumError as error:
            ui.context.client.status_code = 404
            with frame("No such paper", active="papers"):
                tag("h1", "No such paper")
                tag("a", "All papers", href="/")
                tell(error)
            return
        with frame(entry.name, active="papers"):
            show_paper(cards()[entry.slug])


def show_paper(card: Card) -> None:
    """The whole page."""
    entry = card.paper
    with tag("div", cls="meta"):
        tag("span", entry.kind)
        tag("span", f"{entry.venue or 'arXiv'}")
        show_status(card)
    tag("h1", entry.name)
    tag("p", entry.title, cls="lead")
    with tag("div", cls="row-of actions"):
        for system in card.systems:
            label = "Run" if len(card.systems) == 1 else f"Run {system.name}"
            tag("a", label, href=f"/run/{system.name}", cls="button primary")
        for system in card.systems[:1]:
            tag("a", "Compare with …", href=f"/compare?systems={system.name},cot", cls="button")
        arxiv = f"https://arxiv.org/abs/{entry.arxiv}"
        tag(
            "a", f"arXiv {entry.arxiv}", href=arxiv, cls="button", rel="noreferrer", target="_blank"
        )
        if entry.repository:
            address = f"https://github.com/{entry.repository}"
            tag("a", "Their code", href=address, cls="button", rel="noreferrer", target="_blank")
    tag("p", entry.summary, cls="summary big")
    show_published(entry)
    show_measured(card)
    for system in card.systems:
        show_parameters(system)
    show_text(card)
    show_filed(entry)


def show_published(entry: Paper) -> None:
    """What the paper and its sources report."""
    if not entry.headline:
        return
    with tag("section", cls="section"):
        tag("h2", "Published figures")
        with tag("div", cls="wide", tabindex="0"), tag("table", cls="plain"):
            _head("Setting", "Figure", "Models", "Source")
            with tag("tbody"):
                for h in entry.headline:
                    with tag("tr"):
                        for text in (h.setting, h.figure, h.models or "–", h.source):
                            tag("td", text)


def show_measured(card: Card) -> None:
    """What was measured here, good or bad."""
    with tag("section", cls="section"):
        tag("h2", "Measured here")
        if not card.measured:
            tag("p", "Nothing yet.", cls="dim")
            return
        with tag("div", cls="wide", tabindex="0"), tag("table", cls="plain"):
            _head("System", "Benchmark", "Model", "n", "Accuracy", "95% interval", "Tokens / task")
            with tag("tbody"):
                for m in card.measured:
                    tokens = "" if m.tokens_per_task is None else f"{m.tokens_per_task:,.0f}"
                    with tag("tr"):
                        for text in (m.system, m.benchmark, m.model):
                            tag("td", text)
                        interval = f"{100 * m.ci_low:.1f} to {100 * m.ci_high:.1f}"
                        numbers = (f"{m.n:,}", f"{100 * m.accuracy:.1f}%", interval, tokens)
                        for text in numbers:
                            tag("td", text, cls="nums")
        for name in sorted({f"{m.file.parent.name}/{m.file.name}" for m in card.measured}):
            tag("p", f"results/{name}", cls="dim small mono")


def show_parameters(system: System) -> None:
    """The hyper-parameters of a system."""
    with tag("section", cls="section"):
        with tag("div", cls="spread"):
            tag("h2", f"System {system.name}")
            tag("a", "Run it", href=f"/run/{system.name}")
        tag("p", system.summary, cls="dim")
        if not system.parameters:
            return
        with tag("div", cls="wide", tabindex="0"), tag("table", cls="plain"):
            _head("Parameter", "Type", "Default")
            with tag("tbody"):
                for name, (kind, default) in system.parameters.items():
                    with tag("tr"):
                        tag("td", name, cls="mono")
                        tag("td", type_name(kind), cls="dim")
                        tag("td", repr(default), cls="mono")


def show_text(card: Card) -> None:
    """How it works and where it differs from the paper; written by this project, not by a model."""
    text = text_of(card)
    if text:
        with tag("section", cls="section written"):
            ui.markdown(text, extras=["fenced-code-blocks", "tables"])


def show_filed(entry: Paper) -> None:
    """The facets it is filed under; each leads to the papers that share it."""
    known = facets()
    with tag("section", cls="section"):
        tag("h2", "Filed under")
        with tag("dl", cls="filed"):
            for name, values in entry.facets.items():
                tag("dt", name.replace("-", " "), title=known[name].definition)
                with tag("dd", cls="row-of"):
                    for value in values:
                        label = value.replace("-", " ")
                        tag("a", label, href=f"/?{name}={value}", cls="chip")
        if entry.see_also:
            with tag("p", cls="row-of"):
                tag("span", "See also", cls="dim")
                for slug in entry.see_also:
                    tag("a", paper(slug).name, href=f"/paper/{slug}", cls="chip")


def _outside(label: str, address: str) -> None:
    tag("a", label, href=address, cls="button", rel="noreferrer", target="_blank")


def _head(*names: str) -> None:
    with tag("thead"), tag("tr"):
        for name in names:
            tag("th", name, scope="col")
