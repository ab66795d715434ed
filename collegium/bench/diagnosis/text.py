"""Texts as the rules compare them: words, numbers, cosines, sentences and stated answers."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from collegium.bench.diagnosis.phrases import FENCED
from collegium.kernel.outputs import stated_answer

ALIKE = 0.95
"""Cosine from which two texts count as the same (failure diagnosis, mode 1.3)."""

FEWEST_WORDS = 12
"""Shorter texts may be alike by chance: votes, verdicts, numbers."""

_WORD = re.compile(r"\w+")
_LONG_WORD = re.compile(r"\b[^\W\d]\w{3,}")
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?!\w)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_COMMON = (
    "this that these those with from have been were will would could should about which what when "
    "where there their they them then than your yours into also more most some such only very just "
    "over under after before does doing done being because while know knows given give gives need "
    "needs information details question answer problem solve provide provided please available "
    "stated specified mentioned told tell share find found recall remember case enough sure agent "
    "agents task"
)
_EMPTY = frozenset(_COMMON.split())


def words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case."""
    return _WORD.findall(text.lower())


def numbers(text: str) -> tuple[str, ...]:
    """The numbers of a text in order, without thousands separators."""
    return tuple(n.replace(",", "") for n in _NUMBER.findall(text))


def content(text: str) -> frozenset[str]:
    """The words that carry meaning: of four letters or more, without the commonest."""
    return frozenset(_LONG_WORD.findall(text.lower())) - _EMPTY


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text."""
    return [s.strip() for s in _SENTENCE.split(text) if s.strip()]


def around(text: str, start: int) -> str:
    """The sentence or line of a text in which a match begins."""
    stop = text.rfind(". ", 0, start)
    begin = max(text.rfind("\n", 0, start) + 1, stop + 2 if stop >= 0 else 0)
    ends = [i for i in (text.find("\n", start), text.find(". ", start)) if i >= 0]
    return text[begin : min(ends) + 1 if ends else len(text)].strip()


def fences(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a text: language and body."""
    return [(m[1].lower(), m[2]) for m in FENCED.finditer(text)] if "```" in text else []


def answer_in(text: str) -> str:
    """The answer that a reply states on its last line, in a box or in a field; "" for none."""
    stated = stated_answer(text)
    if stated is not None:
        return stated[1]
    if '"answer"' not in text:
        return ""
    try:
        value = msgspec.json.decode(text[text.find("{") : text.rfind("}") + 1])
    except (ValueError, RecursionError):
        return ""
    answer = value.get("answer") if isinstance(value, dict) else None
    return "" if answer is None or isinstance(answer, dict | list) else str(answer)


def same_answer(a: str, b: str) -> bool:
    """Whether two answers are the same number, or the same text but for case and dressing."""
    x, y = _plain(a), _plain(b)
    if x == y:
        return True
    try:
        return math.isclose(float(x), float(y), rel_tol=1e-9)
    except ValueError:
        return False


def _plain(answer: str) -> str:
    text = re.sub(r"\\(?:text|mathrm|left|right|boxed)\b|[\s$€£%{}*`\"']|\\[,;! ]", "", answer)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return text.rstrip(".").casefold()


class Said(msgspec.Struct, frozen=True):
    """A text with what it is compared by."""

    text: str
    vector: dict[str, float]
    numbers: tuple[str, ...]
    code: tuple[str, ...]


def said(text: str) -> Said | None:
    """Prepare a text for comparison; None when it is too short to be told apart by its words."""
    counts = Counter(words(text))
    if counts.total() < FEWEST_WORDS:
        return None
    norm = math.sqrt(sum(c * c for c in counts.values()))
    code = tuple("".join(body.split()) for _, body in fences(text))
    return Said(text, {w: c / norm for w, c in counts.items()}, numbers(text), code)


def cosine(a: Said, b: Said) -> float:
    """Cosine of the word counts of two texts, 0 to 1."""
    if len(b.vector) < len(a.vector):
        a, b = b, a
    other = b.vector
    return sum(weight * other.get(word, 0.0) for word, weight in a.vector.items())


def alike(a: Said, b: Said) -> bool:
    """Whether two texts say the same.

    A cosine of :data:`ALIKE` alone would also join texts that differ in what matters: a text with
    other numbers or other code has moved on, however few its words.
    """
    if a.numbers != b.numbers or a.code != b.code:
        return False
    return a.text == b.text or cosine(a, b) >= ALIKE


class Sayings:
    """The texts of one agent so far, searched for one that says the same.

    An exact search that reads few texts: of every text only its rarest words are indexed, so many
    that the rest alone cannot reach the cosine asked for (prefix filtering, Bayardo et al., 2007).

    Args:
        texts: All texts there will be; they say which words are rare.
    """

    def __init__(self, texts: Iterable[Said]) -> None:
        self._common: Counter[str] = Counter()
        for text in texts:
            self._common.update(text.vector.keys())
        # texts with other numbers are never alike, so each list of numbers has an index of its own
        self._indexes: defaultdict[tuple[str, ...], defaultdict[str, list[int]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._kept: list[Said] = []
        self._numbers: list[int] = []
        self._places: dict[str, int] = {}

    def earlier(self, text: Said) -> int | None:
        """The number of the newest earlier text that says the same."""
        place = self._places.get(text.text)
        if place is not None:
            return self._numbers[place]
        index = self._indexes[text.numbers]
        tried: set[int] = set()
        for word in text.vector.keys() & index.keys():
            tried.update(index[word])
        for place in sorted(tried, reverse=True):
            if alike(text, self._kept[place]):
                return self._numbers[place]
        return None

    def add(self, number: int, text: Said) -> None:
        """Keep a text under its number; one that is there word for word gets the new number."""
        place = self._places.setdefault(text.text, len(self._kept))
        if place < len(self._kept):
            self._numbers[place] = number
            return
        self._kept.append(text)
        self._numbers.append(number)
        index, left = self._indexes[text.numbers], 1.0
        for word in sorted(text.vector, key=lambda w: (self._common[w], w)):
            index[word].append(place)
            left -= text.vector[word] ** 2
            if left < ALIKE * ALIKE:
                break


def shared(facts: frozenset[str], wanted: frozenset[str]) -> float:
    """Which share of the wanted words a fact has."""
    return len(facts & wanted) / len(wanted) if wanted else 0.0


def has_value(text: str, value: str) -> bool:
    """Whether a number or word stands in a text by itself."""
    return bool(value) and value in text and _alone(value).search(text) is not None


def _alone(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.]){re.escape(value)}(?![\w]|\.\d)")


_CODE_NAME = re.compile(
    r"\b(?=\w*\d)(?=\w*[A-Za-z])[\w-]{3,}\b|\b[A-Z]{3,}[\w-]*\b|[\w.]+@[\w.]+\w"
)


def values(text: str) -> Sequence[str]:
    """What a text tells that cannot be guessed: numbers, codes, addresses, quoted words."""
    quoted = re.findall(r"[\"“]([^\"”\n]{2,40})[\"”]", text)
    return [*_NUMBER.findall(text), *_CODE_NAME.findall(text), *quoted]
