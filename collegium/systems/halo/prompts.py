"""The prompts of HALO, its typed replies, and how it writes prompts itself (Eqs. 2-5 and 7).

Every prompt begins with the question, so that agents with the same profile share its beginning;
what an agent is to do stands last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

import msgspec

from collegium.agents import closing
from collegium.agents.mcts import Verdict
from collegium.kernel import Agent, Kernel, Unparsed
from collegium.tasks.task import Task

T = TypeVar("T")

# A bound in the schema ends a small model's endless string where a token cap would waste it.
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Features(msgspec.Struct, frozen=True):
    """F of Eq. 2, from the task parser."""

    task_type: Line
    core_intent: Line
    key_details: Line


class Template(msgspec.Struct, frozen=True):
    """A prompt template, from a template generator."""

    template: Text


class Optimised(msgspec.Struct, frozen=True):
    """A better template, from a prompt optimizer."""

    better_template: Text


class Final(msgspec.Struct, frozen=True):
    """A prompt ready for use, from a final generator."""

    prompt: Text


class FirstPlan(msgspec.Struct, frozen=True):
    """T_1 of Eq. 6: before anything was done there is nothing to stop on."""

    next_subtask: Line


class Plan(msgspec.Struct, frozen=True):
    """T_k of Eq. 6, or the decision to stop."""

    decision: Literal["stop", "go on"]
    next_subtask: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Roles(msgspec.Struct, frozen=True):
    """Who could work on a subtask, from the role designer."""

    agent_roles: tuple[str, ...]


class Judged(msgspec.Struct, frozen=True):
    """Whether an answer solves its subtask."""

    status: Verdict


class Scored(msgspec.Struct, frozen=True):
    """How good an answer is."""

    score: Annotated[float, msgspec.Meta(ge=0, le=1)]


class Refined(msgspec.Struct, frozen=True):
    """What prompt refinement made of the question.

    Attributes:
        task_type: Of F: what kind of task it is; "" without refinement.
        core_intent: Of F: what is wanted.
        key_details: Of F: what must not be missed.
        prompt: The refined prompt; the question itself without refinement.
        sources: Trace ids of the calls it comes from.
    """

    task_type: str
    core_intent: str
    key_details: str
    prompt: str
    sources: tuple[int, ...] = ()


def on(task: Task, *parts: str) -> str:
    """A prompt: the question first, then its parts, the instruction last."""
    return "\n\n".join((f"Question:\n{task.text}", *(p for p in parts if p)))


def features(refined: Refined) -> str:
    """F in three lines; "" where there is none."""
    if not refined.task_type:
        return ""
    return (
        f"Task type: {refined.task_type}\nCore intent: {refined.core_intent}\n"
        f"Key details: {refined.key_details}"
    )


def guidance(task: Task, refined: Refined, subtask: str = "") -> str:
    """The refined prompt; "" where the question or the subtask says the same."""
    known = refined.prompt in (task.text, subtask)
    return "" if known else f"How to go about it: {refined.prompt}"


def named(task: Task, subtask: str) -> str:
    """The subtask, without repeating the question."""
    return f"Subtask: {'the question as a whole' if subtask == task.text else subtask}"


def parse_task(task: Task) -> str:
    """Task parser."""
    return on(
        task,
        "Do not answer it. Describe it in a few words each: task_type (what kind of task it is), "
        "core_intent (what is wanted), key_details (facts and conditions that must not be missed).",
    )


def template(task: Task, f: str) -> str:
    """Template generator of prompt refinement."""
    return on(
        task,
        f,
        "Do not answer it and do not repeat it. Write a template of instructions for whoever will "
        "answer it, in the form 'First ... Then ... At the end check ...'. At most 40 words.",
    )


def optimise(task: Task, f: str, draft: str) -> str:
    """Prompt optimizer of prompt refinement."""
    return on(
        task,
        f,
        f"Template: {draft}",
        "Do not answer the question. Write a better_template of the same form: clearer, no step "
        "missing, nothing that is not needed. At most 40 words.",
    )


def finish(task: Task, f: str, better: str) -> str:
    """Final generator of prompt refinement."""
    return on(
        task,
        f,
        f"Template: {better}",
        "Do not answer the question. Put its details into these instructions: the final prompt. At "
        "most 50 words.",
    )


def history(done: Sequence[tuple[str, str, str]]) -> str:
    """H of Eq. 6: every earlier subtask (text, answer, status)."""
    return "\n".join(
        f"Subtask {i}: {text}\nIts answer ({status}): {clip(answer)}"
        for i, (text, answer, status) in enumerate(done, 1)
    )


def clip(text: str, most: int = 400) -> str:
    """The end of a long text: answers come last."""
    return text if len(text) <= most else f"... {text[-most:]}"


def plan(task: Task, refined: Refined, done: Sequence[tuple[str, str, str]]) -> str:
    """Planner: one subtask at a time, in view of what the earlier ones gave."""
    ask = (
        "Plan one step ahead: name the next_subtask, a whole sentence that begins with a verb and "
        "holds every number or fact that it needs. A simple question is one subtask as a whole."
    )
    if done:
        ask = (
            "If these answers settle the whole question, decide stop. If not, go on: name the one "
            "next_subtask that is still needed, a whole sentence with every result that it needs."
        )
    return on(task, features(refined), guidance(task, refined), history(done), ask)


def design(task: Task, refined: Refined, subtask: str, roles: int) -> str:
    """Role designer."""
    return on(
        task,
        features(refined),
        named(task, subtask),
        f"Name the agent_roles of a team for this subtask: at most {roles} professions or skills, "
        "each different, two or three words each; no person or thing of the question.",
    )


def role_template(subtask: str, role: str) -> str:
    """Template generator of a role's system prompt; like the next two it knows the subtask only."""
    return (
        f"Subtask: {subtask}\n\nThe {role} of a team will work on it. Do not solve it. Write a "
        f"template for the system prompt of the {role}, in the form 'You are the {role}. You know "
        "... You first ... You check ...'. No numbers. At most 30 words."
    )


