"""Serve a site on the loopback. Run as: python serve.py PORT [tethered].

PORT 0 takes a free one. What is served, and from which folder, the environment says. When it
listens it writes ``ready.json`` into that folder, and it holds the lock on ``lock`` there while it
lives. Tethered, it ends when its standard input does.
"""

import fcntl
import json
import mimetypes
import os
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / os.environ["SITE_NAME"]))

import common
import waitress

THREADS = 4
PIECE = 1 << 16


def take_lock(file: Path):
    """Hold the lock of the folder; somebody who only looks whether it is held lets go at once."""
    held = file.open("w")
    for _ in range(100):
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return held
        except BlockingIOError:
            time.sleep(0.02)
    sys.exit("another server serves this folder")


def end_with_parent() -> None:
    """End when the pipe does that the parent holds the other end of."""

    def watch() -> None:
        while os.read(0, PIECE):
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def with_files(application, roots: dict[str, Path]):
    """Serve the files of some folders beside an application.

    Args:
        application: What answers everything else.
        roots: Folders by the beginning of the path, such as "/static/".
    """

    def answer(environ, start_response):
        path = environ.get("PATH_INFO", "")
        for prefix, root in roots.items():
            if path.startswith(prefix):
                inside = path[len(prefix) :].encode("latin-1").decode("utf-8", "replace")
                file = (root / inside).resolve()
                if not file.is_relative_to(root.resolve()) or not file.is_file():
                    start_response("404 Not Found", [("Content-Type", "text/plain")])
                    return [b"not found"]
                kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
                age = "max-age=3600" if prefix == "/static/" else "no-cache"
                size = str(file.stat().st_size)
                headers = [("Content-Type", kind), ("Content-Length", size)]
                start_response("200 OK", [*headers, ("Cache-Control", age)])
                return environ["wsgi.file_wrapper"](file.open("rb"), PIECE)
        return application(environ, start_response)

    return answer


def main() -> None:
    """Serve until the end."""
    held = take_lock(common.STATE / "lock")
    if "tethered" in sys.argv[2:]:
        end_with_parent()
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int(sys.argv[1])))
    listening.listen(128)
    port = listening.getsockname()[1]
    os.environ["SITE_URL"] = f"http://127.0.0.1:{port}"

    import site_application

    roots = {"/static/": common.STATIC, "/media/": common.STATE / "media"}
    application = with_files(site_application.application, roots)
    server = waitress.create_server(
        application, sockets=[listening], threads=THREADS, ident=None, channel_timeout=30
    )
    common.stay_here()
    ready = common.STATE / "ready.json"
    ready.with_suffix(".new").write_text(json.dumps({"port": port, "pid": os.getpid()}))
    ready.with_suffix(".new").rename(ready)
    server.run()
    held.close()


main()
