"""Typed outputs: from a Python type to the JSON schema a model must keep, and back to a value."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

import msgspec

from collegium.errors import BadInput
from collegium.kernel.calls import Unparsed

T = TypeVar("T")


ANSWER_LINE = "Answer:"
"""What the line with the answer of a :class:`Worked` reply begins with."""


BOX = "\\boxed{"
"""The other way to state it: how models trained on mathematics end a solution."""


class Worked(msgspec.Struct, Generic[T], frozen=True):
    """Reasoning in plain text, then an answer of a type, on a last line or in a box.

    Small models reason far better in plain text than inside a JSON string, and ramble when a
    grammar forbids them to end. So the whole reply is free; where its answer line is missing or
    does not fit, one short question more asks for the answer alone, under the answer's schema.
    """

    reasoning: str
    answer: T


class Output(msgspec.Struct, Generic[T], frozen=True):
    """How a value of some type is asked for and read.

    Attributes:
        schema: The JSON schema to constrain the reply with; None for plain text.
        wrapped: Whether the value sits in an object under "answer" (numbers, choices, lists:
            models keep objects far better than bare values).
        type: The type to decode.
        reasoned: Free reasoning comes first and ``type`` is that of the answer line.
    """

    schema: dict[str, Any] | None
    wrapped: bool
    type: Any
    reasoned: bool = False

    def decode(self, text: str, *, cut: bool = False) -> T | Unparsed:
        """Read a reply; an unreadable one is a value too.

        Args:
            text: The reply.
            cut: The token cap ended it, so what it ends with may be half of something.
        """
        if self.reasoned:
            return self._decode_worked(text, cut)
        if self.schema is None:
            return text.strip() or Unparsed(text, "empty reply")  # type: ignore[return-value]
        body = text[text.find("{") : text.rfind("}") + 1] or text
        try:
            if hasattr(self.type, "model_validate_json"):
                return self.type.model_validate_json(body)
            value = msgspec.json.decode(body, type=self.type)
        except (ValueError, RecursionError) as error:
            return Unparsed(text, str(error))
        return value.answer if self.wrapped else value

    def _decode_worked(self, text: str, cut: bool) -> Any:
        """Split at the last stated answer; it must be of the type, nothing more or less."""
        found = stated_answer(text)
        if found is None:
            return Unparsed(text, f"there is no {ANSWER_LINE!r} line and no \\boxed{{...}}")
        reasoning, line, whole = found
        if not line:
            return Unparsed(text, "the answer is empty")
        if cut and not whole:
            return Unparsed(text, "the answer is cut off")
        try:
            if self.type is str:
                answer = line
            elif hasattr(self.type, "model_validate_json"):
                answer = self.type.model_validate_json(line)
            elif get_origin(self.type) is Literal and isinstance(get_args(self.type)[0], str):
                answer = msgspec.convert(line.rstrip(".)"), self.type)
            else:
                # models like to end sentences, to name a currency, to group thousands
                plain = line.rstrip(".").lstrip("$") if self.type in (int, float) else line
                plain = plain.replace(",", "") if self.type in (int, float) else plain
                answer = msgspec.json.decode(plain, type=self.type)
        except (ValueError, RecursionError) as error:
            return Unparsed(text, f"the answer {line!r} does not fit: {error}")
        return Worked(reasoning, answer)


def stated_answer(text: str) -> tuple[str, str, bool] | None:
    r"""Find where a worked reply states its answer: the last answer line or ``\boxed{...}``.

    Returns:
        The reasoning before it, the answer as written, and whether it surely ends there (it might
        go on where the reply was cut off); None when no answer is stated.
    """
    line_at, box_at = text.rfind(ANSWER_LINE), text.rfind(BOX)
    if box_at > line_at:
        depth = 1
        start = box_at + len(BOX)
        for end in range(start, len(text)):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            if depth == 0:
                line_start = text.rfind("\n", 0, box_at) + 1
                return text[:line_start].strip(), text[start:end].strip(), True
        return text[:box_at].strip(), text[start:].strip(), False
    if line_at < 0:
        return None
    rest = text[line_at + len(ANSWER_LINE) :].lstrip()
    line, newline, _ = rest.partition("\n")
    before = text[:line_at].strip().rstrip("*").rstrip()
    return before, line.strip().strip("*").strip(), bool(newline)


@lru_cache(maxsize=256)
def output_of(wanted: Any) -> Output[Any]:
    """The output description of a type.

    Args:
        wanted: str (plain text), int, float, bool, a Literal of choices, list[...], a dataclass,
            a msgspec struct, a TypedDict, a pydantic model, or ``Worked[T]``: free reasoning and
            then a T.

    Raises:
        BadInput: The type has no JSON schema.
    """
    if wanted is str:
        return Output(schema=None, wrapped=False, type=str)
    if hasattr(wanted, "model_json_schema"):
        return Output(schema=inline(wanted.model_json_schema()), wrapped=False, type=wanted)
    try:
        if get_origin(wanted) is Worked:
            (answer,) = get_args(wanted)
            output_of(answer)  # the answer alone must be askable too
            return Output(schema=None, wrapped=False, type=answer, reasoned=True)
        info = msgspec.inspect.type_info(wanted)
        is_object = isinstance(
            info,
            msgspec.inspect.StructType
            | msgspec.inspect.DataclassType
            | msgspec.inspect.TypedDictType,
        )
        target = wanted if is_object else msgspec.defstruct("Answer", [("answer", wanted)])
        schema = inline(msgspec.json.schema(target))
        return Output(schema=schema, wrapped=not is_object, type=target)
    except TypeError as error:
        reason = str(error).rpartition("\n")[2]
        raise BadInput(f"no typed output can be made of {wanted!r}: {reason}.") from None


def inline(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its references put in place (small engines read no ``$ref``), without titles.

    Raises:
        BadInput: The type contains itself.
    """
    definitions = schema.get("$defs", {})

    def put(node: Any, inside: tuple[str, ...]) -> Any:
        if isinstance(node, list):
            return [put(n, inside) for n in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[-1]
            if name in inside:
                raise BadInput(f"an output type may not contain itself ({name}).")
            beside = {k: v for k, v in node.items() if k not in ("$ref", "$defs")}
            return put({**definitions[name], **beside}, (*inside, name))
        # A property may be called "title" too; its value is a schema, not a text.
        return {
            k: put(v, inside)
            for k, v in node.items()
            if k != "$defs" and not (k == "title" and isinstance(v, str))
        }

    return put(schema, ())
