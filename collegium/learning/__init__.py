"""traces -> data -> fine-tuning -> adapters. Training data is made of what the kernel recorded."""

from collegium.learning.traces import (
    Collection,
    Labelled,
    Record,
    Turn,
    collect,
    runs_of,
    write_records,
)

__all__ = ["Collection", "Labelled", "Record", "Turn", "collect", "runs_of", "write_records"]
