"""What tests with real sites share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collegium.worlds.sites import SITES, Site, missing


@pytest.fixture
def need() -> Callable[[str], Site]:
    """A site by name; the test is skipped where its environment is not on this machine."""

    def site(name: str) -> Site:
        if lacking := missing(SITES[name]):
            pytest.skip(f"the site {name!r} needs {lacking}")
        return SITES[name]

    return site
