"""Edits of models (ADAL), of calls of their APIs (LARD), and of dependencies (EPDD)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from collegium.guard.doctor.edits import Edit, Site, before, dropped, replaced
from collegium.guard.doctor.fold import fold

_MODELS = (
    "text-embedding-3-large", "bigcode/starcoder2-15b", "text-davinci-003", "whisper-1",
    "EleutherAI/gpt-neo-2.7B", "facebook/nllb-200-3.3B", "microsoft/biogpt-large",
    "Helsinki-NLP/opus-mt-en-de", "meta-llama/Llama-3.1-8B", "defog/sqlcoder-7b-2",
)  # fmt: skip

# -- Models and their APIs -------------------------------------------------------------------


def _model_constant(site: Site) -> Iterator[tuple[str, ast.Constant, tuple[str, ...]]]:
    for call in site.cast.llm_calls:
        scope = call.site.caller or call.site.module
        owner = (call.site.caller.owner or "").rpartition(".")[2] if call.site.caller else ""
        given = next((k.value for k in call.site.node.keywords if k.arg == "model"), None)
        for value in fold(given, scope, site.graph):
            first = value.path[0]
            for module in site.graph.modules.values():
                for node in ast.walk(module.tree):
                    if (
                        module.path == first.file
                        and isinstance(node, ast.Constant)
                        and node.lineno == first.line
                        and node.value == value.value
                    ):
                        caller = call.site.caller.symbol if call.site.caller else module.name
                        yield module.path, node, (owner or caller, caller)


def other_model(site: Site) -> Iterator[Edit]:
    """The model is no general chat model."""
    for path, node, symbols in _model_constant(site):
        for name in _MODELS:
            text = replaced(site.project.sources[path], node, repr(name))
            yield Edit(f"the model {name}", {path: text}, symbols)


def empty_model(site: Site) -> Iterator[Edit]:
    """The model is empty."""
    for path, node, symbols in _model_constant(site):
        for new in ("''", "None"):
            text = replaced(site.project.sources[path], node, new)
            yield Edit(f"the model {new}", {path: text}, symbols)


def model_in_parts(site: Site) -> Iterator[Edit]:
    """The name of a model for something else is put together."""
    for path, node, symbols in _model_constant(site):
        for first, second in (
            ("text-embedding", "-ada-002"),
            ("code", "-davinci-002"),
            ("star", "coder"),
        ):
            text = replaced(site.project.sources[path], node, f"{first!r} + {second!r}")
            yield Edit("a model name in parts", {path: text}, symbols)


def _api_calls(site: Site) -> Iterator[tuple[str, ast.Call, tuple[str, ...]]]:
    for call in site.cast.llm_calls:
        caller = call.site.caller
        module = call.site.module
        owner = (caller.owner or "").rpartition(".")[2] if caller else ""
        yield (
            module.path,
            call.site.node,
            (caller.symbol if caller else module.name, owner, module.name),
        )


def _parameter(site: Site, new: str, what: str) -> Iterator[Edit]:
    for path, call, symbols in _api_calls(site):
        for keyword in call.keywords:
            if keyword.arg == "messages":
                text = replaced(site.project.sources[path], keyword.value, new)
                yield Edit(what, {path: text}, symbols)


def no_messages(site: Site) -> Iterator[Edit]:
    """A parameter that the API needs is left out."""
    for path, call, symbols in _api_calls(site):
        for name in ("messages", "model", "max_tokens"):
            needed = name != "max_tokens" or "anthropic" in site.project.sources[path]
            if needed and any(k.arg == name for k in call.keywords):
                text = dropped(site.project.sources[path], call, name)
                yield Edit(f"no {name}", {path: text}, symbols)


def empty_messages(site: Site) -> Iterator[Edit]:
    """There is nothing to ask."""
    yield from _parameter(site, "[]", "empty messages")
    yield from _parameter(site, "None", "no messages at all")


def no_stop(site: Site) -> Iterator[Edit]:
    """A loop in text form loses its stop string."""
    for path, call, symbols in _api_calls(site):
        if any(k.arg == "stop" for k in call.keywords) and _in_text_form(site):
            text = dropped(site.project.sources[path], call, "stop")
            yield Edit("no stop string", {path: text}, symbols)


def _in_text_form(site: Site) -> bool:
    return any("Action Input:" in text for text in site.project.sources.values())


def empty_key(site: Site) -> Iterator[Edit]:
    """The client gets an empty key."""
    for path, text in site.project.sources.items():
        for found in re.finditer(r"api_key=(os\.environ\[[^\]]+\])", text):
            new = text[: found.start(1)] + '""' + text[found.end(1) :]
            symbols = [s for p, _, names in _api_calls(site) if p == path for s in names]
            name = path.removesuffix(".py").replace("/", ".")
            inits = [f.symbol for f in site.graph.functions.values() if f.module.path == path]
            yield Edit("an empty key", {path: new}, (*symbols, *inits, name))


def key_at_import(site: Site) -> Iterator[Edit]:
    """A key is read when the module is imported."""
    for path, _, symbols in _api_calls(site):
        module = next(m for m in site.graph.modules.values() if m.path == path)
        text = site.project.sources[path]
        first = next(n for n in module.tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef))
        line = "SERVICE_API_KEY = os.environ['SERVICE_API_KEY']"
        text = before(text, first, line)
        if not re.search(r"^import os$", text, re.MULTILINE):
            imported = next(n for n in module.tree.body if isinstance(n, ast.Import))
            text = before(text, imported, "import os")
        yield Edit("a key that is read at import", {path: text}, (*symbols, module.name))


# -- Dependencies ----------------------------------------------------------------------------


def _requirement_lines(site: Site) -> Iterator[tuple[str, str, str]]:
    """Manifest, requirement as written, and name."""
    for path, text in site.project.manifests.items():
        for found in re.finditer(r"[\"']?([A-Za-z][\w-]*)((?:[~=<>]=?[\d.,<>=~]+))[\"']?,?", text):
            if found.group(1) not in ("version",):
                yield path, found.group(0), found.group(1)


def undeclared(site: Site) -> Iterator[Edit]:
    """A requirement is no longer declared."""
    imported = {"beautifulsoup4": "bs4", "python-dateutil": "dateutil", "pyyaml": "yaml"}
    for path, written, name in _requirement_lines(site):
        text = site.project.manifests[path].replace(written, "", 1)
        yield Edit(
            f"{name} is not declared",
            {path: text},
            (imported.get(name, name), name.replace("-", "_")),
        )


def new_import(site: Site) -> Iterator[Edit]:
    """A tool imports what nobody declares."""
    for tool in site.cast.tools:
        for package in ("unidecode", "feedparser"):
            path = tool.module.path
            first = next(
                n for n in tool.module.tree.body if isinstance(n, ast.Import | ast.ImportFrom)
            )
            text = before(site.project.sources[path], first, f"import {package}")
            yield Edit("a tool imports what nobody declares", {path: text}, (package,))


def lower_bound(site: Site) -> Iterator[Edit]:
    """A requirement loses its upper end."""
    for path, written, name in _requirement_lines(site):
        version = re.search(r"\d[\d.]*", written[len(name) :])
        if version:
            new = re.sub(r"[~=<>]=?[\d.,<>=~]+", f">={version.group()}", written, count=1)
            text = site.project.manifests[path].replace(written, new, 1)
            yield Edit(f"{name} has no upper end", {path: text}, (path, name))


def conflict(site: Site) -> Iterator[Edit]:
    """Two manifests disagree."""
    for _, _, name in _requirement_lines(site):
        extra = {"requirements-server.txt": f"{name}==0.0.1\n"}
        yield Edit(f"two manifests disagree on {name}", extra, (name,))


def too_old(site: Site) -> Iterator[Edit]:
    """The version that is required lacks what is used."""
    for path, written, name in _requirement_lines(site):
        old = {"openai": "0.28.1", "anthropic": "0.2.10"}.get(name)
        if old:
            new = re.sub(r"[~=<>]=?[\d.,<>=~]+", f"=={old}", written, count=1)
            text = site.project.manifests[path].replace(written, new, 1)
            yield Edit(f"{name} {old} lacks what is used", {path: text}, (name,))
