"""The code property graph: modules, classes, methods, inheritance, imports, assignments, calls.

Step 1 of the paper, with Python's own ``ast`` in place of Joern. Names are resolved through the
imports of the project; what lies outside keeps its dotted name (``openai.OpenAI``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

import msgspec

from collegium.guard.doctor.findings import Hop, Skipped
from collegium.guard.doctor.sources import Project, parse

Def = ast.FunctionDef | ast.AsyncFunctionDef
N = TypeVar("N", bound=ast.AST)

_LEAVES = frozenset({ast.Constant, ast.Load, ast.Store, ast.alias, ast.Pass})
_KEPT = (ast.Call, ast.Dict, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)


class Field(msgspec.Struct, frozen=True, eq=False):
    """A class attribute: its annotation and value, as they stand in the class body."""

    name: str
    node: ast.stmt
    annotation: ast.expr | None
    value: ast.expr | None


class Module(msgspec.Struct, frozen=True, eq=False):
    """A file: its tree, imports (local name to dotted name), top-level assignments, and nodes."""

    name: str
    path: str
    tree: ast.Module
    imports: dict[str, str]
    assigned: dict[str, list[ast.expr]]
    annotated: dict[str, ast.expr]
    nodes: dict[type[ast.AST], list[Any]]

    def all(self, kind: type[N]) -> list[N]:
        """Every node of a kind that the graph keeps: calls, dictionaries, assignments, imports."""
        return self.nodes.get(kind, [])


class Class(msgspec.Struct, frozen=True, eq=False):
    """A class: dotted bases, fields of its body, and its methods."""

    name: str
    module: Module
    node: ast.ClassDef
    bases: tuple[str, ...]
    fields: dict[str, Field]
    methods: dict[str, Function]

    @property
    def short(self) -> str:
        """The name without its module."""
        return self.node.name


class Function(msgspec.Struct, frozen=True, eq=False):
    """A function or method; ``owner`` is the class it belongs to, by dotted name."""

    name: str
    module: Module
    node: Def
    owner: str | None

    @property
    def symbol(self) -> str:
        """As people write it: ``Agent.run``."""
        prefix = f"{self.owner.rpartition('.')[2]}." if self.owner else ""
        return prefix + self.node.name

    @property
    def parameters(self) -> list[ast.arg]:
        """All named parameters, in order."""
        a = self.node.args
        return [*a.posonlyargs, *a.args, *a.kwonlyargs]

    @property
    def receiver(self) -> str:
        """What a method calls its own object; "" for a function or static method."""
        static = any(ast.unparse(d) == "staticmethod" for d in self.node.decorator_list)
        first = [*self.node.args.posonlyargs, *self.node.args.args]
        return first[0].arg if self.owner and first and not static else ""


class Site(msgspec.Struct, frozen=True, eq=False):
    """A call: where it stands; ``caller`` is None at the top of a module or class body."""

    node: ast.Call
    module: Module
    caller: Function | None


class Graph(msgspec.Struct, frozen=True, eq=False):
    """The whole project.

    Attributes:
        modules: By dotted name.
        classes: By dotted name.
        functions: By dotted name; methods too, and nested functions.
        subclasses: Direct subclasses by base, also of bases outside the project.
        sites: Every call, by the last part of what is called.
        skipped: Files that are no Python.
        assignments: How many there are: it bounds the constant folding.
    """

    modules: dict[str, Module]
    classes: dict[str, Class]
    functions: dict[str, Function]
    subclasses: dict[str, list[str]]
    sites: dict[str, list[Site]]
    skipped: tuple[Skipped, ...]
    assignments: int

    def lineage(self, name: str) -> list[Class]:
        """A class and its ancestors inside the project, nearest first."""
        found: dict[str, Class] = {}
        waiting = [name]
        while waiting:
            known = self.classes.get(waiting.pop(0))
            if known is not None and known.name not in found:
                found[known.name] = known
                waiting += known.bases
        return list(found.values())

    def descendants(self, name: str) -> list[Class]:
        """All transitive subclasses, level by level."""
        found: dict[str, Class] = {}
        waiting = list(self.subclasses.get(name, ()))
        while waiting:
            known = self.classes.get(waiting.pop(0))
            if known is not None and known.name not in found:
                found[known.name] = known
                waiting += self.subclasses.get(known.name, ())
        return list(found.values())

    def method(self, owner: str, name: str) -> Function | None:
        """A method of a class, inherited ones too."""
        for known in self.lineage(owner):
            if name in known.methods:
                return known.methods[name]
        return None

    def field(self, owner: str, name: str) -> tuple[Class, Field] | None:
        """A field of a class and the class that declares it; one with a value comes first."""
        having = [(c, c.fields[name]) for c in self.lineage(owner) if name in c.fields]
        valued = [pair for pair in having if pair[1].value is not None]
        return (valued or having or [None])[0]


def build(project: Project) -> Graph:
    """Build the graph of a project."""
    modules: dict[str, Module] = {}
    skipped = list(project.skipped)
    for path, text in project.sources.items():
        tree = parse(path, text)
        if isinstance(tree, Skipped):
            skipped.append(tree)
            continue
        name = _module_name(path)
        try:
            modules[name] = _module(name, path, tree)
        except RecursionError:
            skipped.append(Skipped(path, "nested too deeply to be read"))
    names = _other_names(modules)
    for module in modules.values():
        for alias, target in module.imports.items():
            module.imports[alias] = _inside(target, module, modules, names)
    graph = Graph(modules, {}, {}, {}, {}, (), 0)
    for module in modules.values():
        _collect(module.tree.body, module, module.name, None, graph)
    for known in list(graph.classes.values()):
        bases = tuple(filter(None, (resolve(b, known.module, graph) for b in known.node.bases)))
        graph.classes[known.name] = msgspec.structs.replace(known, bases=bases)
        for base in bases:
            graph.subclasses.setdefault(base, []).append(known.name)
    assignments = 0
    for module in modules.values():
        assignments += len(module.all(ast.Assign)) + len(module.all(ast.AnnAssign))
    _sites(graph)
    return msgspec.structs.replace(graph, skipped=tuple(skipped), assignments=assignments)


def hop(module: Module, node: ast.AST, says: str) -> Hop:
    """An evidence step at a node."""
    return Hop(module.path, getattr(node, "lineno", 1), says)


def parent(node: ast.AST) -> ast.AST | None:
    """The node that holds this one."""
    return getattr(node, "_parent", None)


def ancestors(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes around this one, innermost first, to the end of its function."""
    above = parent(node)
    while above is not None:
        yield above
        if isinstance(above, Def | ast.Lambda | ast.ClassDef):
            return
        above = parent(above)


