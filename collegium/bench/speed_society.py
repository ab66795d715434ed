"""Measure societies: the epidemic and the social platform, beside the public packages, in one run.

Each size runs in a process of its own, so that its memory can be told. The packages run in
environments of their own, with scripted behaviour, and on the same work: as many agents, contacts,
follows, players, notes. Run ``python -m collegium.bench.speed_society`` with ``--agenttorch``,
``--oasis`` and ``--concordia``, each followed by the interpreter that has it, on a quiet machine;
each may be left out.

OASIS is measured where that can be waited for. A step of it is put together from what was measured:
one update of recommendations, and a refresh and an action of every user who is awake.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from collegium.bench import society_agenttorch, society_concordia, society_oasis, speed_memory
from collegium.bench.machine import machine
from collegium.errors import BadInput

SEED = 7
CONTACTS = 8
FOLLOWS = 7
AWAKE = 0.01
WARM = 2
"""First steps that are not counted: kernels are compiled, pages are touched."""


class Row(msgspec.Struct, frozen=True):
    """One kind of work at one size.

    Attributes:
        name: Whose, and what.
        size: Agents or users.
        value: The figure.
        unit: Of the figure.
        memory: Megabytes that the process took at most; None where it is not known.
    """

    name: str
    size: int
    value: float
    unit: str
    memory: int | None = None


# -- parts, each in a process of its own ---------------------------------------------------------


def epidemic(agents: int, steps: int) -> dict[str, Any]:
    """Seconds of a step of ours, and the bytes that a step must at least move."""
    from collegium.society import Society, city, generator, shuffled_rings
    from collegium.society.covid import Isolation, covid_model, covid_state

    people = city(agents, seed=SEED)
    layers = {"contacts": shuffled_rings(agents, CONTACTS, generator(SEED, "contacts"))}
    state = covid_state(people, layers, seed=SEED, infected=0.01)
    model = covid_model(Isolation("constant"), record=False)
    seconds, society = steps_of(Society(model, state, seed=SEED), steps)
    layer = society.state.layers["contacts"]
    # each contact is read once: its number, and the byte that says what it infects with
    moved = layer.others.nbytes + layer.edges + layer.starts.nbytes + 12 * agents
    return {"seconds": seconds, "bytes": moved, "edges": layer.edges}


def platform(users: int, steps: int) -> dict[str, Any]:
    """Seconds of a step of ours, and rates of actions in bulk and one by one."""
    import numpy as np

    from collegium.society import Society
    from collegium.society.social import Platform, make_users, social_model
    from collegium.society.social.users import saying

    begin = perf_counter()
    state = make_users(users, seed=SEED, follows=FOLLOWS)
    made = perf_counter() - begin
    first = Platform(state)
    authors = np.flatnonzero(state.agents["core"])
    topics = state.agents["topic"][authors]
    first.create_post(authors, saying(first, topics, np.zeros(len(authors))), topics)
    # users are awake as often as in OASIS's study of a million: about one in a hundred
    seconds, society = steps_of(Society(social_model("random"), state, seed=SEED), steps)
    awake = statistics.mean(society.curves["awake"]) / users
    return {"seconds": seconds, "made": made, "awake": awake, **rates(min(users, 200_000))}


def rates(count: int) -> dict[str, float]:
    """Sign-ups, posts and likes per second: in bulk, and as single actions."""
    import numpy as np

    from collegium.society.social.platform import Platform
    from collegium.society.social.tables import empty_state

    found = {}
    single = min(count, 5000)
    for bulk in (False, True):
        number = count if bulk else single
        some = Platform(empty_state())
        some.sign_up(2)
        some.create_post(np.array([0, 1]), np.array([some.text("x")] * 2))
        some.like_post(np.array([0]), np.array([1]))  # compiled before it is timed
        begin = perf_counter()
        if bulk:
            some.sign_up(number)
        else:
            for _ in range(number):
                some.sign_up(1)
        signed = perf_counter()
        users = np.arange(2, number + 2)
        if bulk:
            texts = np.array([some.text(f"post number {i}") for i in range(number)])
            some.create_post(users, texts)
        else:
            for user in range(2, number + 2):
                some.act(user, "create_post", text=f"post number {user}")
        posted = perf_counter()
        if bulk:
            some.like_post(users, users - 1)
        else:
            for user in range(2, number + 2):
                some.act(user, "like_post", user - 1)
        liked = perf_counter()
        kind = "bulk" if bulk else "single"
        found |= {
            f"sign_up {kind}": number / (signed - begin),
            f"post {kind}": number / (posted - signed),
            f"like {kind}": number / (liked - posted),
        }
    return found


def steps_of(society: Any, steps: int) -> tuple[list[float], Any]:
    """Seconds of every step."""
    seconds = []

    async def run() -> None:
        for _ in range(steps + WARM):
            begin = perf_counter()
            await society.step()
            seconds.append(perf_counter() - begin)

    asyncio.run(run())
    return seconds[WARM:], society


def bandwidth() -> float:
    """Bytes per second that this machine's memory moves, by copying 400 MB on all cores."""
    import numpy as np

    from collegium.society import spread

    source = np.ones(50_000_000)
    target = np.empty_like(source)

    def copy(first: int, last: int) -> None:
        target[first:last] = source[first:last]

    best = 0.0
    for _ in range(6):
        begin = perf_counter()
        spread(copy, len(source))
        best = max(best, 2 * source.nbytes / (perf_counter() - begin))
    return best


