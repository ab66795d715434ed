"""The suites, attacks and checks of the package ``agentdojo``, without the SDKs of model vendors.

The package's data and checkers need pydantic, deepdiff and the like. But two of its subpackages
import the SDKs of several vendors when they are imported, and every suite imports one of them. So
while the suites are being imported, these two stand there as bare packages: their modules are found
in their folders as always, and what the subpackages themselves would import is not. Afterwards they
are taken away again, so that a program which has the SDKs and imports them gets the real ones.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from threading import Lock
from types import ModuleType, SimpleNamespace
from typing import Any

from collegium.errors import BadInput, MissingExtra, unknown_name

RELEASE = "0.1.35"
"""The release of the package that is tested against."""

VERSION = "v1.2.2"
"""The version of the benchmark: the newest that the release has."""

SUITES = ("banking", "slack", "travel", "workspace")

ATTACKS = (
    "direct",
    "ignore_previous",
    "important_instructions",
    "important_instructions_no_model_name",
    "important_instructions_no_names",
    "important_instructions_no_user_name",
    "important_instructions_wrong_model_name",
    "important_instructions_wrong_user_name",
    "injecagent",
    "system_message",
    "tool_knowledge",
)
"""Its attacks that plant a fixed text. Those that make a model refuse are left out (some of their
texts are offensive), and so is the one that asks a person."""

_PIPELINES = "agentdojo.agent_pipeline"
_lock = Lock()


def installed() -> bool:
    """Whether the package and what its suites need are there; nothing is imported."""
    needed = ("agentdojo", "deepdiff", "docstring_parser", "email_validator", "pydantic", "yaml")
    return all(importlib.util.find_spec(name) for name in needed)


def missing() -> MissingExtra:
    """The error for a machine that has not got it."""
    return MissingExtra(
        "AgentDojo needs its package, without the vendor SDKs that it asks for: "
        "pip install 'collegium[agentdojo]', "
        f"then pip install --no-deps agentdojo=={RELEASE}."
    )


@cache
def suite(name: str) -> Any:
    """One of the :data:`SUITES`: its environment, tools, user tasks and injection tasks.

    Raises:
        MissingExtra: The package is not installed.
        UnknownName: There is no such suite.
        BadInput: The package is of a release that has not got this version of the benchmark.
    """
    if name not in SUITES:
        raise unknown_name("suite of agentdojo", name, SUITES)
    try:
        return _modules()[0].get_suite(VERSION, name)
    except KeyError:
        raise BadInput(
            f"this release of agentdojo has no suites {VERSION}; install agentdojo=={RELEASE}."
        ) from None


@cache
def attack(name: str, of: str) -> Any:
    """One of the :data:`ATTACKS`, for a suite.

    It names the model that it addresses "Local model"; for the suites, no model is known.

    Raises:
        MissingExtra: The package is not installed.
        UnknownName: There is no such attack or suite.
    """
    if name not in ATTACKS:
        raise unknown_name("attack of agentdojo", name, ATTACKS)
    # of a pipeline, an attack reads nothing but the name of the model in it
    return _modules()[1].load_attack(name, suite(of), SimpleNamespace(name="local"))


@cache
def system_message() -> str:
    """What the benchmark tells every agent: who the user is, and how to use the tools."""
    import yaml

    _modules()
    text = (files("agentdojo") / "data" / "system_messages.yaml").read_text()
    lines = yaml.safe_load(text)["default"].replace("\\\n", "").splitlines()
    return "\n".join(" ".join(line.split()) for line in lines)


@cache
def _modules() -> tuple[Any, Any]:
    """The modules of suites and of attacks."""
    if not installed():
        raise missing()
    with _lock, _bare_pipelines():
        suites = importlib.import_module("agentdojo.task_suite.load_suites")
        attacks = importlib.import_module("agentdojo.attacks")
    return suites, attacks


@contextmanager
def _bare_pipelines() -> Iterator[None]:
    """Bare packages in the place of those that import SDKs, for as long as the block lasts."""
    if _PIPELINES in sys.modules:  # the real ones are there already: they do
        yield
        return
    package = importlib.import_module("agentdojo")
    for name in (_PIPELINES, f"{_PIPELINES}.llms"):
        bare = ModuleType(name)
        bare.__path__ = [f"{folder}/{name.split('.', 1)[1].replace('.', '/')}"
                         for folder in package.__path__]  # fmt: skip
        sys.modules[name] = bare
    # One constant of a vendor's module is asked for: the name of a call without a name.
    google = ModuleType(f"{_PIPELINES}.llms.google_llm")
    google.EMPTY_FUNCTION_NAME = "<empty-function-name>"  # type: ignore[attr-defined]
    sys.modules[google.__name__] = google
    try:
        yield
    finally:
        for name in [n for n in sys.modules if n.startswith(_PIPELINES)]:
            del sys.modules[name]
        vars(package).pop("agent_pipeline", None)
