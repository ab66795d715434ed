"""Checkpoints: a society in a folder, whole or not at all.

A checkpoint is a folder ``step-N``; the file ``CURRENT`` names the newest one that is complete. So
a process that is killed while it writes leaves the one before, and the run goes on from there to
the same curves. Edges never change in place, so each network is written once.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from collegium.errors import BadInput
from collegium.kernel.atomic import replace
from collegium.society.engine import Society
from collegium.society.network import Layer
from collegium.society.state import State, Table

CURRENT = "CURRENT"


class _Layer(msgspec.Struct, frozen=True):
    file: str
    factor: float


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint says beside its arrays.

    Attributes:
        model: Name of the model.
        seed: Seed of the run.
        t: The step that comes next.
        parameters: As they stood.
        curves: What was measured until then.
        options: What the run was started with.
        tables: Names of the tables.
        layers: The networks: file and factor.
        texts: The texts of the state.
        values: Its plain values.
    """

    model: str
    seed: int
    t: int
    parameters: dict[str, Any]
    curves: dict[str, list[float]]
    options: dict[str, Any]
    tables: tuple[str, ...]
    layers: dict[str, _Layer]
    texts: dict[str, list[str]]
    values: dict[str, Any]


def save(society: Society, folder: Path, options: dict[str, Any] | None = None) -> Path:
    """Write a checkpoint.

    Args:
        society: What to keep.
        folder: Where; older checkpoints there are replaced.
        options: What is needed to build the model again.

    Returns:
        The folder of this checkpoint.

    Raises:
        BadInput: It cannot be written.
    """
    try:
        return _save(society, folder, options or {})
    except OSError as error:
        raise BadInput(f"cannot write the checkpoint {folder}: {error.strerror}.") from None


def _save(society: Society, folder: Path, options: dict[str, Any]) -> Path:
    state, name = society.state, f"step-{society.t:06d}"
    made, new = folder / name, folder / f".{name}.part"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    layers: dict[str, _Layer] = {}
    for layer_name, layer in state.layers.items():
        file = f"layer-{layer.fingerprint}.npz"
        layers[layer_name] = _Layer(file, layer.factor)
        if not (folder / file).is_file():
            part = folder / f".{file}.part.npz"
            np.savez(part, starts=layer.starts, others=layer.others)
            part.replace(folder / file)
    for table_name, table in state.tables.items():
        columns: dict[str, Any] = {column: table[column] for column in table}
        np.savez(new / f"{table_name}.npz", **columns)
    saved = Saved(
        model=society.model.name,
        seed=society.seed,
        t=society.t,
        parameters=society.parameters,
        curves=society.curves,
        options=options,
        tables=tuple(state.tables),
        layers=layers,
        texts=state.texts,
        values=state.values,
    )
    (new / "society.json").write_bytes(msgspec.json.encode(saved))
    shutil.rmtree(made, ignore_errors=True)
    new.rename(made)
    before = current(folder)
    replace(folder / CURRENT, name.encode())
    for old in folder.glob("step-*"):
        if old.name not in (name, before):
            shutil.rmtree(old, ignore_errors=True)
    return made


def current(folder: Path) -> str | None:
    """Name of the newest complete checkpoint in a folder."""
    try:
        return (folder / CURRENT).read_text().strip()
    except OSError:
        return None


def load(folder: Path) -> tuple[Saved, State]:
    """Read the newest checkpoint.

    Raises:
        BadInput: There is none, or it is damaged.
    """
    name = current(folder)
    if name is None:
        raise BadInput(f"there is no checkpoint in {folder} to resume from.")
    try:
        saved = msgspec.json.decode((folder / name / "society.json").read_bytes(), type=Saved)
        tables = {t: Table(_arrays(folder / name / f"{t}.npz")) for t in saved.tables}
        layers = {}
        for layer_name, entry in saved.layers.items():
            arrays = _arrays(folder / entry.file)
            layers[layer_name] = Layer(arrays["starts"], arrays["others"], entry.factor)
    except (OSError, ValueError, KeyError, msgspec.DecodeError) as error:
        raise BadInput(f"the checkpoint {folder / name} cannot be read: {error}.") from None
    return saved, State(tables, layers, saved.texts, saved.values)


def _arrays(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
