"""A run as it is watched: conversation, answer, bill, pictures, diagnosis, questions."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

from nicegui import ui

from collegium.bench.diagnosis.words import SCOPE, cited
from collegium.bench.jobs import answer_text
from collegium.bench.summary import blocked_calls
from collegium.commands.readable import Readable
from collegium.commands.show import clock, dollars
from collegium.guard import counted
from collegium.kernel import Event
from collegium.studio.graphs import talk_graph
from collegium.studio.safe import Tag, said, shown, tag
from collegium.studio.sessions import FROM_FILES, Session
from collegium.studio.shapes import show_account, show_files, show_notes, show_shape
from collegium.studio.transcript import Speakers, show_event

EVERY = 0.2
"""Seconds between two looks at a run that goes on."""

REDRAW = 5
"""Looks between two drawings of the pictures."""

MOST_SHOWN = 400
"""Blocks of the conversation that stay on the page; the run's own page holds all."""

MOST_LIVE = 8_000
"""Characters of a reply that are shown while it is written."""

WORDS = {
    "fetching": "Fetching the model",
    "running": "Running",
    "done": "Done",
    "stopped": "Stopped",
    "failed": "Failed",
}


def short_model(name: str) -> str:
    """A model's name; of one that is a file, without the folders."""
    kind, colon, rest = name.partition(":")
    return f"{kind}:{rest.rpartition('/')[2]}" if f"{kind}{colon}" in FROM_FILES else name


