"""Finding notes by their words: BM25 in SQLite's full-text index, one index per bank.

The indexes hold no text of their own. Words are folded to lower case without accents and cut to
their English stems; other languages are found by whole words.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterable

TOKENIZER = "porter unicode61 remove_diacritics 2"

POSTINGS = 5_000
"""Occurrences that one search reads at most, the rarest words first.

BM25 weighs a word by its rarity, so the words left out are those that say least.
"""

MOST_WORDS = 64
"""Words of a query that are looked at."""

_WORD = re.compile(r"[^\W_]+")


class Words:
    """The full-text indexes of a database.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database
        # FTS5 itself cuts a query into stems: here, in a table that stays empty otherwise.
        self._desk = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._desk.execute(
            f"CREATE VIRTUAL TABLE desk USING fts5(text, content='', tokenize='{TOKENIZER}')"
        )
        self._desk.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(desk, instance)")
        self._watched: set[int] = set()

    def make(self, bank: int) -> None:
        """Make the index of a new bank."""
        self._db.execute(
            f"CREATE VIRTUAL TABLE words_{bank} "
            f"USING fts5(text, content='', tokenize='{TOKENIZER}')"
        )

    def add(self, bank: int, rows: Iterable[tuple[int, str]]) -> None:
        """Take in texts under new slots."""
        self._db.executemany(f"INSERT INTO words_{bank}(rowid, text) VALUES (?, ?)", rows)

    def remove(self, bank: int, slot: int, text: str) -> None:
        """Take a text out; it must be the one that was put in."""
        self._db.execute(
            f"INSERT INTO words_{bank}(words_{bank}, rowid, text) VALUES ('delete', ?, ?)",
            (slot, text),
        )

    def find(self, bank: int, query: str, k: int, notes: int) -> list[tuple[int, float]]:
        """The ``k`` slots that fit a query best, with scores, best first.

        The score is BM25 over what a note of average length would get that holds every word of
        the query once; 1 at most.

        Args:
            bank: The bank.
            query: Its words are looked for, each by itself.
            k: How many at most.
            notes: How many notes the bank holds.
        """
        stems = self._stems(query)
        counted = self._counted(bank, stems)
        wanted, left = [], POSTINGS
        for word, having in counted:
            if wanted and having > left:
                break
            wanted.append(word)
            left -= having
        if not wanted:
            return []
        match = " OR ".join(f'"{w}"' for w in wanted)
        rows = self._db.execute(
            f"SELECT rowid, rank FROM words_{bank} WHERE words_{bank} MATCH ? "
            "ORDER BY rank, rowid LIMIT ?",
            (match, k),
        ).fetchall()
        # Robertson and Zaragoza, 2009, eq. 3.3: a word that a note of average length holds once
        # adds its inverse document frequency. FTS5 gives BM25 as a negative number.
        best = sum(_rarity(having, notes) for _, having in counted)
        best += (len(stems) - len(counted)) * _rarity(0, notes)
        return [(slot, min(1.0, -rank / best)) for slot, rank in rows]

    def close(self) -> None:
        """Let go of what :meth:`find` needed."""
        self._desk.close()

    def _stems(self, query: str) -> dict[str, str]:
        """One word of the query for each stem in it."""
        words = list(dict.fromkeys(_WORD.findall(query)))[:MOST_WORDS]
        rows = [(i, w) for i, w in enumerate(words)]
        self._desk.executemany("INSERT INTO desk(rowid, text) VALUES (?, ?)", rows)
        found = self._desk.execute("SELECT term, doc FROM stems ORDER BY doc").fetchall()
        self._desk.execute("INSERT INTO desk(desk) VALUES ('delete-all')")
        stems: dict[str, str] = {}
        for stem, i in found:
            stems.setdefault(stem, words[i])
        return stems

    def _counted(self, bank: int, stems: dict[str, str]) -> list[tuple[str, int]]:
        """Words of the query that notes hold, with how many do, the rarest first."""
        if bank not in self._watched:
            self._db.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.stems_{bank} "
                f"USING fts5vocab(main, words_{bank}, row)"
            )
            self._watched.add(bank)
        counted = []
        for stem, word in stems.items():
            row = self._db.execute(
                f"SELECT doc FROM temp.stems_{bank} WHERE term = ?", (stem,)
            ).fetchone()
            if row:
                counted.append((word, row[0]))
        return sorted(counted, key=lambda c: (c[1], c[0]))


def _rarity(having: int, notes: int) -> float:
    """FTS5's inverse document frequency of a word that so many of the notes hold."""
    rarity = math.log((notes - having + 0.5) / (having + 0.5))
    return rarity if rarity > 0 else 1e-6
