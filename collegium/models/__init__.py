"""Models: what answers an agent's question.

Embedded models run on this machine (llama.cpp, in a process of its own), remote ones behind an
API, scripted ones in Python, and replayed ones from a recording. All of them are a
:class:`Model`, opened by name with :func:`open_model`; the kernel is what calls them.
"""

from collegium.models.embeddings import Embedder, HashEmbedder, MiniLM, open_embedder
from collegium.models.fetch import pull
from collegium.models.local import LocalModel
from collegium.models.model import Model, OnText
from collegium.models.registry import ModelInfo, known_models, open_model
from collegium.models.remote import PROVIDERS, RemoteModel
from collegium.models.replay import RecordingModel, ReplayModel
from collegium.models.scripted import ScriptedModel
from collegium.models.tune import TuneReport, tune, untune
from collegium.models.weights import EMBEDDED, EMBEDDERS, Weights, cache_folder, weights_path

__all__ = [
    "EMBEDDED",
    "EMBEDDERS",
    "PROVIDERS",
    "Embedder",
    "HashEmbedder",
    "LocalModel",
    "MiniLM",
    "Model",
    "ModelInfo",
    "OnText",
    "RecordingModel",
    "RemoteModel",
    "ReplayModel",
    "ScriptedModel",
    "TuneReport",
    "Weights",
    "cache_folder",
    "known_models",
    "open_embedder",
    "open_model",
    "pull",
    "tune",
    "untune",
    "weights_path",
]
