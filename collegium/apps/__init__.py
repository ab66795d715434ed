"""Apps: agents written in plain language, checked, packed, installed and run by the kernel.

An app is a manifest: a text file that says what the app may use, what it may spend, and its steps.
A model can write it from a description; code checks it, and code keeps it to its permissions. Also
here: packages and their hub, the sentence form of kernel calls, and several isolated kernels on one
machine. (LLM as OS, Agents as Apps; arXiv 2312.03815.)
"""

from collegium.apps.checks import check
from collegium.apps.manifest import Manifest, Permissions, Step, read_manifest, write_manifest
from collegium.apps.run import AppResult, dry_run, run_app

PAPER = "aios-ecosystem"

__all__ = [
    "AppResult",
    "Manifest",
    "Permissions",
    "Step",
    "check",
    "dry_run",
    "read_manifest",
    "run_app",
    "write_manifest",
]
