"""Following a model's answer forward to what can fail on it: the data flow behind LOPE."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from collegium.guard.doctor.findings import Hop
from collegium.guard.doctor.flow import (
    callers,
    checked_before,
    goes_to,
    handled,
    handled_here,
    names_in,
)
from collegium.guard.doctor.graph import Function, Graph, Site, ancestors, hop, own_nodes, parent
from collegium.guard.doctor.inference import callee

DECODERS = {
    "json.loads": "JSONDecodeError", "ast.literal_eval": "ValueError",
    "yaml.safe_load": "YAMLError",
    "yaml.load": "YAMLError", "eval": "Exception", "int": "ValueError", "float": "ValueError",
    "msgspec.json.decode": "DecodeError", "tomllib.loads": "TOMLDecodeError",
    "xml.etree.ElementTree.fromstring": "ParseError", "Decimal": "ValueError",
    "orjson.loads": "JSONDecodeError", "json5.loads": "ValueError", "ujson.loads": "ValueError",
}  # fmt: skip
_DECODING_METHODS = {
    "model_validate_json": "ValidationError", "parse_raw": "ValidationError",
    "model_validate": "ValidationError",
}  # fmt: skip
_MATCHES = ("re.search", "re.match", "re.fullmatch")


class Risk(msgspec.Struct, frozen=True, eq=False):
    """A place that can fail on a model's answer: the node, its function, the error, the way."""

    node: ast.AST
    function: Function
    error: str
    says: str
    path: tuple[Hop, ...]
    chain: tuple[Site, ...]


class Answer(msgspec.Struct, frozen=True, eq=False):
    """An answer inside a function.

    Attributes:
        function: Where it is.
        names: The names that hold it, or something made from it.
        source: The call that gives it, where it is used without a name.
        path: How it came here.
        chain: The calls that it was passed by.
    """

    function: Function
    names: set[str]
    source: ast.AST | None
    path: tuple[Hop, ...]
    chain: tuple[Site, ...] = ()

    def touches(self, node: ast.AST) -> bool:
        """Whether an expression reads the answer."""
        if names_in(node) & self.names:
            return True
        return self.source is not None and any(n is self.source for n in ast.walk(node))


def risks_of(site: Site, graph: Graph, start: Hop, closed: frozenset[str]) -> list[Risk]:
    """Everything that can fail on the answer of a call, also in callers that it is handed to.

    Args:
        site: Where the model is asked; it stands in a function.
        graph: The project.
        start: First step of every path.
        closed: Functions not to look into: those that ask the model, and the tools.
    """
    if site.caller is None:
        return []
    own = _answer(site.node, site.caller, (start,))
    found = list(_risks(own, graph, closed, 3))
    handed = [n.value for n in own_nodes(site.caller) if isinstance(n, ast.Return) and n.value]
    if any(own.touches(value) for value in handed):
        for above in callers(site.caller, graph):
            if above.caller is not None:
                step = hop(above.module, above.node, f"{above.caller.symbol} gets it")
                found += _risks(_answer(above.node, above.caller, (start, step)), graph, closed, 2)
    return found


def tolerated(risk: Risk, graph: Graph) -> bool:
    """Whether its function, a function on the way, or every caller takes the error."""
    if handled_here(risk.node, graph, risk.error):
        return True
    if any(handled_here(site.node, graph, risk.error) for site in risk.chain):
        return True
    if risk.chain:
        return handled(risk.chain[0].node, risk.chain[0].caller, graph, risk.error)
    return handled(risk.node, risk.function, graph, risk.error)


def _answer(node: ast.Call, function: Function, path: tuple[Hop, ...]) -> Answer:
    names = _results(node)
    return Answer(function, goes_to(names, function) if names else set(), node, path)


