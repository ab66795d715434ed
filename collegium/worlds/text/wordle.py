"""Wordle: find a word of five letters in six guesses.

Each guess is answered letter by letter: ``g`` stands right, ``y`` is in the word elsewhere, ``b``
is not in it (or not once more). The words are ours.

Paper vs code vs ours
---------------------
* Rewards are those of the suite that the authors took the game from: -1 for a guess that is not the
  word, 0 for the word. What is judged is whether the word was found.
* A guess is written plainly or letter by letter ("c r a n e"). One that is no word of the list is
  refused: it uses up a move, and no guess.
"""

from __future__ import annotations

import functools
from collections import Counter
from importlib.resources import files
from typing import Any

import msgspec

from collegium.tasks.task import Score
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import Kind, Stateful, part

LETTERS, GUESSES = 5, 6

RULES = """Find a hidden English word of five letters in six guesses. A move is a word.
Each guess is answered letter by letter: g - right letter in the right place; y - the letter is in
the word, elsewhere; b - the letter is not in the word."""


class State(msgspec.Struct):
    """The guesses so far."""

    guesses: list[str] = []


class Wordle(Stateful[State]):
    """Find one word.

    Args:
        word: The word.
    """

    def __init__(self, word: str) -> None:
        self.word, self.state = word, State()

    def begin(self, seed: int | None) -> str:
        """No guess was made."""
        self.state = State([])
        return f"You have {GUESSES} guesses. Make the first."

    def step(self, action: str) -> Turn:
        """Guess."""
        guess = "".join(c for c in action.lower() if c.isalpha())
        if guess not in _known():
            return Turn(f"{action!r} is no word of the list; guess another.", -1.0)
        self.state.guesses.append(guess)
        marks = f"{' '.join(marked(guess, self.word))} ({guess})"
        if guess == self.word:
            return Turn(f"{marks}: that is the word.", 0.0, True)
        left = GUESSES - len(self.state.guesses)
        if not left:
            return Turn(f"{marks}: no guesses are left.", -1.0, True)
        return Turn(f"{marks}: {left} guess{'es' * (left > 1)} left.", -1.0)

    def actions(self) -> tuple[str, ...]:
        """Every word."""
        return words()

    def judge(self, answer: Any) -> Score:
        """Right when the word was found."""
        found = self.word in self.state.guesses
        return Score(float(found), found, facts={"guesses": float(len(self.state.guesses))})


def marked(guess: str, word: str) -> str:
    """The answer to a guess, one sign for each letter.

    A letter counts as often as the word has it: first where it stands right, then from the left.
    """
    left = Counter(w for g, w in zip(guess, word, strict=True) if g != w)
    signs = ""
    for g, w in zip(guess, word, strict=True):
        if g == w:
            signs += "g"
        elif left[g]:
            left[g] -= 1
            signs += "y"
        else:
            signs += "b"
    return signs


@functools.cache
def words() -> tuple[str, ...]:
    """The list of words."""
    text = files("collegium.worlds.text").joinpath("data/words.txt").read_text(encoding="ascii")
    return tuple(text.split())


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(words())


@functools.cache
def _hidden(split: str) -> list[str]:
    return part(words(), split, lambda word: f"wordle/{word}")


KINDS = (
    Kind(
        name="wordle",
        description="find a word of five letters in six guesses",
        rules=RULES,
        rounds=8,
        size=lambda split: len(_hidden(split)),
        make=lambda split, number: Wordle(_hidden(split)[number]),
        source="words of ours",
        licence="Apache-2.0",
        letters=True,
    ),
)