def own_nodes(function: Function | Module) -> tuple[ast.AST, ...]:
    """The nodes of a function, in order, without those of functions and classes inside it."""
    top = function.node if isinstance(function, Function) else function.tree
    known: tuple[ast.AST, ...] | None = getattr(top, "_own", None)
    if known is not None:
        return known
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(reversed(top.body))
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, Def | ast.ClassDef):
            waiting += reversed(list(ast.iter_child_nodes(node)))
    top._own = tuple(found)  # type: ignore[attr-defined]
    return tuple(found)


def resolve(expression: ast.AST, module: Module, graph: Graph) -> str:
    """The dotted name that an expression stands for, seen from the top of a module; "" if none."""
    if isinstance(expression, ast.Subscript):  # Generic[T]
        return resolve(expression.value, module, graph)
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        return resolve_text(expression.value, module, graph)
    if isinstance(expression, ast.Name):
        return resolve_text(expression.id, module, graph)
    if isinstance(expression, ast.Attribute):
        before = resolve(expression.value, module, graph)
        return canonical(f"{before}.{expression.attr}", graph) if before else ""
    return ""


def resolve_text(name: str, module: Module, graph: Graph) -> str:
    """The same for a dotted name given as text."""
    first, _, rest = name.partition(".")
    if f"{module.name}.{first}" in graph.classes or f"{module.name}.{first}" in graph.functions:
        found = f"{module.name}.{first}"
    elif first in module.imports:
        found = module.imports[first]
    else:
        return ""
    return canonical(f"{found}.{rest}" if rest else found, graph)


def canonical(dotted: str, graph: Graph, seen: frozenset[str] = frozenset()) -> str:
    """Where a dotted name is defined, through re-exports; itself when outside the project."""
    if dotted in seen or dotted in graph.classes or dotted in graph.functions:
        return dotted
    head, rest = dotted, ""
    while head:
        if head in graph.modules and rest:
            first, _, last = rest.partition(".")
            target = graph.modules[head].imports.get(first)
            if target is None or f"{head}.{first}" in graph.modules:
                return dotted
            joined = f"{target}.{last}" if last else target
            return canonical(joined, graph, seen | {dotted})
        head, _, tail = head.rpartition(".")
        rest = f"{tail}.{rest}" if rest else tail
    return dotted


