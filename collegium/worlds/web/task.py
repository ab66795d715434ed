"""Tasks in the schema of WebArena (arXiv 2307.13854, section 3; the records of its test file).

A record says where a task begins, what is asked, and how the outcome is judged. Its addresses are
written with place holders such as ``__SHOPPING__``, which are filled with the hosts that are really
there: those given, or those that the environment names (``COLLEGIUM_HOST_SHOPPING`` ...).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from collegium.errors import BadInput

SITES: dict[str, str] = {
    "shop": "__SHOP__",
    "forum": "__FORUM__",
    "code": "__CODE__",
    "cms": "__CMS__",
    "shopping": "__SHOPPING__",
    "shopping_admin": "__SHOPPING_ADMIN__",
    "reddit": "__REDDIT__",
    "gitlab": "__GITLAB__",
    "wikipedia": "__WIKIPEDIA__",
    "map": "__MAP__",
    "homepage": "__HOMEPAGE__",
}
"""Place holder of every site, by the name that tasks use: four of our own, then WebArena's."""

NAMES: dict[str, str] = {
    "shop": "http://shop.test",
    "forum": "http://forum.test",
    "code": "http://code.test",
    "cms": "http://cms.test",
    "shopping": "http://onestopmarket.com",
    "shopping_admin": "http://luma.com/admin",
    "reddit": "http://reddit.com",
    "gitlab": "http://gitlab.com",
    "wikipedia": "http://wikipedia.org",
    "map": "http://openstreetmap.org",
    "homepage": "http://homepage.com",
}
"""The addresses that an agent sees and may go to, whatever the real hosts are."""

EVAL_TYPES = ("string_match", "url_match", "program_html")
"""What a task's outcome can be judged by."""

HOST_VARIABLE = "COLLEGIUM_HOST_"
"""Environment variables that name hosts begin so; the rest is the site in capitals."""

AND = " |AND| "
"""Between the addresses of several tabs that a task begins with."""

_HOLDER = re.compile(r"__[A-Z][A-Z_]*?__")
_OTHER_HOLDERS = {"__last_url__", "__page__"}

Mode = Literal["fixed", "compat"]
"""``compat`` repeats the original's known faults; ``fixed`` mends them."""


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page to look at when the outcome is judged (``program_html``).

    Attributes:
        url: Its address; ``last`` for the page the run ended on; ``func:`` and a helper's call.
        locator: JavaScript that gives the text to check, ``func:`` and a helper's call, or ""
            for the whole page.
        required_contents: ``exact_match``: a text; or ``must_include``: a list of texts.
        prep_actions: JavaScript that is run in the page first.
    """

    url: str
    locator: str
    required_contents: dict[str, Any]
    prep_actions: tuple[str, ...] = ()


class Evaluation(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the outcome of a task is judged; all that is listed has to hold.

    Attributes:
        eval_types: Which of :data:`EVAL_TYPES`.
        reference_answers: ``exact_match``, ``must_include`` or ``fuzzy_match`` of the answer.
        reference_url: Where the run has to end; several separated by " |OR| ".
        program_html: Pages and what they have to hold.
        string_note: Why a task cannot be done, where ``fuzzy_match`` is "N/A".
        url_note: The rule by which addresses are compared.
        reference_answer_raw_annotation: The answer as its author wrote it.
        annotation_note: What its author remarked.
    """

    eval_types: tuple[str, ...]
    reference_answers: dict[str, Any] | None = None
    reference_url: str | None = None
    program_html: tuple[Target, ...] = ()
    string_note: str = ""
    url_note: str = "GOLD in PRED"
    reference_answer_raw_annotation: str = ""
    annotation_note: str = ""


class WebTask(msgspec.Struct, frozen=True, omit_defaults=True):
    """One task, as WebArena's files hold it.

    Attributes:
        task_id: Its number or name.
        sites: The sites that it needs, keys of :data:`SITES`.
        intent: What is asked.
        start_url: Where it begins; several tabs are separated by " |AND| ".
        eval: How the outcome is judged.
        require_login: Whether somebody has to be logged in at the beginning.
        storage_state: File with cookies and local storage of who is logged in.
        geolocation: Where the browser claims to be.
        intent_template: The pattern that the intent was made from.
        instantiation_dict: What was put into it.
        intent_template_id: Number of the pattern.
        require_reset: Whether the sites have to be put back afterwards.
    """

    task_id: int | str
    sites: tuple[str, ...]
    intent: str
    start_url: str
    eval: Evaluation
    require_login: bool = False
    storage_state: str | None = None
    geolocation: dict[str, float] | None = None
    intent_template: str = ""
    instantiation_dict: dict[str, Any] = {}
    intent_template_id: int | None = None
    require_reset: bool = False


class Loaded(msgspec.Struct, frozen=True):
    """What a file of tasks holds.

    Attributes:
        tasks: Those that can be read, in the order of the file.
        problems: What is wrong with the others, by their id.
    """

    tasks: tuple[WebTask, ...]
    problems: dict[int | str, str] = {}

    def task(self, task_id: int | str) -> WebTask:
        """A task by its id.

        Raises:
            BadInput: There is none, or it cannot be read.
        """
        for task in self.tasks:
            if str(task.task_id) == str(task_id):
                return task
        for known, problem in self.problems.items():
            if str(known) == str(task_id):
                raise BadInput(problem)
        ids = ", ".join(str(t.task_id) for t in self.tasks[:8])
        raise BadInput(f"there is no task {task_id!r} in this file; it has: {ids} ...")


