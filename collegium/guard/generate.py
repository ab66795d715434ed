"""Rules that a model writes from the user's request (step 7 of Progent).

The model names the tools that the request needs and restricts their arguments. Its reply is a typed
output: the restrictions are the keywords of the language, not free text. What it writes comes after
all that people wrote (priority 100), and allows; what it does not name stays blocked.

Where every value of a list came from can be asked for (:func:`provenance`): in the authors' issue
tracker, 91 of 270 installed policies named the attacker's account as an allowed recipient, because
an update had taken it from a poisoned result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput, PolicyError, unknown_name
from collegium.guard.decide import check_rule
from collegium.guard.policy import GENERATED, Policy, Rule, Schema
from collegium.kernel import Agent, Kernel, ToolSpec, Unparsed
from collegium.models.model import Model

RETRIES = 5
"""How often a reply that cannot be used is asked for again."""

WARMER = 0.2
"""By how much the temperature rises with every retry."""

PROFILE = (
    "You write access policies. You state which tools an assistant needs for a user's request and "
    "what it may pass to them. You never do the task yourself."
)

PRINCIPLES = """Rules for the policy:
- Name a tool only if the request cannot be carried out without it.
- Restrict arguments by what the request itself states, and by nothing else. Invent no values.
- A complete name, address, account or file goes into "enum", exactly as the request has it.
- For a web address whose beginning is known, use "pattern" with ^ and $; in it, escape dots.
- An amount that the request states bounds the number with "minimum" and "maximum".
- Restrict a date only if the request names it. Never guess today's date.
- For a list, restrict its elements under "items".
- An argument about which the request says nothing gets no restriction."""

Scalar = str | int | float | bool
Source = Literal["human", "request", "result", "model"]


class ItemCondition(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What every element of a list must meet."""

    enum: list[Scalar] | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None


