"""Step 2 of the paper: which code has which role, and where tools and LLMs are called.

Without a model, names and structure decide what the paper asks its model for. The order is the
paper's: the inheritance forest level by level until a tool base class is met, tools are its
transitive subclasses; where there is none, functions that are declared to be tools.
"""

from __future__ import annotations

import ast
import re

import msgspec

from collegium.guard.doctor.apis import APIS, Api, api_of
from collegium.guard.doctor.flow import came_from, only_raises
from collegium.guard.doctor.graph import (
    Class,
    Def,
    Function,
    Graph,
    Module,
    Site,
    own_nodes,
    resolve,
)
from collegium.guard.doctor.inference import callee, infer
from collegium.guard.doctor.tools import (
    RUNS,
    Tool,
    class_tools,
    constructed,
    declared_functions,
    record_classes,
    schemas,
    tool_bases,
)

_AGENT_WORD = re.compile(r"Agent(?:$|[A-Z_])|^Agent|(?:^|_)agent(?:$|_)")
_LLM_WORD = re.compile(r"LLM|ChatModel|LanguageModel|ChatClient|^Model$|[a-z]Model$")
LLM_METHODS = frozenset(
    [
        "generate",
        "agenerate",
        "chat",
        "achat",
        "complete",
        "acomplete",
        "completion",
        "acompletion",
        "invoke",
        "ainvoke",
        "predict",
        "apredict",
        "ask",
        "call",
        "__call__",
    ]
)
_LLM_RECEIVER = re.compile(
    r"(?:^|[._])(?:llm|chat_?model|language_?model|lm|chat_?llm)$", re.IGNORECASE
)


class LlmCall(msgspec.Struct, frozen=True, eq=False):
    """A call that reaches a language model through an API."""

    site: Site
    api: Api


class Cast(msgspec.Struct, frozen=True, eq=False):
    """Everything with a role.

    Attributes:
        tools: The tools.
        agents: Classes that are agents.
        llms: Classes that reach a model, with the methods that do.
        llm_calls: Every API call.
        families: Base classes and constructors of tools, by dotted name.
        entries: Names of tool entry methods.
    """

    tools: tuple[Tool, ...]
    agents: tuple[Class, ...]
    llms: dict[str, tuple[Function, ...]]
    llm_calls: tuple[LlmCall, ...]
    families: frozenset[str]
    entries: frozenset[str]


def find_roles(graph: Graph) -> Cast:
    """Find tools, agents and LLMs."""
    calls = tuple(_llm_calls(graph))
    llms = _llms(graph, calls)
    families = tool_bases(graph)
    tools = class_tools(graph, families)
    records = record_classes(graph)
    tools += constructed(graph, records)
    tools += declared_functions(graph, {t.entry.name for t in tools if t.entry})
    tools += schemas(graph, {t.entry.name for t in tools if t.entry})
    inside = {f.owner for t in tools for f in t.functions if f.owner}
    agents = [
        c
        for c in graph.classes.values()
        if _AGENT_WORD.search(c.short) and c.methods and c.name not in llms and c.name not in inside
    ]
    known = {c.name for c in agents}
    for site in (s for s in llm_sites(graph, llms) if s.caller and s.caller.owner):
        owner = graph.classes.get(site.caller.owner or "") if site.caller else None
        if owner and owner.name not in known and owner.name not in llms:
            known.add(owner.name)
            agents.append(owner)
    names = {t.entry.node.name for t in tools if t.entry}
    return Cast(
        tuple(tools), tuple(agents), llms, calls, frozenset([*families, *records]), frozenset(names)
    )


def llm_sites(graph: Graph, llms: dict[str, tuple[Function, ...]]) -> list[Site]:
    """The calls of LLM classes from outside them: method m of the paper."""
    methods = {m.name for found in llms.values() for m in found}
    found: list[Site] = []
    for name in {m.node.name for ms in llms.values() for m in ms} | LLM_METHODS:
        for site in graph.sites.get(name, ()):
            scope = site.caller or site.module
            if site.caller is not None and site.caller.owner in llms:
                continue
            target = callee(site.node, scope, graph)
            called = site.node.func
            by_name = (
                not target
                and isinstance(called, ast.Attribute)
                and name in LLM_METHODS
                and _LLM_RECEIVER.search(ast.unparse(called.value))
            )
            through = isinstance(called, ast.Attribute) and _receiver_in(called, scope, graph, llms)
            if target in methods or by_name or (through and name in LLM_METHODS):
                found.append(site)
    for owner in llms:  # an LLM object that is called itself
        call = graph.method(owner, "__call__")
        if call is not None:
            found += [
                s
                for sites in graph.sites.values()
                for s in sites
                if isinstance(s.node.func, ast.Attribute)
                and (held := infer(s.node.func, s.caller or s.module, graph)) is not None
                and held.name == owner
            ]
    return list(dict.fromkeys(found))


