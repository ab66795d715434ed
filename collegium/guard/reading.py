"""Policy files: YAML with comments, or JSON, read strictly and with the line of every mistake.

YAML is read as JSON reads: ``no``, ``on``, ``2024-01-31`` and ``0123`` are texts, for a policy
must not turn an account number into another number. Keys may not be given twice, and there are no
anchors, so that what is read is what is seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput, PolicyError, missing_extra
from collegium.guard.conditions import check_schema, engine
from collegium.guard.decide import check_rule
from collegium.guard.policy import Policy, Rule, SpecEntry
from collegium.kernel import Call

MAX_BYTES = 1_000_000
"""Largest policy file."""

MAX_NESTING = 100
"""Deepest nesting of a policy file."""

Place = tuple[str | int, ...]
"""Where in a file: keys and numbers from the outside in."""

_SCALARS = (
    ("null", re.compile(r"^(?:null|~|)$")),
    ("bool", re.compile(r"^(?:true|false)$")),
    ("int", re.compile(r"^-?(?:0|[1-9][0-9]*)$")),
    ("float", re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$")),
)


def load_policy(path: Path | str) -> Policy:
    """Read a policy file and check everything in it that needs no knowledge of the tools.

    Args:
        path: A ``.yaml``, ``.yml`` or ``.json`` file.

    Raises:
        PolicyError: The file cannot be read or is not a policy; the message names the line.
        MissingExtra: ``pyyaml`` is not installed.
    """
    path = Path(path).expanduser()
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise PolicyError(f"{path} has {len(raw)} bytes; a policy has at most {MAX_BYTES}.")
        text = raw.decode("utf-8")
    except OSError as error:
        raise PolicyError(f"cannot read the policy {path}: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise PolicyError(f"cannot read the policy {path}: it is not UTF-8 text.") from None
    return parse_policy(text, str(path))


def parse_policy(text: str, name: str = "policy") -> Policy:
    """Read a policy from text.

    Args:
        text: YAML or JSON.
        name: What messages call it.

    Raises:
        PolicyError: It is not a policy; the message names the line.
        MissingExtra: ``pyyaml`` is not installed.
    """
    data, lines = _read(text, name)
    if not isinstance(data, dict):
        raise PolicyError(f"{name}: a policy is a mapping with the key 'tools', not {data!r}.")

    def fail(place: Place, error: object) -> PolicyError:
        return PolicyError(f"{name}, line {_line(lines, place)}{_spoken(place)}: {error}")

    tools = _tools(data.pop("tools", {}), fail)
    specs = data.pop("specs", [])
    if not isinstance(specs, list):
        raise fail(("specs",), "expected a list of specifications.")
    entries: list[SpecEntry] = []
    for number, spec in enumerate(specs):
        labels = spec.get("labels") if isinstance(spec, dict) else None
        for label, meaning in labels.items() if isinstance(labels, dict) else ():
            _conditions(meaning, ("specs", number, "labels", label), fail)
        entry = _convert(spec, SpecEntry, ("specs", number), fail)
        try:
            check_order(entry)
        except BadInput as error:
            raise fail(("specs", number), error) from None
        entries.append(entry)
    for key in data:
        if key not in Policy.__struct_fields__:
            raise fail((key,), _unknown(key, Policy.__struct_fields__))
    for key, value in data.items():  # one by one, for the line
        _convert({key: value}, Policy, (key,), fail)
    policy = _convert(data, Policy, (), fail)
    return msgspec.structs.replace(policy, tools=tools, specs=tuple(entries))


def rule_lines(text: str) -> dict[tuple[str, int], int]:
    """On which line every rule stands, by its tool and number; of JSON it is not known.

    Args:
        text: A policy, as :func:`parse_policy` reads it.

    Raises:
        PolicyError: It cannot be read.
        MissingExtra: ``pyyaml`` is not installed.
    """
    return {
        (str(place[1]), int(place[2]) + 1): line
        for place, line in _read(text, "policy")[1].items()
        if len(place) == 3 and place[0] == "tools" and isinstance(place[2], int)
    }


def check_order(spec: SpecEntry) -> None:
    """Make sure that a formula can be read, and satisfied, over its labels.

    Raises:
        BadInput: It cannot.
    """
    from collegium.guard.ltl import CallSpec, spec_guard  # only policies with specs pay for it

    spec_guard([CallSpec(spec.name, spec.formula, dict.fromkeys(spec.labels, _never))])


def _never(call: Call) -> bool:
    """A label that holds nowhere: for the form of a formula, its meaning does not matter."""
    return False


def _tools(data: Any, fail: Any) -> dict[str, tuple[Rule, ...]]:
    """The rules of every tool, checked."""
    if not isinstance(data, dict):
        raise fail(("tools",), "expected rules by name of the tool.")
    tools: dict[str, tuple[Rule, ...]] = {}
    for tool, rules in data.items():
        if not isinstance(rules, list):
            raise fail(("tools", tool), "expected a list of rules, such as [{effect: allow}].")
        read: list[Rule] = []
        for number, data in enumerate(rules):
            _conditions(data, ("tools", tool, number), fail)
            rule = _convert(data, Rule, ("tools", tool, number), fail)
            try:
                check_rule(tool, number + 1, rule)
            except PolicyError as error:
                said = str(error).removeprefix(f"tool {tool!r}, rule {number + 1}, ")
                raise fail(_nearest(said, ("tools", tool, number)), said) from None
            read.append(rule)
        tools[tool] = tuple(read)
    return tools


def _conditions(data: Any, place: Place, fail: Any) -> None:
    """Check the conditions of a rule or label before its form, for their messages say more."""
    when = data.get("when") if isinstance(data, dict) else None
    for argument, schema in when.items() if isinstance(when, dict) else ():
        try:
            check_schema(schema)
            engine(schema)
        except PolicyError as error:
            raise fail((*place, "when", argument), f"argument {argument!r}: {error}") from None


def _nearest(said: str, place: Place) -> Place:
    """The place of the condition that a message names."""
    found = re.match(r"argument '([^']*)'", said)
    return (*place, "when", found[1]) if found else place


def _convert(data: Any, kind: Any, place: Place, fail: Any) -> Any:
    if isinstance(data, Mapping):
        for key in data:
            if key not in kind.__struct_fields__:
                raise fail((*place, key), _unknown(key, kind.__struct_fields__))
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        inner = tuple(re.findall(r"\.(\w+)", where))[:1]
        inner = () if inner and inner == place[-1:] else inner
        raise fail((*place, *inner), f"{what}.") from None


def _unknown(key: object, known: Sequence[str]) -> str:
    from collegium.errors import unknown_name

    return str(unknown_name("key", str(key), known))


def _line(lines: Mapping[Place, int], place: Place) -> int:
    """The line of a place, or of the nearest thing around it."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _spoken(place: Place) -> str:
    """A place in words."""
    if place[:1] == ("tools",) and len(place) > 1:
        rule = f", rule {int(place[2]) + 1}" if len(place) > 2 else ""
        rest = "".join(f", {part}" for part in place[3:] if part != "when")
        return f", tool {place[1]!r}{rule}{rest if not rest or len(place) < 5 else ''}"
    if place[:1] == ("specs",) and len(place) > 1:
        return f", specification {int(place[1]) + 1}"
    return f", {place[0]}" if place else ""


