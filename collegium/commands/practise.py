"""What the command ``world practise`` does and prints."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from rich.text import Text

from collegium.commands.show import clean, console, excerpt, pairs, print_json, writable_file
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput, unknown_name
from collegium.kernel import Kernel, atomic
from collegium.learning.pae import Practised, Proposed, practise, propose
from collegium.learning.pae.practice import demonstrated, rates, site_of
from collegium.learning.pae.proposer import PROFILE, fingerprint
from collegium.models import Model, open_model
from collegium.models.embeddings import open_embedder
from collegium.worlds.text import kind, text_world

ROLES = ("proposer", "actor", "evaluator")

HELD_OUT = 200
"""Test tasks whose words are kept out of practice."""


def practise_in(
    name: str,
    count: int,
    model: str,
    roles: list[str],
    demonstration: bool,
    attempt: bool,
    steps: int,
    embedder: str,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Propose, attempt and judge.

    Raises:
        BadInput: Something is wrong.
    """
    site_of(name)  # a world that cannot be played is said before anything is paid for
    if count < 1 or steps < 1:
        raise BadInput(f"--tasks and --steps must be 1 or more, not {count} and {steps}.")
    own = pairs(roles, "a role's model", "ROLE=MODEL")
    for role in own:
        if role not in ROLES:
            raise unknown_name("role", role, ROLES)
    if out is not None:
        writable_file(out)
    fetch_weights([model, *own.values()])
    models = {role: open_model(which) for role, which in {"": model, **own}.items()}
    found, attempts = asyncio.run(
        _practised(models, name, count, demonstration, attempt, steps, embedder, seed)
    )
    if out is not None:
        lines = b"".join(
            msgspec.json.encode(one) + b"\n" for one in (attempts if attempt else found.tasks)
        )
        try:
            atomic.replace(out, lines)
        except OSError as error:
            raise BadInput(f"cannot write {out}: {error.strerror or error}.") from None
    if as_json:
        print_json({"world": name, "proposed": found, "attempts": attempts})
    else:
        print_practice(found, attempts, attempt)


async def _practised(
    models: dict[str, Model],
    name: str,
    count: int,
    demonstration: bool,
    attempt: bool,
    steps: int,
    embedder: str,
    seed: int,
) -> tuple[Proposed, list[Practised]]:
    held: list[str] = []
    if kind(name).quick:
        for number in range(min(HELD_OUT, kind(name).size("test"))):
            world = text_world(name, "test", number)
            held.append(fingerprint(await world.reset(0)))
            await world.close()
    proposer = Kernel(models, seed=seed).agent("proposer", profile=PROFILE)
    found = await propose(
        proposer,
        site_of(name, await demonstrated(name) if demonstration else ""),
        count,
        embedder=open_embedder(embedder),
        held_out=held,
    )
    tried = await practise(models, name, found.tasks, steps=steps, seed=seed) if attempt else []
    return found, tried


def print_practice(found: Proposed, attempts: list[Practised], attempted: bool) -> None:
    """The tasks, what was dropped, and what the evaluator said of each attempt."""
    out = console()
    rewards = {a.task.id: a.verdict.reward for a in attempts}
    for task in found.tasks:
        reward = rewards.get(task.id)
        mark = {1: ("success  ", "green"), 0: ("no       ", "yellow"), None: ("", "")}[reward]
        out.print(Text.assemble(mark, clean(task.ques)), soft_wrap=True)
    dropped = {
        "no task": found.broken,
        "for another site": found.foreign,
        "said before": found.duplicates,
        "with a sign-in": found.sign_in,
        "held out": found.held_out,
    }
    said = ", ".join(f"{number} {why}" for why, number in dropped.items() if number)
    out.print(Text(f"{len(found.tasks)} tasks; dropped: {said or 'none'}.", style="dim"))
    if attempted and attempts:
        shares = rates(attempts).values()
        never = sum(share == 0 for share in shares)
        out.print(
            Text(
                f"The evaluator calls {sum(rewards.values())} of {len(attempts)} attempts a "
                f"success; {never} tasks were never solved.",
                style="dim",
            )
        )
        last = attempts[-1].verdict.text
        if last:
            out.print(Text(f"Of the last one it said: {excerpt(clean(last), 200)}", style="dim"))
