"""Models: networks described by a graph, a chain, or a class with `call`."""

from jkeras.models.cloning import clone_model
from jkeras.models.model import Functional, Model, model_from_json
from jkeras.models.sequential import Sequential
from jkeras.saving import load_model

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json"]
