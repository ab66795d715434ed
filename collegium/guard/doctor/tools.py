"""Which code defines tools: classes of a tool base, records, decorated functions, schemas.

The order is the paper's: the inheritance forest level by level until a tool base class is met,
tools are its transitive subclasses, then functions that are declared to be tools.
"""

from __future__ import annotations

import ast
import re

import msgspec

from collegium.guard.doctor.findings import Hop
from collegium.guard.doctor.flow import only_raises
from collegium.guard.doctor.fold import Value, fold
from collegium.guard.doctor.graph import (
    Class,
    Function,
    Graph,
    Module,
    hop,
    own_nodes,
    parent,
    resolve,
)
from collegium.guard.doctor.inference import Type, assigned_attributes, callee, infer

ENTRIES = (
    "use", "run", "_run", "execute", "invoke", "call", "__call__", "forward", "apply", "perform",
    "arun", "_arun", "ainvoke",
)  # fmt: skip
RUNS = ("func", "function", "fn", "handler", "coroutine", "action", "callback")
_NAME_FIELDS = ("name", "tool_name")
_ABOUT_FIELDS = ("description", "desc", "tool_description")
_TOOL_WORD = re.compile(
    r"(?:^|_|(?<=[a-z0-9]))(?:Tool|Skill|Plugin)(?:s?$|[A-Z_0-9])|(?:^|_)tool(?:$|_)"
)


class Text(msgspec.Struct, frozen=True):
    """A name or description as far as it is known.

    Attributes:
        given: Whether there is one at all.
        values: What it folds to; () when it is computed.
        where: Where it stands.
    """

    given: bool
    values: tuple[Value, ...]
    where: Hop

    @property
    def text(self) -> str | None:
        """The one text it stands for."""
        texts = [v.text for v in self.values if v.text is not None]
        return texts[0] if texts else None


class Tool(msgspec.Struct, frozen=True, eq=False):
    """A tool of the scanned project.

    Attributes:
        symbol: Class or function, as people write it.
        where: Its definition.
        family: What it shares with others: its base class, decorator or list.
        name: What a model calls it.
        about: Its description.
        entry: The function that runs it.
        functions: Its own methods and the project functions these call.
        node: The class, function or constructor call.
    """

    symbol: str
    where: Hop
    family: str
    name: Text
    about: Text
    entry: Function | None
    functions: tuple[Function, ...]
    module: Module
    node: ast.AST


def tool_bases(graph: Graph) -> list[str]:
    """Base classes of tools: the first on every way down the inheritance forest."""
    inside = set(graph.classes)
    outside = sorted(b for b in graph.subclasses if b not in inside)
    roots = [b for b in outside if _TOOL_WORD.search(b.rpartition(".")[2])]
    found: list[str] = list(roots)
    level = [c.name for c in graph.classes.values() if not any(b in inside for b in c.bases)]
    seen: set[str] = set()
    while level:
        following: list[str] = []
        for name in level:
            if name in seen:
                continue
            seen.add(name)
            known = graph.classes[name]
            if any(b in found for b in known.bases):
                continue
            if _is_tool_base(known, graph):
                found.append(name)
            else:
                following += [s for s in graph.subclasses.get(name, ()) if s in inside]
        level = following
    return found


def _is_tool_base(known: Class, graph: Graph) -> bool:
    below = graph.descendants(known.name)
    if not below:
        return False
    members = [known, *below]
    described = [c for c in members if _has(c, _NAME_FIELDS) and _has(c, _ABOUT_FIELDS)]
    named = _TOOL_WORD.search(known.short)
    entries = [e for e in ENTRIES if any(e in c.methods for c in below)]
    if named:
        return bool(entries) or bool(described)
    # No telling name: all members must look like tools.
    return len(described) >= 2 and len(described) >= len(below) and bool(entries)


def _has(known: Class, names: tuple[str, ...]) -> bool:
    return any(n in known.fields or n in known.methods for n in names)


