"""The HR service of a company, used with typed tools (2507.14447).

The paper's own HR system is not public. The company, the requests and the procedures are ours; a
request is judged by what the tables hold when the program for it has run.
"""

from __future__ import annotations

from collegium.worlds.hr.cases import JOBS, size
from collegium.worlds.hr.service import TOOLS
from collegium.worlds.hr.world import RULES, HRWorld
from collegium.worlds.text.kind import Kind

KINDS = (
    Kind(
        name="hr",
        description="requests to the HR service of a company, with typed tools over a database",
        rules=RULES,
        rounds=20,
        size=size,
        make=HRWorld,
        tools=TOOLS,
        source="service, company and requests of ours",
        licence="Apache-2.0",
        standing=True,
        stratum=lambda split, number: JOBS[number % len(JOBS)],
    ),
)
