"""PAE: a proposer writes practice tasks, an agent tries them, an evaluator judges (2412.13194).

No person writes a task or a reward. What is here is the loop that makes the data: proposer, agent
and evaluator, over any world of moves. A policy is not updated here.

Paper vs code vs ours
---------------------
* The paper's worlds are web sites, seen as screenshots. Here a world shows texts, and its last
  three observations take the place of the last three screenshots.
* The code drops lines that cannot be read. Here duplicates, tasks that need a sign-in, and tasks
  that are held out for testing are dropped too, and every drop is counted with its reason.
* The evaluator's verdict is read as in the code, by its words: a reply that says "NOT SUCCESS"
  anywhere, or "SUCCESS" nowhere, is a 0.
* Known tasks can be told to the proposer with the share of attempts that succeeded, so that it
  need not guess which are out of reach; reviewers of the paper asked for that.
"""

from collegium.learning.pae.evaluator import Verdict, evaluate, read_verdict
from collegium.learning.pae.practice import Practised, practise
from collegium.learning.pae.proposer import Practice, Proposed, Site, propose, read_proposals

PAPER = "pae"

__all__ = [
    "Practice",
    "Practised",
    "Proposed",
    "Site",
    "Verdict",
    "evaluate",
    "practise",
    "propose",
    "read_proposals",
    "read_verdict",
]