def load_tasks(path: Path | str) -> Loaded:
    """Read a file of tasks: a JSON list of records, or one record.

    A record that is wrong does not spoil the others: it is told of under ``problems``.

    Raises:
        BadInput: The file cannot be read, is not JSON, or has no records; two have one id.
    """
    path = Path(path).expanduser()
    try:
        raw = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise BadInput(f"cannot read the tasks in {path}: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise BadInput(f"{path} is not JSON ({error}).") from None
    records = raw if isinstance(raw, list) else [raw]
    if not records:
        raise BadInput(f"{path} holds no tasks.")
    tasks: list[WebTask] = []
    problems: dict[int | str, str] = {}
    seen: set[str] = set()
    for place, record in enumerate(records):
        name = record.get("task_id", f"record {place}") if isinstance(record, dict) else place
        if str(name) in seen:
            raise BadInput(f"{path}: two tasks have the id {name}.")
        seen.add(str(name))
        try:
            tasks.append(read_task(record))
        except BadInput as error:
            problems[name] = str(error)
    return Loaded(tuple(tasks), problems)


def read_task(record: Any) -> WebTask:
    """Read one record.

    Raises:
        BadInput: Something is missing or of the wrong kind; the message names the task.
    """
    name = record.get("task_id", "?") if isinstance(record, dict) else "?"
    try:
        task = msgspec.convert(record, WebTask)
    except msgspec.ValidationError as error:
        raise BadInput(f"web task {name}: {error}.") from None
    if not task.start_url.strip():
        raise BadInput(f"web task {name}: start_url is empty; say where the task begins.")
    if unknown := sorted(set(task.eval.eval_types) - set(EVAL_TYPES)):
        raise BadInput(
            f"web task {name}: unknown eval_type {unknown[0]!r}; known: {', '.join(EVAL_TYPES)}."
        )
    if not task.eval.eval_types:
        raise BadInput(f"web task {name}: eval_types is empty, so nothing would be judged.")
    answers, html = task.eval.reference_answers, task.eval.program_html
    wants = {
        "string_match": (answers, "reference_answers"),
        "url_match": (task.eval.reference_url, "reference_url"),
        "program_html": (html, "program_html"),
    }
    for kind in task.eval.eval_types:
        value, field = wants[kind]
        if not value:
            raise BadInput(f"web task {name}: {kind} needs {field}, which is empty.")
    return task


def holders(task: WebTask) -> tuple[str, ...]:
    """The place holders that occur in a task, in alphabetical order."""
    text = msgspec.json.encode(msgspec.structs.replace(task, intent="")).decode()
    found = set(_HOLDER.findall(text)) - _OTHER_HOLDERS
    return tuple(sorted(h for h in found if h in SITES.values()))


def given_hosts(hosts: Mapping[str, str] | None = None) -> dict[str, str]:
    """The address of each site that is known: as given, else as the environment says.

    Args:
        hosts: Addresses by site, such as {"shop": "http://127.0.0.1:8001"}.

    Raises:
        BadInput: An address is no http address, or a site is unknown.
    """
    found = {
        site: os.environ[name]
        for site in SITES
        if os.environ.get(name := HOST_VARIABLE + site.upper())
    }
    for site, address in (hosts or {}).items():
        if site not in SITES:
            raise BadInput(f"there is no site {site!r}; sites are: {', '.join(SITES)}.")
        found[site] = address
    for site, address in found.items():
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise BadInput(f"the host of {site!r} must be like http://127.0.0.1:8001: {address!r}.")
    return {site: address.rstrip("/") for site, address in found.items()}


def missing_hosts(task: WebTask, hosts: Mapping[str, str]) -> tuple[str, ...]:
    """The sites that a task needs and that are not there."""
    by_holder = {holder: site for site, holder in SITES.items()}
    needed = {by_holder[h] for h in holders(task)} | {s for s in task.sites if s in SITES}
    return tuple(sorted(needed - set(hosts)))


def filled(task: WebTask, hosts: Mapping[str, str]) -> WebTask:
    """A task with the addresses of real hosts in place of its place holders.

    Raises:
        BadInput: A host is missing; the message names the task and the variable to set.
    """
    if lacking := missing_hosts(task, hosts):
        names = ", ".join(HOST_VARIABLE + site.upper() for site in lacking)
        raise BadInput(
            f"web task {task.task_id}: no site for it here ({', '.join(lacking)}); set {names}."
        )
    record = msgspec.to_builtins(task)
    kept = {
        key: record[key]
        for key in ("intent", "intent_template", "instantiation_dict")
        if key in record
    }
    return msgspec.convert({**_fill(record, hosts), **kept}, WebTask)


def fill(text: str, hosts: Mapping[str, str]) -> str:
    """A text with addresses in place of place holders; those without a host stay.

    Longer names go first, since one may be the beginning of another.
    """
    for site in sorted(hosts, key=lambda s: -len(SITES[s])):
        text = text.replace(SITES[site], hosts[site])
    return text


def _fill(value: Any, hosts: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return fill(value, hosts)
    if isinstance(value, dict):
        return {key: _fill(one, hosts) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_fill(one, hosts) for one in value]
    return value
