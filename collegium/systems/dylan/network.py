"""The network of DyLAN: nodes in layers, the ranker between them, and the report at the end.

What :mod:`collegium.systems.dylan` and its variant for code share. Stages and notation are told
there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from collegium.agents.importance import Agreement, Row, enough, most_agreed
from collegium.kernel import Agent, Kernel, Mail, Reply, Unparsed
from collegium.tasks.task import Task

PERSONAS = {
    "Economist": "You are an economist: business, finance, trade, and how markets behave.",
    "Doctor": "You are a doctor: illness and treatment, anatomy, how the body works.",
    "Lawyer": "You are a lawyer: law and politics, exact reading, arguments on both sides.",
    "Mathematician": "You are a mathematician: calculation, proof, careful steps.",
    "Psychologist": "You are a psychologist: mind and behaviour, society, philosophy.",
    "Programmer": "You are a programmer: computing, engineering, physics.",
    "Historian": "You are a historian: past events, their sources and their causes.",
    "Algebraist": "You are an expert in algebra: equations, polynomials, unknowns.",
    "Geometer": "You are an expert in geometry: figures, angles, lengths, areas.",
    "Combinatorialist": "You are an expert in counting and probability.",
    "PythonAssistant": "You write plain, correct Python.",
    "AlgorithmDeveloper": "You develop algorithms: choose the right one and carry it out exactly.",
    "ComputerScientist": "You are a computer scientist: efficient code that minds corner cases.",
}
"""What an agent of each known role is told; any other is told the name of its role."""

PROFILE = "You are one of several experts who work on the same problem."

Rating = Annotated[int, Meta(ge=0, le=5)]
Same = Callable[[Any, Any], bool]


class Node(msgspec.Struct, frozen=True):
    """An agent at a layer, after it spoke.

    Attributes:
        answer: Its answer; None when none could be read.
        text: What later layers are shown.
        reply: The whole reply.
        row: Weights of its incoming edges by agent; None in layer 0.
        rated: Whether it gave as many ratings as it was shown replies.
    """

    answer: Any
    text: str
    reply: Reply[Any]
    row: Row | None = None
    rated: bool = True


class Ranking(msgspec.Struct, frozen=True):
    """What a ranker did.

    Attributes:
        kept: The two agents it named.
        dropped: All others.
        why: What it wrote.
        drawn: How many of the two were drawn at random, since it did not name them.
        call: Trace id of its reply; -1 where there was nothing to rank.
    """

    kept: tuple[int, ...]
    dropped: tuple[int, ...] = ()
    why: str = ""
    drawn: int = 0
    call: int = -1


class Layer(msgspec.Struct):
    """What happened in a layer so far.

    Attributes:
        nodes: By agent; None for one that has not spoken.
        members: The agents that take part, in the order in which they speak.
        shown: The agents of the layer before, in the order in which their replies are shown.
        ranking: How the members were chosen; None when everybody stayed.
    """

    nodes: list[Node | None]
    members: tuple[int, ...]
    shown: tuple[int, ...] = ()
    ranking: Ranking | None = None

    @property
    def spoken(self) -> list[tuple[int, Node]]:
        """Who has spoken, in order, and what."""
        found = ((i, self.nodes[i]) for i in self.members)
        return [(i, node) for i, node in found if node is not None]


class Network(msgspec.Struct, frozen=True):
    """The agents of a run and what holds for all of them.

    Attributes:
        task: The question.
        kernel: Runs the calls.
        names: The roles.
        agents: One per role.
        ranker: Who names the two best replies.
        rounds: T, the number of layers.
        temperature: Of every call.
        max_tokens: Cap per generation.
    """

    task: Task
    kernel: Kernel
    names: tuple[str, ...]
    agents: tuple[Agent, ...]
    ranker: Agent
    rounds: int
    temperature: float
    max_tokens: int

    @property
    def characters(self) -> int:
        """How long the free text inside a typed reply may be, so that the reply ends in time."""
        return 2 * self.max_tokens


def make_network(
    task: Task,
    kernel: Kernel,
    names: tuple[str, ...],
    rounds: int,
    temperature: float,
    max_tokens: int,
) -> Network:
    """Make the agents. All have the same system prompt, so that their prompts begin alike."""
    profile = f"{PROFILE} {task.rules}".strip()
    agents = tuple(
        kernel.agent("-".join(label.lower().split()), profile=profile) for label in labels(names)
    )
    ranker = kernel.agent("ranker", profile=profile)
    return Network(task, kernel, names, agents, ranker, rounds, temperature, max_tokens)


def labels(names: Sequence[str]) -> list[str]:
    """The roles as reports name them: several agents of one role are numbered."""
    many = Counter(names)
    return [
        f"{name} {names[: i + 1].count(name)}" if many[name] > 1 else name
        for i, name in enumerate(names)
    ]


def persona(name: str) -> str:
    """What an agent is told of its role."""
    return PERSONAS.get(name, f"Your role: {name}.")


def shuffled(kernel: Kernel, indices: Sequence[int]) -> tuple[int, ...]:
    """The same in an order that the run's seed decides."""
    return tuple(kernel.random.sample(indices, len(indices)))


