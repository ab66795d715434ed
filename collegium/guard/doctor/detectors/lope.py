"""LOPE: what a model answers is parsed without a way on when it does not parse.

From every call of the LLM's method m, the answer is followed forward by def-use, also into project
functions, to what can fail on it: a decoder, a conversion, a match that may be None, a ``raise``.
Whoever handles that error, here or in a caller, is the tolerance after the call. The tolerance
before it, and whether the handling makes sense, are questions for a model.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from collegium.guard.doctor.detectors.answers import risks_of, tolerated
from collegium.guard.doctor.findings import Finding, Question
from collegium.guard.doctor.flow import came_from, checked_before
from collegium.guard.doctor.graph import Function, Graph, Site, hop
from collegium.guard.doctor.roles import Cast, llm_sites


def detect(graph: Graph, cast: Cast) -> Iterator[Finding | Question]:
    """Follow every answer of a model."""
    closed = frozenset(m.name for methods in cast.llms.values() for m in methods)
    closed |= {c.site.caller.name for c in cast.llm_calls if c.site.caller}
    closed |= {f.name for t in cast.tools for f in t.functions}
    for site in _calls(graph, cast):
        caller = site.caller
        if caller is None:
            continue
        start = hop(site.module, site.node, f"{caller.symbol} asks the model")
        risks = risks_of(site, graph, start, closed)
        open_ = [r for r in risks if not tolerated(r, graph)]
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
        "if the prompt were empty or the answer not in the expected form? Answer no only if such "
        "an answer would end the program or be taken for a good one."
    )
    return Question(finding=finding, ask=ask, code=ast.unparse(caller.node))