def scene(players: int, steps: int) -> dict[str, Any]:
    """Calls and seconds of an action in a Game Master's scene, with a model that takes no time."""
    from collegium.kernel import Kernel
    from collegium.models import ScriptedModel, open_embedder
    from collegium.society.scene import AssociativeMemory, Scene, player

    def answer(request: Any) -> str:
        question = request.agent.partition(".")[2].partition("@")[0]
        if question == "next-acting":
            names = request.schema["properties"]["answer"]["enum"]
            return json.dumps({"answer": names[int(request.agent.partition("@")[2]) % len(names)]})
        if question == "next-action-spec":
            return json.dumps({"call": "What does {name} do?"})
        if question in ("terminate", "success"):
            return json.dumps({"answer": "no" if question == "terminate" else "yes"})
        return f"{question} of {request.agent}"

    kernel, embedder = Kernel(ScriptedModel(answer), seed=SEED), open_embedder("hash")
    names = [f"P{i}" for i in range(players)]
    made = Scene(
        kernel,
        {n: player(n, kernel, AssociativeMemory(embedder)) for n in names},
        AssociativeMemory(embedder, distinct=False),
        premise="A town meets in its hall.",
    )
    begin = perf_counter()
    asyncio.run(made.run(players))  # one round
    seconds = (perf_counter() - begin) / len(made.log)
    return {"seconds": [seconds], "calls": kernel.meter.calls / len(made.log)}


def brooklyn(size: int, steps: int) -> dict[str, Any]:
    """Seconds to read the 2.7 million people of Brooklyn from the installation of agent-torch."""
    from collegium.society.covid import packaged

    begin = perf_counter()
    people = packaged.brooklyn().people
    return {"seconds": [perf_counter() - begin], "people": len(people)}


PARTS = {"epidemic": epidemic, "platform": platform, "scene": scene, "brooklyn": brooklyn}


