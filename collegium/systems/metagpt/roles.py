"""The roles that write documents: Product Manager, Architect, Project Manager (section 3.1).

Each waits for the document before its own, writes one that its schema accepts, and publishes it.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from collegium.agents.diagrams import (
    parse_class_diagram,
    parse_sequence_diagram,
    topological_order,
)
from collegium.agents.pool import Heard
from collegium.errors import BadInput
from collegium.kernel import Agent, Reply, Unparsed
from collegium.systems.metagpt.company import (
    USER_REQUIREMENT,
    WRITE_DESIGN,
    WRITE_PRD,
    WRITE_TASKS,
    Company,
    Dossier,
    Hire,
    ask,
    brief,
    say,
)
from collegium.systems.metagpt.documents import (
    PRD,
    Design,
    DocumentRejected,
    Tasks,
    as_json,
    fields_of,
    tasks_for,
)
from collegium.systems.metagpt.reading import CLOSE, OPEN, content_of
from collegium.systems.metagpt.short import ShortDesign, ShortPRD, short_tasks_for, widened

PRD_FILE = "docs/prd.json"
DESIGN_FILE = "docs/system_design.json"
TASKS_FILE = "docs/task.json"

DOCUMENT_TOKENS = {"docs/prd.json": 320, "docs/system_design.json": 384, "docs/task.json": 256}
"""Cap on a short document, in tokens; a full one may take four times as much."""


async def document(
    company: Company,
    agent: Agent,
    heard: Heard,
    kind: type[Any],
    path: str,
    dossier: Dossier,
    instruction: str,
) -> tuple[Any, Reply[Any]]:
    """Have a document written that its schema accepts: one try, one re-ask, then an error.

    Args:
        company: The run.
        agent: Who writes.
        heard: The message it acts on.
        kind: The type asked for.
        path: Where the document goes.
        dossier: What it is made from.
        instruction: What its role is to do.

    Returns:
        The document in full form, and the reply it came from.

    Raises:
        DocumentRejected: The second try did not fit either.
        LimitReached: The budget ran out.
    """
    textual = company.options.documents == "text"
    long = company.options.documents != "short"
    cap = DOCUMENT_TOKENS[path] * (4 if long else 1)
    form = f"between {OPEN} and {CLOSE}" if textual else "alone, as short as it can be"
    prompt = (
        f"{brief(dossier)}\n\n{instruction} Reply with one JSON object {form}, "
        f"with these fields:\n{fields_of(kind)}"
    )
    if not textual:  # the kernel checks the type, and asks once more
        reply = await ask(
            company, agent, prompt, kind, making=path, sources=[heard.call], max_tokens=cap
        )
        made = reply.data
    else:
        reply = await ask(
            company, agent, prompt, str, making=path, sources=[heard.call], max_tokens=cap
        )
        made = content_of(reply.text, kind)
        if isinstance(made, Unparsed):
            company.counts["documents_asked_again"] += 1
            again = (
                f"{prompt}\n\nYour last reply was:\n{reply.text}\n\n"
                f"It was refused: {made.reason}. Write the whole document again."
            )
            sources = [heard.call, reply.call]
            reply = await ask(
                company, agent, again, str, making=path, sources=sources, max_tokens=cap
            )
            made = content_of(reply.text, kind)
    if isinstance(made, Unparsed):
        raise DocumentRejected(
            f"{path} of the {agent.name} was refused twice: {made.reason}. "
            f"A larger model, or documents=short, may do better."
        )
    try:
        return widened(made, dossier.requirement), reply
    except ValueError as error:
        raise DocumentRejected(f"{path} of the {agent.name} was refused: {error}.") from None


async def write_prd(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """WritePRD: from the requirement to goals, user stories and a pool of requirements."""
    prd, reply = await document(
        company,
        agent,
        heard,
        ShortPRD if company.options.documents == "short" else PRD,
        PRD_FILE,
        dossier,
        "You are the Product Manager. Say what the product must do for its users.",
    )
    company.put(PRD_FILE, as_json(prd))
    await say(
        company,
        agent,
        WRITE_PRD,
        f"{PRD_FILE} for {prd.project_name}: {len(prd.user_stories)} user stories, "
        f"{len(prd.requirement_pool)} requirements.",
        msgspec.structs.replace(dossier, prd=prd),
        role="Product Manager",
        sources=[reply.call],
    )


async def write_design(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """WriteDesign: from the PRD to files, classes and their calls."""
    design, reply = await document(
        company,
        agent,
        heard,
        ShortDesign if company.options.documents == "short" else Design,
        DESIGN_FILE,
        dossier,
        "You are the Architect. Design a small command line program for this, in Python with its "
        "standard library alone if possible.",
    )
    company.put(DESIGN_FILE, as_json(design), [PRD_FILE])
    company.facts["design"] = drawn(design)
    await say(
        company,
        agent,
        WRITE_DESIGN,
        f"{DESIGN_FILE}: {', '.join(design.file_list)}.",
        msgspec.structs.replace(dossier, design=design),
        role="Architect",
        sources=[reply.call],
    )


async def write_tasks(company: Company, agent: Agent, heard: Heard, dossier: Dossier) -> None:
    """WriteTasks: from the design to files in dependency order."""
    if dossier.design is None:
        company.counts["unreadable_messages"] += 1
        return
    files = tuple(dict.fromkeys(dossier.design.file_list))
    short = company.options.documents == "short"
    tasks, reply = await document(
        company,
        agent,
        heard,
        short_tasks_for(files) if short else tasks_for(Tasks, files),
        TASKS_FILE,
        dossier,
        "You are the Project Manager. Break the design down into one task for each of its files.",
    )
    company.put(TASKS_FILE, as_json(tasks), [DESIGN_FILE])
    company.put("requirements.txt", requirements(tasks), [TASKS_FILE])
    await say(
        company,
        agent,
        WRITE_TASKS,
        f"{TASKS_FILE}: {', then '.join(tasks.task_list)}.",
        msgspec.structs.replace(dossier, tasks=tasks),
        role="Project Manager",
        sources=[reply.call],
    )


def requirements(tasks: Tasks) -> str:
    """The text of requirements.txt. It is for a person to read: nothing here ever installs it."""
    lines = [p.strip() for p in tasks.required_packages]
    return "".join(
        f"{line}\n"
        for line in lines
        if line and line.split("=")[0].strip(" ><~!") not in sys.stdlib_module_names
    )


def drawn(design: Design) -> dict[str, Any]:
    """What the diagrams of a design say: classes, order, participants, and what is amiss."""
    facts: dict[str, Any] = {"classes": [], "order": [], "amiss": []}
    try:
        diagram = parse_class_diagram(design.data_structures)
        facts["classes"] = list(diagram.names)
        facts["unread"] = len(diagram.unread)
        facts["order"] = list(topological_order(diagram))
    except BadInput as error:
        facts["amiss"].append(str(error))
    if design.call_flow.strip():
        try:
            flow = parse_sequence_diagram(design.call_flow)
            facts["participants"] = list(flow.participants)
        except BadInput as error:
            facts["amiss"].append(str(error))
    return facts


PRODUCT_MANAGER = Hire(
    "product-manager", "Product Manager", frozenset({USER_REQUIREMENT}), write_prd
)
ARCHITECT = Hire("architect", "Architect", frozenset({WRITE_PRD}), write_design)
PROJECT_MANAGER = Hire("project-manager", "Project Manager", frozenset({WRITE_DESIGN}), write_tasks)
