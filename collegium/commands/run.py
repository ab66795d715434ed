"""The command ``run``: one system on one task, with all that its agents say, and the bill."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from collegium.api import Run, arun, read_policy
from collegium.bench.diagnosis import Finding, diagnose
from collegium.bench.jobs import EVALUATOR, answer_text
from collegium.bench.summary import blocked_calls
from collegium.commands.diagnose import finding_data, print_findings
from collegium.commands.permission import typed_line
from collegium.commands.show import (
    clean,
    clock,
    console,
    dollars,
    pairs,
    print_indented,
    print_json,
    writable_file,
    writable_folder,
)
from collegium.commands.stream import Floor
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput
from collegium.guard import counted
from collegium.guard.update import Written
from collegium.kernel import Call, Event, Limits, Trace
from collegium.kernel.atomic import replace
from collegium.kernel.kernel import Driver
from collegium.kernel.store import default_path
from collegium.systems import parse_system
from collegium.tasks.task import AnswerKind, Item, Task
from collegium.tools.servers import tools_of


def run(
    system: str,
    task: str,
    *,
    world: str | None,
    split: str,
    model: str,
    roles: list[str],
    settings: list[str],
    answer: AnswerKind,
    choices: list[str],
    limits: Limits,
    seed: int | None,
    cache: bool,
    fast: bool,
    screens: bool,
    policy: Path | None,
    servers: list[str],
    sampling: bool,
    trace: Path | None,
    state: Path | None,
    out_dir: Path | None,
    as_json: bool,
) -> None:
    """Run a system on a task and print what comes of it.

    Files that the system made go to ``out_dir``, by default to a folder of the run's own beside
    the run store. The tools of ``servers`` are given to the agents.
    With ``state``, what agents remember and store stays in that folder, and what
    cannot be undone is asked for at the terminal first.

    Raises:
        CollegiumError: Something is wrong, or the model could not answer.
    """
    chosen, _ = parse_system(system)
    params = pairs(settings, "a parameter", "name=value")
    chosen.bind(params)
    models = pairs(roles, "a role's model", "ROLE=MODEL")
    asked = read_task(task, answer, choices) if world is None else read_world(world, split, task)
    rules = read_policy(policy)
    if trace is not None:
        writable_file(trace)
    for folder in filter(None, (state, out_dir)):
        writable_folder(folder)
    fetch_weights([model, *models.values()])
    out = console()
    floor = Floor(out)
    events: list[Event] = []

    def on_event(event: Event) -> None:
        events.append(event)
        if not as_json:
            floor.on_event(event)

    async def human(question: str) -> str:
        floor.close()
        out.print(Text(clean(question), style="bold"))
        out.print("> ", end="")
        return (await typed_line(sys.stdin.fileno())).rstrip("\n")

    async def work() -> Run:
        async with tools_of(servers, sampling=sampling) as tools:
            names = tuple(tool.spec.name for tool in tools)
            return await arun(
                system,
                with_tools(asked, names),
                model=model,
                roles=models,
                params=params,
                limits=limits,
                seed=seed,
                exact=False if fast else None,
                screens=screens,
                cache=cache,
                policy=rules,
                tools=tools,
                on_text=None if as_json else floor.on_text,
                on_event=on_event,
                drivers=lasting(state) if state else None,
                human=human if sys.stdin.isatty() and not as_json else None,
            )

    try:
        done = asyncio.run(work())
    finally:
        floor.close()
        if trace is not None and events:
            save(events, trace)
    made = write_files(done.result.files, out_dir or default_path().with_name("files") / done.id)
    unused(models, {n for e in events for n in (e.call.agent, getattr(e.call, "role", ""))})
    findings = diagnose(done.events, task=asked.task if isinstance(asked, Item) else asked)
    if as_json:
        print_json(data(done, seed, params, findings, made))
    else:
        print_answer(done, out)
        print_score(done, out)
        print_account(done, made, out)
        print_bill(done, out)
        print_findings(findings, out)


def lasting(folder: Path) -> dict[type[Call], Driver]:
    """Memory, files and privileges in a folder; asks at the terminal before what can't be undone.

    Raises:
        BadInput: The folder cannot be used.
    """
    from collegium.commands.permission import ask_at_terminal
    from collegium.kernel.access import Access
    from collegium.kernel.lasting import resources

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot make the folder {folder}: {error.strerror}.") from None
    access = Access(ask=ask_at_terminal, path=folder / "access.json")
    return resources(folder, access=access)


def write_files(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write what a system made into a folder.

    Names come from models too: one that would lead out of the folder is left out, with a warning.

    Raises:
        BadInput: The disk refuses.
    """
    written: list[Path] = []
    for name, text in files.items():
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name:
            warning = f"note: a file named {name!r} was not written: it is outside the folder."
            console(sys.stderr).print(Text(clean(warning), style="yellow"), soft_wrap=True)
            continue
        path = folder.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, text.encode("utf-8", "replace"))
        except OSError as error:
            raise BadInput(f"cannot write {path}: {error.strerror or error}.") from None
        written.append(path)
    return written


def read_task(text: str, answer: AnswerKind, choices: list[str]) -> Task:
    """The task as the command line names it: itself, ``-`` for standard input, ``@file``.

    Raises:
        BadInput: The file cannot be read, there is no text, or choices and answer do not fit.
    """
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise BadInput(f"cannot read the task {text[1:]}: {reason}.") from None
    if not text.strip():
        raise BadInput("the task is empty; write it in quotes, or - for standard input, or @file.")
    if answer == "choice" and not choices:
        raise BadInput("an answer by choice needs the choices: --choice TEXT, once for each.")
    if len(choices) == 1 or len(choices) > 26:
        raise BadInput(f"a task needs 2 to 26 choices, not {len(choices)}.")
    kind: AnswerKind = "choice" if choices else answer
    return Task(id="task", prompt=text.strip(), answer=kind, choices=tuple(choices))


