"""Multiple choice: MMLU and PubMedQA."""

from __future__ import annotations

from collegium.errors import BadInput
from collegium.tasks.question import Question, partition
from collegium.tasks.rows import Row, read_csv, read_json
from collegium.tasks.sources import Hub, data_file, not_here, read_rows

SUBJECTS = (
    "abstract_algebra",
    "anatomy",
    "astronomy",
    "business_ethics",
    "clinical_knowledge",
    "college_biology",
    "college_chemistry",
    "college_computer_science",
    "college_mathematics",
    "college_medicine",
    "college_physics",
    "computer_security",
    "conceptual_physics",
    "econometrics",
    "electrical_engineering",
    "elementary_mathematics",
    "formal_logic",
    "global_facts",
    "high_school_biology",
    "high_school_chemistry",
    "high_school_computer_science",
    "high_school_european_history",
    "high_school_geography",
    "high_school_government_and_politics",
    "high_school_macroeconomics",
    "high_school_mathematics",
    "high_school_microeconomics",
    "high_school_physics",
    "high_school_psychology",
    "high_school_statistics",
    "high_school_us_history",
    "high_school_world_history",
    "human_aging",
    "human_sexuality",
    "international_law",
    "jurisprudence",
    "logical_fallacies",
    "machine_learning",
    "management",
    "marketing",
    "medical_genetics",
    "miscellaneous",
    "moral_disputes",
    "moral_scenarios",
    "nutrition",
    "philosophy",
    "prehistory",
    "professional_accounting",
    "professional_law",
    "professional_medicine",
    "professional_psychology",
    "public_relations",
    "security_studies",
    "sociology",
    "us_foreign_policy",
    "virology",
    "world_religions",
)
"""The subjects of MMLU."""

MEDICAL = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "medical_genetics",
    "professional_medicine",
)

_LETTERS = "ABCD"
_MMLU_HOME = "github hendrycks/test"
_MMLU_FILES = {"test": "test", "validation": "val", "train": "dev"}
_MMLU_HUB = {"test": "test", "validation": "validation", "train": "dev"}
_VERDICTS = ("yes", "no", "maybe")


def read_mmlu(split: str, subject: str) -> list[Question]:
    """Read MMLU, or one subject of it; its training split is the five examples per subject."""
    if subject:
        return _mmlu(f"mmlu:{subject}", split, (subject,))
    return _mmlu("mmlu", split, SUBJECTS)


def read_medical(split: str, _: str) -> list[Question]:
    """Read the medical subjects of MMLU."""
    return _mmlu("mmlu-medical", split, MEDICAL)


def read_pubmedqa(split: str, _: str) -> list[Question]:
    """Read PubMedQA: what a study concludes, from its abstract without the conclusion.

    The test split is the official one; a fixed fifth of the other questions is for validation.
    """
    home = "github pubmedqa/pubmedqa"
    paths = [data_file(f"pubmedqa/{n}.json") for n in ("ori_pqal", "test_ground_truth")]
    records, truth = paths
    if records is None or truth is None:
        missing = "ori_pqal" if records is None else "test_ground_truth"
        raise not_here("pubmedqa", f"pubmedqa/{missing}.json", home)
    everything, test_ids = read_json(records), read_json(truth)
    if not isinstance(everything, dict) or not isinstance(test_ids, dict):
        raise BadInput(f"{records}: expected a JSON object with one record per article.")
    questions = [
        _abstract_question(Row(f"{records}, record {key}", index, fields), key)
        for index, (key, fields) in enumerate(everything.items(), start=1)
        if (key in test_ids) == (split == "test")
    ]
    return questions if split == "test" else partition(questions, split)


def _mmlu(name: str, split: str, subjects: tuple[str, ...]) -> list[Question]:
    folder = _MMLU_FILES[split]
    questions: list[Question] = []
    for subject in subjects:
        path = data_file(f"mmlu/{folder}/{subject}_{folder}.csv")
        if path is not None:
            columns = ("question", *_LETTERS, "answer")
            for index, row in enumerate(read_csv(path, columns)):
                letter = row.text("answer").strip()
                if letter not in _LETTERS:
                    raise BadInput(f"{row.where}: expected A, B, C or D as the last cell.")
                choices = tuple(str(row.fields[option]) for option in _LETTERS)
                questions.append(_choice_question(row, subject, folder, index, choices, letter))
    return questions or _mmlu_from_hub(name, split, subjects)


def _mmlu_from_hub(name: str, split: str, subjects: tuple[str, ...]) -> list[Question]:
    folder = _MMLU_FILES[split]
    file = f"mmlu/{folder}/{subjects[0]}_{folder}.csv"
    hub = Hub("cais/mmlu", ("all",), _MMLU_HUB[split])
    questions: list[Question] = []
    counts = dict.fromkeys(subjects, 0)
    for row in read_rows(name, (file,), _MMLU_HOME, hub=hub):
        subject = row.text("subject")
        if subject in counts:
            choices = tuple(map(str, row.fields["choices"]))
            letter = _LETTERS[row.fields["answer"]]
            index = counts[subject]
            questions.append(_choice_question(row, subject, folder, index, choices, letter))
            counts[subject] += 1
    return questions


def _choice_question(
    row: Row, subject: str, folder: str, index: int, choices: tuple[str, ...], letter: str
) -> Question:
    return Question(
        id=f"{subject}/{folder}/{index}",
        prompt=row.text("question"),
        kind="choice",
        reference=letter,
        choices=choices,
        stratum=subject,
    )


def _abstract_question(row: Row, key: str) -> Question:
    if not isinstance(row.fields, dict):
        raise BadInput(f"{row.where}: expected a JSON object.")
    verdict = row.text("final_decision")
    paragraphs = row.fields.get("CONTEXTS")
    if verdict not in _VERDICTS or not isinstance(paragraphs, list):
        raise BadInput(
            f"{row.where}: expected 'CONTEXTS', a list of paragraphs, and 'final_decision', one of"
            f" {', '.join(_VERDICTS)}."
        )
    labels = row.fields.get("LABELS") or []
    titled = [
        f"{labels[index]}: {paragraph}" if index < len(labels) else paragraph
        for index, paragraph in enumerate(paragraphs)
    ]
    abstract = "\n\n".join(titled)
    return Question(
        id=f"pubmedqa/{key}",
        prompt=f"{abstract}\n\nQuestion: {row.text('QUESTION')}",
        kind="choice",
        reference="ABC"[_VERDICTS.index(verdict)],
        choices=_VERDICTS,
    )
