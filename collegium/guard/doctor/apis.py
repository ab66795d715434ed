"""The interfaces of language models: which calls reach one, and what each of them needs.

Facts about public SDKs, by the dotted name that a call resolves to. Where the object's class is not
known, the end of the name decides (``anything.chat.completions.create``).
"""

from __future__ import annotations

import msgspec


class Api(msgspec.Struct, frozen=True):
    """A family of calls.

    Attributes:
        name: What it is called here.
        endings: Ends of dotted names that are calls of it.
        roots: First parts of dotted names; () for any, also unknown ones.
        needs: Parameters that must be given, by name.
        positional: How many of them may be given by place, in order.
        chat: Whether it speaks to chat models.
        sdk: File and function of the SDK that declares its parameters, where there is one.
    """

    name: str
    endings: tuple[str, ...]
    roots: tuple[str, ...]
    needs: tuple[str, ...]
    positional: int = 0
    chat: bool = True
    sdk: tuple[str, str] | None = None


APIS = (
    Api(
        "openai chat completions",
        ("chat.completions.create", "chat.completions.parse", "chat.completions.stream"),
        (),
        ("model", "messages"),
        sdk=("openai", "openai/resources/chat/completions/completions.py"),
    ),
    Api(
        "openai chat (before 1.0)",
        ("ChatCompletion.create", "ChatCompletion.acreate"),
        ("openai",),
        ("model", "messages"),
    ),
    Api(
        "openai completions (before 1.0)",
        ("Completion.create", "Completion.acreate"),
        ("openai",),
        ("model", "prompt"),
        chat=False,
    ),
    Api(
        "openai responses",
        ("responses.create", "responses.parse"),
        (),
        ("model", "input"),
        sdk=("openai", "openai/resources/responses/responses.py"),
    ),
    Api(
        "openai completions", (".completions.create",), ("openai",), ("model", "prompt"), chat=False
    ),
    Api(
        "anthropic messages",
        ("messages.create", "messages.stream"),
        ("anthropic",),
        ("model", "messages", "max_tokens"),
        sdk=("anthropic", "anthropic/resources/messages/messages.py"),
    ),
    Api("litellm", ("completion", "acompletion"), ("litellm",), ("model", "messages"), 2),
    Api("ollama", ("chat",), ("ollama",), ("model", "messages"), 2),
    Api("ollama generate", ("generate",), ("ollama",), ("model", "prompt"), 2),
    Api("gemini", ("models.generate_content",), (), ("model", "contents")),
    Api("gemini (generativeai)", ("generate_content",), ("google",), ("contents",), 1),
    Api("cohere", ("chat",), ("cohere",), ("message",)),
    Api("mistral", ("chat.complete", "chat.complete_async"), (), ("model", "messages")),
)

CLIENTS = frozenset(
    [
        "openai.OpenAI",
        "openai.AsyncOpenAI",
        "openai.AzureOpenAI",
        "anthropic.Anthropic",
        "anthropic.AsyncAnthropic",
        "cohere.Client",
        "mistralai.Mistral",
        "groq.Groq",
    ]
)
"""Constructors that take a key."""

REMOVED: dict[str, dict[str, str]] = {
    "openai": dict.fromkeys(
        [
            "ChatCompletion",
            "Completion",
            "Embedding",
            "Edit",
            "Engine",
            "FineTune",
            "Moderation",
            "error",
            "api_requestor",
            "openai_object",
        ],
        "1.0.0",
    ),
    "pydantic": {"BaseSettings": "2.0", "PyObject": "2.0"},
    "langchain": {"OpenAI": "1.0", "LLMChain": "1.0", "PromptTemplate": "1.0"},
    "anthropic": {"Client.completion": "0.3.0"},
}
"""Attributes that an import name lost, and the version that lost them."""

