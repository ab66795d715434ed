"""MetaGPT: a software company as a program (arXiv 2308.00352, ICLR 2024).

A requirement of one line goes down an assembly line of roles, each obliged to hand over a document
of a fixed form and not chat (section 3.1). Documents travel through a shared pool of messages, and
roles subscribe to the *action* that caused a message (section 3.2). Code is written file by file
from the documents, reviewed, run against generated tests, and repaired from what the runs say
(section 3.3).

Company mode, for a task answered in words: requirement -> project folder in ``Result.files``.
Function mode, for a task answered with code: description -> one function, by Engineer and tester.

The modules: ``documents`` (the schemas), ``reading`` (the textual contracts), ``company`` (what
roles share, rounds, budget), ``roles`` (Product Manager, Architect, Project Manager),
``engineering`` (Engineer), ``testing`` (QA Engineer), ``function_mode``.

Paper vs code vs ours
---------------------
* The newest repository has moved to other roles; this is the paper's standard operating procedure
  as its older role files keep it.
* Executable feedback mends the source: in the repository DebugError saves only the test file, and
  its Engineer does not hear of test runs. As in the paper, a report addressed to the Engineer has
  the *source* rewritten; one addressed to the QA Engineer the test. 3 retries (paper; the
  repository's bound is 5 rounds).
* Whether a run passed is decided by the run. The repository asks a model about every run; here it
  is asked about failures alone, and one that calls a failure a pass is overruled and counted.
* Generated requirements are never installed: ``requirements.txt`` is for the reader. The
  repository's RunCode calls pip.
* The investment is the kernel's limits (tokens, generations, seconds, money). When they end a run,
  the error names what was not made, cost and limit, and the files so far remain. The repository
  checks between rounds; the kernel checks before every generation.
* A message carries its documents as data, and a role works from what it heard. In the repository it
  carries file names, and roles read a common folder. So a guard or an attack on messages acts on
  what is built.
* Delivery goes to those who watch a message's cause or are named by it; the repository delivers to
  all and lets each discard. Who hears what is the same. The Engineer's SummarizeCode goes to the QA
  Engineer by name, as in the repository.
* The schema gate: a document that does not fit is asked for once more, with the reason, and then
  the run fails with ``DocumentRejected``. A task list must name the files of the design, all and
  only these. Counts such as "five to seven" competitors are asked for and not enforced: the
  published transcript itself has three.
* ``documents``: "short" asks for the fields that later roles act on (small models), under a
  grammar; a short design gives its classes as data, and the class diagram is written from them.
  "full" asks for the paper's whole schemas as typed outputs. "text" is the paper's contract: JSON
  between [CONTENT] tags, reviews and reports in headed sections.
* SummarizeCode asks its model only where ``max_auto_summarize_code`` allows another pass (default
  0, as in the repository); classes of the design that no file defines are found by reading code.
* ``code_review`` = k = 2 (code_validate_k_times); a review that cannot be read ends the loop, and
  is recorded. A rewrite is not reviewed again when k is used up, as in the repository.
* Files that define nothing are not tested; files that are not Python are stored, never run.
* Output of a run is clipped to 500 characters as in the repository; errors to the end that the
  sandbox tool keeps (at most 10,000 characters), and 700 of them go into a prompt.
* Function mode is not in the repository. The assertions as tests and their number (3) are ours; a
  test is asked for as a call and its result, for small models write these better than statements.
  Assertions that the task itself shows are tests too, and a report may not blame them.
* A second repair is told that the one before did not help (the Engineer's memory, section 3.3):
  without that, a model at temperature 0 gives the same file again.
* Not built: incremental requests on an existing project (FixBug), git history (the trace holds
  every version), the roles' other modes of reacting (the procedure's roles act in order).
"""

from __future__ import annotations

from collegium.errors import BadInput
from collegium.kernel import Kernel, Unparsed
from collegium.systems.metagpt.company import Company, Documents, Dossier, Options, work
from collegium.systems.metagpt.documents import DocumentRejected
from collegium.systems.metagpt.engineering import ENGINEER_ROLE
from collegium.systems.metagpt.function_mode import (
    FUNCTION_ENGINEER,
    FUNCTION_TESTER,
    answer_of_function,
)
from collegium.systems.metagpt.roles import ARCHITECT, PRODUCT_MANAGER, PROJECT_MANAGER
from collegium.systems.metagpt.testing import QA_ROLE
from collegium.systems.system import Result, system
from collegium.tasks.task import Task
from collegium.tools.programs import check_program, run_project


