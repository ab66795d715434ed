"""Typed outputs: the schema a model is held to, reading its reply, and asking once more."""

import dataclasses
import json
from typing import Any, Literal, NotRequired, TypedDict

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.errors import BadInput
from collegium.kernel import Kernel, Limits, Reply, Unparsed, Worked, output_of
from tests.kernel.support import Scripted, inorder


class Point(msgspec.Struct):
    """A place."""

    x: int
    y: float = 0.0


@dataclasses.dataclass
class Line:
    start: Point
    end: Point
    title: str  # a property with the name of a schema keyword


class Shape(TypedDict):
    lines: list[Line]
    name: NotRequired[str]


class Leaf(pydantic.BaseModel):
    colour: Literal["green", "red"]


class Tree(pydantic.BaseModel):
    leaves: list[Leaf]
    title: str
    favourite: Leaf | None = pydantic.Field(default=None, description="The best one.")


class Chain(msgspec.Struct):
    value: int
    rest: "Chain | None" = None


class Vine(pydantic.BaseModel):
    next: "Vine | None" = None


READABLE: list[tuple[Any, str, Any]] = [
    (str, "  some text\n", "some text"),
    (int, '{"answer": 12}', 12),
    (float, '{"answer": 12}', 12.0),
    (float, '{"answer": -1.5e3}', -1500.0),
    (bool, '{"answer": false}', False),
    (Literal["A", "B"], '{"answer": "B"}', "B"),
    (list[int], '{"answer": [1, 2]}', [1, 2]),
    (list[Point], '{"answer": [{"x": 1}]}', [Point(1)]),
    (dict[str, int], '{"answer": {"a": 1}}', {"a": 1}),
    (int | None, '{"answer": null}', None),
    (int | None, '{"answer": 3}', 3),
    (Point, '{"x": 1, "y": 2}', Point(1, 2.0)),
    (
        Line,
        '{"start": {"x": 1}, "end": {"x": 2}, "title": "t"}',
        Line(Point(1), Point(2), "t"),
    ),
    (
        Shape,
        '{"lines": [{"start": {"x": 1}, "end": {"x": 2}, "title": "t"}]}',
        {"lines": [Line(Point(1), Point(2), "t")]},
    ),
    (Leaf, '{"colour": "red"}', Leaf(colour="red")),
    (
        Tree,
        '{"leaves": [{"colour": "red"}], "title": "t"}',
        Tree(leaves=[Leaf(colour="red")], title="t"),
    ),
]


@pytest.mark.parametrize(("wanted", "text", "value"), READABLE)
async def test_a_reply_is_read_as_its_type(wanted: Any, text: str, value: Any) -> None:
    model = Scripted(text)
    reply = await Kernel(model).agent("a").ask("?", output=wanted)
    assert reply.data == value
    assert type(reply.data) is type(value)
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (int, "12"),
        (int, '{"answer": "twelve"}'),
        (int, '{"answer": 1.5}'),
        (int, '{"result": 12}'),
        (int, ""),
        (int, '{"answer": 1'),
        (int, '{"x": ' + "[" * 100_000),
        (bool, '{"answer": 1}'),
        (Literal["A", "B"], '{"answer": "C"}'),
        (list[int], '{"answer": [1, "a"]}'),
        (Point, '{"y": 1}'),
        (Line, '{"start": {"x": "a"}}'),
        (Shape, "{}"),
        (Leaf, '{"colour": "blue"}'),
        (Leaf, "red"),
        (str, " \n"),
    ],
)
def test_a_reply_that_does_not_fit_is_unparsed(wanted: Any, text: str) -> None:
    value = output_of(wanted).decode(text)
    assert isinstance(value, Unparsed)
    assert value.text == text
    assert value.reason
    assert not value


def test_an_object_is_found_among_other_words() -> None:
    text = 'Sure!\n```json\n{"answer": 3}\n```\nAnything else?'
    assert output_of(int).decode(text) == 3


