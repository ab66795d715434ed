"""Function mode: one function from its description, for tasks answered with code.

The same company with two hires: the Engineer hears the requirement itself, the QA Engineer hears
the code. Tests are assertions, so each of them runs on its own and says what came instead.
"""

from __future__ import annotations

import ast
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from collegium.agents.pool import Heard
from collegium.errors import ToolError
from collegium.kernel import Agent, Unparsed
from collegium.systems.metagpt.company import (
    DEBUG_ERROR,
    ENGINEER,
    NO_ONE,
    QA_ENGINEER,
    RUN_CODE,
    USER_REQUIREMENT,
    WRITE_CODE,
    WRITE_CODE_REVIEW,
    WRITE_TEST,
    Company,
    Dossier,
    Hire,
    ask,
    brief,
    history,
    say,
)
from collegium.systems.metagpt.engineering import fenced, review_loop, shelve, write_file
from collegium.systems.metagpt.reading import code_blocks
from collegium.systems.metagpt.reports import RunReport
from collegium.systems.metagpt.testing import settled
from collegium.tasks.code import build_program
from collegium.tasks.task import Task
from collegium.tools.programs import compiles

SOURCE = "solution.py"
TESTS = "tests.py"
MOST_TESTS = 4
TEST_TOKENS = 224
REPORT_TOKENS = 128


class Case(msgspec.Struct, frozen=True):
    """A test of one function: a call and what it returns, both as Python."""

    call: Annotated[str, Meta(max_length=120)]
    result: Annotated[str, Meta(max_length=100)]


class UnitTests(msgspec.Struct, frozen=True):
    """Tests of one function. Calls with results: small models write these, but no statements."""

    tests: Annotated[list[Case], Meta(min_length=1, max_length=MOST_TESTS)]


class FunctionReport(msgspec.Struct, frozen=True):
    """What failed assertions mean, and who is to mend it."""

    instruction: Annotated[str, Meta(max_length=200)]
    send_to: Literal["Engineer", "QaEngineer"]


