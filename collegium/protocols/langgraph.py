"""Systems as nodes of LangGraph: ``graph.add_node("debate", node("mad", read="question"))``.

A node reads the task from one key of the state and writes the answer to another. While it works,
what its agents write is in the graph's stream (``stream_mode="custom"``); a graph that is cancelled
cancels the run; every run has its trace in the run store as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from collegium.api import Run, arun, wait
from collegium.bench.jobs import answer_text
from collegium.errors import BadInput, missing_extra
from collegium.kernel import Limits, RunStore
from collegium.systems import parse_system
from collegium.tasks.task import AnswerKind, Task

try:
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.runnables import RunnableLambda
    from langgraph.config import get_stream_writer
except ImportError:
    raise missing_extra("frameworks", "a node of LangGraph") from None

Writer = Callable[[Any], None]


def node(
    system: str,
    *,
    read: str = "task",
    write: str = "answer",
    account: str = "",
    model: str = "local",
    roles: Mapping[str, str] | None = None,
    answer: AnswerKind = "text",
    limits: Limits = Limits(),
    seed: int | None = None,
    policy: Path | str | None = None,
    store: RunStore | Path | None = None,
    **parameters: Any,
) -> RunnableLambda[Any, dict[str, Any]]:
    """A system as a node.

    Args:
        system: Name, with parameters if wished: "mad:rounds=3".
        read: Key of the state that holds the task: a text, or messages of LangChain's, of which
            the last is the task, earlier ones what was said before, and system messages rules.
        write: Key that gets the answer. Where the state's ``read`` and ``write`` are the same list
            of messages, a message of the assistant's is added to it.
        account: Key that gets the run's id, calls, tokens, and what cut it short; "" for none.
        model: The default model.
        roles: Models of particular agents or roles.
        answer: Kind of answer wanted.
        limits: What one run may spend.
        seed: Makes every run repeatable.
        policy: A policy file: what the agents may do.
        store: The run store or its path; None: the user's own.
        parameters: Of the system.

    Returns:
        The node, to be called with a state or put into a graph; it returns what it changes.

    Raises:
        BadInput: The system or a parameter is unknown.
    """
    chosen, _ = parse_system(system)
    chosen.bind(parameters)

    async def work(state: Any, writer: Writer | None) -> dict[str, Any]:
        given = _at(state, read)
        task = _task(given, read, answer)

        def written(agent: str, sample: int, text: str) -> None:
            if writer is not None:
                writer({"system": chosen.name, "agent": agent, "sample": sample, "text": text})

        run = await arun(
            system,
            task,
            model=model,
            roles=roles,
            params=parameters,
            limits=limits,
            seed=seed,
            policy=policy,
            store=store,
            on_text=written,
            origin={"protocol": "langgraph"},
        )
        said: Any = answer_text(run.answer)
        if _messages(given) and read == write:
            said = [AIMessage(content=said, name=chosen.name)]
        return {write: said, **({account: _account(run)} if account else {})}

    async def alone(state: Any) -> dict[str, Any]:
        return await work(state, _writer())

    def waited(state: Any) -> dict[str, Any]:
        return wait(work(state, _writer()))

    return RunnableLambda(waited, alone, name=chosen.name)


def _writer() -> Writer | None:
    """The stream of the graph at hand; None outside of one."""
    try:
        return get_stream_writer()
    except (RuntimeError, KeyError):
        return None


def _at(state: Any, key: str) -> Any:
    """What a state has under a key; states are mappings, or objects with attributes."""
    found = state.get(key) if isinstance(state, Mapping) else getattr(state, key, None)
    if not found:
        raise BadInput(f"the state has nothing under {key!r}, where the task should be.")
    return found


def _messages(given: Any) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str)


def _task(given: Any, key: str, answer: AnswerKind) -> Task:
    if isinstance(given, str):
        return Task(id="task", prompt=given, answer=answer)
    if not _messages(given) or not all(isinstance(m, BaseMessage) for m in given):
        raise BadInput(f"{key!r} must be a text or messages of LangChain's, not {given!r}.")
    rules = [m.text for m in given if m.type == "system"]
    turns = [m for m in given if m.type in ("human", "ai") and m.text]
    if not turns or turns[-1].type != "human":
        raise BadInput(f"the last message under {key!r} must be the user's task.")
    names = {"human": "User", "ai": "Assistant"}
    prompt = turns[0].text
    if len(turns) > 1:
        prompt = "\n\n".join(f"{names[m.type]}: {m.text}" for m in turns)
    return Task(id="task", prompt=prompt, rules="\n\n".join(rules), answer=answer)


def _account(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "calls": run.calls,
        "tokens": run.usage.tokens,
        "seconds": run.seconds,
        "limited": run.limited,
    }
