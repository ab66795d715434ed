"""Concordia's associative memory, driven from outside; run by :mod:`collegium.bench.speed_memory`.

It needs gdm-concordia and nothing of collegium, so any Python that has that can run it:

    python concordia_memory.py VECTORS.npy TEXTS.txt

Each line read asks for something ("insert 5", "recall 3 10": queries are the last vectors, from
the end), each line written is a JSON list of the seconds that each single operation took.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from time import perf_counter
from typing import Any


def main() -> None:
    """Serve until the input ends."""
    import numpy as np
    from concordia.associative_memory.basic_associative_memory import (  # pyright: ignore
        AssociativeMemoryBank,
    )

    vectors: Any = np.load(sys.argv[1])
    with open(sys.argv[2]) as file:
        texts = file.read().splitlines()
    bank = AssociativeMemoryBank(lambda text: vectors[int(text.partition(" ")[0])])
    done = 0
    print(json.dumps(version("gdm-concordia")), flush=True)
    for line in sys.stdin:
        what, *numbers = line.split()
        times = []
        for i in range(int(numbers[0])):
            if what == "insert":
                begin = perf_counter()
                bank.add(texts[done])
                times.append(perf_counter() - begin)
                done += 1
            else:
                query = texts[len(texts) - 1 - i]
                begin = perf_counter()
                bank.retrieve_associative(query, int(numbers[1]))
                times.append(perf_counter() - begin)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