ADDED: dict[str, dict[str, str]] = {
    "openai": {"OpenAI": "1.0.0", "AsyncOpenAI": "1.0.0", "AzureOpenAI": "1.0.0"},
    "anthropic": {"Anthropic": "0.3.0", "AsyncAnthropic": "0.3.0"},
    "pydantic": {"field_validator": "2.0", "model_validator": "2.0", "TypeAdapter": "2.0"},
}
"""Attributes that an import name has only since a version."""

_CHAT = (
    "gpt-3.5", "gpt-4", "gpt-5", "gpt-oss", "chatgpt", "o1", "o3", "o4", "claude", "gemini",
    "command-r", "chat", "instruct", "-it", "grok", "mistral-large", "mistral-small",
    "mistral-medium", "qwen-max", "qwen-plus", "qwen-turbo",
    "deepseek-r1", "deepseek-v3",
    "deepseek-reasoner",
    "llama3", "llama-3", "llama2", "sonar", "hermes", "vicuna", "zephyr", "phi3", "phi-4", "gemma",
    "qwen2.5", "qwen3", "glm-4", "kimi", "ernie-bot", "yi-large",
)  # fmt: skip

_FAMILIES = ("llama", "gemma", "qwen", "phi", "mistral-7b", "mixtral", "yi-")
_TUNED = ("chat", "instruct", "-it", "hermes", "vicuna")

_NOT_CHAT = {
    "embed": "an embedding model", "ada-002": "an embedding model", "bge-": "an embedding model",
    "e5-": "an embedding model", "gte-": "an embedding model", "minilm": "an embedding model",
    "rerank": "a ranking model", "moderation": "a moderation model",
    "whisper": "a speech model", "tts": "a speech model", "dall-e": "an image model",
    "gpt-image": "an image model", "stable-diffusion": "an image model", "flux": "an image model",
    "davinci": "a completion model, not a chat model",
    "curie": "a completion model, not a chat model",
    "babbage": "a completion model, not a chat model",
    "gpt-3.5-turbo-instruct": "a completion model, not a chat model",
    "codex": "a model for code alone", "starcoder": "a model for code alone",
    "codegen": "a model for code alone", "code-llama": "a model for code alone",
    "codellama": "a model for code alone", "codegemma": "a model for code alone",
    "codestral": "a model for code alone", "coder-": "a model for code alone",
    "sqlcoder": "a model for code alone", "codebert": "a model for code alone",
    "bert": "an encoder, not a chat model", "t5-": "not a chat model",
    "gpt2": "a base model, not a chat model", "gpt-neo": "a base model, not a chat model",
    "gpt-j": "a base model, not a chat model", "-base": "a base model, not a chat model",
    "opt-": "a base model, not a chat model", "pythia": "a base model, not a chat model",
    "falcon-7b": "a base model, not a chat model",
}  # fmt: skip


def chat_model(name: str) -> tuple[bool | None, str]:
    """Whether a model's name is known to stand for a general chat model.

    Returns:
        True, or False with what it is instead; None when the name says nothing.
    """
    lower = name.lower().rpartition("/")[2]
    parts = lower.replace("_", "-")
    for word, what in sorted(_NOT_CHAT.items(), key=lambda pair: -len(pair[0])):
        at = parts.find(word)
        if at >= 0 and (word[0] == "-" or at == 0 or not parts[at - 1].isalnum() or len(word) > 4):
            return False, what
    if "/" in name and any(f in parts for f in _FAMILIES) and not any(w in parts for w in _TUNED):
        return None, ""  # an open family publishes base models beside those for chat
    return (True, "") if any(word in parts for word in _CHAT) else (None, "")


def api_of(dotted: str, written: str) -> Api | None:
    """The family that a call belongs to.

    Args:
        dotted: What the call resolves to; "" when that is not known.
        written: The call as it is written, which decides where nothing resolves.
    """
    for api in APIS:
        for ending in api.endings:
            inside = dotted or written
            if not (inside == ending or inside.endswith(f".{ending.lstrip('.')}")):
                continue
            if not api.roots or dotted.partition(".")[0] in api.roots:
                return api
            if not dotted and "." in ending.lstrip(".") and api.name == "anthropic messages":
                return api
    return None
