"""Guards: policies on calls, specs on their order, and static checks of agent code."""
