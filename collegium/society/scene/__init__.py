"""Concordia's scenes (arXiv 2312.03664): players in words, and a Game Master who decides."""

from collegium.society.scene.entity import ActionSpec, Entity, PhaseError
from collegium.society.scene.ground import Inventory, pub_scores
from collegium.society.scene.master import Scene
from collegium.society.scene.memory import AssociativeMemory
from collegium.society.scene.player import player

__all__ = [
    "ActionSpec",
    "AssociativeMemory",
    "Entity",
    "Inventory",
    "PhaseError",
    "Scene",
    "player",
    "pub_scores",
]
