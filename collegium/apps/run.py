"""Running an app: its steps, one after the other, as calls of one agent of the kernel."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, Literal

import msgspec

from collegium.agents.context import POLICIES, Windowed, fit
from collegium.apps.checks import require, successors
from collegium.apps.manifest import END, REFERENCE, Manifest, Step, references
from collegium.apps.tools import app_tools, known_tools
from collegium.errors import BadInput, LimitReached
from collegium.kernel import Agent, Event, Kernel, Reply, Tool, Unparsed, gather

DRY_RUN_BYTES = 20_000_000
"""The largest folder that is copied for a dry run."""


class Entry(msgspec.Struct, frozen=True):
    """One result of a step that was done for each item of a list, and where that came from."""

    key: str
    value: Any


class AppResult(msgspec.Struct, frozen=True):
    """What a run of an app gave.

    Attributes:
        outputs: Its outputs, by name.
        values: What every step gave, by its name.
        path: The steps taken, in order.
    """

    outputs: dict[str, str]
    values: dict[str, Any]
    path: tuple[str, ...]


class DryRun(msgspec.Struct, frozen=True):
    """What an app would do: every call it would make, with invented replies of the model."""

    result: AppResult
    events: tuple[Event, ...]


async def run_app(manifest: Manifest, kernel: Kernel, inputs: Mapping[str, str]) -> AppResult:
    """Run an app.

    The kernel keeps it to its tools, its files and its limits: give it ``app_tools(manifest, ...)``
    and ``manifest.limits``.

    Args:
        manifest: The app; it is checked before anything is done.
        kernel: Where it runs. Its agent gets the app's name.
        inputs: Values of its inputs.

    Raises:
        BadInput: The manifest has a problem, or an input is missing or unknown.
        Denied: It tried to reach what it may not.
        LimitReached: Its budget, or the bound of a loop, is used up.
    """
    require(manifest, kernel.tools)
    values = _inputs(manifest, inputs)
    agent = kernel.agent(manifest.name, profile=manifest.role, tools=manifest.tools)
    run = _Run(manifest, agent, values)
    after = successors(manifest)
    steps = {s.id: s for s in manifest.steps}
    taken: list[str] = []
    now = manifest.steps[0].id
    while now != END:
        step = steps[now]
        if step.most is not None and taken.count(now) >= step.most:
            raise LimitReached(f"step {now!r} of {manifest.id} may be taken {step.most} times.")
        taken.append(now)
        if step.do == "branch":
            now = after[now][0 if run.holds(step) else 1]
        else:
            values[now] = await run.do(step)
            now = after[now][0]
    outputs = {name: run.text(template) for name, template in manifest.outputs.items()}
    result = AppResult(outputs, {s: run.plain(values[s]) for s in values}, tuple(taken))
    kernel.keep(result)
    return result


def _inputs(manifest: Manifest, given: Mapping[str, str]) -> dict[str, Any]:
    """The inputs of a run.

    Raises:
        BadInput: One is missing, or there is no such input.
    """
    unknown = sorted(given.keys() - manifest.inputs.keys())
    known = ", ".join(manifest.inputs) or "it has none"
    if unknown:
        raise BadInput(f"{manifest.id} has no input {unknown[0]!r}; its inputs: {known}.")
    values: dict[str, Any] = {}
    for name, wanted in manifest.inputs.items():
        value = given.get(name, wanted.default)
        if value is None:
            raise BadInput(f"{manifest.id} needs the input {name!r}: {wanted.about or 'a text'}.")
        values[name] = value
    return values


class _Run:
    """One run: the agent, and what the steps have given so far."""

    def __init__(self, manifest: Manifest, agent: Agent, values: dict[str, Any]) -> None:
        self.manifest, self.agent, self.values = manifest, agent, values
        self.calls: dict[str, list[int]] = {}
        memory = manifest.memory
        self.window: Windowed | None = (
            fit(agent, memory.window, POLICIES[memory.selection]) if memory.window else None
        )

    async def do(self, step: Step) -> Any:
        """Do a step; the result of one with ``each`` is a list of entries."""
        self.calls[step.id] = []
        if not step.each:
            value = await self.once(step, {})
            return self.kept(step, {}, value)
        entries = self.entries(step)
        places = [{"item": e.value, "key": e.key} for e in entries]
        if step.do == "ask" and self.window is None:
            found = await gather(*(self.once(step, place) for place in places))
        else:  # a conversation and a tool have an order
            found = [await self.once(step, place) for place in places]
        pairs = zip(places, found, strict=True)
        return [Entry(place["key"], self.kept(step, place, value)) for place, value in pairs]

    async def once(self, step: Step, place: Mapping[str, Any]) -> Any:
        """Do a step for one item."""
        match step.do:
            case "ask":
                return await self.ask(step, place)
            case "use":
                arguments = {
                    name: self.argument(step.tool, name, given, place)
                    for name, given in step.arguments.items()
                }
                return await self.agent.use(step.tool, **arguments)
            case "remember":
                return await self.agent.remember(self.text(step.text, place))
            case _:
                notes = await self.agent.recall(self.text(step.text, place), k=step.items)
                return [note.text for note in notes]

    async def ask(self, step: Step, place: Mapping[str, Any]) -> str:
        """Put a question to the model."""
        wanted: Any = Literal[step.choices] if step.choices else str
        sources = [c for name in references(step.text) for c in self.calls.get(name, ())]
        asked: Any = self.window or self.agent
        reply: Reply[Any] = await asked.ask(
            self.text(step.text, place),
            output=wanted,
            temperature=0.0,
            max_tokens=step.max_tokens,
            sources=sources,
        )
        self.calls[step.id].append(reply.call)
        return "" if isinstance(reply.data, Unparsed) else str(reply.data)

    def holds(self, step: Step) -> bool:
        """Whether the test of a branch holds."""
        text, of = self.text(step.text).strip().casefold(), step.of.casefold()
        return {"contains": of in text, "equals": text == of, "empty": not text}[step.test]

    def entries(self, step: Step) -> list[Entry]:
        """The items a step is done for."""
        value = self.values[step.each]
        if isinstance(value, str):
            value = [line for line in value.splitlines() if line.strip()]
        if not isinstance(value, list):
            raise BadInput(f"step {step.id!r} needs a list, and {step.each!r} gave none.")
        if len(value) > step.items:
            raise LimitReached(f"step {step.id!r} takes {step.items} items, not {len(value)}.")
        return [v if isinstance(v, Entry) else Entry(as_text(v), v) for v in value]

    def kept(self, step: Step, place: Mapping[str, Any], value: Any) -> Any:
        """What is kept of a result: the value itself, or a text made of it."""
        if step.keep == "{value}":
            return value
        return self.text(step.keep, {**place, "value": value})

    def argument(self, tool: str, name: str, given: Any, place: Mapping[str, Any]) -> Any:
        """An argument of a tool: a list stays one where the tool takes a list."""
        if not isinstance(given, str):
            return given
        alone = REFERENCE.fullmatch(given)
        parameters = self.agent.kernel.tools[tool].spec.parameters.get("properties", {})
        if alone and parameters.get(name, {}).get("type") == "array":
            return self.plain({**self.values, **place}[alone[1]])
        return self.text(given, place)

    def text(self, template: str, place: Mapping[str, Any] = {}) -> str:
        """A template as text; lists go on lines of their own, what did not happen is empty."""
        known = {**self.values, **place}
        return REFERENCE.sub(lambda m: as_text(self.plain(known.get(m[1], ""))), template)

    @staticmethod
    def plain(value: Any) -> Any:
        """A value without its keys."""
        if isinstance(value, list):
            return [v.value if isinstance(v, Entry) else v for v in value]
        return value


def as_text(value: Any) -> str:
    """A value in a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(map(as_text, value))
    return msgspec.json.encode(value).decode()


