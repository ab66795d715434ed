"""What a project declares to depend on: requirements files, pyproject, setup and wheel metadata."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterator, Mapping
from email.parser import Parser
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from collegium.errors import missing_extra

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


class Requirement(msgspec.Struct, frozen=True):
    """One declared requirement.

    Attributes:
        name: Plain name of the distribution.
        specifier: The allowed versions, as written (``>=1,<2``); "" for any.
        file: The manifest.
        line: Where in it.
        optional: It belongs to an extra or a group.
    """

    name: str
    specifier: str
    file: str
    line: int
    optional: bool = False


class Declared(msgspec.Struct, frozen=True):
    """Every requirement of a project, and whether a lock file fixes the versions."""

    requirements: tuple[Requirement, ...]
    manifests: tuple[str, ...]
    locked: bool

    def of(self, name: str) -> tuple[Requirement, ...]:
        """The requirements on a distribution."""
        return tuple(r for r in self.requirements if r.name == plain_name(name))

    def allows(self, name: str, version: str) -> bool:
        """Whether everything that is declared on a distribution allows a version."""
        return all(
            specifiers(r.specifier).contains(version, prereleases=True) for r in self.of(name)
        )


@cache
def plain_name(name: str) -> str:
    """A distribution's name in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


def specifiers(text: str) -> SpecifierSet:
    """A set of version specifiers; one that cannot be read allows every version.

    Raises:
        MissingExtra: packaging is not installed.
    """
    try:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
    except ImportError:
        raise missing_extra("guard", "the doctor") from None
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return SpecifierSet("")


def read_declared(manifests: Mapping[str, str], locked: bool) -> Declared:
    """Read all manifests of a project; one that cannot be read declares nothing."""
    found: list[Requirement] = []
    for path, text in manifests.items():
        name = PurePosixPath(path).name
        try:
            if name.endswith(".txt"):
                found += _lines(path, text)
            elif name == "pyproject.toml":
                found += _pyproject(path, text)
            elif name == "setup.py":
                found += _setup_py(path, text)
            elif name == "setup.cfg":
                found += _setup_cfg(path, text)
            elif name == "METADATA":
                found += _metadata(path, text)
        except (tomllib.TOMLDecodeError, SyntaxError, configparser.Error, ValueError):
            continue
    return Declared(tuple(found), tuple(manifests), locked)


def satisfiable(texts: list[str]) -> bool:
    """Whether some version is in all of these sets of specifiers.

    Tried are the versions that the specifiers name, those right after them, and very old and new
    ones: between two of them the answer cannot change.
    """
    combined = specifiers(",".join(t for t in texts if t))
    named = re.findall(r"\d+(?:\.\d+)*", ",".join(texts))
    tried = ["0", "99999", *named, *(f"{n}.1" for n in named), *(f"{n}.0.1" for n in named)]
    return any(combined.contains(v, prereleases=True) for v in tried)


def newest_at_least(text: str, version: str) -> bool:
    """Whether a specifier allows a version or a later one: a resolver takes the newest."""
    allowed = specifiers(text)
    parts = version.split(".")
    later = [version, f"{version}.1", "99999", f"{int(parts[0])}.99999"]
    named = re.findall(r"\d+(?:\.\d+)*", text)
    later += [n for n in named if not specifiers(f"<{version}").contains(n, prereleases=True)]
    return any(allowed.contains(v, prereleases=True) for v in later)


def only_below(text: str, version: str) -> bool:
    """Whether a specifier allows nothing from a version on."""
    return bool(text) and not newest_at_least(text, version)


def bounded(text: str) -> bool:
    """Whether a specifier has an upper end: a pin, ``~=`` or ``<``."""
    return any(op in text for op in ("==", "~=", "<", "@"))


def _requirement(text: str, path: str, line: int, optional: bool = False) -> Requirement | None:
    matched = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;#)]*)\)?", text)
    if matched is None:
        return None
    rest = matched.group(2).strip()
    specifier = "@" if rest.startswith("@") else rest if re.match(r"[<>=!~]", rest) else ""
    if specifier == "@":
        return Requirement(plain_name(matched.group(1)), "", path, line, True)
    return Requirement(plain_name(matched.group(1)), specifier, path, line, optional)