class Watch:
    """Shows a session, and follows it for as long as the page is open.

    Args:
        session: The run.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seen = -1
        self._events = 0
        self._looks = 0
        self._blocks: list[Tag] = []
        self._live: dict[tuple[str, int], tuple[Tag, Tag]] = {}
        self._speakers = Speakers()
        self._generation: list[Event] | None = None

    def show(self) -> None:
        """Make the parts of the page, and begin to follow."""
        with tag("section", cls="watch", aria_label="The run"):
            with tag("div", cls="bar"):
                self._state = tag("strong", role="status")
                self._bill = tag("span", cls="dim nums")
                with tag("span", cls="row-of push"):
                    self._stop = tag("button", "Stop", type="button", cls="quiet")
                    self._stop.on("click", self._session.stop)
                    self._resume = tag("button", "Go on", type="button", cls="primary")
                    self._resume.on("click", lambda: self._session.start(resume=True))
                    self._link = tag("a", "Transcript", cls="button")
                    against = "cot" if self._session.asked.system.name != "cot" else "direct"
                    pair = urlencode({"systems": f"{self._session.asked.system.name},{against}"})
                    self._compare = tag("a", "Compare it", href=f"/compare?{pair}", cls="button")
            self._told = tag("p", cls="note")
            self._ask = tag("div", cls="question card", role="alertdialog", aria_label="A question")
            self._answer = tag("div", cls="answer")
            with tag("div", cls="two"):
                with tag("div", cls="talk"):
                    tag("h2", "Conversation")
                    self._earlier = tag("p", cls="dim small")
                    self._talk = tag("div", cls="turns")
                    self._now = tag("div", cls="turns live")
                with tag("aside", cls="beside"):
                    tag("h2", "Who spoke to whom")
                    self._graph = tag("div", cls="graph")
                    self._found = tag("div")
            self._shape = tag("div")
            self._more = tag("div")
        self._look()
        self._timer = ui.timer(EVERY, self._look)

    def _look(self) -> None:
        """Bring the page up to the run."""
        s = self._session
        if s.version == self._seen:
            if not s.over:
                self._show_bill()
            return
        self._seen = s.version
        if self._generation is not s.events:  # begun, or begun again
            self._generation, self._events = s.events, 0
            self._talk.clear()
            self._now.clear()
            self._blocks, self._live = [], {}
        self._show_state()
        self._show_question()
        self._show_talk()
        self._show_live()
        self._looks += 1
        if s.over or self._looks % REDRAW == 1:
            self._show_pictures()
        if s.over:
            self._show_end()

    # -- state ----------------------------------------------------------------------------

    def _show_state(self) -> None:
        s = self._session
        self._state.text = WORDS[s.state]
        self._state.classes(replace=f"state {s.state}")
        self._stop.visible = not s.over
        self._resume.visible = s.over and s.can_resume
        self._link.visible = bool(s.run)
        self._compare.visible = s.over
        if s.run:
            self._link.props["href"] = f"/runs/{s.run}"
        limited = s.result.limited if s.result else ""
        told = s.progress if s.state == "fetching" else s.error or limited
        if s.result is not None and s.result.blocked:
            told = " ".join((told, blocked_calls(counted(s.result.blocked)))).strip()
        self._told.text = shown(f"{told[:1].upper()}{told[1:]}", 1000)
        self._told.visible = bool(told)
        self._show_bill()

    def _show_bill(self) -> None:
        kernel = self._session.kernel
        if kernel is None:
            self._bill.text = ""
            return
        meter, done = kernel.meter, self._session.result
        seconds = done.seconds if done is not None else meter.seconds
        if self._session.over and done is None:
            seconds = max((e.started + e.seconds for e in self._session.events), default=0.0)
        u = meter.usage
        parts = [
            f"{meter.calls:,} call{'s' * (meter.calls != 1)}",
            f"{u.tokens:,} tokens ({u.prompt:,} read, {u.completion:,} written)",
            clock(seconds),
            dollars(u.money),
            short_model(self._session.asked.model),
        ]
        self._bill.text = shown(" · ".join(parts), 400)

    def _show_question(self) -> None:
        question = self._session.question
        self._ask.visible = bool(question)
        if not question:
            self._ask.clear()
            return
        if self._ask.default_slot.children:
            return
        with self._ask:
            tag("h2", "Your word is needed")
            said(question, most=4000)
            typed = {"text": ""}
            with tag("div", cls="row-of"):
                for label, text in (("Yes, this once", "yes"), ("No", "no")):
                    button = tag("button", label, type="button", cls="quiet")
                    button.on("click", partial(self._session.tell, text))
                field = tag("input", cls="text", aria_label="Another answer", placeholder="or …")
                field.on(
                    "input",
                    lambda e: typed.update(text=str(e.args)[:4000]),
                    js_handler="(event) => emit(event.target.value)",
                )
                send = tag("button", "Send", type="button", cls="quiet")
                send.on("click", lambda: self._session.tell(typed["text"]))

    # -- conversation ---------------------------------------------------------------------

    def _show_talk(self) -> None:
        events = self._session.events
        with self._talk:
            for event in events[self._events :]:
                self._blocks += show_event(event, self._speakers)
        self._events = len(events)
        while len(self._blocks) > MOST_SHOWN:
            self._blocks.pop(0).delete()
        self._earlier.visible = len(self._blocks) >= MOST_SHOWN
        self._earlier.text = "The beginning is in the transcript of the run."

    def _show_live(self) -> None:
        live = self._session.live
        for speaker in [s for s in self._live if s not in live]:
            self._live.pop(speaker)[0].delete()
        for speaker, text in list(live.items()):
            if speaker not in self._live:
                with self._now, tag("div", cls="turn writing") as block:
                    self._speakers.head(speaker[0], speaker[1], "is writing")
                    body = said("")
                self._live[speaker] = (block, body)
            readable = Readable().feed(text[-MOST_LIVE:] if len(text) > MOST_LIVE else text)
            self._live[speaker][1].text = shown(readable, MOST_LIVE + 100)

    # -- pictures and the end -------------------------------------------------------------

    def _show_pictures(self) -> None:
        self._graph.clear()
        with self._graph:
            talk_graph(self._session.events)
            if not self._session.events:
                tag("p", "Nobody has spoken yet.", cls="dim small")
        found = self._session.found
        self._shape.clear()
        if found is not None:
            with self._shape:
                show_shape(found)

    def _show_end(self) -> None:
        s = self._session
        self._answer.clear()
        with self._answer:
            if s.result is not None:
                text = answer_text(s.result.result.answer)
                if text in s.task.letters:
                    text = f"{text}. {s.task.choices[s.task.letters.index(text)]}"
                with tag("div", cls="card run-answer"):
                    tag("h2", "Answer")
                    if text:
                        said(text, cls="big")
                    else:
                        tag("p", "No answer: the system abstained.", cls="warn")
                    score = s.result.score
                    if score is not None:
                        word = "solved" if score.correct else "not solved"
                        tag("p", f"World: {word}. {score.reason}", cls="dim")
        self._found.clear()
        with self._found:
            tag("h2", "Diagnosis", cls="next")
            if not s.findings:
                tag("p", "The rules found no failure mode.", cls="dim small")
            for finding in s.findings:
                with tag("div", cls="finding"):
                    tag("h3", f"{finding.code} {finding.name}")
                    tag("p", f"{finding.says} ({cited(finding.calls)})")
                    said(f"“{finding.evidence}”", cls="dim small")
            tag("p", SCOPE, cls="dim small")
        self._more.clear()
        if s.found is not None:
            with self._more:
                show_account(s.found)
                show_files(s.found.files)
                show_notes(s.found.notes)
