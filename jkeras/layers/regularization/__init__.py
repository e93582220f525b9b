"""Layers that act in training only, and penalties."""

from jkeras.layers.regularization.activity_regularization import ActivityRegularization
from jkeras.layers.regularization.alpha_dropout import AlphaDropout
from jkeras.layers.regularization.dropout import Dropout
from jkeras.layers.regularization.gaussian import GaussianDropout, GaussianNoise
from jkeras.layers.regularization.spatial_dropout import SpatialDropout1D, SpatialDropout2D, SpatialDropout3D

__all__ = [
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]
