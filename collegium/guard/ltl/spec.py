"""Specifications of agents: named states, and a formula over them.

A transcript is a sequence of segments. A segment is opened by the cue of its state, and exactly one
state holds at each position; labels of a state hold with it. What is wrong with a specification is
found when it is made, not when it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from collegium.errors import BadInput, CollegiumError
from collegium.guard.ltl.automaton import Automaton, build
from collegium.guard.ltl.content import (
    Content,
    Predicate,
    Text,
    ToolInput,
    characters,
    check_cues,
    described,
    grammar_of,
    normal,
)
from collegium.guard.ltl.formula import Formula
from collegium.guard.ltl.parsing import KEYWORDS, parse
from collegium.models.gbnf import Grammar

Source = Literal["llm", "env"]
Works = Literal["last", "every", "each"]


class Binding(msgspec.Struct, frozen=True):
    """Where the text of an env state comes from: a tool call made from earlier segments.

    Attributes:
        input: The state whose segment is the input.
        action: The state whose segment names the tool; "" when ``tool`` does.
        tool: Name of the tool when it is always the same one.
        works: On the "last" input; on "every" input since the state was last visited, in parallel,
            listed in one segment; or on "each" such input in turn, one a visit.
    """

    input: str
    action: str = ""
    tool: str = ""
    works: Works = "last"


class State(msgspec.Struct, frozen=True):
    """A kind of segment.

    Attributes:
        name: As formulas call it.
        cue: What opens a segment of it in a transcript, such as ``[Thought]``.
        source: Who writes it: the model, or the environment (never the model).
        says: What is written there, to be told to the model.
        content: What its text must be.
        max_tokens: How long it may get; counted as 4 characters a token, so that a grammar can
            hold it.
        binding: The tool call behind an env state; None: the run is given its text.
        labels: Further propositions that hold with it.
        replaces: A state whose last segment this one stands for in later prompts.
    """

    name: str
    cue: str
    source: Source = "llm"
    says: str = ""
    content: Content = Text()
    max_tokens: int = 96
    binding: Binding | None = None
    labels: tuple[str, ...] = ()
    replaces: str = ""

    @property
    def letter(self) -> frozenset[str]:
        """The propositions that hold at a position of this state."""
        return frozenset((self.name, *self.labels))

    @property
    def pauses(self) -> bool:
        """Whether a generation ends with it: it is to be checked, or changes the prompt."""
        return isinstance(self.content, Predicate) or bool(self.replaces)


class Spec(msgspec.Struct, frozen=True):
    """A checked specification; made by :func:`specify`.

    Attributes:
        name: What errors and pictures call it.
        states: In order; of several allowed ones the first goes first.
        source: The formula as it was written.
        formula: The formula.
        automaton: Its automaton over the states, which is what runs.
        grammars: The grammar of each state's text; of a :class:`ToolInput`, one for each tool.
    """

    name: str
    states: tuple[State, ...]
    source: str
    formula: Formula
    automaton: Automaton
    grammars: dict[tuple[str, str], Grammar]

    def grammar(self, state: State, named: str = "") -> Grammar:
        """The grammar of a state's text, given the tool that was named."""
        return self.grammars[state.name, named if isinstance(state.content, ToolInput) else ""]

    def state(self, name: str) -> State:
        """A state by name."""
        return next(s for s in self.states if s.name == name)

    @property
    def cues(self) -> tuple[str, ...]:
        """The cues of all states, in order."""
        return tuple(s.cue for s in self.states)

    def fits(self, state: State, text: str, named: str = "") -> str:
        """What is wrong with a segment's text; "" when nothing is.

        Args:
            state: Its state.
            text: In normal form.
            named: For a :class:`ToolInput`, the tool that was named.
        """
        if state.source == "env":
            return ""
        content = state.content
        if isinstance(content, ToolInput) and named not in content.schemas:
            return f"there is no tool {named!r} to give it to"
        if not self.grammar(state, named).accepts(text):
            return f"{text[:60]!r} is not {state_wants(state, named)}"
        if isinstance(content, Predicate) and not content.holds(text):
            return f"{text[:60]!r} is not {content.says}"
        return ""


def state_wants(state: State, named: str = "") -> str:
    """What a state's text must be, in words."""
    if isinstance(state.content, ToolInput) and named:
        return f"the arguments of {named}"
    return described(state.content)


