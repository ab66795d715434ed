"""DyLAN for programs: judges between the layers of coders.

Four coders speak in every layer. Between two layers of them stand four judges, nodes too:

* Passer, a tool, runs each candidate and says whether it runs at all;
* Tester writes up to ten one-line asserts, each of which is run against each candidate for at most
  five seconds; a failed one is shown with the value that came instead;
* Reflector writes a reflection on each candidate and rates it;
* Ranker names the two best candidates, which are all that the next coders are shown.

Edges go coder -> judge -> coder. Ratings into judges: Passer and Ranker 5 or 0, Tester
ceil(5 passed/total), Reflector its own. A coder rates the three judges other than Ranker, which
always has 3. From layer 2 on, of more than two coders, the listwise ranker of the layers keeps two.

The run stops when more than 2/3 of a layer of coders wrote alike: BLEU of 90 or more, without
regard to case, among programs that run. The answer is the program of the last layer that passes
most of all collected tests.

Calls: coders, three per layer of judges, one per ranking of coders: 17 with 4 coders, 3 layers and
no early stop.

Paper vs code vs ours
---------------------
* The final program. The code picks it from layer 0 whatever came after. Here it is of the last
  layer that ran; ties go to the program that most others resemble, then to the first written.
* Credit. In the code every program earns it, since a test there is always true. Here those that
  are like the final program do.
* Early stop. The code has it from layer 1 on only; so has ours, for in layer 0 no test exists yet.
* Likeness. BLEU is taken without docstrings and comments, which repeat the task; the code takes
  the lines after the first ``def``.
* A coder's reply is free text with the program in a block, and then its three ratings as a typed
  answer line. A program inside JSON is what small models are worst at.
* Messages. Judges send what they found on the two chosen programs, and Ranker the programs
  themselves; the code lays out the same by program.
* The listwise ranker and the judge Ranker are two calls, as in the code. Neither is called for two
  programs or fewer.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from msgspec import Meta

from collegium.agents import closing
from collegium.agents.importance import (
    Row,
    backward,
    credit,
    edge_weights,
    enough,
    most_agreed,
    role_totals,
)
from collegium.agents.programs import whole_program
from collegium.errors import missing_extra
from collegium.kernel import Agent, Kernel, Reply, Unparsed, Worked
from collegium.kernel.outputs import stated_answer
from collegium.systems.dylan.judges import (
    JUDGES,
    MOST_KEPT,
    RANKER,
    Judged,
    Runs,
    judge,
    make_judges,
    told_judges,
)
from collegium.systems.dylan.network import (
    Layer,
    Network,
    Node,
    Rating,
    labels,
    make_network,
    next_layer,
    persona,
    rank,
    ranking_notes,
    told_layer,
    told_ranking,
    told_scores,
)
from collegium.systems.system import Result
from collegium.tasks.task import Task
from collegium.tools.programs import compiles

CODERS = ("PythonAssistant", "AlgorithmDeveloper", "ComputerScientist", "Programmer")
RANKER_RATING, ALIKE = 3, 90.0
MAX_TOKENS, TEMPERATURE = 400, 0.8


async def solve_code(
    task: Task,
    kernel: Kernel,
    *,
    names: tuple[str, ...],
    rounds: int,
    early_stop: bool,
    ranker: bool,
    temperature: float | None,
    max_tokens: int | None,
) -> Result:
    """Run the network of coders and judges; see :func:`collegium.systems.dylan.dylan`."""
    heat = TEMPERATURE if temperature is None else temperature
    network = make_network(task, kernel, names, rounds, heat, max_tokens or MAX_TOKENS)
    judges = make_judges(network)
    runs = Runs(judges[0])
    layers: list[Layer] = []
    judged: list[Judged] = []
    result = Result(Unparsed("", "nobody has spoken"))
    for t in range(rounds):
        layer = next_layer(network, layers)
        if ranker and t >= 2 and len(network.agents) > MOST_KEPT and len(layer.shown) > MOST_KEPT:
            layer = await rank(network, layers[-1], layer)
        if t:
            judged.append(await judge(network, judges, runs, layers[-1], layer.shown))
        layers.append(layer)
        stop = False
        for i in layer.members:
            if t:
                layer.nodes[i] = await improve(network, judges, judged[-1], layer, i)
                stop = early_stop and await alike(layer, runs)
            else:
                layer.nodes[i] = await write(network, i)
            if stop:
                break
        result = await conclude(network, layers, judged, runs, stop)
        kernel.keep(result)
        if stop:
            break
    return result


# -- coders


def program_of(network: Network, text: str) -> str | None:
    """The whole program of a reply; None for prose, which is neither in a block nor Python."""
    program = whole_program(text, network.task, network.task.entry_point).strip()
    prose = not text.strip() or ("```" not in text and compiles(program))
    return None if prose else program or None


async def write(network: Network, i: int) -> Node:
    """Node (0, i): a program from the task alone."""
    task = network.task
    reply = await network.agents[i].ask(
        f"{task.text}\n\n{persona(network.names[i])}\n{closing(task)} No examples of its use.",
        temperature=network.temperature,
        max_tokens=network.max_tokens,
    )
    program = program_of(network, reply.text)
    return Node(program, program or "", reply)


HELP = ("the syntax check", "the tests", "the reflections")


@lru_cache(maxsize=8)
def ratings_type(judges: int) -> Any:
    """Ratings of the judges, one each."""
    return Annotated[list[Rating], Meta(min_length=judges, max_length=judges)]


async def improve(
    network: Network, judges: Sequence[Agent], found: Judged, layer: Layer, i: int
) -> Node:
    """Node (t, i), t >= 1: a better program from what the judges sent, and ratings of them."""
    coder = network.agents[i]
    for j, message in enumerate(found.messages):
        await judges[j].send(coder, message, sources=found.sources[j])
    mail = {m.sender: m for m in await coder.receive()}
    heard = [j for j in found.order if judges[j].name in mail]
    parts = [mail[judges[j].name].text for j in (RANKER, *heard) if judges[j].name in mail]
    task, sources = network.task, [m.call for m in mail.values()]
    helped = ", ".join(HELP[j] for j in heard)
    form = f"[{', '.join(['n'] * len(heard))}]"
    reply = await coder.ask(
        "\n\n".join([task.text, *parts, persona(network.names[i])])
        + "\nYour reply has two parts.\n"
        "1. An improved solution: the complete Python code in one ```python block, without "
        "examples of its use. If nothing is wrong, the best solution again.\n"
        f"2. A last line 'Answer: {form}' that rates how much {helped} helped you, each from 1 "
        "(useless) to 5 (very helpful).\n"
        "Begin with part 1, the code.",
        output=Worked[ratings_type(len(heard))],
        temperature=network.temperature,
        max_tokens=network.max_tokens,
        sources=sources + ([layer.ranking.call] if layer.ranking else []),
    )
    text, ratings = read_improved(reply)
    program = program_of(network, text)
    fits = len(ratings) == len(heard)
    given = [*ratings, RANKER_RATING] if fits else []
    row = edge_weights(given, [*heard, RANKER], len(JUDGES))
    return Node(program, program or "", reply, row, rated=fits)


def read_improved(reply: Reply[Any]) -> tuple[str, list[int]]:
    """The text with the program, and the ratings; none where they do not fit."""
    if isinstance(reply.data, Worked):
        return reply.data.reasoning, list(reply.data.answer)
    stated = stated_answer(reply.text)
    return (stated[0] if stated else reply.text), []


# -- agreement, and the end


@lru_cache(maxsize=256)
def bare(program: str) -> str:
    """A program without comments and docstrings, in a uniform spelling; as it is when broken."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return program
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(tree))


