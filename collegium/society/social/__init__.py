"""OASIS (arXiv 2411.11581): a social platform from a dozen users to a million."""

from collegium.society.social.build import social_model
from collegium.society.social.cascades import cascade_of, largest, over_time
from collegium.society.social.platform import Platform
from collegium.society.social.tables import ACTIONS
from collegium.society.social.users import make_users

__all__ = [
    "ACTIONS",
    "Platform",
    "cascade_of",
    "largest",
    "make_users",
    "over_time",
    "social_model",
]
