"""Blueprints: the design of an LLM-based agent as data, read from YAML or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from collegium.agents.umf.vocabulary import (
    LINES,
    MODULES,
    Feedback,
    Format,
    Goal,
    GuardTechnique,
    Impact,
    Kind,
    Location,
    Method,
    Module,
    Operation,
    PlanTechnique,
    Process,
    Production,
    Safeguard,
    Scope,
    SecurityGoal,
    Space,
    Strategy,
    Style,
)
from collegium.errors import BadInput, missing_extra, unknown_name


class Planning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The planning module, line by line; an empty line is not stated."""

    process: tuple[Process, ...] = ()
    strategy: tuple[Strategy, ...] = ()
    style: tuple[Style, ...] = ()
    technique: tuple[PlanTechnique, ...] = ()
    feedback: tuple[Feedback, ...] = ()


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The memory module."""

    scope: tuple[Scope, ...] = ()
    location: tuple[Location, ...] = ()
    format: tuple[Format, ...] = ()
    operations: tuple[Operation, ...] = ()


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The profile module."""

    method: tuple[Method, ...] = ()


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The action module."""

    goal: tuple[Goal, ...] = ()
    production: tuple[Production, ...] = ()
    space: tuple[Space, ...] = ()
    impact: tuple[Impact, ...] = ()


class Security(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The security module."""

    safeguards: tuple[Safeguard, ...] = ()
    technique: tuple[GuardTechnique, ...] = ()
    goals: tuple[SecurityGoal, ...] = ()


class Modules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The modules something has; None: it lacks that one."""

    planning: Planning | None = None
    memory: Memory | None = None
    profile: Profile | None = None
    action: Action | None = None
    security: Security | None = None

    @property
    def present(self) -> tuple[Module, ...]:
        """Names of the modules there are, in the paper's order."""
        return tuple(m for m in MODULES if getattr(self, m) is not None)


class CoreAgentSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A core-agent.

    Attributes:
        id: Its name.
        kind: What it is meant to be; the checker says whether it is.
        modules: What it consists of.
        commands: Core-agents it gives orders to.
        talks_to: LLMs it calls, tools it uses, humans and core-agents it exchanges messages with.
    """

    id: str
    kind: Kind
    modules: Modules = Modules()
    commands: tuple[str, ...] = ()
    talks_to: tuple[str, ...] = ()


class Peripheral(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a core-agent works with: an LLM, a tool or a human.

    Attributes:
        id: Its name.
        commands: Core-agents it orders itself (an LLM that picks tools; a human).
        talks_to: What it reaches by itself, past the core-agents.
        modules: Modules that it owns: none, in a sound design.
    """

    id: str
    commands: tuple[str, ...] = ()
    talks_to: tuple[str, ...] = ()
    modules: Modules = Modules()


