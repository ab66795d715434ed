"""What a sandboxed program sees and may spend, written as bubblewrap arguments.

The program sees the system's programs and libraries and one Python installation, all read-only,
a few harmless devices, its own processes, and one small private disk. It does not see the user's
home, the network, the environment, or any other process.
"""

import functools
import os
import resource
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

BOX = "/box"
"""The working folder inside the sandbox."""

MIB = 1024 * 1024

# The box lies on the private /tmp, so that one size limit holds for all a program can write.
_BOX_ON_DISK = "/tmp/box"
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")
_ETC = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "shm": "/tmp",
}
_OPEN_FILES = 256


class SandboxLimits(Struct, frozen=True):
    """What one sandboxed run may spend.

    Args:
        seconds: Wall-clock time in seconds; more than processor time, so that a busy machine does
            not fail a program that would be quick on a quiet one.
        cpu_seconds: Processor time of any one process, in whole seconds.
        memory_bytes: Memory in bytes: address space of any one process, and physical memory of
            all of them together.
        processes: How many processes and threads may exist at once.
        file_bytes: Size of any one file, in bytes.
        disk_bytes: Size of the private disk (working folder, /tmp and /dev/shm), in bytes. It
            lies in memory, on top of `memory_bytes`.
        output_bytes: Size of standard output, and of standard error, in bytes.
    """

    seconds: float = 30.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * MIB
    processes: int = 32
    file_bytes: int = 16 * MIB
    disk_bytes: int = 64 * MIB
    output_bytes: int = 64 * 1024

    def __post_init__(self) -> None:
        if any(getattr(self, name) <= 0 for name in self.__struct_fields__):
            raise ValueError("every limit of a sandbox must be greater than zero")


def needs_own_user() -> bool:
    """Say whether sandboxed programs must run as another user than we do.

    The kernel exempts the real root user from the process limit, so when we are root, a program
    becomes an unprivileged user that nothing else runs as. A "root" of a rootless container is an
    ordinary user to the kernel and is treated as one.
    """
    return os.geteuid() == 0 and _user_range() >= 65536


def sandbox_user() -> int | None:
    """Choose the user (and group) number that a run becomes; None if it may stay who we are.

    Every run gets its own, because the kernel counts processes per user: runs side by side would
    otherwise use up each other's process limit. The range is large, so that in all likelihood
    nothing else on the machine has the number.
    """
    if not needs_own_user():
        return None
    width = _user_range()
    return width // 2 + secrets.randbelow(width // 4)


def confined(
    command: list[str],
    python: Path,
    limits: SandboxLimits,
    *,
    user: int | None,
    files: Mapping[str, int],
    filter_fd: int,
    hidden: Sequence[Path] = (),
) -> list[str]:
    """Write the bubblewrap command that runs a command in a sandbox.

    Args:
        command: The program and its arguments, as seen inside.
        python: The Python interpreter whose installation the program may read.
        limits: What the run may spend.
        user: The user to become (see `sandbox_user`); None to use a user namespace.
        files: Path below the working folder -> descriptor that the content is read from.
        filter_fd: Descriptor that the system-call filter is read from.
        hidden: Folders of the installation that are empty inside; others are not there anyway.

    Returns:
        Program and arguments, without those that only the caller knows (status, blocking).
    """
    argv = [*_namespaces(user), *_visible(python), "--seccomp", str(filter_fd)]
    argv += ["--perms", "1777", "--size", str(limits.disk_bytes), "--tmpfs", "/tmp"]
    # The Python installation may lie below /tmp, so it comes after.
    argv += _installation(python)
    for folder in hidden:
        if _is_bound(folder, argv):
            argv += ["--tmpfs", str(folder), "--remount-ro", str(folder)]
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    for folder in sorted(folders | {"."}):
        argv += ["--perms", "0777", "--dir", str(PurePosixPath(_BOX_ON_DISK, folder))]
    for name, descriptor in files.items():
        argv += ["--perms", "0777", "--file", str(descriptor), f"{_BOX_ON_DISK}/{name}"]
    # Whatever bubblewrap made itself is memory without a limit: writable for nobody.
    argv += ["--symlink", _BOX_ON_DISK, BOX, "--remount-ro", "/dev", "--remount-ro", "/"]
    argv += ["--chdir", BOX, *_environment(python), "--"]
    return argv + _limited(limits) + _as_user(user) + command


def _user_range() -> int:
    """Count the user numbers that exist for us, up to what a signed 32-bit number holds."""
    try:
        rows = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return 0
    widest = max((int(first) + int(length) for first, _, length in rows), default=0)
    return min(widest, 2**31 - 2)


