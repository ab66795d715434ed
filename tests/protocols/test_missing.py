"""Without the libraries of the extra, every command says in one line what to install."""

import subprocess
import sys

import pytest

HIDE = """
import importlib.abc, sys

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("starlette", "uvicorn", "a2a", "mcp", "cryptography"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from collegium.cli import main
sys.argv = ["collegium", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        ("serve direct", "serve"),
        ("call anp:http://127.0.0.1:9 x", "serve"),
        ("call mcp:http://127.0.0.1:9 x", "serve"),
        ("interop matrix", "serve"),
        ("tools list mcp:http://127.0.0.1:9", "protocols"),
    ],
)
def test_it_says_what_to_install(arguments: str, extra: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HIDE, *arguments.split()],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert f"pip install 'collegium[{extra}]'" in " ".join(done.stderr.split())