class Blueprint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The design of one agent.

    Attributes:
        llms: Language models.
        tools: Tools and data sources.
        core_agents: What stands between them.
        humans: People it deals with.
        synchronisation: How active core-agents of equal rights agree ("leader election"); "" is
            not at all.
        name: What it is called.
    """

    core_agents: tuple[CoreAgentSpec, ...]
    llms: tuple[Peripheral, ...] = ()
    tools: tuple[Peripheral, ...] = ()
    humans: tuple[Peripheral, ...] = ()
    synchronisation: str = ""
    name: str = ""

    def core_agent(self, id: str) -> CoreAgentSpec:
        """A core-agent by id.

        Raises:
            UnknownName: There is none of that name.
        """
        for core in self.core_agents:
            if core.id == id:
                return core
        raise unknown_name("core-agent", id, (c.id for c in self.core_agents))


def read_blueprint(text: str) -> Blueprint:
    """Read a blueprint.

    A single value may stand where a list is expected, a bare name where an LLM, tool or human is,
    and a module with nothing said about it is written with an empty value.

    Args:
        text: YAML or JSON.

    Raises:
        BadInput: It is neither, a part has the wrong form, or an id is used twice.
        UnknownName: A value, field, module or id does not exist; the place is named.
        MissingExtra: It is YAML and no YAML reader is installed.
    """
    raw = _parse(text)
    if not isinstance(raw, dict):
        raise BadInput(f"a blueprint is a mapping with core_agents, not {_shown(raw)}.")
    _known_fields("the blueprint", raw, Blueprint.__struct_fields__)
    data = dict(raw)
    for kind in ("llms", "tools", "humans"):
        data[kind] = [_peripheral(kind, i, p) for i, p in enumerate(_listed(data.get(kind)))]
    cores = _listed(data.get("core_agents"))
    if not cores:
        raise BadInput("a blueprint needs at least one entry under core_agents.")
    data["core_agents"] = [_core_agent(i, c) for i, c in enumerate(cores)]
    try:
        blueprint = msgspec.convert(data, Blueprint)
    except msgspec.ValidationError as error:
        raise BadInput(f"blueprint: {error}.") from None
    _check_ids(blueprint)
    return blueprint


def _parse(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        pass  # not JSON: it may be YAML, whose braces look alike
    try:
        return msgspec.yaml.decode(text)
    except msgspec.DecodeError as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"the blueprint is neither YAML nor JSON: {reason}.") from None
    except ImportError:
        raise missing_extra("yaml", "a blueprint that is not JSON") from None


def _core_agent(index: int, raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str):
        raise BadInput(f"core_agents, entry {index + 1}: expected a mapping with an id.")
    where = f"core-agent {raw['id']!r}"
    _known_fields(where, raw, CoreAgentSpec.__struct_fields__)
    if raw.get("kind") not in ("active", "passive"):
        raise unknown_name(f"kind of {where}", str(raw.get("kind")), ("active", "passive"))
    return _links(raw) | {"modules": _modules(where, raw.get("modules"))}


def _peripheral(kind: str, index: int, raw: Any) -> dict[str, Any]:
    if isinstance(raw, str):
        return {"id": raw}
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str):
        raise BadInput(f"{kind}, entry {index + 1}: expected a name or a mapping with an id.")
    where = f"{kind.removesuffix('s')} {raw['id']!r}"
    _known_fields(where, raw, Peripheral.__struct_fields__)
    return _links(raw) | {"modules": _modules(where, raw.get("modules"))}


def _links(raw: dict[str, Any]) -> dict[str, Any]:
    return raw | {name: _listed(raw.get(name)) for name in ("commands", "talks_to")}


def _modules(where: str, raw: Any) -> dict[str, dict[str, list[str]]]:
    if raw is None:
        return {}
    if isinstance(raw, list) and all(isinstance(m, str) for m in raw):
        raw = dict.fromkeys(raw)  # names alone
    if not isinstance(raw, dict):
        raise BadInput(f"{where}: modules must be a mapping or a list of names.")
    for module in raw:
        if module not in MODULES:
            raise unknown_name(f"module of {where}:", str(module), MODULES)
    return {module: _lines(where, module, lines) for module, lines in raw.items()}


def _lines(where: str, module: str, raw: Any) -> dict[str, list[str]]:
    """The lines of one module, every value checked where it stands."""
    if raw is None:
        return {}
    here = f"{where}, module {module}"
    if not isinstance(raw, dict):
        raise BadInput(f"{here}: expected fields with values, not {_shown(raw)}.")
    found: dict[str, list[str]] = {}
    for line, given in raw.items():
        if line not in LINES[module]:
            raise unknown_name(f"field of {here}:", str(line), LINES[module])
        found[line] = _listed(given)
        for value in found[line]:
            if value not in LINES[module][line]:
                raise unknown_name(
                    f"value of {here}, field {line}:", str(value), LINES[module][line]
                )
    return found


def _known_fields(where: str, raw: Mapping[Any, Any], fields: Iterable[str]) -> None:
    for name in raw:
        if name not in fields:
            raise unknown_name(f"field of {where}:", str(name), fields)


def _check_ids(blueprint: Blueprint) -> None:
    """Every id is used once, and every link leads somewhere of the right sort."""
    cores = [c.id for c in blueprint.core_agents]
    others = [p.id for p in (*blueprint.llms, *blueprint.tools, *blueprint.humans)]
    ids = cores + others
    for id in ids:
        if ids.count(id) > 1:
            raise BadInput(f"the id {id!r} is used twice in the blueprint; give each its own.")
    for part in (*blueprint.core_agents, *blueprint.llms, *blueprint.tools, *blueprint.humans):
        for id in part.commands:
            if id not in cores:
                raise unknown_name(f"core-agent that {part.id!r} commands:", id, cores)
        for id in part.talks_to:
            if id not in ids:
                raise unknown_name(f"part that {part.id!r} talks to:", id, ids)


def _listed(raw: Any) -> list[Any]:
    if raw is None:
        return []
    return list(raw) if isinstance(raw, list | tuple) else [raw]


def _shown(raw: Any) -> str:
    return f"a {type(raw).__name__}"
