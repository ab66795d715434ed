"""Which class an expression is an instance of, as far as annotations and constructors say.

This is what resolves ``self.tools[name].use(...)`` to the methods of the tool classes.
"""

from __future__ import annotations

import ast

import msgspec

from collegium.guard.doctor.graph import (
    Class,
    Def,
    Function,
    Graph,
    Module,
    ancestors,
    own_nodes,
    parent,
    resolve,
)

DEPTH = 10
"""How many steps are followed from one expression to the next."""

_LISTS = frozenset(
    [
        "list",
        "tuple",
        "set",
        "frozenset",
        "Sequence",
        "Iterable",
        "List",
        "Tuple",
        "Set",
        "Iterator",
    ]
)
_MAPS = frozenset(["dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "OrderedDict"])
_THROUGH = frozenset(
    [
        "Optional",
        "Annotated",
        "ClassVar",
        "Final",
        "Union",
        "Awaitable",
        "Coroutine",
        "type",
        "Type",
    ]
)


class Type(msgspec.Struct, frozen=True):
    """A class by dotted name (inside the project or not), or a container and what it holds."""

    name: str
    element: Type | None = None


Scope = Function | Module


def module_of(scope: Scope) -> Module:
    """The module that a scope belongs to."""
    return scope if isinstance(scope, Module) else scope.module


def annotated(node: ast.expr | None, module: Module, graph: Graph) -> Type | None:
    """The type that an annotation names."""
    if node is None:
        return None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return annotated(ast.parse(node.value, mode="eval").body, module, graph)
        except SyntaxError:
            return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return annotated(node.left, module, graph) or annotated(node.right, module, graph)
    if isinstance(node, ast.Subscript):
        name = ast.unparse(node.value).rpartition(".")[2]
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name in _THROUGH:
            return next(filter(None, (annotated(i, module, graph) for i in inner)), None)
        if name in _LISTS:
            return Type("list", annotated(inner[0], module, graph))
        if name in _MAPS:
            return Type("dict", annotated(inner[-1], module, graph))
        return annotated(node.value, module, graph)
    name = resolve(node, module, graph)
    return Type(name) if name else None


def infer(node: ast.AST | None, scope: Scope, graph: Graph, depth: int = DEPTH) -> Type | None:
    """The type of an expression; None when nothing says it."""
    if node is None or depth == 0:
        return None
    depth -= 1
    module = module_of(scope)
    match node:
        case ast.Name():
            return _name(node, scope, graph, depth)
        case ast.Attribute():
            held = infer(node.value, scope, graph, depth)
            if held is None or held.element is not None:
                return None
            if held.name in graph.classes:
                return attribute(held.name, node.attr, graph, depth)
            return Type(f"{held.name}.{node.attr}")
        case ast.Call():
            return _call(node, scope, graph, depth)
        case ast.Await() | ast.NamedExpr() | ast.Starred():
            return infer(node.value, scope, graph, depth)
        case ast.Subscript():
            held = infer(node.value, scope, graph, depth)
            return held.element if held is not None else None
        case ast.List() | ast.Tuple() | ast.Set():
            return Type("list", _first(node.elts, scope, graph, depth))
        case ast.Dict():
            return Type("dict", _first(node.values, scope, graph, depth))
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            return Type("list", infer(node.elt, scope, graph, depth))
        case ast.DictComp():
            return Type("dict", infer(node.value, scope, graph, depth))
        case ast.IfExp():
            return _first([node.body, node.orelse], scope, graph, depth)
        case ast.BoolOp():
            return _first(node.values, scope, graph, depth)
        case _:
            return annotated(node, module, graph) if isinstance(node, ast.Constant) else None


def attribute(owner: str, name: str, graph: Graph, depth: int = DEPTH) -> Type | None:
    """The type of an attribute of a class: its annotation, property, or what is put into it."""
    if depth <= 0:
        return None
    found = graph.field(owner, name)
    if found is not None:
        known, field = found
        stated = annotated(field.annotation, known.module, graph)
        if stated is not None:
            return stated
        return infer(field.value, known.module, graph, depth - 1)
    method = graph.method(owner, name)
    if method is not None:
        return returned(method, graph, depth - 1)
    for value, function in assigned_attributes(owner, name, graph):
        kind = infer(value, function, graph, depth - 1)
        if kind is not None:
            return kind
    return None


def assigned_attributes(owner: str, name: str, graph: Graph) -> list[tuple[ast.expr, Function]]:
    """What the methods of a class put into ``self.name``, with the method that does it."""
    found: list[tuple[ast.expr, Function]] = []
    for known in graph.lineage(owner):
        for function in known.methods.values():
            for node in own_nodes(function):
                targets: list[ast.expr] = []
                if isinstance(node, ast.Assign):
                    targets = node.targets
                elif isinstance(node, ast.AnnAssign):
                    targets = [node.target]
                for target in targets:
                    if (
                        isinstance(target, ast.Attribute)
                        and target.attr == name
                        and isinstance(target.value, ast.Name)
                        and target.value.id == function.receiver
                        and isinstance(node, ast.Assign | ast.AnnAssign)
                        and node.value is not None
                    ):
                        found.append((node.value, function))
    return found


def returned(function: Function, graph: Graph, depth: int = DEPTH) -> Type | None:
    """The type that a function gives back."""
    stated = annotated(function.node.returns, function.module, graph)
    if stated is not None or depth <= 0:
        return stated
    for node in own_nodes(function):
        if isinstance(node, ast.Return) and node.value is not None:
            kind = infer(node.value, function, graph, depth - 1)
            if kind is not None:
                return kind
    return None


def callee(node: ast.Call, scope: Scope, graph: Graph) -> str:
    """The dotted name of what is called: a class, a function, a method, or something outside.

    Returns:
        The name; "" when it cannot be told, as for a call that is defined by itself.
    """
    known: str | None = getattr(node, "_callee", None)
    if known is None:
        node._callee = ""  # type: ignore[attr-defined]  # what a circle comes back to
        known = _callee(node, scope, graph)
        node._callee = known  # type: ignore[attr-defined]
    return known


def _callee(node: ast.Call, scope: Scope, graph: Graph) -> str:
    called = node.func
    module = module_of(scope)
    if isinstance(called, ast.Name):
        if not _is_local(called.id, scope):
            name = resolve(called, module, graph)
            if name:
                return name
        inner = f"{scope.name}.{called.id}"
        if inner in graph.functions:
            return inner
    if isinstance(called, ast.Attribute):
        first = called
        while isinstance(first, ast.Attribute):
            first = first.value
        if isinstance(first, ast.Name) and not _is_local(first.id, scope):
            name = resolve(called, module, graph)
            owner, _, last = name.rpartition(".")
            if owner in graph.classes:
                method = graph.method(owner, last)
                return method.name if method else name
            if name:
                return name
        if isinstance(called.value, ast.Call) and ast.unparse(called.value.func) == "super":
            owner = scope.owner if isinstance(scope, Function) else None
            for above in graph.lineage(owner)[1:] if owner else ():
                if called.attr in above.methods:
                    return above.methods[called.attr].name
            return ""
        held = infer(called.value, scope, graph)
        if held is not None and held.element is None:
            if held.name in graph.classes:
                method = graph.method(held.name, called.attr)
                return method.name if method else f"{held.name}.{called.attr}"
            return f"{held.name}.{called.attr}"
    return ""


def assignments(name: str, scope: Scope) -> list[ast.expr]:
    """What a scope assigns to a name, in order."""
    if isinstance(scope, Module):
        return scope.assigned.get(name, [])
    return _locals(scope)[0].get(name, [])


def _locals(function: Function) -> tuple[dict[str, list[ast.expr]], frozenset[str]]:
    """What a function assigns, by name, and every name that is its own; read once."""
    known = getattr(function.node, "_locals", None)
    if known is not None:
        return known
    assigned: dict[str, list[ast.expr]] = {}
    own = {p.arg for p in function.parameters}
    for node in own_nodes(function):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            targets = [node.target]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        for target in targets:
            if isinstance(target, ast.Name) and node.value is not None:  # type: ignore[attr-defined]
                assigned.setdefault(target.id, []).append(node.value)  # type: ignore[attr-defined]
    found = (assigned, frozenset(own))
    function.node._locals = found  # type: ignore[attr-defined]
    return found


def _is_local(name: str, scope: Scope) -> bool:
    """Whether a name belongs to the function rather than to its module."""
    return isinstance(scope, Function) and name in _locals(scope)[1]


def _first(nodes: list[ast.expr], scope: Scope, graph: Graph, depth: int) -> Type | None:
    return next(filter(None, (infer(n, scope, graph, depth) for n in nodes[:3])), None)


def _call(node: ast.Call, scope: Scope, graph: Graph, depth: int) -> Type | None:
    called = node.func
    if isinstance(called, ast.Attribute) and called.attr in ("get", "values", "pop", "setdefault"):
        held = infer(called.value, scope, graph, depth)
        if held is not None and held.name == "dict":
            return Type("list", held.element) if called.attr == "values" else held.element
    if isinstance(called, ast.Name) and called.id in ("next", "list", "sorted", "tuple", "iter"):
        held = infer(node.args[0], scope, graph, depth) if node.args else None
        return held.element if held and called.id == "next" else held
    name = callee(node, scope, graph)
    if name in graph.functions:
        return returned(graph.functions[name], graph, depth)
    return Type(name) if name else None


def _name(node: ast.Name, scope: Scope, graph: Graph, depth: int) -> Type | None:
    module = module_of(scope)
    inside = _comprehended(node)
    if inside is not None:
        held = infer(inside, scope, graph, depth)
        return held.element if held is not None else None
    if isinstance(scope, Function):
        if node.id == scope.receiver and scope.owner:
            return Type(scope.owner)
        for parameter in scope.parameters:
            if parameter.arg == node.id and parameter.annotation is not None:
                return annotated(parameter.annotation, module, graph)
        for value in reversed(assignments(node.id, scope)):
            kind = infer(value, scope, graph, depth)
            if kind is not None:
                return kind
        for part in own_nodes(scope):
            if isinstance(part, ast.For | ast.AsyncFor):
                held = _looped(part, node.id, scope, graph, depth)
                if held is not None:
                    return held
            elif isinstance(part, ast.With | ast.AsyncWith):
                for item in part.items:
                    if (
                        isinstance(item.optional_vars, ast.Name)
                        and item.optional_vars.id == node.id
                    ):
                        return infer(item.context_expr, scope, graph, depth)
            elif isinstance(part, ast.AnnAssign) and ast.unparse(part.target) == node.id:
                return annotated(part.annotation, module, graph)
        if _is_local(node.id, scope):
            return None
    if node.id in module.annotated:
        return annotated(module.annotated[node.id], module, graph)
    for value in reversed(module.assigned.get(node.id, [])):
        kind = infer(value, module, graph, depth)
        if kind is not None:
            return kind
    imported = module.imports.get(node.id, "")
    owner, _, last = imported.rpartition(".")
    if owner in graph.modules and last in graph.modules[owner].assigned:
        return _name(ast.Name(last, ast.Load()), graph.modules[owner], graph, depth)
    return None


def _looped(
    loop: ast.For | ast.AsyncFor, name: str, scope: Scope, graph: Graph, depth: int
) -> Type | None:
    """The type of a loop variable: what the container holds."""
    if isinstance(loop.target, ast.Name) and loop.target.id == name:
        held = infer(loop.iter, scope, graph, depth)
        return held.element if held is not None else None
    if isinstance(loop.target, ast.Tuple) and isinstance(loop.iter, ast.Call):
        called, last = loop.iter.func, loop.target.elts[-1]
        if isinstance(last, ast.Name) and last.id == name:
            if isinstance(called, ast.Attribute) and called.attr == "items":
                held = infer(called.value, scope, graph, depth)
                return held.element if held is not None else None
            if ast.unparse(called) == "enumerate" and loop.iter.args:
                held = infer(loop.iter.args[0], scope, graph, depth)
                return held.element if held is not None else None
    return None


def _comprehended(node: ast.Name) -> ast.expr | None:
    """What a comprehension variable runs over."""
    for above in (parent(node), *ancestors(node)):
        if isinstance(above, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            for part in above.generators:
                if isinstance(part.target, ast.Name) and part.target.id == node.id:
                    return part.iter
        if isinstance(above, Def):
            return None
    return None


__all__ = ["Class", "Scope", "Type", "annotated", "attribute", "callee", "infer", "returned"]
