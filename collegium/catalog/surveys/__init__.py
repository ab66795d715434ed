"""The taxonomies of surveys as data: one file each, and nothing of it repeated in code.

A file holds what a survey says about the values; what a value means stands with the facet.
"""

from collegium.catalog.surveys.agentic import AgenticSurvey, agentic_survey
from collegium.catalog.surveys.collaboration import CollaborationSurvey, collaboration_survey

__all__ = ["AgenticSurvey", "CollaborationSurvey", "agentic_survey", "collaboration_survey"]
