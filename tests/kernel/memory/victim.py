"""A program to be killed: it remembers for ever, and logs every note whose id came back.

python victim.py DATABASE LOG
"""

import asyncio
import os
import sys
from pathlib import Path

from collegium.kernel.access import Access, always
from collegium.kernel.memory import Memory
from collegium.kernel.resources import Forget, Remember
from collegium.models.embeddings import HashEmbedder


async def main() -> None:
    memory = Memory(
        Path(sys.argv[1]), embed=HashEmbedder(32), access=Access(ask=always), quota=2000
    )
    log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    keep, drop = memory.drivers[Remember], memory.drivers[Forget]

    async def one(agent: str) -> None:
        for i in range(10**9):
            text = f"{agent} saw thing {i}. " + "It was large. " * 5
            note = await keep(Remember(agent=agent, text=text))
            if i % 5 == 4:
                await keep(Remember(agent=agent, text=f"{text} Twice.", note=note))
                text = f"{text} Twice."
            if i % 7 == 6:
                await drop(Forget(agent=agent, note=note))
                text = ""
            os.write(log, f"{agent}\t{note}\t{text}\n".encode())

    await asyncio.gather(*(one(f"agent-{j}") for j in range(3)))


if __name__ == "__main__":
    asyncio.run(main())
