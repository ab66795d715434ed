"""Questions of one's own: a ``.jsonl`` or ``.csv`` file.

Columns: ``question`` (or ``prompt``) and ``answer``; optional ``choices`` (a JSON list, options
separated by ``|``, or columns ``A``, ``B``, ``C`` ...), ``tests`` (Python code, then no answer is
needed), ``entry_point``, ``id``, ``stratum`` (or ``level``), ``kind`` and ``split``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec

from collegium.errors import BadInput
from collegium.tasks.answers import as_text, choice_letter
from collegium.tasks.number import parse_number
from collegium.tasks.question import Question
from collegium.tasks.rows import Row, read_csv, read_jsonl
from collegium.tasks.task import AnswerKind

SUFFIXES = (".jsonl", ".csv")

_EXPECTED = (
    "expected the columns question (or prompt) and answer; optional: choices, tests, id,"
    " stratum (or level), kind, split"
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SPLITS = ("test", "validation", "train")


def read_own_file(path: Path, split: str) -> list[Question]:
    """Read the questions of a file.

    Without a column ``split``, all of them are the test split. The kind of answer is that of the
    column ``kind``, or else: code if there are tests, choice if there are choices, number if the
    answers of all other lines are numbers, latex if one of them has LaTeX in it, else text.

    Args:
        path: The file.
        split: "test", "validation" or "train".

    Returns:
        The questions of that split, in the order of the file.

    Raises:
        BadInput: The file is missing, of another type, or broken; the message names the line.
    """
    if path.suffix not in SUFFIXES:
        raise BadInput(f"{path}: a file of questions must end in .jsonl or .csv.")
    if not path.is_file():
        raise BadInput(f"no such file: {path}.")
    rows = read_jsonl(path) if path.suffix == ".jsonl" else read_csv(path)
    if not rows:
        raise BadInput(f"{path} has no questions; {_EXPECTED}.")
    rows = [_filled(row) for row in rows]
    if not any("split" in row.fields for row in rows) and split != "test":
        raise BadInput(
            f"{path} has no split {split!r}: without a column 'split' all of it is the test split."
        )
    kind = _common_kind(rows)
    questions: list[tuple[str, Question]] = []
    seen: dict[str, str] = {}
    for row in rows:
        part = as_text(row.fields.get("split", "test"))
        if part not in _SPLITS:
            raise BadInput(f"{row.where}: 'split' must be one of {', '.join(_SPLITS)}.")
        question = _question(row, kind)
        if question.id in seen:
            raise BadInput(f"{row.where}: the id {question.id!r} is taken by {seen[question.id]}.")
        seen[question.id] = f"line {row.line}"
        questions.append((part, question))
    return [question for part, question in questions if part == split]


def _filled(row: Row) -> Row:
    """Drop empty cells, and name columns as if typed with care."""
    fields = {}
    for name, value in row.fields.items():
        key = name.strip()
        key = key if len(key) == 1 else key.lower()
        if value is not None and not (isinstance(value, str) and not value.strip()):
            fields[key] = value
    return Row(row.where, row.line, fields)


def _common_kind(rows: Sequence[Row]) -> AnswerKind:
    """Find the kind of answer of lines that do not say, from all of their answers."""
    answers = [
        row.fields["answer"]
        for row in rows
        if "answer" in row.fields and not _has_choices(row) and "tests" not in row.fields
    ]
    if answers and all(parse_number(answer) is not None for answer in answers):
        return "number"
    if any(isinstance(a, str) and re.search(r"\\[a-zA-Z]+|\$.+\$", a) for a in answers):
        return "latex"
    return "text"


def _question(row: Row, common: AnswerKind) -> Question:
    prompt = next((row.fields[name] for name in ("question", "prompt") if name in row.fields), None)
    if prompt is None:
        found = ", ".join(map(repr, row.fields)) or "nothing"
        raise BadInput(f"{row.where}: no question; {_EXPECTED}; found: {found}.")
    if not isinstance(prompt, str):
        raise BadInput(f"{row.where}: the question must be a text.")
    choices = _choices(row)
    tests = _tests(row)
    inferred: AnswerKind = "code" if tests else "choice" if choices else common
    kind = row.fields.get("kind", inferred)
    if kind not in get_args(AnswerKind):
        known = ", ".join(get_args(AnswerKind))
        raise BadInput(f"{row.where}: 'kind' must be one of {known}, not {kind!r}.")
    return Question(
        id=as_text(row.fields.get("id", f"line-{row.line}")),
        prompt=prompt,
        kind=kind,
        reference="" if kind == "code" else _reference(row, kind, choices),
        choices=choices,
        stratum=as_text(row.fields.get("stratum", row.fields.get("level", ""))),
        entry_point=as_text(row.fields.get("entry_point", "")),
        tests=tests,
    )


def _reference(row: Row, kind: AnswerKind, choices: tuple[str, ...]) -> str:
    answer = row.fields.get("answer")
    if answer is None:
        raise BadInput(f"{row.where}: no answer; {_EXPECTED}.")
    if not isinstance(answer, str | int | float):
        raise BadInput(f"{row.where}: the answer must be a text or a number.")
    text = str(answer).lower() if isinstance(answer, bool) else as_text(answer).strip()
    if kind == "choice":
        letter = choice_letter(text, choices) if choices else None
        if letter is None:
            options = " / ".join(choices) or "none given"
            raise BadInput(
                f"{row.where}: the answer {text!r} must be the letter or the text of an option"
                f" ({options})."
            )
        return letter
    if kind == "number" and parse_number(text) is None:
        raise BadInput(f"{row.where}: the answer {text!r} is not a number.")
    return text


def _tests(row: Row) -> str:
    tests = row.fields.get("tests", "")
    if not tests and row.fields.get("kind") == "code":
        raise BadInput(f"{row.where}: code needs 'tests' (Python).")
    if isinstance(tests, list) and all(isinstance(test, str) for test in tests):
        tests = "\n".join(tests)
    if not isinstance(tests, str):
        raise BadInput(f"{row.where}: 'tests' must be Python code.")
    try:
        ast.parse(tests)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise BadInput(f"{row.where}: 'tests' is not Python; {problem}.") from problem
    return tests


def _has_choices(row: Row) -> bool:
    return "choices" in row.fields or {"A", "B"} <= set(row.fields)


def _choices(row: Row) -> tuple[str, ...]:
    if not _has_choices(row):
        return ()
    given = row.fields.get("choices")
    if given is None:
        letters = [letter for letter in _LETTERS if letter in row.fields]
        if letters != list(_LETTERS[: len(letters)]):
            raise BadInput(f"{row.where}: the options must fill columns A, B, C ... without gaps.")
        given = [row.fields[letter] for letter in letters]
    elif isinstance(given, str):
        given = _split_choices(row, given)
    if not isinstance(given, list) or not all(isinstance(c, str | int | float) for c in given):
        raise BadInput(f"{row.where}: 'choices' must be a list of texts.")
    choices = tuple(as_text(choice).strip() for choice in given)
    if not 2 <= len(choices) <= len(_LETTERS):
        raise BadInput(f"{row.where}: a question needs 2 to 26 choices, found {len(choices)}.")
    return choices


def _split_choices(row: Row, text: str) -> list[object]:
    if not text.lstrip().startswith("["):
        return list(text.split("|"))
    try:
        return msgspec.json.decode(text, type=list)
    except msgspec.DecodeError as problem:
        raise BadInput(f"{row.where}: 'choices' starts like a JSON list; {problem}.") from problem
