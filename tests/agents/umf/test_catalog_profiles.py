"""Profiles of the systems of the catalog, from scripted runs, against a key made by hand."""

from __future__ import annotations

import importlib.util

import pytest

from collegium.agents.umf import LINES, agreement, profile
from collegium.tools import sandbox_problem
from tests.agents.umf.catalog_key import CATALOG_KEY
from tests.agents.umf.catalog_runs import RUNS

pytestmark = [
    pytest.mark.skipif(sandbox_problem() is not None, reason="no sandbox here"),
    pytest.mark.skipif(importlib.util.find_spec("clingo") is None, reason="no solver here"),
]


@pytest.mark.must_show("umf", 4)
async def test_profiles_of_the_catalog_match_the_key_and_cite_their_calls() -> None:
    equal = total = 0
    different: list[str] = []
    for name, key in CATALOG_KEY.items():
        traces = await RUNS[name]()
        ids = [{event.id for event in trace} for trace in traces]
        found = profile(*traces)
        same, lines = agreement(found, key)
        equal, total = equal + same, total + lines
        for line, cell in found.cells.items():
            if set(cell.values) != key.get(line, set()):
                said = sorted(key.get(line, ())) or "absent"
                different.append(f"{name}: {line} is {cell}, the key says {said}")
            for value, citations in cell.values.items():
                assert citations, f"{name}: {line} {value} cites nothing"
                assert all(c.call in ids[c.trace] for c in citations), f"{name}: {line} {value}"
    assert total == len(CATALOG_KEY) * sum(map(len, LINES.values()))
    assert equal / total >= 0.9, "\n".join([f"{equal} of {total} cells", *different])
