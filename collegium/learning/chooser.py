"""Which ways to make an agent better are open to a user, which one first, and why not the others.

Step 7 of the pipeline of arXiv 2503.12434 as it is put to use here. A situation says what a user
has; a route says what it needs. Both are data, and no model is asked. Routes carry the survey's
labels, so that the papers of the catalog that took a route are found by them.

The rules, in their order:

1. A fixed corpus and tasks that ask for facts: retrieval first.
2. Weights that may change, pairs, a success signal and time: supervised training, then preferences.
3. Weights and pairs: preferences.
4. Weights and fewer than 50 trajectories: an adapter on demonstrations or self-explored runs.
5. Weights and a success signal, but no pairs: an environment filter and rejection sampling.
6. No weights: only what leaves them as they are; with a success signal and logs, experience first.

What else is open follows, cheap before dear.

Paper vs code vs ours
---------------------
* The survey orders methods and gives no rule for choosing. The rules are ours.
* Pairs count as had from 50 on, as trajectories do; with fewer, preferences stay open but are not
  named first.
* The minutes a route needs are guesses for an adapter on a model of half a billion parameters on
  two processor cores. They decide what fits into the time, and stand in one table, ``ROUTES``.
* A route that the user names although it is closed is a contradiction: it is refused with what is
  missing, never replaced by another.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from collegium.catalog.optimisation import Label, labelled
from collegium.errors import BadInput, unknown_name

MANY = 50
"""Trajectories, or pairs, from which on there are enough to train on."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What a user has.

    Attributes:
        weights: The weights of the model may be changed.
        model: The model; one with a provider's prefix ("openai:...") is not on this machine.
        trajectories: Runs that were captured.
        demonstrations: Runs of experts, or of a stronger model.
        reward: A success signal exists: tests, reference answers, a world's reward.
        pairs: Pairs of better and worse behaviour.
        tools: Tools the agent may use.
        corpus: A fixed collection of texts.
        factual: The tasks ask for facts.
        minutes: Time for training, in minutes; None: as long as it takes.
    """

    weights: bool = False
    model: str = ""
    trajectories: int = 0
    demonstrations: int = 0
    reward: bool = False
    pairs: int = 0
    tools: int = 0
    corpus: bool = False
    factual: bool = False
    minutes: float | None = None


Need = tuple[str, Callable[[Situation], bool]]
"""What a route needs, in words, and whether a situation has it."""


class Route(msgspec.Struct, frozen=True):
    """One way to make an agent better.

    Attributes:
        name: Short name.
        what: What is done.
        labels: Where the survey puts it.
        needs: All that must be there.
        minutes: Training time it takes at the least; 0 where no weights change.
    """

    name: str
    what: str
    labels: tuple[Label, ...]
    needs: tuple[Need, ...] = ()
    minutes: float = 0.0

    @property
    def changes_weights(self) -> bool:
        """Whether it is parameter-driven."""
        return self.labels[0] != ("family", "parameter-free")


class Open(msgspec.Struct, frozen=True):
    """A route that is open, the reason for its place, and the papers that took it."""

    route: str
    what: str
    reason: str
    labels: tuple[str, ...]
    papers: tuple[str, ...]


class Closed(msgspec.Struct, frozen=True):
    """A route that is closed, and all that is missing for it."""

    route: str
    what: str
    missing: tuple[str, ...]


class Choice(msgspec.Struct, frozen=True):
    """Every route once: those that are open, best first, and those that are closed."""

    open: tuple[Open, ...]
    closed: tuple[Closed, ...]


REWARD: Need = ("a success signal", lambda s: s.reward)
PAIRS: Need = ("pairs of better and worse behaviour", lambda s: s.pairs > 0)
LOGS: Need = ("captured trajectories", lambda s: s.trajectories > 0)
ENOUGH: Need = (f"at least {MANY} captured trajectories", lambda s: s.trajectories >= MANY)
DATA: Need = (
    "trajectories, demonstrations, or a success signal to explore with",
    lambda s: s.trajectories > 0 or s.demonstrations > 0 or s.reward,
)


def _driven(*labels: Label) -> tuple[Label, ...]:
    return (("family", "parameter-driven"), *labels)


def _free(value: str) -> tuple[Label, ...]:
    return (("family", "parameter-free"), ("parameter-free", value))


ROUTES: tuple[Route, ...] = (
    Route(
        "sft-then-preferences",
        "supervised training on kept runs, then preferences on pairs",
        _driven(("hybrid", "sequential")),
        (REWARD, PAIRS, DATA),
        60,
    ),
    Route(
        "preferences",
        "a preference loss (DPO) on pairs of the same task",
        _driven(("reinforcement", "preference-based")),
        (PAIRS,),
        15,
    ),
    Route(
        "adapter",
        "supervised training of an adapter on demonstrations or self-explored runs",
        _driven(("route", "fine-tuning"), ("tuning", "parameter-efficient")),
        (DATA,),
        15,
    ),
    Route(
        "rejection-sampling",
        "keep what the environment rewards, train on it, collect again",
        _driven(
            ("route", "fine-tuning"), ("acquisition", "self-explored"), ("filtering", "environment")
        ),
        (REWARD, ENOUGH),
        30,
    ),
    Route(
        "group-reward",
        "reinforcement on short tasks with a group baseline (GRPO)",
        _driven(("reinforcement", "policy-gradient")),
        (REWARD,),
        120,
    ),
    Route(
        "alternating",
        "collecting, supervised training and reward take turns",
        _driven(("hybrid", "alternating")),
        (REWARD, ENOUGH),
        180,
    ),
    Route(
        "experience",
        "rules distilled from successes and failures, retrieved by similar tasks",
        _free("experience-based"),
        (REWARD, LOGS),
    ),
    Route(
        "external-feedback",
        "the result of an attempt goes into the next one",
        _free("external-feedback"),
        (REWARD,),
    ),
    Route(
        "prompt-search",
        "a model rewrites the prompt; a validation split decides",
        _free("meta-prompt"),
        (REWARD,),
    ),
    Route(
        "retrieval",
        "passages of the corpus are put into the prompt",
        _free("retrieval-based"),
        (("a corpus to retrieve from", lambda s: s.corpus),),
    ),
    Route(
        "tools",
        "a subset of the tools, and better descriptions of them",
        _free("tool-based"),
        (("tools to choose from", lambda s: s.tools > 0),),
    ),
    Route("self-reflection", "the agent criticises its own attempt", _free("self-reflection")),
    Route("team", "several agents work on the same task", _free("multi-agent")),
)
"""Every route; of those that no rule names, the earlier parameter-free ones come first."""


def choose(situation: Situation, *, asked: str = "") -> Choice:
    """Rank the routes that are open, and say of every other one what is missing.

    Args:
        situation: What the user has.
        asked: A route that the user wants; it must be open, and then comes first.

    Raises:
        UnknownName: There is no such route.
        BadInput: The situation contradicts itself, or the route asked for is closed; the sentence
            says what is missing.
    """
    _check(situation)
    missing = {route.name: lacks(route, situation) for route in ROUTES}
    if asked and asked not in missing:
        raise unknown_name("route", asked, missing)
    if asked and missing[asked]:
        raise BadInput(f"route {asked!r} is closed; missing: {'; '.join(missing[asked])}.")
    first = _first(situation)
    named = [(name, reason) for name, reason in first if not missing[name]]
    if asked:
        named.insert(0, (asked, "You asked for it."))
    rest = sorted(
        (r for r in ROUTES if not missing[r.name]),
        key=lambda r: (r.minutes, ROUTES.index(r)),
    )
    named += [(route.name, _why(route)) for route in rest]
    by_name = {route.name: route for route in ROUTES}
    ranked = dict(reversed(named))  # the first reason of each counts
    order = dict.fromkeys(name for name, _ in named)
    return Choice(
        tuple(_open(by_name[name], ranked[name]) for name in order),
        tuple(
            Closed(route.name, route.what, missing[route.name])
            for route in ROUTES
            if missing[route.name]
        ),
    )


def lacks(route: Route, situation: Situation) -> tuple[str, ...]:
    """All that a situation lacks for a route; nothing where it is open."""
    missing = [words for words, has in route.needs if not has(situation)]
    if route.changes_weights:
        if not situation.weights:
            missing.insert(0, "weights that may be changed")
        elif situation.minutes is not None and situation.minutes < route.minutes:
            missing.append(
                f"time: about {route.minutes:g} minutes of training, not {situation.minutes:g}"
            )
    return tuple(missing)


def _first(s: Situation) -> list[tuple[str, str]]:
    """What the rules name, in their order, each with its reason; open or not."""
    rules: list[tuple[bool, str, str]] = [
        (
            s.corpus and s.factual,
            "retrieval",
            "The tasks ask for facts, and a corpus that does not change may hold them.",
        ),
        (
            s.pairs >= MANY and s.reward,
            "sft-then-preferences",
            "Pairs, a success signal and time: a supervised warm-up, then preferences.",
        ),
        (s.pairs >= MANY, "preferences", f"{s.pairs} pairs say which behaviour is better."),
        (
            s.trajectories < MANY,
            "adapter",
            f"Fewer than {MANY} trajectories: a small adapter on demonstrations or own runs.",
        ),
        (
            s.reward,
            "rejection-sampling",
            f"A success signal and {s.trajectories} trajectories: keep the successes and train.",
        ),
        (
            s.reward and s.trajectories > 0,
            "experience",
            f"{s.trajectories} judged trajectories show what works, without training.",
        ),
    ]
    return [(name, reason) for holds, name, reason in rules if holds]


def _why(route: Route) -> str:
    if route.changes_weights:
        return f"Open; takes about {route.minutes:g} minutes of training."
    return "Open, without training."


def _open(route: Route, reason: str) -> Open:
    labels = tuple(f"{dimension}={value}" for dimension, value in route.labels)
    return Open(route.name, route.what, reason, labels, tuple(labelled(route.labels)))


def _check(s: Situation) -> None:
    """Refuse what cannot be."""
    for name in ("trajectories", "demonstrations", "pairs", "tools", "minutes"):
        value = getattr(s, name)
        if value is not None and not value >= 0:  # NaN is not either
            raise BadInput(f"{name} is a number from 0 on, not {value}.")
    if s.weights and ":" in s.model:
        raise BadInput(
            f"weights may be changed, but model {s.model!r} is a provider's: missing is a model "
            "on this machine, such as local-small."
        )
