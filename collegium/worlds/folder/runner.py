"""Runs a program in the sandbox and brings back what it printed and the files it left.

This text is itself the program that runs in the sandbox: it starts the other one in the folder
``work``, waits, and prints one line of JSON. It uses nothing but Python's own library. Whatever the
other program does to it, it can only change what it could change anyway: the files of its folder.
"""

import base64
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys

SHOWN = 40_000


def main() -> None:
    """Run ``argv[2:]`` for at most ``argv[1]`` seconds and print what came of it."""
    seconds, command = float(sys.argv[1]), sys.argv[2:]
    with open("/tmp/out", "wb") as out, open("/tmp/err", "wb") as err:
        child = subprocess.Popen(
            command,
            cwd="work",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    files, skipped = collect("work")
    said = {"code": code, "out": text("/tmp/out"), "err": text("/tmp/err")}
    print(json.dumps({**said, "files": files, "skipped": skipped}))


def collect(root: str) -> tuple[dict[str, str], list[str]]:
    """The regular files below a folder, and what else lies there."""
    files: dict[str, str] = {}
    skipped: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f != "__pycache__"]
        for name in names + [f for f in folders if os.path.islink(os.path.join(folder, f))]:
            path = os.path.join(folder, name)
            inner = os.path.relpath(path, root)
            try:
                inner.encode()
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    skipped.append(inner)
                    continue
                with open(path, "rb") as file:
                    files[inner] = base64.b64encode(file.read()).decode()
            except (OSError, ValueError):
                skipped.append(repr(inner))
    return files, skipped


def text(path: str) -> str:
    """The beginning and the end of what was printed."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= SHOWN:
            return file.read().decode(errors="replace")
        begun = file.read(SHOWN // 2)
        file.seek(size - SHOWN // 2)
        left = f"\n[... {size - SHOWN} bytes left out ...]\n"
        return begun.decode(errors="replace") + left + file.read().decode(errors="replace")


if __name__ == "__main__":
    main()
