"""An engine compiled for this machine's own processor, kept only if it is measurably faster.

The wheel's engine runs on any processor of its architecture and uses none of the newer
instructions; built here, the same source reads and writes up to half as fast again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import msgspec

from collegium.errors import BadInput, ModelError, missing_extra
from collegium.kernel.calls import Generate, Message
from collegium.models.fetch import pip_command
from collegium.models.local import LocalModel
from collegium.models.native import Native, native_folder, processor_id
from collegium.models.weights import EMBEDDED, file_digest, weights_file

OnLine = Callable[[str], None]
"""Told what is going on, a line at a time."""

_SOURCE = "thirdparty/llama.cpp/"
_FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_UI=OFF",
)
_READ_WORDS = 400
_WRITE_TOKENS = 64
_ROUNDS = 3


class Speed(msgspec.Struct, frozen=True):
    """Tokens per second: reading a prompt, writing one sample, writing four at once."""

    read: float
    write: float
    write_four: float


class TuneReport(msgspec.Struct, frozen=True):
    """What tuning brought.

    Attributes:
        installed: Whether the native engine is used from now on.
        model: The model it was measured with.
        wheel: Speed of the wheel's engine.
        native: Speed of the engine built here, measured in turns with the other.
        gain: How many times as fast it writes and reads (geometric mean).
        version: Release of xllamacpp whose source was built.
        seconds: How long the build took.
    """

    installed: bool
    model: str
    wheel: Speed
    native: Speed
    gain: float
    version: str
    seconds: float


def tune(*, on_line: OnLine | None = None, model: str | None = None) -> TuneReport:
    """Build the engine for this processor, measure it beside the wheel's, keep the faster one.

    Args:
        on_line: Told what is going on.
        model: The embedded model to measure with; by default the largest one on this machine.

    Raises:
        BadInput: A tool for building is missing, or the build fails.
        MissingExtra: The wheel is not installed.
        WeightsMissing: There is no embedded model to measure with.
    """
    say = on_line or (lambda line: None)
    try:
        version = metadata.version("xllamacpp")
    except metadata.PackageNotFoundError:
        raise missing_extra("local", "tuning the engine") from None
    generator = _check_tools()
    measured = model or _largest_here()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="collegium-tune-") as scratch:
        folder = Path(scratch)
        say(f"fetching the source of xllamacpp {version}")
        source = _unpack(_download(folder, version), folder)
        built = _build(source, folder / "build", generator, say)
        seconds = time.monotonic() - began
        say(f"built in {seconds:.0f} s; measuring with {measured}")
        subprocess.run(["strip", str(built)], capture_output=True, check=False)
        with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop of its own
            wheel, native = thread.submit(asyncio.run, _measure(measured, built, say)).result()
        gain = ((native.read / wheel.read) * (native.write / wheel.write)) ** 0.5
        report = TuneReport(gain > 1.0, measured, wheel, native, gain, version, seconds)
        if report.installed:
            _install(built, version)
        else:
            untune()
    say(
        f"wheel: reads {wheel.read:.0f}, writes {wheel.write:.1f} tokens/s; "
        f"native: reads {native.read:.0f}, writes {native.write:.1f} tokens/s; "
        + (f"native kept ({gain:.2f} times as fast)" if report.installed else "wheel kept")
    )
    return report


def untune() -> bool:
    """Remove the native engine; the wheel's is used again.

    Returns:
        Whether there was one.
    """
    folder = native_folder()
    there = folder.is_dir()
    shutil.rmtree(folder, ignore_errors=True)
    return there


def _check_tools() -> str:
    """Make sure a build is possible; returns CMake's generator.

    Raises:
        BadInput: A tool is missing.
    """
    missing = []
    if not shutil.which("cmake"):
        missing.append("cmake")
    generator = "Ninja" if shutil.which("ninja") else "Unix Makefiles"
    compiler = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), "")
    if not compiler or (generator == "Unix Makefiles" and not shutil.which("make")):
        missing.append("build-essential")
    if missing:
        raise BadInput(
            f"building the engine needs {' and '.join(missing)}; on Debian or Ubuntu: "
            f"sudo apt install {' '.join(missing)} (ninja-build makes it quicker). "
            "The wheel's engine goes on working without."
        )
    return generator


def _largest_here() -> str:
    """The largest embedded model whose weights are on this machine; the default if none is."""
    here = [w for w in EMBEDDED.values() if weights_file(w).is_file()]
    return max(here, key=lambda w: w.size).name if here else "local"


def _download(folder: Path, version: str) -> Path:
    """Fetch the source archive from the package index."""
    command = [
        *pip_command(),
        *("download", "--no-deps", "--no-binary=xllamacpp", "--no-cache-dir"),
        *("--disable-pip-version-check", "--no-input", "--dest", str(folder)),
        f"xllamacpp=={version}",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(folder)}
    )
    archives = sorted(folder.rglob("xllamacpp-*.tar.gz"))
    if not archives:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        words = said[-1].removeprefix("ERROR: ") if said else "pip gave no reason"
        raise BadInput(f"the source of xllamacpp {version} could not be fetched: {words}")
    return archives[0]


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack llama.cpp's part of the source archive; returns its folder."""
    with tarfile.open(archive) as tar:
        root = tar.getnames()[0].split("/")[0]
        inside = f"{root}/{_SOURCE}"
        tar.extractall(
            folder, [m for m in tar.getmembers() if m.name.startswith(inside)], filter="data"
        )
    return folder / root / _SOURCE


