"""Putting a policy to use in a run: its guard, loop guard and specifications, and their account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import msgspec

from collegium.errors import Blocked, Stopped
from collegium.guard.check import Change, Guard, Human, arguments_of, name_of, taken
from collegium.guard.conditions import compile_schema, rule_schema
from collegium.guard.decide import Compiled
from collegium.guard.loops import LoopGuard
from collegium.guard.policy import Label, Policy, SpecEntry
from collegium.guard.update import Writer, Written
from collegium.kernel import Call, Kernel, Limits, Tool, UseTool
from collegium.kernel.kernel import Interceptor


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A call that a guard did not let through.

    Attributes:
        agent: Who wanted to make it.
        call: The tool, or the name of another kind of call (``@send`` ...).
        arguments: What with, as plain data.
        reason: Why not.
        ended: Whether that ended the run.
    """

    agent: str
    call: str
    arguments: dict[str, Any]
    reason: str
    ended: bool = False


class Account:
    """Interceptor that notes what the guards inside it refuse.

    Attributes:
        refusals: The calls that were not let through; once a run is ended, no further ones.
    """

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []
        self._ended = False

    async def __call__(self, call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        """Hand a call on."""
        try:
            return await proceed(call)
        except (Blocked, Stopped) as error:
            if not self._ended:
                self._ended = isinstance(error, Stopped)
                reason = error.reason if isinstance(error, Blocked) else str(error)
                self.refusals.append(
                    Refusal(
                        agent=call.agent,
                        call=name_of(call),
                        arguments=arguments_of(call),
                        reason=reason,
                        ended=self._ended,
                    )
                )
            raise


class Guarding:
    """Everything that guards one run, and what it did.

    Args:
        policy: The policy; a compiled one may be shared by many runs.
        tools: The tools of the run, by name.
        human: Answers where a rule asks the user; None: nobody is there, which is a no.

    Attributes:
        guard: Keeps the rules.
        loops: Looks for loops, if the policy says so.
        writer: Has rules written, if the policy says so.
        interceptors: All of them, outermost first. They belong outside other interceptors.

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
        compiled = policy if isinstance(policy, Compiled) else Compiled(policy)
        policy = compiled.policy
        self._account = Account()
        self.guard = Guard(compiled, tools=tools, human=human)
        self.loops = LoopGuard(policy.loops) if policy.loops is not None else None
        self.interceptors: list[Interceptor] = [self._account]
        if self.loops is not None:
            self.interceptors.append(self.loops)
        self.writer = Writer(self.guard, policy.written, human) if policy.written else None
        if self.writer is not None:
            self.interceptors.append(self.writer)
        if policy.irreversible:
            known = tools if tools is not None else {}
            self.interceptors.append(_nothing_for_good(policy.irreversible, known))
        self.interceptors.append(self.guard)
        if policy.specs:
            self.interceptors.append(
                _specifications(policy.specs, tools if tools is not None else {})
            )

    def bind(self, kernel: Kernel, request: str) -> None:
        """Say which kernel runs the calls, and what the user wants, before the run begins."""
        if self.writer is not None:
            self.writer.bind(kernel, request)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The calls that were not let through."""
        return tuple(self._account.refusals)

    @property
    def changes(self) -> tuple[Change, ...]:
        """How the policy changed during the run."""
        return tuple(self.guard.changes)

    @property
    def writing(self) -> Written | None:
        """What a model wrote into the policy; None where none writes."""
        return self.writer.account() if self.writer is not None else None


def interceptors(
    policy: Policy | Compiled,
    *,
    tools: Mapping[str, Tool] | None = None,
    human: Human | None = None,
) -> list[Interceptor]:
    """What guards one run, to be given to its kernel: ``Kernel(interceptors=interceptors(p))``.

    Args:
        policy: The policy.
        tools: The tools of the run, by name: their types say what arguments they would get.
        human: Answers where a rule asks the user.

    Raises:
        PolicyError: The policy is not of the language.
    """
    return Guarding(policy, tools=tools, human=human).interceptors


def _specifications(specs: Sequence[SpecEntry], tools: Mapping[str, Tool]) -> Interceptor:
    """The interceptor that keeps the order of calls."""
    from collegium.guard.ltl import CallSpec, spec_guard  # only policies with specs pay for it

    return spec_guard(
        [
            CallSpec(
                name=spec.name,
                formula=spec.formula,
                labels={name: holds_at(label, tools) for name, label in spec.labels.items()},
            )
            for spec in specs
        ]
    )


def _nothing_for_good(labels: Sequence[Label], tools: Mapping[str, Tool]) -> Interceptor:
    """The interceptor that keeps calls which cannot be undone from being tried out."""
    tests = [holds_at(label, tools) for label in labels]

    async def keep_off(call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        if isinstance(call, UseTool) and call.tentative and any(test(call) for test in tests):
            reason = "it cannot be undone, so it is not tried out."
            raise Blocked(f"the policy blocked {call.tool}: {reason}", reason)
        return await proceed(call)

    return keep_off


def holds_at(label: Label, tools: Mapping[str, Tool]) -> Callable[[Call], bool]:
    """The meaning of a label: says of a call whether its proposition holds there.

    What it returns raises :class:`Blocked` for a call that cannot be checked.

    Args:
        label: The label.
        tools: The tools of the run, by name.
    """
    meets = compile_schema(rule_schema(label.when, missing_holds=False))
    # names are few and calls many
    named = lru_cache(maxsize=1024)(lambda name: fnmatchcase(name, label.tool))

    def holds(call: Call) -> bool:
        if not named(name_of(call)):
            return False
        try:
            return not label.when or meets(taken(call, tools)[0])
        except ValueError as error:
            raise Blocked(f"{name_of(call)} cannot be checked: {error}.") from None

    return holds


def run_limits(policy: Policy, limits: Limits = Limits()) -> Limits:
    """The limits of a run under a policy: the lower of both."""
    found: dict[str, Any] = {}
    for name in Limits.__struct_fields__:
        both = [v for v in (getattr(limits, name), getattr(policy.limits, name)) if v is not None]
        found[name] = min(both, default=None)
    return Limits(**found)


def counted(refusals: Iterable[Refusal]) -> dict[str, int]:
    """How often each reason came up, the most frequent first."""
    counts = Counter(f"{r.call}: {r.reason}" for r in refusals)
    return dict(counts.most_common())