def next_layer(network: Network, layers: Sequence[Layer]) -> Layer:
    """An empty layer: whoever spoke before takes part, and one order in which that is read."""
    width = len(network.agents)
    if not layers:
        return Layer([None] * width, shuffled(network.kernel, range(width)))
    before = sorted(i for i, _ in layers[-1].spoken)
    shown = shuffled(network.kernel, before)
    return Layer([None] * width, shuffled(network.kernel, before), shown)


async def hear(
    listener: Agent, network: Network, before: Layer, shown: Sequence[int]
) -> tuple[list[int], list[Mail]]:
    """Send the replies of a layer to one agent, which then reads its mailbox.

    Returns:
        Whose replies arrived, in the order shown, and the messages.
    """
    for i in shown:
        if (node := before.nodes[i]) is not None:
            await network.agents[i].send(listener, node.text, sources=[node.reply.call])
    mail = {m.sender: m for m in await listener.receive()}
    arrived = [i for i in shown if network.agents[i].name in mail]
    return arrived, [mail[network.agents[i].name] for i in arrived]


def quoted(task: Task, texts: Sequence[str]) -> str:
    """Replies one by one, numbered and fenced; programs as models are used to see them."""
    start, end = ("```python", "```") if task.answer == "code" else ("'''", "'''")
    return "\n\n".join(f"Solution {n}:\n{start}\n{text}\n{end}" for n, text in enumerate(texts, 1))


# -- agreement


def agreement(layer: Layer, same: Same) -> tuple[Agreement, Any]:
    """How many of a layer agree on its most frequent answer, in order of speaking; the answer."""
    answers = [node.answer for _, node in layer.spoken]
    found = most_agreed(answers, same)
    return found, answers[found.index] if found.index >= 0 else None


def agreed(layer: Layer, same: Same) -> bool:
    """Whether more than two thirds of all who take part in a layer agree by now (step 3)."""
    return agreement(layer, same)[0].votes >= enough(len(layer.members))


# -- the listwise ranker


@lru_cache(maxsize=64)
def ranking_type(replies: int, characters: int) -> Any:
    """The typed reply of a ranker: its thoughts, then the numbers of two replies."""
    number = Annotated[int, Meta(ge=1, le=replies)]
    return msgspec.defstruct(
        "Best",
        [
            ("reasoning", Annotated[str, Meta(max_length=characters)]),
            ("best", Annotated[list[number], Meta(min_length=2, max_length=2)]),
        ],
        frozen=True,
    )


ASK_TWO = (
    'Choose the two best solutions. Reply with a JSON object. "reasoning": compare them step by '
    'step, in two or three short sentences. "best": two different numbers, those of the two best '
    "solutions."
)


