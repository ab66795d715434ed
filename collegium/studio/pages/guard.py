"""The page of policies: write one, see what is doubtful about it, try calls against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import PurePath
from typing import Any

from nicegui import app, background_tasks, ui

from collegium.errors import CollegiumError
from collegium.studio.checking import MOST_BYTES, Checker, Part, Request
from collegium.studio.frame import frame, tell, untell
from collegium.studio.pages import guard_view as view
from collegium.studio.policy_folder import PolicyFolder
from collegium.studio.safe import Tag, tag
from collegium.studio.sheets import load
from collegium.studio.state import Studio

PAUSE = 0.4
"""Seconds without a key after which a policy is checked."""

BEGIN = """\
# What is not allowed here is blocked.
default: block

tools:
  read_file:
    - effect: allow
      when:
        # Patterns are searched for, so pin both ends.
        path: {type: string, pattern: '^notes/[a-z0-9-]+\\.txt$'}

  send_money:
    # Lower priorities come first; of equals, what forbids comes first.
    - effect: forbid
      when:
        amount: {type: number, exclusiveMinimum: 1000}
      why: no bill is that high
    - effect: allow
      when:
        amount: {type: number}
        recipient: {type: string, pattern: 'UK[0-9]{20}'}
"""
"""What the editor begins with: a policy with something to find."""

READ = """async (event) => {
  const file = event.target.files[0];
  event.target.value = "";
  if (!file) return;
  emit(file.size > %d ? {name: file.name, size: file.size}
                      : {name: file.name, text: await file.text()});
}"""

FORM = """(event) => {
  event.preventDefault();
  emit(Object.fromEntries(new FormData(event.target)));
}"""

THEME = """
const set = () => getElement(%d)?.setTheme?.(
  document.body.classList.contains("body--dark") ? "githubDark" : "githubLight");
