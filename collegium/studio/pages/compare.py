"""Compare: choose systems, questions and budget, and begin."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import Any

from nicegui import ui
from nicegui.events import UploadEventArguments

from collegium.errors import BadInput, CollegiumError
from collegium.kernel.history import Filters, Listed, find
from collegium.studio.comparing import Comparisons, Wanted
from collegium.studio.frame import frame, tell, untell
from collegium.studio.layout import quoted, status_chip, when, with_style
from collegium.studio.pages import comparison
from collegium.studio.safe import Tag, shown, tag
from collegium.studio.state import Studio
from collegium.studio.traces import opened
from collegium.studio.uploads import MOST_BYTES
from collegium.systems import parse_system, systems
from collegium.tasks import BenchmarkInfo, benchmarks

VALUE = "(event) => emit(event.target.value)"
CHECKED = "(event) => emit(event.target.checked)"

SEND = """async (event) => {
  const field = event.target, file = field.files[0], line = document.getElementById("upload-said");
  if (!file) return;
  const say = (text, bad) => {
    line.textContent = text;
    line.classList.toggle("bad", Boolean(bad));
  };
  if (file.size > MOST) {
    say("This file is too large: " + file.size.toLocaleString("en") + " bytes of at most "
      + (MOST).toLocaleString("en") + ".", true);
    field.value = "";
    return;
  }
  say("sending …");
  const form = new FormData();
  form.append("file", file, file.name);
  try {
    const reply = await fetch("WHERE", { method: "POST", body: form });
    if (!reply.ok) say("The file was not taken: " + (await reply.text()).slice(0, 200), true);
  } catch {
    say("The file could not be sent; the studio does not answer.", true);
  }
  field.value = "";
}"""
"""Sends a chosen file; the answer of the server is shown as text."""

FIRST = ("direct", "cot")
RECENT = 12
MOST_SYSTEMS = 12


def register(studio: Studio) -> None:
    """Declare the pages."""
    made = Comparisons(studio)
    comparison.register(studio, made)

    @ui.page("/compare")
    async def compare(
        systems: str = "", on: str = "", limit: str = "", split: str = "", budget: str = ""
    ) -> None:
        with_style()
        recent = await asyncio.to_thread(_recent, studio)
        names = [s for s in _split(systems) if s][:MOST_SYSTEMS] or list(FIRST)
        begin = {"on": on, "limit": limit, "split": split, "budget": budget}
        with frame("Compare", active="compare"):
            tag("h1", "Compare systems")
            tag(
                "p",
                "The same model, the same questions, the same budget. What comes out says how sure "
                "it is, what it cost, and where the systems differ.",
                cls="lead",
            )
            form = Form(studio, made, names, {k: v for k, v in begin.items() if v})
            form.show()
            _history(recent)
        # Looking for the data of every benchmark takes seconds the first time.
        ui.timer(0.05, form.list_benchmarks, once=True)


@cache
def known_benchmarks() -> tuple[BenchmarkInfo, ...]:
    """The benchmarks there are; looking takes a moment, and they do not change meanwhile."""
    return tuple(benchmarks())


def _split(systems: str) -> list[str]:
    """The systems of an address: separated by commas, where no parameter follows one."""
    found: list[str] = []
    for part in re.split(r",(?![^\[]*\])", systems[:2_000]):  # not within a list
        # "mad:agents=4,rounds=2" is one system: a parameter has an equals sign and no colon before.
        head = part.partition("=")[0]
        if found and "=" in part and ":" not in head:
            found[-1] += f",{part}"
        else:
            found.append(part.strip())
    return found


def _recent(studio: Studio) -> tuple[Listed, ...]:
    with opened(studio.store_path) as store:
        return find(store, Filters(kind="compare"), count=RECENT).runs


class Form:
    """The form of a comparison: what stands in its fields, and what is said of them.

    Args:
        studio: What the pages share.
        made: Where comparisons are begun.
        names: The systems it begins with.
        begin: What other fields begin with.
    """

    def __init__(
        self,
        studio: Studio,
        made: Comparisons,
        names: list[str],
        begin: dict[str, str],
    ) -> None:
        self._studio, self._made = studio, made
        self._listed: tuple[BenchmarkInfo, ...] = ()
        self._systems: dict[int, str] = dict(enumerate(names))
        most = studio.limits.tokens
        self._fields: dict[str, str] = {
            "on": "gsm-symbolic",
            "split": "test",
            "limit": "20",
            "seed": "0",
            "model": studio.model,
            "budget": "" if most is None else str(most),
            "workers": "1",
            **begin,
        }
        self._checked = {"curve": False, "fast": False}
        self._rows: Tag | None = None
        self._busy = False

    def show(self) -> None:
        """Make the fields."""
        with tag("datalist", id="system-names"):
            for name in sorted(systems()):
                tag("option", value=name)
        self._names = tag("datalist", id="benchmark-names")
        with tag("section", cls="card section form"):
            with tag("div", cls="all systems-field"):
                tag("h2", "Systems")
                self._rows = tag("div", cls="systems-field")
                with self._rows:
                    for number in list(self._systems):
                        self._system(number)
                with tag("div"):
                    tag("button", "+ Another system", type="button", cls="quiet").on(
                        "click", self._another
                    )
            self._questions()
            self._text("model", "Model", cls="half")
            self._text("budget", "Tokens per question", placeholder="no limit", inputmode="numeric")
            self._text("workers", "Questions at the same time", inputmode="numeric")
            self._text("seed", "Seed", inputmode="numeric")
            with tag("div", cls="all row-of"):
                self._check("curve", "Rank even though spends differ")
                self._check("fast", "Batched requests: faster, not bit-identical")
            with tag("div", cls="all row-of"):
                self._go = tag("button", "Compare", type="button", cls="primary")
                self._go.on("click", self._start)
                self._said = tag("span", cls="dim", role="status")

    async def list_benchmarks(self) -> None:
        """Fill in the names of the benchmarks, and say what is known of the one that is chosen."""
        self._listed = await asyncio.to_thread(known_benchmarks)
        self._names.clear()
        with self._names:
            for name in (*self._made.uploads.names(), *(info.name for info in self._listed)):
                tag("option", value=name)
        self._tell_about()

    # -- systems ----------------------------------------------------------------------------

    def _system(self, number: int) -> None:
        spec = self._systems[number]
        with tag("div", cls="system-row") as row:
            field = tag(
                "input", cls="text mono", type="text", value=spec, list="system-names",
                aria_label=f"System {number + 1}", placeholder="such as mad:agents=4,rounds=2",
                autocomplete="off", spellcheck="false", maxlength=500,
            )  # fmt: skip
            remove = tag("button", "✕", type="button", cls="plain", aria_label="Leave this one out")
            hint = tag("div", cls="hint")
        self._explain(spec, hint)

        def changed(event: Any) -> None:
            self._systems[number] = str(event.args)[:500]
            self._explain(self._systems[number], hint)

        def gone() -> None:
            del self._systems[number]
            row.delete()

        field.on("input", changed, js_handler=VALUE, throttle=0.2)
        remove.on("click", gone)

    def _another(self) -> None:
        if len(self._systems) >= MOST_SYSTEMS or self._rows is None:
            return
        number = max(self._systems, default=-1) + 1
        self._systems[number] = ""
        with self._rows:
            self._system(number)

    def _explain(self, spec: str, hint: Tag) -> None:
        """Say what a system's parameters are, or what is wrong with how it is written."""
        text, wrong = _explained(spec)
        hint.text = shown(text, 600)
        hint.classes(add="bad" if wrong else "", remove="" if wrong else "bad")

    # -- questions --------------------------------------------------------------------------

    def _questions(self) -> None:
        with tag("div", cls="half field"):
            tag("label", "Benchmark", for_="benchmark")
            field = tag(
                "input", cls="text", id="benchmark", list="benchmark-names", autocomplete="off",
                value=self._fields["on"], maxlength=200, spellcheck="false",
            )  # fmt: skip
            self._about = tag("div", cls="hint", role="status")
        field.on("input", self._other_benchmark, js_handler=VALUE, throttle=0.2)
        self._tell_about()
        with tag("div", cls="half field"):
            tag("label", "or questions of your own (.jsonl, .csv)", for_="upload")
            taker = ui.upload(on_upload=self._uploaded, max_files=1).classes("hidden-upload")
            taker.style("display: none")
            send = SEND.replace("MOST", str(MOST_BYTES)).replace("WHERE", str(taker.props["url"]))
            tag("input", type="file", id="upload", accept=".jsonl,.csv").on(
                "change", js_handler=send
            )
            tag(
                "div", "Columns: question and answer; optional choices, tests, kind, split.",
                cls="hint", id="upload-said", role="status",
            )  # fmt: skip
        with tag("label", "Split", cls="field"), tag("select", cls="text") as split:
            for name in ("test", "validation", "train", "all"):
                tag("option", name, value=name, selected=name == self._fields["split"] or None)
        split.on("input", lambda event: self._put("split", event), js_handler=VALUE)
        self._text("limit", "Questions", placeholder="all", inputmode="numeric")

    def _other_benchmark(self, event: Any) -> None:
        self._put("on", event)
        self._tell_about()

    def _tell_about(self) -> None:
        name = self._fields["on"]
        text, wrong = "A name of the list, or a part of one, such as mmlu:anatomy.", False
        if self._made.uploads.path(name) is not None:
            text = "The uploaded file."
        info = next((i for i in self._listed if i.name == name), None)
        if info is not None:
            text = f"{info.description}. Splits: {', '.join(info.splits)}."
            if info.missing:
                text, wrong = f"{text} It needs: {info.missing}.", True
        self._about.text = shown(text, 400)
        self._about.classes(add="bad" if wrong else "", remove="" if wrong else "bad")

    async def _uploaded(self, event: UploadEventArguments) -> None:
        try:
            content = await event.file.read()
            name, questions = await asyncio.to_thread(
                self._made.uploads.keep, event.file.name, content
            )
        except CollegiumError as error:
            self._say_of_upload(str(error), wrong=True)
            return
        except Exception as error:
            tell(error)
            return
        self._fields["on"] = name
        ui.run_javascript(f'document.getElementById("benchmark").value = {quoted(name)}')
        self._say_of_upload(f"{name}: {questions:,} question{'s' * (questions != 1)}.")
        self._tell_about()

    def _say_of_upload(self, text: str, *, wrong: bool = False) -> None:
        # The page's own script writes into this line too, so it is written by script here as well.
        said = quoted(" ".join(shown(text, 600).split()))
        ui.run_javascript(
            'const line = document.getElementById("upload-said");'
            f"line.textContent = {said}; line.classList.toggle('bad', {str(wrong).lower()});"
        )

    # -- the rest ---------------------------------------------------------------------------

    def _text(self, name: str, label: str, *, cls: str = "", **attributes: Any) -> None:
        with tag("label", label, cls=f"field {cls}"):
            field = tag(
                "input",
                cls="text",
                type="text",
                value=self._fields[name],
                maxlength=200,
                **attributes,
            )
        field.on("input", lambda event: self._put(name, event), js_handler=VALUE)

    def _check(self, name: str, label: str) -> None:
        with tag("label", cls="check"):
            field = tag("input", type="checkbox")
            tag("span", label)

        def put(event: Any) -> None:
            self._checked[name] = event.args is True

        field.on("change", put, js_handler=CHECKED)

    def _put(self, name: str, event: Any) -> None:
        self._fields[name] = str(event.args)[:200]

    def wanted(self) -> Wanted:
        """What the fields ask for.

        Raises:
            BadInput: A number is none.
        """
        fields = self._fields
        return Wanted(
            systems=tuple(s.strip() for s in self._systems.values() if s.strip()),
            on=fields["on"].strip(),
            model=fields["model"].strip(),
            split=fields["split"].strip() or "test",
            limit=number(fields["limit"], "questions"),
            seed=number(fields["seed"], "the seed") or 0,
            budget=number(fields["budget"], "tokens per question"),
            workers=number(fields["workers"], "questions at the same time") or 1,
            curve=self._checked["curve"],
            fast=self._checked["fast"],
        )

    async def _start(self) -> None:
        if self._busy:
            return
        self._busy = True
        self._go.props["disabled"] = True
        self._said.text = "looking at the questions …"
        untell()
        try:
            planned = await asyncio.to_thread(self._made.plan, self.wanted())
            self._said.text = "beginning …"
            wanted = self.wanted()
            begun = await self._made.start(planned, workers=wanted.workers, curve=wanted.curve)
        except (CollegiumError, asyncio.CancelledError) as error:
            tell(error if isinstance(error, CollegiumError) else "It was stopped.")
        except Exception as error:
            tell(error)
        else:
            ui.navigate.to(f"/compare/{begun.run}")
        finally:
            self._busy = False
            self._said.text = ""
            self._go.props.pop("disabled", None)
            self._go.update()