class Condition(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What an argument must meet: the keywords of the language that requests call for."""

    enum: list[Scalar] | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    items: ItemCondition | None = None
    max_items: int | None = None


class Restriction(msgspec.Struct, frozen=True):
    """One argument and its condition."""

    argument: str
    condition: Condition


class Permission(msgspec.Struct, frozen=True):
    """A tool that is needed, and what may be passed to it."""

    name: str
    restrictions: list[Restriction]


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where an allowed value came from.

    Attributes:
        tool: The tool.
        argument: The argument.
        value: The value.
        source: ``human``: a person wrote the rule. ``request``: the user's request names it.
            ``result``: only what a tool returned names it. ``model``: neither does.
    """

    tool: str
    argument: str
    value: Any
    source: Source


class Draft(msgspec.Struct, frozen=True):
    """A policy that a model wrote from a request, to be read by a person.

    Attributes:
        request: The request.
        policy: The policy.
        values: Where every value comes from that it lists.
    """

    request: str
    policy: Policy
    values: tuple[Provenance, ...]


async def draft(model: Model, request: str, tools: Sequence[ToolSpec], *, seed: int = 0) -> Draft:
    """Have a policy for a request written, before any run.

    Args:
        model: Who writes.
        request: What the user wants done.
        tools: The tools there are.
        seed: Of the replies.

    Raises:
        BadInput: The request is empty, there are no tools, or two of them share a name.
        PolicyError: No reply could be used.
    """
    if not request.strip():
        raise BadInput("the request is empty; say what the user wants done.")
    names = [t.name for t in tools]
    if not names:
        raise BadInput("there are no tools, so there is nothing to write rules for.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise BadInput(f"two tools are called {twice[0]!r}; a policy tells tools apart by name.")
    kernel = Kernel(model, seed=seed)
    writer = kernel.agent("policy-writer", profile=PROFILE)
    policy = Policy(tools=await generate(writer, request, tools))
    return Draft(request, policy, tuple(provenance(policy, request)))


async def generate(
    agent: Agent,
    request: str,
    tools: Sequence[ToolSpec],
    *,
    temperature: float = 0.0,
    retries: int = RETRIES,
    max_tokens: int = 1024,
) -> dict[str, tuple[Rule, ...]]:
    """Have the rules for a request written.

    Args:
        agent: Whose model writes them.
        request: What the user wants done.
        tools: The tools there are.
        temperature: Of the first attempt; every retry adds 0.2.
        retries: How often a reply that cannot be used is asked for again.
        max_tokens: Cap on a reply.

    Returns:
        The rules by tool; of tools that are not needed there are none.

    Raises:
        PolicyError: No reply could be used.
        LimitReached: A limit of the run is used up.
    """
    if not tools:
        return {}
    prompt = (
        f"{PRINCIPLES}\n\nThe tools:\n{described(tools)}\n\nThe request:\n<<<\n{request}\n>>>\n\n"
        "List the tools that it needs, with the restrictions of their arguments."
    )
    problem = ""
    for attempt in range(retries + 1):
        reply = await agent.ask(
            prompt,
            output=list[permission_type(tools)],
            temperature=min(2.0, temperature + WARMER * attempt),
            max_tokens=max_tokens,
            repair=False,
        )
        if isinstance(reply.data, Unparsed):
            problem = reply.data.reason
            continue
        try:
            return rules_of(reply.data or (), tools)
        except PolicyError as error:
            problem = str(error)
    raise PolicyError(f"no usable policy in {retries + 1} attempts; of the last: {problem}")


def permission_type(tools: Sequence[ToolSpec]) -> Any:
    """The type of a permission for one of these tools: its name can be no other."""
    names: Any = Literal[tuple(t.name for t in tools)]  # pyright: ignore
    return msgspec.defstruct(
        "Permission", [("name", names), ("restrictions", list[Restriction])], frozen=True
    )


def described(tools: Iterable[ToolSpec]) -> str:
    """Tools as the prompts tell of them: name, description, schema of the arguments."""
    return "\n".join(
        f"- {t.name}: {t.description}\n  arguments: {msgspec.json.encode(t.parameters).decode()}"
        for t in tools
    )


def rules_of(permissions: Iterable[Any], tools: Sequence[ToolSpec]) -> dict[str, tuple[Rule, ...]]:
    """The rules that a model's permissions come to.

    Raises:
        PolicyError: A tool or argument does not exist, or a condition is not of the language.
    """
    known = {t.name: t.parameters.get("properties", {}) for t in tools}
    found: dict[str, tuple[Rule, ...]] = {}
    for permission in permissions:
        tool = permission.name
        if tool not in known:
            raise PolicyError(str(unknown_name("tool", tool, known)))
        when: dict[str, Schema] = {}
        for restriction in permission.restrictions:
            argument = restriction.argument
            if argument not in known[tool]:
                raise PolicyError(str(unknown_name(f"argument of {tool}", argument, known[tool])))
            condition = msgspec.to_builtins(restriction.condition)
            if argument in when:
                condition = {"allOf": [when[argument], condition]}
            if condition:
                when[argument] = condition
        rule = Rule(effect="allow", when=when, priority=GENERATED, origin="generated")
        check_rule(tool, 1, rule)
        found[tool] = (*found.get(tool, ()), rule)
    return found


def with_generated(
    policy: Policy, written: Mapping[str, tuple[Rule, ...]], *, all_tools: bool = True
) -> dict[str, tuple[Rule, ...]]:
    """The changes that put generated rules in the place of the earlier generated ones.

    Args:
        policy: The policy as it stands; what people wrote in it stays.
        written: The new rules by tool.
        all_tools: Whether the generated rules of tools that are not named go, too.

    Returns:
        The rules of every tool that changes.
    """
    changes: dict[str, tuple[Rule, ...]] = {}
    touched = [*policy.tools, *written] if all_tools else [*written]
    for tool in dict.fromkeys(touched):
        before = policy.tools.get(tool)
        human = tuple(r for r in before or () if r.origin == "human")
        rules = (*human, *written.get(tool, ()))
        if rules != before:
            changes[tool] = rules
    return changes


def provenance(policy: Policy, request: str, results: Iterable[str] = ()) -> list[Provenance]:
    """Where every value that a policy lists came from.

    Args:
        policy: The policy.
        request: The user's request.
        results: What tools returned.
    """
    texts = [*results]

    def source(rule: Rule, value: Any) -> Source:
        if rule.origin == "human":
            return "human"
        if _names(request, value):
            return "request"
        return "result" if any(_names(text, value) for text in texts) else "model"

    return [
        Provenance(tool=tool, argument=argument, value=value, source=source(rule, value))
        for tool, rules in policy.tools.items()
        for rule in rules
        for argument, schema in rule.when.items()
        for value in _listed(schema)
    ]


def _listed(schema: Any) -> list[Any]:
    """Every value that a condition lists, wherever it does."""
    if isinstance(schema, list):
        return [value for part in schema for value in _listed(part)]
    if not isinstance(schema, dict):
        return []
    found = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])]
    inner = [part for key, part in schema.items() if key not in ("enum", "const", "required")]
    return found + [value for part in inner for value in _listed(part)]


def _names(text: str, value: Any) -> bool:
    """Whether a text names a value, whatever the case: as a whole, not as a part of a word."""
    said = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    words = [re.escape(word) for word in said.casefold().split()]
    named = r"(?<!\w)" + r"\s+".join(words) + r"(?!\w)"
    return bool(words) and re.search(named, text.casefold()) is not None
