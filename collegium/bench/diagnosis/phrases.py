"""How agents word what the rules look for, and what the names of tools say about them.

Replies and tools come from anywhere, so a rule cannot ask for a typed output here: it reads what
stands in the record. The lists are short on purpose. A phrase is in them when it hardly ever means
something else; the rules would rather miss a failure than invent one.
"""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# -- tools by the words of their names ------------------------------------------------------

CHECKS = _set("test tests check verify validate lint typecheck compile review grade")
CHANGES = _set(
    "write edit save store create update delete remove put append replace patch apply rename "
    "insert commit upload add rollback modify fix"
)
READS = _set(
    "search find get read list look lookup query fetch view show browse recall load open count "
    "calculate calculator compute ask info status retrieve wiki weather"
)
ACTS = _set(
    "move turn step click scroll press key type wait sleep advance forward next back swipe tap go "
    "walk take drop"
)
"""Tools that do the same thing again with good reason: their sameness proves nothing."""
ENDS = _set("finish submit terminate done complete final")

_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def name_words(name: str) -> frozenset[str]:
    """The words of a tool's or agent's name: ``run_unitTests`` is run, unit, tests."""
    return frozenset(part.lower() for part in _PART.findall(name))


CHECKERS = _set("verifier reviewer critic tester checker validator inspector judge")
"""Agents whose turns are checks."""

# -- the end ---------------------------------------------------------------------------------

DONE = re.compile(
    r"^\W*(?:FINISH(?:ED)?|TERMINATE|TASK[_ ]COMPLETED?|DONE)\W*$"
    r"|\b(?i:(?:the|this|my|our) (?:whole |entire )?(?:task|job|assignment)"
    r" (?:is|has been) (?:now )?(?:fully |successfully )?(?:completed?|done|finished))\b",
    re.MULTILINE,
)
OPEN = re.compile(
    r"\b(?:next|then|afterwards),? (?:I|we) (?:will|need to|should|must|have to)\b"
    r"|\b(?:the )?remaining (?:steps?|tasks?|parts?|subtasks?|items?)\b"
    r"|\bstill (?:to be|needs? to be|have to be|has to be|open|left to)\b"
    r"|\bnot yet (?:implemented|done|complete|completed|written|finished)\b"
    r"|\bto be continued\b|\bTODO\b",
    re.IGNORECASE,
)
TICKED = re.compile(r"^\s*(?:[-*]|\d+\.) \[[xX]\] *(.+)$", re.MULTILINE)
UNTICKED = re.compile(r"^\s*(?:[-*]|\d+\.) \[ \] *(.+)$", re.MULTILINE)
RESET = re.compile(
    r"\b(?:start (?:over|again|afresh|anew)|from scratch|from the beginning|"
    r"new (?:conversation|attempt|trial|episode)|(?:attempt|trial|episode) \d)\b",
    re.IGNORECASE,
)

# -- what an agent lacks, supposes, passes ----------------------------------------------------

LACKS = re.compile(
    r"\b(?:I|we) (?:do not|don't|did not|didn't|no longer|cannot|can't) (?:currently |actually )?"
    r"(?:have|know|see|recall|remember|find)\b"
    r"|\b(?:I|we) (?:was|were|have) (?:not|never) (?:been )?(?:given|told|shown)\b"
    r"|\b(?:is|was|are|were|has|have)(?:n't| not) (?:been )?"
    r"(?:given|provided|specified|stated|known|available|mentioned)\b"
    r"|\bplease (?:provide|tell me|share|give me|send me|specify)\b",
    re.IGNORECASE,
)
SUPPOSES = re.compile(
    r"\b(?:I|we)(?:'ll| will| shall| can| must)? (?:just |simply )?(?:assume|suppose|guess)\b"
    r"|\b(?:is|are) (?:unclear|ambiguous|not specified|not clear|not stated)\b"
    r"|\bassuming (?:that )?",
    re.IGNORECASE,
)
PASSES = re.compile(
    r"\bno (?:mistakes?|errors?|issues?|problems?)\b(?! (?:is|are) (?:allowed|permitted))"
    r"|\b(?:answer|solution|result|calculation|code|work|derivation)s?"
    r" (?:is|are|was|were|looks?|seems?) (?:indeed |all |already |now )?"
    r"(?:correct|right|valid|accurate|fine|good|verified)\b"
    r"|\b(?:approved|lgtm|verdict: ?pass(?:ed)?|verified our calculation)\b",
    re.IGNORECASE,
)
FAILS = re.compile(
    r"\b(?:incorrect|wrong|mistakes? (?:in|was|were|is)|not (?:correct|right|valid|accurate)"
    r"|rejected|fail(?:s|ed|ures?)?|errors? (?:in|was|were|is))\b",
    re.IGNORECASE,
)
CHECK_ASKED = re.compile(
    r"\b(?:check|verify|review|validate|double-check|critique|inspect)\b", re.IGNORECASE
)

