"""Taxonomies put to use: what kind of system a run shows, held against what is declared of it.

:func:`structure_of` and its siblings read how agents collaborated, :func:`paradigm_of` how much
agency there was, :func:`check` compares both with the catalog. :func:`advise` and
:func:`recommend` go the other way, from a task to the kind of system it asks for; :func:`matrix`
shows remedies and gaps, :func:`removals` what breaks without which agent. Every value that is
observed names the events that show it.
"""

from collegium.bench.taxonomy.advice import Advice, Recommended, advise, recommend
from collegium.bench.taxonomy.messages import Message, messages_of, self_addressed
from collegium.bench.taxonomy.paradigm import Mark, Paradigm, paradigm_of
from collegium.bench.taxonomy.profile import (
    Channel,
    Claim,
    Compared,
    Profile,
    channel,
    channels_of,
    check,
    counts,
    declared,
    find_profile,
    nearest,
    observed,
    profiles,
)
from collegium.bench.taxonomy.remedies import matrix, remedies_on, unanswered
from collegium.bench.taxonomy.removal import Removed, removals, without
from collegium.bench.taxonomy.structure import (
    Seen,
    Structure,
    coordination_of,
    stage_of,
    strategy_of,
    structure_of,
)

__all__ = [
    "Advice",
    "Channel",
    "Claim",
    "Compared",
    "Mark",
    "Message",
    "Paradigm",
    "Profile",
    "Recommended",
    "Removed",
    "Seen",
    "Structure",
    "advise",
    "channel",
    "channels_of",
    "check",
    "coordination_of",
    "counts",
    "declared",
    "find_profile",
    "matrix",
    "messages_of",
    "nearest",
    "observed",
    "paradigm_of",
    "profiles",
    "recommend",
    "remedies_on",
    "removals",
    "self_addressed",
    "stage_of",
    "strategy_of",
    "structure_of",
    "unanswered",
    "without",
]
