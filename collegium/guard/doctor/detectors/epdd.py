"""EPDD: what a project imports and what it declares do not fit together.

The paper warns of every third-party import that a tool shares with the rest. Ours decides: an
import that no manifest declares, requirements that no version meets, a version range that lets in
a release without the attribute that is used, and requirements without an upper end.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from collegium.guard.doctor.apis import ADDED, REMOVED
from collegium.guard.doctor.declared import (
    Declared,
    Requirement,
    bounded,
    newest_at_least,
    only_below,
    plain_name,
    satisfiable,
)
from collegium.guard.doctor.findings import Finding, Hop
from collegium.guard.doctor.graph import Graph, Module, hop, parent
from collegium.guard.doctor.installed import distributions_of, lacks, version_of
from collegium.guard.doctor.roles import Cast

PROVIDED = {
    "bs4": "beautifulsoup4", "googleapiclient": "google-api-python-client", "yaml": "pyyaml",
    "serpapi": "google-search-results", "PIL": "pillow", "cv2": "opencv-python",
    "sklearn": "scikit-learn", "skimage": "scikit-image", "dotenv": "python-dotenv",
    "dateutil": "python-dateutil", "git": "gitpython", "jwt": "pyjwt", "docx": "python-docx",
    "pptx": "python-pptx", "fitz": "pymupdf", "faiss": "faiss-cpu", "Crypto": "pycryptodome",
    "OpenSSL": "pyopenssl", "zmq": "pyzmq", "serial": "pyserial", "websocket": "websocket-client",
    "telegram": "python-telegram-bot", "discord": "discord-py", "tavily": "tavily-python",
    "pkg_resources": "setuptools", "attr": "attrs", "magic": "python-magic",
    "mpl_toolkits": "matplotlib",
    "slugify": "python-slugify", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient",
    "pinecone": "pinecone-client", "ruamel": "ruamel-yaml", "markdown": "markdown",
    "ddgs": "ddgs", "usb": "pyusb", "win32api": "pywin32", "Levenshtein": "levenshtein",
}  # fmt: skip
"""Names of distributions that differ from what one imports."""

_STANDARD = sys.stdlib_module_names | {"__future__", "typing_extensions"} - {"typing_extensions"}


class _Import:
    """The first place where something is imported."""

    def __init__(self, name: str, module: Module, node: ast.AST) -> None:
        self.name, self.module, self.node = name, module, node


def detect(graph: Graph, cast: Cast, declared: Declared) -> Iterator[Finding]:
    """Compare imports with requirements."""
    imports = list(_imports(graph))
    yield from _undeclared(imports, cast, declared)
    yield from _conflicts(declared)
    yield from _attributes(graph, declared)
    yield from _unbounded(declared)


def distributions(name: str) -> tuple[str, ...]:
    """Plain names of what may provide an import."""
    first = name.partition(".")[0]
    found = [PROVIDED[first]] if first in PROVIDED else []
    found += distributions_of(first)
    plain = plain_name(first)
    found += [plain, f"python-{plain}", f"py{plain}", f"{plain}-python"]
    if "." in name:
        found.append(plain_name(name.replace(".", "-")))
    return tuple(dict.fromkeys(found))


def _imports(graph: Graph) -> Iterator[_Import]:
    """Third-party imports, the first of each, without those that may fail."""
    tops = {name.partition(".")[0] for name in graph.modules}
    tops |= {name.rpartition(".")[2] for name in graph.modules}
    seen: set[str] = set()
    for module in graph.modules.values():
        for node in (*module.all(ast.Import), *module.all(ast.ImportFrom)):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                first = name.partition(".")[0]
                if first in _STANDARD or first in tops or first in seen or _may_fail(node):
                    continue
                seen.add(first)
                yield _Import(name, module, node)


def _may_fail(node: ast.AST) -> bool:
    """Whether an import stands in a ``try`` that takes its error, or is for type checkers only."""
    below, above = node, parent(node)
    while above is not None:
        if isinstance(above, ast.Try) and any(below is s for s in above.body):
            kinds = " ".join(ast.unparse(h.type) if h.type else "Exception" for h in above.handlers)
            if any(k in kinds for k in ("ImportError", "ModuleNotFoundError", "Exception")):
                return True
        if isinstance(above, ast.If) and "TYPE_CHECKING" in ast.unparse(above.test):
            return True
        below, above = above, parent(above)
    return False


def _undeclared(imports: list[_Import], cast: Cast, declared: Declared) -> Iterator[Finding]:
    names = {r.name for r in declared.requirements}
    for one in imports:
        may = distributions(one.name)
        first = plain_name(one.name.partition(".")[0])
        if any(m in names for m in may) or (
            "." in one.name and any(n.startswith(f"{first}-") for n in names)
        ):
            continue
        where = hop(one.module, one.node, f"imports {one.name}")
        users = [t for t in cast.tools if t.module is one.module]
        shown = ", ".join(declared.manifests) or "no manifest"
        yield Finding(
            type="EPDD", rule="undeclared", file=where.file, line=where.line,
            symbol=one.name.partition(".")[0],
            message=f"{one.name} is imported and not declared ({shown}).",
            hint=f"Declare {may[0]}.",
            evidence=(where, *(t.where for t in users[:2]),
                      *(Hop(m, 1, "does not name it") for m in declared.manifests)),
        )  # fmt: skip


def _conflicts(declared: Declared) -> Iterator[Finding]:
    by_name: dict[str, list[Requirement]] = {}
    for requirement in declared.requirements:
        by_name.setdefault(requirement.name, []).append(requirement)
    for name, wanted in by_name.items():
        texts = [r.specifier for r in wanted]
        if any(texts) and not satisfiable(texts):
            first = wanted[0]
            yield Finding(
                type="EPDD", rule="unsatisfiable", file=first.file, line=first.line, symbol=name,
                message=f"No version of {name} is {' and '.join(t for t in texts if t)}.",
                hint="Make the requirements agree.",
                evidence=tuple(Hop(r.file, r.line, f"wants {name} {r.specifier}") for r in wanted),
            )  # fmt: skip


def _attributes(graph: Graph, declared: Declared) -> Iterator[Finding]:
    """Attributes that a version the project lets in does not have."""
    seen: set[tuple[str, str]] = set()
    known: dict[str, tuple[Requirement, ...]] = {}
    for module, node, package, attribute in _used(graph):
        if (package, attribute) in seen:
            continue
        seen.add((package, attribute))
        if package not in known:
            having = (declared.of(d) for d in distributions(package))
            known[package] = next(filter(None, having), ())
        wanted = known[package]
        if not wanted:
            continue
        text = ",".join(r.specifier for r in wanted if r.specifier)
        if text and not satisfiable([text]):
            continue  # reported as such
        gone = REMOVED.get(package, {}).get(attribute)
        since = ADDED.get(package, {}).get(attribute)
        name = wanted[0].name
        where = hop(module, node, f"uses {package}.{attribute}")
        at = Hop(wanted[0].file, wanted[0].line, f"wants {name} {text or '(any)'}")
        if gone and newest_at_least(text, gone):
            allowed = text or "any version"
            says = f"{name} {gone} and later have no {attribute}, and {allowed} lets them in."
            hint = f"Allow {name} <{gone} only, or use what replaced it."
        elif since and only_below(text, since):
            says = (
                f"{attribute} exists since {name} {since}, and {text} allows older versions only."
            )
            hint = f"Require {name} >={since}."
        else:
            version = version_of(name)
            if gone or since or version is None or not declared.allows(name, version):
                continue
            if not lacks(name, package, attribute):
                continue
            says = f"{name} {version}, which {text or 'any version'} lets in, has no {attribute}."
            hint = "Require a version that has it, or use what replaced it."
        yield Finding(
            type="EPDD", rule="missing-attribute", file=where.file, line=where.line, symbol=name,
            message=says, hint=hint, evidence=(where, at),
        )  # fmt: skip


def _used(graph: Graph) -> Iterator[tuple[Module, ast.AST, str, str]]:
    """Attributes that are used of top-level third-party packages."""
    for module in graph.modules.values():
        for node in module.all(ast.ImportFrom):
            package = node.module or ""
            outside = not node.level and "." not in package and package not in graph.modules
            if package and outside and not _may_fail(node):
                for alias in node.names:
                    if alias.name != "*":
                        yield module, node, package, alias.name
        tracked = {a: p for a, p in module.imports.items() if p in REMOVED or p in ADDED}
        for node in ast.walk(module.tree) if tracked else ():
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                package = tracked.get(node.value.id, "")
                if package:
                    yield module, node, package, node.attr


def _unbounded(declared: Declared) -> Iterator[Finding]:
    """Manifests whose requirements have no upper end, and no lock file beside them."""
    if declared.locked:
        return
    for manifest in declared.manifests:
        own = [r for r in declared.requirements if r.file == manifest and not r.optional]
        open_ = [r for r in own if not bounded(r.specifier)]
        if not open_:
            continue
        names = ", ".join(f"{r.name}{r.specifier}" for r in open_)
        few = "all requirements have" if len(open_) == len(own) else "some requirements have"
        yield Finding(
            type="EPDD", rule="unbounded", file=manifest, line=open_[0].line, symbol=manifest,
            message=f"In {manifest} {few} no upper end ({names}): a release can break the agent.",
            hint="Pin the versions, give them an upper end, or keep a lock file.",
            evidence=tuple(
                Hop(r.file, r.line, f"wants {r.name} {r.specifier or '(any)'}") for r in open_
            ),
        )  # fmt: skip
