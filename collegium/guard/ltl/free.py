"""The same agents without their specification: for comparison, nothing is masked or corrected.

The model gets the same instructions and is told the same observations. Its text is split at cues;
where it wrote an input, the tool is called, and where it wrote the final state or nothing that can
be gone on from, the run ends. The automaton only judges afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from collegium.guard.ltl.content import Text
from collegium.guard.ltl.decoding import Decoder
from collegium.guard.ltl.masking import STRETCH_TOKENS
from collegium.guard.ltl.prompting import example_turns
from collegium.guard.ltl.reading import Segment, next_cue
from collegium.guard.ltl.spec import Spec
from collegium.guard.ltl.transcripts import Transcript
from collegium.kernel import Agent


async def run_free(
    spec: Spec,
    agent: Agent,
    task: str,
    *,
    steps: int = 40,
    examples: Sequence[str] = (),
    temperature: float = 0.0,
    keep: Callable[[Transcript], None] | None = None,
) -> Transcript:
    """Let an agent write a transcript with nothing to hold it to the specification.

    Args:
        spec: What it is told to write, and what its transcript is judged by.
        agent: Who writes.
        task: The text of the first state.
        steps: Positions after which it is ended.
        examples: Transcripts to show before.
        temperature: Sampling temperature.
        keep: Called with the transcript so far, after every generation.

    Returns:
        The transcript; its verdict says whether it kept to the specification.

    Raises:
        BadInput: An example is wrong.
        LimitReached: A limit of the run is used up.
    """
    decoder = Decoder(spec, agent, task, "monitor", steps, {}, temperature)
    decoder.shown = example_turns(spec, examples)
    segments = decoder.segments
    segments.append(Segment(spec.states[0].name, task))
    inputs = {s.binding.input: s for s in spec.states if s.binding is not None}
    stop = tuple(s.cue for s in spec.states if s.source == "env")
    while len(segments) < steps:
        reply = await decoder.ask(tuple(decoder.turns()), max_tokens=STRETCH_TOKENS // 2, stop=stop)
        written = _segments(spec, reply.text, reply.call)
        segments += written
        state = inputs.get(segments[-1].state) if written else None
        if state is not None:
            await decoder.observe(state)
        if keep is not None:
            keep(decoder.transcript())
        if state is None:
            break
    return decoder.transcript()


def _segments(spec: Spec, text: str, call: int) -> list[Segment]:
    """What a reply holds, read generously: its order is judged, not its blanks.

    Text before the first cue belongs to no state and is left out; free text over several lines is
    made one line.
    """
    found: list[Segment] = []
    cue = next_cue(spec, text)
    while cue is not None:
        after = next_cue(spec, text, cue.end)
        body = text[cue.end : after.start if after else len(text)].strip()
        if spec.state(cue.state).content == Text():
            body = " ".join(body.split())
        found.append(Segment(cue.state, body, call))
        cue = after
    return found