def part(name: str, size: int, steps: int) -> dict[str, Any]:
    """Run a part in a process of its own; its largest memory comes with it."""
    command = [sys.executable, "-m", "collegium.bench.speed_society", "--part", name]
    done = subprocess.run(
        [*command, "--size", str(size), "--steps", str(steps)], stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise BadInput(f"measuring {name} at {size} ended with status {done.returncode}.")
    return json.loads(done.stdout.splitlines()[-1])


def other(python: str, script: Any, *arguments: int) -> dict[str, Any]:
    """Run a public package in its own environment."""
    # -P: modules beside the script, such as statistics, must not stand in for the library's own
    command = [python, "-P", str(Path(script.__file__)), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise BadInput(
            f"{Path(script.__file__).name} ended with status {done.returncode}; "
            "its own words stand above."
        )
    return json.loads(done.stdout.splitlines()[-1])


# -- the report ----------------------------------------------------------------------------------


def slope(rows: Sequence[Row]) -> float:
    """How a figure grows with the size: the slope of its logarithms."""
    xs = [math.log(r.size) for r in rows]
    ys = [math.log(r.value) for r in rows]
    x, y = statistics.mean(xs), statistics.mean(ys)
    above = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    return above / sum((a - x) ** 2 for a in xs)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All rows, ratios and slopes."""
    rows: list[Row] = []
    versions: dict[str, str] = {}
    ratios: dict[str, float] = {}
    shares: dict[str, float] = {}
    speed = bandwidth()
    ours: dict[int, Row] = {}
    for agents in options.agents:
        made = part("epidemic", agents, options.steps)
        seconds = statistics.median(made["seconds"])
        row = Row(EPIDEMIC, agents, round(seconds, 4), "s per step", made["memory"] // 10**6)
        ours[agents] = row
        rows.append(row)
        shares[str(agents)] = round(made["bytes"] / seconds / speed, 3)
    if options.agenttorch:
        agents = options.against
        made = other(options.agenttorch, society_agenttorch, agents, CONTACTS, options.their_steps)
        versions["agent-torch"] = made["version"]
        seconds = statistics.median(made["seconds"])
        rows.append(
            Row(THEIR_EPIDEMIC, agents, round(seconds, 4), "s per step", made["memory"] // 10**6)
        )
        if agents in ours:
            ratios[f"epidemic, {agents} agents"] = round(seconds / ours[agents].value, 1)
    platforms: dict[int, Row] = {}
    acts: dict[str, float] = {}
    for users in options.users:
        made = part("platform", users, options.steps)
        seconds = statistics.median(made["seconds"])
        row = Row(PLATFORM, users, round(seconds, 4), "s per step", made["memory"] // 10**6)
        platforms[users] = row
        rows += [row, Row(MAKE, users, round(made["made"], 3), "s")]
        acts = {k: v for k, v in made.items() if k.endswith((" bulk", " single"))}
    rows += [
        Row(f"collegium: {name}", max(options.users), round(value), "per second")
        for name, value in acts.items()
    ]
    for players in options.players:
        made = part("scene", players, 1)
        calls, seconds = made["calls"], made["seconds"][0]
        rows.append(Row(MASTER, players, round(calls, 2), "calls per action"))
        rows.append(Row(MASTER, players, round(1000 * seconds, 3), "ms per action"))
        if options.concordia:
            made = other(options.concordia, society_concordia, players, options.their_steps)
            versions["gdm-concordia"] = made["version"]
            theirs = made["texts"] + made["choices"]
            rows.append(Row(THEIR_MASTER, players, round(theirs, 2), "calls per action"))
            ms = round(1000 * made["seconds"], 3)
            rows.append(Row(THEIR_MASTER, players, ms, "ms per action"))
            ratios[f"Game Master, calls, {players} players"] = round(theirs / calls, 1)
            ratios[f"Game Master, time, {players} players"] = round(made["seconds"] / seconds, 1)
    if options.notes:
        found, faster = recalls(options)
        rows += found
        ratios |= faster
    if find_spec("agent_torch") is not None and options.brooklyn:
        made = part("brooklyn", 0, 1)
        rows.append(
            Row(
                BROOKLYN, made["people"], round(made["seconds"][0], 3), "s", made["memory"] // 10**6
            )
        )
    if options.oasis:
        for users in options.their_users:
            made = other(options.oasis, society_oasis, users, FOLLOWS)
            versions["camel-oasis"] = made["version"]
            awake = AWAKE * users
            step = made["recommend seconds"] + awake * (made["refresh seconds"] + 1 / made["like"])
            rows.append(Row(THEIR_PLATFORM, users, round(step, 3), "s per step, put together"))
            if users in platforms:
                ratios[f"platform, {users} users"] = round(step / platforms[users].value, 1)
            for name in ("sign_up", "post", "like"):
                rows.append(Row(f"camel-oasis: {name}", users, round(made[name]), "per second"))
                for kind in ("bulk", "single"):
                    faster = acts[f"{name} {kind}"] / made[name]
                    ratios[f"{name}, {kind}, against {users} users"] = round(faster, 1)
    slopes = {}
    for name in (EPIDEMIC, PLATFORM, THEIR_PLATFORM):
        some = [r for r in rows if r.name == name]
        if len(some) > 1:
            slopes[name] = round(slope(some), 3)
    return {
        "rows": rows,
        "ratios": ratios,
        "slopes": slopes,
        "bandwidth_share": shares,
        "bandwidth": round(speed / 1e9, 2),
        "versions": versions,
    }


def recalls(options: argparse.Namespace) -> tuple[list[Row], dict[str, float]]:
    """Recall of so many notes, ours and Concordia's, as the measurement of memory takes it."""
    given = argparse.Namespace(
        notes=options.notes, against=options.notes, queries=200, insertions=1024,
        concordia=options.concordia,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        made, _ = asyncio.run(speed_memory.measure(given, Path(folder)))
    names = (speed_memory.RECALL, speed_memory.THEIR_RECALL)
    rows = [Row(r.name, r.notes, r.median, "ms") for r in made if r.name in names]
    return rows, {n: r for n, r in speed_memory.ratios(made).items() if n.startswith("recall")}


EPIDEMIC = f"collegium: epidemic, {CONTACTS} contacts each"
THEIR_EPIDEMIC = "agent-torch: epidemic, its dense network replaced"
PLATFORM = f"collegium: platform, {FOLLOWS} follows each, 1% awake"
MAKE = "collegium: users and follows made"
MASTER = "collegium: Game Master, one round, all in one place"
THEIR_MASTER = "concordia: generic Game Master, one act, all in one place"
BROOKLYN = "collegium: Brooklyn read from agent-torch's package"
THEIR_PLATFORM = "camel-oasis: platform, random recommender"


def main() -> None:
    """Measure and write ``results/bench/society.json``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--agents", type=int, nargs="+", default=[100_000, 1_000_000, 8_400_000])
    parser.add_argument("--users", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--players", type=int, nargs="*", default=[2, 10, 50])
    parser.add_argument("--no-brooklyn", dest="brooklyn", action="store_false")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--against", type=int, default=1_000_000, help="agents of agent-torch")
    parser.add_argument("--their-steps", type=int, default=3)
    parser.add_argument("--their-users", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--agenttorch", default="", metavar="PYTHON")
    parser.add_argument("--oasis", default="", metavar="PYTHON")
    parser.add_argument("--concordia", default="", metavar="PYTHON")
    parser.add_argument("--notes", type=int, default=50_000, help="in memory; 0: leave recall out")
    parser.add_argument("--part", choices=sorted(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path("results/bench/society.json"))
    options = parser.parse_args()
    if options.part:
        found = PARTS[options.part](options.size, options.steps)
        print(json.dumps({**found, "memory": society_agenttorch.peak()}))
        return
    report = {
        "command": "python -m collegium.bench.speed_society --agenttorch PYTHON --oasis PYTHON "
        "--concordia PYTHON",
        "machine": machine(),
        "python": sys.version.split()[0],
        "seed": SEED,
        **measure(options),
        "reading": "ratios are their time over ours, or our rate over theirs: above 1 is faster; "
        "slopes are of log-log growth; bandwidth_share is the part of the memory's speed "
        "(bandwidth, GB/s, measured by copying) that an epidemic step uses if each contact is read "
        "from memory once",
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