async def dry_run(
    manifest: Manifest,
    inputs: Mapping[str, str],
    root: Path,
    installed: Mapping[str, Tool] | None = None,
) -> DryRun:
    """Run an app with a scripted model on a copy of its folders: nothing outside the copy changes.

    Args:
        manifest: The app.
        inputs: Values of its inputs.
        root: The folder it would be run in.
        installed: Tools of packages, by ``author/name``.

    Raises:
        BadInput: The manifest has a problem, or its folders are too large to copy.
    """
    from collegium.models.scripted import ScriptedModel

    require(manifest, known_tools(installed))
    app_tools(manifest, root, installed)  # refuses folders that lead outside by a link
    numbers = count(1)

    def script(request: Any) -> str:
        fields = (request.schema or {}).get("properties", {})
        if "answer" in fields:
            choice = fields["answer"].get("enum", [""])[0]
            return msgspec.json.encode({"answer": choice}).decode()
        return f"(reply {next(numbers)} of the model)"

    with tempfile.TemporaryDirectory(prefix="collegium-dry-run-") as name:
        copy = Path(name)
        copied(manifest, root, copy)
        tools = app_tools(manifest, copy, installed)
        kernel = Kernel(ScriptedModel(script), tools=tools, limits=manifest.limits, seed=0)
        result = await run_app(manifest, kernel, inputs)
        return DryRun(result, tuple(kernel.trace.events))


def copied(manifest: Manifest, root: Path, to: Path) -> None:
    """Copy the folders an app may reach.

    Raises:
        BadInput: They are too large.
    """
    left = DRY_RUN_BYTES
    folders = (*manifest.permissions.read, *manifest.permissions.write)
    for folder in folders:
        (to / folder).mkdir(parents=True, exist_ok=True)
        for file in sorted((root / folder).rglob("*")):
            if file.is_symlink() or not file.is_file():
                continue
            left -= file.stat().st_size
            if left < 0:
                raise BadInput(
                    f"the app's folders hold more than {DRY_RUN_BYTES:,} bytes, the most that a "
                    "dry run copies; run it in a smaller folder."
                )
            goal = to / file.relative_to(root)
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, goal)
