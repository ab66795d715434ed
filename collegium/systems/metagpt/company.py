"""The company: what its roles share in one run, the rounds, the budget, the project folder.

Nothing here says who works after whom. Roles subscribe to the pool; in every round those with news
act, all at once; the run ends when nobody has news (Team.run, section 3.2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec

from collegium.agents.pool import ALL, Heard, Message, Pool
from collegium.errors import BudgetTooSmall, LimitReached
from collegium.kernel import Agent, Kernel, Reply, Unparsed, gather
from collegium.systems.metagpt.documents import (
    PRD,
    Design,
    Tasks,
    as_text,
    require_paths,
)
from collegium.systems.metagpt.reports import RunReport
from collegium.systems.system import Result
from collegium.tasks.task import Task

HUMAN = "human"

# Actions: what messages are caused by, and what roles subscribe to.
USER_REQUIREMENT = "UserRequirement"
WRITE_PRD = "WritePRD"
WRITE_DESIGN = "WriteDesign"
WRITE_TASKS = "WriteTasks"
WRITE_CODE = "WriteCode"
WRITE_CODE_REVIEW = "WriteCodeReview"
SUMMARIZE_CODE = "SummarizeCode"
WRITE_TEST = "WriteTest"
RUN_CODE = "RunCode"
DEBUG_ERROR = "DebugError"

ENGINEER, QA_ENGINEER, NO_ONE = "engineer", "qa-engineer", "NoOne"

Documents = Literal["short", "full", "text"]


class Options(msgspec.Struct, frozen=True):
    """The hyper-parameters of a run; see :func:`collegium.systems.metagpt.metagpt`."""

    n_round: int
    code_review: int
    run_tests: bool
    test_rounds: int
    test_seconds: float
    max_auto_summarize_code: int
    documents: Documents
    temperature: float
    max_tokens: int


class Dossier(msgspec.Struct, frozen=True, omit_defaults=True):
    """What travels with every message: the documents and files made so far.

    A role acts on the dossier it heard, so whoever changes a message changes what is built.

    Attributes:
        requirement: The user's words.
        prd: Of the product manager.
        design: Of the architect.
        tasks: Of the project manager.
        files: Source files by path inside the package.
        tests: Test files, or lines of tests, by source file.
        report: What the last test run means.
        failed: Path of the test file that failed.
        errors: What that run printed.
    """

    requirement: str = ""
    prd: PRD | None = None
    design: Design | None = None
    tasks: Tasks | None = None
    files: dict[str, str] = {}
    tests: dict[str, str] = {}
    report: RunReport | None = None
    failed: str = ""
    errors: str = ""

    def __post_init__(self) -> None:
        require_paths("files", [*self.files, *self.tests])

    @property
    def package(self) -> str:
        """Folder of the source files: the project's name, or none without a PRD."""
        return self.prd.project_name if self.prd else ""

    def place(self, path: str) -> str:
        """Where a source file stands in the project folder."""
        return f"{self.package}/{path}" if self.package else path


