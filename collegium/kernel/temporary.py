"""The memory and storage of a kernel that was given none: they end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from collegium.kernel.calls import Call
    from collegium.kernel.kernel import Driver


def temporary_drivers() -> tuple[dict[type[Call], Driver], Callable[[], None]]:
    """Drivers of every memory, storage and sharing call, over things that end with the run.

    Whatever agents do to them needs no permission: nothing that stays can be lost. Files go to a
    private folder that is made with the first storage call.

    Returns:
        The drivers, and what removes everything again.
    """
    from collegium.kernel.access import Access, always
    from collegium.kernel.memory import Memory
    from collegium.kernel.storage import Storage

    access = Access(ask=always)
    notes, files = Memory(None, access=access), Storage(None, access=access)

    def close() -> None:
        notes.close()
        files.close()

    return {**notes.drivers, **files.drivers, **access.drivers}, close
