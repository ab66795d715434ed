"""Models that answer from Python: for tests, demonstrations and measuring everything else."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import inspect
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from collegium.errors import BadInput, ModelError, unknown_name
from collegium.kernel.calls import Generate, Message, Reply, Usage
from collegium.models.gbnf import grammar, obeyed
from collegium.models.model import OnText
from collegium.models.problems import context_too_long

Answer = str | Reply | BaseException | Sequence[str | Reply | BaseException]
"""A reply for all samples (an exception is raised), or one reply per sample."""

Script = Callable[[Generate], Answer | Awaitable[Answer]]
"""A plain or async function from request to answer."""

Rules = Sequence[tuple[str | re.Pattern[str], Answer]]
"""(pattern, answer): the first pattern found in the last message gives the answer; a string is
looked for as it stands, ``""`` is found everywhere."""

_PREFIX = "script:"


class ScriptedModel:
    """A model whose replies come from a function or from rules.

    A word counts as a token: a prompt costs its words, a completion its own. Replies that carry a
    usage keep it. A request's grammar is obeyed: where the script would leave it, it gets the next
    character of the shortest allowed end and is asked to go on from there.
    """

    def __init__(
        self,
        script: Script | Rules,
        name: str = "script",
        *,
        delay: float = 0.0,
        fingerprint: str | None = None,
        context: int = 0,
    ) -> None:
        """Make a model.

        Args:
            script: The function, or the rules.
            name: What it is called in traces and reports.
            delay: Seconds that every answer takes.
            fingerprint: Stands for the script in cache keys; by default no two models share one,
                for what a function will answer cannot be told from outside.
            context: Tokens (words) of context; 0: no bound.
        """
        self.name = name
        self.context = context
        self.fingerprint = fingerprint or f"script:{uuid.uuid4().hex}"
        self._script: Script = script if callable(script) else _follow(script, name)
        self._delay = delay

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """Answer a request; see :class:`collegium.models.Model`.

        Raises:
            BadInput: The script gave another number of replies than were asked for.
            ContextTooLong: The prompt has more words than ``context``.
        """
        prompt = sum(len(message.text.split()) for message in request.messages)
        if self.context and prompt > self.context:
            raise context_too_long(self.name, request, prompt, self.context)
        if self._delay:
            await asyncio.sleep(self._delay)
        if request.grammar is None:
            answers = await self._answers(request)
        else:
            answers = [await self._obeying(request, i) for i in range(request.n)]
        replies = tuple(_reply(a, 0 if i else prompt) for i, a in enumerate(answers))
        if on_text:
            for i, reply in enumerate(replies):
                on_text(i, reply.text)
        return replies

    async def aclose(self) -> None:
        """Nothing to release."""

    async def _answers(self, request: Generate) -> Sequence[str | Reply | BaseException]:
        """What the script says, one answer per sample."""
        answer = self._script(request)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, str | Reply | BaseException):
            return [answer] * request.n
        if len(answer) == request.n:
            return answer
        raise BadInput(
            f"model {self.name!r} was asked for {request.n} samples, but its script "
            f"gave {len(answer)}."
        )

    async def _obeying(self, request: Generate, sample: int) -> str:
        """A sample under the request's grammar: the script is asked again where it must deviate."""

        async def said(written: str) -> str:
            answer = (await self._answers(_gone_on(request, written)))[sample]
            if isinstance(answer, BaseException):
                raise answer
            return answer.text if isinstance(answer, Reply) else answer

        return await obeyed(grammar(request.grammar or ""), said)


def _gone_on(request: Generate, written: str) -> Generate:
    """The request once a part of its reply is written."""
    if not written:
        return request
    *before, last = request.messages
    if request.prefill:
        turns = (*before, Message("assistant", last.text + written))
    else:
        turns = (*before, last, Message("assistant", written))
    return msgspec.structs.replace(request, messages=turns, prefill=True)


def _reply(answer: str | Reply | BaseException, prompt: int) -> Reply:
    if isinstance(answer, BaseException):
        raise answer
    if isinstance(answer, Reply):
        if answer.usage != Usage():
            return answer
        usage = Usage(prompt=prompt, completion=len(answer.text.split()) + len(answer.tool_calls))
        return msgspec.structs.replace(answer, usage=usage)
    return Reply(answer, usage=Usage(prompt=prompt, completion=len(answer.split())))


def _follow(rules: Rules, name: str) -> Script:
    """The function that rules describe."""
    if not all(isinstance(rule, Sequence) and len(rule) == 2 for rule in rules):
        raise BadInput(f"the rules of model {name!r} must be pairs (pattern, reply).")

    def script(request: Generate) -> Answer:
        text = request.messages[-1].text if request.messages else ""
        for pattern, answer in rules:
            if pattern in text if isinstance(pattern, str) else pattern.search(text):
                return answer
        raise ModelError(f"no rule of model {name!r} matches {text[:200]!r}")

    return script


def load_script(name: str, *, delay: float = 0.0, context: int = 0) -> ScriptedModel:
    """Make the model of a ``script:path/to/file.py:function`` name.

    The part after the last colon names a function, or a list of rules, in the file.

    Raises:
        BadInput: The name has another form, or the file cannot be read or run.
        UnknownName: The file has no such function.
    """
    path_text, colon, attribute = name.removeprefix(_PREFIX).rpartition(":")
    if not colon or not path_text or not attribute:
        raise BadInput(f"model {name!r}: write script:path/to/file.py:function.")
    path = Path(path_text).expanduser()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise BadInput(f"model {name!r}: cannot read {path}: {error.strerror}.") from None
    digest = hashlib.sha256(source).hexdigest()[:16]
    members = _run_file(path, f"collegium_script_{digest}")
    if attribute not in members:
        public = [k for k, v in members.items() if callable(v) and not k.startswith("_")]
        raise unknown_name(f"function in {path}", attribute, public)
    script = members[attribute]
    if not (callable(script) or isinstance(script, list | tuple)):
        raise BadInput(f"model {name!r}: {attribute} is neither a function nor a list of rules.")
    return ScriptedModel(
        cast("Script | Rules", script),
        name,
        delay=delay,
        fingerprint=f"script:{digest}:{attribute}",
        context=context,
    )


def _run_file(path: Path, module_name: str) -> dict[str, Any]:
    """Run a Python file as a module; returns its names."""
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else str(path)
        raise BadInput(f"{where}: {type(error).__name__}: {error}") from error
    return vars(module)
