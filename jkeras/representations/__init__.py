"""Representations: what weights are made of when layers read them.

A variable declares a leaf; its `representation` says what the weight is. Only the declaration knows: layers, trees,
configs and optimizers are as they were.
"""

from jkeras.core.variable import Representation
from jkeras.representations.low_rank import LowRank

__all__ = ["LowRank", "Representation"]