def _explained(spec: str) -> tuple[str, bool]:
    """A system's parameters as it is written, or what is wrong with that."""
    if not spec.strip():
        return "", False
    try:
        chosen, values = parse_system(spec.strip())
    except BadInput as error:
        return str(error), True
    except Exception:
        return "This cannot be read.", True
    told = ", ".join(f"{name}={value}" for name, value in values.items())
    return (f"{chosen.name}: {told}" if told else f"{chosen.name} has no parameters"), False


def number(text: str, what: str) -> int | None:
    """A whole number as people write it; None for nothing.

    Raises:
        BadInput: It is none.
    """
    plain = text.strip().replace(",", "").replace("_", "")
    if not plain:
        return None
    if not (plain.isascii() and plain.isdecimal() and len(plain) < 16):
        raise BadInput(f"{what}: a whole number is needed, not {text[:40]!r}.")
    return int(plain)


def _history(recent: tuple[Listed, ...]) -> None:
    with tag("section", cls="section"):
        tag("h2", "Comparisons so far")
        if not recent:
            tag("p", "None yet.", cls="dim")
            return
        with tag("div", cls="wide", tabindex="0"), tag("table", cls="plain runs"), tag("tbody"):
            for one in recent:
                spec = one.run.spec
                with tag("tr", data_row=""):
                    with tag("td", cls="what"):
                        names = ", ".join(str(named[0]) for named in spec.get("systems", ()))
                        tag("a", shown(names, 160), href=f"/compare/{one.run.id}")
                        about = f"{spec.get('benchmark', '')} · {spec.get('model', '')}"
                        tag("div", shown(about, 120), cls="dim small")
                    with tag("td"):
                        status_chip(one.run.status)
                    tokens = f"{one.totals.usage.tokens:,} tokens" if one.totals else ""
                    tag("td", tokens, cls="num less")
                    tag("td", when(one.run.created), cls="when dim less")
