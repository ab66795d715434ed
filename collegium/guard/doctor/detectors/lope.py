"""LOPE: what a model answers is parsed without a way on when it does not parse.

From every call of the LLM's method m, the answer is followed forward by def-use, also into project
functions, to what can fail on it: a decoder, a conversion, a match that may be None, a ``raise``.
Whoever handles that error, here or in a caller, is the tolerance after the call. The tolerance
before it, and whether the handling makes sense, are questions for a model.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from collegium.guard.doctor.findings import Finding, Hop, Question
from collegium.guard.doctor.flow import (
    callers,
    came_from,
    checked_before,
    goes_to,
    handled,
    handled_here,
    names_in,
)
from collegium.guard.doctor.graph import Function, Graph, Site, ancestors, hop, own_nodes, parent
from collegium.guard.doctor.roles import Cast, llm_sites
from collegium.guard.doctor.types import callee

DECODERS = {
    "json.loads": "JSONDecodeError", "ast.literal_eval": "ValueError", "yaml.safe_load": "YAMLError",
    "yaml.load": "YAMLError", "eval": "Exception", "int": "ValueError", "float": "ValueError",
    "msgspec.json.decode": "DecodeError", "tomllib.loads": "TOMLDecodeError",
    "xml.etree.ElementTree.fromstring": "ParseError", "Decimal": "ValueError",
    "orjson.loads": "JSONDecodeError", "json5.loads": "ValueError", "ujson.loads": "ValueError",
}  # fmt: skip
_DECODING_METHODS = {
    "model_validate_json": "ValidationError", "parse_raw": "ValidationError",
    "model_validate": "ValidationError", "index": "ValueError",
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


def detect(graph: Graph, cast: Cast) -> Iterator[Finding | Question]:
    """Follow every answer of a model."""
    asking = frozenset(m.name for ms in cast.llms.values() for m in ms) | frozenset(
        c.site.caller.name for c in cast.llm_calls if c.site.caller
    )
    for site in _calls(graph, cast):
        caller = site.caller
        if caller is None:
            continue
        start = hop(site.module, site.node, f"{caller.symbol} asks the model")
        risks = list(_risks(caller, _results(site.node), graph, (start,), (), 3, asking))
        risks += _used_by_callers(caller, site, graph, start, asking)
        open_ = [r for r in risks if not _tolerated(r, graph)]
        for risk in open_:
            yield Finding(
                type="LOPE", rule="unhandled-output", file=risk.function.module.path,
                line=getattr(risk.node, "lineno", 1), symbol=risk.function.symbol,
                message=f"{risk.function.symbol} {risk.says} and no caller handles it: one reply "
                "in another form ends the run.",
                hint="Catch it and ask the model again, or fall back to a default.",
                evidence=(*risk.path, hop(risk.function.module, risk.node, risk.says)),
            )  # fmt: skip
        if not open_:
            yield _question(site, caller, bool(risks))


def _calls(graph: Graph, cast: Cast) -> list[Site]:
    """Calls of method m by agents, and API calls that agents make themselves."""
    direct = [
        c.site for c in cast.llm_calls if c.site.caller and c.site.caller.owner not in cast.llms
    ]
    return list(dict.fromkeys([*llm_sites(graph, cast.llms), *direct]))


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


def _risks(
    function: Function,
    start: set[str],
    graph: Graph,
    path: tuple[Hop, ...],
    chain: tuple[Site, ...],
    depth: int,
    asking: frozenset[str],
) -> Iterator[Risk]:
    """What can fail on a value inside a function and the project functions it is given to.

    Functions that ask the model themselves (``asking``) get it as their next prompt.
    """
    names = goes_to(start, function) if start else set()
    if not names:
        return
    for node in own_nodes(function):
        if isinstance(node, ast.Call):
            given = {
                n for a in (*node.args, *(k.value for k in node.keywords)) for n in names_in(a)
            }
            receiver = names_in(node.func.value) if isinstance(node.func, ast.Attribute) else set()
            target = callee(node, function, graph)
            error = _decoder(node, target, given & names, receiver & names)
            if error:
                yield Risk(
                    node, function, error, f"parses it with {ast.unparse(node.func)}", path, chain
                )
            inner = graph.functions.get(target)
            asks = inner is not None and inner.name in asking
            if inner is not None and depth and given & names and inner is not function and not asks:
                into = _parameters(node, inner, names)
                step = hop(function.module, node, f"passes it to {inner.symbol}")
                site = Site(node, function.module, function)
                yield from _risks(
                    inner, into, graph, (*path, step), (*chain, site), depth - 1, asking
                )
        elif isinstance(node, ast.Raise) and _depends(node, names, function):
            error = _raised(node)
            if error:
                yield Risk(
                    node, function, error, f"raises {error} when it does not parse", path, chain
                )
        elif isinstance(node, ast.Attribute) and node.attr in ("group", "groups", "groupdict"):
            if names_in(node.value) & names and _unguarded_match(node, function, graph):
                says = "reads a match that may be None"
                yield Risk(node, function, "AttributeError", says, path, chain)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            if (
                _splits(node)
                and names_in(node.value) & names
                and not _tested(node, names, function)
            ):
                yield Risk(
                    node, function, "IndexError", "takes a part that may be missing", path, chain
                )
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            value = node.value
            split = (
                isinstance(value, ast.Call)
                and isinstance(value.func, ast.Attribute)
                and value.func.attr == "split"
            )
            if split and names_in(value) & names and not _tested(node, names, function):
                yield Risk(
                    node, function, "ValueError", "unpacks parts that may be missing", path, chain
                )


def _used_by_callers(
    caller: Function, site: Site, graph: Graph, start: Hop, asking: frozenset[str]
) -> list[Risk]:
    """What callers do with an answer that is handed on as it is."""
    names = goes_to(_results(site.node), caller)
    handed = [
        n
        for n in own_nodes(caller)
        if isinstance(n, ast.Return)
        and n.value is not None
        and (names_in(n.value) & names or site.node in ast.walk(n.value))
    ]
    if not handed:
        return []
    found: list[Risk] = []
    for above in callers(caller, graph):
        if above.caller is not None:
            path = (start, hop(above.module, above.node, f"{above.caller.symbol} gets it"))
            found += _risks(above.caller, _results(above.node), graph, path, (), 2, asking)
    return found


def _decoder(node: ast.Call, target: str, given: set[str], receiver: set[str]) -> str:
    """The error of a decoder that is applied to the answer; "" when it is none."""
    written = ast.unparse(node.func)
    if given:
        for name, error in DECODERS.items():
            if target == name or written == name:
                return error
        last = written.rpartition(".")[2]
        if last in _DECODING_METHODS and last != "index" and "." in written:
            return _DECODING_METHODS[last]
    if receiver and written.endswith(".index"):
        return "ValueError"
    return ""


def _parameters(node: ast.Call, inner: Function, names: set[str]) -> set[str]:
    """The parameters of a function that get the answer."""
    parameters = [p.arg for p in inner.parameters if p.arg != inner.receiver]
    found = {p for p, a in zip(parameters, node.args, strict=False) if names_in(a) & names}
    return found | {k.arg for k in node.keywords if k.arg and names_in(k.value) & names}


def _depends(node: ast.Raise, names: set[str], function: Function) -> bool:
    """Whether a raise stands under a test of the answer."""
    for above in ancestors(node):
        if isinstance(above, ast.If | ast.While) and names_in(above.test) & names:
            return True
        if isinstance(above, ast.ExceptHandler):
            holder = parent(above)
            body = holder.body if isinstance(holder, ast.Try) else []
            return any(names_in(s) & names for s in body)
        if above is function.node:
            break
    return False


def _raised(node: ast.Raise) -> str:
    """The class that is raised; "" for a bare raise, which the decoder inside stands for."""
    if node.exc is None:
        return ""
    exc = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return ast.unparse(exc).rpartition(".")[2]


def _unguarded_match(node: ast.Attribute, function: Function, graph: Graph) -> bool:
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


def _tested(node: ast.AST, names: set[str], function: Function) -> bool:
    return checked_before(node, names, function) is not None


def _tolerated(risk: Risk, graph: Graph) -> bool:
    """Whether its function, a function on the way, or every caller takes the error."""
    if handled_here(risk.node, graph, risk.error):
        return True
    for site in reversed(risk.chain):
        if handled_here(site.node, graph, risk.error):
            return True
    outer = risk.chain[0] if risk.chain else Site(risk.node, risk.function.module, risk.function)
    return handled(outer.node, outer.caller, graph, risk.error)


def _question(site: Site, caller: Function, parsed: bool) -> Question:
    checked = checked_before(site.node, came_from(site.node, caller), caller)
    finding = Finding(
        type="LOPE", rule="no-tolerance", file=site.module.path, line=site.node.lineno,
        symbol=caller.symbol,
        message=f"{caller.symbol} asks a model and does not provide for a prompt or an answer that "
        "is empty, too long or in another form.",
        hint="Check the prompt before the call, and handle an unusable answer after it.",
        evidence=(hop(site.module, site.node, "the model is asked here"),),
    )  # fmt: skip
    seen = "handles what does not parse" if parsed else "hands the answer on as text"
    ask = (
        f"In the function below a language model is called in line {site.node.lineno}; the code "
        f"{seen}{' and tests what goes in' if checked else ''}. Would the program go on sensibly "
        "if the prompt were empty or the answer not in the expected form? Answer no only if such an "
        "answer would end the program or be taken for a good one."
    )
    return Question(finding=finding, ask=ask, code=ast.unparse(caller.node))
