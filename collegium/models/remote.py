"""Models behind an API: every provider that pydantic-ai speaks, and any OpenAI-compatible address.

Retries are the kernel's: the provider's own are switched off, and a failure that may pass comes
out as :class:`collegium.errors.Transient`.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import msgspec

from collegium.errors import (
    BadInput,
    MissingExtra,
    MissingKey,
    ModelError,
    missing_extra,
    unknown_name,
)
from collegium.kernel.calls import Generate, Reply
from collegium.models.model import OnText
from collegium.models.remote_errors import Address, translate
from collegium.models.remote_messages import read_reply, wire_messages, wire_parameters

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model as Client
    from pydantic_ai.settings import ModelSettings

PROVIDERS: dict[str, str] = {
    "openai": "OPENAI_API_KEY",
    "openai-responses": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GOOGLE_API_KEY",
    "google-gla": "GOOGLE_API_KEY",
    "ollama": "",
    "vllm": "",
    "azure": "AZURE_OPENAI_API_KEY",
    "bedrock": "AWS_BEARER_TOKEN_BEDROCK",
    "cerebras": "CEREBRAS_API_KEY",
    "cohere": "CO_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "fireworks": "FIREWORKS_API_KEY",
    "groq": "GROQ_API_KEY",
    "huggingface": "HF_TOKEN",
    "mistral": "MISTRAL_API_KEY",
    "moonshotai": "MOONSHOTAI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "together": "TOGETHER_API_KEY",
    "xai": "XAI_API_KEY",
}
"""Providers worth naming in a suggestion, with the environment variable of their key; pydantic-ai
may know more."""

ADDRESS_KEY = "COLLEGIUM_API_KEY"
"""Environment variable of the key for a model at an explicit address. A provider's own key is
never sent to an address it was not meant for."""

_OLLAMA = "http://localhost:11434/v1"
_SECONDS = 600.0


class RemoteModel:
    """A model of a provider, named as pydantic-ai names it, or ``openai:NAME@http://host/v1``."""

    def __init__(self, name: str, *, context: int = 0, timeout: float = _SECONDS) -> None:
        """Check the name and the key; nothing is sent yet.

        Args:
            name: ``provider:model``, or ``openai:model@address`` for any server that speaks the
                OpenAI protocol (vLLM, llama.cpp, LM Studio, ...).
            context: Tokens of its context window, if known.
            timeout: Seconds that one request may take.

        Raises:
            UnknownName: There is no such provider.
            MissingKey: The provider's key is not set.
            MissingExtra: The provider's library is not installed.
            BadInput: The name has another form.
        """
        self.name = name
        self.context = context
        self._timeout = timeout
        self._address = parse_name(name)
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = WeakKeyDictionary()
        self._entered: WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = WeakKeyDictionary()
        make_client(self._address)  # a missing key or library shows now, not in the middle of a run

    @property
    def fingerprint(self) -> str:
        """Name and address; providers do not say more about what answers."""
        return f"remote:{self.name}:{self._address.url}"

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """Answer a request; see :class:`collegium.models.Model`.

        The ``n`` samples are ``n`` requests at the same time; sample i asks for ``seed + i``.
        Log-probs come from providers that give them, and are empty otherwise.

        Raises:
            Transient: 429, 5xx, a broken connection or a time-out.
            MissingKey: The provider refused the key.
            Unreachable: No server answers at the address.
            UnknownName: The provider has no such model.
            ContextTooLong: The prompt does not fit.
            BadInput: The request has a grammar.
            ModelError: Any other refusal.
        """
        if request.grammar is not None:
            raise BadInput(
                f"{self.name!r} cannot be held to a grammar: an API gives no hand in the choice of "
                "tokens. Use the monitor mode, such as react:form=monitor, or an embedded model."
            )
        if request.adapters:
            raise ModelError(
                f"{self.name!r} takes no adapters with a request; adapters are for embedded models."
            )
        if request.prefill and not self._continues:
            raise ModelError(f"{self.name!r} cannot go on with an unfinished turn (prefill).")
        client = await self._client()
        samples = [
            asyncio.ensure_future(self._sample(client, request, i, on_text))
            for i in range(request.n)
        ]
        try:
            return tuple(await asyncio.gather(*samples))
        except BaseException:
            for sample in samples:
                sample.cancel()
            await asyncio.gather(*samples, return_exceptions=True)
            raise

    async def aclose(self) -> None:
        """Close this event loop's connections."""
        loop = asyncio.get_running_loop()
        self._clients.pop(loop, None)
        client = self._entered.pop(loop, None)
        if client is not None:
            await client.__aexit__(None, None, None)

    @property
    def _continues(self) -> bool:
        """Whether an assistant's turn at the end of a conversation is gone on with."""
        return self._address.compatible or self._address.provider == "anthropic"

    async def _client(self) -> Client:
        """The provider's client for the running event loop."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = make_client(self._address)
            await client.__aenter__()
            self._entered[loop] = client
        return client

    async def _sample(
        self, client: Client, request: Generate, i: int, on_text: OnText | None
    ) -> Reply:
        """Ask for one sample."""
        settings = self._settings(request, i)
        try:
            if on_text is None:
                from pydantic_ai.direct import model_request

                response = await model_request(
                    client,
                    wire_messages(request),
                    model_settings=settings,
                    model_request_parameters=wire_parameters(request, client),
                )
            else:
                response = await self._streamed(client, request, settings, i, on_text)
        except Exception as error:
            raise translate(error, request, self._address) from error
        reply = read_reply(response, request)
        return reply if self._address.compatible else _with_price(reply, response)

    async def _streamed(
        self,
        client: Client,
        request: Generate,
        settings: ModelSettings,
        i: int,
        on_text: OnText,
    ) -> ModelResponse:
        from pydantic_ai.direct import model_request_stream
        from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

        async with model_request_stream(
            client,
            wire_messages(request),
            model_settings=settings,
            model_request_parameters=wire_parameters(request, client),
        ) as stream:
            async for event in stream:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    text = event.part.content
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    text = event.delta.content_delta
                else:
                    continue
                if text:
                    on_text(i, text)
        return stream.get()

    def _settings(self, request: Generate, i: int) -> ModelSettings:
        if request.beams > 1:
            raise BadInput(
                f"{self.name!r} does not search with beams; ask an embedded model, or use beams=1."
            )
        settings: dict[str, Any] = {
            "temperature": request.temperature,
            "timeout": self._timeout,
            "max_retries": 0,
        }
        if request.top_p < 1:
            settings["top_p"] = request.top_p
        if request.max_tokens is not None:
            settings["max_tokens"] = request.max_tokens
        if request.stop:
            settings["stop_sequences"] = list(request.stop)
        if request.seed is not None:
            settings["seed"] = (request.seed + i) % (1 << 31)
        if request.logprobs:
            settings["openai_logprobs"] = settings["google_logprobs"] = True
            settings["openai_top_logprobs"] = settings["google_top_logprobs"] = request.logprobs
        if request.prefill and self._address.compatible:
            settings["extra_body"] = {
                "continue_final_message": True,
                "add_generation_prompt": False,
            }
        return settings  # type: ignore[return-value]  # the keys of several providers at once


def _with_price(reply: Reply, response: ModelResponse) -> Reply:
    """Add what the reply cost, where the price list knows the model."""
    try:
        money = float(response.cost().total_price)
    except (AssertionError, LookupError, ValueError):
        return reply
    usage = msgspec.structs.replace(reply.usage, money=money)
    return msgspec.structs.replace(reply, usage=usage)


def parse_name(name: str) -> Address:
    """Take a remote model's name apart.

    Raises:
        BadInput: It has another form.
    """
    provider, colon, rest = name.partition(":")
    model, at, url = rest.partition("@http")
    if not colon or not provider or not model:
        raise BadInput(f"model {name!r}: write provider:model, or openai:model@http://host/v1.")
    if at:
        if provider not in ("openai", "openai-chat"):
            raise BadInput(f"model {name!r}: an address goes with openai:, as openai:{model}@...")
        url = f"http{url}"
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query:
            raise BadInput(
                f"model {provider}:{model}@...: put the key into {ADDRESS_KEY}, not into the "
                "address."
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"model {name!r}: {url!r} is not an http address.")
        return Address(provider, model, url, ADDRESS_KEY, compatible=True)
    base = os.environ.get("OPENAI_BASE_URL", "")
    if provider in ("openai", "openai-chat") and base and "api.openai.com" not in base:
        return Address(provider, model, base, "OPENAI_API_KEY", compatible=True)
    if provider == "ollama" and not os.environ.get("OLLAMA_BASE_URL"):
        return Address(provider, model, _OLLAMA, "OLLAMA_API_KEY", compatible=True)
    return Address(provider, model, "", PROVIDERS.get(provider, ""), compatible=False)


def make_client(address: Address) -> Client:
    """Make pydantic-ai's model for an address.

    Raises:
        MissingExtra: pydantic-ai or the provider's library is not installed.
        MissingKey: The provider's key is not set.
        UnknownName: There is no such provider.
        BadInput: The provider needs another setting.
    """
    try:
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.models import infer_model
        from pydantic_ai.providers import infer_provider_class
    except ImportError:
        raise missing_extra("remote", f"a model of {address.provider!r}") from None
    if address.compatible:
        return _compatible_client(address)
    # the chat protocol knows seeds, stop sequences and log-probs, the newer one does not
    aliases = {"openai": "openai-chat", "google-gla": "google"}
    provider = aliases.get(address.provider, address.provider)
    try:
        infer_provider_class(provider)
        return infer_model(f"{provider}:{address.model}")
    except ValueError:
        raise unknown_name("provider", address.provider, PROVIDERS) from None
    except ImportError as error:
        package = re.search(r"\[([\w-]+)\]", str(error))
        raise MissingExtra(
            f"models of {address.provider!r} need a library: "
            f"pip install 'pydantic-ai-slim[{package[1] if package else provider}]'."
        ) from None
    except UserError as error:
        variable = re.search(r"`([A-Z][A-Z0-9_]+)`", str(error))
        if variable and variable[1].endswith(("KEY", "TOKEN")):
            raise MissingKey(
                f"models of {address.provider!r} need a key: set the environment variable "
                f"{variable[1]}."
            ) from None
        raise BadInput(f"model {address.provider}:{address.model}: {error}") from None


def _compatible_client(address: Address) -> Client:
    """A client for any server that speaks the OpenAI chat protocol."""
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    provider = OpenAICompatibleProvider(
        "openai-compatible",
        base_url=address.url,
        api_key=os.environ.get(address.key_variable) or "none",
    )
    profile = OpenAIModelProfile(
        supports_json_schema_output=True,
        openai_chat_supports_max_completion_tokens=False,
    )
    return OpenAIChatModel(address.model, provider=provider, profile=profile)
