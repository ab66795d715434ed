"""Made-up but plausible records, for the tests of the report."""

import random

from collegium.bench.records import Outcome, Report
from collegium.bench.summary import pair, rank, system_row
from collegium.kernel.calls import Generate, Message, Receive, Reply, Send, Usage
from collegium.kernel.trace import Event

NAMES = ("mad:agents=3,rounds=2", "self-consistency:samples=6", "direct")
PAPERS = {"mad": "mad"}
CALLS = {"mad": 6, "self-consistency": 6, "direct": 1}


def outcomes(name, n, *, chance, tokens, calls, seed=1, start=0):
    """n outcomes of a system."""
    rng = random.Random(f"{name}{seed}")
    made = []
    for i in range(start, start + n):
        hard = i % 3 == 0
        unparsed = rng.random() < 0.05
        correct = not unparsed and rng.random() < chance - 0.25 * hard
        boxes, eggs = 3 + i % 7, 12 + i
        spent = int(tokens * rng.uniform(0.85, 1.2))
        made.append(
            Outcome(
                system=name,
                task=f"gsm-{i:03d}",
                stratum="3 or more steps" if hard else "1 or 2 steps",
                prompt=(
                    f"A farm packs {boxes} boxes of {eggs} eggs every morning and sells two "
                    "thirds of them at the market before noon. How many eggs are left?"
                ),
                reference=str(boxes * eggs),
                answer="" if unparsed else str(boxes * eggs - (not correct) * 4),
                correct=correct,
                value=float(correct),
                unparsed=unparsed,
                limited=unparsed and hard,
                calls=calls,
                tokens_prompt=int(spent * 0.6),
                tokens_cached=int(spent * 0.25),
                tokens_completion=spent - int(spent * 0.6),
                seconds=calls * rng.uniform(1.2, 2.0),
                notes={"votes": 2, "cast": 3} if calls > 1 else {},
            )
        )
    return made


def events(outcome, text="First the boxes, then the eggs. "):
    """A small debate: replies, a message, a mailbox, a repair."""
    prompt = (Message("system", "You solve problems."), Message("user", outcome.prompt))
    usage = Usage(prompt=180, cached=90, completion=64)

    def said(i, agent, body, outcome_kind="ok", parent=None):
        call = Generate(agent=agent, role="debater", messages=prompt, seed=i, parent=parent)
        reply = Reply(body, usage=usage, finish="length" if i == 1 else "stop", call=i)
        return Event(
            id=i, call=call, outcome=outcome_kind, replies=(reply,), model="local-small",
            usage=usage, started=i * 1.5, seconds=1.43,
        )  # fmt: skip

    mail = [{"sender": "debater-1", "text": text, "call": 0}]
    return [
        said(0, "debater-1", text + f'{{"answer": {outcome.answer or 0}}}'),
        said(1, "debater-2", text * 3),
        said(2, "debater-2", f'{{"answer": {outcome.answer or 0}}}', "fix", parent=1),
        Event(id=3, call=Send(agent="debater-1", to="debater-2", text=text, sources=(0,))),
        Event(id=4, call=Receive(agent="debater-2"), outcome="observation", value=mail),
        said(5, "debater-2", text + "I agree with the other agent."),
    ]


def report(per_system, *, controls=None, factor=2.0, curve=False, papers=PAPERS):
    """A report over outcomes by system name."""
    rows = [
        system_row(n, papers.get(n.partition(":")[0]), {"temperature": 1.0, "max_tokens": 384}, o)
        for n, o in per_system.items()
    ]
    names = list(per_system)
    pairs = [
        pair(a, b, per_system[a], per_system[b], 7)
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    ]
    controls = controls or {}
    ranking, verdict, spend = rank(rows, pairs, controls=controls, factor=factor, curve=curve)
    return Report(
        run="20250304-101500-7f3a", created="2025-03-04 10:15 UTC",
        command="collegium compare direct self-consistency:samples=6 mad --on gsm-symbolic "
        "--limit 30 --seed 7 --model local-small",
        benchmark="gsm-symbolic", split="test", source="reasoning-gym 0.1.25 (Apache-2.0)",
        fingerprint="blake2b:51c0a9e2d4", model="local-small", roles={"verifier": "local"},
        seed=7, limit=30, budget=4000, exact=True, systems=tuple(rows), pairs=tuple(pairs),
        controls=controls, ranking=ranking, verdict=verdict, spend_factor=spend, curve=curve,
        machine="2 cores x86_64, 8 GB, Linux", version="0.1.0", seconds=812.4,
        outcomes=tuple(o for all_of_one in per_system.values() for o in all_of_one),
    )  # fmt: skip


def example(n=30, *, direct_tokens=1300, curve=False):
    """Three systems on n questions, with traces."""
    per_system = {
        NAMES[0]: outcomes(NAMES[0], n, chance=0.66, tokens=1900, calls=6),
        NAMES[1]: outcomes(NAMES[1], n, chance=0.66, tokens=1500, calls=6),
        NAMES[2]: outcomes(NAMES[2], n, chance=0.42, tokens=direct_tokens, calls=1),
    }
    made = report(per_system, controls={"majority": 0.07, "closed-book": 0.12}, curve=curve)
    traces = {(o.system, o.task): events(o) for o in made.outcomes}
    return made, traces