class Company:
    """One run: kernel, task, options, pool; and the project folder as it grows.

    Attributes:
        shelf: The project folder so far: text by path.
        dependencies: Of every file the files it was made from.
        reviews: Every review, in order.
        runs: Every test run, in order.
        counts: What went wrong or was decided, by name.
        replies: Replies that files or documents were made from.
        making: Per agent what it is making now, to name it when a limit ends the run.
        facts: What else is worth telling.
    """

    def __init__(self, kernel: Kernel, task: Task, options: Options) -> None:
        self.kernel, self.task, self.options = kernel, task, options
        self.pool = Pool()
        self.round = 0
        self.shelf: dict[str, str] = {}
        self.dependencies: dict[str, list[str]] = {}
        self.reviews: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()
        self.replies: list[Reply[Any]] = []
        self.making: dict[str, str] = {}
        self.facts: dict[str, Any] = {}
        self.stopped = ""
        self.answer: Callable[[Company], str | Unparsed] = lambda company: Unparsed()

    @property
    def profile(self) -> str:
        """The system prompt all roles share, so that what they read first is read once."""
        return f"You work in a small software company. {self.task.rules}".strip()

    def put(self, path: str, text: str, made_from: Sequence[str] = ()) -> None:
        """Put a file into the project folder, and keep the folder as the result so far."""
        self.shelf[path] = text
        self.dependencies[path] = list(made_from)
        self.keep()

    def keep(self) -> Result:
        """Note the project as it stands: what remains if a limit ends the run."""
        result = Result(
            self.answer(self), tuple(self.replies), self.notes(), self.account(), self.project()
        )
        self.kernel.keep(result)
        return result

    def project(self) -> dict[str, str]:
        """The project folder: all files, and which file each was made from."""
        if not self.shelf:
            return {}
        listed = {path: self.dependencies[path] for path in sorted(self.shelf)}
        made_from = msgspec.json.format(msgspec.json.encode(listed), indent=2).decode() + "\n"
        return {**dict(sorted(self.shelf.items())), "dependencies.json": made_from}

    def notes(self) -> dict[str, Any]:
        """What the run has to show, as plain data."""
        notes: dict[str, Any] = {
            "rounds": self.round,
            "messages": [
                {
                    "id": m.id,
                    "cause_by": m.cause_by,
                    "sent_from": m.sent_from,
                    "send_to": list(m.send_to),
                    "content": m.content,
                }
                for m in self.pool.history
            ],
            "unheard": list(self.pool.unheard),
            "reviews": list(self.reviews),
            "runs": list(self.runs),
            "retries": self.counts["retries"],
            "counts": {name: n for name, n in self.counts.items() if n},
            **self.facts,
        }
        if self.pool.damaged or self.pool.refused:
            notes["lost"] = {
                "damaged": len(self.pool.damaged),
                "refused": [list(pair) for pair in self.pool.refused],
            }
        if self.runs:
            last = self.runs[-1]
            notes["self_tests"] = {"passed": last["passed"], "total": last["total"]}
        if self.stopped:
            notes["stopped"] = self.stopped
        return notes

    def account(self) -> str:
        """The same for a reader: who said what, how reviews and tests went, what is open."""
        lines = [f"{m.role or m.sent_from} ({m.cause_by}): {m.content}" for m in self.pool.history]
        lost = len(self.pool.damaged) + len(self.pool.refused)
        if lost:
            lines.append(f"{lost} message{'s' * (lost != 1)} did not arrive.")
        if self.stopped:
            lines.append(self.stopped)
        return "\n".join(lines)


Act = Callable[[Company, Agent, Heard, Dossier], Awaitable[None]]


class Hire(msgspec.Struct, frozen=True):
    """A role: its agent's name, its title, the actions it watches, and what it does with news."""

    name: str
    title: str
    watch: frozenset[str]
    act: Act
    tools: tuple[str, ...] = ()


async def work(company: Company, hires: Sequence[Hire]) -> Result:
    """Run the company on the user's requirement until all are idle or the rounds are used up.

    Raises:
        LimitReached: The budget ran out; the sentence names what was not made, cost and limit.
            What was made is kept.
        DocumentRejected: A document did not fit its schema, twice.
    """
    kernel, pool = company.kernel, company.pool
    human = kernel.agent(HUMAN)
    by_name = {h.name: h for h in hires}
    for hire in hires:
        agent = kernel.agent(hire.name, profile=company.profile, tools=hire.tools)
        pool.join(agent, hire.watch)
    first = Dossier(requirement=company.task.text)
    await pool.publish(
        human,
        Message(
            content=company.task.text,
            cause_by=USER_REQUIREMENT,
            document=msgspec.to_builtins(first),
            role="Human",
        ),
    )
    while True:
        news = {name: await pool.observe(name) for name in pool.members}
        busy = [(name, heard) for name, heard in news.items() if heard]
        if not busy:
            break
        if company.round >= company.options.n_round:
            names = ", ".join(by_name[name].title for name, _ in busy)
            company.stopped = f"All {company.round} rounds are used up; still to act: {names}."
            break
        company.round += 1
        await gather(*(act(company, by_name[name], heard) for name, heard in busy))
    return company.keep()


