"""AgentTorch's epidemic (arXiv 2409.10568): millions of people, behaviour by archetypes."""

from collegium.society.covid.behaviour import Isolation, isolation_archetypes
from collegium.society.covid.model import covid_model, covid_state

__all__ = ["Isolation", "covid_model", "covid_state", "isolation_archetypes"]
