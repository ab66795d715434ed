"""Names of requests: two requests with the same key would get the same answer from a model."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from collegium.kernel.calls import Generate

_encode = msgspec.msgpack.Encoder(order="sorted").encode


def request_key(call: Generate) -> str:
    """A digest over all that decides an answer, and nothing else.

    Who asks (agent, role), lineage, labels and the number of samples are left out: sample i of a
    seeded request is drawn with the same seed whether it is asked for alone or among others. (An
    engine that computes samples together may differ in the last bits of its sums.)
    """
    decisive = (
        call.messages,
        call.temperature,
        call.top_p,
        call.max_tokens,
        call.stop,
        call.seed,
        call.schema,
        call.tools,
        call.logprobs,
        call.adapters,
        call.prefill,
    )
    # what most requests do without leaves their keys as they were
    decisive += (call.grammar,) if call.grammar is not None else ()
    decisive += (call.beams,) if call.beams > 1 else ()
    return blake2b(_encode(decisive), digest_size=16).hexdigest()
