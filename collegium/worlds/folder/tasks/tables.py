"""Three tasks on small data sets of scikit-learn: digits, tumours, diabetes.

They stand for CIFAR-10, and for the tables of house prices and of passengers, which need downloads;
they are variants of ours and named so. The data sets lie in scikit-learn itself, so that folder is
hidden from what runs in the sandbox: there is no way from a row of the test to its answer.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from collegium.worlds.folder.scoring import (
    Files,
    FolderTask,
    Measured,
    read_predictions,
    table,
)

ORDER = "submission.csv: a header, then one line for each row of test.csv, in its order"

DIGITS = '''"""Nearest mean of the sums of rows: far from what is possible."""

import numpy as np

train = np.loadtxt("train.csv", delimiter=",", skiprows=1)
test = np.loadtxt("test.csv", delimiter=",", skiprows=1)
pixels, labels = train[:, :-1], train[:, -1]


def features(images):
    return images.reshape(-1, 8, 8).sum(axis=2)


means = np.stack([features(pixels[labels == digit]).mean(axis=0) for digit in range(10)])
distance = ((features(test)[:, None] - means[None]) ** 2).sum(axis=2)
with open("submission.csv", "w") as file:
    file.write("digit\\n")
    file.writelines(f"{digit}\\n" for digit in distance.argmin(axis=1))
held = ((features(pixels)[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
print(f"accuracy on train.csv: {(held == labels).mean():.3f}")
'''

TUMOURS = '''"""A logistic regression on one column, by gradient descent."""

import numpy as np

train = np.loadtxt("train.csv", delimiter=",", skiprows=1)
test = np.loadtxt("test.csv", delimiter=",", skiprows=1)
column, labels = train[:, 1], train[:, -1]
mean, spread = column.mean(), column.std()
weight = bias = 0.0
for _ in range(200):
    chance = 1 / (1 + np.exp(-(weight * (column - mean) / spread + bias)))
    weight -= 0.1 * ((chance - labels) * (column - mean) / spread).mean()
    bias -= 0.1 * (chance - labels).mean()
chance = 1 / (1 + np.exp(-(weight * (test[:, 1] - mean) / spread + bias)))
with open("submission.csv", "w") as file:
    file.write("chance_of_benign\\n")
    file.writelines(f"{value}\\n" for value in chance)
'''

DIABETES = '''"""Ordinary least squares on the first column."""

import numpy as np

train = np.loadtxt("train.csv", delimiter=",", skiprows=1)
test = np.loadtxt("test.csv", delimiter=",", skiprows=1)
slope, offset = np.polyfit(train[:, 0], train[:, -1], 1)
with open("submission.csv", "w") as file:
    file.write("progress\\n")
    file.writelines(f"{value}\\n" for value in slope * test[:, 0] + offset)
'''


@cache
def loaded(name: str) -> tuple[list[list[float]], list[float]]:
    """The rows and answers of a data set, mixed by a fixed seed."""
    from sklearn import datasets

    data: Any = getattr(datasets, f"load_{name}")()
    rows = [[round(float(v), 6) for v in row] for row in data.data]
    order = list(range(len(rows)))
    random.Random(f"rows of {name}").shuffle(order)
    return [rows[i] for i in order], [float(data.target[i]) for i in order]


def answers(name: str, trained: int, tested: int) -> list[float]:
    """The answers of the test, which are in no folder."""
    return loaded(name)[1][trained : trained + tested]


def accuracy(said: Sequence[float], true: Sequence[float]) -> float:
    """The share of answers that are right."""
    return sum(round(a) == b for a, b in zip(said, true, strict=True)) / len(true)


def log_loss(said: Sequence[float], true: Sequence[float]) -> float:
    """The mean logarithmic loss; chances are kept from 0 and 1 by a millionth."""
    kept = [min(max(p, 1e-6), 1 - 1e-6) for p in said]
    return -sum(math.log(p if t else 1 - p) for p, t in zip(kept, true, strict=True)) / len(true)


def absolute_error(said: Sequence[float], true: Sequence[float]) -> float:
    """The mean absolute error."""
    return sum(abs(a - b) for a, b in zip(said, true, strict=True)) / len(true)


def _hidden() -> list[Path]:
    found = find_spec("sklearn")
    root = Path(found.origin).parent if found and found.origin else None
    return [root / "datasets" / "data"] if root else []


def _task(
    name: str,
    like: str,
    data: str,
    sizes: tuple[int, int],
    starter: str,
    measure: Callable[[Sequence[float], Sequence[float]], float],
    **facts: Any,
) -> FolderTask:
    trained, tested = sizes

    def files() -> dict[str, bytes]:
        rows, targets = loaded(data)
        names = [f"f{i}" for i in range(len(rows[0]))]
        whole = [[*row, target] for row, target in zip(rows, targets, strict=True)]
        return {
            "train.csv": table([*names, "answer"], whole[:trained]),
            "test.csv": table(names, rows[trained : trained + tested]),
            "train.py": starter.encode(),
        }

    async def score(given: Files) -> Measured:
        said = read_predictions(given, tested)
        if isinstance(said, str):
            return Measured(None, said)
        return Measured(measure(said, answers(data, trained, tested)))

    return FolderTask(
        name=name,
        like=like,
        files=files,
        score=score,
        read_only=("train.csv", "test.csv"),
        hidden=_hidden,
        missing=lambda: "" if find_spec("sklearn") else "scikit-learn: collegium[worlds]",
        **facts,
    )


TASKS = (
    _task(
        "digits-variant",
        "cifar10",
        "digits",
        (600, 600),
        DIGITS,
        accuracy,
        metric="accuracy",
        better="higher",
        problem=(
            "train.csv holds images of digits, 8 by 8 pixels, and which digit each is; test.csv "
            "holds images alone. Predict the digits of test.csv as often right as you can. "
            f"Write {ORDER}, the digit. train.py is a first attempt. numpy and scikit-learn are "
            "here."
        ),
    ),
    _task(
        "tumours-variant",
        "spaceship-titanic",
        "breast_cancer",
        (300, 269),
        TUMOURS,
        log_loss,
        metric="log loss",
        better="lower",
        problem=(
            "train.csv holds measurements of tumours and whether each is benign (1) or not (0); "
            "test.csv holds measurements alone. Predict the chance that each tumour of test.csv is "
            f"benign; less logarithmic loss is better. Write {ORDER}, the chance. train.py is a "
            "first attempt. numpy and scikit-learn are here."
        ),
    ),
    _task(
        "diabetes-variant",
        "house-price",
        "diabetes",
        (242, 200),
        DIABETES,
        absolute_error,
        metric="mean absolute error",
        better="lower",
        problem=(
            "train.csv holds measurements of people and how far an illness went a year later; "
            "test.csv holds measurements alone. Predict it for test.csv; less mean absolute error "
            f"is better. Write {ORDER}, the number. train.py is a first attempt. numpy and "
            "scikit-learn are here."
        ),
    ),
)
