"""Web sites to act in: real applications from packages, filled with data of ours.

Four sites (:data:`SITES`) run on the loopback, each in an environment of its own, with accounts,
and can be put back to their first state, or to any other that was saved, in a fraction of a second
and while they run. ``collegium world up`` brings them up for a person, :func:`borrowed` for a run.
"""

from collegium.worlds.sites.helpers import HELPERS
from collegium.worlds.sites.install import made, make, missing
from collegium.worlds.sites.running import borrowed, copies_of, down, give_back, sweep, take, up
from collegium.worlds.sites.server import SiteServer
from collegium.worlds.sites.site import SITES, Account, Site, find_site, find_sites

__all__ = [
    "HELPERS",
    "SITES",
    "Account",
    "Site",
    "SiteServer",
    "borrowed",
    "copies_of",
    "down",
    "find_site",
    "find_sites",
    "give_back",
    "made",
    "make",
    "missing",
    "sweep",
    "take",
    "up",
]
