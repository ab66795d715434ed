"""The proposer: practice tasks for a site, from what it is or from what a user did on it.

Step 1 of PAE (arXiv 2412.13194, section 3.1). The proposer is asked for a number of tasks after an
example, thoughts first, then one JSON object a line behind "Output:". What it is told of a site is
its context: the name and what it is, and perhaps the record of a demonstration.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from hashlib import blake2b

import msgspec

from collegium.errors import BadInput
from collegium.kernel import Agent
from collegium.models.embeddings import Embedder

PER_REQUEST = 25
"""Tasks asked for at once (n)."""

SAME = 0.95
"""Cosine above which two tasks count as one."""

OUTPUT = "Output:"
TEMPERATURE, TOP_P = 1.0, 0.9

PROFILE = "You invent tasks on which an agent practises."

RULES = """The tasks have to be:
1. diverse: together they call for all that can be done there, in many ways of asking;
2. objective: nobody could argue about whether they were done, and they mean one thing only;
3. the same for everybody: nothing in them depends on who asks, where, or on which day;
4. decidable: the last three observations and the agent's answer are enough to tell success;
5. of mixed difficulty: three to seven actions for somebody who knows the way;
6. possible: an attentive person succeeds every time;
7. open to anybody: no account, no sign-in, no password is needed;
8. new: not done yet at the start, and none of them a repetition of another;
9. complete: whoever reads one knows what to do, without anything else."""

_SIGN_IN = re.compile(
    r"\b(?:sign(?:ing)?[ -]?(?:in|up)|log(?:ging)?[ -]?in|password|credentials?"
    r"|(?:create|open|register) an account|my account)\b",
    re.IGNORECASE,
)


class Site(msgspec.Struct, frozen=True):
    """A place to practise in, as the proposer is told of it.

    Attributes:
        name: Its name; every task has to name it.
        about: What it is and what can be done there.
        demonstration: What a user did there, in words; "" for the context of the name alone.
        example: A task as they should be.
    """

    name: str
    about: str
    demonstration: str = ""
    example: str = ""


class Practice(msgspec.Struct, frozen=True):
    """A practice task, as the official files have it.

    Attributes:
        web_name: The site.
        id: Unique among the proposals.
        ques: What is to be done.
        web: The address, where the site has one.
    """

    web_name: str
    id: str
    ques: str
    web: str = ""


class Proposed(msgspec.Struct, frozen=True):
    """What became of the lines of a proposer.

    Attributes:
        tasks: The tasks that are kept.
        broken: Lines that are no task.
        foreign: Tasks for another site.
        duplicates: Tasks that say what an earlier one said.
        sign_in: Tasks that need a sign-in.
        held_out: Tasks that are kept for testing.
    """

    tasks: tuple[Practice, ...] = ()
    broken: int = 0
    foreign: int = 0
    duplicates: int = 0
    sign_in: int = 0
    held_out: int = 0


class _Line(msgspec.Struct, frozen=True):
    web_name: str
    ques: str
    id: str | int = ""
    web: str = ""


def prompt(site: Site, count: int, rates: Mapping[str, float] = {}) -> str:
    """What the proposer is asked.

    Args:
        site: The site.
        count: How many tasks.
        rates: Known tasks with the share of attempts that succeeded.
    """
    parts = [f"The site is {site.name}.\n{site.about}"]
    if site.demonstration:
        parts.append(f"This is what a user did there:\n{site.demonstration}")
    if site.example:
        line = msgspec.json.encode(Practice(site.name, "0", site.example)).decode()
        parts.append(f"A task looks like this:\n{line}")
    if rates:
        told = "\n".join(f"- {ques} ({share:.0%})" for ques, share in rates.items())
        parts.append(
            f"Tasks so far, with the share of attempts that succeeded:\n{told}\n"
            "Leave out what is always done, and what never is; go a little further than what "
            "sometimes is."
        )
    parts.append(
        f"Write {count} tasks on which an agent can practise.\n{RULES}\n\nFirst write your "
        f'thoughts about what can be done there. Then write a line "{OUTPUT}" and below it the '
        'tasks, each a JSON object on one line with the keys "web_name" (always '
        f'"{site.name}"), "id" and "ques".'
    )
    return "\n\n".join(parts)


async def propose(
    agent: Agent,
    site: Site,
    count: int,
    *,
    embedder: Embedder,
    held_out: Collection[str] = (),
    rates: Mapping[str, float] = {},
    per_request: int = PER_REQUEST,
    max_tokens: int = 2048,
) -> Proposed:
    """Have practice tasks written, in as many requests as it takes.

    Args:
        agent: The proposer.
        site: For which site.
        count: How many tasks are wanted.
        embedder: Compares tasks.
        held_out: Fingerprints (:func:`fingerprint`) of tasks that are kept for testing.
        rates: Known tasks with the share of attempts that succeeded.
        per_request: Tasks asked for at once.
        max_tokens: Cap on a reply.

    Returns:
        At most ``count`` tasks, and how many lines were dropped for which reason. There may be
        fewer: nobody is asked more often than would do if every second line were good.

    Raises:
        BadInput: A number is below 1.
        LimitReached: A limit of the run is used up.
    """
    if count < 1 or per_request < 1:
        raise BadInput(f"a proposer is asked for 1 task or more, not {min(count, per_request)}.")
    found = Proposed()
    for _ in range(2 * -(-count // per_request)):
        if len(found.tasks) >= count:
            break
        reply = await agent.ask(
            prompt(site, min(per_request, count), rates),
            temperature=TEMPERATURE,
            top_p=TOP_P,
            max_tokens=max_tokens,
        )
        found = await sieved(read_proposals(reply.text, site), found, embedder, held_out)
    return msgspec.structs.replace(found, tasks=found.tasks[:count])


def read_proposals(text: str, site: Site) -> Proposed:
    """The tasks of a reply: the lines behind "Output:"; without that word there are none.

    Args:
        text: The reply.
        site: For which site they have to be.
    """
    tasks: list[Practice] = []
    broken = foreign = 0
    for line in text.rpartition(OUTPUT)[2].splitlines() if OUTPUT in text else ():
        line = line.strip()
        if not line or line.startswith("```"):
            continue
        try:
            read = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError:
            broken += 1
            continue
        if not read.ques.strip():
            broken += 1
        elif read.web_name.strip().casefold() != site.name.casefold():
            foreign += 1
        else:
            tasks.append(Practice(site.name, str(read.id), read.ques.strip(), read.web))
    return Proposed(tuple(tasks), broken, foreign)


async def sieved(
    new: Proposed, kept: Proposed, embedder: Embedder, held_out: Collection[str] = ()
) -> Proposed:
    """Put new proposals to those that were kept, without what is not to be practised on.

    Args:
        new: As they were read.
        kept: Those before them.
        embedder: Compares tasks.
        held_out: Fingerprints of tasks that are kept for testing.
    """
    tasks = [*kept.tasks]
    sign_in = leaks = duplicates = 0
    texts = [t.ques for t in (*kept.tasks, *new.tasks)]
    vectors = await embedder.embed(texts) if texts else []
    accepted = [*range(len(kept.tasks))]
    for place, task in enumerate(new.tasks, len(kept.tasks)):
        if _SIGN_IN.search(task.ques):
            sign_in += 1
        elif fingerprint(task.ques) in held_out:
            leaks += 1
        elif any(float(vectors[place] @ vectors[other]) > SAME for other in accepted):
            duplicates += 1
        else:
            accepted.append(place)
            tasks.append(msgspec.structs.replace(task, id=f"{task.web_name}-{len(tasks)}"))
    return Proposed(
        tuple(tasks),
        kept.broken + new.broken,
        kept.foreign + new.foreign,
        kept.duplicates + duplicates,
        kept.sign_in + sign_in,
        kept.held_out + leaks,
    )


def fingerprint(text: str) -> str:
    """A hash of a task's words, whatever their case and the marks between them."""
    words = " ".join(re.findall(r"\w+", text.casefold()))
    return blake2b(words.encode(), digest_size=16).hexdigest()
