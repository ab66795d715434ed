"""The ReAct loop: reason, act, observe, until there is an answer (Yao et al., 2023).

A turn is a thought and an action; the kernel runs the action, and what it gave is the observation
that the next turn sees. An agent cannot write an observation of its own: with native tool calling
the reply ends at the call, a typed turn has no room for more, and text ends before "Observation:".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput
from collegium.kernel import Agent, Message, Reply, ToolCall, Unparsed, Worked, output_of
from collegium.kernel.toolcalls import answer_calls

Form = Literal["native", "typed", "text"]
"""How a turn is written: the model's own tool calls, a typed value, or the paper's plain text."""

FINISH = "finish"
"""What the action is called that states the answer."""

_OUT_OF_STEPS = "Not run: no steps are left. Answer with what you know."
_FINAL = "State your final answer."

_FORM = """Go on in this form, one step at a time:
Thought: what to do next
Action: the name of a tool and its arguments as JSON, such as {example}
Then you are told the observation. When you know the answer, write instead:
Answer: the answer alone"""

_OBSERVATION = "Observation:"
_ACTION = "Action:"


class Step(msgspec.Struct, frozen=True):
    """One turn of the loop.

    Attributes:
        thought: What the agent reasoned.
        tool: The tool it used.
        arguments: With what.
        observation: What came back, or what went wrong.
        call: Trace id of the turn.
    """

    thought: str
    tool: str
    arguments: dict[str, Any]
    observation: str
    call: int


class Trajectory(msgspec.Struct, frozen=True):
    """What the loop came to.

    Attributes:
        answer: The answer in the type asked for; :class:`Unparsed` when there is none.
        steps: The turns that used tools.
        ended: "answer", or "steps" when it had to be stopped and asked.
    """

    answer: Any
    steps: tuple[Step, ...]
    ended: Literal["answer", "steps"]


async def react(
    agent: Agent,
    question: str,
    *,
    output: Any = str,
    steps: int = 8,
    form: Form = "native",
    temperature: float = 0.0,
    max_tokens: int = 256,
) -> Trajectory:
    """Let an agent solve a question with its tools.

    Args:
        agent: Who; it has the tools, and the conversation is kept in its history.
        question: What is asked.
        output: Type of the answer.
        steps: Turns with tools before it must answer.
        form: How a turn is written.
        temperature: Sampling temperature.
        max_tokens: Cap on a turn.

    Raises:
        BadInput: ``steps`` is below 1, or the agent has no tools.
        LimitReached: A limit of the run is used up.
    """
    if steps < 1:
        raise BadInput(f"a ReAct loop needs at least one step, not {steps}.")
    if not agent.tools:
        raise BadInput(f"agent {agent.name!r} has no tools to act with; give it some.")
    loop = {"native": _native, "typed": _typed, "text": _text}[form]
    return await loop(agent, question, output, steps, temperature, max_tokens)


def demonstration(
    agent: Agent, question: str, steps: Sequence[tuple[str, str, dict[str, Any], str]], answer: str
) -> list[Message]:
    """A solved question as turns of the text form, to be put before an agent's own conversation.

    The paper prompts with one to six of these (section 3); small models hardly use tools without.
    Give them as ``agent.history = [*demonstration(...), *demonstration(...)]``.

    Args:
        agent: Whose tools are shown.
        question: What was asked.
        steps: Thought, tool, arguments and observation of each step.
        answer: The answer it came to.
    """
    turns: list[Message] = []
    prompt = _first_prompt(agent, question)
    for thought, name, arguments, observation in steps:
        action = f"{_ACTION} {name} {json.dumps(arguments)}"
        turns += [
            Message("user", prompt),
            Message("assistant", f"Thought: {thought}\n{action}"),
        ]
        prompt = f"{_OBSERVATION} {observation}"
    return [*turns, Message("user", prompt), Message("assistant", f"Answer: {answer}")]


def _first_prompt(agent: Agent, question: str) -> str:
    return f"{question}\n\n{describe_tools(agent)}\n\n{_FORM.format(example=_example(agent))}"


async def _native(
    agent: Agent, question: str, output: Any, steps: int, temperature: float, max_tokens: int
) -> Trajectory:
    done: list[Step] = []

    async def turn(prompt: str) -> Reply[str]:
        return await agent.ask(
            prompt, tools=True, keep=True, temperature=temperature, max_tokens=max_tokens
        )

    reply = await turn(question)
    for _ in range(steps):
        if not reply.tool_calls:
            break
        results = await answer_calls(agent, reply.tool_calls)
        agent.history += results
        done += [
            Step(reply.text, call.name, call.arguments, result.text, reply.call)
            for call, result in zip(reply.tool_calls, results, strict=True)
        ]
        reply = await turn("")
    ended: Literal["answer", "steps"] = "steps" if reply.tool_calls else "answer"
    agent.history += [
        Message("tool", _OUT_OF_STEPS, tool_call_id=call.id) for call in reply.tool_calls
    ]
    if output is str and ended == "answer":
        return Trajectory(
            reply.text.strip() or Unparsed(reply.text, "empty reply"), (*done,), ended
        )
    final = await agent.ask(
        _FINAL, output=output, keep=True, temperature=temperature, max_tokens=max_tokens
    )
    return Trajectory(final.data, (*done,), ended)


async def _typed(
    agent: Agent, question: str, output: Any, steps: int, temperature: float, max_tokens: int
) -> Trajectory:
    move = move_type(agent, output)
    prompt = (
        f"{question}\n\n{describe_tools(agent)}\nTake one step at a time: a short thought, then "
        f'one action. The action "{FINISH}" states the answer.'
    )
    done: list[Step] = []
    for _ in range(steps):
        reply = await agent.ask(
            prompt, output=move, keep=True, temperature=temperature, max_tokens=max_tokens
        )
        if isinstance(reply.data, Unparsed):
            return Trajectory(reply.data, (*done,), "answer")
        turn: Any = reply.data  # a type made for this agent: unknown to a type checker
        action = turn.action
        name = str(action.__struct_config__.tag)
        if name == FINISH:
            return Trajectory(action.answer, (*done,), "answer")
        arguments = msgspec.to_builtins(action.arguments)
        (result,) = await answer_calls(agent, [ToolCall(str(reply.call), name, arguments)])
        done.append(Step(turn.thought, name, arguments, result.text, reply.call))
        prompt = f"Observation: {result.text}"
    final = await agent.ask(
        f"{prompt}\n\nNo steps are left. {_FINAL}",
        output=output,
        keep=True,
        temperature=temperature,
        max_tokens=max_tokens,
    )
    return Trajectory(final.data, (*done,), "steps")


async def _text(
    agent: Agent, question: str, output: Any, steps: int, temperature: float, max_tokens: int
) -> Trajectory:
    worked = output_of(Worked[output])
    prompt = _first_prompt(agent, question)
    done: list[Step] = []
    for _ in range(steps):
        reply = await agent.ask(
            prompt,
            stop=(_OBSERVATION,),
            keep=True,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        thought, found, rest = reply.text.partition(_ACTION)
        if not found:
            answer = worked.decode(reply.text, cut=reply.finish == "length")
            if isinstance(answer, Worked):
                return Trajectory(answer.answer, (*done,), "answer")
            break
        call = _read_action(rest, str(reply.call))
        if isinstance(call, str):
            name, arguments, observed = "", {}, call
        else:
            (result,) = await answer_calls(agent, [call])
            name, arguments, observed = call.name, call.arguments, result.text
        thought = thought.removeprefix("Thought:").strip()
        done.append(Step(thought, name, arguments, observed, reply.call))
        prompt = f"{_OBSERVATION} {observed}"
    final = await agent.ask(
        _FINAL, output=output, keep=True, temperature=temperature, max_tokens=max_tokens
    )
    return Trajectory(final.data, (*done,), "steps" if len(done) == steps else "answer")


def _read_action(text: str, identity: str) -> ToolCall | str:
    """The tool and arguments that an action names, or what is wrong with it."""
    name, brace, _ = text.partition("{")
    try:
        arguments, _ = json.JSONDecoder().raw_decode(text[len(name) :]) if brace else ({}, 0)
    except ValueError as error:
        return f"Error: the arguments are not JSON ({error})."
    name = name.strip().rstrip("(: \n").strip("`'\" ")
    return ToolCall(identity, name, arguments) if name else "Error: the action names no tool."


def _example(agent: Agent) -> str:
    """An action as the form wants it, of the agent's first tool."""
    name = agent.tools[0]
    properties = agent.kernel.tools[name].spec.parameters.get("properties", {})
    sample = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
    arguments = {p: sample.get(schema.get("type"), "...") for p, schema in properties.items()}
    return f"{name} {json.dumps(arguments)}"


