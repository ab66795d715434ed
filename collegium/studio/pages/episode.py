"""The pages of episodes: a system let loose in a world, and an episode step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from nicegui import ui

from collegium.bench.records import Outcome
from collegium.errors import BadInput, CollegiumError
from collegium.kernel import Limits, RunStore
from collegium.studio.episodes import (
    Listed,
    Step,
    acting_systems,
    episode,
    keep_outcome,
    opening_of,
    require_number,
    steps_of,
)
from collegium.studio.frame import frame, tell
from collegium.studio.pages.worlds import address, chosen_item
from collegium.studio.pictures import show_picture
from collegium.studio.safe import said, tag
from collegium.studio.sessions import Asked, Session
from collegium.studio.sheets import load
from collegium.studio.state import Studio
from collegium.systems.system import get_system

AROUND = 60
"""Steps that the list shows on each side of the present one."""

FORM = """(event) => {
  event.preventDefault();
  emit(Object.fromEntries(new FormData(event.target)));
}"""


def register(studio: Studio) -> None:
    """Declare the pages."""

    @ui.page("/worlds/watch", title="Watch", response_timeout=60)
    async def watch(world: str = "", item: str = "0", split: str = "test") -> None:
        load("work.css")
        with frame("Watch", active="worlds"):
            tag("h1", "Watch a system")
            try:
                info, found = await asyncio.to_thread(chosen_item, world, split, item)
            except CollegiumError as error:
                tag("a", "All worlds", href="/worlds")
                tell(error)
                return
            tag("p", f"{info.name}, task {item}, {split}: {info.description}", cls="lead")

            async def start(event: Any) -> None:
                fields = event.args if isinstance(event.args, dict) else {}
                try:
                    session = Session(studio, asked(studio, fields, found))
                except CollegiumError as error:
                    tell(error)
                    return
                studio.sessions.add(session)
                session.start()
                studio.jobs.start(f"score {session.id}", _keep_score(studio, session))
                ui.navigate.to(address("episode", session=session.id))

            _watch_form(studio, start)

    @ui.page("/worlds/episode", title="Episode", response_timeout=60)
    async def one(
        run: str = "", system: str = "", task: str = "", session: str = "", step: str = ""
    ) -> None:
        load("work.css", "steps.js")
        with frame("Episode", active="worlds"):
            try:
                at = require_number(step, "the step") if step else None
                going = studio.sessions.get(session) if session else None
                if going is not None:
                    Watching(going).build(at)
                    return
                if session:
                    raise BadInput("this episode is no longer watched; it is among the past ones.")
                listed, events = await asyncio.to_thread(
                    episode, studio.store_path, run, system, task
                )
                opening = await asyncio.to_thread(opening_of, studio.store_path, listed.run)
            except CollegiumError as error:
                tag("h1", "Episode")
                tag("a", "All worlds", href="/worlds")
                tell(error)
                return
            _past_heading(listed)
            Stepper(steps_of(events, opening)).build(at or 0)


def asked(studio: Studio, fields: dict[str, Any], item: Any) -> Asked:
    """What a form asks for.

    Raises:
        CollegiumError: It is not possible.
    """
    model = str(fields.get("model", "")).strip()[:200] or studio.model
    seed = str(fields.get("seed", "")).strip()
    most = str(fields.get("calls", "")).strip()
    calls = require_number(most, "the number of calls") if most else None
    own = studio.limits
    if own.calls is not None:
        calls = own.calls if calls is None else min(calls, own.calls)
    return Asked(
        system=get_system(str(fields.get("system", ""))[:100]),
        params={},
        task=item,
        model=model,
        roles=studio.roles if model == studio.model else {},
        limits=Limits(own.tokens, calls, own.seconds, own.money),
        seed=require_number(seed, "the seed", 2**31) if seed else None,
        policy=studio.policy,
    )


async def _keep_score(studio: Studio, session: Session) -> None:
    """Once a system has played, keep what it was worth beside its events."""
    task = studio.jobs.get(f"run {session.id}")
    if task is not None:
        await asyncio.wait([task])
    done = session.result
    if done is None or done.score is None:
        return
    store = RunStore(studio.store_path)
    try:
        keep_outcome(store, done.id, done.system, session.task, done.score, done.result.answer)
    finally:
        store.close()


def _watch_form(studio: Studio, start: Any) -> None:
    with tag("form", cls="watch-form").on("submit", start, js_handler=FORM):
        with tag("label", cls="field"):
            tag("span", "System")
            with tag("select", name="system", cls="text"):
                for system in acting_systems():
                    chosen = True if system.name == "tool-calling" else None
                    tag("option", system.name, value=system.name, selected=chosen)
        with tag("label", cls="field"):
            tag("span", "Model")
            tag("input", name="model", cls="text", value=studio.model, autocomplete="off")
        with tag("label", cls="field"):
            tag("span", "Model calls at most")
            tag("input", name="calls", cls="text", value="40", inputmode="numeric")
        with tag("label", cls="field"):
            tag("span", "Seed")
            tag("input", name="seed", cls="text", placeholder="any", inputmode="numeric")
        tag("button", "Watch", type="submit", cls="primary")


def _past_heading(listed: Listed) -> None:
    tag("h1", listed.task or "Episode")
    with tag("p", cls="place row-of"):
        tag("span", listed.system)
        if listed.model:
            tag("span", listed.model)
        tag("span", listed.created[:16].replace("T", " "))
        tag("span", listed.status, cls="good" if listed.status == "done" else "warn")
        if listed.kind != "play":
            tag("a", "the run as a whole", href=f"/runs/{listed.run}")
    if listed.outcome is not None:
        _worth(listed.outcome)


def _worth(outcome: Outcome) -> None:
    with tag("p", cls="score"):
        good = outcome.correct
        tag("b", "Solved" if good else "Not solved", cls="good" if good else "bad")
        tag("span", f"{outcome.value:.2f} of 1", cls="nums")
        for name, value in outcome.facts.items():
            tag("span", f"{name} {float(value):g}", cls="chip")
    if outcome.reason:
        said(outcome.reason, cls="dim")


class Watching:
    """An episode that goes on.

    Args:
        session: The run.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.seen = -1
        self.stepper = Stepper([Step(event=-1)])

    def build(self, at: int | None) -> None:
        """Make the page."""
        asked = self.session.asked
        tag("h1", self.session.task.id)
        with tag("p", cls="place row-of"):
            tag("span", asked.system.name)
            tag("span", asked.model)
            self.state = tag("span", role="status")
            self.stop = tag("button", "Stop", type="button", cls="quiet").on(
                "click", lambda: self.session.stop(), []
            )
        self.worth = tag("div")
        self.stepper.build(at or 0, follow=at is None)
        self._refresh()
        self.timer = ui.timer(0.4, self._refresh)

    def _refresh(self) -> None:
        session = self.session
        if session.version == self.seen:
            return
        self.seen = session.version
        self.stepper.replace(steps_of(session.events, self._opening()))
        words = {"fetching": f"fetching the model: {session.progress}", "running": "going on …"}
        self.state.clear()
        with self.state:
            tag("span", words.get(session.state, session.state))
        if not session.over:
            return
        self.stop.set_visibility(False)
        if hasattr(self, "timer"):
            self.timer.deactivate()
        self.worth.clear()
        with self.worth:
            if session.error:
                said(session.error, cls="note")
            done = session.result
            if done is not None and done.score is not None:
                score = done.score
                _worth(
                    Outcome(
                        system=done.system, task=session.task.id, correct=score.correct,
                        value=score.value, reason=score.reason, facts=score.facts,
                    )
                )  # fmt: skip
            if session.run:
                tag("a", "the run as a whole", href=f"/runs/{session.run}")

    def _opening(self) -> str:
        return "" if self.session.events else self.session.task.text


