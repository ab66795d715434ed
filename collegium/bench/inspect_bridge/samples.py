"""Samples of Inspect as tasks, and answers to them as its scorers read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collegium.bench.inspect_bridge.wire import our_messages
from collegium.bench.jobs import answer_text
from collegium.errors import BadInput, missing_extra
from collegium.kernel import Message, Unparsed
from collegium.tasks.answers import choice_letter
from collegium.tasks.number import parse_number
from collegium.tasks.task import AnswerKind, Task

try:
    from inspect_ai.model import ChatMessage, ChatMessageAssistant, ModelOutput
    from inspect_ai.solver import TaskState
except ImportError:
    raise missing_extra("inspect", "the bridge to Inspect AI") from None

LETTER = "ANSWER: {answer}"
"""How the choice of an option is written, which is how Inspect's own solver has it written."""

_SAID = {"user": "User", "assistant": "Assistant", "tool": "Tool"}


def kind_of(choices: Sequence[str] | None, targets: Sequence[str]) -> AnswerKind:
    """The kind of answer that is wanted: of the targets only their form is looked at.

    Args:
        choices: The options, if there are any.
        targets: What is right.
    """
    if choices:
        return "choice"
    numbers = bool(targets) and all(parse_number(t) is not None for t in targets)
    return "number" if numbers else "text"


def task_of(
    identity: str,
    messages: Sequence[ChatMessage] | str,
    *,
    choices: Sequence[str] | None,
    answer: AnswerKind,
) -> Task:
    """A sample as a task: what its system messages say are rules, the rest is the prompt.

    Args:
        identity: Its id.
        messages: Its input.
        choices: Its options.
        answer: Kind of answer wanted.

    Raises:
        BadInput: The input is not text, or there are more options than letters.
    """
    said = (Message("user", messages),) if isinstance(messages, str) else our_messages(messages)
    if any(m.images for m in said):
        raise BadInput(f"sample {identity} shows pictures, and a task here is text alone.")
    if len(choices or ()) > 26:
        raise BadInput(f"sample {identity} has {len(choices or ())} options; 26 have a letter.")
    turns = [m for m in said if m.role != "system" and m.text]
    if not turns:
        raise BadInput(f"sample {identity} asks nothing.")
    prompt = turns[0].text if len(turns) == 1 else "\n\n".join(map(_turn, turns))
    return Task(
        id=identity,
        prompt=prompt,
        rules="\n\n".join(m.text for m in said if m.role == "system"),
        answer=answer,
        choices=tuple(choices or ()),
    )


def _turn(message: Message) -> str:
    return f"{_SAID[message.role]}: {message.text}"


def put_answer(
    state: TaskState, answer: Any, form: str, model: str, *, by_text: bool = False
) -> TaskState:
    """Write an answer into a state, as a solver leaves it: output, last message, marked option.

    Args:
        state: The state.
        answer: What a system returned; nothing, where it abstained.
        form: How an answer in words is written, with a place for ``{answer}``; a chosen option
            is written as :data:`LETTER`.
        model: Who says it.
        by_text: Write the text of a chosen option instead, for a target that is one.
    """
    text = "" if isinstance(answer, Unparsed) else answer_text(answer)
    options = [choice.value for choice in state.choices]
    if options:
        letter = choice_letter(answer, options)
        for i in range(len(options)):
            state.choices.mark_choice(i, letter == chr(ord("A") + i))
        if by_text and letter:
            text = options[ord(letter) - ord("A")]
        else:
            text, form = letter or "", LETTER
    written = form.replace("{answer}", text) if text else ""
    state.output = ModelOutput.from_content(model, written)
    state.messages.append(ChatMessageAssistant(content=written, model=model, source="generate"))
    return state
