"""Work folders: machine-learning tasks done with files and scripts, scored by what is left.

MLAgentBench (arXiv 2310.03302): a task is a folder with starter code; agents read, write and run,
and what counts is whether the folder's result beats the starter code by more than a tenth.
"""

from __future__ import annotations

from collegium.worlds.folder.files import Folder, Refused, inside
from collegium.worlds.folder.run import Ran, RunLimits, run_in
from collegium.worlds.folder.scoring import (
    FolderTask,
    Measured,
    baseline,
    improvement,
    starter_scores,
    succeeded,
)
from collegium.worlds.folder.tasks import folder_task, folder_tasks
from collegium.worlds.folder.world import Closed, Step, WorkFolder

PAPER = "mlagentbench"

ACTIONS = (
    "list_files",
    "read_file",
    "inspect_script_lines",
    "write_file",
    "append_file",
    "copy_file",
    "undo_edit_script",
    "execute_script",
    "python_repl",
    "final_answer",
)


def folder_world(name: str) -> WorkFolder:
    """The world of a task.

    Raises:
        UnknownName: There is no such task.
    """
    return WorkFolder(folder_task(name))


__all__ = [
    "ACTIONS",
    "Closed",
    "Folder",
    "FolderTask",
    "Measured",
    "Ran",
    "Refused",
    "RunLimits",
    "Step",
    "WorkFolder",
    "baseline",
    "folder_task",
    "folder_tasks",
    "folder_world",
    "improvement",
    "inside",
    "run_in",
    "starter_scores",
    "succeeded",
]