def normal_text(state: State, text: str, named: str = "") -> str:
    """A segment's text in normal form, cut to what its state allows."""
    if state.source == "env":
        return text
    text = normal(state.content, named, text)
    if isinstance(state.content, Text | Predicate):
        return text[: characters(state.max_tokens) or None].rstrip()
    return text


def specify(name: str, states: Sequence[State], formula: str) -> Spec:
    """Make a specification.

    Args:
        name: What it is called.
        states: Its states.
        formula: Over names and labels of the states, in either syntax.

    Raises:
        BadInput: Two states share a name or cue, a cue is the beginning of another, a content
            cannot be enforced, the formula cannot be read or satisfied; the message says where.
        UnknownName: The formula names no state; the column is told.
    """
    if not states:
        raise BadInput(f"spec {name!r} has no states.")
    seen: dict[str, int] = {}
    for place, state in enumerate(states, 1):
        where = f"spec {name!r}, state {place} ({state.name})"
        if not state.name.replace("-", "_").isidentifier() or state.name in KEYWORDS:
            raise BadInput(f"{where}: a state needs a plain name that is no word of formulas.")
        if state.name in seen:
            raise BadInput(f"{where}: state {seen[state.name]} has the same name.")
        seen[state.name] = place
        if len(state.cue) < 2 or state.cue != state.cue.strip() or not state.cue.isprintable():
            raise BadInput(
                f"{where}: a cue needs two or more printable characters, not {state.cue!r}."
            )
        if "\\" in state.cue:
            raise BadInput(f"{where}: the cue {state.cue!r} may not contain a backslash.")
        if state.max_tokens < 1:
            raise BadInput(f"{where}: max_tokens must be 1 or more, not {state.max_tokens}.")
    _check_cues(name, states)
    grammars: dict[tuple[str, str], Grammar] = {}
    for place, state in enumerate(states, 1):
        where = f"spec {name!r}, state {place} ({state.name})"
        _check_links(state, seen, where)
        check_cues(state.content, tuple(s.cue for s in states), where)
        grammars |= _content_grammars(state, states, where)
    known = [*seen, *(label for s in states for label in s.labels)]
    try:
        read = parse(formula, known)
    except BadInput as error:
        raise type(error)(f"spec {name!r}: {error}") from None
    letters = {s.name: s.letter for s in states}
    automaton = build(read, letters, named=f"the formula of spec {name!r}")
    return Spec(name, tuple(states), formula, read, automaton, grammars)


def _check_cues(name: str, states: Sequence[State]) -> None:
    for i, one in enumerate(states):
        for j, other in enumerate(states):
            where = f"spec {name!r}, states {i + 1} ({one.name}) and {j + 1} ({other.name})"
            if i < j and one.cue == other.cue:
                raise BadInput(f"{where} have the same cue {one.cue!r}; give each its own.")
            if i != j and other.cue.startswith(one.cue):
                raise BadInput(
                    f"{where}: the cue {one.cue!r} is the beginning of the cue {other.cue!r}, so "
                    "a reader could not tell them apart."
                )


def _check_links(state: State, seen: dict[str, int], where: str) -> None:
    """States that a state refers to exist."""
    linked = [state.replaces]
    if state.binding is not None:
        linked += [state.binding.input, state.binding.action]
        if not state.binding.action and not state.binding.tool:
            raise BadInput(f"{where}: its binding names neither a tool nor a state that does.")
    if isinstance(state.content, ToolInput):
        linked.append(state.content.of)
        if not state.content.schemas:
            raise BadInput(f"{where}: there are no tools whose arguments it could hold.")
    for other in filter(None, linked):
        if other not in seen:
            raise BadInput(f"{where} refers to the state {other!r}, which does not exist.")


def _content_grammars(
    state: State, states: Sequence[State], where: str
) -> dict[tuple[str, str], Grammar]:
    """The grammars of a state's content."""
    cues = tuple(s.cue for s in states)
    named = list(state.content.schemas) if isinstance(state.content, ToolInput) else [""]
    try:
        return {
            (state.name, tool): grammar_of(state.content, tool, cues, state.max_tokens)
            for tool in named
        }
    except CollegiumError as error:
        raise BadInput(f"{where}: {error}") from None
