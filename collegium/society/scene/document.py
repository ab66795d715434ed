"""Interactive documents: prompts that grow with every question and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from collegium.kernel import Agent, Kernel, Unparsed


class Document:
    """A text that a model goes on with, question by question.

    Every question is a call of the kernel under a name of its own, ``WHO.QUESTION@STEP``. So a run
    that goes on from a checkpoint asks with the same seeds, and the trace reads like the scene.

    Args:
        kernel: Carries the questions.
        who: Who asks.
        step: Which step of the scene it is.
        role: Chooses the model.
    """

    def __init__(self, kernel: Kernel, who: str, step: int, role: str) -> None:
        self._kernel, self._who, self._step, self._role = kernel, who, step, role
        self.lines: list[str] = []

    def statement(self, text: str) -> None:
        """Add a text."""
        if text:
            self.lines.append(text)

    async def open_question(self, name: str, question: str, *, max_tokens: int = 120) -> str:
        """Ask for free text; "" when the model says nothing."""
        reply = await self._agent(name).ask(
            self._prompt(question), max_tokens=max_tokens, stop=("\nQuestion:",)
        )
        answer = "" if isinstance(reply.data, Unparsed) else reply.text.strip()
        self._keep(question, answer)
        return answer

    async def choice(self, name: str, question: str, options: Sequence[str]) -> str | None:
        """Ask for one of the options, as many as there are; None when none can be read."""
        answer = await self.typed(name, question, Literal[tuple(options)])
        return None if isinstance(answer, Unparsed) else answer

    async def yes_no(self, name: str, question: str) -> bool | None:
        """Ask a yes-or-no question; None when the answer cannot be read."""
        answer = await self.choice(name, question, ("yes", "no"))
        return None if answer is None else answer == "yes"

    async def typed(self, name: str, question: str, output: Any) -> Any:
        """Ask for a value of a type; one re-ask, then Unparsed."""
        reply = await self._agent(name).ask(
            self._prompt(question), output=output, temperature=0.0, max_tokens=120
        )
        self._keep(question, reply.text.strip())
        return reply.data

    def _agent(self, name: str) -> Agent:
        return Agent(self._kernel, f"{self._who}.{name}@{self._step}", role=self._role)

    def _prompt(self, question: str) -> str:
        return "\n\n".join([*self.lines, f"Question: {question}"])

    def _keep(self, question: str, answer: str) -> None:
        self.lines.append(f"Question: {question}\nAnswer: {answer}")
