"""Tools: what agents can use besides talking.

Typed functions that touch the world, tools of MCP servers, the sandbox in which code written by a
model runs, and audits of tools that carry a formula.
"""

from collegium.tools.audit import AuditReport, audit, audit_source
from collegium.tools.code_tests import TestOutcome, passes_tests
from collegium.tools.mcp import mcp_tools
from collegium.tools.pins import Pins
from collegium.tools.programs import Checked, Ran, check_program, compiles, run_project
from collegium.tools.sandbox import (
    SandboxLimits,
    SandboxResult,
    SandboxUnavailable,
    run_command,
    run_python,
    sandbox_problem,
)
from collegium.tools.servers import tools_of

__all__ = [
    "AuditReport",
    "Checked",
    "Pins",
    "Ran",
    "SandboxLimits",
    "SandboxResult",
    "SandboxUnavailable",
    "TestOutcome",
    "audit",
    "audit_source",
    "check_program",
    "compiles",
    "mcp_tools",
    "passes_tests",
    "run_command",
    "run_project",
    "run_python",
    "sandbox_problem",
    "tools_of",
]
