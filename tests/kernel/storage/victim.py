"""A program to be killed while it writes, rolls back and deletes files.

    python victim.py FOLDER LOG SEED [POINT]

LOG gets one line before each call ("? ...") and one after it ("! ..."). With a POINT the program
kills itself the moment it gets there for the third time.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collegium.kernel import Access, Delete, Rollback, Store
from collegium.kernel.access import always
from collegium.kernel.storage import Storage
from collegium.kernel.storage.index import Index

PATHS = ("a.md", "b.md", "deep/c.md")


def text_of(path: str, number: int) -> str:
    """A text of up to 400 kB that says whose it is from its beginning to its end."""
    rng = random.Random(f"{path} {number}")
    word = f"{path.replace('/', '-')}-{number}"
    return f"{number}\n" + f"{word} filler\n\n" * rng.randrange(1, 20_000) + f"end of {word}\n"


def log(line: str) -> None:
    file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def die_third(module: Any, name: str, *, after: bool) -> None:
    """Die at the third call of a function: before it or after it."""
    real: Callable[..., Any] = getattr(module, name)
    count = 0

    def dying(*args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == 3 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **options)
        if count == 3 and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(module, name, dying)


POINTS: dict[str, tuple[Any, str, bool]] = {
    "content written aside": (Index, "add", False),
    "version committed": (Index, "add", True),
    "before the rename": (os, "replace", False),
    "after the rename": (os, "replace", True),
    "before older versions go": (Index, "prune", False),
    "put aside": (Index, "forget", False),
    "put aside and forgotten": (Index, "forget", True),
}


async def main() -> None:
    if len(sys.argv) > 4:
        module, name, after = POINTS[sys.argv[4]]
        die_third(module, name, after=after)
    rng = random.Random(sys.argv[3])
    drivers = Storage(Path(sys.argv[1]), access=Access(ask=always), versions=3).drivers
    log("ready")
    number = 0
    while True:
        number += 1
        path = PATHS[rng.randrange(len(PATHS))]
        kind = rng.choices(["store", "rollback", "delete"], [8, 2, 2])[0]
        call: Any = Store(agent="ann", path=path, text=text_of(path, number))
        if kind == "rollback":
            call = Rollback(agent="ann", path=path)
        elif kind == "delete":
            call = Delete(agent="ann", path=path)
        log(f"? {kind} {path} {number}")
        try:
            await drivers[type(call)](call)
        except Exception:
            if kind != "rollback":  # there may be nothing to go back to
                raise
            kind = "nothing"
        log(f"! {kind} {path} {number}")


if __name__ == "__main__":
    asyncio.run(main())
