"""Concordia's scenes (arXiv 2312.03664): players in words, and a Game Master who decides."""

from collegium.society.scene.entity import ActionSpec, Entity, PhaseError
from collegium.society.scene.ground import Inventory, pub_scores
from collegium.society.scene.inside import put_inside, with_scene
from collegium.society.scene.master import Scene
from collegium.society.scene.memory import AssociativeMemory
from collegium.society.scene.model import scene_model, scene_state
from collegium.society.scene.player import player
from collegium.society.scene.script import Script, read_script
from collegium.society.scene.stage import log_of

__all__ = [
    "ActionSpec",
    "AssociativeMemory",
    "Entity",
    "Inventory",
    "PhaseError",
    "Scene",
    "Script",
    "log_of",
    "player",
    "pub_scores",
    "put_inside",
    "read_script",
    "scene_model",
    "scene_state",
    "with_scene",
]
