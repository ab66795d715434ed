"""Known agents as specifications: ReAct, chain of thought, chatbot, Reflexion, ReWOO, PASS.

Letters are the paper's: Q question, T thought, A action, I action input, O observation, Z answer,
E evaluation, R reflection, P plan, S summary, U user, B bot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collegium.guard.ltl.content import Choices, Content, Text, ToolInput
from collegium.guard.ltl.spec import Binding, Spec, State, Works, specify

REACT = (
    "Q & G(Q -> X T) & G(T -> X (A | Z)) & G(A -> X I) & G(I -> X O) & G(O -> X T) "
    "& G(Z -> end) & F Z"
)
COT = "Q & G(Q -> X T) & G(T -> X (T | Z)) & G(Z -> end) & F Z"
CHATBOT = "U & G(U -> X B) & G(B -> (X U | end))"
REFLEXION = (
    "Q & G(Q -> X T) & G(T -> X E) & G(E -> X (R | Z)) & G(R -> X T) & at most {k} R "
    "& G(Z -> end) & F Z"
)
REWOO = (
    "Q & G(Q -> X P) & G(P -> X A) & G(A -> X I) & G(I -> X (A | O)) & G(O -> X (O | Z)) "
    "& G(Z -> end) & F Z"
)
PASS = (
    "Q & G(Q -> X P) & G(P -> X (A | Z)) & G(A -> X I) & G(I -> X (A | O)) & G(O -> X S) "
    "& G(S -> X P) & G(Z -> end) & F Z"
)

Schemas = Mapping[str, dict[str, Any]]
"""JSON schema of the arguments, by tool."""


def react(
    tools: Schemas, *, answer: Content = Text(), max_tokens: int = 96, answer_tokens: int = 96
) -> Spec:
    """ReAct: think, act, observe, until there is an answer.

    Args:
        tools: The tools that actions may name.
        answer: What the answer must be.
        max_tokens: Of a thought.
        answer_tokens: Of the answer.
    """
    return specify(
        "react",
        [
            _question(),
            _thought("T", "[Thought]", "think about what to do next", max_tokens),
            *_acting(tools, max_tokens),
            _observation("last"),
            _answer(answer, answer_tokens),
        ],
        REACT,
    )


def cot(*, answer: Content = Text(), max_tokens: int = 96) -> Spec:
    """Chain of thought: one thought or more, then the answer."""
    return specify(
        "cot",
        [
            _question(),
            _thought("T", "[Thought]", "one step of reasoning", max_tokens),
            _answer(answer, max_tokens),
        ],
        COT,
    )


def chatbot(*, max_tokens: int = 256) -> Spec:
    """A conversation: the user says something, the bot replies, as long as the user goes on."""
    return specify(
        "chatbot",
        [
            State("U", "[User]", "env", "what the user says"),
            State("B", "[Bot]", says="your reply", content=Text(True), max_tokens=max_tokens),
        ],
        CHATBOT,
    )


def reflexion(
    evaluator: str, *, k: int = 3, answer: Content = Text(), max_tokens: int = 192
) -> Spec:
    """Reflexion: attempt, have it evaluated, reflect, attempt again, at most ``k`` times.

    Args:
        evaluator: The tool that judges an attempt; it takes its text.
        k: How many reflections there may be.
        answer: What the answer must be.
        max_tokens: Of an attempt, a reflection and an answer.
    """
    return specify(
        "reflexion",
        [
            _question(),
            _thought("T", "[Thought]", "an attempt at the whole solution", max_tokens),
            State(
                "E", "[Evaluation]", "env", "how good the attempt is", binding=_tool("T", evaluator)
            ),
            _thought("R", "[Reflection]", "what went wrong and what to do better", max_tokens),
            _answer(answer, max_tokens),
        ],
        REFLEXION.format(k=k),
    )


def rewoo(
    tools: Schemas, *, answer: Content = Text(), max_tokens: int = 96, answer_tokens: int = 96
) -> Spec:
    """ReWOO: plan all actions first, then observe all, then answer.

    In an action's input, ``#E1`` stands for the first observation.
    """
    return specify(
        "rewoo",
        [
            _question(),
            _thought("P", "[Plan]", "a plan that needs no results; #E1 is the first", max_tokens),
            *_acting(tools, max_tokens),
            _observation("each"),
            _answer(answer, answer_tokens),
        ],
        REWOO,
    )


def pass_(
    tools: Schemas,
    *,
    answer: Content = Text(),
    rounds: int | None = None,
    actions: int | None = None,
    max_tokens: int = 96,
    answer_tokens: int = 96,
) -> Spec:
    """PASS: plan, act in parallel, summarise; the summary takes the place of the observations.

    Args:
        tools: The tools that actions may name.
        answer: What the answer must be.
        rounds: How many rounds of actions there may be; None: any number.
        actions: How many actions a round may have; None: any number.
        max_tokens: Of a thought and of a summary.
        answer_tokens: Of the answer.
    """
    summary = State(
        "S",
        "[Summary]",
        says="what the observations tell about the question",
        max_tokens=max_tokens,
        replaces="O",
    )
    return specify(
        "pass",
        [
            _question(),
            _thought("P", "[Thought]", "what is known, and what to find out next", max_tokens),
            *_acting(tools, max_tokens),
            _observation("every"),
            summary,
            _answer(answer, answer_tokens),
        ],
        _bounded(PASS, rounds, actions),
    )


def _bounded(formula: str, rounds: int | None, actions: int | None) -> str:
    """PASS with bounds: LTL cannot count without one, but a bounded count can be written out."""
    if rounds is not None:
        formula += f" & at most {rounds} S"
    if actions is not None:  # from an action, the observations come 2, 4, ... positions later
        within = "X X O"
        for _ in range(actions - 1):
            within = f"X X (O | {within})"
        formula += f" & G(P -> X (Z | {within}))"
    return formula


def _question() -> State:
    return State("Q", "[Question]", "env")


def _thought(name: str, cue: str, says: str, tokens: int) -> State:
    return State(name, cue, says=says, max_tokens=tokens)


def _acting(tools: Schemas, tokens: int) -> tuple[State, State]:
    """Action and its input: a tool of the list, and JSON of its schema."""
    names = Choices(tuple(tools))
    return (
        State("A", "[Action]", says="the tool to use", content=names, max_tokens=16),
        State("I", "[Action Input]", content=ToolInput("A", dict(tools)), max_tokens=tokens),
    )


def _observation(works: Works) -> State:
    binding = Binding("I", action="A", works=works)
    return State("O", "[Observation]", "env", "the result of the tool", binding=binding)


def _answer(content: Content, tokens: int) -> State:
    return State("Z", "[Answer]", says="the final answer", content=content, max_tokens=tokens)


def _tool(of: str, name: str) -> Binding:
    return Binding(of, tool=name)