def class_tools(graph: Graph, families: list[str]) -> list[Tool]:
    """Tools that are classes: the transitive subclasses of the bases."""
    found: list[Tool] = []
    for base in families:
        members = graph.descendants(base)
        entry = _entry_name(base, members, graph)
        base_class = graph.classes.get(base)
        described = [*members, *([base_class] if base_class else [])]
        with_names = any(_has(c, _NAME_FIELDS) for c in described) or base not in graph.classes
        for known in members:
            if graph.subclasses.get(known.name) and _abstract(known):
                continue
            function = graph.method(known.name, entry) if entry else None
            found.append(
                Tool(
                    known.short,
                    hop(known.module, known.node, f"class {known.short} is a tool"),
                    base,
                    _class_text(
                        known, _NAME_FIELDS, base, graph, None if with_names else known.short
                    ),
                    _class_text(
                        known, _ABOUT_FIELDS, base, graph,
                        None if with_names else ast.get_docstring(known.node) or "",
                    ),
                    function,
                    _reached(list(known.methods.values()), graph),
                    known.module,
                    known.node,
                )
            )  # fmt: skip
    return found


def _abstract(known: Class) -> bool:
    return any(
        "abstract" in ast.unparse(d) for m in known.methods.values() for d in m.node.decorator_list
    )


def _entry_name(base: str, members: list[Class], graph: Graph) -> str:
    """The method that runs a tool: declared by the base as a stub, else the first usual name."""
    known = graph.classes.get(base)
    if known is not None:
        for name, method in known.methods.items():
            told = name.startswith("__") or name in _ABOUT_FIELDS + _NAME_FIELDS
            if not told and only_raises(method.node) and any(name in m.methods for m in members):
                return name
    counts = {e: sum(e in m.methods for m in members) for e in ENTRIES}
    best = max(counts, key=lambda e: counts[e])
    return best if counts[best] else ""


def _class_text(
    known: Class, names: tuple[str, ...], base: str, graph: Graph, fallback: str | None
) -> Text:
    """A name or description of a tool class: a field, a property, or set by its constructor."""
    for name in names:
        for owner in graph.lineage(known.name):
            if owner.name == base and owner is not known:
                # What the base itself sets holds for every tool: it is a default, not a name.
                continue
            if name in owner.fields and owner.fields[name].value is not None:
                field = owner.fields[name]
                where = hop(owner.module, field.node, f"{owner.short}.{name}")
                return Text(True, tuple(fold(field.value, owner.module, graph)), where)
            if name in owner.methods:
                method = owner.methods[name]
                values = [
                    v
                    for n in own_nodes(method)
                    if isinstance(n, ast.Return)
                    for v in fold(n.value, method, graph)
                ]
                return Text(
                    True, tuple(values), hop(owner.module, method.node, f"{owner.short}.{name}")
                )
        for value, function in assigned_attributes(known.name, name, graph):
            if graph.classes.get(base) is not None and function.owner == base:
                continue
            where = hop(function.module, value, f"{function.symbol} sets {name}")
            return Text(True, tuple(fold(value, function, graph)), where)
        for method in known.methods.values():
            for node in own_nodes(method):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
                    for keyword in node.keywords:
                        if keyword.arg == name:
                            where = hop(known.module, node, f"{method.symbol} sets {name}")
                            return Text(True, tuple(fold(keyword.value, method, graph)), where)
                    if node.args or any(k.arg is None for k in node.keywords):
                        return Text(True, (), hop(known.module, node, "set by the constructor"))
    where = hop(known.module, known.node, f"class {known.short}")
    if fallback is not None:
        return Text(bool(fallback), (Value(fallback, (where,)),) if fallback else (), where)
    return Text(False, (), where)


