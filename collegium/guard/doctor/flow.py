"""Control and data flow in a function: who handles an error, what is checked, what flows where."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

from collegium.guard.doctor.graph import Def, Function, Graph, Site, ancestors, own_nodes, parent
from collegium.guard.doctor.inference import callee

_NOT_TOLERANT = ("KeyboardInterrupt", "SystemExit", "GeneratorExit", "CancelledError")
_HANDLING = ("retry", "backoff", "catch", "safe", "suppress", "handle_error", "on_exception")
_CHECKING = ("check", "valid", "sanit", "clean", "ensure", "verify", "require")
_ABOUT_REPLIES = ("usage", "finish_reason", "stop_reason", "logprobs", "created")
CALLERS = 4
"""How many callers upwards an error is followed."""


def tolerant(handler: ast.ExceptHandler, raised: str, graph: Graph) -> bool:
    """Whether a handler takes an exception and goes on.

    Args:
        handler: Of a ``try``.
        raised: Short name of the exception's class; "" for any that may come.
        graph: Knows the project's own exceptions.
    """
    if not _goes_on(handler.body):
        return False
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = [ast.unparse(k).rpartition(".")[2] for k in kinds]
    if raised:
        above = _bases(raised, graph)
        return any(n in above for n in names)
    return any(n not in _NOT_TOLERANT for n in names)


def handled_here(node: ast.AST, graph: Graph, raised: str = "") -> bool:
    """Whether the function around a node takes an error that comes from it, and goes on."""
    below = node
    for above in ancestors(node):
        if isinstance(above, ast.Try) and any(below is s for s in above.body):
            if any(tolerant(h, raised, graph) for h in above.handlers):
                return True
        elif isinstance(above, ast.With | ast.AsyncWith):
            for item in above.items:
                if "suppress" in ast.unparse(item.context_expr):
                    return True
        elif isinstance(above, ast.Call):
            if any(k.arg == "return_exceptions" for k in above.keywords):
                return True
        elif isinstance(above, Def) and decorated(above, _HANDLING):
            return True
        below = above
    return False


def handled(
    node: ast.AST,
    function: Function | None,
    graph: Graph,
    raised: str = "",
    depth: int = CALLERS,
) -> bool:
    """The same, or every caller inside the project does, up to some callers away."""
    if handled_here(node, graph, raised):
        return True
    if function is None or depth == 0:
        return False
    above = callers(function, graph)
    return bool(above) and all(handled(s.node, s.caller, graph, raised, depth - 1) for s in above)


def callers(function: Function, graph: Graph) -> list[Site]:
    """The calls of a function inside the project."""
    found = []
    for site in graph.sites.get(function.node.name, ()):
        scope = site.caller or site.module
        if site.caller is not function and callee(site.node, scope, graph) == function.name:
            found.append(site)
    return found


def decorated(node: Def | ast.ClassDef, words: Iterable[str]) -> bool:
    """Whether a decorator's name has one of some words in it."""
    names = [
        ast.unparse(d.func if isinstance(d, ast.Call) else d).lower() for d in node.decorator_list
    ]
    return any(word in name for name in names for word in words)


def names_in(node: ast.AST) -> set[str]:
    """The names that an expression reads, and its attributes as dotted text."""
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.Attribute):
            found.add(ast.unparse(part))
    return found


def came_from(node: ast.AST, function: Function, hops: int = 3) -> set[str]:
    """The names that a value was made from: its backward slice by def-use.

    The method's own object and what is called are left out.
    """
    names = _read(node) - {function.receiver}
    for _ in range(hops):
        more: set[str] = set()
        for part in own_nodes(function):
            if isinstance(part, ast.Assign | ast.AnnAssign) and part.value is not None:
                targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                if any(_stored(t) & names for t in targets):
                    more |= _read(part.value)
            elif isinstance(part, ast.For | ast.AsyncFor) and _stored(part.target) & names:
                more |= _read(part.iter)
        if more <= names:
            break
        names |= more - {function.receiver}
    return names


