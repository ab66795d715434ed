"""Who was told what: sentences that hold a value, found again by the words around it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from heapq import nlargest
from math import ceil

import msgspec

from collegium.bench.diagnosis.phrases import LACKS
from collegium.bench.diagnosis.text import around, content, has_value, sentences, shared, values
from collegium.bench.diagnosis.view import Turn, View

COVERED = 0.6
"""Share of the words of what is missing that a fact must have to be it."""

MOST = 50
"""So many statements of something missing are looked into; a trace with more is one failure."""

LONGEST = 400
"""Characters of the longest sentence that can be a fact or a lack; longer ones are lists."""

NEAREST = 20
"""So many facts are held against a lack, best first."""


class Fact(msgspec.Struct, frozen=True):
    """A sentence with a value in it.

    Attributes:
        agent: Who knew it.
        call: The event by which it knew.
        told: It came from outside; otherwise the agent wrote it itself.
        text: The sentence.
        values: What it tells.
    """

    agent: str
    call: int
    told: bool
    text: str
    values: tuple[str, ...]


class Lack(msgspec.Struct, frozen=True):
    """An agent's statement that it lacks something, and the words for what that is."""

    turn: Turn
    text: str
    wanted: frozenset[str]


class Facts:
    """All that agents knew, indexed by word.

    Args:
        view: The trace.
    """

    def __init__(self, view: View) -> None:
        self._inputs: defaultdict[str, list[str]] = defaultdict(list)
        self._told: dict[str, str] = {}
        self._found: list[tuple[Fact, frozenset[str]]] = []
        self._index: defaultdict[str, list[int]] = defaultdict(list)
        seen: set[tuple[str, bool, str]] = set()
        for agent, call, told, text in _known(view):
            if (agent, told, text) in seen:
                continue
            seen.add((agent, told, text))
            if told:
                self._inputs[agent].append(text)
            for sentence in sentences(text):
                if len(sentence) > LONGEST or not (held := tuple(values(sentence))):
                    continue
                if about := content(sentence):
                    self._keep(Fact(agent, call, told, sentence, held), about)

    def _keep(self, fact: Fact, about: frozenset[str]) -> None:
        for word in about:
            self._index[word].append(len(self._found))
        self._found.append((fact, about))

    def about(self, wanted: frozenset[str]) -> list[Fact]:
        """Facts about something, best first."""
        # A fact with this share of the words has at least one of the rarest of them.
        rarest = sorted(wanted, key=lambda w: (len(self._index.get(w, ())), w))
        rarest = rarest[: len(wanted) - ceil(COVERED * len(wanted)) + 1]
        places = {place for word in rarest for place in self._index.get(word, ())}
        scored = ((shared(self._found[p][1], wanted), -p) for p in places)
        best = nlargest(NEAREST, (s for s in scored if s[0] >= COVERED))
        return [self._found[-p][0] for _, p in best]

    def ever_told(self, agent: str, fact: Fact) -> bool:
        """Whether a value of a fact ever stood in an agent's input."""
        if agent not in self._told:
            self._told[agent] = "\n".join(self._inputs.get(agent, ()))
        return any(has_value(self._told[agent], v) for v in fact.values)


def lacks(view: View) -> list[Lack]:
    """Where agents say that they lack something."""
    found: list[Lack] = []
    for turn in view.turns:
        for text in turn.texts if not turn.fix else ():
            for match in LACKS.finditer(text):
                sentence = around(text, match.start())
                wanted = content(sentence)
                if wanted and len(sentence) <= LONGEST:
                    found.append(Lack(turn, sentence, wanted))
        if len(found) >= MOST:
            break
    return found[:MOST]


def in_request(turn: Turn, fact: Fact) -> bool:
    """Whether a value of a fact stands in the request of a turn."""
    return any(has_value(m.text, v) for m in turn.call.messages for v in fact.values)


def _known(view: View) -> Iterator[tuple[str, int, bool, str]]:
    """(agent, event, told or said, text) of all that agents read or wrote."""
    for turn in view.turns:
        for message in turn.call.messages:
            if message.role != "assistant":
                yield turn.agent, turn.id, True, message.text
        for text in turn.texts:
            yield turn.agent, turn.id, False, text
        for heard in turn.heard:
            yield turn.agent, turn.id, True, heard.text
    for use in view.uses:
        text = use.value if isinstance(use.value, str) else use.result
        yield use.agent, use.id, True, text
    for question in view.questions:
        yield question.agent, question.id, True, question.answer
