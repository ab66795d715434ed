"""The QA Engineer: WriteTest, RunCode, DebugError (executable feedback, section 3.3).

Tests are written per file and really run, each in a sandbox with a time limit. A failure is put to
the tester's model, who says what is wrong, which file to rewrite, and whether the Engineer or the
QA Engineer is to do it. Whether a run passed is for the run to say: a model cannot overrule it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from collegium.agents.pool import Heard
from collegium.errors import ToolError
from collegium.kernel import Agent, Unparsed
from collegium.systems.metagpt.company import (
    DEBUG_ERROR,
    ENGINEER,
    NO_ONE,
    QA_ENGINEER,
    RUN_CODE,
    SUMMARIZE_CODE,
    WRITE_TEST,
    Company,
    Dossier,
    Hire,
    ask,
    brief,
    say,
)
from collegium.systems.metagpt.documents import as_json, fields_of, is_python
from collegium.systems.metagpt.engineering import fenced, write_file
from collegium.systems.metagpt.reading import report_of
from collegium.systems.metagpt.reports import RunReport, report_on
from collegium.tools.programs import compiles

OUTPUT_SHOWN = 500
"""Characters of a run's output that are kept (the repository's clip)."""

ERRORS_SHOWN = 10_000
"""Characters of a run's errors that are kept."""

ERRORS_ASKED = 700
"""Characters of them that go into a prompt: small models have small contexts."""

REPORT_TOKENS = 160
ROLE = "QA Engineer"

RUNNER_FILE = "run_tests.py"
RUNNER = '''\
"""Runs the tests of one file, and says in its last line how many there were and how many failed."""
import sys
import unittest

suite = unittest.defaultTestLoader.discover("tests", pattern=sys.argv[1])
result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
wrong = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
print(f"ran={result.testsRun} failed={wrong}", file=sys.stderr)
sys.exit(0 if result.testsRun and not wrong else 1)
'''

_COUNTS = re.compile(r"^ran=(\d+) failed=(\d+)$", re.M)


class FileRun(msgspec.Struct, frozen=True):
    """How the tests of one file went.

    Attributes:
        file: The source file.
        test: The test file.
        status: "ok", "error", "timeout", or what else the sandbox stopped it for.
        ran: How many tests there were; 0 when it was stopped before they could be counted.
        failed: How many of them failed.
        stdout: Output, clipped.
        stderr: Errors, clipped.
    """

    file: str
    test: str
    status: str
    ran: int
    failed: int
    stdout: str
    stderr: str

    @property
    def passed(self) -> bool:
        """Whether there were tests and all of them passed, in a process that ended well."""
        return self.status == "ok" and self.ran > 0 and self.failed == 0


