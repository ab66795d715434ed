"""Tasks of Inspect as benchmarks: ``collegium compare direct cot --on inspect:FILE@TASK``.

The data set and the scorers are the task's; its solver is replaced by the systems compared, as
``inspect eval --solver`` does. A scorer is shown the answer in the form that it reads. One that
asks a model is given the model that the name says, the same for all systems
(``inspect:FILE@TASK:grader=local``); its tokens are the judge's, and on no system's bill.
"""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Any

import msgspec

from collegium.bench.inspect_bridge.model import PREFIX
from collegium.bench.inspect_bridge.samples import LETTER, kind_of, put_answer, task_of
from collegium.errors import BadInput, missing_extra
from collegium.kernel.trace import plain
from collegium.tasks.question import Question, controls, fingerprint, partition, shuffled
from collegium.tasks.task import AnswerKind, Benchmark, Item, Score

try:
    import inspect_ai
    from inspect_ai.dataset import Sample
    from inspect_ai.model import (
        ChatMessage,
        ChatMessageUser,
        GenerateConfig,
        ModelName,
        get_model,
    )
    from inspect_ai.scorer import Score as TheirScore
    from inspect_ai.scorer import Scorer, Target, value_to_float
    from inspect_ai.solver import TaskState
except ImportError:
    raise missing_extra("inspect", "the bridge to Inspect AI") from None

NAME = "inspect"
SPLITS = ("test", "validation", "all")
GRADER = ":grader="

GRADED = ("model_graded_qa", "model_graded_fact")
"""Scorers that ask a model."""

OF_THE_MODEL = ("perplexity", "target_perplexity", "precomputed_scores")
"""Scorers that judge something else than an answer."""

NUMBERS, LATEX = "match", "math"


class Named(msgspec.Struct, frozen=True):
    """What a name says.

    Attributes:
        task: The task as Inspect names it: FILE@TASK, FILE, PACKAGE/TASK.
        grader: The model that its scorers ask; "" for none.
    """

    task: str
    grader: str = ""


def read_name(text: str) -> Named:
    """Read what stands after ``inspect:``.

    Raises:
        BadInput: No task is named, or an empty grader.
    """
    task, marked, grader = text.partition(GRADER)
    if not task or (marked and not grader):
        raise BadInput(
            f"{NAME}:{text} names no task; write {NAME}:FILE@TASK, or {NAME}:FILE@TASK"
            f"{GRADER}MODEL where a model grades."
        )
    return Named(task, grader)


def inspect_benchmark(text: str, split: str, limit: int | None, seed: int | None) -> Benchmark:
    """A task of Inspect as a benchmark.

    Args:
        text: What stands after ``inspect:``.
        split: "test" or, for the fixed fifth that is for choosing, "validation"; "all": both.
        limit: How many samples at most.
        seed: Of the selection; None keeps the order of the data set.

    Raises:
        BadInput: There is no such task, or it needs what a benchmark here does not have.
    """
    named = read_name(text)
    if split not in SPLITS:
        raise BadInput(f"{NAME}:{text} has no split {split!r}; it has: {', '.join(SPLITS)}.")
    task = loaded(named.task)
    require(task, named)
    kind = _kind(task)
    samples = list(task.dataset)
    questions = [_question(s, i, kind, scorer_names(task)) for i, s in enumerate(samples)]
    places = {q.id: i for i, q in enumerate(questions)}
    if len(places) < len(questions):
        raise BadInput(f"{named.task} has samples of the same id; give each one of its own.")
    chosen = shuffled(partition(questions, split), seed, limit)
    if not chosen:
        raise BadInput(f"{NAME}:{text} has no samples in its split {split!r}.")
    return Benchmark(
        name=f"{NAME}:{text}",
        split=split,
        items=tuple(_item(q, samples[places[q.id]], places[q.id], named) for q in chosen),
        description=f"the task {named.task} of Inspect, judged by {', '.join(scorer_names(task))}",
        source=f"{named.task}, run by inspect-ai {inspect_ai.__version__}",
        controls=controls(chosen),
        fingerprint=fingerprint(chosen),
    )


