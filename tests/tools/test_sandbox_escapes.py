"""Programs that try to get out of the sandbox, to look around, or to outlive it."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collegium.tools.sandbox import SandboxResult, sandbox_problem

pytestmark = pytest.mark.skipif(sandbox_problem() is not None, reason=str(sandbox_problem()))

Attempt = Callable[..., SandboxResult]
Running = Callable[[str], int]

REPOSITORY = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def secret_in(folder: Path) -> Iterator[tuple[Path, str]]:
    path, text = folder / f".sandbox-test-{secrets.token_hex(8)}", secrets.token_hex(16)
    path.write_text(text)
    try:
        yield path, text
    finally:
        path.unlink()


SECRET_PLACES = {Path.home(), REPOSITORY, Path("/tmp"), Path("/var/tmp")}


@pytest.mark.parametrize("folder", sorted(SECRET_PLACES))
def test_files_of_the_user_are_not_there(folder: Path, attempt: Attempt) -> None:
    if not os.access(folder, os.W_OK):
        pytest.skip(f"{folder} is not writable here")
    with secret_in(folder) as (path, text):
        result = attempt(f"""
            import os
            for way in ('', '/proc/1/root', '/box/../..'):
                try:
                    print(open(way + {str(path)!r}).read())
                except OSError as error:
                    print(type(error).__name__)
            for folder, _, names in os.walk({str(folder)!r}):
                for name in names:
                    if name == {path.name!r}: print(open(folder + '/' + name).read())
        """)
    assert result.status == "ok", result
    assert text not in result.stdout


def test_a_symbolic_link_leads_nowhere(attempt: Attempt) -> None:
    with secret_in(Path.home()) as (path, text):
        result = attempt(f"""
            import os
            for number, target in enumerate(({str(path)!r}, '/proc/1/cwd', '/proc/1/fd/0', '/..')):
                os.symlink(target, f'link{{number}}')
                try:
                    print(open(f'link{{number}}').read())
                except OSError as error:
                    print(type(error).__name__)
        """)
    assert result.status == "ok", result
    assert text not in result.stdout


def test_system_secrets_and_host_sockets_are_not_there(attempt: Attempt) -> None:
    result = attempt("""
        import os
        for path in ('/etc/shadow', '/etc/passwd', '/etc/ssh', '/run', '/var', '/home', '/sys',
                     '/boot', '/mnt', '/dev/sda', '/dev/mem', '/dev/kmsg', '/dev/fuse', '/dev/tty'):
            if os.path.exists(path): print(path)
    """)
    assert (result.status, result.stdout) == ("ok", "")


def test_the_environment_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    token = secrets.token_hex(16)
    monkeypatch.setenv("API_KEY_FOR_TEST", token)
    # In a new process, since /proc shows the environment that a process was started with.
    code = textwrap.dedent("""
        import glob, os
        print(dict(os.environ))
        for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):
            try:
                print(path, open(path, 'rb').read())
            except OSError as error:
                print(path, type(error).__name__)
    """)
    runner = (
        "import asyncio, sys; from collegium.tools.sandbox import run_python;"
        "print(asyncio.run(run_python(sys.stdin.read())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", runner],
        input=code,
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    assert "/proc/1/" in done.stdout
    assert token not in done.stdout


def test_there_is_no_network(attempt: Attempt) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        # The server can be reached from here ...
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        server.accept()[0].close()
        # ... but not from there.
        result = attempt(f"""
            import socket
            for address in (('127.0.0.1', {port}), ('10.0.0.1', 80), ('1.1.1.1', 53)):
                try:
                    socket.create_connection(address, timeout=1); print('connected', address)
                except OSError as error:
                    print(type(error).__name__)
            try:
                print('resolved', socket.getaddrinfo('example.org', 80))
            except OSError as error:
                print(type(error).__name__)
            for family in (16, 17, 38, 40):  # netlink, packet, kernel crypto, hypervisor
                try:
                    socket.socket(family, socket.SOCK_RAW); print('opened', family)
                except OSError as error:
                    print(type(error).__name__)
        """)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    assert result.status == "ok", result
    for word in ("connected", "resolved", "opened"):
        assert word not in result.stdout


def test_a_host_socket_in_the_abstract_namespace_is_out_of_reach(attempt: Attempt) -> None:
    name = f"\0sandbox-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        result = attempt(f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})")
    assert "ConnectionRefusedError" in result.stderr


@pytest.mark.parametrize(
    "path", ["/", "/usr", "/usr/bin", "/etc", "/dev", "/proc", "/lib", "/root"]
)
def test_the_system_can_not_be_written(path: str, attempt: Attempt) -> None:
    result = attempt(f"""
        import os
        try:
            open({path!r} + '/planted', 'w'); print('written')
        except OSError as error:
            print(type(error).__name__)
    """)
    assert "written" not in result.stdout
    assert not os.path.exists(f"{path}/planted")


def test_the_python_installation_can_not_be_written(attempt: Attempt) -> None:
    result = attempt("""
        import json, os, sys
        for folder in (sys.prefix, sys.base_prefix, os.path.dirname(json.__file__)):
            os.chdir(folder)
            for make in (lambda p: open(p, 'w'), os.mkdir, lambda p: os.chmod('.', 0o777)):
                try:
                    make('planted'); print('written')
                except OSError as error:
                    print(type(error).__name__)
    """)
    assert result.status == "ok", result
    assert "written" not in result.stdout


def test_new_namespaces_and_mounts_are_refused(attempt: Attempt) -> None:
    result = attempt("""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        clone = 56 if os.uname().machine == 'x86_64' else 220
        for flag in (0x10000000, 0x00020000, 0x10020000, 0x40000000):
            print(libc.unshare(flag))
            print(libc.syscall(clone, flag | 17, 0, 0, 0, 0))
        print(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None), libc.umount2(b'/usr', 0))
    """)
    assert set(result.stdout.split()) == {"-1"}, result


def test_killing_everything_only_kills_itself(attempt: Attempt) -> None:
    bystander = subprocess.Popen(["sleep", "30"])
    try:
        result = attempt("""
            import os, signal
            for target in (-1, os.getppid(), 1, 0):
                try:
                    os.kill(target, signal.SIGKILL)
                except OSError as error:
                    print(type(error).__name__)
        """)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert result.status == "killed", result


def test_other_processes_can_not_be_seen_or_traced(attempt: Attempt) -> None:
    result = attempt(f"""
        import ctypes, glob, os
        libc = ctypes.CDLL(None, use_errno=True)
        print(sorted(int(path[6:]) for path in glob.glob('/proc/[0-9]*')))
        for target in (os.getppid(), 1, {os.getpid()}):
            print(libc.ptrace(16, target, 0, 0), libc.ptrace(0x4206, target, 0, 0))
            try:
                open(f'/proc/{{target}}/mem', 'r+b'); print('opened')
            except OSError as error:
                print(type(error).__name__)
    """)
    seen, *traced = result.stdout.splitlines()
    assert len(seen.split(",")) == 2, result
    assert traced.count("-1 -1") == 3, result


def test_a_daemon_does_not_outlive_the_run(attempt: Attempt, running: Running) -> None:
    mark = f"outlive-{secrets.token_hex(8)}"
    result = attempt(f"""
        import os, subprocess, sys
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                null = os.open('/dev/null', os.O_RDWR)
                for descriptor in (0, 1, 2): os.dup2(null, descriptor)
                os.execvp('sh', ['sh', '-c', 'sleep 60; : {mark}'])
            os._exit(0)
        os.wait()
    """)
    assert result.status == "ok", result
    assert result.seconds < 3
    assert not running(mark)


def test_a_daemon_that_holds_the_output_does_not_hold_us(attempt: Attempt) -> None:
    result = attempt("""
        import os, time
        if os.fork() == 0:
            os.setsid(); time.sleep(60)
        print('done')
    """)
    assert (result.status, result.stdout) == ("ok", "done\n")
    assert result.seconds < 3


def test_the_program_ends_when_we_are_killed(running: Running) -> None:
    mark = f"orphan-{secrets.token_hex(8)}"
    runner = (
        "import asyncio; from collegium.tools.sandbox import run_command;"
        f"asyncio.run(run_command(['sh', '-c', 'sleep 60; : {mark}']))"
    )
    parent = subprocess.Popen([sys.executable, "-c", runner], cwd=REPOSITORY)
    try:
        assert eventually(lambda: running(f"sleep 60; : {mark}\0"))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert eventually(lambda: not running(mark))


def test_nothing_is_inherited_but_the_three_standard_descriptors(attempt: Attempt) -> None:
    with open("/etc/hostname" if os.path.exists("/etc/hostname") else "/dev/null") as file:
        os.set_inheritable(file.fileno(), True)
        result = attempt("import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])")
    assert result.stdout == "[0, 1, 2]\n", result


def test_the_program_has_no_privileges(attempt: Attempt) -> None:
    result = attempt("""
        import os
        status = dict(line.split(':', 1) for line in open('/proc/self/status'))
        print(*(int(status[name], 16) for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb')))
        print(status['NoNewPrivs'].strip(), os.getuid() != 0, os.getgid() != 0)
        for become in (os.setuid, os.setgid):
            try:
                become(0); print('root')
            except OSError as error:
                print('refused')
        print(os.uname().nodename)
    """)
    expected = "0 0 0 0\n1 True True\nrefused\nrefused\nbox\n"
    assert result.stdout == expected, result


def test_the_terminal_is_not_the_programs(attempt: Attempt) -> None:
    result = attempt("open('/dev/tty')")
    assert result.status == "error"


def eventually(condition: Callable[[], bool | int], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