async def tester(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """What the QA Engineer does with its news, by what caused it."""
    cause = heard.message.cause_by
    if cause == SUMMARIZE_CODE:
        await write_tests(company, agent, heard, dossier)
    elif cause in (WRITE_TEST, DEBUG_ERROR):
        await run_code(company, agent, heard, dossier)
    elif cause == RUN_CODE:
        await rewrite_test(company, agent, heard, dossier)


def place_of(path: str) -> str:
    """Where the tests of a source file go."""
    return f"tests/test_{path.replace('/', '_')}"


def testable(path: str, code: str) -> bool:
    """Whether a file is Python with something to test; one that does not compile fails its test."""
    return is_python(path) and bool(compiles(code) or defined(code))


def defined(code: str) -> list[str]:
    """The functions and classes of a file; of one that does not compile, none."""
    if compiles(code):
        return []
    return [
        node.name
        for node in ast.parse(code).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]


def imported(code: str) -> set[str]:
    """The modules that a file imports, by their first names; of one that does not compile, none."""
    if compiles(code):
        return set()
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def asked(dossier: Dossier) -> str:
    """What a tester needs of the documents: the requirement."""
    return brief(Dossier(requirement=dossier.requirement))


async def write_tests(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """WriteTest: a unittest file for every source file that defines something."""
    sources = [heard.call]
    for path, code in dossier.files.items():
        if not testable(path, code):
            continue
        module = path.removesuffix(".py").replace("/", ".")
        names = ", ".join(defined(code)) or "what you test"
        others = "".join(
            f"\n\nThe file {name}:\n{fenced(other)}"
            for name, other in dossier.files.items()
            if name != path and name.removesuffix(".py") in imported(code)
        )
        prompt = (
            f"{asked(dossier)}{others}\n\nThe file {path}:\n{fenced(code)}\n\n"
            f"You are the QA Engineer. Write tests for {path} with Python's unittest: two or three "
            f"short test methods with values you are sure of. Begin with\nimport unittest\n"
            f"from {module} import {names}\n"
            "Replace input() where it is called. Reply with one code block."
        )
        place = place_of(path)
        test, reply = await write_file(company, agent, prompt, place, [heard.call])
        sources.append(reply.call)
        if test:
            company.put(place, test.rstrip() + "\n", [dossier.place(path)])
            dossier = msgspec.structs.replace(dossier, tests={**dossier.tests, path: test})
    if not dossier.tests:
        company.counts["no_tests"] += 1
    await say(
        company,
        agent,
        WRITE_TEST,
        f"Wrote tests for {', '.join(dossier.tests) or 'nothing'}.",
        dossier,
        role=ROLE,
        send_to=(QA_ENGINEER,) if dossier.tests else (NO_ONE,),
        sources=sources,
    )


async def run_test(company: Company, agent: Agent, dossier: Dossier, path: str) -> FileRun:
    """Run the tests of one file in the sandbox; nothing is ever installed for them."""
    place = place_of(path)
    files = {dossier.place(name): code for name, code in dossier.files.items()}
    files |= {place: dossier.tests[path], RUNNER_FILE: RUNNER}
    where = f"PYTHONPATH={dossier.package or '.'}"
    command = ["env", where, "python", RUNNER_FILE, place.split("/")[-1]]
    try:
        ran = await agent.use(
            "run_project", files=files, command=command, seconds=company.options.test_seconds
        )
    except ToolError as error:
        return FileRun(path, place, "error", 0, 0, "", str(error))
    ended = msgspec.to_builtins(ran)
    status, errors = str(ended["status"]), str(ended["errors"])
    counted = _COUNTS.findall(errors)
    total, wrong = map(int, counted[-1]) if counted else (0, 0)
    if status == "timeout":
        errors += f"\nkilled after {company.options.test_seconds:g} seconds: it does not end"
    return FileRun(
        path,
        place,
        status,
        total,
        wrong,
        str(ended["output"])[:OUTPUT_SHOWN],
        errors.strip()[-ERRORS_SHOWN:],
    )


async def run_code(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """RunCode: run all tests; put the first failure to the model, and send the report on."""
    runs = [await run_test(company, agent, dossier, path) for path in dossier.tests]
    bad = [run for run in runs if not run.passed]
    total = sum(max(run.ran, 1) for run in runs)
    failed = sum(run.failed if run.ran and run.failed else max(run.ran, 1) for run in bad)
    record: dict[str, Any] = {
        "passed": total - failed,
        "total": total,
        "files": {run.test: run.status if run.ran or not run.passed else "ok" for run in runs},
        "send_to": NO_ONE,
        "file": "",
    }
    company.runs.append(record)
    report: RunReport | None = None
    call = heard.call
    retries = company.counts["retries"]
    if bad and retries < company.options.test_rounds:
        report, call = await report_failure(company, agent, dossier, bad[0], heard.call)
        company.counts["retries"] += 1
        record |= {"send_to": report.send_to, "file": report.file_to_rewrite}
    for run in runs:
        shown = report if bad and run is bad[0] else None
        text = as_json({**msgspec.to_builtins(run), "report": shown})
        name = run.test.split("/")[-1].removesuffix(".py")
        company.put(f"test_outputs/{name}.json", text, [run.test, dossier.place(run.file)])
    if not bad:
        said = f"All {total} tests pass."
    elif report is None:
        said = f"{failed} of {total} tests still fail after {retries} retries."
    else:
        said = f"{bad[0].test}: {report.status}, {report.file_to_rewrite} to be rewritten."
    first = bad[0] if bad else None
    dossier = msgspec.structs.replace(
        dossier,
        report=report,
        failed=first.test if first else "",
        errors=shown_errors(first.stderr) if first else "",
    )
    addressee = {"Engineer": ENGINEER, "QaEngineer": QA_ENGINEER}
    await say(
        company,
        agent,
        RUN_CODE,
        said,
        dossier,
        role=ROLE,
        send_to=(addressee[report.send_to] if report else NO_ONE,),
        sources=[call],
    )


async def report_failure(
    company: Company, agent: Agent, dossier: Dossier, run: FileRun, source: int
) -> tuple[RunReport, int]:
    """Ask what a failed run means; the answer is made to fit the facts."""
    files = (*(p for p in dossier.files if is_python(p)), run.test)
    prompt = (
        f"{asked(dossier)}\n\nThe file {run.file}:\n{fenced(dossier.files[run.file])}\n\n"
        f"Its test {run.test}:\n{fenced(dossier.tests[run.file])}\n\n"
        f"The run of the test printed:\n{run.stdout}\n{shown_errors(run.stderr)}\n\n"
        "You are the QA Engineer. Say what is wrong, in the code or in the test (such as a "
        "missing import or a wrong expected value), and who is to mend it."
    )
    making = f"the report on {run.test}"
    if company.options.documents == "text":
        prompt += (
            " Write four sections: '## Instruction', '## File To Rewrite' (one of "
            f"{', '.join(files)}), '## Status' (PASS or FAIL), '## Send To' (Engineer if the code "
            "is wrong, QaEngineer if the test is wrong, NoOne if all is well)."
        )
        reply = await ask(company, agent, prompt, str, making=making, sources=[source])
        found: Any = report_of(reply.text)
    else:
        kind = report_on(files)
        prompt += f" Reply with one JSON object with these fields:\n{fields_of(kind)}"
        reply = await ask(
            company, agent, prompt, kind, making=making, sources=[source], max_tokens=REPORT_TOKENS
        )
        found = reply.data
    return settled(company, found, files[:-1], run.file, run.test), reply.call


def settled(company: Company, found: Any, files: Sequence[str], file: str, test: str) -> RunReport:
    """A report that fits the facts: the run failed, and who mends a file is who wrote it.

    An unreadable report, PASS for a run that failed, or a file that the addressee does not own is
    overruled; all are counted.
    """
    if isinstance(found, Unparsed) or found is None:
        company.counts["unreadable_reports"] += 1
        found = RunReport(instruction="", file_to_rewrite=file, status="FAIL", send_to="Engineer")
    send_to, path = found.send_to, found.file_to_rewrite
    if found.status != "FAIL" or send_to == "NoOne":
        company.counts["overruled_reports"] += 1
        send_to = "Engineer"
    if send_to == "QaEngineer":
        path = test
    elif path not in files:
        path = file
    return RunReport(
        instruction=found.instruction, file_to_rewrite=path, status="FAIL", send_to=send_to
    )


async def rewrite_test(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """DebugError on a test that is itself wrong."""
    path = next((p for p in dossier.tests if place_of(p) == dossier.failed), "")
    if not path or path not in dossier.files or dossier.report is None:
        company.counts["unreadable_messages"] += 1
        return
    prompt = (
        f"{asked(dossier)}\n\nThe file {path}:\n{fenced(dossier.files[path])}\n\n"
        f"Its test {dossier.failed}:\n{fenced(dossier.tests[path])}\n\n"
        f"The run of the test said:\n{dossier.errors}\n\n"
        f"The test is wrong: {dossier.report.instruction}\n\n"
        "You are the QA Engineer. Rewrite the test, whole. Reply with one code block."
    )
    test, reply = await write_file(company, agent, prompt, dossier.failed, [heard.call])
    if test:
        made_from = [dossier.place(path)]
        company.put(dossier.failed, test.rstrip() + "\n", made_from)
        dossier = msgspec.structs.replace(dossier, tests={**dossier.tests, path: test})
    await say(
        company,
        agent,
        DEBUG_ERROR,
        f"Rewrote {dossier.failed}.",
        dossier,
        role=ROLE,
        sources=[reply.call],
    )


def shown_errors(text: str) -> str:
    """The end of a run's errors: that is where the exception stands."""
    return text[-ERRORS_ASKED:]


QA_ROLE = Hire(
    QA_ENGINEER,
    ROLE,
    frozenset({SUMMARIZE_CODE, WRITE_TEST, RUN_CODE, DEBUG_ERROR}),
    tester,
    tools=("run_project",),
)