def lacking(task: Task) -> str:
    """What a task lacks for this system; "" when it can be solved."""
    if task.answer not in ("text", "code"):
        return "a requirement to be built, answered in words (text) or with code"
    if not task.prompt.strip():
        return "a requirement that is not empty"
    return ""


@system("metagpt", paper="metagpt", needs=lacking, tools=(check_program, run_project))
async def metagpt(
    task: Task,
    kernel: Kernel,
    *,
    n_round: int = 13,
    code_review: int = 2,
    run_tests: bool = True,
    test_rounds: int = 3,
    test_seconds: float = 10.0,
    max_auto_summarize_code: int = 0,
    documents: Documents = "short",
    temperature: float = 0.0,
    max_tokens: int = 512,
) -> Result:
    """Build a program from one line: requirement, design, tasks, reviewed code, tests that run.

    Args:
        task: The requirement (answered in words), or a function's description (answered with code).
        kernel: Runs the calls; its limits are the investment.
        n_round: Rounds of the company: 3 for documents, 2 for code, 2 for tests, 2 for each retry.
        code_review: k, reviews per file at most; 0 for none.
        run_tests: Whether a QA Engineer is hired.
        test_rounds: Retries after failed tests.
        test_seconds: How long the tests of a file may run, in seconds.
        max_auto_summarize_code: Further passes of writing that a summary may ask for.
        documents: "short", "full" or "text": how much is asked for, and in what form.
        temperature: Sampling temperature of all roles.
        max_tokens: Cap on a file of code.

    Returns:
        Company mode: a summary as the answer, the project folder as files. Function mode: the code.
        ``notes`` hold the messages, ``reviews``, ``runs`` and, where tests ran, ``self_tests``.

    Raises:
        BadInput: The requirement is empty, or a number is out of range.
        DocumentRejected: A document did not fit its schema, twice.
        LimitReached: The budget ran out; what was made is kept.
    """
    if lack := lacking(task):
        raise BadInput(f"metagpt needs {lack}.")
    if n_round < 1 or code_review < 0 or test_rounds < 0 or max_auto_summarize_code < 0:
        raise BadInput(
            "metagpt needs n_round >= 1, code_review >= 0, test_rounds >= 0 and "
            f"max_auto_summarize_code >= 0, not {n_round}, {code_review}, {test_rounds} and "
            f"{max_auto_summarize_code}."
        )
    if not test_seconds > 0 or max_tokens < 1:
        raise BadInput(
            f"metagpt needs test_seconds and max_tokens above 0, not {test_seconds:g} and "
            f"{max_tokens}."
        )
    options = Options(
        n_round=n_round,
        code_review=code_review,
        run_tests=run_tests,
        test_rounds=test_rounds,
        test_seconds=test_seconds,
        max_auto_summarize_code=max_auto_summarize_code,
        documents=documents,
        temperature=temperature,
        max_tokens=max_tokens,
    )
    company = Company(kernel, task, options)
    if task.answer == "code":
        company.answer = answer_of_function
        hires = [FUNCTION_ENGINEER, *([FUNCTION_TESTER] if run_tests else [])]
    else:
        company.answer = summary
        hires = [PRODUCT_MANAGER, ARCHITECT, PROJECT_MANAGER, ENGINEER_ROLE]
        hires += [QA_ROLE] if run_tests else []
    return await work(company, hires)


def summary(company: Company) -> str | Unparsed:
    """What was built, and whether its tests pass, in a sentence or two."""
    if not company.shelf:
        return Unparsed("", "no document was made")
    folders = {path: path.partition("/")[0] for path in company.shelf if "/" in path}
    own = {"docs", "tests", "test_outputs"}
    sources = [path for path, folder in folders.items() if folder not in own]
    if not sources:
        said = f"No code yet; there are {', '.join(sorted(company.shelf))}."
    else:
        lines = sum(len(company.shelf[path].splitlines()) for path in sources)
        said = f"{folders[sources[0]]}: {', '.join(sorted(sources))} ({lines} lines)."
        if company.runs:
            last = company.runs[-1]
            said += f" {last['passed']} of {last['total']} of its own tests pass"
            retries = company.counts["retries"]
            said += f" after {retries} retr{'y' if retries == 1 else 'ies'}." if retries else "."
        else:
            said += " Its tests were not run."
    return f"{said} {company.stopped}".strip()


__all__ = ["DocumentRejected", "Dossier", "metagpt"]