def _build(source: Path, build: Path, generator: str, say: OnLine) -> Path:
    """Configure and compile; returns the server program."""
    jobs = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    for command in (
        ["cmake", "-S", str(source), "-B", str(build), "-G", generator, *_FLAGS],
        ["cmake", "--build", str(build), "--target", "llama-server", "-j", jobs],
    ):
        last: list[str] = []
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            assert process.stdout
            try:
                for line in process.stdout:
                    last = [*last[-7:], line.strip()]
                    say(line.rstrip())
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            errors = [line for line in last if "rror" in line] or last
            raise BadInput(f"building the engine failed: {errors[-1] if errors else '?'}")
    return build / "bin" / "llama-server"


def _install(built: Path, version: str) -> None:
    """Put the program and its record into the cache."""
    folder = native_folder()
    folder.mkdir(parents=True, exist_ok=True)
    digest = file_digest(built)[:12]
    record = Native(
        server=f"llama-server-{digest}",
        version=version,
        build=f"native-{version}-{digest}",
        processor=processor_id(),
    )
    temporary = folder / f"{record.server}.new"
    shutil.copy2(built, temporary)
    os.replace(temporary, folder / record.server)
    file = folder / "engine.json.new"
    file.write_bytes(msgspec.json.encode(record))
    os.replace(file, folder / "engine.json")
    for old in folder.glob("llama-server-*"):
        if old.name != record.server:
            old.unlink()


async def _measure(name: str, built: Path, say: OnLine) -> tuple[Speed, Speed]:
    """Measure both engines in turns, so that other load on the machine hits them alike."""
    engines = {
        "wheel": LocalModel(name, slots=4, engine="wheel"),
        "native": LocalModel(name, slots=4, engine=built),
    }
    rounds: dict[str, list[Speed]] = {kind: [] for kind in engines}
    try:
        for number in range(_ROUNDS + 1):
            for kind, model in engines.items():
                speed = await measure_speed(model)
                if number:  # the first round loads weights and warms up
                    rounds[kind].append(speed)
                    say(f"  {kind}: reads {speed.read:.0f}, writes {speed.write:.1f} tokens/s")
    finally:
        for model in engines.values():
            await model.aclose()
    return _median(rounds["wheel"]), _median(rounds["native"])


def _median(speeds: list[Speed]) -> Speed:
    middle = len(speeds) // 2
    return Speed(
        read=sorted(s.read for s in speeds)[middle],
        write=sorted(s.write for s in speeds)[middle],
        write_four=sorted(s.write_four for s in speeds)[middle],
    )


async def measure_speed(model: LocalModel) -> Speed:
    """Time one reading and two writings of an embedded model.

    Args:
        model: An exact one, or cached prompts would make reading look free.

    Raises:
        ModelError: The engine does not work.
    """
    long = " ".join(f"word{i % 7}" for i in range(_READ_WORDS))
    began = time.perf_counter()
    (reply,) = await model.generate(_request(long, 1))
    read = reply.usage.prompt / (time.perf_counter() - began)
    speeds = []
    for n in (1, 4):
        began = time.perf_counter()
        replies = await model.generate(_request("Write a long story about a village.", n, True))
        written = sum(r.usage.completion for r in replies)
        if not written:
            raise ModelError(f"the engine of {model.name!r} writes nothing")
        speeds.append(written / (time.perf_counter() - began))
    return Speed(read, *speeds)


def _request(text: str, n: int, write: bool = False) -> Generate:
    return Generate(
        agent="measure",
        role="measure",
        messages=(Message("user", text),),
        n=n,
        seed=1,
        max_tokens=_WRITE_TOKENS if write else 1,
    )
