"""ADAL: the model that reaches an agent's LLM is no general chat model, or nothing says which.

The four cases of the paper, along the graph: a name is given (judged); the attribute is an instance
of a class C (go to C and repeat); the attribute has no type at all (defect); nothing can be read
(unknown). Names that are known decide by rule, others are a question for a model.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from collegium.guard.doctor.apis import chat_model
from collegium.guard.doctor.findings import Finding, Hop, Question
from collegium.guard.doctor.fold import Value, fold
from collegium.guard.doctor.graph import Class, Graph, hop, own_nodes
from collegium.guard.doctor.inference import assigned_attributes, attribute, callee
from collegium.guard.doctor.roles import Cast

_LLM_FIELD = re.compile(r"^_?(?:llm|lm|chat_?model|language_?model|chat_?llm)$", re.IGNORECASE)
_MODEL_KEYS = ("model", "model_name", "model_id", "engine", "deployment_name")
_CHAT_CLASSES = re.compile(r"Chat|LLM")


def detect(graph: Graph, cast: Cast) -> Iterator[Finding | Question]:
    """Judge every model that an agent's calls reach."""
    seen: set[tuple[str, str]] = set()
    for symbol, where, value in _models(graph, cast):
        key = (symbol, str(value.value))
        if key not in seen:
            seen.add(key)
            yield from _judged(symbol, where, value)
    for agent in cast.agents:
        yield from _untyped(agent, graph, cast)


def _models(graph: Graph, cast: Cast) -> Iterator[tuple[str, Hop, Value]]:
    """Model names: at API calls, and where LLM classes are made."""
    for call in cast.llm_calls:
        site = call.site
        scope = site.caller or site.module
        symbol = site.caller.symbol if site.caller else site.module.name
        if site.caller is not None and site.caller.owner in cast.llms:
            symbol = site.caller.owner.rpartition(".")[2]
        given = {k.arg: k.value for k in site.node.keywords if k.arg}
        node = next((given[k] for k in _MODEL_KEYS if k in given), None)
        where = hop(site.module, site.node, f"asks through {call.api.name}")
        for value in fold(node, scope, graph):
            yield symbol, where, value
    for sites in graph.sites.values():
        for site in sites:
            scope = site.caller or site.module
            given = {k.arg: k.value for k in site.node.keywords if k.arg}
            node = next((given[k] for k in _MODEL_KEYS if k in given), None)
            if node is None:
                continue
            target = callee(site.node, scope, graph)
            outside = target not in graph.classes and target not in graph.functions
            last = target.rpartition(".")[2]
            if target in cast.llms or (
                outside and last[:1].isupper() and _CHAT_CLASSES.search(last)
            ):
                where = hop(site.module, site.node, f"makes a {last}")
                symbol = last
                for value in fold(node, scope, graph):
                    yield symbol, where, value


def _judged(symbol: str, where: Hop, value: Value) -> Iterator[Finding | Question]:
    at = value.path[0] if value.path else where
    evidence = (*value.path, where)
    if value.value is None or (value.text is not None and not value.text.strip()):
        yield Finding(
            type="ADAL", rule="empty-model", file=at.file, line=at.line, symbol=symbol,
            message=f"The model of {symbol} is empty to begin with.",
            hint="Name a chat model.", evidence=evidence,
        )  # fmt: skip
        return
    if value.text is None:
        return
    chat, what = chat_model(value.text)
    finding = Finding(
        type="ADAL", rule="not-a-chat-model", file=at.file, line=at.line, symbol=symbol,
        message=f"{symbol} uses {value.text!r}, {what or 'which is no general chat model'}.",
        hint="Use a general chat model for an agent that converses and chooses tools.",
        evidence=evidence,
    )  # fmt: skip
    if chat is False:
        yield finding
    elif chat is None:
        yield Question(
            finding=finding,
            ask=f"Is {value.text!r} the name of a language model that is made for chat and has "
            "general abilities? Answer no if it is a base model, or made for one task alone, such "
            "as code, embeddings, translation, speech or pictures.",
            code=value.text,
        )


def _untyped(agent: Class, graph: Graph, cast: Cast) -> Iterator[Finding]:
    """An agent's LLM attribute that neither the agent nor who makes it gives a type to."""
    names = {n for n in agent.fields if _LLM_FIELD.match(n)}
    for method in agent.methods.values():
        for node in own_nodes(method):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and _LLM_FIELD.match(node.attr)
            ):
                names.add(node.attr)
    for name in sorted(names):
        if attribute(agent.name, name, graph) is not None:
            continue
        sources = assigned_attributes(agent.name, name, graph)
        if not sources and name not in agent.fields:
            continue
        parameters = {v.id for v, _ in sources if isinstance(v, ast.Name)} | {name}
        made = [
            s
            for s in graph.sites.get(agent.short, ())
            if any(k.arg in parameters for k in s.node.keywords) or s.node.args
        ]
        annotated = [
            p
            for _, f in sources
            for p in f.parameters
            if p.arg in parameters and p.annotation is not None
        ]
        if made or annotated:
            continue
        node = sources[0][0] if sources else agent.fields[name].node
        where = hop(agent.module, node, f"{agent.short}.{name} gets no type")
        yield Finding(
            type="ADAL", rule="untyped-llm", file=where.file, line=where.line, symbol=agent.short,
            message=f"Nothing says what {agent.short}.{name} is: no type, and nobody here "
            "makes the agent with one.",
            hint="Annotate the attribute with the class of the model.",
            evidence=(hop(agent.module, agent.node, f"class {agent.short} is an agent"), where),
        )  # fmt: skip


__all__ = ["detect"]