def _results(node: ast.AST) -> set[str]:
    """The names that the value of a call is put into."""
    for above in (parent(node), *ancestors(node)):
        if isinstance(above, ast.Assign):
            return {n.id for t in above.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        if isinstance(above, ast.AnnAssign | ast.NamedExpr):
            return {n.id for n in ast.walk(above.target) if isinstance(n, ast.Name)}
        if isinstance(above, ast.stmt):
            return set()
    return set()


def _risks(answer: Answer, graph: Graph, closed: frozenset[str], depth: int) -> Iterator[Risk]:
    """What can fail on an answer inside a function and the project functions it is given to."""
    function = answer.function
    for node in own_nodes(function):
        says = error = ""
        match node:
            case ast.Call() if node is not answer.source:
                error = _decoder(node, callee(node, function, graph), answer)
                says = f"parses it with {ast.unparse(node.func)}"
                yield from _inside(node, answer, graph, closed, depth)
            case ast.Raise() if _depends(node, answer):
                error = _raised(node)
                says = f"raises {error} when it does not parse"
            case ast.Attribute(attr="group" | "groups" | "groupdict") if answer.touches(node.value):
                error = "AttributeError" if _unguarded_match(node, function) else ""
                says = "reads a match that may be None"
            case ast.Subscript(ctx=ast.Load()) if _splits(node) and answer.touches(node.value):
                error = "" if _tested(node, answer) else "IndexError"
                says = "takes a part that may be missing"
            case ast.Assign(
                targets=[ast.Tuple()], value=ast.Call(func=ast.Attribute(attr="split"))
            ):
                if answer.touches(node.value) and not _tested(node, answer):
                    error = "ValueError"
                says = "unpacks parts that may be missing"
        if error:
            yield Risk(node, function, error, says, answer.path, answer.chain)


def _inside(
    node: ast.Call, answer: Answer, graph: Graph, closed: frozenset[str], depth: int
) -> Iterator[Risk]:
    """What can fail in a project function that gets the answer as an argument."""
    inner = graph.functions.get(callee(node, answer.function, graph))
    if inner is None or inner is answer.function or inner.name in closed or not depth:
        return
    parameters = [p.arg for p in inner.parameters if p.arg != inner.receiver]
    into = {p for p, a in zip(parameters, node.args, strict=False) if answer.touches(a)}
    into |= {k.arg for k in node.keywords if k.arg and answer.touches(k.value)}
    if into:
        step = hop(answer.function.module, node, f"passes it to {inner.symbol}")
        site = Site(node, answer.function.module, answer.function)
        passed = Answer(
            inner, goes_to(into, inner), None, (*answer.path, step), (*answer.chain, site)
        )
        yield from _risks(passed, graph, closed, depth - 1)


def _decoder(node: ast.Call, target: str, answer: Answer) -> str:
    """The error of a decoder that is applied to the answer; "" when it is none."""
    written = ast.unparse(node.func)
    if any(answer.touches(a) for a in (*node.args, *(k.value for k in node.keywords))):
        for name, error in DECODERS.items():
            if target == name or written == name:
                return error
        if "." in written:
            return _DECODING_METHODS.get(written.rpartition(".")[2], "")
    if written.endswith(".index") and isinstance(node.func, ast.Attribute):
        return "ValueError" if answer.touches(node.func.value) else ""
    return ""


def _depends(node: ast.Raise, answer: Answer) -> bool:
    """Whether a raise stands under a test of the answer, or in the handler of its parser."""
    for above in ancestors(node):
        if isinstance(above, ast.If | ast.While) and answer.touches(above.test):
            return True
        if isinstance(above, ast.ExceptHandler):
            holder = parent(above)
            return isinstance(holder, ast.Try) and any(answer.touches(s) for s in holder.body)
    return False


def _raised(node: ast.Raise) -> str:
    """The class that is raised; "" for a bare raise, which the decoder inside stands for."""
    if node.exc is None:
        return ""
    exc = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return ast.unparse(exc).rpartition(".")[2]


def _unguarded_match(node: ast.Attribute, function: Function) -> bool:
    held = node.value
    if isinstance(held, ast.Call):
        return ast.unparse(held.func) in _MATCHES or ast.unparse(held.func).endswith(
            (".search", ".match", ".fullmatch")
        )
    if not isinstance(held, ast.Name):
        return False
    made = [
        n.value
        for n in own_nodes(function)
        if isinstance(n, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == held.id for t in n.targets)
    ]
    matched = any(
        isinstance(m, ast.Call)
        and ast.unparse(m.func).rpartition(".")[2] in ("search", "match", "fullmatch")
        for m in made
    )
    return matched and checked_before(node, {held.id}, function) is None


def _splits(node: ast.Subscript) -> bool:
    """``text.split(x)[1]``: the part may not be there (first and last always are)."""
    at = node.slice
    value = node.value
    index = at.value if isinstance(at, ast.Constant) else None
    return (
        isinstance(index, int)
        and index > 0
        and isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in ("split", "splitlines", "rsplit")
    )


def _tested(node: ast.Assign | ast.Subscript, answer: Answer) -> bool:
    """Whether a test before a split says that its parts are there: of the separator or a length."""
    check = checked_before(node, answer.names, answer.function)
    if check is None:
        return False
    split, tested = node.value, ast.unparse(check)
    if isinstance(split, ast.Call) and split.args and ast.unparse(split.args[0]) in tested:
        return True
    return any(w in tested for w in ("len(", ".count("))