class Stepper:
    """Steps, one of which is shown in full.

    Args:
        steps: The steps; at least one.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps, self.at, self.follow = list(steps), 0, False

    def build(self, at: int, *, follow: bool = False) -> None:
        """Make the part of the page."""
        self.at, self.follow = min(at, len(self.steps) - 1), follow
        with tag("div", cls="stepper", role="group", aria_label="Steps"):
            self.back = tag("button", "‹ Back", type="button", cls="quiet", id="step-back").on(
                "click", lambda: self.go(self.at - 1), []
            )
            self.on = tag("button", "On ›", type="button", cls="quiet", id="step-on").on(
                "click", lambda: self.go(self.at + 1), []
            )
            self.range = tag("input", type="range", min="0", aria_label="Step").on(
                "input", self._slid, js_handler="(e) => emit(e.target.value)", throttle=0.1
            )
            self.count = tag("span", cls="nums dim", role="status")
        with tag("div", cls="episode"):
            self.list = tag("ol", aria_label="All steps", tabindex="0")
            self.detail = tag("div", cls="detail")
        self._show()

    def replace(self, steps: Sequence[Step]) -> None:
        """Take further steps in; who looks at the last one goes on to the new last one."""
        if list(steps) == self.steps:
            return
        self.steps = list(steps)
        if self.follow:
            self.at = len(self.steps) - 1
        self._show()

    def go(self, at: int) -> None:
        """Show another step."""
        self.at = max(0, min(at, len(self.steps) - 1))
        self.follow = self.follow and self.at == len(self.steps) - 1
        self._show()

    def _slid(self, event: Any) -> None:
        text = str(event.args)
        self.go(int(text) if text.isdecimal() and len(text) < 9 else 0)

    def _show(self) -> None:
        last = len(self.steps) - 1
        for button, off in ((self.back, self.at == 0), (self.on, self.at == last)):
            button.props["disabled"] = off
            button.update()
        self.range.props["max"] = str(last)
        self.range.props["value"] = str(self.at)
        self.range.update()
        self.count.clear()
        with self.count:
            tag("span", f"step {self.at} of {last}")
        self.list.clear()
        with self.list:
            low, high = max(0, self.at - AROUND), min(last, self.at + AROUND)
            for number in range(low, high + 1):
                self._listed(number)
        self.detail.clear()
        with self.detail:
            show_step(self.steps[self.at], self.at)

    def _listed(self, number: int) -> None:
        here = "step" if number == self.at else None
        with (
            tag("li"),
            tag("button", type="button", aria_current=here).on(
                "click", lambda: self.go(number), []
            ),
        ):
            tag("span", number, cls="n")
            tag("span", short(self.steps[number]), cls="what bad" if self.steps[number].error
                else "what")  # fmt: skip


def short(step: Step) -> str:
    """A step in a few words."""
    if step.event < 0:
        return "the beginning"
    if not step.tool:
        return step.error or "the answer"
    words = [str(v) for v in step.arguments.values()]
    what = words[0] if len(words) == 1 else f"{step.tool} {' '.join(words)}"
    return " ".join(f"{'try: ' if step.tentative else ''}{what}".split())[:80]


def show_step(step: Step, number: int) -> None:
    """One step in full."""
    if step.pictures:
        with tag("section", cls="card"):
            tag("h3", "Screen")
            for one in step.pictures:
                show_picture(one, number)
    if step.said:
        _block(f"{step.agent} says" if step.tool else f"{step.agent} answers", step.said)
    if step.tool:
        with tag("section", cls="card"):
            tried = ", tried out and taken back" if step.tentative else ""
            tag("h3", f"{step.agent} moves{tried}")
            words = list(step.arguments.values())
            if len(words) == 1 and isinstance(words[0], str):
                said(f"{step.tool}: {words[0]}", cls="code window")
            else:
                data = msgspec.json.format(msgspec.json.encode(step.arguments, enc_hook=repr))
                said(f"{step.tool} {data.decode() if step.arguments else ''}", cls="code window")
    if step.error:
        _block("What went wrong", step.error, "bad")
    if step.seen:
        _block("What is seen" if step.event < 0 else "What came of it", step.seen)
    if step.tool and not step.seen and not step.error:
        tag("p", "Nothing came back.", cls="dim")


def _block(title: str, text: str, cls: str = "") -> None:
    with tag("section", cls="card"):
        tag("h3", title)
        said(text, cls=f"window {cls}").props["tabindex"] = "0"
