"""The judges that stand between the layers of coders in DyLAN: Passer, Tester, Reflector, Ranker.

What they do is told in :mod:`collegium.systems.dylan.code`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from collegium.agents.importance import Row, edge_weights
from collegium.agents.programs import find_entry_point, run_tests, split_asserts
from collegium.kernel import Agent, Reply, Unparsed
from collegium.systems.dylan.network import (
    ASK_TWO,
    Layer,
    Network,
    Ranking,
    Rating,
    hear,
    quoted,
    ranking_type,
    read_ranking,
    salvage,
)

JUDGES: tuple[str, ...] = ("Passer", "Tester", "Reflector", "Ranker")
RANKER = 3
"""The place of Ranker among them."""
RATED = (0, 1, 2)
"""The judges that coders rate; Ranker always has the same."""
MOST_TESTS, TEST_SECONDS = 10, 5.0
MOST_KEPT = 2
"""Up to so many programs or coders nobody is dropped."""


class Runs(msgspec.Struct):
    """Runs programs with tests through Passer's tool, each pair once.

    Attributes:
        agent: Who runs them.
        known: What came of a program and a test: "" when it passed, else what went wrong.
    """

    agent: Agent
    known: dict[tuple[str, str], str] = {}

    async def outcomes(self, programs: Sequence[str], tests: Sequence[str]) -> list[list[str]]:
        """For each program its outcomes, in the order of the tests."""
        new = [
            p for p in dict.fromkeys(programs) if any((p, test) not in self.known for test in tests)
        ]
        for program, rows in zip(
            new, await run_tests(self.agent, new, tests, seconds=TEST_SECONDS), strict=True
        ):
            for test, row in zip(tests, rows, strict=True):
                self.known[program, test] = "" if row.passed else row.reason
        return [[self.known[program, test] for test in tests] for program in programs]

    async def start(self, programs: Sequence[str]) -> list[str]:
        """For each program "" when it runs at all, else why it does not."""
        real = [p for p in programs if p.strip()]
        found = dict(zip(real, await self.outcomes(real, ["pass"]), strict=True))
        return [found[p][0] if p in found else "there is no program" for p in programs]


class Judged(msgspec.Struct, frozen=True):
    """What the judges before a layer found.

    Attributes:
        order: In which order their findings are shown: indices of Passer, Tester, Reflector.
        messages: What each judge sends to the coders.
        sources: Trace ids of the calls each finding was made from.
        rows: Weights of each judge's incoming edges, by coder.
        tests: The asserts that Tester wrote.
        ranking: What Ranker chose.
        calls: Model calls made.
    """

    order: tuple[int, ...]
    messages: tuple[str, ...]
    sources: tuple[tuple[int, ...], ...]
    rows: tuple[Row, ...]
    tests: tuple[str, ...]
    ranking: Ranking
    calls: int


def make_judges(network: Network) -> tuple[Agent, ...]:
    """The four judges, with the same system prompt as the coders; Passer may run programs."""
    profile = network.agents[0].profile
    return (
        network.kernel.agent("passer", profile=profile, tools=["check_program"]),
        network.kernel.agent("tester", profile=profile),
        network.kernel.agent("reflector", profile=profile),
        network.kernel.agent("top-two", profile=profile),
    )


async def judge(
    network: Network, judges: Sequence[Agent], runs: Runs, before: Layer, shown: Sequence[int]
) -> Judged:
    """Let the four judges look at the programs of a layer, all in one order."""
    width, kernel = len(network.agents), network.kernel
    heard = [await hear(j, network, before, shown) for j in judges]
    programs = [[m.text for m in mail] for _, mail in heard]
    froms = [tuple(m.call for m in mail) for _, mail in heard]
    who = [arrived for arrived, _ in heard]
    starts = await runs.start(programs[0])
    tests, tester = await write_tests(network, judges[1], programs[1], froms[1])
    checked = await runs.outcomes(programs[1], tests)
    reflections, scores, reflector = await reflect(network, judges[2], programs[2], froms[2])
    ranking = await choose(network, judges[3], programs[3], who[3], froms[3])
    ratings = (
        [0 if problem else 5 for problem in starts],
        [math.ceil(5 * row.count("") / len(tests)) if tests else 0 for row in checked],
        scores,
        [5 if i in ranking.kept else 0 for i in who[3]],
    )
    said = (
        dict(zip(who[0], map(told_start, starts), strict=True)),
        dict(zip(who[1], (told_tests(tests, row) for row in checked), strict=True)),
        dict(zip(who[2], reflections, strict=True)),
    )
    kept = [i for i in shown if i in ranking.kept]
    own = dict(zip(who[3], programs[3], strict=True))
    titles = ("Syntax check", "Tests", "Reflections")
    return Judged(
        order=tuple(kernel.random.sample(RATED, len(RATED))),
        messages=(
            *(
                "\n".join(
                    [
                        f"{title}:",
                        *(f"Solution {n}: {by.get(i, 'nothing')}" for n, i in enumerate(kept, 1)),
                    ]
                )
                for title, by in zip(titles, said, strict=True)
            ),
            quoted(network.task, [own[i] for i in kept]),
        ),
        sources=(
            froms[0],
            (*froms[1], tester.call),
            (*froms[2], *((reflector.call,) if reflector else ())),
            (*froms[3], *((ranking.call,) if ranking.call >= 0 else ())),
        ),
        rows=tuple(edge_weights(r, w, width) for r, w in zip(ratings, who, strict=True)),
        tests=tuple(tests),
        ranking=ranking,
        calls=1 + (reflector is not None) + (ranking.call >= 0),
    )


def told_start(problem: str) -> str:
    """Passer's verdict on a program."""
    return f"it does not run: {problem[:200]}" if problem else "it runs."