def _reached(start: list[Function], graph: Graph, depth: int = 3) -> tuple[Function, ...]:
    """Functions and the project functions they call: the code that a tool carries."""
    found = {f.name: f for f in start}
    level = list(start)
    for _ in range(depth):
        following = []
        for function in level:
            for node in own_nodes(function):
                if isinstance(node, ast.Call):
                    target = graph.functions.get(callee(node, function, graph))
                    if target is not None and target.name not in found:
                        found[target.name] = target
                        following.append(target)
        level = following
    return tuple(found.values())


def record_classes(graph: Graph) -> list[str]:
    """Project classes whose instances are tools: they hold a name, a description and a function."""
    found = []
    for known in graph.classes.values():
        callables = [
            f for f in known.fields.values()
            if f.annotation is not None and "Callable" in ast.unparse(f.annotation)
            and (_TOOL_WORD.search(known.short) or f.name in RUNS)
        ]  # fmt: skip
        if callables and _has(known, _NAME_FIELDS) and _has(known, _ABOUT_FIELDS):
            found.append(known.name)
    return found


def constructed(graph: Graph, records: list[str]) -> list[Tool]:
    """Tools made by a constructor: ``Tool(name=..., description=..., func=...)``."""
    found = []
    for last, sites in graph.sites.items():
        named = bool(_TOOL_WORD.search(last)) or last in ("from_function", "from_defaults")
        if not named and not any(r.endswith(f".{last}") for r in records):
            continue
        for site in sites:
            scope = site.caller or site.module
            target = callee(site.node, scope, graph)
            record = target if target in records else ""
            if target in graph.classes and not record:
                continue
            if target in graph.functions:
                continue
            if last.startswith("from_") and not _TOOL_WORD.search(
                target.rpartition(".")[0].rpartition(".")[2]
            ):
                continue
            given = {k.arg: k.value for k in site.node.keywords if k.arg}
            if record:
                fields = [n for known in graph.lineage(record) for n in known.fields]
                given |= dict(zip(fields, site.node.args, strict=False))
            run = next(
                (
                    function
                    for value in (*given.values(), *site.node.args)
                    if (function := graph.functions.get(_resolved(value, scope, graph)))
                ),
                None,
            )
            if not record and not (
                {"name", "description"} & set(given) and (run or "func" in given)
            ):
                continue
            symbol = run.symbol if run else _bound_to(site.node) or last
            where = hop(site.module, site.node, f"{last}(...) makes a tool")
            documented = last.startswith("from_") and run is not None
            found.append(
                Tool(
                    symbol,
                    where,
                    target or last,
                    _given_text(
                        given.get("name"), scope, graph, where,
                        run.node.name if documented and run else None,
                    ),
                    _given_text(
                        given.get("description"), scope, graph, where,
                        ast.get_docstring(run.node) if documented and run else None,
                    ),
                    run,
                    _reached([run], graph) if run else (),
                    site.module,
                    site.node,
                )
            )  # fmt: skip
    return found


