"""The roles of the team under a CEO: what each is asked, the form its reply must have, its record.

Every prompt begins with the task and what the whole team has seen, and ends with the role, so that
replies of one round share the longest possible prefix.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from collegium.agents import closing
from collegium.kernel import Agent, Mail, Unparsed, Worked, output_of
from collegium.tasks import extract_code
from collegium.tasks.task import Task

NO_ADVICE, NO_SOLUTION, NO_RESOURCES = "No advice yet.", "No solution yet.", "No resources yet."

LATTICE = (0, 2048, 4096, 8192, 16384, 32000)
"""The token budgets a CEO chooses from, before scaling."""

FEWEST_EXPERTS = 2
MOST_EXPERTS = {"maths": 4, "qa": 4, "code": 3}
"""K for a complex task, by kind of task."""

QUOTED = 64_000
"""Characters of a solution that others are shown, before scaling; of an objection, a quarter."""

Verdict = Literal["Agree", "Disagree"]

After = Literal["nothing", "advice", "objections"]
WRITE: dict[After, str] = {
    "nothing": "Write your solution.",
    "advice": "The solution above was not accepted. Write a better one.",
    "objections": "Your colleagues object to the solution above. Mend what they are right about, "
    "and write the whole solution again.",
}
"""What the solver is asked for."""


Number = int | Annotated[str, msgspec.Meta(max_length=8)]
"""A number, or a word for it; no room for prose."""


class Order(msgspec.Struct, frozen=True):
    """The CEO's four fields as written. Numbers may come as words: they are settled afterwards."""

    decision: Literal["Continue", "Stop"]
    recruit_number: Number
    direction: str
    maximum_tokens: Number


class Decision(msgspec.Struct, frozen=True):
    """The CEO's four fields as they hold for a round.

    Attributes:
        decision: Whether there is another round.
        recruit_number: K, the number of experts: a solver and K - 1 critics.
        direction: What the experts are told to attend to.
        maximum_tokens: Cap on every reply of the solver and the critics in this round.
        fallback: The CEO's replies could not be read, so these are the standing values.
    """

    decision: Literal["Continue", "Stop"]
    recruit_number: int
    direction: str
    maximum_tokens: int
    fallback: bool = False


class Evaluation(msgspec.Struct, frozen=True):
    """The evaluator's three fields."""

    correctness: Literal[0, 1]
    advice: str
    recruiting_suggestion: str


