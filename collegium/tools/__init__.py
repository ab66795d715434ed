"""Tools: what agents can use besides talking.

Typed functions that touch the world, and the sandbox in which code written by a model runs.
"""

from collegium.tools.code_tests import TestOutcome, passes_tests
from collegium.tools.sandbox import (
    SandboxLimits,
    SandboxResult,
    SandboxUnavailable,
    run_command,
    run_python,
    sandbox_problem,
)

__all__ = [
    "SandboxLimits",
    "SandboxResult",
    "SandboxUnavailable",
    "TestOutcome",
    "passes_tests",
    "run_command",
    "run_python",
    "sandbox_problem",
]
