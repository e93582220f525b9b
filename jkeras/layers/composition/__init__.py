"""Layers made of layers: a depth as a loop, a block computed twice, a sum with the input."""

from jkeras.layers.composition.remat import Remat
from jkeras.layers.composition.residual import Residual
from jkeras.layers.composition.residual_scaling import CustomScaleLayer, LayerScale, StochasticDepth
from jkeras.layers.composition.stack import Stack

__all__ = ["CustomScaleLayer", "LayerScale", "Remat", "Residual", "Stack", "StochasticDepth"]
