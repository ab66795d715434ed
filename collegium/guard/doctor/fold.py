"""Constant folding: the strings that an expression can stand for, followed through assignments.

At most twice as many hops are made as the project has assignments, as in the paper; definitions
that go round in a circle end where they began.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import msgspec

from collegium.guard.doctor.findings import Hop
from collegium.guard.doctor.graph import Function, Graph, Module, hop, parent, resolve
from collegium.guard.doctor.inference import (
    Scope,
    assigned_attributes,
    assignments,
    infer,
    module_of,
)

MOST = 8
"""How many values of one expression are kept."""

_METHODS = frozenset(
    ["strip", "lstrip", "rstrip", "lower", "upper", "title", "capitalize", "casefold"]
)
_DEFAULT = ("default", "default_value")


class Value(msgspec.Struct, frozen=True):
    """A constant (text, number, None ...) and the way to it."""

    value: Any
    path: tuple[Hop, ...]

    @property
    def text(self) -> str | None:
        """The value, if it is text."""
        return self.value if isinstance(self.value, str) else None


class _Walk(msgspec.Struct):
    """One folding: what is being folded, and how many hops are left."""

    graph: Graph
    left: int
    inside: list[int]


def fold(node: ast.AST | None, scope: Scope, graph: Graph) -> list[Value]:
    """All constants that an expression is known to stand for; [] when nothing is known."""
    if node is None:
        return []
    return _fold(node, scope, _Walk(graph, 2 * graph.assignments + 2, []))[:MOST]


def fold_texts(node: ast.AST | None, scope: Scope, graph: Graph) -> list[Value]:
    """The same for lists: every text in a list, tuple or set, or the text itself."""
    if node is None:
        return []
    walk = _Walk(graph, 2 * graph.assignments + 2, [])
    return [v for v in _elements(node, scope, walk) if v.text is not None]


def _elements(node: ast.AST, scope: Scope, walk: _Walk) -> list[Value]:
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [v for e in node.elts for v in _elements(e, scope, walk)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = (_elements(n, scope, walk) for n in (node.left, node.right))
        whole = _fold(node, scope, walk)
        return whole or [*left, *right]
    if isinstance(node, ast.IfExp | ast.BoolOp):
        parts = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
        return [v for p in parts for v in _elements(p, scope, walk)]
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in ("list", "tuple"):
        return _elements(node.args[0], scope, walk)
    if isinstance(node, ast.Call) and (value := _defaulted(node)) is not None:
        return _elements(value, scope, walk)
    if isinstance(node, ast.Name | ast.Attribute):
        return _followed(node, scope, walk, _elements)
    return _fold(node, scope, walk)


def _fold(node: ast.AST, scope: Scope, walk: _Walk) -> list[Value]:
    module = module_of(scope)
    match node:
        case ast.Constant():
            return [Value(node.value, (hop(module, node, f"constant {_shown(node.value)}"),))]
        case ast.JoinedStr():
            return _joined(node.values, scope, walk)
        case ast.FormattedValue():
            return _fold(node.value, scope, walk)
        case ast.BinOp(op=ast.Add()):
            return _joined([node.left, node.right], scope, walk)
        case ast.BinOp(op=ast.Mod()):
            return _percent(node, scope, walk)
        case ast.IfExp():
            return _fold(node.body, scope, walk) + _fold(node.orelse, scope, walk)
        case ast.BoolOp():
            return [v for part in node.values for v in _fold(part, scope, walk)]
        case ast.Call():
            return _called(node, scope, walk)
        case ast.Name() | ast.Attribute():
            return _followed(node, scope, walk, _fold)[:MOST]
    return []


def _joined(parts: list[ast.expr], scope: Scope, walk: _Walk) -> list[Value]:
    """Every way to put the texts of some expressions one after another."""
    made = [Value("", ())]
    for part in parts:
        values = [v for v in _fold(part, scope, walk) if isinstance(v.value, str | int | float)]
        made = [
            Value(f"{m.value}{v.value}", (*m.path, *(h for h in v.path if h not in m.path)))
            for m in made
            for v in values
        ][:MOST]
    return made


def _percent(node: ast.BinOp, scope: Scope, walk: _Walk) -> list[Value]:
    fillings = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
    inner = [_fold(f, scope, walk)[:1] for f in fillings]
    found = []
    for pattern in _fold(node.left, scope, walk):
        try:
            text = pattern.value % tuple(v.value for (v,) in inner)
        except (TypeError, ValueError):
            continue
        found.append(Value(text, (*pattern.path, *(h for (v,) in inner for h in v.path))))
    return found


def _called(node: ast.Call, scope: Scope, walk: _Walk) -> list[Value]:
    called = node.func
    if (value := _defaulted(node)) is not None:
        return _fold(value, scope, walk)
    if isinstance(called, ast.Name) and called.id == "str" and len(node.args) == 1:
        return _fold(node.args[0], scope, walk)
    if not isinstance(called, ast.Attribute):
        return []
    if called.attr in _METHODS and not node.args:
        return [
            Value(getattr(v.value, called.attr)(), v.path)
            for v in _fold(called.value, scope, walk)
            if v.text is not None
        ]
    if called.attr == "format":
        places = [_fold(a, scope, walk)[:1] for a in node.args]
        names = {k.arg: _fold(k.value, scope, walk)[:1] for k in node.keywords if k.arg}
        found = []
        for pattern in _fold(called.value, scope, walk):
            try:
                text = pattern.value.format(
                    *(v.value for (v,) in places), **{k: v.value for k, (v,) in names.items()}
                )
            except (ValueError, IndexError, KeyError, AttributeError):
                continue
            found.append(Value(text, pattern.path))
        return found
    if called.attr == "join" and len(node.args) == 1:
        if not isinstance(node.args[0], ast.List | ast.Tuple):
            return []
        texts = [_fold(e, scope, walk)[:1] for e in node.args[0].elts]
        glue = _fold(called.value, scope, walk)[:1]
        if glue and all(t and t[0].text is not None for t in texts):
            joined = str(glue[0].value).join(str(t[0].value) for t in texts)
            return [Value(joined, tuple(h for t in texts for h in t[0].path))]
    return []


def _defaulted(node: ast.Call) -> ast.expr | None:
    """The default in ``Field(default=...)``, ``Field("...")`` or ``field(default_factory=...)``."""
    if not ast.unparse(node.func).rpartition(".")[2].lower().endswith("field"):
        return None
    for keyword in node.keywords:
        if keyword.arg in _DEFAULT:
            return keyword.value
        if keyword.arg == "default_factory" and isinstance(keyword.value, ast.Lambda):
            return keyword.value.body
    return node.args[0] if node.args and not isinstance(node.args[0], ast.Starred) else None


def _followed(
    node: ast.Name | ast.Attribute,
    scope: Scope,
    walk: _Walk,
    read: Callable[[ast.AST, Scope, _Walk], list[Value]],
) -> list[Value]:
    """Read what is assigned to a name; one hop each, and none in a circle."""
    found: list[Value] = []
    step = hop(module_of(scope), node, f"read as {ast.unparse(node)}")
    for value, where in _definitions(node, scope, walk.graph):
        if id(value) in walk.inside or walk.left <= 0:
            continue
        walk.left -= 1
        walk.inside.append(id(value))
        found += [Value(v.value, (*v.path, step)) for v in read(value, where, walk)]
        walk.inside.pop()
    return found


def _definitions(
    node: ast.Name | ast.Attribute, scope: Scope, graph: Graph
) -> list[tuple[ast.expr, Scope]]:
    """What is assigned to a name or attribute, nearest scope first, and where."""
    module = module_of(scope)
    if isinstance(node, ast.Attribute):
        held = infer(node.value, scope, graph)
        owner = held.name if held is not None else resolve(node.value, module, graph)
        if owner in graph.modules:
            return [
                (v, graph.modules[owner]) for v in graph.modules[owner].assigned.get(node.attr, [])
            ]
        if owner not in graph.classes:
            return []
        having = graph.field(owner, node.attr)
        found: list[tuple[ast.expr, Scope]] = []
        if having is not None and having[1].value is not None:
            found.append((having[1].value, having[0].module))
        return [*found, *assigned_attributes(owner, node.attr, graph)]
    if isinstance(scope, Function):
        local: list[tuple[ast.expr, Scope]] = [(v, scope) for v in assignments(node.id, scope)]
        default = _parameter_default(scope, node.id)
        if default is not None:
            local.append((default, module))
        if local or any(p.arg == node.id for p in scope.parameters):
            return local
    assigned = module.assigned.get(node.id, []) or _class_body(node, module)
    if assigned:
        return [(v, module) for v in assigned]
    return _imported(module.imports.get(node.id, ""), graph)


def _parameter_default(function: Function, name: str) -> ast.expr | None:
    a = function.node.args
    positional = [*a.posonlyargs, *a.args]
    pairs = dict(zip([p.arg for p in reversed(positional)], reversed(a.defaults), strict=False))
    pairs |= {p.arg: d for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d is not None}
    return pairs.get(name)


def _class_body(node: ast.Name, module: Module) -> list[ast.expr]:
    """What the class around a name assigns to it, for names used in a class body."""
    above = parent(node)
    while above is not None and not isinstance(above, ast.ClassDef):
        above = parent(above)
    if above is None:
        return []
    return [
        part.value
        for part in above.body
        if isinstance(part, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == node.id for t in part.targets)
    ]


def _imported(dotted: str, graph: Graph, depth: int = 5) -> list[tuple[ast.expr, Scope]]:
    """What another module of the project assigns to an imported name."""
    owner, _, last = dotted.rpartition(".")
    module = graph.modules.get(owner)
    if module is None or depth == 0:
        return []
    if last in module.assigned:
        return [(v, module) for v in module.assigned[last]]
    return _imported(module.imports.get(last, ""), graph, depth - 1)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
