"""LARD: a call of a language model's API lacks what it needs, or cannot be made at all.

A parameter that is missing, empty or None; a stop string that an agent loop needs; a key that is
empty or read when the module is imported; and, where the SDK is installed in a version that the
project allows, a parameter that the SDK does not have. What arrives through ``**options`` counts as
given, and a variable that the project does not define is left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from collegium.guard.doctor.apis import CLIENTS
from collegium.guard.doctor.declared import Declared
from collegium.guard.doctor.detectors.als import stop_strings
from collegium.guard.doctor.findings import Finding, Hop
from collegium.guard.doctor.fold import fold
from collegium.guard.doctor.graph import Def, Graph, Module, hop, own_nodes, parent
from collegium.guard.doctor.inference import callee
from collegium.guard.doctor.installed import parameters_of
from collegium.guard.doctor.roles import Cast, LlmCall, llm_sites

_KEY = re.compile(r"(?:API|ACCESS|SECRET|AUTH)_?(?:KEY|TOKEN)|_TOKEN$|_KEY$", re.IGNORECASE)
_LOOP = re.compile(r"^\s*(?:Action|Tool)(?: Input)?\s*:", re.MULTILINE)
_OBSERVED = re.compile(r"^\s*Observation\s*:", re.MULTILINE)
_STOPS = ("stop", "stop_sequences", "stop_words", "stop_strings")


def detect(graph: Graph, cast: Cast, declared: Declared) -> Iterator[Finding]:
    """Check every API call, every client, and every key."""
    for call in cast.llm_calls:
        yield from _parameters(call, graph, cast)
        yield from _signature(call, cast, declared)
    yield from _stops(graph, cast)
    yield from _clients(graph)
    if cast.llm_calls or cast.llms or cast.tools:
        for module in graph.modules.values():
            yield from _keys(module, graph)


def _symbol(call: LlmCall) -> str:
    return call.site.caller.symbol if call.site.caller else call.site.module.name


def _parameters(call: LlmCall, graph: Graph, cast: Cast) -> Iterator[Finding]:
    """Needed parameters of the API family that are missing, empty or None."""
    node, api = call.site.node, call.api
    if any(k.arg is None for k in node.keywords) or any(
        isinstance(a, ast.Starred) for a in node.args
    ):
        return
    given: dict[str, ast.expr] = dict(zip(api.needs[: api.positional], node.args, strict=False))
    given |= {k.arg: k.value for k in node.keywords if k.arg}
    for name in api.needs:
        known = {"model": ("model", "engine", "deployment_id", "model_id")}.get(name, (name,))
        value = next((given[k] for k in known if k in given), None)
        if value is None:
            yield _finding(
                call,
                f"missing-{name}",
                f"The call of {api.name} has no {name!r}.",
                f"Give {name}=.",
            )
            continue
        folded = fold(value, call.site.caller or call.site.module, graph)
        empty = isinstance(value, ast.List | ast.Tuple | ast.Dict) and not (
            value.keys if isinstance(value, ast.Dict) else value.elts
        )
        nothing = bool(folded) and all(v.value is None or v.value == "" for v in folded)
        if (empty or nothing) and name != "model":  # an empty model is ADAL
            path = folded[0].path if folded else ()
            yield _finding(
                call, f"empty-{name}", f"The call of {api.name} gets an empty {name!r}.",
                f"Give {name}= a value.", path,
            )  # fmt: skip


def _signature(call: LlmCall, cast: Cast, declared: Declared) -> Iterator[Finding]:
    """Parameters that the installed SDK does not know."""
    if call.api.sdk is None:
        return
    distribution, file = call.api.sdk
    found = parameters_of(distribution, file, call.site.node.func.attr)  # type: ignore[attr-defined]
    if found is None or not declared.allows(distribution, found.version):
        return
    for keyword in call.site.node.keywords:
        if keyword.arg and keyword.arg not in found.names:
            yield _finding(
                call, "unknown-parameter",
                f"{call.api.name} has no parameter {keyword.arg!r} in {distribution} "
                f"{found.version}.",
                "Use a parameter that the SDK has.",
            )  # fmt: skip


def _stops(graph: Graph, cast: Cast) -> Iterator[Finding]:
    """An agent loop in text form whose calls never set a stop string.

    Without one the model goes on after its action and makes up the observation itself.
    """
    prompts = [
        (module, node)
        for module in graph.modules.values()
        for node in _texts(module)
        if _LOOP.search(str(node.value)) and _OBSERVED.search(str(node.value))
    ]
    if not prompts or (not cast.llms and not cast.llm_calls):
        return
    if any(v.path and v.path[-1].file for v in stop_strings(graph)):
        passing = [c for c in cast.llm_calls if _passes_stop(c.site.node)]
        if passing or not cast.llm_calls:
            sites = llm_sites(graph, cast.llms)
            agents = {a.name for a in cast.agents}
            for site in sites:
                caller = site.caller
                if caller is None or caller.owner not in agents or _passes_stop(site.node):
                    continue
                target = graph.functions.get(callee(site.node, caller, graph))
                takes = target is not None and any(p.arg in _STOPS for p in target.parameters)
                if takes and not _given_inside(target, graph):
                    module, node = prompts[0]
                    yield Finding(
                        type="LARD", rule="no-stop", file=site.module.path, line=site.node.lineno,
                        symbol=caller.symbol,
                        message=f"{caller.symbol} loops in text form and gives no stop string.",
                        hint="End replies before the observation: stop=['\\nObservation:'].",
                        evidence=(hop(module, node, "the form of the loop"),
                                  hop(site.module, site.node, "the model is asked here")),
                    )  # fmt: skip
            return
    module, node = prompts[0]
    for call in cast.llm_calls:
        options = any(k.arg is None for k in call.site.node.keywords)
        if not _passes_stop(call.site.node) and not options:
            yield _finding(
                call, "no-stop",
                f"{_symbol(call)} is asked in an agent loop in text form and gets no stop string.",
                "End replies before the observation: stop=['\\nObservation:'].",
                (hop(module, node, "the form of the loop"),),
            )  # fmt: skip


def _passes_stop(node: ast.Call) -> bool:
    for keyword in node.keywords:
        if keyword.arg in _STOPS:
            return not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
    return len(node.args) > 1  # a stop given by place


def _given_inside(target: object, graph: Graph) -> bool:
    """Whether a method has a stop of its own that is not None."""
    from collegium.guard.doctor.graph import Function

    if not isinstance(target, Function):
        return False
    a = target.node.args
    defaults = dict(
        zip(
            [p.arg for p in reversed([*a.posonlyargs, *a.args])], reversed(a.defaults), strict=False
        )
    )
    defaults |= {p.arg: d for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d}
    return any(
        (name in _STOPS and any(v.value for v in fold(default, target.module, graph)))
        or (name in _STOPS and isinstance(default, ast.List | ast.Tuple) and bool(default.elts))
        for name, default in defaults.items()
    )


def _clients(graph: Graph) -> Iterator[Finding]:
    """Clients and modules that are given an empty key; a local address needs none."""
    for name in sorted({c.rpartition(".")[2] for c in CLIENTS}):
        for site in graph.sites.get(name, ()):
            scope = site.caller or site.module
            if callee(site.node, scope, graph) not in CLIENTS:
                continue
            given = {k.arg: k.value for k in site.node.keywords if k.arg}
            address = " ".join(str(v.value) for v in fold(given.get("base_url"), scope, graph))
            if "localhost" in address or "127.0.0.1" in address or "api_key" not in given:
                continue
            folded = fold(given["api_key"], scope, graph)
            if folded and all(not v.value for v in folded):
                symbol = site.caller.symbol if site.caller else site.module.name
                where = hop(site.module, site.node, f"makes a {name} with an empty key")
                yield _plain(
                    "empty-key",
                    where,
                    symbol,
                    f"{name} gets an empty API key.",
                    (*folded[0].path, where),
                )
    for module in graph.modules.values():
        for node in module.all(ast.Assign):
            for target in node.targets:
                if (
                    isinstance(target, ast.Attribute)
                    and target.attr == "api_key"
                    and isinstance(target.value, ast.Name)
                ):
                    if module.imports.get(target.value.id) not in ("openai", "anthropic", "cohere"):
                        continue
                    folded = fold(node.value, module, graph)
                    if folded and all(not v.value for v in folded):
                        where = hop(module, node, f"{ast.unparse(target)} is empty")
                        yield _plain(
                            "empty-key",
                            where,
                            _around(node, module),
                            f"{ast.unparse(target)} is set to nothing.",
                            (where,),
                        )


def _keys(module: Module, graph: Graph) -> Iterator[Finding]:
    """Keys that are read from the environment when the module is imported."""
    for name, node in _environment(module):
        if not _KEY.search(name) or not _at_import(node):
            continue
        where = hop(module, node, f"reads {name} when the module is imported")
        yield Finding(
            type="LARD", rule="key-at-import", file=module.path, line=where.line,
            symbol=_around(node, module),
            message=f"{name} is read from the environment when {module.name} is imported: without "
            "it nothing can be imported, and a key that is set later has no effect.",
            hint="Read the key where the client is made.", evidence=(where,),
        )  # fmt: skip


def _environment(module: Module) -> Iterator[tuple[str, ast.AST]]:
    for node in module.all(ast.Call):
        called = ast.unparse(node.func) if isinstance(node.func, ast.Attribute | ast.Name) else ""
        reads = called in ("os.getenv", "os.environ.get", "getenv", "environ.get")
        if reads and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value), node
    for node in own_nodes(module):
        yield from _subscripts(node)
    for kept in (*module.all(ast.Assign), *module.all(ast.AnnAssign)):
        if isinstance(parent(kept), ast.ClassDef):
            for inner in ast.walk(kept):
                yield from _subscripts(inner)


def _subscripts(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Load)
        and ast.unparse(node.value) in ("os.environ", "environ")
        and isinstance(node.slice, ast.Constant)
    ):
        yield str(node.slice.value), node


def _at_import(node: ast.AST) -> bool:
    above = parent(node)
    while above is not None:
        if isinstance(above, Def | ast.Lambda):
            return False
        if isinstance(above, ast.If) and "__name__" in ast.unparse(above.test):
            return False
        above = parent(above)
    return True


def _around(node: ast.AST, module: Module) -> str:
    above = parent(node)
    while above is not None:
        if isinstance(above, Def | ast.ClassDef):
            return above.name
        above = parent(above)
    return module.name


def _texts(module: Module) -> Iterator[ast.Constant]:
    for values in module.assigned.values():
        for value in values:
            for node in ast.walk(value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node


def _finding(
    call: LlmCall, rule: str, message: str, hint: str, path: tuple[Hop, ...] = ()
) -> Finding:
    where = hop(call.site.module, call.site.node, f"asks through {call.api.name}")
    return Finding(
        type="LARD", rule=rule, file=where.file, line=where.line, symbol=_symbol(call),
        message=message, hint=hint, evidence=(*path, where),
    )  # fmt: skip


def _plain(rule: str, where: Hop, symbol: str, message: str, evidence: tuple[Hop, ...]) -> Finding:
    return Finding(
        type="LARD", rule=rule, file=where.file, line=where.line, symbol=symbol, message=message,
        hint="Take the key from the environment where the client is made.", evidence=evidence,
    )  # fmt: skip
