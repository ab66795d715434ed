"""What a reader of the paper says of ten systems: one line per system, module and line.

Written from the code of the systems before there was a profiler, with this code book. *Planning*:
worked steps, a list of steps, or a next action chosen by the model is a plan; several candidates
for one question are several paths; a plan made from an earlier plan's outcome is iterative.
*Memory*: the agent's own conversation, when it goes on from it, is short-term memory embedded in
it; notes kept by the kernel are an extension. *Action*: a note recalled is memory recollection,
turns of a conversation are not; a kept turn or note changes the internal state. What is not named
is absent.
"""

PLAN = {
    "planning.process": {"plan generation"},
    "planning.strategy": {"single-path"},
    "planning.style": {"one-shot"},
    "planning.technique": {"LM-powered"},
}
CONVERSATION = {
    "memory.scope": {"short-term"},
    "memory.location": {"embedded"},
    "memory.format": {"natural language"},
    "memory.operations": {"read", "write"},
}
ANSWER = {
    "profile.method": {"hand-crafted in-context"},
    "action.goal": {"task completion"},
    "action.space": {"LLM knowledge"},
}

KEY: dict[str, dict[str, set[str]]] = {
    "direct": ANSWER,
    "cot": PLAN | ANSWER,
    "self-consistency": PLAN | ANSWER | {"planning.strategy": {"multi-path"}},
    "self-refine": PLAN
    | CONVERSATION
    | ANSWER
    | {"planning.style": {"iterative"}, "action.impact": {"internal state change"}},
    "mad": PLAN
    | CONVERSATION
    | ANSWER
    | {
        "planning.strategy": {"multi-path"},
        "planning.style": {"iterative"},
        "planning.feedback": {"sibling core-agent"},
        "action.goal": {"task completion", "communication"},
        "action.impact": {"internal state change"},
    },
    "react": PLAN
    | CONVERSATION
    | {
        "planning.style": {"iterative"},
        "planning.feedback": {"tool"},
        "profile.method": {"hand-crafted in-context"},
        "action.goal": {"task completion"},
        "action.production": {"API-call request"},
        "action.space": {"tools"},
        "action.impact": {"internal state change", "new action"},
    },
    "notes": ANSWER
    | {
        "memory.scope": {"long-term"},
        "memory.location": {"extension"},
        "memory.format": {"natural language"},
        "memory.operations": {"read", "write"},
        "action.production": {"memory recollection"},
        "action.impact": {"internal state change"},
    },
    "recruiter": ANSWER | {"profile.method": {"LLM-generated"}},
    "guarded": ANSWER
    | {
        "security.safeguards": {"prompt", "response"},
        "security.technique": {"rule-based"},
        "security.goals": {"confidentiality", "integrity"},
    },
    "planner": PLAN
    | {
        "planning.process": {"task decomposition", "plan generation"},
        "profile.method": {"hand-crafted in-context"},
        "action.goal": {"task completion"},
        "action.production": {"plan following", "API-call request"},
        "action.space": {"tools"},
        "action.impact": {"new action"},
    },
}
