"""The published data sets with fixed questions: what they are, and who reads them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from collegium.tasks.multiple_choice import (
    MEDICAL,
    SUBJECTS,
    read_medical,
    read_mmlu,
    read_pubmedqa,
)
from collegium.tasks.programs import read_humaneval, read_mbpp
from collegium.tasks.question import Question
from collegium.tasks.task import AnswerKind
from collegium.tasks.word_problems import LANGUAGES, read_gsm8k, read_math500, read_mgsm


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A published data set.

    Attributes:
        name: As written on the command line.
        description: One line for listings.
        kind: What kind of answer its questions want.
        splits: What can be asked for. With "all" among them, the set has no official validation
            split; a fixed fifth of it is taken for validation and the rest for test.
        licence: The licence of the data.
        home: Where it is published.
        size: How many questions the published test split has ("all" for a partitioned set).
        files: Files in the folder of data that hold the test split, any of which will do.
        read: ``read(split, subset)`` returns the questions of a split.
        part: What a colon in the name introduces: "subject", "language".
        subsets: What may follow it.
    """

    name: str
    description: str
    kind: AnswerKind
    splits: tuple[str, ...]
    licence: str
    home: str
    size: int
    files: tuple[str, ...]
    read: Callable[[str, str], list[Question]]
    part: str = ""
    subsets: tuple[str, ...] = ()


PUBLISHED: dict[str, Published] = {
    published.name: published
    for published in (
        Published(
            name="gsm8k",
            description="grade-school mathematics in words; the answer is a number",
            kind="number",
            splits=("test", "validation", "train"),
            licence="MIT",
            home="github openai/grade-school-math",
            size=1319,
            files=("gsm8k/test.jsonl",),
            read=read_gsm8k,
        ),
        Published(
            name="math500",
            description="500 problems of mathematics competitions, levels 1 to 5",
            kind="latex",
            splits=("test", "validation", "train"),
            licence="MIT",
            home="github hendrycks/math; selection of openai/prm800k",
            size=500,
            files=("math500/test.jsonl",),
            read=read_math500,
        ),
        Published(
            name="mmlu",
            description="multiple choice in 57 subjects, from school to professional",
            kind="choice",
            splits=("test", "validation", "train"),
            licence="MIT",
            home="github hendrycks/test",
            size=14042,
            files=("mmlu/test/anatomy_test.csv",),
            read=read_mmlu,
            part="subject",
            subsets=SUBJECTS,
        ),
        Published(
            name="mmlu-medical",
            description="the six medical subjects of MMLU",
            kind="choice",
            splits=("test", "validation", "train"),
            licence="MIT",
            home="github hendrycks/test",
            size=1089,
            files=tuple(f"mmlu/test/{subject}_test.csv" for subject in MEDICAL),
            read=read_medical,
        ),
        Published(
            name="pubmedqa",
            description="biomedical research questions to answer yes, no or maybe from an abstract",
            kind="choice",
            splits=("test", "validation", "train"),
            licence="MIT",
            home="github pubmedqa/pubmedqa",
            size=500,
            files=("pubmedqa/ori_pqal.json",),
            read=read_pubmedqa,
        ),
        Published(
            name="humaneval",
            description="Python functions to complete; judged by unit tests",
            kind="code",
            splits=("test", "validation", "all"),
            licence="MIT",
            home="github openai/human-eval",
            size=164,
            files=("humaneval/test.jsonl",),
            read=read_humaneval,
        ),
        Published(
            name="mbpp",
            description="short Python programs to write (sanitized MBPP); judged by unit tests",
            kind="code",
            splits=("test", "validation", "all"),
            licence="CC-BY-4.0",
            home="github google-research/google-research, folder mbpp",
            size=257,
            files=("mbpp/test.jsonl",),
            read=read_mbpp,
        ),
        Published(
            name="mgsm",
            description="250 questions of GSM8K in 11 languages (mgsm is English; mgsm:de ...)",
            kind="number",
            splits=("test", "validation", "all"),
            licence="CC-BY-SA-4.0",
            home="github google-research/url-nlp",
            size=250,
            files=("mgsm/test.jsonl", "mgsm/mgsm_en.tsv"),
            read=read_mgsm,
            part="language",
            subsets=LANGUAGES,
        ),
    )
}
