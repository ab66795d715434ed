"""Models."""

from collegium.models.registry import open_model

__all__ = ["open_model"]
