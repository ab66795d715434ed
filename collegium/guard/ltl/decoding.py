"""Runs a specification: a transcript that satisfies it comes out, whatever the model would like.

At every position A is the set of states that leave an accepted end within reach of the positions
left. If A holds one state and the transcript may not end, its cue is set without asking the model.
Otherwise the model chooses.

*Mask mode*: the model writes under a grammar that contains nothing else (see
:mod:`collegium.guard.ltl.masking`).
*Monitor mode*, for models that take no grammar: the model writes freely. Its text is cut at the
first cue that is not in A, or the first content that does not fit; what is valid is kept, and it is
asked again with what is allowed. If that fails too, the first state of A, or the shortest text that
fits, is set in its place.

Segments of the environment are never generated. They come from the bound tool, by a kernel call,
and cues in them are escaped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

from collegium.errors import BadInput, ModelError
from collegium.guard.ltl.environment import clipped, observed, pairs
from collegium.guard.ltl.masking import STRETCH_TOKENS, stretch
from collegium.guard.ltl.prompting import conversation, example_turns, instructions, opened, told
from collegium.guard.ltl.reading import (
    Found,
    Segment,
    escape,
    judge,
    named_for,
    next_cue,
)
from collegium.guard.ltl.spec import Spec, State, normal_text, state_wants
from collegium.guard.ltl.transcripts import Choice, Transcript, ink, without_tail
from collegium.kernel import Agent, Generate, Message, Reply
from collegium.models.gbnf import grammar

AGAIN = 0.7
"""Least temperature of a second attempt at the same place."""

Mode = Literal["mask", "monitor"]
Environment = Callable[[Sequence[Segment]], Awaitable[str | None]]
"""Gives the text of an env state that has no binding, from the transcript so far; None ends it,
where it may end."""


async def run(
    spec: Spec,
    agent: Agent,
    task: str,
    *,
    mode: Mode = "mask",
    steps: int = 40,
    environment: Mapping[str, Environment] | None = None,
    examples: Sequence[str] = (),
    temperature: float = 0.0,
    keep: Callable[[Transcript], None] | None = None,
) -> Transcript:
    """Let an agent write a transcript that satisfies a specification.

    Args:
        spec: The specification.
        agent: Who writes; it has the tools that bindings call.
        task: The text of the first state, when that is one of the environment without binding.
        mode: How the model is held to the specification.
        steps: Positions the transcript may have; near the end only moves towards an accepted end
            are left.
        environment: Texts of further env states without binding.
        examples: Transcripts to show before; each must satisfy the specification.
        temperature: Sampling temperature.
        keep: Called with the transcript so far, after every segment.

    Raises:
        BadInput: ``steps`` is too small, an example is wrong, or a tool is missing; or the model
            takes no grammar.
        LimitReached: A limit of the run is used up.
        ModelError: The model could not answer.
    """
    least = spec.automaton.distance[0]
    if steps < least:
        raise BadInput(f"{spec.name!r} needs {least} steps or more to end, not {steps}.")
    decoder = Decoder(spec, agent, task, mode, steps, dict(environment or {}), temperature)
    decoder.shown = example_turns(spec, examples)
    decoder.keep = keep
    await decoder.write()
    return decoder.transcript()


class Decoder:
    """One run of :func:`run`: the transcript so far, and where the automaton stands."""

    def __init__(
        self,
        spec: Spec,
        agent: Agent,
        task: str,
        mode: Mode,
        steps: int,
        environment: dict[str, Environment],
        temperature: float,
    ) -> None:
        self.spec, self.agent, self.task = spec, agent, task
        self.mode: Mode = mode
        self.steps, self.environment, self.temperature = steps, environment, temperature
        self.q = 0
        self.segments: list[Segment] = []
        self.opened: State | None = None
        self.shown: list[Message] = []
        self.keep: Callable[[Transcript], None] | None = None
        self.choices: list[Choice] = []
        self.calls: list[int] = []
        self.forced = self.corrected = self.thrown_away = 0
        self.kept = 0
        self.failed: tuple[int, str] = (-1, "")
        self.problem = ""

    def transcript(self) -> Transcript:
        """What there is by now."""
        return Transcript(
            tuple(self.segments),
            judge(self.spec, self.segments),
            tuple(self.choices),
            self.forced,
            self.corrected,
            self.thrown_away,
            tuple(self.calls),
        )

    @property
    def remaining(self) -> int:
        """Positions left."""
        return self.steps - len(self.segments)

    def idle(self) -> frozenset[str]:
        """Env states that would have nothing to work on."""
        waiting = {
            s.name: pairs(self.spec, s, self.segments)
            for s in self.spec.states
            if s.binding is not None and s.binding.works == "each"
        }
        return frozenset(name for name, left in waiting.items() if not left)

    def allowed(self) -> tuple[str, ...]:
        """A: the states that may come next."""
        idle = self.idle()
        names = self.spec.automaton.allowed(self.q, self.remaining)
        return tuple(n for n in names if n not in idle)

    async def write(self) -> None:
        """Write until the transcript ends."""
        while True:
            if self.opened is None:
                allowed = self.allowed()
                if not allowed:
                    return
                if name := self.forced_state(allowed):
                    self.forced += 1
                    if await self.enter(self.spec.state(name)):
                        continue
                    return
            ended = await (self.masked() if self.mode == "mask" else self.monitored())
            if ended:
                return

    def forced_state(self, allowed: tuple[str, ...]) -> str:
        """The state that comes next whatever the model wants; "" when it chooses.

        Work that was begun is done; and whether the environment goes on is not the model's choice.
        """
        last = self.spec.state(self.segments[-1].state) if self.segments else None
        if last and last.name in allowed and last.binding and last.binding.works == "each":
            return last.name
        if len(allowed) != 1:
            return ""
        state = self.spec.state(allowed[0])
        outside = state.source == "env" and state.name in self.environment
        return state.name if outside or not self.spec.automaton.accepting[self.q] else ""

    async def enter(self, state: State) -> bool:
        """Set a state's cue; the environment's text follows at once. False when it has none."""
        if state.source == "llm":
            self.opened = state
            return True
        if state.binding is not None:
            await self.observe(state)
            return True
        text: str | None
        if not self.segments:
            text = self.task
        elif state.name in self.environment:
            text = await self.environment[state.name](self.segments)
        else:
            raise BadInput(f"the state {state.name!r} has no binding, and nothing gives its text.")
        if text is None:
            if self.spec.automaton.accepting[self.q]:
                return False
            text = ""
        self.add(state, escape(self.spec, text), -1)
        return True

    async def observe(self, state: State) -> None:
        """Call the tool behind an env state; its result is the segment."""
        text = await observed(self.spec, state, self.segments, self.agent)
        self.add(state, escape(self.spec, clipped(text)), -1)

    def add(self, state: State, text: str, call: int) -> None:
        """Put a complete segment behind the transcript."""
        self.q = self.spec.automaton.step(self.q, state.name)
        self.segments.append(Segment(state.name, text, call))
        self.opened = None
        if self.keep is not None:
            self.keep(self.transcript())

    # -- asking ---------------------------------------------------------------------------

    def turns(self) -> list[Message]:
        """The conversation up to here."""
        tools = {name: self.agent.kernel.tools[name].spec for name in self.agent.tools}
        system = "\n".join(filter(None, (self.agent.profile, instructions(self.spec, tools))))
        own = conversation(self.spec, self.segments)
        return [Message("system", system), *self.shown, *own]

    async def ask(
        self,
        messages: tuple[Message, ...],
        *,
        max_tokens: int,
        rules: str | None = None,
        prefill: bool = False,
        stop: tuple[str, ...] = (),
    ) -> Reply[str]:
        """One generation."""
        kernel, agent, place = self.agent.kernel, self.agent, len(self.segments)
        call = Generate(
            agent=agent.name,
            role=agent.role,
            messages=messages,
            temperature=max(self.temperature, AGAIN if self.failed[0] == place else 0.0),
            max_tokens=max_tokens,
            seed=kernel.call_seed(agent.name, len(self.calls) + 1),
            grammar=rules,
            prefill=prefill,
            stop=stop,
            priority=agent.priority,
            sources=tuple(dict.fromkeys(s.call for s in self.segments if s.call >= 0)),
        )
        (reply,) = await kernel.call(call)
        self.calls.append(reply.call)
        return reply

    async def masked(self) -> bool:
        """One stretch in mask mode; returns whether the transcript ended."""
        naming = {s.state: s.text for s in self.segments}
        made = stretch(self.spec, self.q, self.remaining, self.opened, naming, without=self.idle())
        messages, prefill = opened(self.turns(), self.opened)
        reply = await self.ask(
            messages, max_tokens=made.max_tokens, rules=made.grammar, prefill=prefill
        )
        rules, text = grammar(made.grammar), reply.text
        if not rules.after(text):
            raise ModelError(
                f"a model did not keep to its grammar (it wrote {text[:60]!r}); use monitor mode."
            )
        if end := rules.completion(text):
            text += end
            self.corrected += 1
        before = len(self.segments)
        opened_before = self.opened is not None
        await self.take(text, reply.call)
        return not opened_before and len(self.segments) == before and self.opened is None

    async def monitored(self) -> bool:
        """One free generation, cut to what is valid; returns whether the transcript ended."""
        never = self._never_chosen()
        cues = [self.spec.state(n).cue for n in self.allowed()]
        if self.opened is not None:
            request = f"Go on with {self.opened.cue}"
        else:
            request = f"Go on with {' or '.join(cues)}"
        named = named_for(self.opened, self.segments) if self.opened else ""
        if self.problem and self.opened is not None:
            request += f", {state_wants(self.opened, named)}, and nothing else"
        elif self.problem:
            request += ", and nothing else"
        reply = await self.ask(
            told(self.turns(), request + "."), max_tokens=STRETCH_TOKENS // 2, stop=never
        )
        at, was_open = len(self.segments), self.opened
        self.kept = 0
        problem = await self.take(reply.text, reply.call)
        written = ink(reply.text)
        lost = max(written - self.kept, 0)
        self.thrown_away += round(reply.usage.completion * lost / written) if written else 0
        if len(self.segments) == at and self.opened is was_open is None:
            if self.spec.automaton.accepting[self.q]:
                return True
            problem = problem or "no cue"
        self.settle(problem)
        return False

    def settle(self, problem: str) -> None:
        """Ask once more after a fault; at a second one at the same place, decide for the model."""
        place = len(self.segments), self.opened.name if self.opened else ""
        self.problem = problem
        if not problem:
            return
        if self.failed != place:
            self.failed = place
            return
        self.corrected += 1
        self.failed, self.problem = (-1, ""), ""
        if self.opened is None:
            self.opened = self.spec.state(self.allowed()[0])
            return
        rules = self.spec.grammar(self.opened, named_for(self.opened, self.segments))
        text = "..." if rules.accepts("...") else rules.completion("")
        self.add(self.opened, text, self.calls[-1])

    def _never_chosen(self) -> tuple[str, ...]:
        """Cues of env states that follow by themselves: what comes after them would be invented."""
        automaton = self.spec.automaton
        chosen = {
            n for q in range(len(automaton.table)) if len(a := automaton.allowed(q)) > 1 for n in a
        }
        return tuple(s.cue for s in self.spec.states if s.source == "env" and s.name not in chosen)

    # -- reading --------------------------------------------------------------------------

    async def take(self, text: str, call: int) -> str:
        """Take in what the model wrote, as far as it is valid.

        Returns:
            What was wrong with the rest; "" when nothing was.
        """
        cue = next_cue(self.spec, text)
        if self.opened is not None:
            state, start = self.opened, 0
            if cue and cue.state == state.name and not text[: cue.start].strip():
                start, cue = cue.end, next_cue(self.spec, text, cue.end)  # it repeats the cue
            body = text[start : cue.start if cue else len(text)]
            problem = self.segment(state, body, call, last=cue is None)
            if problem or self.opened is not None or state.pauses:
                return problem
        while cue is not None:
            if problem := self.choose(cue):
                return problem
            state = self.spec.state(cue.state)
            self.kept += ink(state.cue)
            if state.source == "env":
                await self.enter(state)
                return ""
            self.opened = state
            after = next_cue(self.spec, text, cue.end)
            body = text[cue.end : after.start if after else len(text)]
            problem = self.segment(state, body, call, last=after is None)
            if problem or self.opened is not None or state.pauses:
                return problem
            cue = after
        return ""

    def choose(self, cue: Found) -> str:
        """Note a choice of the model; says what is wrong with it, if anything."""
        allowed = self.allowed()
        if cue.state not in allowed:
            return f"{cue.state} may not come here"
        if len(allowed) > 1 or self.spec.automaton.accepting[self.q]:
            masked = tuple(n for n in self.spec.automaton.letters if n not in allowed)
            position = len(self.segments) + 1
            self.choices.append(Choice(position, allowed, masked, cue.state))
        return ""

    def segment(self, state: State, body: str, call: int, *, last: bool) -> str:
        """Take in a segment's text; says what is wrong with it, if anything."""
        body = body.strip()
        if not body and last:
            return ""  # the cue alone: its text is still to be written
        line = body if getattr(state.content, "lines", False) else body.partition("\n")[0]
        named = named_for(state, self.segments)
        text = normal_text(state, without_tail(self.spec, line), named)
        problem = self.spec.fits(state, text, named) if text else "it is empty"
        if problem and self.mode == "mask":  # only a predicate can fail there
            place = len(self.segments), state.name
            problem = "" if self.failed == place else problem
            self.failed = place
        if problem:
            return problem
        self.kept += ink(text)
        self.add(state, text, call)
        return ""
