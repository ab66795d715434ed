"""The commands ``call`` and ``gateway``: agents that run elsewhere."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
from rich.text import Text

from collegium.commands.run import read_task
from collegium.commands.show import clean, console, print_indented, print_json
from collegium.protocols.caller import Answer, Caller, Description
from collegium.protocols.callers import detect, open_caller
from collegium.protocols.messages import said


def call(url: str, task: str | None, *, as_json: bool) -> None:
    """Have an agent elsewhere work on a task; without one, say what it is.

    Raises:
        CollegiumError: Nobody answers, or the agent failed.
    """
    asked = None if task is None else read_task(task, "text", []).prompt
    out = console()
    if asked is None:
        about = asyncio.run(_described(url))
        if as_json:
            print_json(about)
            return
        print_description(about)
        return
    answer, spoken = asyncio.run(_asked(url, asked, quiet=as_json))
    if as_json:
        print_json({**data(answer), "agent": spoken})
        return
    out.print()
    print_indented(clean(answer.text), out)
    bill = [spoken, *([f"run {answer.run}"] if answer.run else [])]
    bill += [f"{answer.tokens:,} tokens"] if answer.tokens is not None else []
    out.print(Text(" · ".join(bill), style="dim"), soft_wrap=True)


def data(answer: Answer) -> dict[str, Any]:
    """What ``--json`` prints of an answer."""
    return {
        "answer": answer.text,
        "state": answer.state,
        "question": answer.question,
        "parts": msgspec.to_builtins(answer.parts),
        "run": answer.run,
        "tokens": answer.tokens,
    }


def print_description(about: Description) -> None:
    """What an agent is."""
    out = console()
    signed = "  (signed)" if about.signed else ""
    out.print(Text.assemble((clean(about.name), "bold"), f"  {about.protocol}{signed}"))
    if about.description:
        out.print(clean(about.description), markup=False)
    for skill in about.skills:
        out.print(Text.assemble((f"  {clean(skill.name)}  ", "cyan"), clean(skill.description)))


async def _described(url: str) -> Description:
    caller = open_caller(await detect(url))
    try:
        return await caller.describe()
    finally:
        await caller.aclose()


async def _asked(url: str, task: str, quiet: bool) -> tuple[Answer, str]:
    name = await detect(url)
    caller: Caller = open_caller(name)
    err = console(sys.stderr)

    def on_text(text: str) -> None:
        if not quiet:
            err.print(Text(clean(text), style="dim"), end="", soft_wrap=True)

    try:
        answer = await caller.ask([said(task)], on_text=on_text)
        while answer.state == "awaiting" and sys.stdin.isatty() and not quiet:
            err.print(Text(clean(answer.question), style="bold"))
            reply = await asyncio.to_thread(input, "> ")
            answer = await caller.ask([said(reply)], task=answer.task, on_text=on_text)
        return answer, name
    finally:
        await caller.aclose()
