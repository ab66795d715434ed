"""How many descriptions of apps compile: a model at the first try and after repair, and keywords.

Of twenty hand-written descriptions, sixteen can be made into an app with the tools there are; four
ask for an ability no tool has. Counted are valid manifests (they pass every check) and right ones
(they also name just the tools and folders needed, or refuse and name the missing ability). Run it
with ``python -m collegium.bench.apps_compile local 8``: the model, and how many descriptions at the
same time (1 is repeatable).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from collegium.apps.compile import Refusal, compile_app
from collegium.apps.data import Description, descriptions
from collegium.apps.keywords import compile_by_keywords
from collegium.apps.manifest import Manifest
from collegium.apps.tools import known_tools
from collegium.bench.machine import machine
from collegium.bench.statistics import wilson
from collegium.kernel import Generate, Kernel, Tool, gather
from collegium.models.model import Model

PATH = Path("results/aios-ecosystem/compile.json")


class Case(msgspec.Struct, frozen=True):
    """What became of one description.

    Attributes:
        text: The description.
        valid: A manifest that passes every check came out.
        repaired: It took the repair round.
        right: It has the tools and folders needed, or is the refusal that was due.
        said: The refusal, where there is one.
        tokens: Prompt and completion tokens.
    """

    text: str
    valid: bool
    repaired: bool
    right: bool
    said: str
    tokens: int


class Share(msgspec.Struct, frozen=True):
    """A count, and the share with its 95% Wilson interval."""

    count: int
    of: int
    share: float
    low: float
    high: float


class Row(msgspec.Struct, frozen=True):
    """One compiler: shares over the descriptions that can be made, and over all of them."""

    compiler: str
    valid_first_try: Share
    valid_after_one_repair: Share
    right_of_all: Share
    refused_rightly: Share
    cases: tuple[Case, ...]


def right(wanted: Description, made: Manifest | Refusal) -> bool:
    """Whether an answer is the right one: least tools and folders, or the due refusal."""
    if isinstance(made, Refusal):
        words = " ".join(made.missing).casefold()
        return bool(wanted.missing) and wanted.missing in words
    reach = {*made.permissions.read, *made.permissions.write}
    same = set(made.tools) == set(wanted.tools) and reach == set(wanted.folders)
    return same and not wanted.missing


async def by_model(wanted: Description, model: Model, tools: Mapping[str, Tool]) -> Case:
    """Compile one description with a model."""
    kernel = Kernel(model, seed=0)
    made = await compile_app(kernel.agent("compiler"), wanted.text, tools)
    asked = [e for e in kernel.trace.events if isinstance(e.call, Generate)]
    drafts = sum(e.call.parent is None for e in asked)  # repairs of form are not counted
    return _case(wanted, made, drafts > 1, sum(e.usage.tokens for e in asked))


def by_keywords(wanted: Description, tools: Mapping[str, Tool]) -> Case:
    """Compile one description with templates."""
    return _case(wanted, compile_by_keywords(wanted.text, tools), False, 0)


def _case(wanted: Description, made: Manifest | Refusal, repaired: bool, tokens: int) -> Case:
    said = str(made) if isinstance(made, Refusal) else ""
    valid = isinstance(made, Manifest)
    return Case(wanted.text, valid, repaired, right(wanted, made), said, tokens)


def row(compiler: str, cases: Sequence[Case]) -> Row:
    """Count the cases of one compiler."""
    wanted = descriptions()
    can = [c for c, w in zip(cases, wanted, strict=True) if not w.missing]
    cannot = [c for c, w in zip(cases, wanted, strict=True) if w.missing]
    return Row(
        compiler=compiler,
        valid_first_try=_share([c.valid and not c.repaired for c in can]),
        valid_after_one_repair=_share([c.valid for c in can]),
        right_of_all=_share([c.right for c in cases]),
        refused_rightly=_share([c.right for c in cannot]),
        cases=tuple(cases),
    )


def _share(hits: Sequence[bool]) -> Share:
    interval = wilson(sum(hits), len(hits))
    low, high = interval
    return Share(
        sum(hits), len(hits), round(sum(hits) / len(hits), 4), round(low, 4), round(high, 4)
    )


async def measure(model: Model, workers: int = 1) -> list[Row]:
    """Compile every description both ways, so many at the same time."""
    tools, room = known_tools(), asyncio.Semaphore(workers)

    async def one(wanted: Description) -> Case:
        async with room:
            case = await by_model(wanted, model, tools)
        said = "right" if case.right else "valid" if case.valid else "not valid"
        print(f"{said:9} {case.tokens:6,} tokens  {wanted.text}", flush=True)
        return case

    asked = await gather(*map(one, descriptions()))
    plain = [by_keywords(wanted, tools) for wanted in descriptions()]
    return [row(model.name, asked), row("keyword templates", plain)]


def main(name: str = "local", path: Path = PATH, workers: int = 1) -> None:
    """Measure, print the counts, and write the report."""
    from collegium.models import open_model

    rows = asyncio.run(measure(open_model(name, exact=workers == 1), workers))
    report = {
        "command": f"python -m collegium.bench.apps_compile {name} {workers}",
        "machine": machine(),
        "model": name,
        "seed": 0,
        "n": len(descriptions()),
        "rows": rows,
        "reading": "valid: passes every check; right: also least tools and folders, or the refusal",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for r in rows:
        print(
            f"{r.compiler:25} valid at once {r.valid_first_try.count}/{r.valid_first_try.of}, "
            f"after repair {r.valid_after_one_repair.count}, right {r.right_of_all.count}/"
            f"{r.right_of_all.of}"
        )
    print(f"written to {path}")


if __name__ == "__main__":
    given = [*sys.argv[1:], *("local", "1")[len(sys.argv) - 1 :]]
    main(given[0], workers=int(given[1]))