const wait = () => {
  const text = document.querySelector(".policy .cm-content");
  if (!text) return setTimeout(wait, 50);
  text.setAttribute("aria-label", "The policy");
  document.querySelector(".policy .cm-scroller").setAttribute("tabindex", "0");
  set();
  new MutationObserver(set).observe(document.body, {attributes: true, attributeFilter: ["class"]});
};
wait();
"""


def register(studio: Studio) -> None:
    """Declare the pages."""
    checker = Checker()
    app.on_shutdown(checker.aclose)
    folder = PolicyFolder(studio.policies) if studio.policies is not None else None

    @ui.page("/guard", title="Guard")
    async def guard(file: str = "") -> None:
        load("work.css")
        with frame("Guard", active="guard"):
            Editor(checker, folder).build(file)


class Editor:
    """A policy that is being written, and what is known of it.

    Args:
        checker: Checks it.
        folder: Where policies are kept; None: they are carried up and down.
    """

    def __init__(self, checker: Checker, folder: PolicyFolder | None) -> None:
        self.checker, self.folder = checker, folder
        self.name, self.known = "", ""
        self.tools = ""
        self.remarks: list[Part] = []
        self.form: Part | None = None
        self._checking: asyncio.Task[None] | None = None

    def build(self, file: str) -> None:
        """Make the page."""
        tag("h1", "Guard")
        tag("p", "What agents may do: write a policy, see what is doubtful about it, and try calls "
            "against it before an agent does.", cls="lead")  # fmt: skip
        text, trouble = BEGIN, None
        if file and self.folder is not None:
            try:
                text, self.known = self.folder.read(file)
                self.name = file
            except CollegiumError as error:
                trouble = error
        self._bar()
        with tag("div", cls="guard-grid"):
            with tag("div", cls="policy"):
                self.editor = ui.codemirror(
                    text, language="YAML", theme="githubLight", indent="  ", line_wrapping=True,
                    on_change=lambda _: self._later(),
                )  # fmt: skip
            self.side = tag("section", cls="remarks", aria_label="What was found", tabindex="0")
        self.calls = tag("section", cls="section", aria_labelledby="try")
        with self.calls:
            tag("h2", "Try a call", id="try")
            self.form_of_call = tag("div")
            self.verdict = tag("div", aria_live="polite")
        self.overlaps = tag("section", cls="section", aria_label="Overlaps")
        self._call_form("", "")
        self._show("waiting")
        ui.context.client.on_delete(self._leave)
        ui.run_javascript(THEME % self.editor.id)
        if trouble is not None:
            tell(trouble)
        self._later(0.0)

    def _leave(self) -> None:
        if self._checking is not None:
            self._checking.cancel()

    # -- files ------------------------------------------------------------------------------------

    def _bar(self) -> None:
        """Opening, saving, carrying up and down, and the tools."""
        with tag("div", cls="row-of guard-bar"):
            if self.folder is not None:
                self._files()
                with tag("form", cls="row-of").on("submit", self._save, js_handler=FORM):
                    self.name_field = tag(
                        "input", name="name", cls="text", aria_label="Name of the file",
                        placeholder="bills.yaml", value=self.name, autocomplete="off", size="16",
                    )  # fmt: skip
                    tag("button", "Save", type="submit", cls="primary")
                    self.saved = tag("span", role="status", cls="good small")
            tag("button", "Download", type="button", cls="quiet").on("click", self._download, [])
            with tag("label", cls="button upload"):
                tag("span", "Upload")
                tag("input", type="file", accept=".yaml,.yml,.json", cls="over",
                    aria_label="Upload a policy").on(
                    "change", self._uploaded, js_handler=READ % MOST_BYTES)  # fmt: skip
            with tag("label", cls="row-of small"):
                tag("span", "Tools")
                with tag("select", cls="text", aria_label="The tools the policy is for").on(
                    "change", self._choose_tools, js_handler="(e) => emit(e.target.value)"
                ):
                    tag("option", "any", value="")
                    tag("option", "those built in", value="builtin")
                    tag("option", "my own (JSON)", value="own")
        self.own = tag("div")

    def _files(self) -> None:
        """The policies of the folder."""
        assert self.folder is not None
        with tag("label", cls="row-of small"):
            tag("span", "Open")
            self.files = tag("select", cls="text", aria_label="Open a policy").on(
                "change", self._open, js_handler="(e) => emit(e.target.value)"
            )
        self._list_files()

    def _list_files(self) -> None:
        assert self.folder is not None
        self.files.clear()
        with self.files:
            names = self.folder.names()
            tag("option", "choose …" if names else "none yet", value="")
            for name in names:
                tag("option", name, value=name, selected=True if name == self.name else None)

    def _open(self, event: Any) -> None:
        name = str(event.args or "")
        if not name or self.folder is None:
            return
        try:
            text, self.known = self.folder.read(name)
        except CollegiumError as error:
            tell(error)
            return
        self._named(name)
        self._replace(text)

    def _save(self, event: Any) -> None:
        name = str(_field(event.args, "name")).strip()
        if self.folder is None:
            return
        try:
            known = self.known if name == self.name else ""
            self.known = self.folder.write(name, self.editor.value or "", known)
        except CollegiumError as error:
            tell(error)
            return
        untell()
        self._named(name)
        self._list_files()
        self.saved.clear()
        with self.saved:
            tag("span", f"Saved {name}.")

    def _named(self, name: str) -> None:
        self.name = name
        self.name_field.props["value"] = name
        self.name_field.update()

    def _download(self) -> None:
        name = self.name or "policy.yaml"
        ui.download.content((self.editor.value or "").encode("utf-8", "replace"), name)

    def _uploaded(self, event: Any) -> None:
        text = _field(event.args, "text")
        if not text and _field(event.args, "size"):
            tell(f"a policy that is checked here has at most {MOST_BYTES:,} bytes.")
            return
        untell()
        self.known = ""
        if self.folder is not None:
            self._named(PurePath(str(_field(event.args, "name"))).name[:100])
        self._replace(str(text))

    def _replace(self, text: str) -> None:
        """Put another text into the editor."""
        untell()
        self.editor.decorations = []
        self.editor.set_value(text)
        self._later(0.0)

    # -- tools ------------------------------------------------------------------------------------

    def _choose_tools(self, event: Any) -> None:
        self.own.clear()
        self.tools = "builtin" if event.args == "builtin" else ""
        if event.args == "own":
            with self.own, tag("label", cls="field"):
                tag("span", "Tools, as a JSON list of name, description and parameters")
                tag("textarea", cls="text mono", rows="4", spellcheck="false").on(
                    "input", self._own_tools, js_handler="(e) => emit(e.target.value)", throttle=0.3
                )
        self._later(0.0)

    def _own_tools(self, event: Any) -> None:
        self.tools = str(event.args or "")[:MOST_BYTES]
        self._later()

    # -- checking ---------------------------------------------------------------------------------

    def _later(self, pause: float = PAUSE) -> None:
        """Check the policy once nothing has been typed for a while; an older check is ended."""
        if self._checking is not None:
            self._checking.cancel()
        self._checking = background_tasks.create(self._check(pause), name="check a policy")

    async def _check(self, pause: float) -> None:
        await asyncio.sleep(pause)
        with self.side:
            self._show("busy")
            self.remarks, self.form, ended = [], None, ""
            request = Request(text=self.editor.value or "", tools=self.tools)
            async with aclosing(self.checker.ask(request)) as parts:
                async for part in parts:
                    match part["part"]:
                        case "form":
                            self.form = part
                            self._show("busy")
                        case "error" | "late":
                            ended = part["message"]
                        case "remark":
                            self.remarks.append(part)
                            if len(self.remarks) % 10 == 1:
                                self._show("busy")
            self._show("done", ended)

    def _show(self, state: str, trouble: str = "") -> None:
        """Show what is known: the form, the remarks, where they stand, and the overlaps."""
        self.side.clear()
        with self.side:
            view.state_line(state, self.form, trouble)
            shown = [r for r in self.remarks if r["doubtful"]]
            view.remarks(shown, self._reveal)
            if state == "done" and self.form is not None and not shown and not trouble:
                tag("p", "Nothing doubtful was found.", cls="good")
        if state != "done":
            return
        lines = {n for r in self.remarks if r["doubtful"] for n in r["lines"]}
        wrong = view.line_of(trouble) if self.form is None else 0
        last = (self.editor.value or "").count("\n") + 1
        self.editor.decorations = [
            *({"kind": "line", "line": n, "class": "doubtful"} for n in sorted(lines) if n <= last),
            *([{"kind": "line", "line": wrong, "class": "wrong"}] if 0 < wrong <= last else []),
        ]
        self.overlaps.clear()
        found = [r for r in self.remarks if r["kind"] == "overlap"]
        if found:
            with self.overlaps:
                view.overlaps(found, self._try)

    def _reveal(self, line: int) -> None:
        if line <= (self.editor.value or "").count("\n") + 1:
            self.editor.reveal_line(line)

    # -- calls ------------------------------------------------------------------------------------

    def _try(self, tool: str, arguments: str) -> None:
        """Put a call into the form, and decide it."""
        self._call_form(tool, arguments)
        background_tasks.create(self._decide(tool, arguments), name="decide a call")
        ui.run_javascript("document.getElementById('try').scrollIntoView({block: 'start'})")

    def _call_form(self, tool: str, arguments: str) -> None:
        self.form_of_call.clear()
        with self.form_of_call:
            view.call_form(tool, arguments, self._asked, FORM)

    async def _asked(self, event: Any) -> None:
        tool, arguments = (str(_field(event.args, k)) for k in ("tool", "arguments"))
        await self._decide(tool.strip()[:200], arguments[:MOST_BYTES])

    async def _decide(self, tool: str, arguments: str) -> None:
        with self.verdict:
            if not tool:
                self._said(lambda: tag("p", "A call needs the name of a tool.", cls="bad"))
                return
            request = Request(text=self.editor.value or "", tool=tool, arguments=arguments)
            async with aclosing(self.checker.ask(request)) as parts:
                async for part in parts:
                    if part["part"] == "verdict":
                        self._said(lambda part=part: view.verdict(tool, part))
                    elif part["part"] in ("error", "late"):
                        said = part["message"]
                        self._said(lambda said=said: tag("p", said, cls="bad said"))

    def _said(self, make: Callable[[], Tag]) -> None:
        self.verdict.clear()
        with self.verdict:
            make()


def _field(arguments: Any, name: str) -> Any:
    """A field of what a browser sent; "" where it sent something else."""
    value = arguments.get(name, "") if isinstance(arguments, dict) else ""
    return value if isinstance(value, str | int) else ""
