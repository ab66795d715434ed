"""The guard: an interceptor that lets a call through only when the policy allows it.

Every call that acts passes: tools, messages to other agents, what is remembered, stored, deleted or
shared, questions to the user, and every kind of call that others add, such as a move in a world.
What only reads the run's own state (:data:`READS`) and asking a model pass freely, for they change
nothing and a policy that had to list them would stop every system; a policy restricts them by
having rules for their names (``@recall``, ``@generate`` ...).

A tool is judged by the arguments it would really get: converted to its types, with its defaults
filled in. Otherwise ``"150"`` would pass where numbers are bounded, and still be taken as 150.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from collegium.errors import BadInput, Blocked, Stopped
from collegium.guard.decide import Compiled, Decision
from collegium.guard.policy import Policy, Rule
from collegium.kernel import Call, Generate, Receive, Tool, UseTool
from collegium.kernel.resources import Find, ListFiles, Load, Recall

Proceed = Callable[[Call], Awaitable[Any]]
Human = Callable[[str], Awaitable[str]]

READS: frozenset[type[Call]] = frozenset((Generate, Receive, Recall, Load, Find, ListFiles))
"""Kinds of calls that pass unless the policy has rules for their name."""

YES = frozenset(("y", "yes", "allow", "ok"))
"""Answers of the user that let a call through."""

ALL_TOOLS = "*"
"""Counts the calls of all tools together."""

_COMMON = frozenset(("agent", "parent", "sources"))


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the policy during a run.

    Attributes:
        cause: What brought it about.
        tool: The tool whose rules changed.
        rules: Its rules from then on.
    """

    cause: str
    tool: str
    rules: tuple[Rule, ...]


