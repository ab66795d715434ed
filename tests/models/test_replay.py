from __future__ import annotations

from pathlib import Path

import pytest

from collegium.errors import BadInput, ModelError
from collegium.kernel import Kernel
from collegium.kernel.calls import Generate, Image, Message, Reply, TokenLogprob, ToolCall, Usage
from collegium.models import RecordingModel, ReplayModel, ScriptedModel, open_model
from collegium.models.model import Model
from tests.models.support import ask


def counting() -> ScriptedModel:
    """Answers that differ from call to call."""
    count = iter(range(100))
    return ScriptedModel(lambda r: [f"{r.messages[-1].text} {next(count)}" for _ in range(r.n)])


async def test_a_recording_gives_back_what_was_recorded(tmp_path: Path) -> None:
    rich = Reply(
        "text",
        tool_calls=(ToolCall("1", "add", {"a": [1, None]}),),
        logprobs=(TokenLogprob("t", -0.5, {"t": -0.5}),),
        usage=Usage(5, 3, 2, 0.25),
        finish="tool",
    )
    recording = RecordingModel(ScriptedModel(lambda r: rich), tmp_path / "folder" / "tape.jsonl")
    assert isinstance(recording, Model)
    picture = Message("user", "look", images=(Image(b"\x00\xff"),))
    request = ask(messages=(picture,), schema={"type": "object"}, stop=("x",), seed=3)
    recorded = await recording.generate(request)
    replayed = await ReplayModel(tmp_path / "folder" / "tape.jsonl").generate(request)
    assert replayed == recorded == (rich,)


async def test_one_line_per_request_and_more_can_be_added(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    for text in ("a", "b"):
        await RecordingModel(counting(), tape).generate(ask(text, n=2))
    assert len(tape.read_text().splitlines()) == 2
    replay = ReplayModel(tape)
    assert [r.text for r in await replay.generate(ask("b", n=2))] == ["b 0", "b 1"]


async def test_who_asks_does_not_matter_but_what_is_asked_does(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    await RecordingModel(counting(), tape).generate(ask("a", seed=1))
    replay = ReplayModel(tape)
    other = Generate(agent="x", role="y", messages=(Message("user", "a"),), seed=1, parent=7)
    assert (await replay.generate(other))[0].text == "a 0"
    with pytest.raises(BadInput, match="seed 1 instead of 2"):
        await replay.generate(ask("a", seed=2))


async def test_repeated_requests_get_their_answers_in_turn(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    recording = RecordingModel(counting(), tape)
    for _ in range(2):
        await recording.generate(ask("a"))
    replay = ReplayModel(tape)
    texts = [(await replay.generate(ask("a")))[0].text for _ in range(3)]
    assert texts == ["a 0", "a 1", "a 0"]


async def test_fewer_samples_than_recorded_are_the_first_ones(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    await RecordingModel(counting(), tape).generate(ask("a", n=3))
    assert [r.text for r in await ReplayModel(tape).generate(ask("a", n=2))] == ["a 0", "a 1"]
    with pytest.raises(BadInput, match="fewer than 4 samples"):
        await ReplayModel(tape).generate(ask("a", n=4))


async def test_the_nearest_recorded_request_explains_a_miss(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    recording = RecordingModel(counting(), tape)
    await recording.generate(ask("how many apples has Ann got?"))
    await recording.generate(ask("something else altogether"))
    replay = ReplayModel(tape)
    with pytest.raises(BadInput) as caught:
        await replay.generate(ask("how many apples has Bob got?"))
    assert "'Ann got?'" in str(caught.value) or "Ann got?" in str(caught.value)
    assert "Bob got?" in str(caught.value)
    assert "character 20" in str(caught.value)
    longer = (Message("system", "be brief"), Message("user", "how many apples has Ann got?"))
    with pytest.raises(BadInput, match="1 messages instead of 2"):
        await replay.generate(ask(messages=longer))


async def test_any_trace_can_be_replayed(tmp_path: Path) -> None:
    kernel = Kernel(ScriptedModel(lambda r: f"live {r.messages[-1].text}"))
    await kernel.agent("solver").ask("question")
    kernel.trace.save(tmp_path / "trace.jsonl")
    replay = Kernel(open_model(f"replay:{tmp_path / 'trace.jsonl'}"))
    reply = await replay.agent("someone else").ask("question")
    assert reply.text == "live question"


async def test_nothing_is_recorded_of_a_failure(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    with pytest.raises(ModelError):
        await RecordingModel(ScriptedModel([("", ModelError("no"))]), tape).generate(ask())
    assert not tape.exists()


async def test_a_recording_has_the_inner_models_identity(tmp_path: Path) -> None:
    inner = ScriptedModel(lambda r: "x", "inner", context=9)
    recording = RecordingModel(inner, tmp_path / "t.jsonl")
    assert (recording.name, recording.context) == ("inner", 9)
    assert recording.fingerprint == inner.fingerprint


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot read"), ("", "no trace events"), ("{not json\n", "line 1")],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: str | None, says: str) -> None:
    file = tmp_path / "tape.jsonl"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadInput, match=says):
        ReplayModel(file)


async def test_a_recording_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot write the recording"):
        await RecordingModel(counting(), tmp_path / "file" / "tape").generate(ask())
