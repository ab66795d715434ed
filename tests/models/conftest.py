"""What tests of models share: a server that speaks the OpenAI protocol, and the tiny model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))

from collegium.models import LocalModel, ScriptedModel
from collegium.models.weights import EMBEDDED, weights_file
from tests.models.openai_server import OpenAIServer


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A server whose model echoes the last message."""
    with OpenAIServer(ScriptedModel(lambda r: f"you said: {r.messages[-1].text}")) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no real account."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "COLLEGIUM_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def need(name: str) -> None:
    """Skip a test whose embedded model is not on this machine."""
    if not weights_file(EMBEDDED[name]).is_file():
        pytest.skip(f"the weights of {name} are not here: collegium models pull {name}")


@pytest.fixture(scope="module")
def tiny() -> LocalModel:
    """The smallest embedded model, exact; the engine is shared by all tests of a module."""
    need("local-tiny")
    return LocalModel("local-tiny")


@pytest.fixture(scope="module")
def fast_tiny() -> LocalModel:
    """The smallest embedded model under the fast policy."""
    need("local-tiny")
    return LocalModel("local-tiny", exact=False)


@pytest.fixture(scope="module", autouse=True)
def _engines_end() -> Iterator[None]:
    """No engine outlives the module that used it."""
    yield
    from collegium.models.engine import stop_all

    stop_all()