class Guard:
    """Keeps the calls of one run within a policy.

    It holds the state of its run (the policy as it changes, how often tools were called), so every
    run needs one of its own; the compiled policy may be shared.

    Args:
        policy: The policy, compiled or not.
        tools: The tools of the run, by name: their types say what arguments they would get.
        human: Answers where a rule asks the user; None: nobody is there, which is a no.

    Attributes:
        changes: How the policy changed.
        consents: The calls that the user let through.

    Raises:
        PolicyError: The policy is not of the language.
    """

    def __init__(
        self,
        policy: Policy | Compiled,
        *,
        tools: Mapping[str, Tool] | None = None,
        human: Human | None = None,
    ) -> None:
        self._compiled = policy if isinstance(policy, Compiled) else Compiled(policy)
        self._tools, self._human = tools if tools is not None else {}, human
        self._asking = asyncio.Lock()
        self._counts: Counter[str] = Counter()
        self._ended = ""
        self.changes: list[Change] = []
        self.consents: list[tuple[str, str]] = []

    @property
    def policy(self) -> Policy:
        """The policy as it stands now."""
        return self._compiled.policy

    async def __call__(self, call: Call, proceed: Proceed) -> Any:
        """Let a call through, or refuse it.

        Raises:
            Blocked: The policy stands against it.
            Stopped: The policy ended the run, now or before.
        """
        if self._ended:
            raise Stopped(self._ended)
        name = name_of(call)
        if type(call) in READS and name not in self._compiled.tools:
            return await proceed(call)
        arguments, wrong = taken(call, self._tools)
        decision = self._decide(call, name, arguments)
        if decision.rule is not None and decision.rule.update:
            decision = self._install(decision, name)
        if not decision.allowed:
            await self._refuse(call, name, arguments, decision)
        if wrong is not None:  # the tool would say the same
            raise wrong
        self._counts[name] += 1
        if isinstance(call, UseTool):
            self._counts[ALL_TOOLS] += 1
        return await proceed(call)

    def install(self, changes: Mapping[str, tuple[Rule, ...]], cause: str) -> None:
        """Put other rules in the place of those that some tools have, from now on.

        Raises:
            PolicyError: They are not of the language; nothing changes.
        """
        self._compiled = self._compiled.with_rules(changes)
        self.changes += [Change(cause=cause, tool=t, rules=r) for t, r in changes.items()]

    def _decide(self, call: Call, name: str, arguments: dict[str, Any]) -> Decision:
        if isinstance(call, UseTool):
            if name.startswith("@"):
                return Decision(allowed=False, reason="no tool may have a name that begins with @.")
            if used_up := self._used_up(name):
                return Decision(allowed=False, reason=used_up)
        return self._compiled.decide(name, arguments)

    def _used_up(self, tool: str) -> str:
        """Which limit on calls of tools leaves no further one, "" for none."""
        for key, what in ((tool, "it"), (ALL_TOOLS, "tools")):
            most = self.policy.limits.tools.get(key)
            if most is not None and self._counts[key] >= most:
                return f"{what} may be called {most} time{'s' * (most != 1)} in a run."
        return ""

    def _install(self, decision: Decision, name: str) -> Decision:
        """Make the changes that a rule brings with it; a call without them is not let through."""
        assert decision.rule is not None
        changes: dict[str, tuple[Rule, ...]] = {}
        for update in decision.rule.update:
            before = changes.get(update.tool, self.policy.tools.get(update.tool, ()))
            changes[update.tool] = update.rules if update.replace else (*before, *update.rules)
        try:
            self.install(changes, f"{name}, rule {decision.number}")
        except Exception as error:
            reason = f"the policy could not be changed as rule {decision.number} says ({error})."
            return msgspec.structs.replace(decision, allowed=False, reason=reason)
        return decision

    async def _refuse(
        self, call: Call, name: str, arguments: dict[str, Any], decision: Decision
    ) -> None:
        """Follow a block up; comes back only when the user lets the call through."""
        reason = decision.reason
        if decision.fallback == "ask":
            refused = await self._asked(call.agent, name, arguments, reason)
            if not refused:  # others may have used up a limit while the user was thinking
                refused = self._used_up(name)
            if not refused:
                self.consents.append((call.agent, name))
                return
            reason = f"{reason} {refused}"
        if decision.fallback == "terminate":
            self._ended = f"the policy ended the run when {call.agent!r} called {name}: {reason}"
            raise Stopped(self._ended)
        raise Blocked(
            f"the policy blocked {name}: {reason} It was not done. Go on with the user's task "
            "without it, in a way that the policy allows.",
            reason,
        )

    async def _asked(self, agent: str, name: str, arguments: dict[str, Any], reason: str) -> str:
        """Ask the user; "" is a yes, anything else says why it is a no."""
        if self._human is None:
            return "There is nobody to ask."
        shown = msgspec.json.encode(arguments, enc_hook=repr).decode()
        seconds = self.policy.ask.seconds
        question = (
            f"Agent {agent!r} wants to call {name} with {shown}. The policy says: {reason} "
            "Let it through, this once? [y/N]"
        )
        async with self._asking:  # one question at a time
            try:
                async with asyncio.timeout(seconds):
                    answer = await self._human(question)
            except TimeoutError:
                return f"The user was asked and did not answer within {seconds:g} seconds."
            except Exception as error:
                return f"The user could not be asked: {error}"
        return "" if answer.strip().lower() in YES else "The user was asked and said no."


def taken(call: Call, tools: Mapping[str, Tool]) -> tuple[dict[str, Any], BadInput | None]:
    """The arguments that rules look at, and what the tool has against those it was given."""
    if not isinstance(call, UseTool):
        return arguments_of(call), None
    tool = tools.get(call.tool)
    if tool is None:
        return call.arguments, None
    try:
        return msgspec.to_builtins(tool.check(call.arguments)), None
    except BadInput as error:
        return call.arguments, error
    except Exception as error:  # of a check that somebody else wrote
        return call.arguments, BadInput(f"tool {call.tool!r} cannot read this: {error}.")


def name_of(call: Call) -> str:
    """The name under which a policy has its rules for a call: of the tool, or of the kind."""
    if isinstance(call, UseTool):
        return call.tool
    return f"@{call.__struct_config__.tag}"


def arguments_of(call: Call) -> dict[str, Any]:
    """What a call says, as the arguments that rules look at."""
    if isinstance(call, UseTool):
        return call.arguments
    return {
        name: msgspec.to_builtins(getattr(call, name), enc_hook=repr)
        for name in call.__struct_fields__
        if name not in _COMMON
    }
