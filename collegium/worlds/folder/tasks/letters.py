"""Predict the next letter of a text (a variant of MLAgentBench's small language models).

The text is made by code: words of a made-up language, each chosen by the word before it. So it lies
nowhere else, and there is something to be learnt from more than one letter back.
"""

from __future__ import annotations

import math
import random
from functools import cache

from collegium.worlds.folder.scoring import Files, FolderTask, Measured, read_table, table

ALPHABET = "abcdefghijklmnopqrstuvwxyz_"
TRAINED, TESTED, CONTEXT = 40_000, 500, 24

TRAIN = '''"""How often each letter comes, whatever is before it."""

from collections import Counter

alphabet = "abcdefghijklmnopqrstuvwxyz_"
text = open("train.txt").read().strip()
counts = Counter(text)
chances = [(counts[letter] + 1) / (len(text) + len(alphabet)) for letter in alphabet]
contexts = open("test.csv").read().split()[1:]
with open("submission.csv", "w") as file:
    file.write(",".join(alphabet) + "\\n")
    for _ in contexts:
        file.write(",".join(f"{chance:.6f}" for chance in chances) + "\\n")
'''


@cache
def made() -> tuple[str, list[str], str]:
    """The text to learn from, the beginnings to go on from, and the letters that come next."""
    draw = random.Random("letters")
    words = [
        "".join(draw.choice("bdfgklmnprstvz") + draw.choice("aeiou") for _ in range(size))
        + draw.choice(["", "n", "s", "r"])
        for size in [1] * 20 + [2] * 80 + [3] * 60
    ]
    after = {word: draw.sample(words, 12) for word in words}
    weights = [1 / (rank + 1) for rank in range(12)]
    word, text = words[0], ""
    needed = TRAINED + TESTED * (CONTEXT + 1)
    while len(text) < needed:
        word = draw.choices(after[word], weights)[0]
        text += f"{word}_"
    rest = text[TRAINED:needed]
    pieces = [rest[i : i + CONTEXT + 1] for i in range(0, len(rest), CONTEXT + 1)]
    return text[:TRAINED], [p[:-1] for p in pieces], "".join(p[-1] for p in pieces)


async def score(files: Files) -> Measured:
    """Bits for each letter: the mean of the logarithms of the chances given to what came."""
    rows = read_table(files.get("submission.csv"), "submission.csv")
    if isinstance(rows, str):
        return Measured(None, rows)
    true = made()[2]
    if len(rows) != len(true) or any(len(row) != len(ALPHABET) for row in rows):
        return Measured(None, f"a submission has {len(true)} rows of {len(ALPHABET)} chances")
    total = 0.0
    for row, letter in zip(rows, true, strict=True):
        try:
            chances = [float(v) for v in row]
        except ValueError as error:
            return Measured(None, f"submission.csv holds something else than numbers ({error})")
        whole = sum(chances)
        if not all(0 <= c <= 1 for c in chances) or abs(whole - 1) > 0.01:
            return Measured(None, "the chances of a row are from 0 to 1 and come to 1")
        total -= math.log2(max(chances[ALPHABET.index(letter)] / whole, 1e-9))
    return Measured(total / len(true))


TASK = FolderTask(
    name="letters-variant",
    like="babylm",
    problem=(
        f"train.txt is a text in the letters {ALPHABET}. test.csv holds beginnings of {CONTEXT} "
        "letters. Predict the letter that comes next: write submission.csv with a header and, for "
        "each line of test.csv in its order, the chances of all letters in the order above, with "
        "commas. Fewer bits for the letters that really come are better. train.py is a first "
        "attempt. numpy is here."
    ),
    metric="bits per letter",
    better="lower",
    files=lambda: {
        "train.txt": f"{made()[0]}\n".encode(),
        "test.csv": table(["beginning"], [[context] for context in made()[1]]),
        "train.py": TRAIN.encode(),
    },
    read_only=("train.txt", "test.csv"),
    score=score,
)