def uses_of_tools(graph: Graph, cast: Cast) -> list[tuple[Site, str]]:
    """The call sites of tools from outside tools, u of the paper, each with what shows it."""
    tool_functions = {id(f.node) for t in cast.tools for f in t.functions}
    owners = {t.node for t in cast.tools if isinstance(t.node, ast.ClassDef)}
    entries = {t.entry.name: t for t in cast.tools if t.entry}
    holders = _registries(graph, cast)
    found: list[tuple[Site, str]] = []
    for name, sites in graph.sites.items():
        for site in sites:
            caller = site.caller
            if caller is None or id(caller.node) in tool_functions:
                continue
            if caller.owner and graph.classes[caller.owner].node in owners:
                continue
            if caller.owner in cast.families:
                continue
            says = _tool_use(site, name, graph, cast, entries, holders)
            if says:
                found.append((site, says))
    return found


def _tool_use(
    site: Site, name: str, graph: Graph, cast: Cast, entries: dict[str, Tool], holders: set[str]
) -> str:
    """Why a call is the use of a tool; "" when it is none."""
    called, caller = site.node.func, site.caller
    if caller is None:
        return ""
    if isinstance(called, ast.Attribute):
        if name in cast.entries or name in (*RUNS, "run"):
            target = callee(site.node, caller, graph)
            if target in entries:
                return f"calls {entries[target].symbol}"
            held = infer(called.value, caller, graph)
            owner = held.name if held is not None else ""
            if owner in cast.families or any(c.name in cast.families for c in graph.lineage(owner)):
                return f"calls .{name} of a {owner.rpartition('.')[2]}"
            written = ast.unparse(called.value).lower()
            if held is None and name in cast.entries and "tool" in written:
                return f"calls .{name} of {ast.unparse(called.value)}"
        return ""
    if isinstance(called, ast.Name):
        target = callee(site.node, caller, graph)
        if target in entries:
            return f"calls {entries[target].symbol}"
        if target:
            return ""
    if isinstance(called, ast.Name | ast.Subscript):
        names = came_from(called, caller) | {ast.unparse(called)}
        held_by = {n for n in names if n.rpartition(".")[2] in holders}
        if held_by:
            return f"calls what {sorted(held_by)[0]} holds"
    return ""


def _registries(graph: Graph, cast: Cast) -> set[str]:
    """Names of dictionaries and lists that hold tools."""
    functions = {t.entry.name for t in cast.tools if t.entry and not t.entry.owner}
    classes = {
        f"{t.module.name}.{t.symbol}" for t in cast.tools if isinstance(t.node, ast.ClassDef)
    }
    found: set[str] = set()
    if not functions and not classes:
        return found
    for module in graph.modules.values():
        for node in (*module.all(ast.Assign), *module.all(ast.AnnAssign)):
            if not isinstance(node.value, ast.Dict | ast.List | ast.DictComp | ast.ListComp):
                continue
            held = {
                resolve(n, module, graph)
                for n in ast.walk(node.value)
                if isinstance(n, ast.Name | ast.Attribute)
            }
            if held & functions:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {ast.unparse(t).rpartition(".")[2] for t in targets}
    return (found | _registered(graph, cast)) - {"kwargs", "args", "params", "options"}


def _registered(graph: Graph, cast: Cast) -> set[str]:
    """Names that a decorator puts tools into: ``TOOLS[function.__name__] = function``."""
    found: set[str] = set()
    for tool in cast.tools:
        if not isinstance(tool.node, Def):
            continue
        for decorator in tool.node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            maker = graph.functions.get(resolve(called, tool.module, graph))
            for node in ast.walk(maker.node) if maker else ():
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                    found.add(ast.unparse(node.targets[0].value).rpartition(".")[2])
    return found


def _llm_calls(graph: Graph) -> list[LlmCall]:
    found = []
    for name in sorted({e.rpartition(".")[2] for api in APIS for e in api.endings}):
        for site in graph.sites.get(name, ()):
            dotted = callee(site.node, site.caller or site.module, graph)
            if dotted in graph.functions or dotted.rpartition(".")[0] in graph.classes:
                continue
            api = api_of(dotted, ast.unparse(site.node.func))
            if api is not None:
                found.append(LlmCall(site, api))
    return found


def _llms(graph: Graph, calls: tuple[LlmCall, ...]) -> dict[str, tuple[Function, ...]]:
    """LLM classes: a method calls an API, or the name says so and there is a method to ask by."""
    direct: dict[str, list[Function]] = {}
    for call in calls:
        caller = call.site.caller
        if (
            caller is not None
            and caller.owner
            and not _AGENT_WORD.search(caller.owner.rpartition(".")[2])
        ):
            direct.setdefault(caller.owner, []).append(caller)
    for known in graph.classes.values():
        methods = [
            m for n, m in known.methods.items() if n in LLM_METHODS and not only_raises(m.node)
        ]
        if _LLM_WORD.search(known.short) and methods and known.name not in direct:
            direct[known.name] = methods
    for owner, methods in list(direct.items()):
        names = {m.node.name for m in methods}
        for other in graph.classes[owner].methods.values():
            called = {
                n.func.attr
                for n in own_nodes(other)
                if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
            }
            if called & names and other not in methods and not other.node.name.startswith("__init"):
                methods.append(other)
    return {owner: tuple(dict.fromkeys(methods)) for owner, methods in direct.items()}


def _receiver_in(
    called: ast.Attribute,
    scope: Function | Module,
    graph: Graph,
    llms: dict[str, tuple[Function, ...]],
) -> bool:
    held = infer(called.value, scope, graph)
    return held is not None and any(c.name in llms for c in graph.lineage(held.name))
