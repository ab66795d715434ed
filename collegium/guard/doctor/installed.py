"""What installed distributions have, read from their source: they are not imported either."""

from __future__ import annotations

import ast
from functools import cache
from importlib import metadata

import msgspec

from collegium.guard.doctor.declared import plain_name


class Parameters(msgspec.Struct, frozen=True):
    """The parameters of an SDK's function, and the version they were read from."""

    version: str
    names: frozenset[str]


@cache
def providers() -> dict[str, tuple[str, ...]]:
    """Distributions by the name one imports, of what is installed here."""
    return {k: tuple(dict.fromkeys(v)) for k, v in metadata.packages_distributions().items()}


@cache
def version_of(distribution: str) -> str | None:
    """The installed version; None when it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


@cache
def parameters_of(distribution: str, file: str, function: str) -> Parameters | None:
    """All parameters that any overload of a function in an installed file takes.

    Args:
        distribution: Such as "openai".
        file: Path as the distribution lists it.
        function: Its name.

    Returns:
        None when it is not installed, has no such file or function, or takes anything.
    """
    tree = _source(distribution, file)
    version = version_of(distribution)
    if tree is None or version is None:
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            if node.args.kwarg is not None:
                return None
            names |= {
                a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            }
    return Parameters(version, frozenset(names)) if names else None


@cache
def lacks(distribution: str, package: str, attribute: str) -> bool:
    """Whether an installed package certainly has no such attribute or submodule.

    A package that imports everything of another module, or makes attributes when they are asked
    for, is certain of nothing.
    """
    tree = _source(distribution, f"{package}/__init__.py")
    if tree is None:
        return False
    have: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if any(a.name == "*" for a in node.names):
                return False
            have |= {(a.asname or a.name).partition(".")[0] for a in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name == "__getattr__":
                return False
            have.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            have.add(node.id)
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func)
            in (
                "globals",
                "setattr",
                "vars",
            )
        ) or (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.modules"):
            return False
    if attribute in have or attribute.startswith("__"):
        return False
    files = metadata.files(distribution) or []
    return not any(str(f).startswith(f"{package}/{attribute}") for f in files)


def _source(distribution: str, file: str) -> ast.Module | None:
    try:
        listed = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return None
    for path in listed:
        if str(path) == file:
            try:
                return ast.parse(path.read_text(encoding="utf-8"))
            except (OSError, SyntaxError, ValueError):
                return None
    return None


def distributions_of(imported: str) -> tuple[str, ...]:
    """Plain names of the distributions that may provide an import, known or installed."""
    found = [plain_name(d) for d in providers().get(imported.partition(".")[0], ())]
    return tuple(found)