def role_optimise(subtask: str, role: str, draft: str) -> str:
    """Prompt optimizer of a role's system prompt."""
    return (
        f"Subtask: {subtask}\n\nSystem prompt of the {role} of a team: {draft}\n\nDo not solve "
        "the subtask. Write a better_template of the same form: clearer and more to the point. At "
        "most 30 words."
    )


def role_finish(subtask: str, role: str, better: str) -> str:
    """Final generator of a role's system prompt."""
    return (
        f"Subtask: {subtask}\n\nSystem prompt of the {role} of a team: {better}\n\nDo not solve "
        f"the subtask. Write the final prompt of the same form, beginning with 'You are the {role}'"
        ". At most 40 words."
    )


def plain_role(role: str) -> str:
    """The system prompt of a role whose own could not be read."""
    return f"You are the {role} of a team. You work carefully and state what you find."


def quoted(role: str, text: str) -> str:
    """An earlier answer as it is sent to who speaks next."""
    return f"The {role} answered:\n{text}"


def work(task: Task, refined: Refined, subtask: str, heard: Sequence[str], role: str) -> str:
    """An agent's turn: the subtask, what was said before it on this path, and its own part."""
    ask = f"Now you, the {role}: work on the subtask, then answer the question as far as you can."
    if heard:
        ask = (
            f"Now you, the {role}: check what was said, put it right where it is wrong, finish the "
            "subtask, and answer the question."
        )
    return on(
        task,
        guidance(task, refined, subtask),
        named(task, subtask),
        *heard,
        f"{ask} {closing(task)}",
    )


def judge(task: Task, subtask: str, role: str, text: str) -> str:
    """Judge of an answer."""
    return on(
        task,
        named(task, subtask),
        quoted(role, text),
        "Check it. Say the status: success (the subtask is solved, and rightly), fail (it is "
        "wrong) or continue (no mistake so far, but not solved yet).",
    )


