"""Storage of agents: versioned text files in a real folder, searchable, shared by group."""

from collegium.kernel.storage.operate import Operation, Plan, operate
from collegium.kernel.storage.storage import Storage

__all__ = ["Operation", "Plan", "Storage", "operate"]
