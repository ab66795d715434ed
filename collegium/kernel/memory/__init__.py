"""Memory: banks of notes that agents remember into and recall from.

:class:`Memory` drives the calls. A note is found by meaning (vectors), by words (BM25) or by both.
What a bank may hold in memory is bounded; the rest waits in the store. :func:`remember_agentic`
links and rewrites notes as it adds one; :func:`inject` and :func:`extract` give every chat its
memories without the agent's doing.
"""

from collegium.kernel.memory.context import Extractor, Injector, extract, inject
from collegium.kernel.memory.eviction import LRUK
from collegium.kernel.memory.memory import Memory
from collegium.kernel.memory.notes import Remembered, remember_agentic

__all__ = [
    "LRUK",
    "Extractor",
    "Injector",
    "Memory",
    "Remembered",
    "extract",
    "inject",
    "remember_agentic",
]
