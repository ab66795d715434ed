"""The checks a manifest has to pass before it may run: all that can be told without running it."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec

from collegium.apps.manifest import END, NAME, RESERVED, WORD, Manifest, Step, references
from collegium.apps.version import SemanticVersion
from collegium.errors import BadInput
from collegium.kernel import Tool
from collegium.tools.files import FILE_NEEDS, FOLDER_ARGUMENT, inside


class Problem(msgspec.Struct, frozen=True):
    """Why a manifest may not run.

    Attributes:
        where: The part of it.
        what: A sentence that says what is wrong and what would be right.
        missing: Name of the tool that is not there, "" when it is something else.
    """

    where: str
    what: str
    missing: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def successors(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """Where each step may go: other steps, or "end"."""
    below = [*(s.id for s in manifest.steps[1:]), END]
    return {
        step.id: (step.then or after, step.otherwise or after)
        if step.do == "branch"
        else (step.next or after,)
        for step, after in zip(manifest.steps, below, strict=True)
    }


def check(manifest: Manifest, tools: Mapping[str, Tool]) -> tuple[Problem, ...]:
    """Check everything about a manifest that can be told before it runs.

    Args:
        manifest: The app.
        tools: The tools there are, by name.

    Returns:
        What is wrong, in the order of the file; empty when it may run.
    """
    found = [*_head(manifest), *_tools(manifest, tools), *_names(manifest)]
    if found_twice := _twice([s.id for s in manifest.steps]):
        return (*found, Problem("steps", f"two steps are called {found_twice!r}."))
    if manifest.steps:
        found += _flow(manifest)
        for step in manifest.steps:
            found += _step(manifest, step, tools)
    found += [
        Problem(f"output {name}", f"{{{r}}} is neither an input nor a step.")
        for name, text in manifest.outputs.items()
        for r in references(text)
        if r not in manifest.inputs and r not in {s.id for s in manifest.steps}
    ]
    return tuple(found)


def require(manifest: Manifest, tools: Mapping[str, Tool]) -> None:
    """Make sure that a manifest passes every check.

    Raises:
        BadInput: It does not; all problems are named.
    """
    problems = check(manifest, tools)
    if problems:
        listed = " ".join(f"({i}) {p}" for i, p in enumerate(problems, 1))
        raise BadInput(f"the app {manifest.id} cannot run: {listed}")


def _head(manifest: Manifest) -> list[Problem]:
    found = [
        Problem(what, f"{value!r} must be lower-case letters, digits and hyphens.")
        for what, value in (("name", manifest.name), ("author", manifest.author))
        if not NAME.fullmatch(value)
    ]
    try:
        SemanticVersion.parse(manifest.version)
    except BadInput as error:
        found.append(Problem("version", str(error)))
    if not manifest.role.strip() or "\n\n" in manifest.role.strip():
        found.append(Problem("role", "must be one paragraph that says what the app is for."))
    if not manifest.steps:
        found.append(Problem("steps", "there is none; an app needs at least one."))
    try:
        _ = manifest.limits
    except BadInput as error:
        found.append(Problem("budget", str(error)))
    folders = (*manifest.permissions.read, *manifest.permissions.write)
    found += [
        Problem("permissions", f"the folder {f!r} must be relative and lie below the app's own.")
        for f in folders
        if not inside("", f)
    ]
    return found


def _tools(manifest: Manifest, tools: Mapping[str, Tool]) -> list[Problem]:
    found = []
    used = {s.tool for s in manifest.steps if s.do == "use"}
    for name in manifest.tools:
        if name not in tools:
            what = f"there is no tool {name!r}"
            if "/" in name:
                what += f"; it is not installed, install it with: collegium app install {name}"
            else:
                what += f"; there are: {', '.join(sorted(tools))}"
            found.append(Problem("tools", f"{what}.", missing=name))
        if name not in manifest.permissions.tools:
            found.append(
                Problem("permissions", f"the tool {name!r} is not among the permitted tools.")
            )
        if name not in used:
            found.append(Problem("tools", f"no step uses {name!r}; leave it out."))
        need = FILE_NEEDS.get(name)
        folders = manifest.permissions.write + (manifest.permissions.read if need == "read" else ())
        if need and not folders:
            found.append(Problem("permissions", f"{name!r} needs a folder that it may {need}."))
    return found


def _names(manifest: Manifest) -> list[Problem]:
    ids = [s.id for s in manifest.steps]
    given = [*ids, *manifest.inputs, *manifest.outputs]
    found = [
        Problem("names", f"{name!r} must be lower-case letters, digits and underscores.")
        for name in given
        if not WORD.fullmatch(name)
    ]
    found += [
        Problem("names", f"{name!r} has a meaning of its own; choose another name.")
        for name in (*ids, *manifest.inputs)
        if name in RESERVED
    ]
    found += [
        Problem("names", f"{name!r} is both an input and a step.")
        for name in manifest.inputs
        if name in ids
    ]
    return found


def _flow(manifest: Manifest) -> list[Problem]:
    """Steps that lead nowhere, that nothing leads to, and loops that need not end."""
    after = successors(manifest)
    found = [
        Problem(f"step {id_}", f"goes on with {goal!r}, which is no step.")
        for id_, goals in after.items()
        for goal in dict.fromkeys(goals)
        if goal != END and goal not in after
    ]
    reached = _reachable(manifest.steps[0].id, after) | {manifest.steps[0].id}
    found += [
        Problem(f"step {s.id}", "is never reached; lead to it or leave it out.")
        for s in manifest.steps
        if s.id not in reached
    ]
    unbound = {s.id for s in manifest.steps if s.most is None}
    try:
        graph = {i: [g for g in goals if g in unbound] for i, goals in after.items()}
        TopologicalSorter({i: g for i, g in graph.items() if i in unbound}).prepare()
    except CycleError as error:
        loop = " -> ".join(reversed(error.args[1]))
        found.append(Problem("steps", f"the loop {loop} has no bound; give a step of it `most`."))
    return found


def _reachable(start: str, after: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Steps that come after one, itself too where it lies in a loop."""
    reached: set[str] = set()
    waiting = list(after.get(start, ()))
    while waiting:
        step = waiting.pop()
        if step not in reached and step in after:
            reached.add(step)
            waiting += after[step]
    return reached


