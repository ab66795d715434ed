"""The tasks that are done in a work folder; each is a variant of one of MLAgentBench's."""

from __future__ import annotations

from collegium.errors import unknown_name
from collegium.worlds.folder.scoring import FolderTask
from collegium.worlds.folder.tasks import letters, tables, vectorization


def folder_tasks() -> dict[str, FolderTask]:
    """All tasks by name."""
    tasks = (vectorization.TASK, *tables.TASKS, letters.TASK)
    return {task.name: task for task in tasks}


def folder_task(name: str) -> FolderTask:
    """A task by name.

    Raises:
        UnknownName: There is no such task.
    """
    known = folder_tasks()
    if name not in known:
        raise unknown_name("folder task", name, known)
    return known[name]


__all__ = ["folder_task", "folder_tasks"]