async def act(company: Company, hire: Hire, news: Sequence[Heard]) -> None:
    """Let a role act on each of its news; name what was being made when the budget runs out."""
    agent = company.pool.members[hire.name].agent
    try:
        for heard in news:
            try:
                dossier = msgspec.convert(heard.message.document, Dossier)
            except msgspec.ValidationError as error:
                # Somebody changed it on the way: it is no work to do.
                company.counts["unreadable_messages"] += 1
                company.facts["unreadable"] = f"{heard.message.id}: {error}"
                continue
            await hire.act(company, agent, heard, dossier)
    except BudgetTooSmall:
        raise
    except LimitReached as error:
        usage, calls = company.kernel.meter.usage, company.kernel.meter.calls
        cost = f"{usage.tokens:,} tokens"
        cost += f" and ${usage.money:.4f}" if usage.money else ""
        made = ", ".join(sorted(company.shelf)) or "nothing"
        company.stopped = (
            f"No money left for {company.making.get(hire.name, 'the next step')} "
            f"({hire.title}): {calls} generations cost {cost}; {error} Made so far: {made}."
        )
        company.keep()
        raise LimitReached(company.stopped) from error


async def say(
    company: Company,
    agent: Agent,
    cause_by: str,
    content: str,
    dossier: Dossier,
    *,
    role: str,
    send_to: tuple[str, ...] = (ALL,),
    sources: Sequence[int] = (),
) -> None:
    """Publish what an action made."""
    message = Message(
        content=content,
        cause_by=cause_by,
        document=msgspec.to_builtins(dossier),
        role=role,
        send_to=send_to,
    )
    await company.pool.publish(agent, message, sources=sources)
    company.keep()


async def ask(
    company: Company,
    agent: Agent,
    prompt: str,
    output: type[Any],
    *,
    making: str,
    sources: Sequence[int],
    max_tokens: int | None = None,
) -> Reply[Any]:
    """Ask a role's model, and remember what for.

    Raises:
        LimitReached: The budget ran out, also where it ran out before a reply could be mended.
    """
    company.making[agent.name] = making
    reply = await agent.ask(
        prompt,
        output=output,
        temperature=company.options.temperature,
        max_tokens=max_tokens or company.options.max_tokens,
        sources=sources,
    )
    if isinstance(reply.data, Unparsed):
        for event in reversed(company.kernel.trace.events):
            mending = event.call.parent == reply.call and event.call.agent == agent.name
            if mending and event.failure in ("LimitReached", "BudgetTooSmall"):
                raise LimitReached(event.error)
    company.replies.append(reply)
    return reply


def history(company: Company) -> str:
    """What a second repair is told of those before it (the Engineer's memory, section 3.3)."""
    earlier = company.counts["retries"] - 1
    if earlier < 1:
        return ""
    return f" {earlier} rewrite{'s' * (earlier != 1)} before this did not help: change more."


def brief(dossier: Dossier) -> str:
    """The documents in the order in which they were made: each role's prompt begins like the last.

    So an engine that reuses prompt prefixes reads every document once.
    """
    parts = [f"Requirement:\n{dossier.requirement.strip()}"]
    for title, document in (
        ("Product requirements", dossier.prd),
        ("System design", dossier.design),
        ("Tasks", dossier.tasks),
    ):
        if document is not None:
            said = as_text(document)
            if isinstance(document, PRD):  # its first lines repeat the requirement
                own = msgspec.structs.replace(document, original_requirements="")
                said = as_text(own)
            parts.append(f"{title}:\n{said}")
    return "\n\n".join(parts)
