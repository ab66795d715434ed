"""Requests and replies of OpenAI's protocols: what is read, what is refused, what is written."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from collegium.errors import BadInput
from collegium.protocols.hub import Wish
from collegium.protocols.messages import Message, said
from collegium.protocols.openai_types import ChatRequest, Extension, ResponsesRequest
from collegium.protocols.running import Running

PREFIX = "collegium/"
"""What the name of a system begins with where a model is asked for."""

REFUSED = {
    "tools": "tools of the caller (a system has its own)",
    "tool_choice": "a choice of tools",
    "functions": "functions of the caller",
    "stop": "stop sequences",
    "logprobs": "log-probabilities",
    "top_logprobs": "log-probabilities",
    "logit_bias": "a bias on tokens",
    "modalities": "other modalities than text",
    "audio": "audio",
    "prediction": "predicted outputs",
}
"""Fields that change what a reply must be, and that a whole system cannot honour. Saying so is
better than an answer that silently ignores them."""


Request = TypeVar("Request", ChatRequest, ResponsesRequest)


class Unsupported(BadInput):
    """A field of a request that a system cannot honour.

    Attributes:
        param: Its name.
    """

    def __init__(self, param: str, what: str) -> None:
        super().__init__(f"{param!r} is not supported: {what}.")
        self.param = param


def check(body: dict[str, Any]) -> None:
    """Refuse what a system cannot honour.

    Raises:
        Unsupported: Such a field is set.
    """
    for name, what in REFUSED.items():
        if body.get(name) not in (None, False, [], {}, "auto", "none"):
            raise Unsupported(name, f"a system cannot be given {what}")
    if body.get("n") not in (None, 1):
        raise Unsupported("n", "a run gives one answer")
    form, text = body.get("response_format"), body.get("text")
    form = form or (text.get("format") if isinstance(text, dict) else None)
    if isinstance(form, dict) and form.get("type", "text") != "text":
        raise Unsupported("response_format", "ask for a kind of answer with collegium.answer")


def read(body: dict[str, Any], kind: type[Request]) -> Request:
    """A request as its type says, without what a system cannot honour.

    Raises:
        Unsupported: Such a field is set.
        BadInput: A value is of the wrong type.
    """
    check(body)
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise BadInput(f"the request is not what it must be: {error}.") from None


def wish_of(asked: ChatRequest | ResponsesRequest, parameters: set[str]) -> Wish:
    """What a request asks for besides the task.

    Temperature and the cap on a reply go to the system where it has parameters of these names.

    Args:
        asked: The request.
        parameters: Names of the system's parameters.
    """
    extra = asked.collegium or Extension()
    given = dict(extra.parameters)
    for field, name in (
        ("temperature", "temperature"),
        ("max_tokens", "max_tokens"),
        ("max_completion_tokens", "max_tokens"),
        ("max_output_tokens", "max_tokens"),
    ):
        value = getattr(asked, field, None)
        if value is not None and name in parameters:
            given.setdefault(name, value)
    return Wish(
        answer=extra.answer,
        choices=extra.choices,
        parameters=given,
        seed=asked.seed,
        tokens=extra.tokens,
    )


def messages_of(items: Any) -> list[Message]:
    """The conversation of a request, in either protocol's form.

    Raises:
        BadInput: It is not a conversation in text.
    """
    if isinstance(items, str):
        return [said(items)]
    if not isinstance(items, list) or not items:
        raise BadInput("the request holds no messages.")
    roles = {
        "user": "user",
        "assistant": "agent",
        "system": "system",
        "developer": "system",
    }
    found: list[Message] = []
    for item in items:
        if not isinstance(item, dict):
            raise BadInput("a message must be an object with role and content.")
        if item.get("type") == "reasoning":
            continue
        role = roles.get(str(item.get("role")))
        if role is None:
            raise BadInput(f"a message has the role {item.get('role')!r}; use {', '.join(roles)}.")
        found.append(said(_content(item.get("content")), role))  # type: ignore[arg-type]
    return found


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in ("text", "input_text", "output_text") or not isinstance(
            part.get("text"), str
        ):
            raise BadInput(f"a content part of type {kind!r} cannot be read here; send text.")
        texts.append(part["text"])
    return "".join(texts)


def account(running: Running) -> dict[str, Any]:
    """What every reply says of its run: id, spend, and what cut it short."""
    done = running.result
    if done is None:
        return {"run": running.run}
    return {"run": running.run, "abstained": done.answer is None, **running.account}


def finish_of(running: Running) -> str:
    """Why the answer ends: by itself, by a limit, or by a policy."""
    done = running.result
    if done is None or not done.limited:
        return "stop"
    return "content_filter" if done.blocked else "length"


class AnswerStream:
    """The part of an answer that is certain while it is still being written.

    Of most systems the answer is known at the end only. Where it is the one reply itself, its text
    is passed on at once, without white space that may turn out to be at one of its ends.

    Args:
        live: Whether the answer is the reply as it is written.
    """

    def __init__(self, live: bool) -> None:
        self._live, self.sent, self._held = live, "", ""

    def add(self, text: str) -> str:
        """Take in what was written; returns what may be passed on."""
        if not self._live:
            return ""
        self._held += text
        if not self.sent:
            self._held = self._held.lstrip()
        ready = self._held.rstrip()
        self._held = self._held[len(ready) :]
        self.sent += ready
        return ready

    def rest(self, answer: str) -> str:
        """What is left to send of the answer; all of it, where nothing was sent."""
        return answer[len(self.sent) :] if answer.startswith(self.sent) else ""
