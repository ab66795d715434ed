"""The process around a llama.cpp server: started by :mod:`collegium.models.engine`, never imported.

It reads one line of settings (JSON) from standard input, starts the server on the loopback
interface, prints one line ``{"address": ...}``, and ends when its standard input closes, which
the system does for us however the parent process dies.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

_SIGNAL_WHEN_PARENT_DIES = 1  # PR_SET_PDEATHSIG of prctl(2)


def main() -> int:
    """Serve until standard input closes; returns the exit status."""
    # llama.cpp logs to both streams: keep the real standard output for our one line of answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    line = sys.stdin.readline()
    if not line:
        return 0
    settings = json.loads(line)
    try:
        serve = _serve_native if settings["native"] else _serve_wheel
        keep, address = serve(settings)
    except Exception as error:
        print(json.dumps({"error": f"{error}"}), file=answer, flush=True)
        return 1
    print(json.dumps({"address": address}), file=answer, flush=True)
    _watch(keep)
    return 0


def _serve_wheel(settings: dict[str, Any]) -> tuple[Any, str]:
    """Start the server of the ``xllamacpp`` wheel inside this process."""
    import xllamacpp as llama

    xllamacpp: Any = llama  # made from C++: it has no types to check

    params = xllamacpp.CommonParams()
    params.model.path = settings["weights"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["token"]]
    params.cors_origins = "localhost"
    params.n_ctx = settings["context"] * settings["slots"]
    params.n_parallel = settings["slots"]
    params.kv_unified = False
    params.cache_ram_mib = settings["cache_mib"]
    params.cache_idle_slots = False
    params.slot_save_path = settings["snapshots"]
    params.n_gpu_layers = 0
    params.fit_params = False
    params.use_jinja = True
    params.prefill_assistant = False
    params.ui = False
    params.verbosity = 1
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = settings["threads"]
        cpu.poll = settings["poll"]
    if settings["adapters"]:
        params.lora_adapters = [
            xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in settings["adapters"]
        ]
        params.lora_init_without_apply = True
    server = xllamacpp.Server(params)
    return server, server.listening_address


def _serve_native(settings: dict[str, Any]) -> tuple[Any, str]:
    """Start a ``llama-server`` built for this machine as a child process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        settings["native"],
        *("--model", settings["weights"], "--host", "127.0.0.1", "--port", str(port)),
        *("--ctx-size", str(settings["context"] * settings["slots"])),
        *("--parallel", str(settings["slots"]), "--no-kv-unified"),
        *("--threads", str(settings["threads"]), "--threads-batch", str(settings["threads"])),
        *("--poll", str(settings["poll"]), "--cache-ram", str(settings["cache_mib"])),
        *("--no-cache-idle-slots", "--n-gpu-layers", "0", "--fit", "off", "--jinja"),
        *("--slot-save-path", settings["snapshots"]),
        *("--no-prefill-assistant", "--no-webui", "--cors-origins", "localhost"),
        *("--log-verbosity", "1"),
    ]
    for path in settings["adapters"]:
        command += ["--lora", path]
    if settings["adapters"]:
        command.append("--lora-init-without-apply")
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LLAMA_API_KEY": settings["token"]},
        preexec_fn=_die_with_parent,
    )
    address = f"http://127.0.0.1:{port}"
    while child.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return child, address
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise RuntimeError(f"llama-server ended with status {child.returncode}")


def _die_with_parent() -> None:
    """In the child, before it runs: be killed when the process that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SIGNAL_WHEN_PARENT_DIES, signal.SIGKILL)


def _watch(keep: Any) -> None:
    """Wait for standard input to close, for a new parent, or for the native server to end."""
    closed = threading.Event()

    def read_to_end() -> None:
        while sys.stdin.readline():
            pass
        closed.set()

    threading.Thread(target=read_to_end, daemon=True).start()
    parent = os.getppid()
    native = keep if isinstance(keep, subprocess.Popen) else None
    # a process that was forked off the parent may hold the pipe open, so the parent counts too
    while not closed.wait(1.0) and os.getppid() == parent:
        if native is not None and native.poll() is not None:
            return
    if native is not None:
        native.kill()
        native.wait()


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # llama.cpp's own shutdown waits for slots that may be busy; there is nothing to save
    os._exit(status)
