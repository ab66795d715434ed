"""Making a site: its environment and its first state, once, in the user's cache.

The environment holds exactly the versions of ``requirements/NAME.txt``. The first state is made by
the site's own program from ``data/NAME.json``, with the clock at the times that are written there,
and is what every copy of the site begins from. Both are made again when what they are made from has
changed.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from collegium.errors import BadInput
from collegium.worlds.sites.site import DATA, PROGRAMS, REQUIREMENTS, Site

MINUTES = 15
"""How long an installation or a seeding may take."""

Say = Callable[[str], None]


def python_of(site: Site) -> Path:
    """The interpreter of its environment."""
    return site.home / "env" / "bin" / "python"


def missing(site: Site) -> str:
    """What a site needs that is not on this machine; "" when nothing is."""
    lacking = [program for program in site.needs if shutil.which(program) is None]
    if lacking:
        return f"{' and '.join(lacking)} (a package of the operating system)"
    if not (made(site)):
        return f"its environment: collegium world up {site.name}"
    return ""


def made(site: Site) -> bool:
    """Whether its environment and its first state are here and up to date."""
    return _is_stamped(site, "env", environment_stamp(site)) and _is_stamped(
        site, "seed", seed_stamp(site)
    )


def make(site: Site, say: Say = lambda text: None) -> None:
    """Make what of a site is not here yet.

    Args:
        site: Which.
        say: Is told what takes time.

    Raises:
        BadInput: The machine lacks a program, or the packages could not be had.
    """
    lacking = [program for program in site.needs if shutil.which(program) is None]
    if lacking:
        raise BadInput(
            f"the site {site.name!r} needs {' and '.join(lacking)}; install it with the package "
            "manager of the operating system."
        )
    site.home.mkdir(parents=True, exist_ok=True)
    with _alone(site.home / "making"):
        stamp = environment_stamp(site)
        if not _is_stamped(site, "env", stamp):
            say(f"Installing {site.package} {site.version} into an environment of its own ...")
            _make_environment(site)
            _stamp(site, "env", stamp)
            (site.home / "seed.stamp").unlink(missing_ok=True)
        stamp = seed_stamp(site)
        if not _is_stamped(site, "seed", stamp):
            say(f"Filling {site.name} from its data ...")
            _seed(site)
            _stamp(site, "seed", stamp)


def environment_stamp(site: Site) -> str:
    """What its environment depends on."""
    major, minor, _ = platform.python_version_tuple()
    digest = blake2b(f"{major}.{minor}".encode(), digest_size=16)
    digest.update((REQUIREMENTS / f"{site.name}.txt").read_bytes())
    return digest.hexdigest()


def seed_stamp(site: Site) -> str:
    """What its first state depends on."""
    digest = blake2b(environment_stamp(site).encode(), digest_size=16)
    own = (PROGRAMS / site.name).rglob("*")
    shared = (PROGRAMS / "common.py", PROGRAMS / "seed.py")
    files = [DATA / f"{site.name}.json", *shared, *own]
    for file in sorted(f for f in files if f.is_file() and f.suffix != ".pyc"):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    for account in site.accounts:
        digest.update(f"{account.name} {account.password} {account.session}".encode())
    return digest.hexdigest()


def environment_variables(site: Site, state: Path) -> dict[str, str]:
    """What the programs of a site read from the environment.

    Args:
        site: Which.
        state: The folder of its databases and files.
    """
    import json

    accounts = [(a.name, a.password, a.session) for a in site.accounts]
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
    return kept | {
        "SITE_NAME": site.name,
        "SITE_TITLE": site.title,
        "SITE_STATE": str(state),
        "SITE_STATIC": str(site.home / "static"),
        "SITE_DATA": str(DATA / f"{site.name}.json"),
        "SITE_ACCOUNTS": json.dumps(accounts),
        "SITE_COOKIE": site.cookie,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "TZ": "UTC",
    }


def _make_environment(site: Site) -> None:
    folder = site.home / "env"
    shutil.rmtree(folder, ignore_errors=True)
    _run(site, [sys.executable, "-m", "venv", str(folder)], "no environment could be made")
    wanted = str(REQUIREMENTS / f"{site.name}.txt")
    if uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--quiet", "--python", str(python_of(site)), "-r", wanted]
    else:
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        command = [str(python_of(site)), "-m", "pip", "install", *quiet, "-r", wanted]
    _run(site, command, "its packages could not be installed")


def _seed(site: Site) -> None:
    state = site.home / "seed"
    for folder in (state, site.home / "static"):
        shutil.rmtree(folder, ignore_errors=True)
    state.mkdir()
    command = [str(python_of(site)), str(PROGRAMS / "seed.py")]
    _run(site, command, "it could not be filled", environment_variables(site, state))


def _run(site: Site, command: list[str], problem: str, env: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=MINUTES * 60,
        )
    except subprocess.TimeoutExpired:
        raise BadInput(f"{site.name}: {problem} within {MINUTES} minutes; try again.") from None
    if done.returncode:
        log = site.home / "making.log"
        log.write_text(f"{done.stdout}\n{done.stderr}")
        last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise BadInput(f"{site.name}: {problem} ({last[:300]}); the whole of it is in {log}.")


def _is_stamped(site: Site, part: str, stamp: str) -> bool:
    file = site.home / f"{part}.stamp"
    return file.is_file() and file.read_text() == stamp and (site.home / part).is_dir()


def _stamp(site: Site, part: str, stamp: str) -> None:
    (site.home / f"{part}.stamp").write_text(stamp)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Whoever comes second waits, and then finds what the first made."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
