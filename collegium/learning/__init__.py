"""traces -> data -> fine-tuning -> adapters. Training data is made of what the kernel recorded."""

from collegium.learning.advantage import group_advantages
from collegium.learning.capture import Trajectory, captured, captured_runs, split_by_task
from collegium.learning.chooser import Situation, choose
from collegium.learning.data import build, run_filters
from collegium.learning.masking import loss_mask
from collegium.learning.traces import (
    Collection,
    Labelled,
    Record,
    Turn,
    collect,
    runs_of,
    write_records,
)

__all__ = [
    "Collection",
    "Labelled",
    "Record",
    "Situation",
    "Trajectory",
    "Turn",
    "build",
    "captured",
    "captured_runs",
    "choose",
    "collect",
    "group_advantages",
    "loss_mask",
    "run_filters",
    "runs_of",
    "split_by_task",
    "write_records",
]
