"""Measure what a context switch costs on the embedded engine, in both of its modes.

A sample is cut in the middle, another one writes over the slot it was computed in, and the first
comes back: *state* mode kept the engine's state in a file and puts it back, *text* mode hands the
engine the prompt and the tokens written so far, and leaves it to the engine's own cache of prompts
what has to be read again: nothing, unless the cache is full, or there is none. What both write in
the end is compared with the sample that was never cut. Run it on a quiet machine with
``python -m collegium.bench.speed_switch``; it writes ``results/bench/switch.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shlex
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, get_args

import msgspec

from collegium.bench.machine import machine
from collegium.kernel import Generate, Message
from collegium.models import LocalModel
from collegium.models.slices import LocalGeneration

Mode = Literal["state", "text", "text, nothing cached"]

WORDS = (100, 400, 800)
"""Words of the prompts; each is a token or a little more."""
BEFORE, AFTER = 32, 32
"""Tokens that are written before the cut, and after it."""
ROUNDS = 3
SEED = 0
NOUNS = ("river", "stone", "garden", "window", "letter", "winter", "engine", "market", "cotton")


class Row(msgspec.Struct, frozen=True):
    """One mode at one length of the context.

    Attributes:
        mode: How the sample was kept.
        context: Tokens of its prompt and of what it had written at the cut.
        save_ms: Median time to keep it; 0 in text mode.
        back_ms: Median time from the moment its turn comes to its next token.
        token_ms: Median time of a token without any switch.
        read_again: Tokens that the engine read again, at the median.
        same: Share of the samples whose text is that of the sample that was never cut.
    """

    mode: Mode
    context: int
    save_ms: float
    back_ms: float
    token_ms: float
    read_again: int
    same: float


def request(words: int, name: str) -> Generate:
    """A request with a prompt of so many words, other ones for another name."""
    chance = random.Random(f"{SEED}/{name}/{words}")
    story = " ".join(chance.choice(NOUNS) for _ in range(words))
    text = f"{story}\n\nWrite a long story about these words."
    return Generate(
        agent=name,
        role=name,
        messages=(Message("user", text),),
        temperature=0.0,
        max_tokens=BEFORE + AFTER,
    )


async def begun(model: LocalModel, words: int, name: str) -> LocalGeneration:
    """A sample of such a request, not yet begun."""
    made = await model.start(request(words, name))
    assert isinstance(made, LocalGeneration)
    return made


async def cut_once(model: LocalModel, words: int, mode: Mode) -> tuple[float, float, int, str]:
    """Cut a sample, have the slot written over, go on; save and return times, reading, text."""
    one, other = await begun(model, words, "one"), await begun(model, words, "other")
    await one.advance(BEFORE, 0)
    begin = perf_counter()
    if mode == "state":
        await one.save(0)
    saved = perf_counter() - begin
    await other.advance(1, 0)
    await other.close()
    before = one.evaluated
    begin = perf_counter()
    if mode == "state":
        await one.restore(0)
    await one.advance(1, 0)
    back = perf_counter() - begin
    again = one.evaluated - before
    while not one.done:
        await one.advance(AFTER, 0)
    text = one.reply().text
    await one.close()
    return saved, back, again, text


async def measure(name: str, rounds: int, lengths: tuple[int, ...]) -> list[Row]:
    """All modes at every length, by turns.

    Args:
        name: The embedded model.
        rounds: Cuts of each.
        lengths: Words of the prompts.
    """
    with_cache = await on_engine(name, ("state", "text"), rounds, lengths, 256)
    without = await on_engine(name, ("text, nothing cached",), rounds, lengths, 0)
    return sorted([*with_cache, *without], key=lambda row: (row.context, modes().index(row.mode)))


async def on_engine(
    name: str, wanted: tuple[Mode, ...], rounds: int, lengths: tuple[int, ...], cache_mib: int
) -> list[Row]:
    """Some modes, on an engine with so much memory for prompts that lost their slot."""
    model = LocalModel(name, exact=False, slots=1, cache_mib=cache_mib)
    rows: list[Row] = []
    try:
        for words in lengths:
            first = await begun(model, words, "one")
            await first.advance(BEFORE + AFTER, 0)
            # All later samples find the prompt read, and read its last token alone. That alone can
            # change a text, and no switch has part in it: so does the one they are compared with.
            whole = await begun(model, words, "one")
            await whole.advance(BEFORE, 0)
            begin = perf_counter()
            wrote = await whole.advance(AFTER, 0)
            token = (perf_counter() - begin) / max(wrote, 1)
            uncut = whole.reply()
            context = uncut.usage.prompt + BEFORE
            await whole.close()
            found: dict[Mode, list[tuple[float, float, int, str]]] = {m: [] for m in wanted}
            for _ in range(rounds):
                for mode, cuts in found.items():
                    cuts.append(await cut_once(model, words, mode))
            for mode, cuts in found.items():
                saved, back, again, texts = zip(*cuts, strict=True)
                rows.append(
                    Row(
                        mode=mode,
                        context=context,
                        save_ms=round(1e3 * statistics.median(saved), 2) if mode == "state" else 0,
                        back_ms=round(1e3 * statistics.median(back), 2),
                        token_ms=round(1e3 * token, 2),
                        read_again=int(statistics.median(again)),
                        same=sum(t == uncut.text for t in texts) / rounds,
                    )
                )
    finally:
        await model.aclose()
    return rows


def modes() -> tuple[Mode, ...]:
    """All modes."""
    return get_args(Mode)


def ratios(rows: list[Row]) -> dict[str, float]:
    """How many times longer text mode takes, with what keeping costs on the other side."""
    cost = {r.context: r.save_ms + r.back_ms for r in rows if r.mode == "state"}
    return {
        f"{row.mode} / state, {row.context} tokens": round(row.back_ms / cost[row.context], 2)
        for row in rows
        if row.mode != "state"
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description="Measure context switches on the engine.")
    parser.add_argument("--model", default="local-small")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--words", type=int, nargs="+", default=list(WORDS))
    parser.add_argument("--out", type=Path, default=Path("results/bench/switch.json"))
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(given)
    rows = asyncio.run(measure(options.model, options.rounds, tuple(options.words)))
    result: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "collegium.bench.speed_switch", *given]),
        "machine": machine(),
        "model": options.model,
        "seed": SEED,
        "n": f"{options.rounds} cuts of each, after {BEFORE} of {BEFORE + AFTER} tokens",
        "rows": rows,
        "ratios": ratios(rows),
        "reading": "times are medians in milliseconds; ratios above 1: state mode is quicker",
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    for row in rows:
        print(
            f"{row.mode:20} {row.context:5} tokens: kept in {row.save_ms:7.2f} ms, back in "
            f"{row.back_ms:8.2f} ms, a token {row.token_ms:6.2f} ms, "
            f"{row.read_again:5} read again, {row.same:4.0%} the same text"
        )
    print(result["ratios"])


if __name__ == "__main__":
    main()
