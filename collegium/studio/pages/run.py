"""One system on one task: a form, then the run as it happens."""

from __future__ import annotations

from urllib.parse import urlencode

from nicegui import ui

from collegium.errors import CollegiumError
from collegium.studio.forms import MOST_TASK, Form
from collegium.studio.frame import frame, tell, untell
from collegium.studio.safe import shown, tag
from collegium.studio.sessions import Session
from collegium.studio.state import Studio
from collegium.studio.watching import WORDS, Watch
from collegium.systems.system import System, get_system

SUBMIT = "(e) => { if (e.ctrlKey || e.metaKey) e.currentTarget.requestSubmit(); }"


def register(studio: Studio) -> None:
    """Declare the page of a run."""

    @ui.page("/run/{system}")
    def run(system: str, task: str = "", session: str = "") -> None:
        try:
            chosen = get_system(system)
        except CollegiumError as error:
            ui.context.client.status_code = 404
            with frame("No such system", active="run"):
                tag("h1", "No such system")
                tag("a", "The papers that run", href="/")
                tell(error)
            return
        with frame(f"Run {chosen.name}", active="run"):
            RunPage(studio, chosen, task[:MOST_TASK], session).show()


class RunPage:
    """The page of a system.

    Args:
        studio: What the pages share.
        system: The system.
        task: What the task field begins with.
        session: The run to show at first; "" for none.
    """

    def __init__(self, studio: Studio, system: System, task: str, session: str) -> None:
        self._studio, self._system = studio, system
        self._first = studio.sessions.get(session)
        if self._first is not None and self._first.asked.system.name != system.name:
            self._first = None
        prompt = self._first.task.prompt if self._first is not None else ""
        self._form = Form(studio, system, task or prompt)

    def show(self) -> None:
        """The title, the form, and the run if there is one."""
        system = self._system
        with tag("div", cls="spread"):
            tag("h1", system.name)
            if system.paper:
                tag("a", "About the paper", href=f"/paper/{system.paper}")
        tag("p", system.summary, cls="lead")
        with tag("details", cls="card ask section", open=self._first is None or None) as self._ask:
            tag("summary", "Task and settings")
            with tag("form", cls="stack") as form:
                self._form.show()
                with tag("div", cls="row-of"):
                    tag("button", "Run", type="submit", cls="primary")
                    tag("span", "Ctrl + Enter", cls="dim small keyhint")
            form.on("submit.prevent", self._begin)
            form.on("keydown.enter", js_handler=SUBMIT)
        self._room = tag("div", cls="section")
        if self._first is not None:
            with self._room:
                Watch(self._first).show()
        self._show_others()

    def _begin(self) -> None:
        """Start a run; it goes on when the page is closed."""
        try:
            session = Session(self._studio, self._form.asked())
        except CollegiumError as error:
            tell(error)
            return
        untell()
        self._studio.sessions.add(session)
        session.start()
        ui.navigate.history.push(f"/run/{self._system.name}?{urlencode({'session': session.id})}")
        self._ask.props.pop("open", None)
        self._room.clear()
        with self._room:
            Watch(session).show()
        ui.run_javascript(
            f"document.getElementById('{self._room.html_id}').scrollIntoView({{block: 'start'}})"
        )

    def _show_others(self) -> None:
        """The runs of this system since the studio began."""
        others = [s for s in self._studio.sessions.of(self._system.name) if s is not self._first]
        if not others:
            return
        with tag("section", cls="section"):
            tag("h2", "Begun before")
            with tag("ul", cls="plain-list"):
                for one in others[:10]:
                    with tag("li", cls="row-of"):
                        tag("span", WORDS[one.state], cls="dim small")
                        address = f"/run/{self._system.name}?{urlencode({'session': one.id})}"
                        tag("a", shown(" ".join(one.task.prompt.split()), 90), href=address)