async def write_function(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """The Engineer: WriteCode and its review, or a repair after RunCode."""
    if heard.message.cause_by == RUN_CODE:
        await repair_function(company, agent, heard, dossier)
        return
    prompt = f"{brief(dossier)}\n\nWrite the complete Python code in one code block."
    code, reply = await write_file(company, agent, prompt, SOURCE, [heard.call])
    dossier = shelve(company, dossier, SOURCE, code)
    sources = [reply.call]
    if code:
        dossier, more = await review_loop(company, agent, dossier, SOURCE, reply)
        sources += more
    await say(
        company,
        agent,
        WRITE_CODE_REVIEW if company.options.code_review else WRITE_CODE,
        f"Wrote the code ({len(code.splitlines())} lines).",
        dossier,
        role="Engineer",
        sources=sources,
    )


async def check_function(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """The QA Engineer: WriteTest, then RunCode until the tests pass or the retries are used up."""
    cause = heard.message.cause_by
    if cause in (WRITE_CODE, WRITE_CODE_REVIEW):
        await write_assertions(company, agent, heard, dossier)
    elif cause in (WRITE_TEST, DEBUG_ERROR):
        await run_assertions(company, agent, heard, dossier)
    elif cause == RUN_CODE:
        await write_assertions(company, agent, heard, dossier)


async def write_assertions(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """WriteTest, or DebugError on tests that are wrong: those the task gives stay as they are."""
    if SOURCE not in dossier.files:
        company.counts["no_code"] += 1
        return
    name = company.task.entry_point or "the_function"
    given = given_tests(company.task)
    again = f"\n\n{dossier.errors}\n{dossier.report.instruction}" if dossier.report else ""
    prompt = (
        f"{brief(dossier)}{again}\n\nYou are the QA Engineer. Write {MOST_TESTS - 1} tests of "
        f"{name} from this description: calls with small values, and results you are sure of, "
        'both written as Python. Reply with one JSON object {"tests": [{"call": '
        f'"{name}(...)", "result": "..."}}, ...]}}.'
    )
    reply = await ask(
        company,
        agent,
        prompt,
        UnitTests,
        making=TESTS,
        sources=[heard.call],
        max_tokens=TEST_TOKENS,
    )
    written = reply.data.tests if isinstance(reply.data, UnitTests) else []
    stated = [f"assert {case.call.strip()} == {case.result.strip()}" for case in written]
    usable = [t for test in stated if (t := assertion(test, company.task.entry_point))]
    company.counts["unusable_tests"] += len(written) - len(usable)
    tests = list(dict.fromkeys([*given, *usable]))
    if tests:
        company.put(TESTS, "\n".join(tests) + "\n", [SOURCE])
    else:
        company.counts["no_tests"] += 1
    await say(
        company,
        agent,
        DEBUG_ERROR if dossier.report else WRITE_TEST,
        f"{len(tests)} tests, {len(given)} of them given.",
        msgspec.structs.replace(dossier, tests={SOURCE: "\n".join(tests)}),
        role="QA Engineer",
        send_to=(QA_ENGINEER,) if tests else (NO_ONE,),
        sources=[reply.call],
    )


async def run_assertions(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """RunCode: every assertion in a sandbox; a failure goes to whom the report names."""
    tests = dossier.tests.get(SOURCE, "").splitlines()
    code = dossier.files.get(SOURCE, "")
    try:
        ran = await agent.use(
            "check_program",
            program=program_of(company.task, code),
            tests=tests,
            seconds=company.options.test_seconds,
        )
        checked = msgspec.to_builtins(ran)
    except ToolError as error:
        checked = [{"test": test, "passed": False, "reason": str(error)} for test in tests]
    bad = [c for c in checked if not c["passed"]]
    errors = "\n".join(f"{c['test']} fails: {c['reason']}"[:200] for c in bad[:3])
    company.runs.append(
        {
            "passed": len(checked) - len(bad),
            "total": len(checked),
            "failed": [c["test"] for c in bad],
            "send_to": NO_ONE,
        }
    )
    report, call = None, heard.call
    if bad and company.counts["retries"] < company.options.test_rounds:
        report, call = await report_assertions(company, agent, dossier, errors, bad, heard.call)
        company.counts["retries"] += 1
        company.runs[-1]["send_to"] = report.send_to
    addressee = {"Engineer": ENGINEER, "QaEngineer": QA_ENGINEER}
    await say(
        company,
        agent,
        RUN_CODE,
        f"{len(checked) - len(bad)} of {len(checked)} tests pass.",
        msgspec.structs.replace(dossier, report=report, errors=errors, failed=TESTS if bad else ""),
        role="QA Engineer",
        send_to=(addressee[report.send_to] if report else NO_ONE,),
        sources=[call],
    )


async def report_assertions(
    company: Company,
    agent: Agent,
    dossier: Dossier,
    errors: str,
    bad: list[dict[str, Any]],
    source: int,
) -> tuple[RunReport, int]:
    """Ask what failed assertions mean. A test that the task itself gives is never at fault."""
    prompt = (
        f"{brief(dossier)}\n\nThe code:\n{fenced(dossier.files[SOURCE])}\n\n"
        f"Its tests:\n{errors}\n\nYou are the QA Engineer. Is the code wrong (send_to Engineer) or "
        "are these tests wrong (send_to QaEngineer)? Reply with one JSON object: instruction (how "
        "to mend it), send_to."
    )
    reply = await ask(
        company,
        agent,
        prompt,
        FunctionReport,
        making="the report on the tests",
        sources=[source],
        max_tokens=REPORT_TOKENS,
    )
    found: RunReport | Unparsed = Unparsed(reply.text, "no report")
    if isinstance(reply.data, FunctionReport):
        send_to = reply.data.send_to
        if send_to == "QaEngineer" and any(c["test"] in given_tests(company.task) for c in bad):
            company.counts["overruled_reports"] += 1
            send_to = "Engineer"
        found = RunReport(
            instruction=reply.data.instruction,
            file_to_rewrite=SOURCE if send_to == "Engineer" else TESTS,
            status="FAIL",
            send_to=send_to,
        )
    return settled(company, found, (SOURCE,), SOURCE, TESTS), reply.call


async def repair_function(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """DebugError: the Engineer rewrites the function from what the run said."""
    if SOURCE not in dossier.files or dossier.report is None:
        company.counts["unreadable_messages"] += 1
        return
    prompt = (
        f"{brief(dossier)}\n\nThe code:\n{fenced(dossier.files[SOURCE])}\n\n"
        f"Its tests:\n{dossier.errors}\n\nThe tester says: {dossier.report.instruction}\n\n"
        f"You are the Engineer. Correct the code.{history(company)} Write the complete Python code "
        "in one code block."
    )
    code, reply = await write_file(company, agent, prompt, SOURCE, [heard.call])
    if not code or code == dossier.files[SOURCE]:
        company.counts["repairs_without_change"] += 1
    await say(
        company,
        agent,
        DEBUG_ERROR,
        "Rewrote the code.",
        shelve(company, dossier, SOURCE, code),
        role="Engineer",
        sources=[reply.call],
    )


def assertion(test: str, entry_point: str) -> str:
    """A test on one line, or "" when it is not one assertion that calls the function."""
    if compiles(test):
        return ""
    parsed = ast.parse(test)
    if len(parsed.body) != 1 or not isinstance(parsed.body[0], ast.Assert):
        return ""
    called = {
        node.func.id
        for node in ast.walk(parsed)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    if entry_point not in called if entry_point else not called:
        return ""
    line = ast.unparse(parsed)
    return "" if "\n" in line else line


def given_tests(task: Task) -> list[str]:
    """The assertions that a task shows in its code blocks."""
    found: list[str] = []
    for block in code_blocks(task.prompt):
        if not compiles(block):
            nodes = ast.parse(block).body
            found += [ast.unparse(n) for n in nodes if isinstance(n, ast.Assert)]
    return [line for line in dict.fromkeys(found) if "\n" not in line]


def program_of(task: Task, code: str) -> str:
    """The program that the tests run: with the beginning that the task gave, where it gave one."""
    for block in code_blocks(task.prompt):
        if task.entry_point and f"def {task.entry_point}(" in block:
            return build_program(code, stub=block, entry_point=task.entry_point)
    return build_program(code, entry_point=task.entry_point)


def answer_of_function(company: Company) -> str | Unparsed:
    """The code as it stands."""
    code = company.shelf.get(SOURCE, "")
    return code or Unparsed("", "the engineer wrote no code")


FUNCTION_ENGINEER = Hire(
    ENGINEER,
    "Engineer",
    frozenset({USER_REQUIREMENT}),
    write_function,
)
FUNCTION_TESTER = Hire(
    QA_ENGINEER,
    "QA Engineer",
    frozenset({WRITE_CODE, WRITE_CODE_REVIEW, WRITE_TEST, RUN_CODE, DEBUG_ERROR}),
    check_function,
    tools=("check_program",),
)

__all__ = [
    "FUNCTION_ENGINEER",
    "FUNCTION_TESTER",
    "answer_of_function",
    "assertion",
    "given_tests",
    "program_of",
]