def score(task: Task, subtask: str, role: str, text: str, verdict: str) -> str:
    """Scorer of an answer, who knows the verdict."""
    return on(
        task,
        named(task, subtask),
        quoted(role, text),
        f"It was judged: {verdict}. Give it a score between 0 (useless) and 1 (right, complete and "
        "well explained).",
    )


class Crew(msgspec.Struct):
    """Makes the agents of a run and asks them for typed replies.

    Attributes:
        task: The question.
        kernel: Runs the calls.
        temperature: Of every call.
        prompt_tokens: Cap on a refined prompt, a template or a plan.
        fallbacks: Unreadable replies by role; each was replaced by the default of its stage.
    """

    task: Task
    kernel: Kernel
    temperature: float
    prompt_tokens: int
    fallbacks: dict[str, int] = {}

    def agent(self, name: str, *, role: str, profile: str = "") -> Agent:
        """An agent with the task's rules after its profile."""
        rules = f"{profile} {self.task.rules}".strip()
        return self.kernel.agent(name, profile=rules, role=role)

    async def ask(
        self, who: Agent, prompt: str, output: type[T], sources: Sequence[int], cap: int = 0
    ) -> tuple[T | None, int]:
        """A typed reply and its trace id; None, counted for the agent's role, if unreadable."""
        reply = await who.ask(
            prompt,
            output=output,
            temperature=self.temperature,
            max_tokens=cap or self.prompt_tokens,
            sources=[s for s in sources if s >= 0],
        )
        if isinstance(reply.data, Unparsed) or reply.data is None:
            self.fallbacks[who.role] = self.fallbacks.get(who.role, 0) + 1
            return None, reply.call
        return reply.data, reply.call


async def refine(crew: Crew) -> Refined:
    """Adaptive prompt refinement: F (Eq. 2), template, better template, refined prompt (Eqs. 3-5).

    What cannot be read is replaced by the question itself.
    """
    task, query = crew.task, crew.task.text
    names = ("task-parser", "template-generator", "prompt-optimizer", "final-generator")
    parser, generator, optimizer, final = (crew.agent(n, role=n) for n in names)
    f, one = await crew.ask(parser, parse_task(task), Features, [])
    known = Refined(f.task_type, f.core_intent, f.key_details, query) if f else raw(task)
    told = features(known)
    first, two = await crew.ask(generator, template(task, told), Template, [one])
    draft = first.template if first else query
    second, three = await crew.ask(optimizer, optimise(task, told, draft), Optimised, [one, two])
    better = second.better_template if second else query
    third, four = await crew.ask(final, finish(task, told, better), Final, [one, three])
    prompt = third.prompt if third else query
    return msgspec.structs.replace(known, prompt=prompt, sources=(one, four))


def raw(task: Task) -> Refined:
    """The question as it came."""
    return Refined("", "", "", task.text)


async def role_prompt(
    crew: Crew, subtask: str, role: str, number: str, source: int
) -> tuple[str, int]:
    """A role's system prompt phi (Eq. 7): template, better template, final form.

    Args:
        crew: Makes and asks the agents.
        subtask: T_k.
        role: The role as designed.
        number: Of the subtask and the role, such as "1-2".
        source: Trace id of the design.

    Returns:
        The prompt, plain where it could not be read, and the trace id of the last call.
    """
    names = ("template-generator", "prompt-optimizer", "final-generator")
    generator, optimizer, final = (crew.agent(f"{n}-{number}", role=n) for n in names)
    plain = plain_role(role)
    ask = role_template(subtask, role)
    first, one = await crew.ask(generator, ask, Template, [source])
    ask = role_optimise(subtask, role, first.template if first else plain)
    second, two = await crew.ask(optimizer, ask, Optimised, [one])
    ask = role_finish(subtask, role, second.better_template if second else plain)
    third, three = await crew.ask(final, ask, Final, [two])
    return (third.prompt if third else plain), three
