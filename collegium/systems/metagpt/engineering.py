"""The Engineer: WriteCode with WriteCodeReview, SummarizeCode, and repairs from test runs.

Files are written one at a time in the order of the Task list, each from the documents and the files
that stand already (section 3.1). A review of six fixed questions ends in LGTM or LBTM; LBTM has the
file rewritten, at most ``code_review`` times. A report on a failed test run that is sent to the
Engineer changes the *source* (section 3.3).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from collegium.agents.pool import Heard
from collegium.kernel import Agent, Reply, Unparsed
from collegium.systems.metagpt.company import (
    DEBUG_ERROR,
    ENGINEER,
    QA_ENGINEER,
    RUN_CODE,
    SUMMARIZE_CODE,
    WRITE_CODE,
    WRITE_CODE_REVIEW,
    WRITE_TASKS,
    Company,
    Dossier,
    Hire,
    ask,
    brief,
    history,
    say,
)
from collegium.systems.metagpt.documents import fields_of, is_python
from collegium.systems.metagpt.reading import Verdict, code_block, verdict_of
from collegium.systems.metagpt.reports import Review
from collegium.systems.metagpt.roles import DESIGN_FILE, TASKS_FILE
from collegium.tools.programs import compiles

REVIEW_TOKENS = 160
ROLE = "Engineer"

SIX_QUESTIONS = """Answer six questions about it:
1. Are the requirements met?
2. Is the logic right?
3. Does it follow the data structures and interfaces of the design?
4. Are all functions implemented?
5. Is all that it uses imported?
6. Does it use other files rightly?"""


class Summary(msgspec.Struct, frozen=True):
    """What is still open after all files were written (SummarizeCode)."""

    open_points: Annotated[list[Annotated[str, Meta(max_length=140)]], Meta(max_length=4)]
    another_pass: Literal["yes", "no"]


async def engineer(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """What the Engineer does with its news, by what caused it."""
    cause = heard.message.cause_by
    if cause in (WRITE_TASKS, SUMMARIZE_CODE):
        reason = heard.message.content if cause == SUMMARIZE_CODE else ""
        await write_all(company, agent, heard, dossier, reason)
    elif cause in (WRITE_CODE, WRITE_CODE_REVIEW):
        await summarize(company, agent, heard, dossier)
    elif cause == RUN_CODE:
        await repair(company, agent, heard, dossier)


async def write_all(
    company: Company, agent: Agent, heard: Heard, dossier: Dossier, reason: str
) -> None:
    """WriteCode for every file of the Task list in order, each reviewed before the next."""
    if dossier.tasks is None:
        company.counts["unreadable_messages"] += 1
        return
    sources = [heard.call]
    for path in dossier.tasks.task_list:
        extra = f"\n\nOpen points of the last pass:\n{reason}" if reason else ""
        if path in dossier.files:
            extra += f"\n\n{path} so far:\n{fenced(dossier.files[path])}"
        prompt = (
            f"{brief(dossier)}{written(dossier, path)}{extra}\n\n"
            f"You are the Engineer. Write the file {path}, whole and working, and no other file. "
            "Follow the design, import what you use, leave nothing out. Reply with one code block."
        )
        code, reply = await write_file(company, agent, prompt, path, [heard.call])
        dossier = shelve(company, dossier, path, code)
        sources.append(reply.call)
        if is_python(path):
            dossier, more = await review_loop(company, agent, dossier, path, reply)
            sources += more
    names = ", ".join(dossier.tasks.task_list) if dossier.tasks else ""
    await say(
        company,
        agent,
        WRITE_CODE_REVIEW if company.options.code_review else WRITE_CODE,
        f"Wrote {names}.",
        dossier,
        role=ROLE,
        sources=sources,
    )


async def write_file(
    company: Company, agent: Agent, prompt: str, path: str, sources: Sequence[int]
) -> tuple[str, Reply[str]]:
    """The code of one file; a reply without code is asked for once more."""
    reply = await ask(company, agent, prompt, str, making=path, sources=sources)
    code = code_block(reply.text, path)
    if not code:
        company.counts["replies_without_code"] += 1
        again = f"{prompt}\n\nYour last reply held no code block. Reply with the code block alone."
        sources = [*sources, reply.call]
        reply = await ask(company, agent, again, str, making=path, sources=sources)
        code = code_block(reply.text, path)
    return code, reply


def shelve(company: Company, dossier: Dossier, path: str, code: str) -> Dossier:
    """Put a source file into the project folder and into the dossier; no code leaves both alone."""
    if not code:
        return dossier
    made_from = [DESIGN_FILE, TASKS_FILE] if dossier.tasks else []
    company.put(dossier.place(path), code.rstrip() + "\n", made_from)
    return msgspec.structs.replace(dossier, files={**dossier.files, path: code})


async def review_loop(
    company: Company, agent: Agent, dossier: Dossier, path: str, reply: Reply[str]
) -> tuple[Dossier, list[int]]:
    """Review and rewrite a file, at most k = ``code_review`` times; LGTM ends it at once."""
    calls: list[int] = []
    last = reply.call
    for turn in range(company.options.code_review):
        verdict, call = await review(company, agent, dossier, path, last)
        calls.append(call)
        company.reviews.append(
            {
                "file": path,
                "turn": turn + 1,
                "result": verdict.result if isinstance(verdict, Verdict) else "unreadable",
                "actions": verdict.actions if isinstance(verdict, Verdict) else "",
            }
        )
        if isinstance(verdict, Unparsed) or verdict.result != "LBTM":
            break
        prompt = (
            f"{subject(dossier, path)}\n\nThe review of {path}: {verdict.actions or 'LBTM'}\n\n"
            f"You are the Engineer. Rewrite the file {path} so that the review is met, whole and "
            "working, and no other file. Reply with one code block."
        )
        code, rewritten = await write_file(company, agent, prompt, path, [call])
        dossier = shelve(company, dossier, path, code)
        last = rewritten.call
        calls.append(last)
    return dossier, calls


async def review(
    company: Company, agent: Agent, dossier: Dossier, path: str, code_call: int
) -> tuple[Verdict | Unparsed, int]:
    """WriteCodeReview: the six questions, the actions, the verdict."""
    prompt = f"{subject(dossier, path)}\n\nYou review the file {path}. {SIX_QUESTIONS}\n"
    making, sources = f"the review of {path}", [code_call]
    if company.options.documents == "text":
        prompt += (
            "Then write a section '## Actions' with what to change, and a section "
            "'## Code Review Result' with one word: LGTM if it is good, LBTM if it must be "
            "rewritten."
        )
        reply = await ask(company, agent, prompt, str, making=making, sources=sources)
        return verdict_of(reply.text), reply.call
    prompt += f"Reply with one JSON object with these fields:\n{fields_of(Review)}"
    reply = await ask(
        company, agent, prompt, Review, making=making, sources=sources, max_tokens=REVIEW_TOKENS
    )
    if isinstance(reply.data, Unparsed) or reply.data is None:
        return Unparsed(reply.text, "no review"), reply.call
    return Verdict(reply.data.result, "; ".join(reply.data.actions)), reply.call


async def summarize(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """SummarizeCode: what is open over all files; with passes left, a yes or no to another one."""
    missing = undefined(company, dossier)
    company.facts["undefined"] = missing
    limit = company.options.max_auto_summarize_code
    sources = [heard.call]
    if company.counts["summaries"] < limit:
        company.counts["summaries"] += 1
        listing = "".join(f"\n\n{path}:\n{fenced(code)}" for path, code in dossier.files.items())
        lacks = f"\n\nNo file defines {', '.join(missing)} of the design." if missing else ""
        prompt = (
            f"{brief(dossier)}{listing}{lacks}\n\nYou are the Engineer. Read all files and list "
            "what is still missing or wrong. Say whether another pass of writing is needed. Reply "
            "with one JSON object with the fields open_points and another_pass."
        )
        reply = await ask(
            company,
            agent,
            prompt,
            Summary,
            making="the summary of the code",
            sources=sources,
            max_tokens=REVIEW_TOKENS,
        )
        sources.append(reply.call)
        found = reply.data
        if isinstance(found, Summary) and found.another_pass == "yes" and found.open_points:
            points = "\n".join(f"- {p}" for p in found.open_points)
            await say(
                company,
                agent,
                SUMMARIZE_CODE,
                points,
                dossier,
                role=ROLE,
                send_to=(ENGINEER,),
                sources=sources,
            )
            return
    broken = [p for p, code in dossier.files.items() if is_python(p) and compiles(code)]
    said = f"{len(dossier.files)} files are written"
    said += f"; not Python: {', '.join(broken)}" if broken else ""
    said += f"; no file defines {', '.join(missing)}" if missing else ""
    await say(
        company,
        agent,
        SUMMARIZE_CODE,
        f"{said}.",
        dossier,
        role=ROLE,
        send_to=(QA_ENGINEER,),  # where none is hired nobody hears it, and the run ends
        sources=sources,
    )


async def repair(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """DebugError on the source: rewrite the file that a test report names (section 3.3)."""
    report = dossier.report
    path = report.file_to_rewrite if report else ""
    if report is None or path not in dossier.files:
        company.counts["unreadable_messages"] += 1
        return
    test = dossier.tests.get(path, "")
    prompt = (
        f"{subject(dossier, path)}\n\nIts test:\n{fenced(test)}\n\nThe run of the test said:\n"
        f"{dossier.errors}\n\nThe tester says: {report.instruction}\n\n"
        f"You are the Engineer. Rewrite the file {path} so that the test passes and the "
        f"requirements are met, whole and working.{history(company)} Reply with one code block."
    )
    code, reply = await write_file(company, agent, prompt, path, [heard.call])
    if code == dossier.files[path] or not code:
        company.counts["repairs_without_change"] += 1
    dossier = shelve(company, dossier, path, code)
    await say(
        company,
        agent,
        DEBUG_ERROR,
        f"Rewrote {path} after {dossier.failed} failed.",
        dossier,
        role=ROLE,
        sources=[reply.call],
    )


def subject(dossier: Dossier, path: str) -> str:
    """Documents, the other files, and the file in question, which stands last."""
    return (
        f"{brief(dossier)}{written(dossier, path)}\n\nThe file {path}:\n"
        f"{fenced(dossier.files.get(path, ''))}"
    )


def written(dossier: Dossier, path: str) -> str:
    """The files that stand already, besides one."""
    others = [(name, code) for name, code in dossier.files.items() if name != path]
    return "".join(f"\n\nThe file {name} is written:\n{fenced(code)}" for name, code in others)


def fenced(code: str) -> str:
    """Code as a block."""
    return f"```python\n{code.strip()}\n```"


def undefined(company: Company, dossier: Dossier) -> list[str]:
    """Classes of the design's diagram that no file defines."""
    wanted: list[str] = company.facts.get("design", {}).get("classes", [])
    defined: set[str] = set()
    for path, code in dossier.files.items():
        if is_python(path) and not compiles(code):
            defined |= {n.name for n in ast.walk(ast.parse(code)) if isinstance(n, ast.ClassDef)}
    return [name for name in wanted if name not in defined]


ENGINEER_ROLE = Hire(
    ENGINEER,
    ROLE,
    frozenset({WRITE_TASKS, WRITE_CODE, WRITE_CODE_REVIEW, SUMMARIZE_CODE}),
    engineer,
)
