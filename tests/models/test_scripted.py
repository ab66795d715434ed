from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from collegium.errors import BadInput, ContextTooLong, ModelError, Transient, UnknownName
from collegium.kernel.calls import Generate, Reply, ToolCall, Usage
from collegium.models import ScriptedModel, open_model
from collegium.models.model import Model
from tests.models.support import ask


async def test_a_function_answers_and_words_are_tokens() -> None:
    model = ScriptedModel(lambda r: f"seen {r.messages[0].text}")
    assert isinstance(model, Model)
    (reply,) = await model.generate(ask("three word prompt"))
    assert reply.text == "seen three word prompt"
    assert reply.usage == Usage(prompt=3, completion=4)


async def test_only_the_first_sample_carries_the_prompt() -> None:
    replies = await ScriptedModel(lambda r: "a b").generate(ask("one two", n=3))
    assert [r.usage for r in replies] == [Usage(2, 0, 2), Usage(0, 0, 2), Usage(0, 0, 2)]


async def test_an_async_function_may_give_one_answer_per_sample() -> None:
    async def script(request: Generate) -> list[str | Reply]:
        await asyncio.sleep(0)
        return ["first", Reply("second", finish="length")]

    first, second = await ScriptedModel(script).generate(ask(n=2))
    assert (first.text, second.text, second.finish) == ("first", "second", "length")


async def test_the_wrong_number_of_answers_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"asked for 3 samples.* gave 2"):
        await ScriptedModel(lambda r: ["a", "b"]).generate(ask(n=3))


async def test_a_given_usage_is_kept_and_tool_calls_count() -> None:
    paid = Usage(100, 40, 7, 0.5)
    call = ToolCall("1", "add", {})
    model = ScriptedModel(lambda r: [Reply("x", usage=paid), Reply("", tool_calls=(call,))])
    first, second = await model.generate(ask(n=2))
    assert first.usage == paid
    assert second.usage.completion == 1


async def test_errors_are_raised_whether_returned_or_thrown() -> None:
    def thrown(request: Generate) -> str:
        raise Transient("busy", 3.0)

    with pytest.raises(Transient):
        await ScriptedModel(thrown).generate(ask())
    with pytest.raises(ModelError, match="gone"):
        await ScriptedModel([("", ModelError("gone"))]).generate(ask())


async def test_rules_are_tried_in_order() -> None:
    rules = [("sum", "3"), (re.compile(r"^\d+ cats?$"), "meow"), ("", "what?")]
    model = ScriptedModel(rules)
    answers = {
        text: (await model.generate(ask(text)))[0].text for text in ("the sum", "2 cats", "")
    }
    assert answers == {"the sum": "3", "2 cats": "meow", "": "what?"}


async def test_no_rule_matches() -> None:
    with pytest.raises(ModelError, match="no rule of model 'script' matches 'other'"):
        await ScriptedModel([("sum", "3")]).generate(ask("other"))


def test_rules_must_be_pairs() -> None:
    with pytest.raises(BadInput, match="pairs"):
        ScriptedModel([("only one",)])  # type: ignore[list-item]


async def test_text_is_streamed_per_sample() -> None:
    heard: list[tuple[int, str]] = []
    await ScriptedModel(lambda r: ["a", "b"]).generate(ask(n=2), lambda i, t: heard.append((i, t)))
    assert heard == [(0, "a"), (1, "b")]


async def test_context_counts_words() -> None:
    with pytest.raises(ContextTooLong, match="6 tokens, 1 more than the 5 that fit"):
        await ScriptedModel(lambda r: "x", context=5).generate(ask("a b c d e f"))


async def test_a_delay_can_be_cancelled() -> None:
    task = asyncio.create_task(ScriptedModel(lambda r: "x", delay=3600).generate(ask()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_two_scripts_never_share_a_fingerprint() -> None:
    assert ScriptedModel(lambda r: "a").fingerprint != ScriptedModel(lambda r: "a").fingerprint


FILE = """
RULES = [("hello", "rule")]

def answer(request):
    return f"file: {request.messages[-1].text}"

_private = 1
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "my script.py"
    path.write_text(FILE)
    return path


async def test_a_file_is_a_model(script: Path) -> None:
    model = open_model(f"script:{script}:answer")
    assert (await model.generate(ask("hi")))[0].text == "file: hi"
    rules = open_model(f"script:{script}:RULES")
    assert (await rules.generate(ask("hello")))[0].text == "rule"
    assert model.fingerprint != rules.fingerprint


def test_a_changed_file_has_another_fingerprint(script: Path) -> None:
    from collegium.models.scripted import load_script

    before = load_script(f"script:{script}:answer").fingerprint
    assert load_script(f"script:{script}:answer").fingerprint == before
    script.write_text(FILE + "\n# changed\n")
    assert load_script(f"script:{script}:answer").fingerprint != before


def test_what_is_wrong_with_a_script_name_is_said(script: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"script:path/to/file.py:function"):
        open_model("script:file.py")
    with pytest.raises(BadInput, match="cannot read"):
        open_model(f"script:{tmp_path}/none.py:answer")
    with pytest.raises(UnknownName, match="did you mean 'answer'"):
        open_model(f"script:{script}:anser")
    with pytest.raises(BadInput, match="neither a function nor a list"):
        open_model(f"script:{script}:_private")
    script.write_text("x = (\n")
    with pytest.raises(BadInput, match="line 1: SyntaxError"):
        open_model(f"script:{script}:broken")
