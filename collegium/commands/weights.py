"""Fetching the weights of embedded models with a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from collegium.commands.show import console
from collegium.models.fetch import pull
from collegium.models.weights import EMBEDDED, weights_file


def fetch_weights(names: Iterable[str]) -> None:
    """Fetch whatever weights these models need and this machine lacks.

    Args:
        names: Models; those that are not embedded need none.

    Raises:
        WeightsMissing: They cannot be fetched.
        WeightsDamaged: What was fetched is not what it must be.
        BadInput: The disk is full, or the cache cannot be written.
    """
    for name in dict.fromkeys(names):
        if name in EMBEDDED and not weights_file(EMBEDDED[name]).is_file():
            fetch(name)


def fetch(name: str, *, force: bool = False) -> Path:
    """Fetch one model's weights with a progress bar on standard error.

    Raises:
        CollegiumError: As :func:`collegium.models.fetch.pull` does.
    """
    err = console(sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        shown = bar.add_task(name, total=None)

        def on_progress(done: int, total: int, what: str) -> None:
            bar.update(shown, completed=done, total=total, description=f"{name}: {what}")

        return pull(name, force=force, on_progress=on_progress)
