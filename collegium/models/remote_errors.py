"""What a provider's failures mean: pydantic-ai's exceptions as collegium's errors."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import msgspec

from collegium.errors import (
    CollegiumError,
    MissingKey,
    ModelError,
    Transient,
    Unreachable,
    unknown_name,
)
from collegium.kernel.calls import Generate
from collegium.models.problems import context_too_long

_SECRET = re.compile(r"\b(?:sk|key|pk|xai|gsk|hf|AIza)[-_]?[A-Za-z0-9_*\-]{12,}")


class Address(msgspec.Struct, frozen=True):
    """Where a remote model is.

    Attributes:
        provider: "openai", "anthropic", ...
        model: The provider's name of the model.
        url: The server's base address, when it is not the provider's own.
        key_variable: Environment variable of the key; empty when unknown.
        compatible: A server that speaks the OpenAI chat protocol, not the provider itself.
    """

    provider: str
    model: str
    url: str
    key_variable: str
    compatible: bool

    @property
    def where(self) -> str:
        """The address in words."""
        return self.url or self.provider


def translate(error: Exception, request: Generate, address: Address) -> Exception:
    """Find the error to raise in place of a provider's exception.

    Args:
        error: What pydantic-ai or the provider's library raised.
        request: What was asked.
        address: Who was asked.

    Returns:
        A :class:`CollegiumError`, or ``error`` itself when it is none of the provider's doing.
    """
    from pydantic_ai import exceptions as e

    if isinstance(error, CollegiumError):
        return error
    name = f"{address.provider}:{address.model}"
    if isinstance(error, e.ModelContextWindowExceededError) or _overflows(error):
        sent, fits = _sizes(getattr(error, "body", None))
        return context_too_long(name, request, sent, fits)
    if isinstance(error, e.ModelTimeoutError | e.ModelRequestTimeout):
        return Transient(f"{address.where} did not answer in time.")
    if isinstance(error, e.ModelConnectionError):
        if error.phase in ("connect", "pool"):
            return Unreachable(f"no server answers at {address.where}; is it running?")
        return Transient(f"the connection to {address.where} broke off.")
    if isinstance(error, e.ModelQuotaExceededError):
        return ModelError(f"{address.where} says the account's quota is used up: {_said(error)}")
    if isinstance(error, e.ModelAuthenticationError):
        key = f"the key in {address.key_variable}" if address.key_variable else "the key"
        return MissingKey(f"{address.where} refused {key}; set a valid one.")
    if isinstance(error, e.ModelNotFoundError):
        hint = getattr(error, "suggested_model_id", None)
        unknown = unknown_name(f"model at {address.where}", address.model, [hint] if hint else [])
        return unknown if hint else type(unknown)(f"{address.where} has no model {address.model!r}")
    status = getattr(error, "status_code", None)
    if isinstance(error, e.ModelAPIError):
        if isinstance(
            error, e.ModelRateLimitError | e.ModelUnavailableError | e.ModelServerError
        ) or (isinstance(status, int) and (status >= 500 or status in (408, 409, 425, 429))):
            code = f" (status {status})" if status else ""
            return Transient(f"{address.where} is busy or failing{code}.", error.retry_after)
        return ModelError(f"{address.where} refused the request: {_said(error)}")
    if isinstance(error, e.UnexpectedModelBehavior | e.UserError):
        return ModelError(f"{name!r}: {hide_keys(str(error))}")
    return error


def _overflows(error: Exception) -> bool:
    """Whether a refusal speaks of the context although it is not categorised as such."""
    if getattr(error, "status_code", None) not in (400, 413, 422):
        return False
    body = getattr(error, "body", None)
    text = json.dumps(body, default=str).lower()
    return "exceed_context_size" in text or "context length" in text or "context size" in text


def _sizes(body: Any) -> tuple[int, int]:
    """Tokens sent and tokens that fit, as far as an error's body tells."""
    if isinstance(body, dict):
        detail = body.get("error") if isinstance(body.get("error"), dict) else body
        if isinstance(detail, dict) and isinstance(detail.get("n_prompt_tokens"), int):
            return detail["n_prompt_tokens"], int(detail.get("n_ctx") or 0)
    text = json.dumps(body, default=str)
    fits = re.search(r"(?:maximum|context)\D{0,40}?([\d,]{3,})\s+tokens?", text)
    sent = re.search(r"(?:resulted in|requested|has|is)\s+([\d,]{3,})\s+tokens?", text)
    return _number(sent), _number(fits)


def _number(match: re.Match[str] | None) -> int:
    return int(match[1].replace(",", "")) if match else 0


def _said(error: Any) -> str:
    """The provider's own sentence, without keys."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        detail = body.get("error") if isinstance(body.get("error"), dict) else body
        message = detail.get("message") if isinstance(detail, dict) else None
        if message:
            return hide_keys(str(message))[:500]
    return hide_keys(str(error))[:500]


def hide_keys(text: str) -> str:
    """Blank out whatever looks like a key, or is one of the environment's."""
    for variable, value in os.environ.items():
        if len(value) >= 8 and variable.endswith(("_KEY", "_TOKEN", "_SECRET")):
            text = text.replace(value, "***")
    return _SECRET.sub("***", text)