def _lines(path: str, text: str) -> Iterator[Requirement]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith(("#", "-", "git+", "http://", "https://")):
            found = _requirement(line, path, number)
            if found is not None:
                yield found


def _line_of(text: str, what: str) -> int:
    at = text.find(what)
    return text.count("\n", 0, at) + 1 if at >= 0 else 1


def _pyproject(path: str, text: str) -> Iterator[Requirement]:
    data = tomllib.loads(text)
    project = data.get("project", {})
    groups: list[tuple[bool, list[Any]]] = [(False, project.get("dependencies", []))]
    groups += [(True, v) for v in project.get("optional-dependencies", {}).values()]
    groups += [(True, v) for v in data.get("dependency-groups", {}).values()]
    for optional, entries in groups:
        for entry in entries:
            if isinstance(entry, str):
                found = _requirement(entry, path, _line_of(text, entry), optional)
                if found is not None and found.name != plain_name(project.get("name", "")):
                    yield found
    poetry = data.get("tool", {}).get("poetry", {})
    tables = [(False, poetry.get("dependencies", {})), (True, poetry.get("dev-dependencies", {}))]
    tables += [(True, g.get("dependencies", {})) for g in poetry.get("group", {}).values()]
    for optional, table in tables:
        for name, wanted in table.items():
            if name == "python":
                continue
            version = wanted if isinstance(wanted, str) else str((wanted or {}).get("version", ""))
            yield Requirement(
                plain_name(name), _poetry(version), path, _line_of(text, f"\n{name}") + 1, optional
            )


def _poetry(version: str) -> str:
    """Poetry's own forms (``^1.2``, ``~1.2``, ``1.2``, ``*``) as plain specifiers."""
    version = version.strip()
    if version in ("", "*"):
        return ""
    if version[0] == "^":
        parts = [int(p) for p in re.findall(r"\d+", version)]
        at = next((i for i, p in enumerate(parts) if p), 0)
        upper = [*parts[:at], parts[at] + 1]
        return f">={version[1:]},<{'.'.join(map(str, upper))}"
    if version[0] == "~" and not version.startswith("~="):
        parts = [int(p) for p in re.findall(r"\d+", version)][:2]
        upper = [*parts[:-1], parts[-1] + 1]
        return f">={version[1:]},<{'.'.join(map(str, upper))}"
    return f"=={version}" if version[0].isdigit() else version


def _setup_py(path: str, text: str) -> Iterator[Requirement]:
    tree = ast.parse(text)
    names = {
        t.id: n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Assign)
        for t in n.targets
        if isinstance(t, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("install_requires", "extras_require"):
            value = names.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
            for part in ast.walk(value) if value is not None else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    keys = value.keys if isinstance(value, ast.Dict) else []
                    if not any(part is k for k in keys):
                        optional = node.arg == "extras_require"
                        found = _requirement(part.value, path, part.lineno, optional)
                        if found is not None:
                            yield found


def _setup_cfg(path: str, text: str) -> Iterator[Requirement]:
    parser = configparser.ConfigParser()
    parser.read_string(text)
    entries = [(False, parser.get("options", "install_requires", fallback=""))]
    if parser.has_section("options.extras_require"):
        entries += [(True, v) for v in dict(parser["options.extras_require"]).values()]
    for optional, block in entries:
        for line in block.splitlines():
            found = (
                _requirement(line, path, _line_of(text, line), optional) if line.strip() else None
            )
            if found is not None:
                yield found


def _metadata(path: str, text: str) -> Iterator[Requirement]:
    message = Parser().parsestr(text, headersonly=True)
    for entry in message.get_all("Requires-Dist", []):
        found = _requirement(entry, path, _line_of(text, entry), "extra ==" in entry)
        if found is not None:
            yield found
