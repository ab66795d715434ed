"""The pages of worlds: which there are, and one played by hand."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import msgspec
from nicegui import app, ui

from collegium.errors import BadInput, CollegiumError, unknown_name
from collegium.studio.episodes import Listed, WorldInfo, past, require_number, worlds
from collegium.studio.frame import frame, tell, untell
from collegium.studio.pictures import show_picture
from collegium.studio.playing import Seen, Table, Tables
from collegium.studio.safe import said, tag
from collegium.studio.sheets import load
from collegium.studio.state import Studio
from collegium.tasks.task import Item

MOST_MOVES = 40
"""Possible moves that are offered."""

FORM = """(event) => {
  event.preventDefault();
  const said = Object.fromEntries(new FormData(event.target));
  for (const field of event.target.querySelectorAll("[data-once]")) field.value = "";
  emit(said);
}"""


def register(studio: Studio) -> None:
    """Declare the pages."""
    tables = Tables()
    app.on_shutdown(tables.aclose)

    @ui.page("/worlds", title="Worlds", response_timeout=30)
    async def overview() -> None:
        load("work.css")
        with frame("Worlds", active="worlds"):
            tag("h1", "Worlds")
            tag("p", "What agents act on: make moves yourself, or watch a system make them, one "
                "step at a time.", cls="lead")  # fmt: skip
            known = await asyncio.to_thread(worlds)
            with tag("div", cls="world-cards"):
                for info in known:
                    _card(info)
            try:
                names = [info.name for info in known]
                episodes = await asyncio.to_thread(past, studio.store_path, names)
            except CollegiumError as error:
                tell(error)
                return
            with tag("section", cls="section", aria_labelledby="past"):
                tag("h2", "Past episodes", id="past")
                _past(episodes)

    @ui.page("/worlds/play", title="Play", response_timeout=90)
    async def play(world: str = "", item: str = "0", split: str = "test", seed: str = "0") -> None:
        load("work.css")
        with frame("Play", active="worlds"):
            try:
                chosen, found = await asyncio.to_thread(chosen_item, world, split, item)
                number = require_number(seed, "the seed")
                table, seen = await tables.begin(found, studio.store_path, studio.policy, number)
            except CollegiumError as error:
                tag("h1", "Play")
                tag("a", "All worlds", href="/worlds")
                tell(error)
                return
            client = ui.context.client
            client.on_delete(lambda: tables.leave(table))
            Game(chosen, table, split, int(item)).build(seen)


def chosen_item(world: str, split: str, item: str) -> tuple[WorldInfo, Item]:
    """The world and the task that an address names.

    Raises:
        BadInput: There is no such world or task, or something it needs is missing.
    """
    from collegium.tasks.text_worlds import world_item

    known = {info.name: info for info in worlds()}
    if world not in known:  # a name is a name here, never a file
        raise unknown_name("world", world[:80], known)
    number = require_number(item, "the task")
    if known[world].missing:
        raise BadInput(f"{world} cannot be played here: it needs {known[world].missing}.")
    return known[world], world_item(f"{world}:{number}", split)


def address(page: str, **fields: object) -> str:
    """The address of one of these pages."""
    return f"/worlds/{page}?{urlencode(fields)}"


def _card(info: WorldInfo) -> None:
    with tag("article", cls="card", data_row=""):
        tag("h2", info.name)
        tag("p", info.description)
        tasks = ", ".join(f"{size:,} {split}" for split, size in info.sizes.items())
        rounds = f"{info.rounds} moves at most" if info.rounds else ""
        tag("p", " · ".join(filter(None, (tasks, rounds))), cls="dim small")
        if info.missing:
            tag("p", f"needs {info.missing}", cls="note")
            return
        split = "test" if "test" in info.sizes or not info.sizes else next(iter(info.sizes))
        with tag("div", cls="row-of"):
            where = {"world": info.name, "split": split, "item": 0}
            tag("a", "Play", href=address("play", **where), cls="button primary",
                aria_label=f"Play {info.name}")  # fmt: skip
            tag("a", "Watch", href=address("watch", **where), cls="button",
                aria_label=f"Watch a system in {info.name}")  # fmt: skip


def _past(episodes: list[Listed]) -> None:
    if not episodes:
        tag("p", "None yet: play a world, or watch a system in one.", cls="dim")
        return
    with (
        tag("div", cls="wide", tabindex="0", role="region", aria_labelledby="past"),
        tag("table", cls="plain nums"),
    ):
        with tag("thead"), tag("tr"):
            for name in ("Task", "Who", "Model", "Worth", "How it ended", "When"):
                tag("th", name, scope="col")
        with tag("tbody"):
            for one in episodes:
                with tag("tr", data_row=""):
                    where = address("episode", run=one.run, system=one.system, task=one.task)
                    with tag("td"):
                        tag("a", one.task or one.run, href=where)
                    tag("td", one.system)
                    tag("td", one.model)
                    worth = f"{one.outcome.value:.2f}" if one.outcome is not None else ""
                    tag("td", worth, cls="num")
                    good = one.outcome is not None and one.outcome.correct
                    tag("td", "solved" if good else one.status, cls="good" if good else "")
                    tag("td", one.created[:16].replace("T", " "))


def choices_of(schema: Any) -> list[str]:
    """The words that an argument may be, where only some may."""
    words = schema.get("enum") if isinstance(schema, dict) else None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return []
    return words


def kind_of(schema: Any) -> str:
    """The type of an argument; "" where it has several, or none."""
    kind = schema.get("type", "") if isinstance(schema, dict) else ""
    return "string" if choices_of(schema) else kind if isinstance(kind, str) else ""


class Game:
    """A world that is played, as the page shows it.

    Args:
        info: The world.
        table: Where it is played.
        split: Of which split the task is.
        number: The task.
    """

    def __init__(self, info: WorldInfo, table: Table, split: str, number: int) -> None:
        self.info, self.table, self.split, self.number = info, table, split, number
        self.tools = {t.spec.name: t.spec for t in table.tools}
        self._moving = asyncio.Lock()

    def build(self, seen: Seen) -> None:
        """Make the page."""
        tag("h1", self.info.name)
        with tag("p", cls="place row-of"):
            size = self.info.sizes.get(self.split, 0)
            tag("span", f"task {self.number} · {size:,} in {self.split}")
            for step, label in ((-1, "previous task"), (1, "next task")):
                if 0 <= self.number + step < size:
                    where = {"world": self.info.name, "split": self.split}
                    tag("a", label, href=address("play", item=self.number + step, **where))
            watch = address("watch", world=self.info.name, split=self.split, item=self.number)
            tag("a", "watch a system here", href=watch)
        with tag("div", cls="play"):
            with tag("div"):
                self.log = tag("div", cls="log", role="log", tabindex="0", aria_label="The episode",
                               id="log")  # fmt: skip
                self.below = tag("div")
            with tag("div", cls="moves"):
                self.screen = tag("div", cls="screen")
                self.status = tag("div", aria_live="polite")
                self.offered = tag("div")
        with self.below:
            self._move_form()
        self._tell("", seen)

    def _move_form(self) -> None:
        single = self._single()
        with tag("form", cls="move-form").on("submit", self._submitted, js_handler=FORM):
            if single is not None:
                with tag("div", cls="line"):
                    tag("input", name="words", cls="text mono", aria_label="Your move",
                        placeholder="Your move", autocomplete="off", autofocus="",
                        data_once="")  # fmt: skip
                    tag("button", "Move", type="submit", cls="primary")
            else:
                self._tool_fields()
        with (
            tag("form", cls="move-form").on("submit", self._ended, js_handler=FORM),
            tag("div", cls="line"),
        ):
            tag("input", name="answer", cls="text", aria_label="Answer, if one is asked for",
                placeholder="Answer, if one is asked for", autocomplete="off")  # fmt: skip
            tag("button", "End and judge", type="submit", cls="quiet")

    def _tool_fields(self) -> None:
        """Which tool, and its arguments as JSON."""
        with tag("label", cls="field"):
            tag("span", "Tool")
            with tag("select", name="tool", cls="text").on(
                "change", self._chosen, js_handler="(e) => emit(e.target.value)"
            ):
                for name in self.tools:
                    tag("option", name, value=name)
        self.about = tag("div", cls="dim small")
        self.arguments = tag("div")
        first = next(iter(self.tools), "")
        self._fields_of(first)
        tag("button", "Use it", type="submit", cls="primary")

    def _chosen(self, event: Any) -> None:
        self._fields_of(str(event.args))

    def _fields_of(self, name: str) -> None:
        """A field for each argument of a tool."""
        spec = self.tools.get(name)
        self.about.clear()
        self.arguments.clear()
        if spec is None:
            return
        with self.about:
            said(spec.description)
        with self.arguments:
            required = spec.parameters.get("required", ())
            for argument, schema in spec.parameters.get("properties", {}).items():
                with tag("label", cls="field"):
                    left = "" if argument in required else ", may be left out"
                    tag("span", f"{argument} ({kind_of(schema) or 'JSON'}{left})")
                    if choices := choices_of(schema):
                        with tag("select", name=f"a:{argument}", cls="text"):
                            for one in choices if not left else ("", *choices):
                                tag("option", one, value=one)
                        continue
                    tag("input", name=f"a:{argument}", cls="text mono", autocomplete="off")

    def _single(self) -> str | None:
        """The one argument in words of the one tool, where moves are made of words."""
        if len(self.tools) != 1:
            return None
        (spec,) = self.tools.values()
        fields = spec.parameters.get("properties", {})
        words = [n for n, f in fields.items() if isinstance(f, dict) and f.get("type") == "string"]
        return words[0] if len(fields) == len(words) == 1 else None

    async def _submitted(self, event: Any) -> None:
        fields = event.args if isinstance(event.args, dict) else {}
        single = self._single()
        if single is not None:
            words = str(fields.get("words", "")).strip()[:2000]
            if words:
                await self._make(next(iter(self.tools)), {single: words}, words)
            return
        name = str(fields.get("tool", ""))
        try:
            arguments = self._read(name, fields)
        except BadInput as error:
            tell(error)
            return
        shown = f"{name} {msgspec.json.encode(arguments).decode()}"
        await self._make(name, arguments, shown)

    def _read(self, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The arguments as they were typed: texts as they are, everything else as JSON.

        Raises:
            BadInput: One is no JSON, or there is no such tool.
        """
        if name not in self.tools:
            raise unknown_name("tool", name, self.tools)
        spec = self.tools[name].parameters
        given: dict[str, Any] = {}
        for argument, schema in spec.get("properties", {}).items():
            typed = str(fields.get(f"a:{argument}", ""))[:20_000]
            kind = kind_of(schema)
            if not typed and argument not in spec.get("required", ()):
                continue
            if kind == "string":
                given[argument] = typed
                continue
            try:
                given[argument] = msgspec.json.decode(typed)
            except msgspec.MsgspecError:
                raise BadInput(f"{argument} is written as JSON, such as 3, true or [1, 2]; "
                               f"not {typed[:40]!r}.") from None  # fmt: skip
        return given

    async def _make(self, tool: str, arguments: dict[str, Any], shown: str) -> None:
        async with self._moving:
            try:
                seen = await self.table.move(tool, arguments)
            except CollegiumError as error:
                tell(error)
                return
            untell()
            self._tell(shown, seen)
            if seen.over:
                await self._judge("")

    async def _ended(self, event: Any) -> None:
        answer = event.args.get("answer", "") if isinstance(event.args, dict) else ""
        async with self._moving:
            await self._judge(str(answer)[:20_000])

    async def _judge(self, answer: str) -> None:
        try:
            score = await self.table.finish(answer)
        except CollegiumError as error:
            tell(error)
            return
        self.below.clear()
        self.offered.clear()
        self.status.clear()
        with self.status, tag("div", cls="card stack"):
            with tag("p", cls="score"):
                good = score.correct
                tag("b", "Solved" if good else "Not solved", cls="good" if good else "bad")
                tag("span", f"{score.value:.2f} of 1", cls="nums")
            if score.reason:
                said(score.reason)
            with tag("div", cls="row-of"):
                again = address("play", world=self.info.name, split=self.split, item=self.number)
                tag("a", "Again", href=again, cls="button primary")
                where = address("episode", run=self.table.run)
                tag("a", "Step through it", href=where, cls="button")

    def _tell(self, move: str, seen: Seen) -> None:
        """Add a turn to the log, and offer what can be done now."""
        with self.log, tag("div", cls="turn"):
            if move:
                tag("p", move, cls="move")
            if seen.error:
                said(seen.error, cls="bad")
            if seen.text:
                said(seen.text)
        self.screen.clear()
        if seen.picture is not None:
            with self.screen:
                show_picture(seen.picture, self.table.moves)
        ui.run_javascript("const l = document.getElementById('log'); l.scrollTop = l.scrollHeight")
        self.status.clear()
        with self.status:
            made = f"{self.table.moves} move{'s' * (self.table.moves != 1)}"
            limit = f" of {self.info.rounds}" if self.info.rounds else ""
            reward = "" if seen.reward is None else f" · reward {seen.reward:g}"
            tag("p", f"{made}{limit}{reward}", cls="dim nums")
        self.offered.clear()
        single = self._single()
        if single is None or not seen.actions:
            return
        tool = next(iter(self.tools))
        with self.offered:
            tag("p", "Possible moves", cls="dim small")
            with tag("div", cls="actions-now"):
                for action in seen.actions[:MOST_MOVES]:
                    tag("button", action, type="button", cls="quiet").on(
                        "click",
                        lambda _, a=action: self._make(tool, {single: a}, a),
                        [],
                    )
            if len(seen.actions) > MOST_MOVES:
                tag("p", f"and {len(seen.actions) - MOST_MOVES:,} more", cls="dim small")