def goes_to(start: set[str], function: Function) -> set[str]:
    """The names that get something made from these: the forward slice by def-use."""
    names = set(start)
    for _ in range(4):
        before = len(names)
        for part in own_nodes(function):
            if isinstance(part, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
                if part.value is not None and _read(part.value) & names:
                    targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                    for target in targets:
                        names |= _stored(target)
            elif (isinstance(part, ast.For | ast.AsyncFor) and _read(part.iter) & names) or (
                isinstance(part, ast.comprehension) and _read(part.iter) & names
            ):
                names |= _stored(part.target)
        if len(names) == before:
            break
    return names


def checked_before(node: ast.AST, names: set[str], function: Function) -> ast.AST | None:
    """What checks one of these names before control comes to a node.

    A check is a test around the node, a test before it that leaves or mends the value, an
    assertion, or a call of something that validates.

    Returns:
        The statement that checks, or None.
    """
    below = node
    for above in ancestors(node):
        tested = above.test if isinstance(above, ast.If | ast.While | ast.IfExp) else None
        if tested is not None and below is not tested and _tests(tested, names):
            return above
        for block in _blocks(above):
            if not any(below is s for s in block):
                continue
            for statement in block:
                if statement is below:
                    break
                if _checks(statement, names):
                    return statement
        below = above
        if above is function.node:
            break
    return None


def falls_off(body: list[ast.stmt]) -> bool:
    """Whether control can come to the end of a block instead of leaving the function."""
    for statement in body:
        match statement:
            case ast.Return() | ast.Raise():
                return False
            case ast.If() if statement.orelse:
                if not falls_off(statement.body) and not falls_off(statement.orelse):
                    return False
            case ast.With() | ast.AsyncWith():
                if not falls_off(statement.body) and not any(
                    "suppress" in ast.unparse(i.context_expr) for i in statement.items
                ):
                    return False
            case ast.Try():
                if statement.finalbody and not falls_off(statement.finalbody):
                    return False
                main = falls_off(statement.body) and (
                    not statement.orelse or falls_off(statement.orelse)
                )
                if not main and all(not falls_off(h.body) for h in statement.handlers):
                    return False
            case ast.While(test=ast.Constant(value=True)):
                if not any(isinstance(n, ast.Break) for n in _of_loop(statement)):
                    return False
            case ast.Match():
                last = statement.cases[-1]
                complete = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
                if complete and all(not falls_off(c.body) for c in statement.cases):
                    return False
            case ast.Expr(value=ast.Call(func=called)):
                if ast.unparse(called) in ("sys.exit", "exit", "quit", "os._exit", "assert_never"):
                    return False
            case ast.Continue() | ast.Break():
                return False
    return True


def only_raises(node: Def) -> bool:
    """Whether a function is a stub: a docstring, ``pass``, ``...`` or a ``raise`` alone."""
    return all(
        isinstance(s, ast.Raise | ast.Pass)
        or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
        for s in node.body
    )


def _goes_on(body: list[ast.stmt]) -> bool:
    """Whether a handler does something else than raise again on every way."""
    if any(isinstance(n, ast.Return | ast.Continue | ast.Break) for s in body for n in ast.walk(s)):
        return True
    return falls_off(body)


def _bases(raised: str, graph: Graph) -> set[str]:
    """An exception class and what it derives from, by short name."""
    own = next((c for c in graph.classes.values() if c.short == raised), None)
    found = {raised, "BaseException"}
    if own is not None:
        lineage = graph.lineage(own.name)
        found |= {c.short for c in lineage}
        found |= {b.rpartition(".")[2] for c in lineage for b in c.bases}
        found |= {ast.unparse(b) for c in lineage for b in c.node.bases}
    for name in list(found):
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, BaseException):
            found |= {k.__name__ for k in kind.__mro__}
    if raised == "JSONDecodeError":
        found |= {"ValueError", "Exception"}
    if not raised[:1].isupper() or len(found) == 2:  # a class from outside: most derive from it
        found.add("Exception")
    return found


def _read(node: ast.AST) -> set[str]:
    """Names an expression reads, without what it calls and without facts about a reply."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Attribute) and part.attr in _ABOUT_REPLIES:
            continue
        if isinstance(part, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            inner = _read(part.elt)
            for loop in part.generators:
                if inner & _stored(loop.target):
                    waiting.append(loop.iter)
            found |= inner
            continue
        if isinstance(part, ast.Call):
            called = part.func
            waiting += [*part.args, *(k.value for k in part.keywords)]
            if isinstance(called, ast.Attribute):
                waiting.append(called.value)
            continue
        if isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.Attribute):
            found.add(ast.unparse(part))
        waiting += ast.iter_child_nodes(part)
    return found


def _stored(target: ast.AST) -> set[str]:
    found = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    if isinstance(target, ast.Attribute):
        return {ast.unparse(target)}
    return found


def _blocks(node: ast.AST) -> list[list[ast.stmt]]:
    parts = (getattr(node, name, None) for name in ("body", "orelse", "finalbody"))
    return [p for p in parts if isinstance(p, list)]


def _tests(test: ast.AST, names: set[str]) -> bool:
    """Whether a condition checks a name.

    Being equal to one fixed text, or containing it, is a choice between ways, and no check.
    """
    if isinstance(test, ast.BoolOp):
        return any(_tests(v, names) for v in test.values)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _tests(test.operand, names)
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq):
        fixed = test.comparators[0]
        text = isinstance(fixed, ast.Constant) and isinstance(fixed.value, str) and fixed.value
        if text or ast.unparse(fixed).rpartition(".")[2].isupper():
            return False
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.In):
        sought = test.left
        if isinstance(sought, ast.Constant) or ast.unparse(sought).rpartition(".")[2].isupper():
            return False
    return bool(names_in(test) & names)


def _checks(statement: ast.stmt, names: set[str]) -> bool:
    """Whether a statement before the call checks or mends one of the names."""
    if isinstance(statement, ast.Assert):
        return _tests(statement.test, names)
    if isinstance(statement, ast.If):
        leaves = not falls_off(statement.body)
        mends = any(
            _stored(t) & names
            for n in ast.walk(statement)
            if isinstance(n, ast.Assign)
            for t in n.targets
        )
        return _tests(statement.test, names) and (leaves or mends)
    if isinstance(statement, ast.With | ast.AsyncWith):
        return any(_checks(s, names) for s in statement.body)
    for call in (n for n in ast.walk(statement) if isinstance(n, ast.Call)):
        said = ast.unparse(call.func).rpartition(".")[2].lower()
        about = {n for a in (*call.args, *(k.value for k in call.keywords)) for n in names_in(a)}
        into = {n for t in _assigned([statement]) for n in _stored(t)}
        if any(w in said for w in _CHECKING) and (about & names or into & names):
            return True
    return False


def _assigned(body: list[ast.stmt]) -> list[ast.expr]:
    return [t for s in body for n in ast.walk(s) if isinstance(n, ast.Assign) for t in n.targets]


def _of_loop(loop: ast.While) -> Iterable[ast.AST]:
    """Nodes of a loop's body, without those of loops inside it."""
    waiting: list[ast.AST] = list(loop.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.For | ast.While | ast.AsyncFor | Def):
            waiting += ast.iter_child_nodes(node)


__all__ = [
    "callers",
    "came_from",
    "checked_before",
    "falls_off",
    "goes_to",
    "handled",
    "handled_here",
    "names_in",
    "only_raises",
    "parent",
    "tolerant",
]
