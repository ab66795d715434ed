"""The security module: rules that a core-agent's prompts, actions and data are inspected by.

Every inspection is a call of its own, so a trace shows what was looked at, by which rule, and what
was refused. The rules belong to the kernel (``Kernel(drivers=guards(RULES))``), not to the agent:
a core-agent cannot talk them away.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar

import msgspec

from collegium.agents.umf.vocabulary import GuardTechnique, Safeguard, SecurityGoal
from collegium.errors import Denied, unknown_name
from collegium.kernel import Agent, Call


class Inspect(Call, frozen=True, kw_only=True, tag="inspect"):
    """Have a text inspected; the result is None, and a refusal is :class:`Denied`.

    Attributes:
        rule: Name of the rule.
        safeguard: What is safeguarded: the prompt, the response, or private data.
        technique: How the rule judges.
        goals: What it is for.
        text: What is inspected.
    """

    result: ClassVar[Any] = type(None)

    rule: str
    safeguard: Safeguard
    technique: GuardTechnique
    goals: tuple[SecurityGoal, ...]
    text: str


class GuardRule(msgspec.Struct, frozen=True):
    """One rule of a security module.

    Attributes:
        name: Its name.
        safeguard: What it safeguards.
        test: From a text to the reason for refusing it, "" when it may pass; plain or async.
        technique: "rule-based", or "LM-based" when the test asks a model.
        goals: Confidentiality, integrity, availability.
    """

    name: str
    safeguard: Safeguard
    test: Callable[[str], str | Awaitable[str]]
    technique: GuardTechnique = "rule-based"
    goals: tuple[SecurityGoal, ...] = ("integrity",)


def guards(rules: Iterable[GuardRule]) -> dict[type[Call], Callable[[Any], Awaitable[None]]]:
    """The driver of inspections, to be given to a kernel: ``Kernel(drivers=guards(rules))``."""
    known = {rule.name: rule for rule in rules}

    async def run(call: Inspect) -> None:
        if call.rule not in known:
            raise unknown_name("security rule", call.rule, known)
        reason = known[call.rule].test(call.text)
        if inspect.isawaitable(reason):
            reason = await reason
        if reason:
            raise Denied(
                f"agent {call.agent!r}: the security rule {call.rule!r} refused its "
                f"{call.safeguard}: {reason}."
            )

    return {Inspect: run}


class RuleSecurity:
    """A security module that has every text of a kind inspected by the rules for it.

    Args:
        rules: The rules; the kernel must have been given the same.
    """

    def __init__(self, rules: Sequence[GuardRule]) -> None:
        self.rules = tuple(rules)

    async def inspect(
        self, agent: Agent, safeguard: Safeguard, text: str, sources: Sequence[int] = ()
    ) -> None:
        """Have a text inspected.

        Raises:
            Denied: A rule refuses it.
        """
        for rule in self.rules:
            if rule.safeguard == safeguard:
                call = Inspect(
                    agent=agent.name,
                    rule=rule.name,
                    safeguard=safeguard,
                    technique=rule.technique,
                    goals=rule.goals,
                    text=text,
                    sources=tuple(sources),
                )
                await agent.kernel.call(call)
