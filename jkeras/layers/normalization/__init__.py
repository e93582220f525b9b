"""Normalization layers."""

from jkeras.layers.normalization.batch_normalization import BatchNormalization
from jkeras.layers.normalization.layer_normalization import LayerNormalization

__all__ = ["BatchNormalization", "LayerNormalization"]