@given(st.text() | st.text('{}[]":,answer0123 '))
def test_no_text_breaks_the_reader(text: str) -> None:
    for wanted in (int, list[int], Point, Leaf):
        value = output_of(wanted).decode(text)
        assert isinstance(value, Unparsed) or "answer" in text or "x" in text


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Every object inside a schema."""
    if isinstance(schema, list):
        return [n for s in schema for n in nodes(s)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(n for s in schema.values() for n in nodes(s))]


@pytest.mark.parametrize("wanted", [w for w, _, _ in READABLE if w is not str])
async def test_the_model_is_given_a_schema_that_stands_by_itself(wanted: Any) -> None:
    model = Scripted("{}")
    await Kernel(model).agent("a").ask("?", output=wanted)
    schema = model.requests[0].schema
    assert schema is not None
    assert schema["type"] == "object"
    for node in nodes(schema):
        assert "$ref" not in node
        assert "$defs" not in node
        # Whatever is required is described.
        assert set(node.get("required", ())) <= set(node.get("properties", ()))
        assert not isinstance(node.get("title"), str)
    json.dumps(schema)


async def test_plain_text_has_no_schema() -> None:
    model = Scripted("hi")
    await Kernel(model).agent("a").ask("?")
    assert model.requests[0].schema is None


def test_a_choice_is_an_enumeration_in_the_schema() -> None:
    schema = output_of(Literal["A", "B"]).schema
    assert schema is not None
    assert schema["properties"]["answer"] == {"enum": ["A", "B"]}


def test_what_stands_beside_a_reference_is_kept() -> None:
    schema = output_of(Tree).schema
    assert schema is not None
    favourite = schema["properties"]["favourite"]
    assert favourite["description"] == "The best one."
    assert favourite["anyOf"][0]["properties"] == {
        "colour": {"enum": ["green", "red"], "type": "string"}
    }


@pytest.mark.parametrize("wanted", [Chain, Vine, list[Chain]])
def test_a_type_that_contains_itself_is_refused(wanted: Any) -> None:
    with pytest.raises(BadInput, match="may not contain itself"):
        output_of(wanted)


@pytest.mark.parametrize("wanted", [complex, object(), list[Leaf]])
def test_a_type_without_a_schema_is_refused(wanted: Any) -> None:
    with pytest.raises(BadInput, match="no typed output can be made of"):
        output_of(wanted)


async def test_a_reply_that_does_not_fit_is_asked_for_once_more() -> None:
    model = Scripted(inorder('{"answer": "a dozen"}', '{"answer": 12}'))
    kernel = Kernel(model, seed=1)
    agent = kernel.agent("a", profile="You count.")
    reply = await agent.ask("How many?", output=int, temperature=0.3, max_tokens=50, keep=True)
    assert reply.data == 12
    first, second = model.requests
    assert second.messages[:2] == first.messages
    assert [(m.role, m.text) for m in second.messages[2:]] == [
        ("assistant", '{"answer": "a dozen"}'),
        (
            "user",
            "That reply does not fit: Expected `int`, got `str` - at `$.answer`. "
            "Reply with the JSON object alone.",
        ),
    ]
    assert (second.schema, second.temperature, second.max_tokens) == (first.schema, 0.3, 50)
    assert second.seed != first.seed
    events = kernel.trace.events
    assert [(e.outcome, e.call.parent, e.call.sources) for e in events] == [
        ("ok", None, ()),
        ("fix", 0, (0,)),
    ]
    # The conversation goes on from the good reply, as if it had been the first.
    assert [m.text for m in agent.history] == ["How many?", '{"answer": 12}']


async def test_a_reply_that_fails_twice_is_unparsed() -> None:
    model = Scripted(inorder("what?", "I do not know", "never asked for"))
    reply = await Kernel(model).agent("a").ask("?", output=int)
    assert isinstance(reply.data, Unparsed)
    assert (reply.data.text, reply.text) == ("I do not know", "I do not know")
    assert len(model.requests) == 2


async def test_a_reply_that_was_cut_off_is_asked_for_again_but_shorter() -> None:
    cut: Reply[Any] = Reply('{"answer": [1, 2, 3', finish="length")
    model = Scripted(inorder(cut, '{"answer": [1]}'))
    reply = await Kernel(model).agent("a").ask("?", output=list[int])
    assert reply.data == [1]
    assert model.prompts[1] == (
        "Your reply was cut off before it was complete; be much shorter. "
        "Reply with the JSON object alone."
    )


WORKED: list[tuple[Any, str, Any]] = [
    (float, "5 + 7 = 12\nAnswer: 12", Worked("5 + 7 = 12", 12.0)),
    (int, "Answer: 12", Worked("", 12)),
    (int, "Answer: 3\nNo, wrong.\nAnswer: 4\n\nDone.", Worked("Answer: 3\nNo, wrong.", 4)),
    (str, "He is.\nAnswer: Victor Hugo ", Worked("He is.", "Victor Hugo")),
    (str, "Answer: 12", Worked("", "12")),
    (Literal["A", "B"], "Both?\nAnswer: B", Worked("Both?", "B")),
    (Literal[1, 2], "Both?\nAnswer: 2", Worked("Both?", 2)),
    (bool, "Answer: true", Worked("", True)),
    (float, "So.\n**Answer: $1,250.50**", Worked("So.", 1250.5)),
    (float, "4. Answer: 7.", Worked("4.", 7.0)),
    (float, "So.\nIt is \\(\\boxed{1,250}\\).", Worked("So.", 1250.0)),
    (str, "Half.\n\\boxed{\\frac{1}{2}} of it", Worked("Half.", "\\frac{1}{2}")),
    (int, "Answer: 3\nNo: \\boxed{4}", Worked("Answer: 3", 4)),
    (int, "\\boxed{3}\nAnswer: 4", Worked("\\boxed{3}", 4)),
    (list[int], "Answer: [1, 2]", Worked("", [1, 2])),
    (Point, 'Answer: {"x": 1}', Worked("", Point(1))),
    (Leaf, 'Answer: {"colour": "red"}', Worked("", Leaf(colour="red"))),
]


@pytest.mark.parametrize(("answer", "text", "value"), WORKED)
async def test_reasoning_and_then_an_answer_of_a_type(answer: Any, text: str, value: Any) -> None:
    model = Scripted(text)
    reply = await Kernel(model).agent("a").ask("?", output=Worked[answer])
    assert reply.data == value
    assert isinstance(reply.data, Worked)
    assert type(reply.data.answer) is type(value.answer)
    (request,) = model.requests
    assert request.schema is None


@pytest.mark.parametrize(
    ("answer", "text", "reason"),
    [
        (int, "It is 12.", "there is no 'Answer:' line and no"),
        (int, "Answer:\n12 it", "the answer '12 it' does not fit"),
        (int, "Answer:", "the answer is empty"),
        (int, "\\boxed{}", "the answer is empty"),
        (int, "\\boxed{12 apples}", "does not fit"),
        (int, "Answer: twelve", "the answer 'twelve' does not fit"),
        (int, "Answer: 12 apples", "does not fit"),
        (Literal["A", "B"], "Answer: C", "the answer 'C' does not fit"),
        (list[Any], "Answer: " + "[" * 100_000, "does not fit"),
    ],
)
def test_an_answer_line_that_does_not_fit_is_unparsed(answer: Any, text: str, reason: str) -> None:
    value = output_of(Worked[answer]).decode(text)
    assert isinstance(value, Unparsed)
    assert value.text == text
    assert reason in value.reason


def test_reasoning_needs_an_answer_with_a_schema() -> None:
    with pytest.raises(BadInput, match="no typed output can be made of"):
        output_of(Worked[complex])


@pytest.mark.parametrize(
    ("answer", "given", "value", "form"),
    [
        (int, '{"answer": 125}', 125, 'the JSON object {"answer": ...}'),
        (str, "125 apples", "125 apples", "that answer"),
        (Point, '{"x": 1}', Point(1), "the JSON object"),
    ],
)
async def test_reasoning_without_an_answer_line_is_asked_for_the_answer_alone(
    answer: Any, given: str, value: Any, form: str
) -> None:
    model = Scripted(inorder("100 + 25, that is a lot.", given))
    reply = await Kernel(model).agent("a").ask("?", output=Worked[answer], max_tokens=300)
    assert reply.data == Worked("100 + 25, that is a lot.", value)
    first, second = model.requests
    assert first.schema is None
    assert second.schema == output_of(answer).schema
    assert (second.outcome, second.temperature, second.max_tokens) == ("fix", 0.0, 64)
    assert model.prompts[1] == f"So what is your final answer? Reply with {form} alone."
    # What others get to read holds the reasoning and the answer.
    assert reply.text.startswith("100 + 25, that is a lot.\nAnswer: ")


async def test_half_an_answer_line_is_no_answer() -> None:
    half: Reply[Any] = Reply("100 + 25\nAnswer: 12", finish="length")
    model = Scripted(inorder(half, '{"answer": 125}'))
    reply = await Kernel(model).agent("a").ask("?", output=Worked[int])
    assert reply.data == Worked("100 + 25\nAnswer: 12", 125)
    # A box that never closes is cut off too.
    assert isinstance(output_of(Worked[int]).decode("so \\boxed{12", cut=True), Unparsed)
    # What was cut off after the line does not matter.
    beyond: Reply[Any] = Reply("Answer: 12\nAnd then", finish="length")
    model = Scripted(beyond)
    reply = await Kernel(model).agent("a").ask("?", output=Worked[int])
    assert reply.data == Worked("", 12)
    # Cut off twice it is no answer at all, and the reasoning is still there to be read.
    reply = await Kernel(Scripted(half)).agent("a").ask("?", output=Worked[int])
    assert isinstance(reply.data, Unparsed)
    assert reply.text == half.text


async def test_a_repair_that_no_limit_allows_leaves_an_abstention() -> None:
    model = Scripted("no idea")
    kernel = Kernel(model, limits=Limits(calls=2))
    replies = await kernel.agent("a").ask("?", output=int, n=2)
    assert [type(r.data) for r in replies] == [Unparsed, Unparsed]
    assert kernel.meter.calls == 2


async def test_text_that_was_cut_off_is_text() -> None:
    model = Scripted(Reply("half a sen", finish="length"))
    reply = await Kernel(model).agent("a").ask("?")
    assert (reply.data, reply.finish) == ("half a sen", "length")
    assert len(model.requests) == 1


async def test_an_empty_text_is_an_abstention_without_a_second_question() -> None:
    model = Scripted("  ")
    reply = await Kernel(model).agent("a").ask("?")
    assert isinstance(reply.data, Unparsed)
    assert reply.data.reason == "empty reply"
    assert len(model.requests) == 1


async def test_every_sample_is_repaired_by_itself() -> None:
    def answer(request: Any, i: int) -> str:
        if request.n == 4:
            return ['{"answer": 1}', "bad one", '{"answer": 3}', "bad two"][i]
        return '{"answer": 2}' if "bad one" in request.messages[-2].text else "still bad"

    model = Scripted(answer)
    kernel = Kernel(model)
    replies = await kernel.agent("a").ask("?", output=int, n=4)
    assert [r.data for r in replies[:3]] == [1, 2, 3]
    assert isinstance(replies[3].data, Unparsed)
    assert [r.n for r in model.requests] == [4, 1, 1]
    assert kernel.meter.calls == 6
    assert [e.call.parent for e in kernel.trace.events] == [None, 0, 0]


@pytest.mark.parametrize("n", [0, -1])
async def test_the_fewest_samples_are_one(n: int) -> None:
    with pytest.raises(BadInput, match=f"asked for {n} samples"):
        await Kernel(Scripted("hi")).agent("a").ask("?", n=n)


@pytest.mark.parametrize("wanted", [int, Worked[int]])
async def test_a_caller_that_wants_no_repair_gets_the_abstention(wanted: Any) -> None:
    model = Scripted("no idea")
    reply = await Kernel(model).agent("a").ask("?", output=wanted, repair=False)
    assert isinstance(reply.data, Unparsed)
    assert len(model.requests) == 1
