"""DyLAN: a dynamic network of LLM agents, and the importance of each (arXiv 2310.02170, COLM 2024).

Agents with fixed roles are unrolled over T layers. A node (t, i) is agent i at layer t.

1. Layer 0: in random order, every agent gets the question alone.
2. Layer t >= 1: it also gets the replies of the layer before, rates each from 1 to 5, and answers
   again. The ratings become the weights w of its incoming edges (collegium.agents.importance).
3. After every reply: once more than 2/3 of a layer's members agree, the run stops.
4. From layer 2 on, where more than three agents take part: one call of a listwise ranker names the
   two best replies of the layer before. Only the agents that wrote them stay active.
5. Else, after layer T-1: the plurality of the last layer, ties to what was said first.
6. Backward: nodes of the last layer that gave the final answer share an importance of 1, and
   I(t-1, i) = sum over j of w(i -> j) I(t, j). An agent's score is the sum over layers.

Cost: activated nodes, plus one call per ranking. Tasks answered with code have judges between the
layers: see :mod:`collegium.systems.dylan.code`. A team is chosen by mean scores over trial
questions, without labels: see :mod:`collegium.bench.team`.

Paper vs code vs ours
---------------------
* Selection. The code takes the ranker's choice as positions in a freshly shuffled order, so other
  agents than the ranked ones run. As in the paper, ours are the agents that wrote the two replies.
* Agreement. In the code two unreadable replies agree, and published runs stop on that. Ours agree
  with nothing; where nobody can be read the run abstains, says so, and all importance is 0.
* The ranker. The code lets it name one reply twice. Here the second is then drawn at random, and
  both where nothing can be read; either is counted. The code breaks where there are more than three
  layers; here two are not ranked again, they stay. With three agents or fewer nobody is
  dropped, as in the code, and ``notes`` say so.
* Order. The code shows every node the replies in an order of its own. Here it is drawn once per
  layer and shared with the ranker: prompts then begin alike and are read from the prefix cache
  once. A preference for early or late places thus hits all raters of a layer alike; over layers and
  questions it still averages out. For the same reason question and replies come first, role and
  instruction last, and the system prompt is the same for all.
* Form. The paper has ratings written as "[[s1, s2]]" after free text. Here the one reply of a node
  in a later layer is typed: reasoning, answer, and as many ratings as it was shown replies. When
  even a second try does not fit, what can be read of it counts, and ratings of a wrong number
  become equal weights, as in the paper. A rating of 0 is allowed; published replies use it.
* Quoted are reasoning and answer in full, of a later layer without the ratings. Every reply is
  short (200 tokens, the paper's limit is 2,048), so that seven of them fit a small context.
* Roles are in our own words. For mathematics the paper's runs used four agents without a role and
  eight worked examples; ours have four roles of its list, and no examples.
* A node's own earlier reply is among those it reads and rates, as in the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from collegium.agents import ANSWER_HINT, answer_of, answer_type, closing, worked_type
from collegium.agents.importance import backward, credit, edge_weights, role_totals
from collegium.errors import BadInput
from collegium.kernel import Kernel, Reply, Unparsed
from collegium.systems.dylan.code import CODERS, solve_code
from collegium.systems.dylan.network import (
    Layer,
    Network,
    Node,
    Rating,
    Same,
    agreed,
    agreement,
    hear,
    labels,
    make_network,
    next_layer,
    persona,
    quoted,
    rank,
    ranking_notes,
    salvage,
    told_layer,
    told_ranking,
    told_scores,
)
from collegium.systems.system import Result, system
from collegium.tasks.answers import as_text, normalise_answer
from collegium.tasks.task import Task
from collegium.tools.programs import check_program

SEVEN = (
    "Economist",
    "Doctor",
    "Lawyer",
    "Mathematician",
    "Psychologist",
    "Programmer",
    "Historian",
)
FOUR = ("Mathematician", "Algebraist", "Geometer", "Combinatorialist")
MOST_KEPT = 3
"""Up to so many agents nobody is dropped."""
MAX_TOKENS, TEMPERATURE = 200, 1.0


@system("dylan", paper="dylan", tools=(check_program,))
async def dylan(
    task: Task,
    kernel: Kernel,
    *,
    roles: tuple[str, ...] = (),
    rounds: int = 3,
    early_stop: bool = True,
    ranker: bool = True,
    temperature: float | None = None,
    max_tokens: int | None = None,
) -> Result:
    """Let roles answer and rate each other in layers, drop the weaker, stop when most agree.

    Args:
        task: What to solve.
        kernel: Runs the calls.
        roles: The N agents; empty for those of the paper (seven; four for mathematics and code).
        rounds: T, the number of layers; at least 3.
        early_stop: End when more than 2/3 of a layer agree.
        ranker: Keep but the two best agents from layer 2 on. With this and ``early_stop`` off
            every agent speaks in every layer: N*T calls.
        temperature: Of every call; None: 1.0, and for code 0.8.
        max_tokens: Cap per generation; None: 200, and for code 400.

    Returns:
        The answer agreed on, or the plurality of the last layer. ``notes`` hold ``replies``,
        ``answers`` and ``importance`` by layer and agent, ``weights`` by layer, receiver and
        sender, ``scores`` by role, ``stop``, ``calls`` as the paper counts them, and what failed.

    Raises:
        BadInput: T is below 3, or there is one role alone.
    """
    if rounds < 3:
        raise BadInput(f"dylan needs rounds >= 3, for agents are dropped in the third: {rounds}.")
    if len(roles) == 1:
        raise BadInput("dylan needs at least 2 roles; give none to take those of the paper.")
    if task.answer == "code":
        return await solve_code(
            task,
            kernel,
            names=roles or CODERS,
            rounds=rounds,
            early_stop=early_stop,
            ranker=ranker,
            temperature=temperature,
            max_tokens=max_tokens,
        )
    names = roles or default_roles(task)
    heat = TEMPERATURE if temperature is None else temperature
    network = make_network(task, kernel, names, rounds, heat, max_tokens or MAX_TOKENS)
    same = equal_answers(task)
    layers: list[Layer] = []
    result = Result(Unparsed("", "nobody has spoken"))
    for t in range(rounds):
        layer = next_layer(network, layers)
        if ranker and t >= 2 and len(names) > MOST_KEPT and len(layer.shown) > 2:
            layer = await rank(network, layers[-1], layer)
        layers.append(layer)
        for i in layer.members:
            layer.nodes[i] = await (review(network, layers, i) if t else answer(network, i))
            stop = early_stop and agreed(layer, same)
            if t == 0 or stop:  # later, half a layer is no better than the whole one before it
                result = conclude(network, layers, stop)
                kernel.keep(result)
            if stop:
                return result
        result = conclude(network, layers, False)
        kernel.keep(result)
    return result


def default_roles(task: Task) -> tuple[str, ...]:
    """The roles that the paper has for a kind of task."""
    if task.answer == "code":
        return CODERS
    return FOUR if task.answer in ("number", "latex") else SEVEN


def equal_answers(task: Task) -> Same:
    """Equality of answers by their normal form."""

    def same(one: Any, other: Any) -> bool:
        return normalise_answer(one, task.answer) == normalise_answer(other, task.answer)

    return same


def readable(task: Task, value: Any) -> Any:
    """An answer; None for one that says nothing, which then agrees with nobody."""
    return value if normalise_answer(value, task.answer) is not None else None


# -- nodes


async def answer(network: Network, i: int) -> Node:
    """Node (0, i): the question alone (step 1)."""
    task = network.task
    reply = await network.agents[i].ask(
        f"{task.text}\n\n{persona(network.names[i])}\nUse at most 80 words. {closing(task)}",
        output=worked_type(task),
        temperature=network.temperature,
        max_tokens=network.max_tokens,
    )
    return Node(readable(task, answer_of(reply)), reply.text, reply)


@lru_cache(maxsize=64)
def review_type(answer: Any, replies: int, characters: int) -> Any:
    """The typed reply of a later layer: reasoning, answer, and a rating for every reply shown."""
    return msgspec.defstruct(
        "Review",
        [
            ("reasoning", Annotated[str, Meta(max_length=characters)]),
            ("answer", answer),
            ("scores", Annotated[list[Rating], Meta(min_length=replies, max_length=replies)]),
        ],
        frozen=True,
    )


async def review(network: Network, layers: Sequence[Layer], i: int) -> Node:
    """Node (t, i), t >= 1: read the layer before, rate each of its replies, answer again (step 2).

    What all nodes of the layer share comes first in the prompt.
    """
    task, layer = network.task, layers[-1]
    shown, mail = await hear(network.agents[i], network, layers[-2], layer.shown)
    if not mail:
        return await answer(network, i)
    ranked = [layer.ranking.call] if layer.ranking else []
    reply = await network.agents[i].ask(
        f"{task.text}\n\n{quoted(task, [m.text for m in mail])}\n\n{persona(network.names[i])}\n"
        f"{weigh(task, len(mail))}",
        output=review_type(answer_type(task), len(mail), network.characters),
        temperature=network.temperature,
        max_tokens=network.max_tokens,
        sources=[m.call for m in mail] + ranked,
    )
    reasoning, value, scores = read_review(task, reply)
    text = reply.text if value is None else f"{reasoning}\nAnswer: {as_text(value)}".strip()
    row = edge_weights(scores, shown, len(network.agents))
    return Node(value, text, reply, row, rated=len(scores) == len(shown))


def weigh(task: Task, replies: int) -> str:
    """How the reply of a later layer is asked for."""
    return (
        f"Weigh these {replies} solutions; all of them may be wrong. Then answer yourself. Reply "
        'with a JSON object. "reasoning": your check, step by step, in two or three short '
        f'sentences. "answer": {ANSWER_HINT[task.answer]}. "scores": {replies} numbers from 1 '
        "(useless) to 5 (excellent), one for each solution, in their order."
    )


def read_review(task: Task, reply: Reply[Any]) -> tuple[str, Any, list[int]]:
    """Reasoning, answer and ratings; of a reply that does not fit, what can be read of it."""
    found: Any = reply.data
    if not isinstance(found, Unparsed):
        value, scores = found.answer, list(found.scores)
    else:
        found = salvage(reply.text)
        try:
            value = msgspec.convert(found.answer, answer_type(task), strict=False)
        except msgspec.ValidationError:
            value = None
        scores = [s if isinstance(s, int) else 0 for s in found.scores]
    if task.answer == "latex" and isinstance(value, str):
        value = value.translate(BACKSLASHES)
    return found.reasoning, readable(task, value), scores


BACKSLASHES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
r"""LaTeX in JSON: a model that writes "\frac" with one backslash has written a form feed."""


# -- the end


def conclude(network: Network, layers: Sequence[Layer], stopped: bool) -> Result:
    """The plurality of the last layer (step 5), and the importance of every node (step 6)."""
    task, last, t = network.task, layers[-1], len(layers) - 1
    same, names = equal_answers(task), labels(network.names)
    found, final = agreement(last, same)
    agrees = [n is not None and n.answer is not None and same(n.answer, final) for n in last.nodes]
    rows = [[n.row if n else None for n in layer.nodes] for layer in layers[1:]]
    silent = [[0.0] * len(names)] * (network.rounds - len(layers))
    importance = backward(rows, credit(agrees)) + silent
    scores = dict(zip(names, role_totals(importance), strict=True))
    nodes = [node for layer in layers for _, node in layer.spoken]
    votes = f"{found.votes} of {len(last.members)} gave {as_text(final)}"
    if final is None:
        reason = f"no reply of layer {t} could be read"
    elif stopped:
        reason = f"more than two thirds agree: {votes}"
    elif t + 1 == network.rounds:
        reason = f"all {network.rounds} layers ran, and the most frequent answer won: {votes}"
    else:
        reason = f"no further layer was finished; the most frequent answer so far: {votes}"
    flags = [reason] if final is None else []
    if len(names) <= MOST_KEPT:
        flags.append(f"the ranker drops nobody from a team of {len(names)}")
    lines = []
    for number, layer in enumerate(layers):
        if layer.ranking:
            lines.append(told_ranking(number, layer.ranking, names))
        lines.append(told_layer(number, layer, names, told_answer))
    lines += [f"It stopped in layer {t}: {reason}.", told_scores(scores)]
    return Result(
        Unparsed("", reason) if final is None else final,
        tuple(node.reply for _, node in last.spoken),
        {
            "roles": names,
            "replies": [[n and n.text for n in layer.nodes] for layer in layers],
            "answers": [[n and n.answer for n in layer.nodes] for layer in layers],
            "shown": [[names[i] for i in layer.shown] for layer in layers],
            "spoke": [[names[i] for i, _ in layer.spoken] for layer in layers],
            "weights": rows,
            "importance": importance,
            "scores": scores,
            "stop": {"layer": t, "reason": reason},
            "rankings": ranking_notes(layers, names),
            "calls": len(nodes) + sum(layer.ranking is not None for layer in layers),
            "tokens": network.kernel.meter.usage.tokens,
            "abstentions": sum(node.answer is None for node in nodes),
            "unrated": sum(not node.rated for node in nodes),
            "drawn": sum(layer.ranking.drawn for layer in layers if layer.ranking),
            "flags": flags,
        },
        "\n".join(lines),
    )


def told_answer(node: Node) -> str:
    """A node's answer in a line for readers."""
    return "nothing readable" if node.answer is None else " ".join(as_text(node.answer).split())
