"""The core: declarations, scopes, graphs, layers."""

from jkeras.core import operators  # gives symbolic tensors and variables their operators
from jkeras.core.function import Function
from jkeras.core.input import Input, InputLayer
from jkeras.core.input_spec import InputSpec
from jkeras.core.layer import Layer
from jkeras.core.lift import lift
from jkeras.core.node import Node
from jkeras.core.operation import Operation
from jkeras.core.scope import Scope, get_mask, in_building_scope, origin_of, record_origin, set_mask
from jkeras.core.seed import SeedGenerator
from jkeras.core.stateless import Variables
from jkeras.core.tensor import KerasTensor, is_keras_tensor
from jkeras.core.transforms import cond, functionalize, remat, scan, vmap
from jkeras.core.variable import Variable

__all__ = [
    "Function",
    "Input",
    "InputLayer",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Node",
    "Operation",
    "Scope",
    "SeedGenerator",
    "Variable",
    "Variables",
    "cond",
    "functionalize",
    "get_mask",
    "in_building_scope",
    "is_keras_tensor",
    "lift",
    "operators",
    "origin_of",
    "record_origin",
    "remat",
    "scan",
    "set_mask",
    "vmap",
]