def declared_functions(graph: Graph, known: set[str]) -> list[Tool]:
    """Functions that a decorator, ``tool(f)`` or a list of tools declares to be tools."""
    found: dict[str, Tool] = {}

    def add(
        function: Function, family: str, given: dict[str, ast.expr], scope: Function | Module
    ) -> None:
        if function.name in known or function.name in found:
            return
        where = hop(function.module, function.node, f"function {function.symbol} is a tool")
        doc = ast.get_docstring(function.node)
        name = given.get("name")
        found[function.name] = Tool(
            function.symbol,
            where,
            family,
            _given_text(name, scope, graph, where, function.node.name),
            _given_text(given.get("description"), scope, graph, where, doc),
            function,
            _reached([function], graph),
            function.module,
            function.node,
        )

    for function in graph.functions.values():
        for decorator in function.node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            written = ast.unparse(call.func if call else decorator)
            if _TOOL_WORD.search(written.rpartition(".")[2]):
                given = {k.arg: k.value for k in call.keywords if k.arg} if call else {}
                if call and call.args and isinstance(call.args[0], ast.Constant):
                    given.setdefault("name", call.args[0])
                add(function, f"{function.module.name}:@{written}", given, function.module)
    for site in graph.sites.get("tool", ()):
        scope = site.caller or site.module
        for value in site.node.args[:1]:
            function = graph.functions.get(_resolved(value, scope, graph))
            if function is not None:
                given = {k.arg: k.value for k in site.node.keywords if k.arg}
                add(function, f"{site.module.name}:tool()", given, scope)
    for module in graph.modules.values():
        for name, values in module.assigned.items():
            if not re.fullmatch(
                r"_?(?:[A-Za-z_]*_)?tools?(?:_by_name|_map|_registry)?", name, re.IGNORECASE
            ):
                continue
            for value in values:
                held = value.values if isinstance(value, ast.Dict) else getattr(value, "elts", [])
                keys = value.keys if isinstance(value, ast.Dict) else [None] * len(held)
                for key, element in zip(keys, held, strict=True):
                    function = graph.functions.get(resolve(element, module, graph))
                    if function is not None and function.owner is None:
                        add(function, f"{module.name}:{name}", {"name": key} if key else {}, module)
    for sites in graph.sites.values():
        for site in sites:
            for keyword in site.node.keywords:
                if keyword.arg == "tools" and isinstance(keyword.value, ast.List):
                    scope = site.caller or site.module
                    for element in keyword.value.elts:
                        function = graph.functions.get(_resolved(element, scope, graph))
                        if function is not None and function.owner is None:
                            add(function, f"{site.module.name}:tools=", {}, scope)
    return list(found.values())


def schemas(graph: Graph, known: set[str]) -> list[Tool]:
    """Tools described to a model by a JSON schema, joined to the function of the same name."""
    found = []
    for module in graph.modules.values():
        for node in module.all(ast.Dict):
            given = {
                k.value: v
                for k, v in zip(node.keys, node.values, strict=True)
                if isinstance(k, ast.Constant)
            }
            if "name" not in given or not {"parameters", "input_schema", "inputSchema"} & set(
                given
            ):
                continue
            where = hop(module, node, "a tool's schema")
            name = _given_text(given["name"], module, graph, where, None)
            if not name.text:  # computed, or a form that is filled in later
                continue
            run = graph.functions.get(f"{module.name}.{name.text}") or next(
                (f for f in graph.functions.values() if f.node.name == name.text and not f.owner),
                None,
            )
            if run is not None and run.name in known:
                continue
            found.append(
                Tool(
                    name.text or "schema",
                    where,
                    f"{module.name}:schema",
                    name,
                    _given_text(given.get("description"), module, graph, where, None),
                    run,
                    _reached([run], graph) if run else (),
                    module,
                    node,
                )
            )
    return found


def _given_text(
    node: ast.expr | None, scope: Function | Module, graph: Graph, where: Hop, fallback: str | None
) -> Text:
    if node is None:
        values = (Value(fallback, (where,)),) if fallback is not None else ()
        return Text(fallback is not None, values, where)
    return Text(True, tuple(fold(node, scope, graph)), Hop(where.file, node.lineno, where.says))


def _resolved(node: ast.AST, scope: Function | Module, graph: Graph) -> str:
    module = scope if isinstance(scope, Module) else scope.module
    if isinstance(node, ast.Name):
        inner = f"{scope.name}.{node.id}"
        if inner in graph.functions:
            return inner
    found = resolve(node, module, graph)
    if not found and isinstance(node, ast.Attribute):
        held: Type | None = infer(node.value, scope, graph)
        method = graph.method(held.name, node.attr) if held is not None else None
        return method.name if method else ""
    return found


def _bound_to(node: ast.AST) -> str:
    above = parent(node)
    if isinstance(above, ast.Assign) and isinstance(above.targets[0], ast.Name):
        return above.targets[0].id
    return ""
