"""What a reader says of the systems of the catalog: one row per system, module and line.

Written from the code of the systems and from what the runs in ``catalog_runs.py`` go through,
before any of them was profiled, with the code book of ``key.py``. Where that book leaves a choice:
an own reply that the program quotes in a later prompt is no conversation that the agent goes on
from; a role told in the user's turn is no profile, the system prompt is; what no call can show (the
solver of argmed, the arithmetic of importance) is not named.

Corrected since: one line of three systems, where this key had misread the code book; it says so
there. Where key and profiles differ otherwise, the key stands.
"""

from tests.agents.umf.key import ANSWER, CONVERSATION, KEY, PLAN

Row = dict[str, set[str]]

TALK: Row = {
    "planning.strategy": {"multi-path"},
    "planning.style": {"iterative"},
    "planning.feedback": {"sibling core-agent"},
    "action.goal": {"task completion", "communication"},
}
"""Several agents work on one question, tell each other what they found, and answer again."""

TEST: Row = {
    "planning.style": {"iterative"},
    "planning.feedback": {"tool", "sibling core-agent"},
    "action.production": {"plan following", "API-call request"},
    # Was tools and LLM knowledge. By the code book LLM knowledge is the space of a task without
    # tools: the rows "react" and "planner" of key.py, whose agents write as well, name tools alone.
    "action.space": {"tools"},
    "action.impact": {"new action"},
}
"""Somebody's plan is followed, what comes of it is run by a tool, and its outcome is acted on."""

DECOMPOSED: Row = {"planning.process": {"task decomposition", "plan generation"}}

CATALOG_KEY: dict[str, Row] = {
    # The bare answer: no steps, nothing kept.
    "direct": ANSWER,
    # One chain of steps before the answer.
    "cot": PLAN | ANSWER,
    # Five chains of steps for one question.
    "self-consistency": PLAN | ANSWER | {"planning.strategy": {"multi-path"}},
    # One agent goes on from its own turns; it hears nobody, so there is no feedback.
    "self-refine": PLAN
    | CONVERSATION
    | ANSWER
    | {"planning.style": {"iterative"}, "action.impact": {"internal state change"}},
    # Three chains of steps, sent to each other; each debater goes on from its own turns.
    "mad": PLAN | CONVERSATION | ANSWER | TALK | {"action.impact": {"internal state change"}},
    # Reasons, then an option; a rejection leads to another argument, and two options are argued
    # for. The arguments stand in the program, not in a conversation of the agents.
    "argmed": PLAN | ANSWER | TALK,
    # A planner names subtasks in view of earlier answers; two roles try each, whose system prompts
    # are written by the model. All other agents have none, for the task has no rules.
    "halo": PLAN
    | DECOMPOSED
    | ANSWER
    | TALK
    | {
        "profile.method": {"LLM-generated"},
        "action.production": {"plan following"},
        "action.impact": {"new action"},
    },
    # Three experts answer, hear report, messages and critique, and answer again. Who they are is
    # told in the user's turn.
    "mdagents": PLAN | ANSWER | TALK,
    # The CEO chooses what is next and directs; one solver at a time writes, critics object, its
    # program is tested, the evaluator reads the outcome and advises.
    "mas-tts": PLAN | ANSWER | TALK | TEST | {"planning.strategy": {"single-path"}},
    # Documents down to a list of tasks, one design only; the Engineer follows it, the test run
    # leads to a report and that to a repair.
    "metagpt": PLAN | DECOMPOSED | ANSWER | TALK | TEST | {"planning.strategy": {"single-path"}},
    # Several lists of steps and several programs; tests run, advice of another agent leads to a
    # rewrite. Nobody sends a message.
    "codecor": PLAN | DECOMPOSED | ANSWER | TALK | TEST | {"action.goal": {"task completion"}},
    # Four roles answer in layers and are sent the layer before, their own reply among it.
    "dylan": PLAN | ANSWER | TALK,
}

assert all(CATALOG_KEY[name] == KEY[name] for name in KEY if name in CATALOG_KEY)