async def rank(network: Network, before: Layer, layer: Layer) -> Layer:
    """Let the ranker choose the two members of a layer from the replies of the layer before.

    Only the two agents that wrote the chosen replies take part (step 4).
    """
    arrived, mail = await hear(network.ranker, network, before, layer.shown)
    if len(arrived) <= 2:
        return layer
    reply = await network.ranker.ask(
        f"{network.task.text}\n\n{quoted(network.task, [m.text for m in mail])}\n\n{ASK_TWO}",
        output=ranking_type(len(mail), network.characters),
        temperature=network.temperature,
        max_tokens=network.max_tokens,
        sources=[m.call for m in mail],
    )
    layer.ranking = read_ranking(network.kernel, reply, arrived)
    layer.members = tuple(i for i in layer.members if i in layer.ranking.kept)
    return layer


def read_ranking(kernel: Kernel, reply: Reply[Any], shown: Sequence[int]) -> Ranking:
    """The two agents that a ranker named by the places of their replies.

    Places out of range are cut to it. What it left out or named twice is drawn at random.
    """
    found: Any = salvage(reply.text) if isinstance(reply.data, Unparsed) else reply.data
    why, best = found.reasoning or reply.text, found.best
    places = [min(max(b, 1), len(shown)) - 1 for b in best if isinstance(b, int)]
    kept = [shown[p] for p in dict.fromkeys(places)][:2]
    drawn = 2 - len(kept)
    kept += kernel.random.sample([i for i in shown if i not in kept], drawn)
    dropped = tuple(sorted(set(shown) - set(kept)))
    return Ranking(tuple(kept), dropped, why.strip(), drawn, reply.call)


class Loose(msgspec.Struct, frozen=True):
    """What can be read of a typed reply that does not fit its type."""

    reasoning: str = ""
    answer: Any = None
    scores: list[Any] = []
    best: list[Any] = []


def salvage(text: str) -> Loose:
    """Read what there is of a JSON object whose fields do not fit; empty when it is none."""
    try:
        return msgspec.json.decode(text[text.find("{") : text.rfind("}") + 1], type=Loose)
    except (ValueError, RecursionError):
        return Loose()


# -- what a reader is told


def told_layer(t: int, layer: Layer, names: Sequence[str], said: Callable[[Node], str]) -> str:
    """One line on who said what in a layer."""
    spoken = ", ".join(f"{names[i]} {said(node)}" for i, node in sorted(layer.spoken))
    unheard = [names[i] for i in sorted(layer.members) if layer.nodes[i] is None]
    late = f" Not asked any more: {', '.join(unheard)}." if unheard else ""
    return f"Layer {t}: {spoken}.{late}"


def told_ranking(t: int, ranking: Ranking, names: Sequence[str]) -> str:
    """One line on whom the ranker kept before a layer, and why."""
    kept = " and ".join(names[i] for i in ranking.kept)
    dropped = ", ".join(names[i] for i in ranking.dropped)
    drawn = f" ({ranking.drawn} of the two drawn at random)" if ranking.drawn else ""
    why = " ".join(ranking.why.split()) or "it gave no reason"
    return f"Before layer {t} the ranker kept {kept}{drawn} and dropped {dropped}: {why}"


def told_scores(scores: dict[str, float]) -> str:
    """One line on the importance of each role, the most important first."""
    ranked = sorted(scores.items(), key=lambda s: -s[1])
    return "Importance: " + ", ".join(f"{name} {score:.3f}" for name, score in ranked) + "."


def ranking_notes(layers: Sequence[Layer], names: Sequence[str]) -> list[dict[str, Any]]:
    """The rankings as plain data."""
    return [
        {
            "layer": t,
            "kept": [names[i] for i in layer.ranking.kept],
            "dropped": [names[i] for i in layer.ranking.dropped],
            "why": layer.ranking.why,
            "drawn": layer.ranking.drawn,
        }
        for t, layer in enumerate(layers)
        if layer.ranking is not None
    ]