# -- claims of actions -----------------------------------------------------------------------

_SUBJECT = (
    r"(?<!if )(?<!once )(?<!when )\b(?:I|we)(?:'ve| have)? (?:just |already |also |then |now )?"
)
_NEAR = r"[^.!?\n]{0,60}?\b"

CLAIMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "run",
        re.compile(
            _SUBJECT
            + r"(?:ran|run|executed|compiled|tested)\b"
            + _NEAR
            + r"(?:code|scripts?|programs?|"
            r"tests?|test suite|commands?|quer(?:y|ies)|simulations?|python|notebook|it in)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "search",
        re.compile(
            _SUBJECT
            + r"(?:searched|googled|browsed|looked up)\b"
            + _NEAR
            + r"(?:web|internet|online|"
            r"google|wikipedia|databases?|documentation|docs|archives?|repositor(?:y|ies)|files|"
            r"websites?|literature)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "save",
        re.compile(
            _SUBJECT
            + r"(?:saved|stored|wrote|written|uploaded|downloaded)\b"
            + _NEAR
            + r"(?:files?|disk|folder|directory|database|\w+\.(?:txt|md|csv|json|py|html|pdf))\b",
            re.IGNORECASE,
        ),
    ),
    (
        "send",
        re.compile(
            _SUBJECT
            + r"(?:sent|emailed|notified|messaged|submitted|posted)\b"
            + _NEAR
            + r"(?:e-?mails?|messages?|notifications?|invitations?|team|customer|user)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "use",
        re.compile(
            _SUBJECT
            + r"(?:used|called|invoked|queried)\b"
            + _NEAR
            + r"(?:python interpreter|calculator|"
            r"search engine|browser|web search|api|wolfram ?alpha|tool)\b",
            re.IGNORECASE,
        ),
    ),
)
"""Kinds of claimed actions, and how they are claimed: first person, past, and an outside object."""

LOOSE_SEARCH = re.compile(_SUBJECT + r"(?:searched|looked up|browsed)\b", re.IGNORECASE)
"""A claim of a search without its place: it counts where the agent has tools."""

DISCHARGES: dict[str, frozenset[str]] = {
    "run": _set(
        "run exec execute python shell bash code eval test tests compile check sandbox sql query "
        "simulate terminal notebook verify validate"
    ),
    "search": READS | _set("web google wikipedia docs"),
    "save": CHANGES | _set("download file python shell bash run exec"),
    "send": _set("send mail email message post notify submit reply"),
    "use": frozenset(),
}
"""Words in tool names that make a claim of each kind good; "use" is made good by any tool."""

FENCED = re.compile(r"```[ \t]*(\w*)[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
"""A fenced block: its language and body."""

OUTPUT_FENCES = frozenset(("output", "stdout"))
"""Languages of blocks that show what a program printed."""

INTENT = r"\b(?:use|call|run|invoke|using|calling|invoking|running)\s+(?:the\s+)?[`'\"]?{name}\b"
REFUSED = re.compile(
    r"(?:\bnot|n't|instead of|rather than|without)\s+(?:\w+\s+){0,2}$", re.IGNORECASE
)
