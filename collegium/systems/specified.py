"""What agents made from a temporal specification share: tools, answers, the account of a run."""

from __future__ import annotations

from typing import Any, Literal

from collegium.errors import BadInput
from collegium.guard.ltl.content import Choices, Content, Regex, Text
from collegium.guard.ltl.decoding import run
from collegium.guard.ltl.drawing import draw_svg
from collegium.guard.ltl.free import run_free
from collegium.guard.ltl.library import Schemas
from collegium.guard.ltl.spec import Spec
from collegium.guard.ltl.transcripts import Transcript
from collegium.kernel import Agent, Kernel, Unparsed
from collegium.systems.system import Result
from collegium.tasks.answers import normalise_answer
from collegium.tasks.task import Task
from collegium.tools.calculator import calculator

Form = Literal["mask", "monitor", "free"]
"""How the model is held to the specification: by a grammar, by cutting and asking again, or not."""

CODE_TOKENS = 700
PROFILE = "You solve tasks step by step and use tools instead of guessing."


def acting(kernel: Kernel, task: Task, name: str = "solver") -> tuple[Agent, bool]:
    """The agent that acts, with all tools of the kernel, or a calculator where there are none.

    Returns:
        The agent, and whether the calculator is all it has.
    """
    if not len(kernel.tools):
        kernel.tools.add(calculator)
    names = tuple(kernel.tools)
    profile = f"{PROFILE} {task.rules}".strip()
    return kernel.agent(name, profile=profile, tools=names), names == (calculator.spec.name,)


def schemas(agent: Agent) -> Schemas:
    """The JSON schemas of an agent's tools, by name."""
    return {name: agent.kernel.tools[name].spec.parameters for name in agent.tools}


def answer_content(task: Task) -> Content:
    """What the answer of a task must be."""
    match task.answer:
        case "number":
            return Regex(r"-?\d{1,15}(\.\d{1,10})?", "a plain number without units")
        case "choice" if task.choices:
            return Choices(task.letters)
        case "code":
            return Text(lines=True)
    return Text()


def answer_tokens(task: Task, tokens: int) -> int:
    """How long the answer of a task may be."""
    return max(tokens, CODE_TOKENS) if task.answer == "code" else tokens


def read_answer(task: Task, text: str | None) -> Any:
    """The answer of a task, in its type; :class:`Unparsed` when there is none."""
    if text is None:
        return Unparsed("", "the transcript holds no answer")
    if task.answer in ("number", "choice"):
        known = normalise_answer(text, task.answer, task.choices)
        if known is None:
            return Unparsed(text, f"no {task.answer}")
        return float(str(known)) if task.answer == "number" else known
    return text or Unparsed("", "the answer is empty")


async def solve_by(
    spec: Spec,
    agent: Agent,
    task: Task,
    *,
    form: Form,
    steps: int,
    examples: tuple[str, ...],
    temperature: float,
) -> Result:
    """Run a specification on a task.

    Raises:
        BadInput: The form is unknown, or the model takes no grammar.
        LimitReached: A limit ended the run; the transcript so far was kept.
    """
    picture = draw_svg(
        spec.automaton, f"{spec.name}: {spec.source}", {s.name: s.cue for s in spec.states}
    )

    def result(transcript: Transcript) -> Result:
        return concluded(spec, task, transcript, form, picture)

    def keep(transcript: Transcript) -> None:
        agent.kernel.keep(result(transcript))

    if form == "free":
        transcript = await run_free(
            spec,
            agent,
            task.text,
            steps=steps,
            examples=examples,
            temperature=temperature,
            keep=keep,
        )
    else:
        transcript = await run(
            spec,
            agent,
            task.text,
            mode=form,
            steps=steps,
            examples=examples,
            temperature=temperature,
            keep=keep,
        )
    return result(transcript)


def concluded(spec: Spec, task: Task, transcript: Transcript, form: Form, picture: str) -> Result:
    """The result of a transcript: the answer, and how it came about."""
    verdict = transcript.verdict
    return Result(
        read_answer(task, transcript.text_of("Z")),
        notes={
            "transcript": [[s.state, s.text] for s in transcript.segments],
            "verdict": verdict.outcome,
            "problem": verdict.problem,
            "format_valid": verdict.ok,
            "forced": transcript.forced,
            "corrected": transcript.corrected,
            "thrown_away": transcript.thrown_away,
            "choices": [
                {"position": c.position, "allowed": list(c.allowed), "chosen": c.chosen}
                for c in transcript.choices
            ],
            "generations": len(transcript.calls),
        },
        account=account(spec, transcript, form),
        files={"automaton.svg": picture},
    )


def account(spec: Spec, transcript: Transcript, form: Form) -> str:
    """The states that were visited, and what was masked, in plain lines."""
    cues = {s.name: s.cue for s in spec.states}
    visited = " ".join(s.state for s in transcript.segments)
    said = ", ".join(f"{name} {cue}" for name, cue in cues.items())
    lines = [
        f"Specification: {spec.source}",
        f"States: {said}",
        f"Visited: {visited} ({transcript.verdict.outcome})",
    ]
    if transcript.verdict.problem:
        lines.append(f"Fault: {transcript.verdict.problem}.")
    if form == "free":
        return "\n".join([*lines, "Nothing was masked: the form was free."])
    lines.append(f"Set without asking the model: {transcript.forced} cues")
    for choice in transcript.choices:
        lines.append(
            f"Position {choice.position}: chose {choice.chosen} of {', '.join(choice.allowed)}; "
            f"masked: {', '.join(choice.masked) or 'nothing'}"
        )
    if transcript.corrected:
        lines.append(f"Finished or replaced in place of the model: {transcript.corrected} texts")
    if form == "monitor":
        lines.append(f"Thrown away: about {transcript.thrown_away} tokens")
    return "\n".join(lines)


def at_least_one(name: str, value: int) -> None:
    """Refuse a number below 1.

    Raises:
        BadInput: It is.
    """
    if value < 1:
        raise BadInput(f"{name} must be 1 or more, not {value}.")