def _namespaces(user: int | None) -> list[str]:
    argv = [_program("bwrap"), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    argv += ["--unshare-cgroup-try", "--hostname", "box", "--die-with-parent", "--new-session"]
    if user is None:
        return [*argv, "--unshare-user", "--uid", "65534", "--gid", "65534"]
    # Just enough to become that user; `setpriv` gives these three up as well.
    argv += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return [*argv, "--cap-add", "CAP_SETPCAP"]


def _limited(limits: SandboxLimits) -> list[str]:
    wanted = {
        "as": (resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes),
        # The soft limit's signal tells us what happened; a program that ignores it is killed.
        "cpu": (resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        "nproc": (resource.RLIMIT_NPROC, limits.processes, limits.processes),
        "nofile": (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        "core": (resource.RLIMIT_CORE, 0, 0),
    }
    argv = [_program("prlimit")]
    for name, (kind, soft, hard) in wanted.items():
        # A limit that already holds for us can be lowered but not raised.
        ours = resource.getrlimit(kind)[1]
        if ours != resource.RLIM_INFINITY:
            soft, hard = min(soft, ours), min(hard, ours)
        argv.append(f"--{name}={soft}:{hard}")
    return [*argv, "--"]


def _as_user(user: int | None) -> list[str]:
    if user is None:
        return []
    argv = [_program("setpriv"), f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return [*argv, "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"]


@functools.cache
def _program(name: str) -> str:
    return shutil.which(name) or name


@functools.cache
def _visible(python: Path) -> tuple[str, ...]:
    argv = ["--ro-bind", "/usr", "/usr"]
    for folder in _SYSTEM:
        if os.path.islink(folder):
            argv += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            argv += ["--ro-bind", folder, folder]
    for path in _ETC:
        argv += ["--ro-bind-try", path, path]
    argv += ["--proc", "/proc", "--tmpfs", "/dev"]
    for device in _DEVICES:
        argv += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for name, target in _DEVICE_LINKS.items():
        argv += ["--symlink", target, f"/dev/{name}"]
    return tuple(argv)


@functools.cache
def _installation(python: Path) -> tuple[str, ...]:
    """Bind the parts of a Python installation that running needs, wherever it lies.

    For a virtual environment that is the environment and the installation below it. Only these
    folders are bound, since an installation may lie in the user's home.
    """
    links = _links(python)
    roots = [python.parent.parent, Path(os.path.realpath(python)).parent.parent]
    config = python.parent.parent / "pyvenv.cfg"
    if config.is_file():
        settings = (line.partition("=") for line in config.read_text().splitlines())
        roots += [Path(value.strip()).parent for key, _, value in settings if key.strip() == "home"]
    argv: list[str] = []
    bound = [Path("/usr"), *(Path(folder) for folder in _SYSTEM)]
    for root in roots:
        if root == Path("/") or any(root.is_relative_to(known) for known in bound):
            continue
        # Bubblewrap would make the folders on the way unreadable to any other user.
        for folder in [*reversed(root.parents), root]:
            if str(folder) not in ("/", "/tmp"):
                argv += ["--perms", "0755", "--dir", str(folder)]
        for part in ("bin", "lib", "lib64", "pyvenv.cfg"):
            argv += ["--ro-bind-try", str(root / part), str(root / part)]
        bound.append(root)
    for link in links:
        if not any(link.is_relative_to(known) for known in bound):
            argv += ["--perms", "0755", "--dir", str(link.parent)]
            argv += ["--symlink", os.readlink(link), str(link)]
    return tuple(argv)


def _is_bound(folder: Path, argv: Sequence[str]) -> bool:
    """Whether a folder that exists lies in something that is bound into the sandbox."""
    bound = [argv[i + 2] for i, word in enumerate(argv) if word in ("--ro-bind", "--ro-bind-try")]
    return folder.is_dir() and any(folder.is_relative_to(place) for place in bound)


def _links(path: Path) -> list[Path]:
    """List the symbolic links that lead, one to the next, from a path to the real file."""
    links: list[Path] = []
    while path.is_symlink() and path not in links:
        links.append(path)
        path = Path(os.path.normpath(path.parent / os.readlink(path)))
    return links


@functools.cache
def _environment(python: Path) -> tuple[str, ...]:
    values = {
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": BOX,
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        # What a program printed before it was stopped tells where it hung.
        "PYTHONUNBUFFERED": "1",
        # Numerical libraries would start a thread per core and run into the process limit.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    argv = ["--clearenv"]
    for name, value in values.items():
        argv += ["--setenv", name, value]
    return tuple(argv)
