"""Normalization layers."""

from jkeras.layers.normalization.batch_normalization import BatchNormalization
from jkeras.layers.normalization.group_normalization import GroupNormalization
from jkeras.layers.normalization.layer_normalization import LayerNormalization
from jkeras.layers.normalization.rms_normalization import RMSNormalization
from jkeras.layers.normalization.spectral_normalization import SpectralNormalization
from jkeras.layers.normalization.unit_normalization import UnitNormalization

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "SpectralNormalization",
    "UnitNormalization",
]
