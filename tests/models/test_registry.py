from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from collegium.errors import BadInput, UnknownName, WeightsMissing
from collegium.models import EMBEDDED, LocalModel, RemoteModel, known_models, open_model
from tests.models.support import ask


def test_everyone_who_asks_shares_one_model() -> None:
    assert open_model("local") is open_model("local")
    assert open_model("local") is not open_model("local", exact=False)
    assert open_model("local", context=8192) is not open_model("local")
    remote = "openai:m@http://127.0.0.1:9/v1"
    assert open_model(remote, exact=True) is open_model(remote, exact=False)


def test_each_kind_of_name_opens_its_kind_of_model(tmp_path: Path) -> None:
    assert isinstance(open_model("local-tiny"), LocalModel)
    assert isinstance(open_model("openai:m@http://127.0.0.1:9/v1"), RemoteModel)
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    assert isinstance(open_model(f"gguf:{own}"), LocalModel)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("local-smal", "unknown model 'local-smal'; did you mean 'local-small'?"),
        ("gpt", "unknown model 'gpt'"),
        ("openai", "say which: openai:MODEL"),
        ("antropic:claude", "did you mean 'anthropic'"),
    ],
)
def test_an_unknown_name_gets_a_suggestion(name: str, says: str) -> None:
    with pytest.raises(UnknownName, match=says):
        open_model(name)


def test_a_wrong_option_is_bad_input() -> None:
    with pytest.raises(BadInput, match="colour"):
        open_model("local", colour="red")
    with pytest.raises(BadInput, match="slots=0"):
        open_model("local", slots=0)
    with pytest.raises(BadInput, match="there is no file"):
        open_model("gguf:/nowhere/x.gguf")
    with pytest.raises(BadInput, match="there is no file"):
        open_model("local", adapters={"mine": "/nowhere/x.gguf"})
    with pytest.raises(UnknownName, match="did you mean 'native'"):
        open_model("local", engine="nativ")


def test_the_list_says_what_is_present(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLEGIUM_CACHE", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-nothing-really")
    weights = EMBEDDED["local-tiny"]
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / weights.file).write_bytes(b"")
    models = {m.name: m for m in known_models()}
    assert models["local-tiny"].present is True
    assert models["local"].present is False
    assert models["local"].size == 1_117_320_768
    assert models["local"].engine == "wheel"
    assert models["anthropic:MODEL"].present is True
    assert models["openai:MODEL"].present is False
    assert "sk-ant" not in repr(models)


async def test_missing_weights_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLLEGIUM_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match="collegium models pull local-tiny"):
        await LocalModel("local-tiny").generate(ask())


def test_importing_models_loads_nothing_heavy() -> None:
    code = (
        "import sys, collegium.models; "
        "heavy = ('xllamacpp', 'pydantic_ai', 'httpx', 'aiohttp', 'openai'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
