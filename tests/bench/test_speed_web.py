"""The measurement of worlds in the browser, on a small scale."""

import json
import os

import pytest

from collegium.bench.speed_web import main, memory
from collegium.worlds.web.browser import executable
from tests.worlds.web.site import Notes


def test_it_measures_a_site_and_writes_what_it_found(tmp_path, capsys) -> None:
    pytest.importorskip("playwright")
    if executable() is None:
        pytest.skip("no Chromium on this machine")
    site, out = Notes(), tmp_path / "web.json"
    words = ["--steps", "8", "--together", "2", "--episodes", "3"]
    main([*words, "--address", site.address, "--out", str(out)])
    site.close()
    found = json.loads(out.read_text())
    assert [row["mode"] for row in found["rows"]] == ["fixed", "compat"]
    assert all(0 < row["median_ms"] <= row["p90_ms"] for row in found["rows"])
    assert found["leak"]["episodes"] == 3 and found["leak"]["last_mb"] > 0
    assert "steps a second alone" in capsys.readouterr().out


def test_memory_counts_this_process() -> None:
    held, processes = memory(os.getpid())
    assert held > 1 and processes >= 1
