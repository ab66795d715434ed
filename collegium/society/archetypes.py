"""Archetypes: one question to a language model per group of alike agents (AgentTorch, section 3).

A prompt template names attributes in braces. Their values span the groups: with {age} and {sex}
there are 6 x 2. Only groups that have members are asked, and no prompt is asked twice. The answer
is a distribution over a few options, read from the log-probabilities of the first word; each agent
then draws its own action from its group's distribution.

Paper vs code vs ours
---------------------
* The paper asks n_arch times and takes the mean of parsed answers, Yes as 1 and No as 0. One
  reading of the log-probabilities is what that mean converges to, so ``samples`` is 1 by default;
  models that report none are sampled, as in the paper.
* The package turns an answer that it cannot read into a 0. Here the group is asked once more under
  a schema; if that fails too the answer is dropped, counted, and the group acts by the fallback.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from collegium.errors import BadInput, unknown_name
from collegium.kernel import Reply, Unparsed, gather
from collegium.society.engine import Society
from collegium.society.population import Categories
from collegium.society.state import Array, Table

READABLE = 0.02
"""Least probability of all options together for the log-probabilities to say anything."""

ALTERNATIVES = 20
"""Alternatives per token that are asked for."""

PROFILE = (
    "You stand for a group of people. Answer as the typical member of the group would, "
    "with one word and nothing else."
)


class Archetypes:
    """The groups of a template.

    Args:
        template: The question; {age} is filled with the group's value of column age, other names
            with what is known at the time (see :meth:`ask`).
        categories: The columns that may be named, with what their values are called.
        options: What can be answered, each in one word.
        samples: n_arch, how often each group is asked.
        fallback: Distribution of a group whose answer could not be read; None: uniform.

    Raises:
        BadInput: The template has no attribute at all, or there are fewer than two options.
    """

    def __init__(
        self,
        template: str,
        categories: Sequence[Categories],
        *,
        options: Sequence[str] = ("Yes", "No"),
        samples: int = 1,
        fallback: Sequence[float] | None = None,
    ) -> None:
        self.template, self.options, self.samples = template, tuple(options), samples
        self.slots = tuple(
            dict.fromkeys(f for _, f, _, _ in string.Formatter().parse(template) if f)
        )
        self.categories = tuple(c for c in categories if c.column in self.slots)
        if len(self.options) < 2 or samples < 1:
            raise BadInput("archetypes need two options or more, and one sample or more.")
        even = [1 / len(self.options)] * len(self.options)
        self.fallback = np.array(even if fallback is None else fallback, float)
        self.shape = tuple(len(c.names) for c in self.categories)

    @property
    def groups(self) -> int:
        """How many groups there are: the product of the numbers of values."""
        return math.prod(self.shape)

    def group_of(self, agents: Table) -> Array:
        """Number of each agent's group.

        Raises:
            BadInput: A column is missing, or holds a value without a name.
        """
        group = np.zeros(len(agents), np.uint16 if self.groups <= 65535 else np.int32)
        for category in self.categories:
            if category.column not in agents:
                raise BadInput(
                    f"the prompt names {{{category.column}}}, which the population lacks; "
                    f"it has {', '.join(agents)}."
                )
            values = agents[category.column]
            if len(values) and int(values.max()) >= len(category.names):
                raise BadInput(
                    f"column {category.column!r} holds {int(values.max())}; its values are named "
                    f"from 0 to {len(category.names) - 1}."
                )
            group *= len(category.names)
            group += values.astype(group.dtype)
        return group

    def attributes(self, group: int) -> dict[str, str]:
        """The values that a group has in common, by column."""
        place = np.unravel_index(group, self.shape) if self.shape else ()
        return {c.column: c.names[int(i)] for c, i in zip(self.categories, place, strict=True)}

    async def ask(
        self, society: Society, group: Array, context: Mapping[str, Any] | None = None
    ) -> Array:
        """The distribution over the options for every group that has members.

        Args:
            society: Whose kernel carries the questions; answers are kept in its state.
            group: Number of each agent's group.
            context: What else the template names, such as this week's cases.

        Returns:
            One row per group; a group without members has a row of zeros.

        Raises:
            UnknownName: The template names something that is neither a column nor known.
        """
        context = dict(context or {})
        for slot in self.slots:
            if slot not in context and slot not in [c.column for c in self.categories]:
                known = [*(c.column for c in self.categories), *context, *society.agents]
                raise unknown_name("slot of the prompt", slot, known)
        members = np.bincount(group, minlength=self.groups)
        there = np.flatnonzero(members)
        prompts = {
            int(g): self.template.format(**context, **self.attributes(int(g))) for g in there
        }
        tally = society.state.values.setdefault(
            "archetypes", {"answers": {}, "prompts": 0, "calls": 0, "dropped": 0, "empty": 0}
        )
        tally["empty"] = self.groups - len(there)
        answers = tally["answers"]
        new = [p for p in dict.fromkeys(prompts.values()) if self._key(p) not in answers]
        read = await gather(*(self._one(society, i, p, tally) for i, p in enumerate(new)))
        for prompt, distribution in zip(new, read, strict=True):
            answers[self._key(prompt)] = distribution.tolist()
        tally["prompts"] += len(new)
        table = np.zeros((self.groups, len(self.options)))
        for g, prompt in prompts.items():
            table[g] = answers[self._key(prompt)]
        return table

    def _key(self, prompt: str) -> str:
        return f"{'|'.join(self.options)}|{self.samples}|{prompt}"

    async def _one(
        self, society: Society, number: int, prompt: str, tally: dict[str, Any]
    ) -> Array:
        """Ask one group; the mean over its readable answers."""
        agent = society.thinker(f"archetype-{number}", role="archetype", profile=PROFILE)
        closing = f"{prompt}\nAnswer with one word: {' or '.join(self.options)}."
        replies: list[Reply[str]] = await agent.ask(
            closing, n=self.samples, temperature=1.0, max_tokens=4, logprobs=ALTERNATIVES
        )
        tally["calls"] += self.samples
        found = [d for d in (read_distribution(r, self.options) for r in replies) if d is not None]
        if found:
            tally["dropped"] += len(replies) - len(found)
            return np.mean(found, axis=0)
        tally["calls"] += 1
        second: Reply[Any] = await agent.ask(
            closing,
            output=Literal[self.options],  # type: ignore[valid-type]
            temperature=1.0,
            max_tokens=16,
            repair=False,
        )
        if isinstance(second.data, Unparsed):
            tally["dropped"] += len(replies)
            return self.fallback
        return one_of(self.options.index(second.data), len(self.options))


def read_distribution(reply: Reply[Any], options: Sequence[str]) -> Array | None:
    """The distribution over options that a reply stands for.

    Args:
        reply: With log-probabilities of its first token, or with a text that begins with an option.
        options: What could be answered.

    Returns:
        Probabilities that sum to 1; None when nothing can be read.
    """
    if reply.logprobs:
        first = reply.logprobs[0]
        mass = np.zeros(len(options))
        for token, logprob in {**first.top, first.token: first.logprob}.items():
            at = _option(token, options)
            if at is not None:
                mass[at] += math.exp(logprob)
        return mass / mass.sum() if mass.sum() >= READABLE else None
    words = reply.text.split()
    at = _option(words[0], options) if words else None
    return None if at is None else one_of(at, len(options))


def one_of(at: int, count: int) -> Array:
    """All the probability at one place."""
    distribution = np.zeros(count)
    distribution[at] = 1.0
    return distribution


def _option(word: str, options: Sequence[str]) -> int | None:
    bare = word.strip().strip(".,:;!?*\"'()[]").casefold()
    for i, option in enumerate(options):
        if bare == option.casefold():
            return i
    return None