@functools.lru_cache(maxsize=16)
def loaded(name: str) -> inspect_ai.Task:
    """The task of a name, as ``inspect eval`` would load it.

    Raises:
        BadInput: There is none, or several.
    """
    # Inspect's public functions run tasks by name, but none hands one out.
    from inspect_ai._eval.loader import create_file_tasks, load_tasks

    file = Path(name)
    try:
        tasks = create_file_tasks(file.absolute()) if file.is_file() else load_tasks([name])
    except Exception as error:  # a file of somebody else's may fail with anything
        raise BadInput(f"cannot load the Inspect task {name}: {_said(error)}.") from None
    if len(tasks) != 1:
        found = ", ".join(t.name for t in tasks) or "none"
        raise BadInput(f"{name} must be one task of Inspect; it has: {found}. Write FILE@TASK.")
    return tasks[0]


def _said(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__).rstrip(".")


def scorer_names(task: inspect_ai.Task) -> list[str]:
    """The names of a task's scorers."""
    return [_scorer_name(s) for s in task.scorer or ()]


def _scorer_name(scorer: Scorer) -> str:
    from inspect_ai._util.registry import is_registry_object, registry_unqualified_name

    if is_registry_object(scorer):
        return registry_unqualified_name(scorer)
    return getattr(scorer, "__name__", "a scorer")


def _scorer_params(scorer: Scorer) -> dict[str, Any]:
    from inspect_ai._util.registry import is_registry_object, registry_params

    return registry_params(scorer) if is_registry_object(scorer) else {}


def require(task: inspect_ai.Task, named: Named) -> None:
    """Make sure that answers alone can be judged by what a task has.

    Raises:
        BadInput: It needs a sandbox, a set-up, a grader that is not named, or has no scorer.
    """
    name = named.task
    samples = list(task.dataset)
    if not task.scorer:
        raise BadInput(f"{name} has no scorer, so there is nothing to compare systems by.")
    if task.sandbox is not None or any(s.sandbox or s.files or s.setup for s in samples):
        raise BadInput(
            f"{name} runs in a sandbox of Inspect's, which systems here cannot act in; run it "
            "there: inspect eval TASK --solver collegium/NAME."
        )
    if task.setup is not None:
        raise BadInput(
            f"{name} prepares every sample with a solver of its own (setup), which runs in Inspect "
            "alone; run it there: inspect eval TASK --solver collegium/NAME."
        )
    for scorer in scorer_names(task):
        if scorer in OF_THE_MODEL:
            raise BadInput(f"{name} is judged by {scorer}, which does not look at an answer.")
        if scorer in GRADED and not named.grader:
            raise BadInput(
                f"{name} is graded by a model ({scorer}); say which, the same for all systems: "
                f"{NAME}:{name}{GRADER}MODEL."
            )
    for sample in samples:
        if sample.choices and len(_letters(sample)) != 1:
            raise BadInput(
                f"{name}: sample {sample.id} wants {len(_letters(sample))} of its options; "
                "a choice here is one option."
            )


def _targets(sample: Sample) -> list[str]:
    return [sample.target] if isinstance(sample.target, str) else list(sample.target)


def _letters(sample: Sample) -> list[str]:
    """The letters of the right options, whether the target has letters or texts."""
    options = list(sample.choices or ())
    found: list[str] = []
    for target in _targets(sample):
        if target in options and len(target) != 1:
            found.append(chr(ord("A") + options.index(target)))
        else:
            found += [c.upper() for word in target.replace(",", " ").split() for c in word]
    return found


def _kind(task: inspect_ai.Task) -> AnswerKind | None:
    """The kind of answer of all samples; None: each has its own, being choices."""
    samples = list(task.dataset)
    if any(s.choices for s in samples):
        return None
    if LATEX in scorer_names(task):
        return "latex"
    numeric = any(
        _scorer_name(s) == NUMBERS and _scorer_params(s).get("numeric") for s in task.scorer or ()
    )
    return "number" if numeric else kind_of(None, [t for s in samples for t in _targets(s)])


def _question(
    sample: Sample, index: int, kind: AnswerKind | None, scorers: Sequence[str]
) -> Question:
    identity = str(sample.id if sample.id is not None else index + 1)
    chosen: AnswerKind = kind or ("choice" if sample.choices else "text")
    asked = task_of(identity, sample.input, choices=sample.choices, answer=chosen)
    right = _letters(sample)[0] if sample.choices else (_targets(sample) or [""])[0]
    return Question(
        id=identity,
        prompt=asked.prompt,
        kind=chosen,
        reference=right,
        choices=asked.choices,
        tests=" ".join(scorers),  # part of the fingerprint
    )