def lattice(scale: int) -> tuple[int, ...]:
    """The token budgets to choose from, divided by ``scale``."""
    return tuple(budget // scale for budget in LATTICE)


def settle(order: Order | None, kind: str, scale: int) -> Decision:
    """Step 2b: the CEO's fields brought into their ranges.

    K is at least 2 and what is no whole number counts as 2; the budget lies between the smallest
    and the largest of the lattice and what is no whole number counts as the largest.

    Args:
        order: What the CEO wrote; None when it could not be read.
        kind: Kind of task, which bounds K.
        scale: What the budgets of the paper are divided by.
    """
    _, least, *_, most = lattice(scale)
    if order is None:
        return Decision("Continue", FEWEST_EXPERTS, NO_ADVICE, most, fallback=True)
    experts = max(FEWEST_EXPERTS, whole(order.recruit_number, FEWEST_EXPERTS))
    tokens = whole(order.maximum_tokens, most)
    return Decision(
        order.decision,
        min(experts, MOST_EXPERTS[kind]),
        order.direction.strip() or NO_ADVICE,
        min(max(tokens, least), most),
    )


def whole(value: int | str, otherwise: int) -> int:
    """A field as a whole number, or another number where it is none."""
    try:
        return int(value)
    except ValueError:
        return otherwise


# -- What each role must write ---------------------------------------------------------------


def experts_type(k: int) -> Any:
    """The output type of a list of K experts."""
    return Annotated[list[str], msgspec.Meta(min_length=k, max_length=k)]


FORMATS: dict[str, Any] = {
    "ceo": Order,
    "recruiter": list[str],
    "critic": Worked[Verdict],
    "evaluator": Evaluation,
}
"""Output types by role. A solver's is that of its task, an executor's a file of tests."""


def read(role: str, text: str) -> Any:
    """A reply of a role as a value; :class:`Unparsed` when it does not keep the role's form."""
    value = output_of(FORMATS[role]).decode(text)
    if role == "recruiter" and not isinstance(value, Unparsed) and not distinct(value):
        return Unparsed(text, "the experts are not all different")
    return value


def distinct(experts: list[str]) -> bool:
    """Whether all experts are named and no two are the same."""
    names = {e.strip().casefold() for e in experts}
    return len(names) == len(experts) and "" not in names


# -- Prompts ---------------------------------------------------------------------------------


def situation(task: Task, *parts: tuple[str, str]) -> str:
    """The task, and under a title each what is known so far; what is empty is left out."""
    return "\n\n".join([task.text, *(f"{title}: {text}" for title, text in parts if text)])


def quoted(text: str, characters: int) -> str:
    """A text that is not too long to be shown; of a longer one its two ends."""
    if len(text) <= characters:
        return text
    half = characters // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"


def ceo_prompt(
    task: Task, kind: str, scale: int, *, solution: str, advice: str, resources: str
) -> str:
    """Step 2a: the CEO's duties, with task, latest solution, advice and current resources."""
    most = MOST_EXPERTS[kind]
    _, simple, _, medium, hard, _ = lattice(scale)
    decision = "Stop if the latest solution is correct, Continue if it may be wrong."
    if solution == NO_SOLUTION:
        decision = "Continue."
    asked = (
        "You lead a team of experts. They work in rounds; decide about the next one.\n"
        f"decision: {decision}\n"
        f"recruit_number: 2 or 3 experts for an ordinary task, {most} for a complex one.\n"
        "direction: what should the experts attend to in this very task, in one sentence?\n"
        "maximum_tokens: how long an expert's reply may be, one of "
        f"{', '.join(map(str, lattice(scale)))}. {simple} is for simple tasks, {medium} for "
        f"medium ones, {hard} or more for hard ones.\n"
        "Reply with a JSON object of these four fields. Do not solve the task."
    )
    shown = ("Latest solution", solution), ("Advice", advice), ("Resources so far", resources)
    return f"{situation(task, *shown)}\n\n{asked}"


def recruiter_prompt(task: Task, k: int, *, advice: str) -> str:
    """Step 2c: ask for K kinds of expert."""
    shape = ", ".join(['"a <discipline> specialised in <topic>"'] * k)
    asked = (
        f"You staff a team for this task. Name {k} different experts whose knowledge it takes, "
        "the best suited first. "
        f'Do not solve the task yourself.\nReply with the JSON object {{"answer": [{shape}]}}.'
    )
    return f"{situation(task, ('Advice', advice))}\n\n{asked}"


def solver_prompt(task: Task, expert: str, known: str, budget: int, after: After) -> str:
    """Step 2e: ask the solver for a solution, after nothing, after advice, or after objections."""
    who = f"You are an expert ({expert}), and you write the solution for your team."
    return f"{known}\n\n{who} {WRITE[after]} {closing(task)} {room(budget)}"


def critic_prompt(expert: str, known: str, budget: int) -> str:
    """Step 2e: ask a critic to compare the solution with its own solving."""
    return (
        f"{known}\n\nYou are an expert ({expert}), and you review the solution above. Work "
        "through the task yourself in a few lines and compare. If the solution is wrong, say in "
        f"one or two sentences where; do not write another solution. {room(budget)} End with a "
        "last line 'Answer: Agree' if the solution is right, or 'Answer: Disagree' if it is wrong."
    )


def room(budget: int) -> str:
    """Tells a role what it may write, lest its reply be cut off before the answer."""
    return f"Use at most {budget // 2} words in all."  # words and signs take more than a token


def executor_prompt(task: Task, program: str) -> str:
    """Step 2f: ask the executor for a file of tests."""
    name = task.entry_point or next(iter(sorted(defined(program))), "*")
    call = f"{name}(...)" if name != "*" else "..."
    return (
        f"{situation(task, ('The file solution.py', program))}\n\nYou test programs. Say in one "
        "sentence what is worth testing. Then write the file test_solution.py in one code block: "
        "three to six assert statements whose values you are sure of, without functions or "
        "classes. Do not repeat the solution. The file has this form:\n"
        f"from solution import {name}\nassert {call} == ..."
    )


def evaluator_prompt(task: Task, solution: str, ran: str) -> str:
    """Step 2g: ask for the three fields of an evaluation."""
    shown = ("Solution", solution), ("What a run of its tests gave", ran)
    asked = (
        "You judge the solution.\n"
        "correctness: 1 if it is correct and complete, otherwise 0.\n"
        "advice: what is wrong or missing in it, and what should be done instead?\n"
        "recruiting_suggestion: who should join the team?\n"
        "Reply with a JSON object of these three fields."
    )
    return f"{situation(task, *shown)}\n\n{asked}"


# -- The executor's file ---------------------------------------------------------------------


def written_tests(reply: str, solution: str) -> str:
    """The test file an executor wrote, made sure to test the solution; "" when it tests nothing.

    What it repeats of the solution is taken out, for it would test its own copy. Tests that stand
    in functions named test... are called.

    Args:
        reply: What the executor wrote.
        solution: Source of the program under test.
    """
    try:
        tests = ast.parse(extract_code(reply))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    taken = defined(solution)
    body = [node for node in tests.body if getattr(node, "name", None) not in taken]
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    called = [f.name for f in functions if f.name.startswith("test") and not f.args.args]
    runs = [n for n in body if not isinstance(n, ast.FunctionDef | ast.ClassDef)]
    runs += [f for f in functions if f.name in called]
    if not any(isinstance(part, ast.Assert) for node in runs for part in ast.walk(node)):
        return ""
    lines = ["from solution import *", *map(ast.unparse, body), *(f"{name}()" for name in called)]
    return "\n".join(lines) + "\n"


def defined(program: str) -> set[str]:
    """Names of the functions and classes of a program; none where it is not Python."""
    try:
        body = ast.parse(program).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


# -- A round: who is in it, and what happened --------------------------------------------------


class Member(msgspec.Struct):
    """The solver or a critic in one round: what it is and what it has heard."""

    agent: Agent
    expert: str
    direction: Mail | None = None
    advice: Mail | None = None
    solution: Mail | None = None
    objections: tuple[Mail, ...] = ()

    async def listen(self) -> None:
        """Take in what was sent; objections concern the solution before the newest."""
        mail = await self.agent.receive()
        by = {m.sender: m for m in mail}
        self.direction = by.get("ceo", self.direction)
        self.advice = by.get("evaluator", self.advice)
        self.solution = by.get("solver", self.solution)
        new = [m for m in mail if m.sender.startswith("critic")]
        self.objections = tuple(sorted((*self.objections, *new), key=lambda m: m.sender))

    def knows(self, task: Task, scale: int) -> tuple[str, list[int]]:
        """The task and all it has heard, as a text and the calls that it comes from."""
        objections = "".join(
            f"\n{m.sender}: {quoted(m.text.strip(), QUOTED // scale // 4)}" for m in self.objections
        )
        heard = (self.direction, self.advice, self.solution, *self.objections)
        text = situation(
            task,
            ("Direction of the discussion", self.direction.text if self.direction else ""),
            ("Advice on the last attempt", self.advice.text if self.advice else ""),
            ("Solution", self.solution.text if self.solution else ""),
            ("Objections to the solution before", objections),
        )
        return text, [m.call for m in heard if m is not None]


class Round(msgspec.Struct):
    """What happened in a round, as it goes on.

    Attributes:
        experts: By agent, what it is.
        budget: Cap on replies of the solver and the critics.
        reviews: Per inner turn the verdict of every critic ("unreadable" where there is none).
        consensus: Whether the last solution was agreed on; None: nobody was asked yet.
        tests: How the run of the tests ended, "" when none was.
        evaluation: What the evaluator said; None: nothing readable.
    """

    experts: dict[str, str]
    budget: int
    reviews: list[dict[str, str]] = []
    consensus: bool | None = None
    tests: str = ""
    evaluation: Evaluation | None = None


def account(rounds: Sequence[Round], ceo_log: Sequence[Decision]) -> str:
    """Each round in plain lines: CEO, experts, verdicts, tests, evaluator."""
    lines: list[str] = []
    for number, record in enumerate(rounds):
        lines.append(f"Round {number + 1}")
        if ceo_log:
            lines.append(f"  {ceo_line(ceo_log[number], ran=True)}")
        lines += [f"  {name}: {expert}" for name, expert in record.experts.items()]
        for inner, verdicts in enumerate(record.reviews):
            said = ", ".join(f"{name} {verdict}" for name, verdict in verdicts.items())
            lines.append(f"  Review {inner + 1}: {said}")
        if record.tests:
            lines.append(f"  Tests: {record.tests}")
        if record.evaluation is not None:
            verdict = "correct" if record.evaluation.correctness else "not correct"
            lines.append(f"  Evaluator: {verdict}. {record.evaluation.advice}".rstrip())
        elif record.consensus is not None:
            lines.append("  Evaluator: nothing readable, so not accepted")
    if len(ceo_log) > len(rounds):
        lines.append(ceo_line(ceo_log[-1], ran=False))
    return "\n".join(lines)


def ceo_line(decision: Decision, *, ran: bool) -> str:
    """The CEO's four decisions in a line."""
    notes = ["its replies could not be read"] if decision.fallback else []
    if ran and decision.decision == "Stop":
        notes.append("overruled: there was no solution yet")
    return (
        f"CEO: {decision.decision}, {decision.recruit_number} experts, at most "
        f"{decision.maximum_tokens} tokens a reply; direction: {decision.direction}"
        + (f" ({'; '.join(notes)})" if notes else "")
    )