# -- reading --------------------------------------------------------------------------------------


def _read(text: str, name: str) -> tuple[Any, dict[Place, int]]:
    """The data of a file, and the line of each of its places."""
    try:
        import yaml
    except ImportError:
        raise missing_extra("guard", "reading a policy file") from None
    lines: dict[Place, int] = {}
    if text.lstrip()[:1] == "{":  # JSON: YAML takes no tabs, and some escapes otherwise
        try:
            return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant), lines
        except (ValueError, RecursionError) as error:
            where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            what = error.msg if isinstance(error, json.JSONDecodeError) else error
            if not isinstance(error, json.JSONDecodeError):
                raise PolicyError(f"{name}: {what}.") from None
            broken = f"{name}{where}: {what}."
        # A flow mapping of YAML begins like JSON; of what is neither, JSON's complaint is clearer.
    else:
        broken = ""

    class Loader(yaml.SafeLoader):
        """Composes nodes; what scalars are is decided here."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise PolicyError(
                    f"{name}, line {event.start_mark.line + 1}: a policy has no anchors (& and *)."
                )
            return super().compose_node(parent, index)

    def data_of(node: Any, place: Place) -> Any:
        line = node.start_mark.line + 1
        lines.setdefault(place, line)
        if len(place) > MAX_NESTING:
            raise PolicyError(f"{name}, line {line}: it is nested too deep.")
        if isinstance(node, yaml.SequenceNode):
            return [data_of(part, (*place, i)) for i, part in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            found: dict[str, Any] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    raise PolicyError(f"{name}, line {line}: a key must be a text.")
                if key.value in found:
                    raise PolicyError(f"{name}, line {line}: {key.value!r} is given twice.")
                lines[(*place, key.value)] = line
                found[key.value] = data_of(value, (*place, key.value))
            return found
        if node.tag.startswith("tag:yaml.org,2002:") is False or (
            node.style is None and text[node.start_mark.index : node.start_mark.index + 1] == "!"
        ):
            raise PolicyError(f"{name}, line {line}: a policy has no tags (!).")
        return _scalar(node.value) if node.style is None else node.value

    try:
        node = yaml.compose(text, Loader=Loader)
        return (data_of(node, ()) if node is not None else {}), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise PolicyError(broken or f"{name}{where}: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise PolicyError(broken or f"{name}: {' '.join(str(error).split())}.") from None
    except RecursionError:
        raise PolicyError(f"{name}: it is nested too deep.") from None


def _scalar(text: str) -> Any:
    """What an unquoted word of YAML is."""
    for kind, pattern in _SCALARS:
        if pattern.match(text):
            return None if kind == "null" else json.loads(text)
    return text


def _once(found: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of a JSON object, each given once."""
    made = dict(found)
    if len(made) < len(found):
        names = [name for name, _ in found]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return made


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number that JSON knows")
