"""Players: what situation is this, what kind of person am I, what would such a person do.

The logic of appropriateness of March and Olsen, as three questions of which the later see the
earlier; then the action. So an action takes four calls.
"""

from __future__ import annotations

import math

from collegium.kernel import Kernel, Unparsed
from collegium.society.scene.document import Document
from collegium.society.scene.entity import ActionSpec, Entity
from collegium.society.scene.memory import AssociativeMemory

RECENT = 25
"""How many memories a question looks back on."""


class Remembering:
    """The component that puts observations into memory, and recalls the latest."""

    def __init__(self, memory: AssociativeMemory) -> None:
        self.memory = memory

    async def pre_act(self, spec: ActionSpec) -> str:
        """The latest memories."""
        return "\n".join(self.memory.recent(RECENT))

    async def post_act(self, attempt: str) -> None:
        """What one does oneself comes back as an observation."""

    async def pre_observe(self, observation: str) -> None:
        """Remember it."""
        await self.memory.add([observation])

    async def update(self) -> None:
        """Nothing to finish."""


class Appropriate:
    """The acting component: the three questions, then the action.

    Args:
        name: Of the player.
        kernel: Carries the questions.
        goal: What the player wants.
        seated: A person plays it: it is asked what it does, and no question before that.
    """

    def __init__(self, name: str, kernel: Kernel, goal: str, *, seated: bool = False) -> None:
        self._name, self._kernel, self._goal, self._seated = name, kernel, goal, seated
        self.step = 0

    async def act(self, spec: ActionSpec, context: str) -> str:
        """What the player tries to do; "nan" for a number that cannot be read."""
        who = self._name
        page = Document(self._kernel, who, self.step, "player")
        page.statement(f"{who} remembers:\n{context}" if context else "")
        page.statement(f"{who} wants this: {self._goal}" if self._goal else "")
        if not self._seated:
            await page.open_question("situation", f"What kind of situation is {who} in right now?")
            await page.open_question("self", f"What kind of person is {who}?")
            await page.open_question(
                "person", f"What would a person like {who} do in a situation like this?"
            )
        call = spec.call.replace("{name}", who)
        if spec.output == "choice":
            return await page.choice("act", call, spec.options) or spec.options[0]
        if spec.output == "float":
            value = await page.typed("act", call, float)
            return "nan" if isinstance(value, Unparsed) or math.isnan(value) else str(value)
        said = await page.open_question("act", call)
        return said if said.startswith(who) else f"{who}: {said}"


def player(
    name: str, kernel: Kernel, memory: AssociativeMemory, goal: str = "", *, seated: bool = False
) -> Entity:
    """A player.

    Args:
        name: Its name.
        kernel: Carries its questions.
        memory: What it remembers.
        goal: What it wants.
        seated: Whether a person plays it.
    """
    acting = Appropriate(name, kernel, goal, seated=seated)
    return Entity(name, {"memory": Remembering(memory)}, acting)
