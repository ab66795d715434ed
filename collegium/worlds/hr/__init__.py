"""An HR service: a company in SQLite, tools that change it, requests, and the procedures for them.

The company and all names in it are made by a seed. What a request should come to is found by
running a program for its kind (:mod:`collegium.worlds.hr.gold`) on the same service.
"""

from collegium.worlds.hr.cases import JOBS, Case, Job, case, size
from collegium.worlds.hr.gold import Gold, gold
from collegium.worlds.hr.service import TOOLS, Service
from collegium.worlds.hr.world import HRWorld, routines_folder

__all__ = [
    "JOBS",
    "TOOLS",
    "Case",
    "Gold",
    "HRWorld",
    "Job",
    "Service",
    "case",
    "gold",
    "routines_folder",
    "size",
]
