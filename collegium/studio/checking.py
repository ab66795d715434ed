"""Policies checked while they are written, in a process of their own that can be ended.

The solver may take long over a policy, and a page must stay live; a thread could not be ended. So
there is one child process, which answers one request at a time. When it takes too long, or a newer
text makes its answer useless, it is killed, and the next request begins another one. It ends with
its parent, whose end closes its input.

A request is a line of JSON, and so is every part of an answer. What the child finds is sent at
once, so that a check that was ended has told all it knew.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from collegium.errors import BadInput, CollegiumError
from collegium.guard import Compiled, parse_policy
from collegium.guard.decide import written
from collegium.guard.reading import rule_lines
from collegium.guard.review import review
from collegium.kernel import ToolSpec

SECONDS = 12.0
"""How long a check may take as a whole."""

QUESTION_SECONDS = 2.0
"""How long the solver may take over one question."""

MEMORY = 3 << 30
"""Bytes of memory that a check may take."""

MOST_BYTES = 300_000
"""Largest policy that is checked here, in bytes."""

LINE = 16 << 20
"""Longest part of an answer, in bytes."""

Part = dict[str, Any]
"""One part of an answer; ``part`` says which."""


class Request(msgspec.Struct, kw_only=True):
    """What is asked.

    Attributes:
        text: A policy as it is being written.
        tools: The tools it is for, as JSON; "" for none, "builtin" for those built in.
        tool: The name of a call to decide; "": the policy is to be looked over.
        arguments: The arguments of that call, as JSON.
    """

    text: str
    tools: str = ""
    tool: str = ""
    arguments: str = ""


def answers(request: Request) -> Iterator[Part]:
    """Everything there is to say, part by part; the last part is ``{"part": "end"}``.

    ``form`` says what the policy is and ``error`` why it is none; ``remark`` is one thing about it;
    ``verdict`` is what becomes of a call.
    """
    try:
        if len(request.text.encode("utf-8", "replace")) > MOST_BYTES:
            raise BadInput(f"a policy that is checked here has at most {MOST_BYTES:,} bytes.")
        policy = parse_policy(request.text)
        compiled = Compiled(policy)
        if request.tool:
            yield _verdict(compiled, request.tool, request.arguments)
        else:
            rules = sum(len(rules) for rules in policy.tools.values())
            lines = rule_lines(request.text)
            yield {"part": "form", "tools": list(policy.tools), "rules": rules,
                   "default": policy.default, "specs": len(policy.specs)}  # fmt: skip
            for one in review(policy, _tools(request.tools), seconds=QUESTION_SECONDS):
                where = [lines[one.tool, n] for n in one.rules if (one.tool, n) in lines]
                yield {"part": "remark", "lines": where, **msgspec.to_builtins(one)}
    except CollegiumError as error:
        yield {"part": "error", "message": str(error)}
    yield {"part": "end"}


def _verdict(compiled: Compiled, tool: str, arguments: str) -> Part:
    """What becomes of a call, and how every rule looks at it.

    Raises:
        BadInput: The arguments are no JSON object.
    """
    try:
        given = msgspec.json.decode(arguments or "{}", type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadInput(f"the arguments are not a JSON object: {error}.") from None
    decision = compiled.decide(tool, given)
    rules = compiled.tools.get(tool)
    tried = rules.explain(given) if rules is not None else ()
    return {
        "part": "verdict",
        "allowed": decision.allowed,
        "reason": decision.reason,
        "fallback": decision.fallback,
        "known": rules is not None,
        "default": compiled.policy.default,
        "tried": [
            {
                "number": one.number,
                "effect": one.rule.effect,
                "priority": one.rule.priority,
                "matches": one.matches,
                "decides": one.decides,
                "conditions": [
                    [name, written(one.rule.when[name]), _said(verdict, one.rule.missing)]
                    for name, verdict in one.conditions.items()
                ],
            }
            for one in tried
        ],
    }


def _said(verdict: str, missing: str) -> str:
    return f"left out, which {missing}" if verdict == "missing" else verdict


def _tools(source: str) -> list[ToolSpec] | None:
    """The tools a policy is held against.

    Raises:
        BadInput: It is no list of tools.
    """
    if not source.strip():
        return None
    if source.strip() == "builtin":
        from collegium.apps.tools import known_tools

        return [tool.spec for tool in known_tools().values()]
    try:
        return msgspec.json.decode(source, type=list[ToolSpec])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadInput(
            f"these are no tools ({error}); expected a JSON list of objects with name, description "
            "and parameters."
        ) from None


class Checker:
    """Asks the child process; one request at a time.

    Args:
        seconds: How long an answer may take.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._process: asyncio.subprocess.Process | None = None
        self._busy = asyncio.Lock()

    async def ask(self, request: Request) -> AsyncGenerator[Part, None]:
        """The parts of an answer as they come.

        The last is ``end``, or ``late`` when the time was up. Whoever stops before has the check
        ended (``aclosing``).
        """
        async with self._busy:
            whole = False
            try:
                process = await self._running()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(msgspec.json.encode(request) + b"\n")
                until = asyncio.get_running_loop().time() + self.seconds
                async with asyncio.timeout_at(until):
                    await process.stdin.drain()
                while not whole:
                    async with asyncio.timeout_at(until):
                        line = await process.stdout.readline()
                    if not line:  # it ended by itself: out of memory
                        break
                    part = msgspec.json.decode(line)
                    whole = part["part"] == "end"
                    yield part
                if not whole:
                    yield {"part": "late", "message": "The check needed too much memory."}
            except (TimeoutError, OSError, ValueError):  # a value: a line beyond the limit
                said = f"The check was ended after {self.seconds:g} seconds; there may be more."
                yield {"part": "late", "message": said}
            finally:
                if not whole:
                    await self.aclose()

    async def _running(self) -> asyncio.subprocess.Process:
        """The child process, begun if there is none."""
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "collegium.studio.checking",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE,
            )  # fmt: skip
        return self._process

    async def aclose(self) -> None:
        """End the child process."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def main() -> None:
    """Answer requests from standard input until it is closed."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin.buffer:
        for part in answers(msgspec.json.decode(line, type=Request)):
            sys.stdout.buffer.write(msgspec.json.encode(part, enc_hook=repr) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