def _module_name(path: str) -> str:
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def _module(name: str, path: str, tree: ast.Module) -> Module:
    imports: dict[str, str] = {}
    assigned: dict[str, list[ast.expr]] = {}
    annotated: dict[str, ast.expr] = {}
    package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
    nodes: dict[type[ast.AST], list[Any]] = {kind: [] for kind in _KEPT}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        kind = type(node)
        if kind in nodes:
            nodes[kind].append(node)
        for child in ast.iter_child_nodes(node):
            child._parent = node  # type: ignore[attr-defined]
            if type(child) not in _LEAVES:
                waiting.append(child)
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                imports.setdefault(alias.asname or first, alias.name if alias.asname else first)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".") if package else []
                parts = parts[: len(parts) - (node.level - 1)]
                base = ".".join([*parts, *filter(None, [base])])
            for alias in node.names:
                imports.setdefault(alias.asname or alias.name, f"{base}.{alias.name}".lstrip("."))
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            annotated[node.target.id] = node.annotation
            if node.value is not None:
                assigned.setdefault(node.target.id, []).append(node.value)
    for found in nodes.values():
        found.sort(key=lambda n: (n.lineno, n.col_offset))
    return Module(name, path, tree, imports, assigned, annotated, nodes)


def _other_names(modules: Mapping[str, Module]) -> dict[str, str]:
    """Names by which modules are known where a folder above them is no package (``src/``)."""
    names: dict[str, list[str]] = {}
    for name in modules:
        parts = name.split(".")
        for i in range(1, len(parts)):
            above = ".".join(parts[:i])
            if above in modules and modules[above].path.endswith("__init__.py"):
                break
            names.setdefault(".".join(parts[i:]), []).append(name)
    return {short: full[0] for short, full in names.items() if len(full) == 1}


def _inside(
    target: str, module: Module, modules: Mapping[str, Module], names: Mapping[str, str]
) -> str:
    """An import as a name inside the project, if it is one."""
    folder = module.name.rpartition(".")[0]
    parts = target.split(".")
    for i in range(len(parts), 0, -1):
        head, rest = ".".join(parts[:i]), parts[i:]
        for found in (head, f"{folder}.{head}", names.get(head, "")):
            # A script imports what lies beside it by its bare name; no module imports itself.
            if found in modules and found != module.name:
                return ".".join([found, *rest])
    return target


def _collect(
    body: list[ast.stmt], module: Module, prefix: str, owner: str | None, graph: Graph
) -> None:
    """Note the classes and functions of a body, also those under ``if`` and ``try``."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            name = f"{prefix}.{node.name}"
            graph.classes.setdefault(name, Class(name, module, node, (), _fields(node), {}))
            _collect(node.body, module, name, name, graph)
        elif isinstance(node, Def):
            name = f"{prefix}.{node.name}"
            function = Function(name, module, node, owner)
            if owner is not None:
                graph.classes[owner].methods[node.name] = function
            graph.functions[name] = function
            _collect(node.body, module, name, None, graph)
        else:
            for part in ("body", "orelse", "finalbody"):
                _collect(getattr(node, part, []), module, prefix, owner, graph)
            for handler in getattr(node, "handlers", []):
                _collect(handler.body, module, prefix, owner, graph)


def _fields(node: ast.ClassDef) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            fields[part.target.id] = Field(part.target.id, part, part.annotation, part.value)
        elif isinstance(part, ast.Assign):
            for target in part.targets:
                if isinstance(target, ast.Name):
                    fields[target.id] = Field(target.id, part, None, part.value)
    return fields


def _sites(graph: Graph) -> None:
    """Note every call under the last part of what it calls, with the function it stands in."""
    by_node = {id(f.node): f for f in graph.functions.values()}
    for module in graph.modules.values():
        for node in module.all(ast.Call):
            above = parent(node)
            while above is not None and id(above) not in by_node:
                above = parent(above)
            called = node.func
            last = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            graph.sites.setdefault(last, []).append(Site(node, module, by_node.get(id(above))))
