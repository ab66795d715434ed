"""Models for the tests of the command line; every request is noted in a file."""

import asyncio
import json
import os
import random

from collegium.errors import ModelError, Unreachable


def _note():
    with open(os.environ["CALLS"], "a") as file:
        file.write("x\n")


def _reply(request, sample, seed):
    rng = random.Random(f"{seed + sample}/{request.messages[-1].text}")
    answer = rng.choice([42, 391, 7])
    fields = (request.schema or {}).get("properties", {})
    if "answer" not in fields:
        return f"First this,\nthen that.\nAnswer: {answer}"
    options = fields["answer"].get("enum", [str(answer)])
    return json.dumps(
        {"answer": answer if fields["answer"].get("type") == "number" else options[0]}
    )


async def sampled(request):
    """Answers drawn from the request's seed, after the pause that $PAUSE asks for."""
    await asyncio.sleep(float(os.environ.get("PAUSE", "0")))
    _note()
    seed = request.seed or 0
    return [_reply(request, i, seed) for i in range(request.n)]


def hostile(request):
    """Text that would steer a terminal, or be taken for markup."""
    return "\x1b[2Jgone [red]red[/red] \x07done"


def gone(request):
    """A server that is down."""
    _note()
    return Unreachable("the server at 127.0.0.1:9 cannot be reached: connection refused.")


def broken(request):
    """A model that fails whatever it is asked."""
    return ModelError("the model fell over.")


def gone_later(request):
    """A server that goes down while it is used."""
    _note()
    with open(os.environ["CALLS"]) as file:
        if len(file.readlines()) > 6:
            return gone(request)
    return [_reply(request, i, request.seed or 0) for i in range(request.n)]


async def slow(request):
    """Never answers."""
    _note()
    await asyncio.sleep(600)


def torn(request):
    """Two decisions for ArgMed, and against each a side effect that nothing defeats."""
    fields = request.schema["properties"]
    about = request.messages[-1].text
    if "option" in fields:  # the opening, then its rival
        said = dict.fromkeys(fields, "so it is")
        return json.dumps(said | {"option": "B" if "a1" in about else "A"})
    if "effect" in fields:
        return json.dumps({"effect": "bleeding", "unwanted": "There is an open ulcer"})
    rejected = ("side_effect", "alternative") if "a1: A" in about else ("side_effect",)
    verdicts = {
        name: {
            "verdict": "reject" if name.endswith(rejected) else "accept",
            "reason": f"{name} of this",
        }
        for name in fields
    }
    return json.dumps(verdicts)
