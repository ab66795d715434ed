"""A request in words becomes storage calls (AIOS, the LLM action "operate file")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from collegium.errors import BadInput, Denied
from collegium.kernel.calls import Call, Unparsed
from collegium.kernel.resources import Delete, Find, ListFiles, Load, Rollback, Share, Store

if TYPE_CHECKING:
    from collegium.kernel.agent import Agent

Action = Literal["write", "read", "search", "list", "rollback", "delete", "share"]

GUIDE = """\
Turn the request into operations on the files you keep, in the order in which they must be done.
- write: put `text`, the whole content, into the file `path`
- read: get the text of the file `path`
- search: find files whose content fits the words in `text`
- list: name the files in the folder `path`; leave it empty for all files
- rollback: bring back what the file `path` held `steps` versions ago
- delete: remove the file `path` with all its versions
- share: let the members of the group `group` read your files
Paths are relative, like notes/today.md. Use as few operations as the request needs."""

SHOWN = 4000
"""Characters of a result that a summary is made from."""


class Operation(msgspec.Struct, frozen=True):
    """One storage operation as a model plans it.

    Attributes:
        action: What to do.
        path: The file, or the folder to list.
        text: The content to write, or the words to search for.
        steps: How many versions to go back.
        group: Whom to share with.
    """

    action: Action
    path: str = ""
    text: str = ""
    steps: int = 1
    group: str = ""


class Plan(msgspec.Struct, frozen=True):
    """The operations that a request asks for."""

    operations: list[Operation]


async def operate(agent: Agent, request: str) -> str:
    """Do with the agent's storage what a request says, and tell what came of it.

    One model call plans n operations; each is run through the kernel and put in a sentence by
    one model call; a last one sums up: n + 1 calls beside the plan. An operation that fails or is
    denied ends the plan, for those after it may rest on it: the ones not run are named in the
    summary.

    Args:
        agent: Whose files they are; its model plans and sums up.
        request: What to do, in words.

    Returns:
        The summary.

    Raises:
        BadInput: The model's plan cannot be read, or names an operation that does not exist.
        LimitReached: A limit of the run is used up.
        ModelError: The model could not answer.
    """
    plan = await agent.ask(f"{GUIDE}\n\nRequest: {request}", output=Plan, temperature=0.0)
    if not isinstance(plan.data, Plan):
        reason = plan.data.reason if isinstance(plan.data, Unparsed) else "no plan was given"
        known = ", ".join(Action.__args__)
        raise BadInput(
            f"agent {agent.name!r} made no plan of storage operations that can be read: "
            f"{reason}; the operations are {known}."
        )
    operations = plan.data.operations
    told: list[str] = []
    sources = [plan.call]
    for i, operation in enumerate(operations, 1):
        done, outcome = await _run(agent, operation)
        summary = await agent.ask(
            f"Request: {request}\n\nOperation {i} of {len(operations)}: {_words(operation)}\n"
            f"Outcome: {outcome[:SHOWN]}\n\n"
            "Say in one or two sentences what this operation did, with what it found.",
            temperature=0.0,
            sources=[plan.call],
        )
        told.append(f"{i}. {_words(operation)}: {summary.text.strip()}")
        sources.append(summary.call)
        if not done:
            told += [
                f"{j}. {_words(left)}: not run, because operation {i} failed"
                for j, left in enumerate(operations[i:], i + 1)
            ]
            break
    final = await agent.ask(
        f"Request: {request}\n\nWhat was done:\n" + ("\n".join(told) or "Nothing.") + "\n\n"
        "Answer the request for the user, from what was done alone. Say what was not done.",
        temperature=0.0,
        sources=sources,
    )
    return final.text.strip()


async def _run(agent: Agent, operation: Operation) -> tuple[bool, str]:
    """Run an operation: whether it was done, and its outcome in words."""
    try:
        result = await agent.kernel.call(_call(agent.name, operation))
    except (BadInput, Denied) as refused:
        return False, f"failed: {refused}"
    return True, _told(operation, result)


def _call(agent: str, operation: Operation) -> Call:
    """The kernel call that an operation is."""
    path, text = operation.path, operation.text
    match operation.action:
        case "write":
            return Store(agent=agent, path=path, text=text)
        case "read":
            return Load(agent=agent, path=path)
        case "search":
            return Find(agent=agent, query=text)
        case "list":
            return ListFiles(agent=agent, folder=path)
        case "rollback":
            return Rollback(agent=agent, path=path, steps=operation.steps)
        case "delete":
            return Delete(agent=agent, path=path)
        case "share":
            return Share(agent=agent, group=operation.group)


def _words(operation: Operation) -> str:
    """An operation in words."""
    match operation.action:
        case "search":
            return f"search for {operation.text!r}"
        case "list":
            return f"list {operation.path or 'all files'}"
        case "rollback":
            return f"rollback {operation.path} by {operation.steps}"
        case "share":
            return f"share with {operation.group}"
        case _:
            return f"{operation.action} {operation.path}"


def _told(operation: Operation, result: Any) -> str:
    """What an operation gave, in words."""
    match operation.action:
        case "write" | "rollback":
            return f"{operation.path} is now at version {result.number} ({result.size} bytes)"
        case "search":
            return "\n".join(f"{f.path}: {f.passage}" for f in result) or "nothing was found"
        case "list":
            return "\n".join(result) or "there are no files"
        case "delete":
            return "removed" if result else "there was no such file"
        case "share":
            return "shared"
        case _:
            return str(result)