def with_tools(asked: Task | Item, names: tuple[str, ...]) -> Task | Item:
    """The same task with further tools; those of a world come first."""
    if isinstance(asked, Task):
        return msgspec.structs.replace(asked, tools=(*asked.tools, *names))
    task = msgspec.structs.replace(asked.task, tools=(*asked.task.tools, *names))
    return msgspec.structs.replace(asked, task=task)


def read_world(world: str, split: str, task: str) -> Item:
    """The task of a world that the command line names.

    Raises:
        BadInput: There is no such world or task, or another task is given besides.
    """
    from collegium.tasks.text_worlds import world_item

    if task:
        raise BadInput("a world has its own task; leave TASK or --world out.")
    return world_item(world, split)


def save(events: list[Event], file: Path) -> None:
    """Write a trace, that of an interrupted run too."""
    made = Trace()
    made.events = events
    made.save(file)


def unused(roles: Mapping[str, str], seen: set[str]) -> None:
    """Tell of models that were chosen for a role nobody had."""
    for role in sorted(set(roles) - seen - {EVALUATOR}):
        names = ", ".join(sorted(seen - {""}))
        note = f"note: no agent had the role {role!r}; there were: {names}."
        console(sys.stderr).print(Text(note, style="yellow"), soft_wrap=True)


def data(
    done: Run,
    seed: int | None,
    params: Mapping[str, str],
    findings: Sequence[Finding],
    files: Sequence[Path],
) -> dict[str, Any]:
    """What ``--json`` prints of a run."""
    return {
        "answer": done.answer,
        **({"score": done.score} if done.score is not None else {}),
        "limited": done.limited,
        "usage": done.usage,
        "calls": done.calls,
        "seconds": done.seconds,
        "run": done.id,
        "model": done.model,
        "system": done.system,
        "parameters": params,
        "seed": seed,
        "findings": [finding_data(f) for f in findings],
        "notes": done.result.notes,
        "account": done.result.account,
        "files": [str(path) for path in files],
        "blocked": done.blocked,
        "policy_changes": done.policy_changes,
        "policy_written": done.policy_written,
    }


def print_account(done: Run, files: Sequence[Path], out: Console) -> None:
    """What the method has to show besides the answer."""
    if done.result.account:
        out.print()
        print_indented(clean(done.result.account), out)
    for path in files:
        out.print(Text(f"  wrote {path}", style="dim"), soft_wrap=True)
    if done.result.account or files:
        out.print()


def print_answer(done: Run, out: Console) -> None:
    """The answer."""
    out.print()
    text = clean(answer_text(done.result.answer))
    if not text:
        out.print(Text("No answer", style="bold yellow"), "(the system abstained)")
    elif "\n" in text:
        out.print(Text("Answer", style="bold green"))
        print_indented(text, out)
    else:
        out.print(Text.assemble(("Answer  ", "bold green"), (text, "bold")))


def print_score(done: Run, out: Console) -> None:
    """How the world it acted in was left."""
    if done.score is None:
        return
    said = "solved" if done.score.correct else "not solved"
    facts = ", ".join(f"{name} {value:g}" for name, value in done.score.facts.items())
    why = " · ".join(filter(None, (f"{done.score.value:.2f} of 1", done.score.reason, facts)))
    style = "bold green" if done.score.correct else "bold yellow"
    out.print(Text.assemble(("World   ", style), (said, style), f"  ({clean(why)})"))


def print_bill(done: Run, out: Console) -> None:
    """What it cost, and what ended it."""
    if done.limited:
        out.print(Text(f"Ended early: {done.limited}", style="yellow"))
    if stopped := blocked_calls(counted(done.blocked)):
        said = f"{stopped[0].upper()}{stopped[1:]}"
        out.print(Text(clean(said), style="yellow"), soft_wrap=True)
    if changes := len(done.policy_changes):
        said = f"The policy changed {changes} time{'s' * (changes != 1)} while it ran."
        out.print(Text(said, style="dim"))
    if done.policy_written is not None:
        print_written(done.policy_written, out)
    u = done.usage
    bill = [
        f"{done.calls:,} call{'s' * (done.calls != 1)}",
        f"{u.tokens:,} tokens ({u.prompt:,} prompt, {u.cached:,} cached, {u.completion:,} written)",
        clock(done.seconds),
        dollars(u.money),
        done.model,
        f"run {done.id}",
    ]
    out.print(Text(" · ".join(bill), style="dim"))


def print_written(written: Written, out: Console) -> None:
    """What a model wrote into the policy: where values come from, and what became of proposals."""
    from collegium.commands.guard_print import print_values

    if written.problem:
        out.print(Text(clean(f"No rules could be written: {written.problem}"), style="yellow"))
    print_values(written.values, out)
    for proposal in written.proposals:
        state = "installed" if proposal.installed else "not installed"
        said = f"After the result of {proposal.call} other rules were proposed: {state}"
        why = "" if proposal.installed else f", for {proposal.why}"
        style = "dim" if proposal.installed else "yellow"
        out.print(Text(clean(f"{said}{why}."), style=style), soft_wrap=True)