@lru_cache(maxsize=1024)
def similar(one: str, other: str) -> bool:
    """Whether two programs are alike: sentence BLEU of 90 or more, without regard to case."""
    first, second = bare(one), bare(other)
    if first == second:
        return True
    try:
        from sacrebleu import sentence_bleu
    except ImportError:
        raise missing_extra("tasks", "comparing programs by BLEU") from None
    return sentence_bleu(first, [second], lowercase=True).score >= ALIKE


async def alike(layer: Layer, runs: Runs) -> bool:
    """Whether more than two thirds of a layer wrote alike, among programs that run."""
    if len(layer.spoken) < enough(len(layer.members)):
        return False
    programs = [node.answer for _, node in layer.spoken if node.answer]
    starts = await runs.start(programs)
    running = [p for p, problem in zip(programs, starts, strict=True) if not problem]
    return most_agreed(running, similar).votes >= enough(len(layer.members))


async def conclude(
    network: Network,
    layers: Sequence[Layer],
    judged: Sequence[Judged],
    runs: Runs,
    stopped: bool,
) -> Result:
    """Choose the program by all collected tests, and propagate importance to coders and judges."""
    last, t, names = layers[-1], len(layers) - 1, labels(network.names)
    tests = list(dict.fromkeys(test for found in judged for test in found.tests))
    written = {i: node.answer for i, node in last.spoken if node.answer}
    programs = list(written.values())
    starts = await runs.start(programs)
    passed = [row.count("") for row in await runs.outcomes(programs, tests)]
    votes = [sum(similar(p, other) for other in programs) for p in programs]
    merits = [(not s, n, v) for s, n, v in zip(starts, passed, votes, strict=True)]
    best = merits.index(max(merits)) if merits else -1
    final = programs[best] if merits else None
    agrees = [n is not None and n.answer and final and similar(n.answer, final) for n in last.nodes]
    weights: list[Sequence[Row | None]] = []
    for found, layer in zip(judged, layers[1:], strict=True):
        weights += [found.rows, [n.row if n else None for n in layer.nodes]]
    everything = backward(weights, credit([bool(a) for a in agrees]))
    left = network.rounds - len(layers)
    coders = everything[::2] + [[0.0] * len(names)] * left
    judges = everything[1::2] + [[0.0] * len(JUDGES)] * left
    scores = dict(zip(names, role_totals(coders), strict=True))
    tested = "there were no tests"
    if merits and tests:
        tested = f"passed {passed[best]} of {len(tests)} tests"
    if final is None:
        reason = f"no reply of layer {t} holds a program"
    elif stopped:
        reason = f"more than two thirds wrote alike; the chosen program {tested}"
    elif t + 1 == network.rounds:
        reason = f"all {network.rounds} layers ran; the chosen program {tested}"
    else:
        reason = f"no further layer was finished; the best program so far {tested}"
    results = dict(zip(written, passed, strict=True))
    lines: list[str] = []
    for number, layer in enumerate(layers):
        if layer.ranking:
            lines.append(told_ranking(number, layer.ranking, names))
        if number:
            lines.append(told_judges(number, judged[number - 1], names))
        lines.append(told_layer(number, layer, names, told_program))
    lines.append(f"It stopped in layer {t}: {reason}.")
    if tests:
        marks = ", ".join(f"{names[i]} {n}/{len(tests)}" for i, n in results.items())
        lines.append(f"Tests passed: {marks}.")
    by_judge = dict(zip(JUDGES, role_totals(judges), strict=True)) if judged else {}
    lines += [told_scores(scores), *([f"Judges. {told_scores(by_judge)}"] if by_judge else [])]
    nodes = [node for layer in layers for _, node in layer.spoken]
    ranked = [layer.ranking for layer in layers if layer.ranking]
    small = f"the ranker drops nobody from a team of {len(names)}"
    return Result(
        Unparsed("", reason) if final is None else final,
        tuple(node.reply for _, node in last.spoken),
        {
            "roles": names,
            "judges": list(JUDGES),
            "replies": [[n and n.text for n in layer.nodes] for layer in layers],
            "findings": [list(found.messages) for found in judged],
            "weights": weights,
            "importance": coders,
            "judge_importance": judges,
            "scores": scores,
            "judge_scores": by_judge,
            "stop": {"layer": t, "reason": reason},
            "rankings": ranking_notes(layers, names),
            "calls": len(nodes) + len(ranked) + sum(found.calls for found in judged),
            "tokens": network.kernel.meter.usage.tokens,
            "tests": tests,
            **(
                {"self_tests": {"passed": passed[best], "total": len(tests)}}
                if merits and tests
                else {}
            ),
            "abstentions": sum(node.answer is None for node in nodes),
            "unrated": sum(not node.rated for node in nodes),
            "drawn": sum(r.drawn for r in [*ranked, *(found.ranking for found in judged)]),
            "flags": ([reason] if final is None else [])
            + ([small] if len(names) <= MOST_KEPT else []),
        },
        "\n".join(lines),
    )


def told_program(node: Node) -> str:
    """A node's program in a line for readers: its length."""
    lines = len(node.answer.splitlines()) if node.answer else 0
    return f"wrote {lines} lines" if lines else "wrote no program"
