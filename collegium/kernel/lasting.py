"""Memory, files and privileges that stay when a run ends, together in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collegium.kernel.access import Access
    from collegium.kernel.calls import Call
    from collegium.kernel.kernel import Driver
    from collegium.models.embeddings import Embedder


def resources(
    folder: Path, *, embed: Embedder | None = None, access: Access | None = None
) -> dict[type[Call], Driver]:
    """Drivers of every memory, storage and sharing call, over what lies in a folder.

    Use as ``Kernel(model, drivers=resources(Path("team")))``. Any number of kernels and processes
    may work on one folder. Every call is on the disk when it returns, so nothing need be closed.

    Args:
        folder: Made when missing. It holds ``files/``, ``memory.db`` and ``access.json``.
        embed: Finds notes and files by meaning; None: by words alone.
        access: Says who may do what. None: groups and sharing as ``access.json`` keeps them, and
            nobody to permit what cannot be undone. To change that, give
            ``Access(groups, ask=..., path=folder / "access.json")``.

    Raises:
        BadInput: The folder cannot be used.
    """
    from collegium.kernel.access import Access
    from collegium.kernel.memory import Memory
    from collegium.kernel.storage import Storage

    if access is None:
        access = Access(path=folder / "access.json")
    files = Storage(folder / "files", embed=embed, access=access)
    notes = Memory(folder / "memory.db", embed=embed, access=access)
    return {**notes.drivers, **files.drivers, **access.drivers}