def told_tests(tests: Sequence[str], problems: Sequence[str]) -> str:
    """Tester's verdict on a program: how many tests it passed, and how it failed the others."""
    if not tests:
        return "there are no tests."
    failed = [f"{test}: {p}" for test, p in zip(tests, problems, strict=True) if p]
    lines = [f"passed {problems.count('')} of {len(tests)}.", *(f[:240] for f in failed[:3])]
    return "\n".join(lines)


async def write_tests(
    network: Network, tester: Agent, programs: Sequence[str], sources: Sequence[int]
) -> tuple[list[str], Reply[str]]:
    """Tester: up to ten different one-line asserts that call the function."""
    task = network.task
    name = find_entry_point(task, programs)
    reply = await tester.ask(
        f"{task.text}\n\nDo not solve this. Write tests for the function {name}: up to "
        f"{MOST_TESTS} different lines of Python, each one of the form assert {name}(...) == "
        "value, taken from what the task says. Mind corner cases. Write the lines alone.",
        temperature=network.temperature,
        max_tokens=network.max_tokens,
        sources=sources,
    )
    valid = [a.source for a in split_asserts(reply.text, name) if not a.problem]
    return [t for t in dict.fromkeys(valid) if "\n" not in t][:MOST_TESTS], reply


@lru_cache(maxsize=64)
def reflection_type(programs: int, characters: int) -> Any:
    """The typed reply of Reflector: a reflection and a rating for every program."""
    reflection = Annotated[str, Meta(max_length=characters // programs)]
    size = Meta(min_length=programs, max_length=programs)
    return msgspec.defstruct(
        "Reflections",
        [
            ("reflections", Annotated[list[reflection], size]),
            ("scores", Annotated[list[Rating], size]),
        ],
        frozen=True,
    )


async def reflect(
    network: Network, reflector: Agent, programs: Sequence[str], sources: Sequence[int]
) -> tuple[list[str], list[int], Reply[Any] | None]:
    """Reflector: what is wrong with each program, and how good it is."""
    m = len(programs)
    if not m:
        return [], [], None
    reply = await reflector.ask(
        f"{network.task.text}\n\n{quoted(network.task, programs)}\n\n"
        f'Reply with a JSON object. "reflections": for each of the {m} solutions in its order, '
        "one or two short sentences: whether it is "
        f'wrong, and why. "scores": {m} numbers from 1 (wrong) to 5 (right), in the same order.',
        output=reflection_type(m, network.characters),
        temperature=network.temperature,
        max_tokens=network.max_tokens,
        sources=sources,
    )
    if isinstance(reply.data, Unparsed):
        scores = [s if isinstance(s, int) else 0 for s in salvage(reply.text).scores]
        return ["no reflection."] * m, scores, reply
    found: Any = reply.data
    return [r.strip() for r in found.reflections], list(found.scores), reply


async def choose(
    network: Network,
    judge: Agent,
    programs: Sequence[str],
    who: Sequence[int],
    sources: Sequence[int],
) -> Ranking:
    """Ranker, the judge: the two programs that the next coders are shown."""
    if len(programs) <= MOST_KEPT:
        return Ranking(tuple(who))
    reply = await judge.ask(
        f"{network.task.text}\n\n{quoted(network.task, programs)}\n\n{ASK_TWO}",
        output=ranking_type(len(programs), network.characters),
        temperature=network.temperature,
        max_tokens=network.max_tokens,
        sources=sources,
    )
    return read_ranking(network.kernel, reply, who)


def told_judges(t: int, found: Judged, names: Sequence[str]) -> str:
    """What the judges before a layer did, in a line."""
    kept = " and ".join(names[i] for i in found.ranking.kept)
    why = " ".join(found.ranking.why.split())
    return (
        f"Before layer {t} Tester wrote {len(found.tests)} tests, and Ranker showed the programs "
        f"of {kept}{': ' + why if why else ''}."
    )
