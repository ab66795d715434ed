"""What the tests of tasks share."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from collegium.tools import sandbox_problem


@pytest.fixture
def data() -> Path:
    """The folder of published data sets."""
    root = os.environ.get("COLLEGIUM_DATA")
    if not root:
        pytest.skip("COLLEGIUM_DATA is not set: no published data sets here")
    return Path(root)


@pytest.fixture
def sandbox() -> None:
    problem = sandbox_problem()
    if problem is not None:
        pytest.skip(problem)


@pytest.fixture
def reasoning_gym() -> None:
    if find_spec("reasoning_gym") is None:
        pytest.skip("reasoning-gym is not installed")


@pytest.fixture
def math_verify() -> None:
    if find_spec("math_verify") is None:
        pytest.skip("math-verify is not installed")