def _step(manifest: Manifest, step: Step, tools: Mapping[str, Tool]) -> list[Problem]:
    where = f"step {step.id}"
    found = []
    if step.do == "use":
        found += _use(manifest, step, tools)
    elif not step.text.strip():
        wanted = {"ask": "ask", "remember": "remember", "recall": "look for", "branch": "test"}
        found.append(Problem(where, f"`text` must say what to {wanted[step.do]}."))
    if step.do in ("remember", "recall") and manifest.memory.keeps == "none":
        found.append(Problem(where, 'needs a memory; set `keeps` to "run" or "lasting".'))
    if step.do == "branch" and not (step.then or step.otherwise):
        found.append(Problem(where, "a branch needs `then` or `otherwise`."))
    if step.do == "branch" and step.each:
        found.append(Problem(where, "a branch is taken once; it cannot have `each`."))
    for name, least in (
        ("most", step.most),
        ("items", step.items),
        ("max_tokens", step.max_tokens),
    ):
        if least is not None and least < 1:
            found.append(Problem(where, f"`{name}` must be 1 or more, not {least}."))
    texts = [step.text, *step.arguments.values()]
    wanted_names = {r for t in texts for r in references(t)} - RESERVED
    wanted_names |= {step.each} if step.each else set()
    after = successors(manifest)
    for name in sorted(wanted_names - manifest.inputs.keys()):
        if name not in after:
            found.append(Problem(where, f"{{{name}}} is neither an input nor a step."))
        elif step.id not in _reachable(name, after):
            found.append(Problem(where, f"needs what {name!r} gives, which never comes before it."))
    if not step.each and {"item", "key"} & {r for t in texts for r in references(t)}:
        found.append(Problem(where, "{item} has a meaning only together with `each`."))
    return found


def _use(manifest: Manifest, step: Step, tools: Mapping[str, Tool]) -> list[Problem]:
    where = f"step {step.id}"
    if step.tool not in manifest.tools:
        said = f"uses the tool {step.tool!r}, which the app does not name under `tools`."
        return [Problem(where, said, missing="" if step.tool in tools else step.tool)]
    if step.tool not in tools:
        return []  # said already, of the list of tools
    schema: dict[str, Any] = tools[step.tool].spec.parameters
    known, needed = schema.get("properties", {}), schema.get("required", ())
    found = [
        Problem(where, f"{step.tool!r} has no argument {a!r}; it has: {', '.join(known)}.")
        for a in step.arguments
        if a not in known
    ]
    found += [
        Problem(where, f"{step.tool!r} needs the argument {a!r}.")
        for a in needed
        if a not in step.arguments
    ]
    need = FILE_NEEDS.get(step.tool)
    if need:
        place = step.arguments.get(FOLDER_ARGUMENT[step.tool], ".")
        folders = manifest.permissions.write
        folders += manifest.permissions.read if need == "read" else ()
        text = str(place)
        if not references(text) and folders and not any(inside(f, text) for f in folders):
            listed = ", ".join(map(repr, folders))
            found.append(Problem(where, f"may not {need} {text!r}; it may {need}: {listed}."))
    return found


def _twice(names: list[str]) -> str:
    return next((n for i, n in enumerate(names) if n in names[:i]), "")