def _item(question: Question, sample: Sample, index: int, named: Named) -> Item:
    asked = task_of(
        question.id, sample.input, choices=question.choices or None, answer=question.kind
    )
    return Item(
        asked,
        question.reference if sample.choices else " | ".join(_targets(sample)),
        functools.partial(score_sample, task=named.task, index=index, grader=named.grader),
    )


# -- judging ----------------------------------------------------------------------------


async def score_sample(answer: Any, *, task: str, index: int, grader: str) -> Score:
    """Judge an answer by the scorers of a task: the first decides, the others are told besides.

    Args:
        answer: What a system returned.
        task: The task's name.
        index: The sample's place in its data set.
        grader: The model that scorers ask; "" for none.

    Raises:
        BadInput: A scorer failed, gives no single value, or asks a model that is not named.
    """
    of = loaded(task)
    context = copy_context()
    context.run(_use_grader, grader, task)
    work = _all_scores(of, of.dataset[index], answer)
    scores = await asyncio.get_running_loop().create_task(work, context=context)
    (_, first), *rest = scores
    value = _number(first, task)
    reason = first.explanation if first.reason is None else f"{first.reason}"
    if math.isnan(value):
        return Score(0.0, False, f"not scored: {reason or 'the scorer says no more'}")
    value = min(max(value, 0.0), 1.0)
    told = (reason or ("correct" if value >= 1 else "wrong")).strip().partition("\n")[0][:200]
    facts = {name: _number(score, task) for name, score in rest}
    return Score(value, value >= 1.0, told, {k: v for k, v in facts.items() if not math.isnan(v)})


async def _all_scores(
    of: inspect_ai.Task, sample: Sample, answer: Any
) -> list[tuple[str, TheirScore]]:
    found: list[tuple[str, TheirScore]] = []
    for scorer in of.scorer or ():
        name = _scorer_name(scorer)
        if before := sum(n.partition("-")[0] == name for n, _ in found):
            name = f"{name}-{before + 1}"
        state = state_of(sample, answer, form_of(scorer))
        try:
            score = await scorer(state, Target(sample.target))
        except BadInput:
            raise
        except Exception as error:  # whatever somebody else's scorer raises
            raise BadInput(f"the scorer {name} failed: {_said(error)}.") from error
        found.append((name, score if score is not None else TheirScore.unscored()))
    return found


def state_of(sample: Sample, answer: Any, form: str) -> TaskState:
    """A sample as it stands after a system has answered it.

    Args:
        sample: The sample.
        answer: What the system returned.
        form: How an answer in words is written.
    """
    asked = sample.input
    messages: list[ChatMessage] = (
        [ChatMessageUser(content=asked)] if isinstance(asked, str) else list(asked)
    )
    state = TaskState(
        model=ModelName(f"{PREFIX}system"),
        sample_id=sample.id if sample.id is not None else 0,
        epoch=1,
        input=asked,
        messages=messages,
        target=Target(sample.target),
        choices=list(sample.choices or ()),
        metadata=dict(sample.metadata or {}),
    )
    by_text = bool(sample.choices) and sample.target in (sample.choices or ())
    return put_answer(state, answer, form, state.model.name, by_text=by_text)


def form_of(scorer: Scorer) -> str:
    """How a scorer reads an answer in words: after "ANSWER:" where it looks for that."""
    name, params = _scorer_name(scorer), _scorer_params(scorer)
    marked = name == "answer" or (
        name == "pattern" and "answer" in str(params.get("pattern", "")).lower()
    )
    return LETTER if marked else "{answer}"


def _number(score: TheirScore, task: str) -> float:
    if isinstance(score.value, dict | list):
        raise BadInput(f"a scorer of {task} gives several values at once: {plain(score.value)}.")
    if isinstance(score.value, float) and math.isnan(score.value):
        return math.nan
    return value_to_float()(score.value)


def _use_grader(grader: str, task: str) -> None:
    """Make a model the one that scorers are given in this context."""
    # Inspect has no public way to score outside an evaluation of its own.
    from inspect_ai.model._model import init_active_model, init_model_usage

    init_model_usage()
    chosen = get_model(f"{PREFIX}{grader}") if grader else get_model("none/none")
    init_active_model(chosen, GenerateConfig())
