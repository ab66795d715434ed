"""Grammars read and followed in Python, and carried to models."""

import pytest

from collegium.errors import BadInput
from collegium.guard.ltl.content import Choices, Regex, Schema, Text, grammar_of, normal
from collegium.kernel import Generate, Message
from collegium.kernel.keys import request_key
from collegium.models.gbnf import Grammar, grammar, literal, obeyed
from collegium.models.scripted import ScriptedModel

CUES = ("[Thought]", "[Action]", "[Action Input]")


def asking(**fields: object) -> Generate:
    call = Generate(agent="a", role="a", messages=(Message("user", "go"),))
    from msgspec.structs import replace

    return replace(call, **fields)


def test_the_notation() -> None:
    rules = Grammar(
        'root ::= word ("," word){1,2} # a comment\n'
        'word ::= [a-c]+ | "\\"x\\n" | [^\\]a-z] "z"?\n'
        "unused ::= .*"
    )
    for good in ("a,b", 'abc,"x\n,?z', "A,b,c"):
        assert rules.accepts(good)
    for bad in ("", "a", "a,b,c,a", "d,a", "],a", "a;b"):
        assert not rules.accepts(bad)
    assert rules.prefix("a,b;c") == "a,b"
    assert rules.completion("a") == ",a"
    assert rules.next_character("ab") == ""
    quoted = literal('a"b')
    assert Grammar(f"root ::= {quoted}").next_character("a") == '"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rot ::= a", "uses 'a', which is missing"),
        ("rot ::= [a]", "needs a rule named root"),
        ("root = a", "line 1 of the grammar: expected ::="),
        ('root ::= ("a"', "expected \\)"),
        ('root ::= "a', "expected more"),
    ],
)
def test_a_wrong_grammar(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Grammar(text)


def test_free_text_holds_no_cue() -> None:
    rules = grammar_of(Text(), "", CUES, 8)
    for good in ("hello", "a [1, 2] b", "[Thoughts] [[Act", "x" * 32):
        assert rules.accepts(good), good
    for bad in ("", "a\nb", "see [Action] now", "[[Thought]", "[Act[Action Input]", "x" * 33):
        assert not rules.accepts(bad), bad
    assert grammar_of(Text(lines=True), "", CUES, 8).accepts("a\nb")


def test_regular_expressions() -> None:
    rules = grammar_of(Regex(r"(\d{1,2}|none)-[^x]\w*\.?"), "", CUES, 8)
    for text in ("1-a", "none-ab_c.", "99-."):
        assert rules.accepts(text)
    for text in ("1", "100-a", "1-x", "1-a.."):
        assert not rules.accepts(text)
    with pytest.raises(BadInput, match=r"look|assert"):
        grammar_of(Regex(r"a(?=b)"), "", CUES, 8)


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "kind": {"enum": ["a", 1, None]},
        "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "more": {},
    },
    "required": ["name", "size"],
}


def test_json_by_schema() -> None:
    rules = grammar_of(Schema(SCHEMA), "", CUES, 64)
    for good in (
        '{"name": "x", "size": null}',
        '{"name": "", "kind": 1, "size": -12, "tags": [], "more": {"a": [1.5, true, "b"]}}',
        '{"name": "a\\"b", "size": 0, "tags": ["x", "y"]}',
    ):
        assert rules.accepts(good), good
    for bad in (
        '{"size": 1}',
        '{"name": "toolong", "size": 1}',
        '{"name": "x", "kind": 2, "size": 1}',
        '{"name": "x", "size": 1.5}',
        '{"name": "x", "size": 1, "tags": ["a", "b", "c"]}',
        '{"name": "x", "size": 1, "other": 1}',
        '{"name": "x", "size": 1, "tags": ["[Action]"]}',
    ):
        assert not rules.accepts(bad), bad
    text = '{"size":1,\n "name":"x"}'
    assert normal(Schema(SCHEMA), "", text) == '{"name": "x", "size": 1}'


async def test_a_speaker_is_led_back_into_the_grammar() -> None:
    rules = grammar('root ::= "name: " [a-z]{1,9} "."')

    async def said(written: str) -> str:
        wanted = "Name: Bob!"
        return wanted[len(written) :]

    text = await obeyed(rules, said)
    assert rules.accepts(text)
    assert text.startswith("name: ")

    async def silent(written: str) -> str:
        return ""

    assert await obeyed(rules, silent) == "name: a."


async def test_a_scripted_model_obeys_the_grammar_of_a_request() -> None:
    model = ScriptedModel(lambda request: "whatever I like")
    request = asking(grammar='root ::= "yes" | "no"', n=2)
    replies = await model.generate(request)
    assert [r.text for r in replies] == ["no", "no"]
    (free,) = await model.generate(asking())
    assert free.text == "whatever I like"


def test_a_choice_is_one_of_its_options() -> None:
    rules = grammar_of(Choices(("look", "look up")), "", CUES, 8)
    assert rules.accepts("look up") and rules.accepts("look")
    assert not rules.accepts("loo")


def test_a_grammar_decides_the_key_of_a_request() -> None:
    keys = {request_key(asking(grammar=g)) for g in (None, 'root ::= "a"', 'root ::= "b"')}
    assert len(keys) == 3


async def test_a_model_behind_an_api_refuses_a_grammar() -> None:
    pytest.importorskip("pydantic_ai")
    from collegium.models.remote import RemoteModel

    model = RemoteModel("openai:some@http://127.0.0.1:9/v1")
    with pytest.raises(BadInput, match="monitor mode"):
        await model.generate(asking(grammar='root ::= "a"'))


def test_the_embedded_engine_takes_a_grammar_or_a_schema_but_not_both() -> None:
    from collegium.models.chat import chat_body
    from collegium.models.local import LocalModel

    request = asking(grammar='root ::= "a"')
    assert chat_body(request, n=1, seed=1, stream=False)["grammar"] == request.grammar
    model = LocalModel("local-tiny")
    assert not model.can_slice(request)
    with pytest.raises(BadInput, match="but not both"):
        model.check(asking(grammar='root ::= "a"', schema={"type": "object"}))
