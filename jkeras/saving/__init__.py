"""Saving: models and weights in files; configs of objects, and the names by which they are found again."""

from jkeras.registry import (
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from jkeras.registry import custom_object_scope as CustomObjectScope
from jkeras.registry import serialize as serialize_keras_object
from jkeras.saving.assigning import assign
from jkeras.saving.editor import KerasFileEditor
from jkeras.saving.model import load_model, save_model
from jkeras.saving.opening import open_weights
from jkeras.saving.weights import load_weights, save_weights

__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "assign",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "open_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