def move_type(agent: Agent, output: Any, *, end: type | None = None) -> type[msgspec.Struct]:
    """The type of a turn: a thought, and one of the agent's tools with its arguments or the end.

    Args:
        agent: Whose tools.
        output: Type of the answer that ends the loop.
        end: Another action that ends it, in the place of one with an answer: a struct whose tag,
            in the field ``tool``, is its name.
    """
    finish = msgspec.defstruct("Finish", [("answer", output)], tag_field="tool", tag=FINISH)
    actions: list[Any] = [end or finish]
    for name in agent.tools:
        arguments = agent.kernel.tools[name].arguments
        fields = arguments if isinstance(arguments, type) else dict[str, Any]
        actions.append(
            msgspec.defstruct(f"Use_{name}", [("arguments", fields)], tag_field="tool", tag=name)
        )
    return msgspec.defstruct("Move", [("thought", str), ("action", reduce(or_, actions))])


def describe_tools(agent: Agent) -> str:
    """The tools of an agent as a prompt tells of them."""
    lines = ["You can use these tools:"]
    for name in agent.tools:
        spec = agent.kernel.tools[name].spec
        parameters = spec.parameters.get("properties", {})
        takes = ", ".join(f"{p}: {schema.get('type', 'any')}" for p, schema in parameters.items())
        lines.append(f"- {name}({takes}): {spec.description}")
    return "\n".join(lines)
