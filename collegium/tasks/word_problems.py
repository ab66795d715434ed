"""Mathematics in words: GSM8K, MATH-500 and MGSM."""

from __future__ import annotations

from collegium.errors import BadInput
from collegium.tasks.number import boxed, parse_number
from collegium.tasks.question import Question, partition
from collegium.tasks.rows import Row
from collegium.tasks.sources import Hub, read_rows

LANGUAGES = ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh")
"""The languages of MGSM."""

_MATH_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)


def read_gsm8k(split: str, _: str) -> list[Question]:
    """Read GSM8K; a fixed fifth of its training questions is the validation split."""
    official = "test" if split == "test" else "train"
    rows = read_rows(
        "gsm8k",
        (f"gsm8k/{official}.jsonl",),
        "github openai/grade-school-math",
        hub=Hub("openai/gsm8k", ("main",), official),
    )
    questions = [
        Question(
            id=f"gsm8k/{official}/{index}",
            prompt=row.text("question"),
            kind="number",
            reference=_concluding_number(row),
        )
        for index, row in enumerate(rows)
    ]
    return questions if split == "test" else partition(questions, split)


def read_math500(split: str, _: str) -> list[Question]:
    """Read MATH-500; validation and training come from the training questions of MATH."""
    if split == "test":
        hub = Hub("HuggingFaceH4/MATH-500", ("default",), "test")
        rows = read_rows("math500", ("math500/test.jsonl",), "github hendrycks/math", hub=hub)
    else:
        hub = Hub("EleutherAI/hendrycks_math", _MATH_SUBJECTS, "train")
        rows = read_rows("math500", ("math/train.json",), "github hendrycks/math", hub=hub)
    official = "test" if split == "test" else "train"
    questions = []
    for index, row in enumerate(rows):
        answer = _math_answer(row)
        if answer:
            level = str(row.fields.get("level", "")).removeprefix("Level ")
            questions.append(
                Question(
                    id=f"math/{official}/{index}",
                    prompt=row.text("problem"),
                    kind="latex",
                    reference=answer,
                    stratum=f"level {level}" if level else "",
                )
            )
    return questions if split == "test" else partition(questions, split)


def read_mgsm(split: str, language: str) -> list[Question]:
    """Read MGSM in one language, English by default: the first 250 test questions of GSM8K."""
    language = language or "en"
    plain = ("mgsm/test.jsonl",) if language == "en" else ()
    rows = read_rows(
        "mgsm" if language == "en" else f"mgsm:{language}",
        (*plain, f"mgsm/mgsm_{language}.tsv"),
        "github google-research/url-nlp",
        hub=Hub("juletxara/mgsm", (language,), "test"),
        columns=("question", "answer_number"),
    )
    questions = [
        Question(
            id=f"mgsm/{language}/{index}",
            prompt=row.text("question"),
            kind="number",
            reference=_number_text(row, row.fields.get("answer_number")),
            stratum=language,
        )
        for index, row in enumerate(rows)
    ]
    return partition(questions, split)


def _concluding_number(row: Row) -> str:
    return _number_text(row, row.text("answer").rpartition("####")[2].strip())


def _number_text(row: Row, value: object) -> str:
    text = str(value).replace(",", "")
    if parse_number(text) is None:
        raise BadInput(f"{row.where}: expected a number as the answer, found {value!r}.")
    return text


def _math_answer(row: Row) -> str:
    """Return the answer, "" for the few questions of MATH's training split without one."""
    for column in ("answer", "final_answer"):
        if isinstance(row.fields.get(column), str):
            return row.fields[column].strip()
    return (boxed(row.text("solution")) or "").strip()
