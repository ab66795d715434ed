"""Models by name."""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput, UnknownName, unknown_name
from collegium.models.local import LocalModel
from collegium.models.model import Model
from collegium.models.native import find_native
from collegium.models.remote import PROVIDERS, RemoteModel
from collegium.models.replay import load_replay
from collegium.models.scripted import load_script
from collegium.models.weights import EMBEDDED, weights_file

Kind = Literal["embedded", "remote", "scripted", "replay"]


class ModelInfo(msgspec.Struct, frozen=True):
    """One line of ``collegium models``.

    Attributes:
        name: What to write after ``--model``.
        kind: What sort of model it is.
        description: One sentence.
        size: Bytes of its weights; 0 when it has none.
        present: Whether it can be used as things stand: the weights are on this machine, the key
            is set; None when that cannot be told beforehand.
        engine: "native" or "wheel" for embedded models.
    """

    name: str
    kind: Kind
    description: str
    size: int = 0
    present: bool | None = None
    engine: str = ""


FURTHER: dict[str, str] = dict.fromkeys(
    ("a2a", "acp", "mcp", "anp"), "collegium.protocols.members:Member"
)
"""Kinds of models that live in rooms above this one, by the prefix of their names: where the class
is that makes one of a name. It is imported when a model of that kind is asked for."""

_open: dict[tuple[Any, ...], Model] = {}
_lock = threading.Lock()


def open_model(name: str, *, exact: bool = True, **options: Any) -> Model:
    """The model of a name; within a process, everyone who asks shares one.

    Args:
        name: ``local``, ``local-small``, ``local-tiny``; ``gguf:PATH``; ``PROVIDER:MODEL``;
            ``openai:MODEL@http://host/v1``; ``script:FILE.py:FUNCTION``; ``replay:FILE``;
            an agent elsewhere, ``a2a:http://host``, ``acp:``, ``mcp:``, ``anp:``.
        exact: Embedded models only: reproducible rather than fast, see :class:`LocalModel`.
        options: Passed on to the model (``context``, ``slots``, ``adapters``, ...).

    Raises:
        UnknownName: There is no such model or provider.
        MissingKey: A provider's key is not set.
        MissingExtra: A library is not installed.
        BadInput: The name or an option is wrong.
    """
    prefix, colon, _ = name.partition(":")
    embedded = not colon or prefix == "gguf"
    key = (name, embedded and exact, *sorted((k, repr(v)) for k, v in options.items()))
    with _lock:
        if key not in _open:
            try:
                _open[key] = _make(name, prefix if colon else "", exact, options)
            except TypeError as error:
                raise BadInput(f"model {name!r}: {error}.") from None
        return _open[key]


def _make(name: str, prefix: str, exact: bool, options: dict[str, Any]) -> Model:
    if prefix == "script":
        return load_script(name, **options)
    if prefix == "replay":
        return load_replay(name, **options)
    if prefix == "gguf" or (not prefix and name in EMBEDDED):
        return LocalModel(name, exact=exact, **options)
    if prefix in FURTHER:
        module, _, attribute = FURTHER[prefix].partition(":")
        return getattr(importlib.import_module(module), attribute)(name, **options)
    if not prefix:
        raise _unknown(name)
    return RemoteModel(name, **options)


def _unknown(name: str) -> UnknownName:
    """The error for a name without a provider; "openai" alone is told what is missing."""
    if name in PROVIDERS:
        return UnknownName(f"unknown model {name!r}; say which: {name}:MODEL")
    return unknown_name("model", name, EMBEDDED)


def known_models() -> list[ModelInfo]:
    """What can be written after ``--model``, embedded models first."""
    engine = "native" if find_native() else "wheel"
    embedded = [
        ModelInfo(
            name=w.name,
            kind="embedded",
            description=f"{w.title}. {w.description}",
            size=w.size,
            present=weights_file(w).is_file(),
            engine=engine,
        )
        for w in EMBEDDED.values()
    ]
    own = ModelInfo("gguf:FILE", "embedded", "Any GGUF file of your own.", engine=engine)
    remote = [
        ModelInfo(
            name=f"{provider}:MODEL",
            kind="remote",
            description=f"Key: {key}." if key else "A server of your own.",
            present=bool(os.environ.get(key)) if key else None,
        )
        for provider, key in PROVIDERS.items()
    ]
    return [
        *embedded,
        own,
        ModelInfo("openai:MODEL@URL", "remote", "Any server that speaks the OpenAI protocol."),
        *remote,
        ModelInfo("script:FILE.py:FUNCTION", "scripted", "A Python function, or a list of rules."),
        ModelInfo("replay:FILE", "replay", "The answers of a saved trace."),
    ]
